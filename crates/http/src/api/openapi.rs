//! The OpenAPI 3.1 document of a dialect, made from its endpoints.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use tenantry_core::token::RequiredScope;

use super::access::Access;
use super::endpoint::{Endpoint, Method, Parameter};
use crate::limits;

/// A dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `/v1`, modelled on Polar's API.
    Polar,
    /// `/v2`, modelled on AhaSend's API.
    AhaSend,
}

impl Dialect {
    const fn title(self) -> &'static str {
        match self {
            Self::Polar => "Tenantry, in the Polar dialect",
            Self::AhaSend => "Tenantry, in the AhaSend dialect",
        }
    }

    const fn version(self) -> &'static str {
        match self {
            Self::Polar => "2026-04",
            Self::AhaSend => "2.0.0",
        }
    }

    fn error_schema(self, status: u16) -> Value {
        match (self, status) {
            (Self::AhaSend, _) => json!({
                "type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}
            }),
            (Self::Polar, 422) => json!({
                "type": "object",
                "required": ["error", "detail"],
                "properties": {
                    "error": {"type": "string"},
                    "detail": {"type": "array", "items": {
                        "type": "object",
                        "required": ["type", "loc", "msg"],
                        "properties": {
                            "type": {"type": "string"},
                            "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                            "msg": {"type": "string"},
                            "input": {},
                            "ctx": {"type": "object"}
                        }
                    }}
                }
            }),
            (Self::Polar, 401 | 403) => json!({
                "type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}
            }),
            (Self::Polar, _) => json!({
                "type": "object",
                "required": ["error", "detail"],
                "properties": {"error": {"type": "string"}, "detail": {"type": "string"}}
            }),
        }
    }
}

/// Says of an answer that all its fields are always there: those without a value are `null`.
pub(crate) fn all_fields_required(schema: &mut Schema) {
    let names: Option<Vec<Value>> = schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(|name| Value::from(name.as_str())).collect());
    if let Some(names) = names {
        schema.insert("required".to_owned(), names.into());
    }
}

/// As [`all_fields_required`], for a token, whose `previous_secret` is absent before its first rotation.
pub(crate) fn token_fields_required(schema: &mut Schema) {
    all_fields_required_but(schema, "previous_secret");
}

/// As [`all_fields_required`], for an organization, whose `team_admission` is absent while people can be added.
pub(crate) fn organization_fields_required(schema: &mut Schema) {
    all_fields_required_but(schema, "team_admission");
}

fn all_fields_required_but(schema: &mut Schema, optional: &str) {
    all_fields_required(schema);
    if let Some(names) = schema.get_mut("required").and_then(Value::as_array_mut) {
        names.retain(|name| name != optional);
    }
}

/// The document of `endpoints`.
pub(crate) fn document<'a>(dialect: Dialect, endpoints: impl IntoIterator<Item = &'a Endpoint>) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths = Map::new();
    for endpoint in endpoints {
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(endpoint.method.as_str().to_lowercase(), describe(dialect, endpoint, &mut generator));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": dialect.title(), "version": dialect.version()},
        "paths": paths,
        "components": {
            "securitySchemes": schemes(dialect),
            "schemas": generator.take_definitions(true),
        },
        "security": [{"bearer": []}],
    })
}

/// The group under which a viewer shows an endpoint: the noun of its path. In `/v2` all paths but one begin with the
/// account.
fn tag(path: &str) -> &str {
    let mut nouns = path.split('/').skip(2).filter(|segment| !segment.starts_with('{'));
    match (nouns.next().unwrap_or(path), nouns.next()) {
        ("accounts", Some(noun)) => noun,
        (noun, _) => noun,
    }
}

fn describe(dialect: Dialect, endpoint: &Endpoint, generator: &mut SchemaGenerator) -> Value {
    let mut responses = Map::new();
    let content = endpoint.response.map(|schema| {
        let content = json!({"schema": schema(generator)});
        endpoint.content_types.iter().map(|media| ((*media).to_owned(), content.clone())).collect::<Value>()
    });
    let done = |description: &str| {
        let mut done = json!({"description": description});
        if let Some(content) = &content {
            insert(&mut done, "content", content.clone());
        }
        let headers = success_headers(endpoint);
        if !headers.is_empty() {
            insert(&mut done, "headers", headers.into());
        }
        done
    };
    if let Some(also) = endpoint.unchanged {
        responses.insert(also.to_string(), done("Nothing had to change."));
    }
    responses.insert(endpoint.success.to_string(), done("Success."));
    if endpoint.takes_conditions() && endpoint.method == Method::Get {
        let unchanged = json!({"description": reason(304), "headers": {"ETag": etag()}});
        responses.insert("304".into(), unchanged);
    }
    for status in errors(endpoint) {
        let schema = dialect.error_schema(status);
        let mut refusal =
            json!({"description": reason(status), "content": {"application/json": {"schema": schema}}});
        if endpoint.takes_idempotency_key() && status == 409 {
            let wait = json!({
                "schema": {"type": "integer", "minimum": 1},
                "description": "Seconds after which to retry, when a request with the same key is in progress."
            });
            let headers = json!({"Idempotent-Replayed": replayed("false"), "Retry-After": wait});
            insert(&mut refusal, "headers", headers);
        }
        if status == 429 {
            // It has no body.
            refusal = json!({"description": reason(status), "headers": {"Retry-After": {"schema": {"type": "integer"}}}});
        }
        responses.insert(status.to_string(), refusal);
    }
    let mut described = json!({
        "operationId": endpoint.id,
        "tags": [tag(endpoint.path)],
        "summary": endpoint.summary,
        "parameters": parameters(endpoint),
        "responses": responses,
        "security": security(endpoint.access),
    });
    if let Some(object) = described.as_object_mut() {
        if let Some(schema) = endpoint.body {
            let content = json!({"application/json": {"schema": schema(generator)}});
            object.insert("requestBody".into(), json!({"required": true, "content": content}));
        }
        if !endpoint.upload.is_empty() {
            let media = |name: &&str| ((*name).to_owned(), json!({"schema": {"type": "string"}}));
            let content: Map<String, Value> = endpoint.upload.iter().map(media).collect();
            object.insert("requestBody".into(), json!({"required": true, "content": content}));
        }
        if endpoint.deprecated {
            object.insert("deprecated".into(), Value::Bool(true));
        }
    }
    described
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.into(), value);
    }
}

