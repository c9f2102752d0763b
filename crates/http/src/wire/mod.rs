//! Reads what a client sent. It collects every violation with its location, and returns no value while there is one.
//! Both dialects use it and render the violations in their own shape.
//!
//! The kinds, locations and most texts of violations are those of docs/contracts/polar/http.md, 1.6.

mod json;
mod object;
mod rotation;
mod scalars;
mod violation;

pub(crate) use json::{Body, read_json, to_utf8};
pub(crate) use object::{Optional, object_of, wire_object};
pub(crate) use rotation::{PreviousSecretView, Time, TokenRevocation, TokenRotate};
pub(crate) use scalars::{
    AnyUuid, Between, BoundedText, Email, HttpUrlText, List, PlainText, Strict, Uuid4, VisibleText, choice,
    inline_schema, name_list,
};
pub(crate) use violation::{Validation, Violation};

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};
use tenantry_core::Patch;

/// A type that is read from a JSON value.
pub(crate) trait Wire: Sized {
    /// Reads `value`. Records a violation at `at` if it is not valid.
    fn read(value: &Value, at: &mut Validation) -> Option<Self>;
}

/// A field of a JSON object: required, optional or three-state, as its type says.
pub(crate) trait Field: Sized {
    /// Reads the field `name` of `object`.
    fn read_field(object: &Map<String, Value>, name: &'static str, at: &mut Validation) -> Option<Self>;
}

impl<T: Wire> Field for T {
    fn read_field(object: &Map<String, Value>, name: &'static str, at: &mut Validation) -> Option<Self> {
        match object.get(name) {
            Some(value) => at.within(name, |at| T::read(value, at)),
            None => {
                at.within(name, |at| at.missing_in(object));
                None
            }
        }
    }
}

/// Absent and `null` both mean no value.
impl<T: Wire> Field for Option<T> {
    fn read_field(object: &Map<String, Value>, name: &'static str, at: &mut Validation) -> Option<Self> {
        match object.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => at.within(name, |at| T::read(value, at)).map(Some),
        }
    }
}

/// Absent, `null` and a value are three states.
#[derive(Debug, Clone)]
pub(crate) struct PatchField<T>(pub(crate) Patch<T>);

impl<T: Wire> Field for PatchField<T> {
    fn read_field(object: &Map<String, Value>, name: &'static str, at: &mut Validation) -> Option<Self> {
        match object.get(name) {
            None => Some(Self(Patch::Absent)),
            Some(Value::Null) => Some(Self(Patch::Null)),
            Some(value) => at.within(name, |at| T::read(value, at)).map(Patch::Value).map(Self),
        }
    }
}

impl<T: JsonSchema> JsonSchema for PatchField<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        <Option<T>>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Option<T>>::json_schema(generator)
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}
