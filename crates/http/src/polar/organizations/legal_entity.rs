//! The legal entity of a new organization (docs/contracts/polar/organizations.md, 2.2).

use serde_json::{Value, json};
use tenantry_core::organization::LegalEntity;

use crate::limits;
use crate::wire::{Field, Validation, VisibleText, Wire, inline_schema, object_of};

const KINDS: &[&str] = &["individual", "company"];

/// A person or a company, as `type` says.
#[derive(Debug, Clone)]
pub(crate) struct LegalEntityObject(pub(super) LegalEntity);

impl Wire for LegalEntityObject {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        match object.get("type") {
            None => {
                let msg = "Unable to extract tag using discriminator 'type'";
                at.violate("union_tag_not_found", msg, value, Some(json!({"discriminator": "'type'"})));
                None
            }
            Some(Value::String(kind)) if kind == "individual" => Some(Self(LegalEntity::Individual)),
            Some(Value::String(kind)) if kind == "company" => {
                type Name = VisibleText<0, { limits::TEXT }>;
                let name = at.within("company", |at| Name::read_field(object, "registered_name", at))?;
                Some(Self(LegalEntity::Company { registered_name: name.0 }))
            }
            Some(other) => {
                at.unknown_tag(other, KINDS, value);
                None
            }
        }
    }
}

inline_schema! {
    LegalEntityObject => {
        "oneOf": [
            {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string", "const": "individual"}}
            },
            {
                "type": "object",
                "required": ["type", "registered_name"],
                "properties": {
                    "type": {"type": "string", "const": "company"},
                    "registered_name": {"type": "string"}
                }
            }
        ]
    },
}
