//! The fields of two JSON objects that differ. The texts of fields are compared, not their values, which would cost
//! more than the rest of an audit entry. So the texts must come from the same type.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// The fields of a JSON object as texts, in their order. A name has its quotes.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Vec<(&'de str, &'de str)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((name, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            fields.push((name.get(), value.get()));
        }
        Ok(fields)
    }
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }
}

/// The text of an object that grows.
struct Object(String);

impl Object {
    fn push(&mut self, name: &str, value: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.extend([name, ":", value]);
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The objects `before` and `after` without the fields that are equal, also within objects.
pub(super) fn changed_fields(before: &str, after: &str) -> serde_json::Result<(String, String)> {
    let (before, after): (Fields<'_>, Fields<'_>) =
        (serde_json::from_str(before)?, serde_json::from_str(after)?);
    let (mut old, mut new) = (Object("{".to_owned()), Object("{".to_owned()));
    for (name, value) in &before.0 {
        match after.get(name) {
            None => old.push(name, value),
            Some(other) if other == *value => {}
            Some(other) if value.starts_with('{') && other.starts_with('{') => {
                let (inner_old, inner_new) = changed_fields(value, other)?;
                // The same fields in another order are no change.
                if inner_old != inner_new {
                    old.push(name, &inner_old);
                    new.push(name, &inner_new);
                }
            }
            Some(other) => {
                old.push(name, value);
                new.push(name, other);
            }
        }
    }
    for (name, value) in after.0.iter().filter(|(name, _)| before.get(name).is_none()) {
        new.push(name, value);
    }
    Ok((old.finish(), new.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fields_that_differ_are_left() {
        let changed = |before, after| changed_fields(before, after).unwrap();
        let before = r#"{"id":1,"name":"a\"","metadata":{"x":1,"y":2},"tax_id":null,"gone":[1]}"#;
        let after = r#"{"id":1,"name":"b","metadata":{"x":1,"y":3,"z":4},"tax_id":null,"new\"":{}}"#;
        let (old, new) = changed(before, after);
        assert_eq!(old, r#"{"name":"a\"","metadata":{"y":2},"gone":[1]}"#);
        assert_eq!(new, r#"{"name":"b","metadata":{"y":3,"z":4},"new\"":{}}"#);
        assert_eq!(changed(before, before), ("{}".to_owned(), "{}".to_owned()));
        assert_eq!(changed(r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2,"b":1}}"#).1, "{}");
        assert_eq!(changed(r#"{"a":{"b":1}}"#, r#"{"a":null}"#).1, r#"{"a":null}"#);
        assert!(changed_fields("[]", "{}").is_err());
    }
}
