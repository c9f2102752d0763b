"""The operations that are not tested, the answers that the contract does not declare, and the checks that are not made."""

# Operations that are not tested: {operation id: reason}.
EXCLUDED = {
    name: "OAuth 2 is not implemented; organizations and the command line create tokens" for name in (
        "oauth2:clients:oauth2:create_client", "oauth2:clients:oauth2:get_client",
        "oauth2:clients:oauth2:update_client", "oauth2:clients:oauth2:delete_client", "oauth2:authorize",
        "oauth2:request_token", "oauth2:revoke_token", "oauth2:introspect_token", "oauth2:userinfo")
} | {
    # The contract document does not have these now. They are listed in case a later version has them.
    name: "payment methods are not implemented" for name in (
        "customer_portal:customers:add_payment_method", "customer_portal:customers:confirm_payment_method",
        "customer_portal:customers:delete_payment_method")
}

_FRAMEWORK = {"type": "object", "required": ["detail"], "additionalProperties": False,
              "properties": {"detail": {"enum": ["Not Found", "Method Not Allowed"]}}}


def _error(name):
    return {"type": "object", "required": ["error", "detail"], "additionalProperties": False,
            "properties": {"error": {"const": name}, "detail": {"type": "string"}}}


# Answers that the contract does not declare, and that operations with parameters in their path may give:
# {status: (reason, schema of the body)}. When the contract declares the status too, either schema is accepted. 401, 403,
# 411 and 413 are not here, because every request has a valid token with every scope and a small body of known length.
UNDECLARED = {
    "404": ("an empty value, or one with a slash, changes the path to one without an operation", _FRAMEWORK),
    "405": ("as above, when the changed path has an operation with another method", _FRAMEWORK),
}

# The same for single operations: {(operation id, status): (reason, schema of the body)}.
UNDECLARED_OF_ONE = {
    ("members:list_members", "404"): (
        "the golden recording has this answer to a `customer_id` that is not a UUID",
        {"type": "object", "required": ["error", "detail"], "additionalProperties": False,
         "properties": {"error": {"const": "ResourceNotFound"},
                        "detail": {"const": "Invalid customer ID format"}}}),
    ("customer_portal:customers:request_email_update", "403"): (
        "the organization does not allow customers to change their e-mail address", _error("NotPermitted")),
    ("customer_portal:members:update_member", "404"): (
        "declared without a shape", {"anyOf": [_FRAMEWORK, _error("ResourceNotFound")]}),
    ("customer_portal:members:remove_member", "404"): (
        "declared without a shape", {"anyOf": [_FRAMEWORK, _error("ResourceNotFound")]}),
}

# Checks of schemathesis that are not made: {name: reason}.
NOT_CHECKED = {
    "negative_data_rejection": "unknown fields and parameters are ignored, `limit` is clamped and strings are "
                               "trimmed: docs/contracts requires it, the contract document does not describe it",
    "positive_data_acceptance": "values that are in use, reserved or of another organization fit the schema but are "
                                "refused with 422",
    "missing_required_header": "no operation requires a header",
    "unsupported_method": "405 and its `Allow` are checked by the golden exchanges",
    "allow_header_conformance": "as above",
    "ignored_auth": "authorization is checked by the client suites and the golden exchanges",
    "object_level_authorization": "as above",
    "use_after_free": "needs a sequence of calls; checked by the client suites",
    "ensure_resource_availability": "as above",
    "response_headers_conformance": "the contract declares no response headers",
}
