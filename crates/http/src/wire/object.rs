//! JSON objects as types: each field is declared once, and every field is read before any is used.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::{Field, Validation, Wire};

/// A field that may be absent but not `null`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Optional<T>(pub(crate) Option<T>);

impl<T: Wire> Field for Optional<T> {
    fn read_field(object: &Map<String, Value>, name: &'static str, at: &mut Validation) -> Option<Self> {
        match object.get(name) {
            None => Some(Self(None)),
            Some(value) => at.within(name, |at| T::read(value, at)).map(|value| Self(Some(value))),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}

/// The object that a type is read from.
pub(crate) fn object_of<'a>(value: &'a Value, at: &mut Validation) -> Option<&'a Map<String, Value>> {
    let object = value.as_object();
    if object.is_none() {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        at.violate("model_attributes_type", msg, value, None);
    }
    object
}

/// Declares a type that is read from a JSON object. Unknown fields are ignored.
macro_rules! wire_object {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        #[derive(Debug, Clone, schemars::JsonSchema)]
        $(#[$doc])*
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type),+
        }

        impl $crate::wire::Wire for $name {
            fn read(value: &serde_json::Value, at: &mut $crate::wire::Validation) -> Option<Self> {
                let object = $crate::wire::object_of(value, at)?;
                $(let $field = <$type as $crate::wire::Field>::read_field(object, stringify!($field), at);)+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
}

pub(crate) use wire_object;
