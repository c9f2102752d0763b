//! Scalars and lists, as they are read from JSON.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use tenantry_core::values::{EmailAddress, HttpUrl, check_name, one_of, parse_uuid, parse_uuid4, reject_nul};
use uuid::Uuid;

use super::{Validation, Wire};
use crate::limits;

/// Implements `JsonSchema` with a schema that is inlined where the type is used, not referenced by name.
macro_rules! inline_schema {
    ($($type:ty => $schema:tt),+ $(,)?) => {$(
        impl schemars::JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    )+};
}

pub(crate) use inline_schema;

fn text<'a>(value: &'a Value, at: &mut Validation) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        at.violate("string_type", "Input should be a valid string", value, None);
    }
    text
}

impl Wire for String {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        BoundedText::<0, { limits::TEXT }>::read(value, at).map(|text| text.0)
    }
}

/// Free text.
pub(crate) type PlainText = String;

/// Text of `MIN` to `MAX` characters; 0 as `MAX` means no bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BoundedText<const MIN: usize, const MAX: usize>(pub(crate) String);

impl<const MIN: usize, const MAX: usize> Wire for BoundedText<MIN, MAX> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = text(value, at)?;
        let length = text.chars().count();
        let unit = |bound: usize| if bound == 1 { "character" } else { "characters" };
        if length < MIN {
            let msg = format!("String should have at least {MIN} {}", unit(MIN));
            at.violate("string_too_short", msg, value, Some(json!({"min_length": MIN})));
            return None;
        }
        if MAX > 0 && length > MAX {
            let msg = format!("String should have at most {MAX} {}", unit(MAX));
            at.violate("string_too_long", msg, value, Some(json!({"max_length": MAX})));
            return None;
        }
        at.accept(reject_nul(text), value)?;
        Some(Self(text.to_owned()))
    }
}

impl<const MIN: usize, const MAX: usize> JsonSchema for BoundedText<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BoundedText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        if MAX > 0 {
            json_schema!({"type": "string", "minLength": MIN, "maxLength": MAX})
        } else {
            json_schema!({"type": "string", "minLength": MIN})
        }
    }
}

/// A name: text of `MIN` to `MAX` characters without invisible characters ([`check_name`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VisibleText<const MIN: usize, const MAX: usize>(pub(crate) String);

impl<const MIN: usize, const MAX: usize> Wire for VisibleText<MIN, MAX> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let BoundedText(text) = BoundedText::<MIN, MAX>::read(value, at)?;
        at.accept(check_name(&text), value)?;
        Some(Self(text))
    }
}

impl<const MIN: usize, const MAX: usize> JsonSchema for VisibleText<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        BoundedText::<MIN, MAX>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // Without a minimum the type stands for free text, whose limit is not in the published documents.
        if MIN == 0 {
            String::json_schema(generator)
        } else {
            BoundedText::<MIN, MAX>::json_schema(generator)
        }
    }
}

/// A UUID of version 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Uuid4(pub(crate) Uuid);

impl Wire for Uuid4 {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = uuid_text(value, at)?;
        at.accept(parse_uuid4(text), value).map(Self)
    }
}

inline_schema! { Uuid4 => {"type": "string", "format": "uuid4"} }

/// A UUID of any version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AnyUuid(pub(crate) Uuid);

impl Wire for AnyUuid {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = uuid_text(value, at)?;
        at.accept(parse_uuid(text), value).map(Self)
    }
}

inline_schema! { AnyUuid => {"type": "string", "format": "uuid"} }

fn uuid_text<'a>(value: &'a Value, at: &mut Validation) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        at.violate("uuid_type", "UUID input should be a string, bytes or UUID object", value, None);
    }
    text
}

/// An e-mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(pub(crate) EmailAddress);

impl Wire for Email {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = text(value, at)?;
        at.accept(EmailAddress::parse(text), value).map(Self)
    }
}

inline_schema! { Email => {"type": "string", "format": "email"} }

/// An `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpUrlText(pub(crate) HttpUrl);

impl Wire for HttpUrlText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let Some(text) = value.as_str() else {
            at.violate("url_type", "URL input should be a string or URL", value, None);
            return None;
        };
        at.accept(HttpUrl::parse(text), value).map(Self)
    }
}

inline_schema! { HttpUrlText => {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083} }

/// The boolean that a text stands for.
fn read_bool(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "t" | "y" => Some(true),
        "false" | "0" | "no" | "off" | "f" | "n" => Some(false),
        _ => None,
    }
}

impl Wire for bool {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let read = match value {
            Value::Bool(value) => Some(*value),
            Value::String(text) => read_bool(text),
            Value::Number(number) if number.as_f64() == Some(0.0) => Some(false),
            Value::Number(number) if number.as_f64() == Some(1.0) => Some(true),
            Value::Number(_) => None,
            Value::Null | Value::Array(_) | Value::Object(_) => {
                at.violate("bool_type", "Input should be a valid boolean", value, None);
                return None;
            }
        };
        if read.is_none() {
            let msg = "Input should be a valid boolean, unable to interpret input";
            at.violate("bool_parsing", msg, value, None);
        }
        read
    }
}

