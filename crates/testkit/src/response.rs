//! The response to a request of a test.

use std::fmt;
use std::ops::Index;

use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

/// The response to one request. Its JSON is indexed by field: `response["id"]`.
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) request: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; null when it is none.
    pub body: Value,
    /// The body as text.
    pub text: String,
}

impl Response {
    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The field `id`.
    #[must_use]
    #[track_caller]
    pub fn id(&self) -> String {
        self["id"].as_str().unwrap_or_else(|| panic!("no id in {self}")).to_owned()
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The headers `Idempotent-Replayed` and `Retry-After`.
    #[must_use]
    pub fn replayed(&self) -> (Option<&str>, Option<&str>) {
        (self.header("idempotent-replayed"), self.header("retry-after"))
    }

    /// The header `X-Request-Id`.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    /// The field `field` of each item of a list of either dialect.
    #[must_use]
    #[track_caller]
    pub fn each(&self, field: &str) -> Vec<&str> {
        let items = self.body["items"].as_array().or_else(|| self.body["data"].as_array());
        let items = items.unwrap_or_else(|| panic!("not a list: {self}"));
        items.iter().map(|item| item[field].as_str().unwrap_or("null")).collect()
    }

    /// The violations of a response 422 of `/v1`, each as `type the.place`.
    #[must_use]
    #[track_caller]
    pub fn violations(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{self}");
        let name = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
        let place = |violation: &Value| {
            violation["loc"].as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(".")
        };
        let violations = self["detail"].as_array().unwrap().iter();
        violations.map(|one| format!("{} {}", one["type"].as_str().unwrap(), place(one))).collect()
    }

    /// Asserts status 422 and these violations, each as `type the.place`.
    #[track_caller]
    pub fn assert_violations(&self, expected: &[&str]) {
        assert_eq!(self.violations(), expected, "{self}");
    }

    /// Asserts the status and the field `error` of `/v1`.
    #[track_caller]
    pub fn assert_error(&self, status: u16, error: &str) {
        assert_eq!((self.status, self["error"].as_str()), (status, Some(error)), "{self}");
    }

    /// The error message of `/v2`.
    #[must_use]
    #[track_caller]
    pub fn message(&self) -> &str {
        self["message"].as_str().unwrap_or_else(|| panic!("no message in {self}"))
    }

    /// Status and body for a snapshot: ids are numbered and times replaced.
    #[must_use]
    pub fn transcript(&self) -> String {
        let mut ids = Vec::new();
        let body = redacted(&self.body, &mut ids);
        if self.body.is_null() {
            return format!("{} {}", self.status, self.text).trim().to_owned();
        }
        format!("{}\n{}", self.status, serde_json::to_string_pretty(&body).unwrap())
    }
}

/// Ids become `<id 1>`, `<id 2>`; times become `<time>`.
fn redacted(value: &Value, ids: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) if text.len() >= 20 && text.starts_with("2026-01-01T") => json!("<time>"),
        Value::String(text) if Uuid::parse_str(text).is_ok() => {
            let known = ids.iter().position(|id| id == text).unwrap_or_else(|| {
                ids.push(text.clone());
                ids.len() - 1
            });
            json!(format!("<id {}>", known + 1))
        }
        Value::Array(values) => values.iter().map(|value| redacted(value, ids)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), redacted(value, ids)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

impl Index<&str> for Response {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.body[name]
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {}", self.request, self.status, self.text)
    }
}

/// The fields of `after` that differ from `before`.
#[must_use]
pub fn changed_fields(before: &Value, after: &Value) -> Value {
    let changed = after.as_object().unwrap().iter().filter(|(key, value)| before[key.as_str()] != **value);
    changed.map(|(key, value)| (key.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}
