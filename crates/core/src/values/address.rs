//! Billing addresses (docs/contracts/polar/http.md, 1.13).
//!
//! An address has six fields, serialized in a fixed order. A blank field counts as absent. In the United States
//! and Canada the state must be in a list and is stored with the country's prefix, for example `US-NY`. In
//! other countries it is free text.

use serde::{Deserialize, Serialize};

use super::text::trimmed;
use super::{Country, InvalidValue, reject_nul};

/// The 50 states of the United States and the federal district.
const US_STATES: [&str; 51] = [
    "AK", "AL", "AR", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "IA", "ID", "IL", "IN", "KS",
    "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV",
    "NY", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VT", "WA", "WI", "WV", "WY",
];
/// The provinces and territories of Canada.
const CA_SUBDIVISIONS: [&str; 13] =
    ["AB", "BC", "MB", "NB", "NL", "NS", "NT", "NU", "ON", "PE", "QC", "SK", "YT"];

/// The fields of an address as a caller sent them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddressInput<'a> {
    /// Street and number, or a box.
    pub line1: Option<&'a str>,
    /// Second line: floor, building, and similar.
    pub line2: Option<&'a str>,
    /// Postal or ZIP code.
    pub postal_code: Option<&'a str>,
    /// Town.
    pub city: Option<&'a str>,
    /// State, province or region.
    pub state: Option<&'a str>,
    /// ISO 3166-1 alpha-2 country code, in upper or lower case.
    pub country: &'a str,
}

/// One violation in an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct InvalidAddress {
    /// The invalid field; none when the address as a whole is invalid.
    pub field: Option<&'static str>,
    /// The violation.
    pub refusal: InvalidValue,
}

/// A billing address in a known country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    line1: Option<String>,
    line2: Option<String>,
    postal_code: Option<String>,
    city: Option<String>,
    state: Option<String>,
    country: Country,
}

impl Address {
    /// Parses the fields that a caller sent. Reports every violation, not only the first.
    pub fn parse(input: AddressInput<'_>) -> Result<Self, Vec<InvalidAddress>> {
        let AddressInput { line1, line2, postal_code, city, state, country } = input;
        let fields = [
            ("line1", line1),
            ("line2", line2),
            ("postal_code", postal_code),
            ("city", city),
            ("state", state),
        ];
        let mut refusals: Vec<InvalidAddress> = Vec::new();
        for (field, text) in fields {
            if let Some(Err(refusal)) = text.map(reject_nul) {
                refusals.push(InvalidAddress { field: Some(field), refusal });
            }
        }
        let country = Country::parse_input(&country.to_uppercase())
            .map_err(|refusal| refusals.push(InvalidAddress { field: Some("country"), refusal }));
        let (Ok(country), true) = (country, refusals.is_empty()) else { return Err(refusals) };
        let state = state_in(country, trimmed(state))
            .map_err(|refusal| vec![InvalidAddress { field: None, refusal }])?;
        Ok(Self {
            line1: trimmed(line1),
            line2: trimmed(line2),
            postal_code: trimmed(postal_code),
            city: trimmed(city),
            state,
            country,
        })
    }

    /// First line of the street address.
    pub fn line1(&self) -> Option<&str> {
        self.line1.as_deref()
    }

    /// Second line of the street address.
    pub fn line2(&self) -> Option<&str> {
        self.line2.as_deref()
    }

    /// Postal or ZIP code.
    pub fn postal_code(&self) -> Option<&str> {
        self.postal_code.as_deref()
    }

    /// Town.
    pub fn city(&self) -> Option<&str> {
        self.city.as_deref()
    }

    /// State, province or region. In the United States and Canada with the prefix `US-` or `CA-`.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Country.
    pub fn country(&self) -> Country {
        self.country
    }
}

/// Validates the state and adds the country's prefix in the United States and Canada. Elsewhere returns it
/// unchanged.
fn state_in(country: Country, state: Option<String>) -> Result<Option<String>, InvalidValue> {
    let Some(state) = state else { return Ok(None) };
    let (known, prefix, what): (&[&str], _, _) = match country.as_str() {
        "US" => (&US_STATES, "US-", "this is not a state of the US"),
        "CA" => (&CA_SUBDIVISIONS, "CA-", "this is not a province or territory of Canada"),
        _ => return Ok(Some(state)),
    };
    let code = state.strip_prefix(prefix).unwrap_or(&state);
    if !known.contains(&code) {
        return Err(InvalidValue::value_error(what));
    }
    Ok(Some(format!("{prefix}{code}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(country: &str, state: Option<&str>) -> Result<Option<String>, Vec<InvalidAddress>> {
        Address::parse(AddressInput { country, state, ..AddressInput::default() }).map(|a| a.state)
    }

    #[test]
    fn serialization_writes_six_fields_in_order() {
        let input = AddressInput {
            line1: Some(" 1 rue X "),
            line2: Some("  "),
            postal_code: Some("75001"),
            city: Some("Paris"),
            state: None,
            country: "fr",
        };
        let address = Address::parse(input).unwrap();
        let json = concat!(
            r#"{"line1":"1 rue X","line2":null,"postal_code":"75001","#,
            r#""city":"Paris","state":null,"country":"FR"}"#
        );
        assert_eq!(serde_json::to_string(&address).unwrap(), json);
        assert_eq!(serde_json::from_str::<Address>(json).unwrap(), address);
    }

    #[test]
    fn states_of_two_countries_are_validated_and_get_a_prefix() {
        assert_eq!(at("us", Some("NY")).unwrap().as_deref(), Some("US-NY"));
        assert_eq!(at("US", Some("US-DC")).unwrap().as_deref(), Some("US-DC"));
        assert_eq!(at("CA", Some("CA-QC")).unwrap().as_deref(), Some("CA-QC"));
        assert_eq!(at("CA", Some("ON")).unwrap().as_deref(), Some("CA-ON"));
        assert_eq!(at("DE", Some("Bayern")).unwrap().as_deref(), Some("Bayern"));
        assert_eq!(at("US", Some(" ")).unwrap(), None);
        for (country, state) in
            [("US", "ca"), ("US", "PR"), ("CA", "CA-CA"), ("US", "US-US-NY"), ("US", "CA-QC")]
        {
            let refusals = at(country, Some(state)).expect_err(state);
            assert_eq!((refusals[0].field, refusals[0].refusal.kind), (None, "value_error"));
        }
    }

    #[test]
    fn a_violation_names_its_field() {
        assert_eq!(at("RU", None).unwrap_err()[0].field, Some("country"));
        let input = AddressInput { line1: Some("a\0"), country: "ZZ", ..AddressInput::default() };
        let fields: Vec<_> = Address::parse(input).unwrap_err().into_iter().map(|r| r.field).collect();
        assert_eq!(fields, [Some("line1"), Some("country")]);
    }
}
