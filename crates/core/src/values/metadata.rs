//! Metadata: the small flat object a merchant attaches to a record.
//!
//! Rules: docs/contracts/polar/http.md, 1.13 and, for the list of violations, 1.6. Types are kept as sent:
//! `true` is not `"true"`, `1.0` is not `1`, and an integer of any size keeps its digits as far as the
//! JSON reader did. Keys that begin with `__` are the server's own: callers cannot set them, so none
//! can be mistaken for state. Callers: customer create and update; the store, on reading.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::{InvalidValue, reject_nul};

const MAX_KEYS: usize = 50;
const MAX_KEY_CHARS: usize = 40;
const MAX_TEXT_CHARS: usize = 500;

/// The part of a path that names a key itself, not its value.
const KEY: &str = "[key]";
/// The parts of a path that name the branches a value was tried against.
const TEXT: &str = "constrained-str";
const INTEGER: &str = "int";
const FLOAT: &str = "float";
const BOOLEAN: &str = "bool";

/// Up to 50 keys with a plain value each, in the order given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(Map<String, Value>);

/// One value of a metadata object.
#[derive(Debug, Clone, PartialEq)]
pub enum MetadataValue {
    /// 1..=500 characters without U+0000.
    Text(String),
    /// A whole number written without fraction or exponent.
    Integer(Number),
    /// A finite number written with a fraction or an exponent.
    Float(f64),
    /// Truth.
    Boolean(bool),
}

/// One violation in a metadata object and where it is, from the object inwards.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct InvalidMetadata {
    /// Empty for the object itself; otherwise the key and what about it is wrong.
    pub path: Vec<String>,
    /// What is wrong.
    pub refusal: InvalidValue,
}

impl Metadata {
    /// Checks what a caller sent. Every violation is reported, in the order of the keys.
    pub fn check(object: &Map<String, Value>) -> Result<Self, Vec<InvalidMetadata>> {
        let mut refusals = Vec::new();
        for (key, value) in object {
            refusals.extend(check_key(key));
            refusals.extend(check_value(key, value));
        }
        if refusals.is_empty() && object.len() > MAX_KEYS {
            refusals.push(InvalidMetadata { path: Vec::new(), refusal: too_many(object.len()) });
        }
        if refusals.is_empty() { Ok(Self(object.clone())) } else { Err(refusals) }
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<MetadataValue> {
        self.0.get(key).and_then(MetadataValue::of)
    }

    /// Every key with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, MetadataValue)> {
        self.0.iter().filter_map(|(key, value)| Some((key.as_str(), MetadataValue::of(value)?)))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The plain object, for answers and for storing.
    pub fn as_object(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl MetadataValue {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(truth) => Some(Self::Boolean(*truth)),
            Value::Number(number) if is_integer(number) => Some(Self::Integer(number.clone())),
            Value::Number(number) => number.as_f64().map(Self::Float),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// The value as text, the way a filter in a query string writes it.
    pub fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => Number::from_f64(*number).map_or_else(String::new, |n| n.to_string()),
            Self::Boolean(truth) => truth.to_string(),
        }
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let object = Map::deserialize(input)?;
        Self::check(&object).map_err(|refusals| {
            let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
            serde::de::Error::custom(texts.join("; "))
        })
    }
}

/// Whether a number was written as a whole one; `1.0` and `1e3` were not.
fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}

fn check_key(key: &str) -> Option<InvalidMetadata> {
    let refusal = if key.is_empty() {
        InvalidValue::too_short(1)
    } else if key.chars().nth(MAX_KEY_CHARS).is_some() {
        InvalidValue::too_long(MAX_KEY_CHARS)
    } else if let Err(refusal) = reject_nul(key) {
        refusal
    } else if key.starts_with("__") {
        InvalidValue::value_error("keys that begin with two underscores are kept for the server")
    } else {
        return None;
    };
    Some(InvalidMetadata { path: vec![key.to_owned(), KEY.to_owned()], refusal })
}

/// A value is tried as text, integer, float and boolean; when none fits, each says why.
fn check_value(key: &str, value: &Value) -> Vec<InvalidMetadata> {
    let branches = match value {
        Value::Bool(_) => return Vec::new(),
        Value::Number(number) => match number.as_f64() {
            // A whole number past 64 bits has lost its digits when it arrives here.
            Some(float) if is_integer(number) || float.abs() < 1.8e19 => return Vec::new(),
            _ => not_finite(),
        },
        Value::String(text) => match check_text(text) {
            Ok(()) => return Vec::new(),
            Err(refusal) => text_branches(refusal),
        },
        Value::Null | Value::Array(_) | Value::Object(_) => [
            (TEXT, plain("string_type", "Input should be a valid string")),
            (INTEGER, plain("int_type", "Input should be a valid integer")),
            (FLOAT, plain("float_type", "Input should be a valid number")),
            (BOOLEAN, plain("bool_type", "Input should be a valid boolean")),
        ],
    };
    let at = |branch: &str| vec![key.to_owned(), branch.to_owned()];
    branches.into_iter().map(|(branch, refusal)| InvalidMetadata { path: at(branch), refusal }).collect()
}

fn check_text(text: &str) -> Result<(), InvalidValue> {
    reject_nul(text)?;
    if text.is_empty() {
        return Err(InvalidValue::too_short(1));
    }
    if text.chars().nth(MAX_TEXT_CHARS).is_some() {
        return Err(InvalidValue::too_long(MAX_TEXT_CHARS));
    }
    Ok(())
}

