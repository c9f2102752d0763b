//! Violations of a request and their locations.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value, json};
use tenantry_app::PlainHttpHosts;
use tenantry_core::values::{InvalidValue, one_of};

use crate::limits;

/// A step of the path to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Loc {
    /// A field of an object, or the part of the request: `path`, `query`, `body`.
    Key(Cow<'static, str>),
    /// An element of a list, counted from 0.
    Index(usize),
}

impl Serialize for Loc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(key) => serializer.serialize_str(key),
            Self::Index(index) => serializer.serialize_u64(u64::try_from(*index).unwrap_or(u64::MAX)),
        }
    }
}

impl From<&'static str> for Loc {
    fn from(key: &'static str) -> Self {
        Self::Key(Cow::Borrowed(key))
    }
}

impl From<String> for Loc {
    fn from(key: String) -> Self {
        Self::Key(Cow::Owned(key))
    }
}

impl From<usize> for Loc {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// A violation of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Violation {
    /// Kind of the violation, for programs.
    #[serde(rename = "type")]
    pub(crate) kind: Cow<'static, str>,
    /// Location of the value.
    pub(crate) loc: Vec<Loc>,
    /// Message, for people.
    pub(crate) msg: Cow<'static, str>,
    /// The value at that location.
    pub(crate) input: Value,
    /// The bounds that the value violates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ctx: Option<Value>,
}

impl Violation {
    /// A violation of a business rule. It has no context.
    pub(crate) fn rule(
        kind: &'static str,
        loc: &[&'static str],
        msg: impl Into<Cow<'static, str>>,
        input: Value,
    ) -> Self {
        let loc = loc.iter().map(|step| Loc::from(*step)).collect();
        Self { kind: kind.into(), loc, msg: msg.into(), input, ctx: None }
    }
}

/// The current location in a request, and all violations found so far.
#[derive(Debug, Default)]
pub(crate) struct Validation {
    path: Vec<Loc>,
    found: Vec<Violation>,
    plain_http_hosts: PlainHttpHosts,
}

/// The remaining amount of input that violations may repeat. It keeps responses small.
struct EchoBudget {
    nodes: usize,
    bytes: usize,
}

impl EchoBudget {
    const fn new() -> Self {
        Self { nodes: limits::ECHO_NODES, bytes: limits::ECHO_BYTES }
    }

    fn admits(&mut self, value: &Value) -> bool {
        let fits = take(&mut self.nodes, 1);
        fits && match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => take(&mut self.bytes, text.len()),
            Value::Array(items) => items.iter().all(|item| self.admits(item)),
            Value::Object(fields) => self.admits_object(fields),
        }
    }

    fn admits_object(&mut self, fields: &Map<String, Value>) -> bool {
        fields.iter().all(|(key, value)| take(&mut self.bytes, key.len()) && self.admits(value))
    }
}

fn take(left: &mut usize, wanted: usize) -> bool {
    let enough = *left >= wanted;
    *left = left.saturating_sub(wanted);
    enough
}

impl Validation {
    /// The start of a request. URLs may point to `plain_http_hosts` although those are not public.
    pub(crate) fn naming(plain_http_hosts: PlainHttpHosts) -> Self {
        Self { plain_http_hosts, ..Self::default() }
    }

    /// Hosts to which URLs may point although they are not public.
    pub(crate) fn plain_http_hosts(&self) -> &[String] {
        &self.plain_http_hosts
    }

    /// Moves one step down while `read` runs.
    pub(crate) fn within<T>(&mut self, step: impl Into<Loc>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.into());
        let result = read(self);
        self.path.pop();
        result
    }

    /// Records a violation at the current location.
    pub(crate) fn violate(
        &mut self,
        kind: &'static str,
        msg: impl Into<Cow<'static, str>>,
        input: &Value,
        ctx: Option<Value>,
    ) {
        if self.found.len() < limits::VIOLATIONS {
            let input = if EchoBudget::new().admits(input) { input.clone() } else { Value::Null };
            self.found.push(Violation {
                kind: kind.into(),
                loc: self.path.clone(),
                msg: msg.into(),
                input,
                ctx,
            });
        }
    }

    /// Records that the tag of a union, the value of its field `type`, is not one of `names`.
    pub(crate) fn unknown_tag(&mut self, tag: &Value, names: &[&str], value: &Value) {
        let tag = tag.as_str().map_or_else(|| tag.to_string(), str::to_owned);
        let expected = one_of(names);
        let msg = format!("Input tag '{tag}' found using 'type' is none of the expected tags: {expected}");
        let ctx = json!({"discriminator": "'type'", "tag": tag, "expected_tags": expected});
        self.violate("union_tag_invalid", msg, value, Some(ctx));
    }

    /// Records that the value at the current location is missing.
    pub(crate) fn missing(&mut self, input: &Value) {
        self.violate("missing", "Field required", input, None);
    }

    /// Records that a field of `object` is missing.
    pub(crate) fn missing_in(&mut self, object: &Map<String, Value>) {
        let fits = EchoBudget::new().admits_object(object);
        self.missing(&if fits { Value::Object(object.clone()) } else { Value::Null });
    }

    /// Records the reason why the core refused the value at the current location.
    pub(crate) fn refuse(&mut self, refusal: InvalidValue, input: &Value) {
        let InvalidValue { kind, message, context } = refusal;
        let ctx = match context {
            Some((key, text)) => {
                let number = match key {
                    "gt" | "ge" | "lt" | "le" => text.parse::<Number>().ok(),
                    "error" | "reason" => None,
                    _ => text.parse::<i64>().ok().map(Number::from),
                };
                let value = number.map_or_else(|| Value::from(text), Value::from);
                Some(Value::Object(Map::from_iter([(key.to_owned(), value)])))
            }
            None if kind == "value_error" => Some(json!({"error": {}})),
            None => None,
        };
        self.violate(kind, message, input, ctx);
    }

    /// The parsed value. Nothing, with a violation recorded, if it is not valid.
    pub(crate) fn accept<T>(&mut self, parsed: Result<T, InvalidValue>, input: &Value) -> Option<T> {
        parsed.map_err(|refusal| self.refuse(refusal, input)).ok()
    }

    /// All violations.
    pub(crate) fn into_found(self) -> Vec<Violation> {
        self.found
    }

    /// Whether there is no violation.
    pub(crate) const fn is_clean(&self) -> bool {
        self.found.is_empty()
    }
}
impl From<&Loc> for String {
    fn from(loc: &Loc) -> Self {
        match loc {
            Loc::Key(key) => key.clone().into_owned(),
            Loc::Index(index) => index.to_string(),
        }
    }
}