/// The statuses of failure.
fn errors(endpoint: &Endpoint) -> Vec<u16> {
    let mut errors = endpoint.errors.to_vec();
    errors.push(503);
    if endpoint.takes_conditions() {
        errors.extend([400, 412]);
    }
    if endpoint.takes_idempotency_key() {
        errors.extend([400, 409, 422]);
    }
    if !matches!(endpoint.access, Access::Public) {
        errors.extend([401, 403]);
    }
    errors.sort_unstable();
    errors.dedup();
    errors
}

/// The headers of a response of success.
fn success_headers(endpoint: &Endpoint) -> Map<String, Value> {
    let mut headers = Map::new();
    if endpoint.takes_idempotency_key() {
        headers.insert("Idempotent-Replayed".into(), replayed("true"));
    }
    if endpoint.shows_row() {
        headers.insert("ETag".into(), etag());
    }
    headers
}

/// The response header `ETag`.
fn etag() -> Value {
    json!({"schema": {"type": "string"}, "description": "Changes whenever what the response shows does."})
}

/// The request headers with conditions on the row.
fn conditions(endpoint: &Endpoint) -> impl Iterator<Item = Value> + use<> {
    let headers = [
        ("If-Match", "Refuse the request with 412 unless the object still has one of these ETags."),
        ("If-None-Match", "Answer 304, or refuse a change with 412, if the object has one of these ETags."),
    ];
    let headers = endpoint.takes_conditions().then_some(headers).into_iter().flatten();
    headers.map(|(name, description)| {
        let schema = json!({"type": "string"});
        json!({"name": name, "in": "header", "required": false, "schema": schema, "description": description})
    })
}

/// The response header `Idempotent-Replayed`.
fn replayed(value: &str) -> Value {
    let description = match value {
        "true" => "Present when the response is a replay.",
        _ => "`false` when a request with the same key is in progress, `true` when the response is a replay.",
    };
    json!({"schema": {"type": "string"}, "description": description})
}

fn parameters(endpoint: &Endpoint) -> Vec<Value> {
    let names = endpoint.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let path_parameters = names.map(|name| {
        let schema = if name.ends_with("external_id") || name == "slug" {
            json!({"type": "string"})
        } else {
            json!({"type": "string", "format": "uuid"})
        };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let others = endpoint.parameters.iter().map(|Parameter { name, location, schema, description }| {
        json!({"name": name, "in": location, "required": false, "schema": schema(), "description": description})
    });
    let key = endpoint.takes_idempotency_key().then(|| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": false,
            "schema": {"type": "string", "maxLength": limits::IDEMPOTENCY_KEY},
            "description": "A request that is repeated with the same key within 24 hours has one effect \
                            and one response."
        })
    });
    path_parameters.chain(others).chain(key).chain(conditions(endpoint)).collect()
}

/// The schemes that each endpoint is open to. All are bearer tokens; what differs is whose.
fn schemes(dialect: Dialect) -> Value {
    let bearer = |caller: &str| json!({"type": "http", "scheme": "bearer", "description": format!("A token of {caller}.")});
    let mut schemes = Map::new();
    schemes.insert("bearer".into(), bearer("an organization or a user"));
    if dialect == Dialect::Polar {
        schemes.insert("organization".into(), bearer("an organization"));
        schemes.insert("user".into(), bearer("a user"));
        schemes.insert("customer_session".into(), bearer("a customer's session in the portal"));
        schemes.insert("member_session".into(), bearer("a member's session in the portal"));
    }
    schemes.into()
}

fn security(access: Access) -> Value {
    let names = |permissions: &[RequiredScope]| {
        permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>()
    };
    match access {
        Access::Public => json!([]),
        Access::AnyToken => json!([{"bearer": []}]),
        Access::Account(permission) | Access::Parent(permission) => {
            json!([{"bearer": [permission.as_str()]}])
        }
        Access::Scoped(permissions) => json!([{"bearer": names(permissions)}]),
        Access::UserScoped(permissions) => json!([{"user": names(permissions)}]),
        Access::BySubject { user, organization } => {
            json!([{"user": names(user)}, {"organization": names(organization)}])
        }
        Access::Portal(permissions) => {
            json!([{"customer_session": names(permissions)}, {"member_session": names(permissions)}])
        }
        Access::PortalMember(permissions) => json!([{"member_session": names(permissions)}]),
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        304 => "The object has an ETag that If-None-Match names.",
        400 => "The request cannot be read.",
        401 => "The token is missing, unknown, expired or revoked.",
        403 => "The token's scopes or the user's role do not permit this.",
        404 => "The token has access to no such object.",
        408 => "The body arrived too slowly.",
        413 => "The body is too large.",
        415 => "The body is encoded.",
        409 => "The request conflicts with the stored data.",
        412 => "The object has changed: its ETag is not as the request asks.",
        422 => "The input is not valid.",
        429 => "The caller has used up its rate limit. Retry later.",
        503 => "The server cannot process the request now. Retry.",
        _ => "The server failed.",
    }
}