fn not_finite() -> [(&'static str, InvalidValue); 4] {
    [
        (TEXT, plain("string_type", "Input should be a valid string")),
        (INTEGER, plain("finite_number", "Input should be a finite number")),
        (FLOAT, plain("finite_number", "Input should be a finite number")),
        (BOOLEAN, plain("bool_type", "Input should be a valid boolean")),
    ]
}

/// A refused text, and why it is none of the other three either.
fn text_branches(refusal: InvalidValue) -> [(&'static str, InvalidValue); 4] {
    let integer = "Input should be a valid integer, unable to parse string as an integer";
    [
        (TEXT, refusal),
        (INTEGER, plain("int_parsing", integer)),
        (FLOAT, plain("float_parsing", "Input should be a valid number, unable to parse string as a number")),
        (BOOLEAN, plain("bool_parsing", "Input should be a valid boolean, unable to interpret input")),
    ]
}

fn plain(kind: &'static str, message: &str) -> InvalidValue {
    InvalidValue { kind, message: message.to_owned(), context: None }
}

/// The context carries the count found; the bound and the noun are constants of the kind.
fn too_many(count: usize) -> InvalidValue {
    let message = format!("Dictionary should have at most {MAX_KEYS} items after validation, not {count}");
    InvalidValue::with("too_long", message, "actual_length", count.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(value: Value) -> Result<Metadata, Vec<(String, &'static str)>> {
        let Value::Object(object) = value else { panic!("not an object") };
        Metadata::check(&object)
            .map_err(|refusals| refusals.into_iter().map(|r| (r.path.join("/"), r.refusal.kind)).collect())
    }

    fn pairs(list: &[(&str, &'static str)]) -> Vec<(String, &'static str)> {
        list.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect()
    }

    #[test]
    fn keeps_types_and_order() {
        let text = r#"{"z":1.0,"a":18446744073709551615,"t":true,"s":"true","n":-5,"e":1e3}"#;
        let object: Metadata = serde_json::from_str(text).unwrap();
        assert_eq!(
            serde_json::to_string(&object).unwrap(),
            r#"{"z":1.0,"a":18446744073709551615,"t":true,"s":"true","n":-5,"e":1000.0}"#
        );
        assert_eq!(object.get("z"), Some(MetadataValue::Float(1.0)));
        assert_eq!(object.get("n"), Some(MetadataValue::Integer((-5).into())));
        assert_eq!(object.get("z").unwrap().to_text(), "1.0");
        assert_eq!(object.iter().map(|(key, _)| key).collect::<String>(), "zatsne");
    }

    #[test]
    fn counts_keys() {
        let object = |n: usize| (0..n).map(|i| (format!("k{i}"), json!(i))).collect::<Map<_, _>>();
        assert_eq!(Metadata::check(&object(50)).unwrap().len(), 50);
        let refusals = Metadata::check(&object(51)).unwrap_err();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].path, Vec::<String>::new());
        assert_eq!(refusals[0].refusal.kind, "too_long");
        assert_eq!(refusals[0].refusal.context, Some(("actual_length", "51".to_owned())));
    }

    #[test]
    fn names_the_bad_key() {
        let long = "k".repeat(41);
        assert_eq!(check(json!({ &long: 1 })), Err(vec![(format!("{long}/[key]"), "string_too_long")]));
        assert_eq!(check(json!({"": 1})), Err(pairs(&[("/[key]", "string_too_short")])));
        assert_eq!(
            check(json!({"__external_id": "x"})),
            Err(pairs(&[("__external_id/[key]", "value_error")]))
        );
        assert!(check(json!({"_x": 1, "é".repeat(40): 2})).is_ok());
    }

    #[test]
    fn tries_four_branches() {
        for bad in [json!(null), json!([]), json!({})] {
            let expected = [
                ("k/constrained-str", "string_type"),
                ("k/int", "int_type"),
                ("k/float", "float_type"),
                ("k/bool", "bool_type"),
            ];
            assert_eq!(check(json!({"k": bad})), Err(pairs(&expected)));
        }
        let expected = [
            ("k/constrained-str", "string_too_short"),
            ("k/int", "int_parsing"),
            ("k/float", "float_parsing"),
            ("k/bool", "bool_parsing"),
        ];
        assert_eq!(check(json!({"k": ""})), Err(pairs(&expected)));
        assert_eq!(check(json!({"k": "x".repeat(501)})).unwrap_err()[0].1, "string_too_long");
        assert_eq!(check(json!({"k": "a\0"})).unwrap_err()[0].1, "value_error");
        assert!(check(json!({"k": "é".repeat(500)})).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_accepted_reads_back(
            entries in proptest::collection::vec(("\\PC{0,6}", prop_oneof![
                any::<i32>().prop_map(|n| json!(f64::from(n) / 8.0)), any::<i64>().prop_map(|i| json!(i)),
                any::<bool>().prop_map(|b| json!(b)), "\\PC{0,9}".prop_map(|s| json!(s)),
            ]), 0..6)
        ) {
            let object: Map<String, Value> = entries.into_iter().collect();
            if let Ok(metadata) = Metadata::check(&object) {
                let stored = serde_json::to_string(&metadata).unwrap();
                let again: Metadata = serde_json::from_str(&stored).unwrap();
                prop_assert_eq!(serde_json::to_string(&again).unwrap(), stored);
            }
        }
    }
}
