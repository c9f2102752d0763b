//! Values as the dialect sends them (docs/contracts/polar/http.md, 1.13), and the body of a request.

use serde_json::Value;
use tenantry_core::values::{
    self, Address, AddressInput, Country, Currency, ExternalId, Locale, Metadata, PersonName,
};

use crate::wire::{Validation, Wire, inline_schema, object_of};

/// A name, trimmed. A blank one means none.
#[derive(Debug, Clone)]
pub(crate) struct NameText(pub(super) Option<PersonName>);

impl Wire for NameText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = string(value, at)?;
        at.accept(PersonName::parse(text), value).map(Self)
    }
}

/// An id in the organization's own system, trimmed. A blank one means none.
#[derive(Debug, Clone)]
pub(crate) struct ExternalIdText(pub(super) Option<ExternalId>);

impl Wire for ExternalIdText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = string(value, at)?;
        at.accept(ExternalId::parse(text), value).map(Self)
    }
}

/// A language tag of BCP 47.
#[derive(Debug, Clone)]
pub(crate) struct LocaleText(pub(super) Locale);

impl Wire for LocaleText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = string(value, at)?;
        at.accept(Locale::parse(text), value).map(Self)
    }
}

/// A tax number as sent.
#[derive(Debug, Clone)]
pub(crate) struct TaxIdText(pub(super) Option<String>);

impl Wire for TaxIdText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = String::read(value, at)?;
        let typed = text.trim();
        Some(Self((!typed.is_empty()).then(|| typed.to_owned())))
    }
}

/// A country, by ISO 3166-1 alpha-2.
#[derive(Debug, Clone)]
pub(crate) struct CountryText(pub(super) Country);

impl Wire for CountryText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let parsed = Country::parse_input(value.as_str().unwrap_or_default());
        at.accept(parsed, value).map(Self)
    }
}

/// A currency, by ISO 4217 in lower case.
#[derive(Debug, Clone)]
pub(crate) struct CurrencyText(pub(super) Currency);

impl Wire for CurrencyText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        at.accept(Currency::parse(value.as_str().unwrap_or_default()), value).map(Self)
    }
}

/// Metadata: a flat JSON object.
#[derive(Debug, Clone)]
pub(crate) struct MetadataObject(pub(super) Metadata);

impl Wire for MetadataObject {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let Some(object) = value.as_object() else {
            at.violate("dict_type", "Input should be a valid dictionary", value, None);
            return None;
        };
        match Metadata::check(object) {
            Ok(metadata) => Some(Self(metadata)),
            Err(refusals) => {
                for values::InvalidMetadata { path, refusal } in refusals {
                    let input = match path.split_first() {
                        None => value.clone(),
                        Some((key, rest)) if rest.first().is_some_and(|step| step == "[key]") => {
                            Value::from(key.as_str())
                        }
                        Some((key, _)) => object.get(key).cloned().unwrap_or_default(),
                    };
                    step_down(at, &path, |at| at.refuse(refusal, &input));
                }
                None
            }
        }
    }
}

fn step_down(at: &mut Validation, path: &[String], note: impl FnOnce(&mut Validation)) {
    match path.split_first() {
        None => note(at),
        Some((step, rest)) => at.within(step.clone(), |at| step_down(at, rest, note)),
    }
}

/// An address on invoices.
#[derive(Debug, Clone)]
pub(crate) struct AddressObject(pub(super) Address);

impl Wire for AddressObject {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        let mut line = |name: &'static str| match object.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(line) => at.within(name, |at| string(line, at)).map(Some),
        };
        let (line1, line2) = (line("line1"), line("line2"));
        let (postal_code, city, state) = (line("postal_code"), line("city"), line("state"));
        let country = match object.get("country") {
            None => {
                at.within("country", |at| at.missing(value));
                None
            }
            Some(country) => at.within("country", |at| string(country, at)),
        };
        let input = AddressInput {
            line1: line1?,
            line2: line2?,
            postal_code: postal_code?,
            city: city?,
            state: state?,
            country: country?,
        };
        match Address::parse(input) {
            Ok(address) => Some(Self(address)),
            Err(refusals) => {
                for values::InvalidAddress { field, refusal } in refusals {
                    match field {
                        None => at.refuse(refusal, value),
                        Some(field) => {
                            let sent = object.get(field).cloned().unwrap_or_default();
                            at.within(field, |at| at.refuse(refusal, &sent));
                        }
                    }
                }
                None
            }
        }
    }
}

/// A text that a parser of the core validates.
fn string<'a>(value: &'a Value, at: &mut Validation) -> Option<&'a str> {
    let text = value.as_str();
    if text.is_none() {
        at.violate("string_type", "Input should be a valid string", value, None);
    }
    text
}

inline_schema! {
    NameText => {"type": "string", "maxLength": 256},
    ExternalIdText => {"type": "string", "maxLength": 1024},
    LocaleText => {"type": "string"},
    TaxIdText => {"type": "string"},
    CountryText => {"type": "string", "minLength": 2, "maxLength": 2},
    CurrencyText => {"type": "string", "minLength": 3, "maxLength": 3},
    MetadataObject => {
        "type": "object",
        "maxProperties": 50,
        "additionalProperties": {"type": ["string", "integer", "number", "boolean"], "maxLength": 500}
    },
    AddressObject => {
        "type": "object",
        "required": ["country"],
        "properties": {
            "line1": {"type": ["string", "null"]},
            "line2": {"type": ["string", "null"]},
            "postal_code": {"type": ["string", "null"]},
            "city": {"type": ["string", "null"]},
            "state": {"type": ["string", "null"]},
            "country": {"type": "string", "minLength": 2, "maxLength": 2}
        }
    },
}
