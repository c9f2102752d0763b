"""Which operations of the contract are tried, as whom, and where an answer may leave the contract."""

# Not tried, by operation id.
EXCLUDED = {
    name: "OAuth 2 is not served: tokens come from the organization or from the command line" for name in (
        "oauth2:clients:oauth2:create_client", "oauth2:clients:oauth2:get_client",
        "oauth2:clients:oauth2:update_client", "oauth2:clients:oauth2:delete_client", "oauth2:authorize",
        "oauth2:request_token", "oauth2:revoke_token", "oauth2:introspect_token", "oauth2:userinfo")
} | {
    # The contract document leaves these out; they stand here for the day it does not.
    name: "writes a payment method: no payments are held" for name in (
        "customer_portal:customers:add_payment_method", "customer_portal:customers:confirm_payment_method",
        "customer_portal:customers:delete_payment_method")
}

_FRAMEWORK = {"type": "object", "required": ["detail"], "additionalProperties": False,
              "properties": {"detail": {"enum": ["Not Found", "Method Not Allowed"]}}}

# Answers that the contract does not declare and that an operation with values in its path
# may give all the same: status -> (why, the shape it must have). Where the contract declares
# the status, either shape will do. Nothing else is relaxed: 401, 403, 411 and 413 do not occur,
# since every request has a good token, every scope, and a body of known and small length.
UNDECLARED = {
    "404": ("a value that changes the path (empty, or with a slash) reaches no operation", _FRAMEWORK),
    "405": ("the same, where the path serves another method", _FRAMEWORK),
}

# Answers of one operation that the contract does not declare: (operation id, status) -> (why, shape).
UNDECLARED_OF_ONE = {
    ("members:list_members", "404"): (
        "a `customer_id` that is no UUID is answered like this by the original, and so in the recording",
        {"type": "object", "required": ["error", "detail"], "additionalProperties": False,
         "properties": {"error": {"const": "ResourceNotFound"},
                        "detail": {"const": "Invalid customer ID format"}}}),
}

# Checks of schemathesis that are not made:
NOT_CHECKED = {
    "negative_data_rejection": "unknown fields and parameters are ignored, `limit` is clamped, strings are trimmed: "
                               "the contract says nothing of it, the behaviour notes ask for it",
    "positive_data_acceptance": "what is taken, reserved or not one's own is refused with 422 although it fits the schema",
    "missing_required_header": "no operation has one",
    "unsupported_method": "405 and its `Allow` are checked by the golden exchanges",
    "allow_header_conformance": "as above",
    "ignored_auth": "scopes and callers are checked by the client suites and the golden exchanges",
    "object_level_authorization": "as above",
    "use_after_free": "needs sequences of calls: checked by the client suites",
    "ensure_resource_availability": "as above",
    "response_headers_conformance": "the contract declares no header of an answer",
}
