//! Wire types of the rotation of tokens, which both dialects share.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tenantry_core::Timestamp;
use tenantry_core::token::{Overlap, PreviousSecret};

use super::{Between, Strict, Validation, Wire, inline_schema, object_of, wire_object};

/// The time for which an old secret works on, in whole seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OverlapSeconds(pub(crate) Overlap);

impl Wire for OverlapSeconds {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let Strict(Between(seconds)) = Strict::<Between<0, { Overlap::MAX_S }>>::read(value, at)?;
        at.accept(Overlap::from_seconds(seconds), value).map(Self)
    }
}

/// A time, as RFC 3339 writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time(pub(crate) Timestamp);

impl Wire for Time {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let time = serde_json::from_value(value.clone()).ok();
        if time.is_none() {
            let msg = "Input should be a valid datetime, such as 2026-01-31T12:00:00Z".to_owned();
            at.violate("datetime_parsing", msg, value, None);
        }
        time.map(Self)
    }
}

wire_object! {
    /// A request for a new secret.
    TokenRotate {
        /// Seconds for which the old secret works on: 86400 (a day) by default, at most 2592000 (30 days), 0 to end it
        /// at once.
        overlap_seconds: Option<OverlapSeconds>,
    }
}

impl TokenRotate {
    pub(crate) fn overlap(self) -> Overlap {
        self.overlap_seconds.map_or_else(Overlap::default, |overlap| overlap.0)
    }
}

/// A secret to be revoked: `{"token": ".."}`, or the form field `token` of RFC 7009.
#[derive(Clone, JsonSchema)]
pub(crate) struct TokenRevocation {
    /// The secret.
    pub(crate) token: String,
}

impl Wire for TokenRevocation {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let form: Map<String, Value> = match value {
            Value::String(text) => form_urlencoded::parse(text.as_bytes())
                .map(|(name, value)| (name.into_owned(), Value::from(value)))
                .collect(),
            _ => object_of(value, at)?.clone(),
        };
        let Some(token) = form.get("token").and_then(Value::as_str) else {
            at.within("token", |at| at.missing(&json!({})));
            return None;
        };
        Some(Self { token: token.to_owned() })
    }
}

/// The secret before the last rotation. Absent if there is none.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PreviousSecret", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PreviousSecretView {
    /// When it ends, or ended.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// When it was last used, accurate to six minutes.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    last_used_at: Option<Timestamp>,
}

impl From<PreviousSecret> for PreviousSecretView {
    fn from(PreviousSecret { expires_at, last_used_at }: PreviousSecret) -> Self {
        Self { expires_at, last_used_at }
    }
}

inline_schema! {
    OverlapSeconds => {"type": "integer", "minimum": 0, "maximum": 2_592_000, "default": 86_400},
    Time => {"type": "string", "format": "date-time"},
}
