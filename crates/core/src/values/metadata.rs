//! Metadata: a flat JSON object that an organization attaches to a customer.
//!
//! Limits and types follow docs/contracts/polar/http.md, 1.13; the list of violations follows 1.6. Values keep the
//! type they were sent with: `true` is not `"true"`, and `1.0` is not `1`. Callers cannot set keys that begin with
//! `__`; these are reserved for the server.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

use super::{InvalidValue, reject_nul};

/// Maximum number of keys.
const MAX_KEYS: usize = 50;
/// Maximum characters of a key.
const MAX_KEY_CHARS: usize = 40;
/// Maximum characters of a text value.
const MAX_TEXT_CHARS: usize = 500;
/// Exclusive limit of the absolute value of a number. The JSON parser turns an integer that does not fit into 64 bits
/// into a float without its last digits; the limit refuses it, so that no number is stored with other digits than sent.
const MAX_FLOAT: f64 = 1.8e19;
/// [`MAX_FLOAT`] as error texts show it.
const MAX_FLOAT_TEXT: &str = "1.8e19";

/// Path element for a violation of the key itself, as opposed to its value.
const KEY: &str = "[key]";
/// Path elements for the types that a value was tried as. Polar's clients know these names.
const TEXT: &str = "constrained-str";
const INTEGER: &str = "int";
const FLOAT: &str = "float";
const BOOLEAN: &str = "bool";

/// Up to 50 keys, each with a text, a number or a boolean, in the order given.
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
    /// `true` or `false`.
    Boolean(bool),
}

/// One violation in a metadata object, with the path to it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct InvalidMetadata {
    /// Empty for the object itself. Otherwise the key, then `[key]` for the key itself or the name of the type
    /// that the value was tried as.
    pub path: Vec<String>,
    /// The violation.
    pub refusal: InvalidValue,
}

impl Metadata {
    /// Validates an object that a caller sent. Reports the violations in the order of the keys. If there are too many
    /// keys, it validates only as many as are allowed, so that its work has a bound.
    pub fn check(object: &Map<String, Value>) -> Result<Self, Vec<InvalidMetadata>> {
        let mut refusals = Vec::new();
        for (key, value) in object.iter().take(MAX_KEYS) {
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

    /// Every key with its value, in the order given.
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

    /// The JSON object, for responses and for storage.
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

    /// The value as a text, as a filter in a query string writes it.
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

/// Whether a number was written without fraction and exponent. `1.0` and `1e3` were not.
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
        InvalidValue::value_error("keys that begin with two underscores are reserved for the server")
    } else {
        return None;
    };
    Some(InvalidMetadata { path: vec![key.to_owned(), KEY.to_owned()], refusal })
}

/// Tries a value as a text, an integer, a float and a boolean. When no type fits, reports one violation for
/// each of the four.
fn check_value(key: &str, value: &Value) -> Vec<InvalidMetadata> {
    let branches = match value {
        Value::Bool(_) => return Vec::new(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if is_integer(number) || float.abs() < MAX_FLOAT => return Vec::new(),
            float => out_of_range(float.is_some_and(f64::is_sign_negative)),
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

/// The violations of a number outside the accepted range, one for each of the four types.
fn out_of_range(is_negative: bool) -> [(&'static str, InvalidValue); 4] {
    let (integer, float) = if is_negative {
        let integer = format!("Input should be greater than or equal to {}", i64::MIN);
        let float = format!("Input should be greater than -{MAX_FLOAT_TEXT}");
        (
            InvalidValue::with("greater_than_equal", integer, "ge", i64::MIN.to_string()),
            InvalidValue::with("greater_than", float, "gt", format!("-{MAX_FLOAT_TEXT}")),
        )
    } else {
        let integer = format!("Input should be less than or equal to {}", u64::MAX);
        let float = format!("Input should be less than {MAX_FLOAT_TEXT}");
        (
            InvalidValue::with("less_than_equal", integer, "le", u64::MAX.to_string()),
            InvalidValue::with("less_than", float, "lt", MAX_FLOAT_TEXT.to_owned()),
        )
    };
    [
        (TEXT, plain("string_type", "Input should be a valid string")),
        (INTEGER, integer),
        (FLOAT, float),
        (BOOLEAN, plain("bool_type", "Input should be a valid boolean")),
    ]
}

/// The violations of an invalid text, one for each of the four types.
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

/// Too many keys. The context holds the number of keys; the limit is a constant of the kind, which the dialect
/// adds.
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
    fn types_and_order_are_kept() {
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
    fn at_most_50_keys_are_accepted() {
        let object = |n: usize| (0..n).map(|i| (format!("k{i}"), json!(i))).collect::<Map<_, _>>();
        assert_eq!(Metadata::check(&object(50)).unwrap().len(), 50);
        let refusals = Metadata::check(&object(51)).unwrap_err();
        assert_eq!(refusals.len(), 1);
        assert_eq!(refusals[0].path, Vec::<String>::new());
        assert_eq!(refusals[0].refusal.kind, "too_long");
        assert_eq!(refusals[0].refusal.context, Some(("actual_length", "51".to_owned())));
    }

    /// Otherwise a small body would cause work and memory for each of its keys.
    #[test]
    fn the_number_of_violations_has_a_bound() {
        let object = (0..80_000).map(|i| (i.to_string(), json!([]))).collect::<Map<_, _>>();
        assert_eq!(Metadata::check(&object).unwrap_err().len(), MAX_KEYS * 4);
    }

    #[test]
    fn an_invalid_key_is_named_in_the_path() {
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
    fn an_invalid_value_is_reported_for_each_of_four_types() {
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

    #[test]
    fn a_number_out_of_range_is_refused_with_the_limits() {
        for (number, integer, float) in [
            (
                json!(1e20),
                "Input should be less than or equal to 18446744073709551615",
                "Input should be less than 1.8e19",
            ),
            (
                json!(-1e20),
                "Input should be greater than or equal to -9223372036854775808",
                "Input should be greater than -1.8e19",
            ),
        ] {
            let Value::Object(object) = json!({"k": number}) else { panic!("not an object") };
            let violations = Metadata::check(&object).unwrap_err();
            let messages: Vec<&str> =
                violations.iter().map(|violation| violation.refusal.message.as_str()).collect();
            assert_eq!(
                messages,
                ["Input should be a valid string", integer, float, "Input should be a valid boolean"]
            );
        }
        assert!(check(json!({"k": 1.7e19, "i": u64::MAX, "n": i64::MIN})).is_ok());
    }

    proptest! {
        #[test]
        fn accepted_metadata_survives_storage(
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
