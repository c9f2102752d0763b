//! Request types of webhook endpoints (docs/contracts/polar/webhooks.md, 9).

use schemars::JsonSchema;
use serde_json::Value;
use tenantry_core::Timestamp;
use tenantry_core::webhook::{EndpointUrl, EventType, SigningSecret, WebhookFormat};

use crate::limits;
use crate::polar::version;
use crate::wire::{
    List, PatchField, Uuid4, Validation, VisibleText, Wire, choice, inline_schema, name_list, wire_object,
};

const FORMATS: &[&str] = &["raw", "discord", "slack"];
/// The classes of statuses by which a list can be filtered.
pub(super) const CODE_CLASSES: &[&str] = &["2xx", "3xx", "4xx", "5xx"];
name_list! {
    /// Format of deliveries.
    FormatName(WebhookFormat) as "enum" of FORMATS, by WebhookFormat::from_name
}

/// The API version of deliveries. Payloads exist only in the default version.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApiVersion;

impl Wire for ApiVersion {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let from_name = |name: &str| (name == version::DEFAULT).then_some(Self);
        choice("enum", &[version::DEFAULT], from_name, value, at)
    }
}

/// The type of an event that an endpoint can subscribe to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SubscribedName(pub(super) EventType);

impl Wire for SubscribedName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let from_name = |name: &str| EventType::from_name(name).filter(|kind| kind.is_subscribable());
        choice("enum", &subscribable(), from_name, value, at).map(Self)
    }
}

/// The names of the types that an endpoint can subscribe to.
fn subscribable() -> Vec<&'static str> {
    EventType::ALL.iter().filter(|kind| kind.is_subscribable()).map(|kind| kind.as_str()).collect()
}

/// The type of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventTypeName(pub(super) EventType);

impl Wire for EventTypeName {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        choice("enum", EventType::NAMES, EventType::from_name, value, at).map(Self)
    }
}

impl JsonSchema for EventTypeName {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookEventType".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "enum": EventType::NAMES})
    }
}

/// URL that deliveries go to.
#[derive(Debug, Clone)]
pub(crate) struct UrlText(pub(super) EndpointUrl);

impl Wire for UrlText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let Some(text) = value.as_str() else {
            at.violate("url_type", "URL input should be a string or URL", value, None);
            return None;
        };
        let parsed = EndpointUrl::parse(text, at.plain_http_hosts());
        at.accept(parsed, value).map(Self)
    }
}

/// A signing secret.
#[derive(Debug, Clone)]
pub(crate) struct SecretText(pub(super) SigningSecret);

impl Wire for SecretText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        let secret = SigningSecret::parse(&text);
        if secret.is_err() {
            let msg = format!("String should have at least {} characters", SigningSecret::MIN_CHARS);
            let ctx = serde_json::json!({"min_length": SigningSecret::MIN_CHARS});
            at.violate("string_too_short", msg, value, Some(ctx));
        }
        secret.ok().map(Self)
    }
}

inline_schema! {
    SubscribedName => {"type": "string", "enum": subscribable()},
    ApiVersion => {"type": "string", "enum": [version::DEFAULT]},
    UrlText => {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
    SecretText => {"type": "string", "minLength": 32},
}

/// Event types in a request.
pub(crate) type EventTypes = List<SubscribedName, { limits::LIST }>;

wire_object! {
    /// A new webhook endpoint.
    EndpointCreateBody {
        /// URL that deliveries go to: `https`, at a public host. A user name and password are sent, and never shown.
        url: UrlText,
        /// Display name.
        name: Option<VisibleText<0, { limits::TEXT }>>,
        /// Format of deliveries.
        format: FormatName,
        /// Types of the events to deliver.
        events: EventTypes,
        /// Signing secret. Generated when absent.
        secret: Option<SecretText>,
        /// API version of deliveries.
        #[expect(dead_code, reason = "there is one version, and reading the field checks it")]
        api_version: Option<ApiVersion>,
        /// The organization. Only for tokens of users.
        organization_id: Option<Uuid4>,
    }
}

wire_object! {
    /// A partial update of a webhook endpoint. `null` clears the name and keeps every other field.
    EndpointUpdateBody {
        /// New URL. A masked user name and password in it keep the stored ones, if scheme, host and port stay the same.
        url: Option<UrlText>,
        /// New display name.
        name: PatchField<VisibleText<0, { limits::TEXT }>>,
        /// New signing secret. The old ones are no longer used.
        secret: Option<SecretText>,
        /// New format, for events without an attempt so far.
        format: Option<FormatName>,
        /// New list of event types to deliver.
        events: Option<EventTypes>,
        /// Whether events are delivered.
        enabled: Option<bool>,
        /// API version of deliveries.
        #[expect(dead_code, reason = "there is one version, and reading the field checks it")]
        api_version: Option<ApiVersion>,
    }
}

/// A timestamp with a time zone.
pub(in crate::polar) struct ZonedTimestamp(pub(in crate::polar) Timestamp);

impl Wire for ZonedTimestamp {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        // A plus sign in a query that was not escaped has become a space.
        let text = value.as_str().unwrap_or_default().replace(' ', "+");
        let read = serde_json::from_value::<Timestamp>(Value::String(text.clone())).ok();
        if read.is_none() {
            // If the text parses with `Z` appended, only its time zone is missing.
            if serde_json::from_value::<Timestamp>(Value::String(format!("{text}Z"))).is_ok() {
                at.violate("timezone_aware", "Input should have timezone info", value, None);
            } else {
                at.violate("datetime_from_date_parsing", "Input should be a valid datetime", value, None);
            }
        }
        read.map(Self)
    }
}

/// A class of statuses, by its first status.
pub(super) struct CodeClass(pub(super) i64);

impl Wire for CodeClass {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let first = |name: &str| match name {
            "2xx" => Some(200),
            "3xx" => Some(300),
            "4xx" => Some(400),
            "5xx" => Some(500),
            _ => None,
        };
        choice("enum", CODE_CLASSES, first, value, at).map(Self)
    }
}

/// The event types of a request.
pub(super) fn event_types(List(names): EventTypes) -> Vec<EventType> {
    names.into_iter().map(|name| name.0).collect()
}