/// Parses a whole number. A fraction of zeros is accepted: `1`, `1.0`.
fn read_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => whole,
        Some(_) => return None,
        None => text,
    };
    whole.parse().ok()
}

impl Wire for i64 {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        match value {
            Value::Number(number) => {
                // Up to 2^53 a float holds every whole number exactly.
                let whole = |float: f64| float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0;
                let float = number.as_f64().filter(|float| whole(*float));
                let integer =
                    number.as_i64().or_else(|| float.and_then(|float| read_integer(&format!("{float:.0}"))));
                if integer.is_none()
                    && number.is_f64()
                    && number.as_f64().is_some_and(|float| float.fract() != 0.0)
                {
                    let msg = "Input should be a valid integer, got a number with a fractional part";
                    at.violate("int_from_float", msg, value, None);
                } else if integer.is_none() {
                    at.violate(
                        "int_parsing_size",
                        "Unable to parse input string as an integer, exceeded maximum size",
                        value,
                        None,
                    );
                }
                integer
            }
            Value::String(text) => {
                let integer = read_integer(text);
                if integer.is_none() {
                    let msg = "Input should be a valid integer, unable to parse string as an integer";
                    at.violate("int_parsing", msg, value, None);
                }
                integer
            }
            Value::Bool(value) => Some(Self::from(*value)),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                at.violate("int_type", "Input should be a valid integer", value, None);
                None
            }
        }
    }
}

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between<const MIN: i64, const MAX: i64>(pub(crate) i64);

impl<const MIN: i64, const MAX: i64> Wire for Between<MIN, MAX> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let number = i64::read(value, at)?;
        if number < MIN {
            let msg = format!("Input should be greater than or equal to {MIN}");
            at.violate("greater_than_equal", msg, value, Some(json!({"ge": MIN})));
            return None;
        }
        if number > MAX {
            let msg = format!("Input should be less than or equal to {MAX}");
            at.violate("less_than_equal", msg, value, Some(json!({"le": MAX})));
            return None;
        }
        Some(Self(number))
    }
}

impl<const MIN: i64, const MAX: i64> JsonSchema for Between<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Between".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// A scalar that must have its own JSON type: a number or boolean inside a string is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strict<T>(pub(crate) T);

impl Wire for Strict<bool> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let read = value.as_bool();
        if read.is_none() {
            at.violate("bool_type", "Input should be a valid boolean", value, None);
        }
        read.map(Self)
    }
}

impl<const MIN: i64, const MAX: i64> Wire for Strict<Between<MIN, MAX>> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        if value.is_number() {
            return Between::read(value, at).map(Self);
        }
        at.violate("int_type", "Input should be a valid integer", value, None);
        None
    }
}

impl<T: JsonSchema> JsonSchema for Strict<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

/// A list of at most `MAX` elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

impl<T: Wire, const MAX: usize> Wire for List<T, MAX> {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let Some(values) = value.as_array() else {
            at.violate("list_type", "Input should be a valid list", value, None);
            return None;
        };
        let length = values.len();
        if length > MAX {
            let msg = format!("List should have at most {MAX} items after validation, not {length}");
            let ctx = json!({"field_type": "List", "max_length": MAX, "actual_length": length});
            at.violate("too_long", msg, value, Some(ctx));
            return None;
        }
        let read = values.iter().enumerate().map(|(index, value)| at.within(index, |at| T::read(value, at)));
        let read: Vec<Option<T>> = read.collect();
        read.into_iter().collect::<Option<Vec<T>>>().map(Self)
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for List<T, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "List".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<T>();
        json_schema!({"type": "array", "items": items, "maxItems": MAX})
    }
}

/// Reads a value by its name. `kind` is the violation's type for a name that is not one of `names`.
pub(crate) fn choice<T>(
    kind: &'static str,
    names: &[&str],
    from_name: impl FnOnce(&str) -> Option<T>,
    value: &Value,
    at: &mut Validation,
) -> Option<T> {
    let chosen = value.as_str().and_then(from_name);
    if chosen.is_none() {
        let expected = one_of(names);
        let ctx = json!({"expected": expected});
        at.violate(kind, format!("Input should be {expected}"), value, Some(ctx));
    }
    chosen
}

/// Declares a wire type whose value is one name of a list.
macro_rules! name_list {
    ($(#[$doc:meta])* $name:ident($inner:ty) as $kind:literal of $names:expr, by $from_name:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(crate) struct $name(pub(crate) $inner);

        impl $crate::wire::Wire for $name {
            fn read(value: &serde_json::Value, at: &mut $crate::wire::Validation) -> Option<Self> {
                $crate::wire::choice($kind, $names, $from_name, value, at).map(Self)
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let names: &[&str] = $names;
                schemars::json_schema!({"type": "string", "enum": names})
            }
        }
    };
}

pub(crate) use name_list;
