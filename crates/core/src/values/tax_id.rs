//! Tax identifiers of customers, with the type names that Stripe publishes.
//!
//! The billing country determines the types that are tried, in order (docs/contracts/polar/http.md, 1.13). In a
//! country without types every identifier is refused. Spaces, dots, hyphens and slashes are dropped and letters
//! are converted to upper case, so that one identifier has one spelling. Every type has a pattern; check digits
//! are verified where their rule is published and short. On the wire an identifier is `[value, type]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tax_id_formats::{self, Format};
use super::{Country, InvalidValue};

/// Maximum bytes of the input: more than any identifier with separators has.
const MAX_OCTETS: usize = 64;

/// A tax identifier and the type it was recognised as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TaxId {
    value: String,
    format: &'static str,
}

impl TaxId {
    /// Parses an identifier for the country of the billing address.
    pub fn parse(text: &str, country: Country) -> Result<Self, InvalidValue> {
        let value = compact(text).ok_or_else(|| refusal(country))?;
        let fits = |format: &&Format| format.accepts(&value, country.as_str());
        let format = tax_id_formats::of_country(country.as_str()).find(fits);
        let format = format.ok_or_else(|| refusal(country))?.name;
        Ok(Self { value, format })
    }

    /// The identifier in upper case without separators.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The type name, for example `eu_vat`.
    pub fn format(&self) -> &'static str {
        self.format
    }
}

impl Serialize for TaxId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        (&self.value, self.format).serialize(out)
    }
}

impl<'de> Deserialize<'de> for TaxId {
    /// A stored identifier is not validated again: a pattern may have changed since it was stored.
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let (value, name) = <(String, String)>::deserialize(input)?;
        let format = tax_id_formats::by_name(&name).ok_or_else(|| D::Error::custom("unknown tax id type"))?;
        Ok(Self { value, format })
    }
}

fn refusal(country: Country) -> InvalidValue {
    let message = format!("This is not a tax ID that can be used with a billing address in {country}.");
    InvalidValue { kind: "invalid", message, context: None }
}

/// The text in upper case without separators. None when it is empty or contains a character other than an
/// ASCII letter, a digit, `&` or `+`.
fn compact(text: &str) -> Option<String> {
    if text.len() > MAX_OCTETS {
        return None;
    }
    let value: String = text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-' | '/'))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'&' || b == b'+');
    (plain && !value.is_empty()).then_some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tax_id(text: &str, country: &str) -> Result<TaxId, InvalidValue> {
        TaxId::parse(text, Country::parse_stored(country).unwrap())
    }

    #[test]
    fn identifiers_are_recognized_by_country() {
        for (text, country, value, format) in [
            ("FR61954506077", "FR", "FR61954506077", "eu_vat"),
            ("fr 61 954 506 077", "FR", "FR61954506077", "eu_vat"),
            ("DE136695976", "DE", "DE136695976", "eu_vat"),
            ("IT 00743110157", "IT", "IT00743110157", "eu_vat"),
            ("BE0403.019.261", "BE", "BE0403019261", "eu_vat"),
            ("EL094259216", "GR", "EL094259216", "eu_vat"),
            ("IE6433435F", "IE", "IE6433435F", "eu_vat"),
            ("PL8567346215", "PL", "PL8567346215", "eu_vat"),
            ("PT501964843", "PT", "PT501964843", "eu_vat"),
            ("LU15027442", "LU", "LU15027442", "eu_vat"),
            ("NL004495445B01", "NL", "NL004495445B01", "eu_vat"),
            ("GB 980 7806 84", "GB", "GB980780684", "gb_vat"),
            ("XI110305878", "GB", "XI110305878", "eu_vat"),
            ("CHE-107.787.577 MWST", "CH", "CHE107787577MWST", "ch_vat"),
            ("995 525 828 MVA", "NO", "995525828MVA", "no_vat"),
            ("12-3456789", "US", "123456789", "us_ein"),
            ("123026635 RT0001", "CA", "123026635RT0001", "ca_gst_hst"),
            ("83 914 571 673", "AU", "83914571673", "au_abn"),
            ("16.727.230/0001-97", "BR", "16727230000197", "br_cnpj"),
            ("390.533.447-05", "BR", "39053344705", "br_cpf"),
            ("27AAPFU0939F1ZV", "IN", "27AAPFU0939F1ZV", "in_gst"),
            ("GODE561231GR8", "MX", "GODE561231GR8", "mx_rfc"),
            ("116-82-00276", "KR", "1168200276", "kr_brn"),
            ("5835678256246", "JP", "5835678256246", "jp_cn"),
            ("4123456789", "ZA", "4123456789", "za_vat"),
            ("M91234567X", "SG", "M91234567X", "sg_gst"),
        ] {
            let id = tax_id(text, country).unwrap_or_else(|e| panic!("{text} {country}: {e}"));
            assert_eq!((id.value(), id.format()), (value, format));
        }
    }

    #[test]
    fn invalid_identifiers_are_refused() {
        for (text, country) in [
            ("FR62954506077", "FR"),
            ("FR61954506077", "DE"),
            ("61954506077", "FR"),
            ("", "FR"),
            ("DE136695978", "DE"),
            ("IT00743110158", "IT"),
            ("PL8567346216", "PL"),
            ("83914571674", "AU"),
            ("16727230000198", "BR"),
            ("39053344706", "BR"),
            ("123456789", "AQ"),
            ("12345678é", "US"),
            ("GB980780685", "GB"),
            ("11111111111", "BR"),
        ] {
            assert_eq!(tax_id(text, country).expect_err(text).kind, "invalid", "{text}");
        }
    }

    #[test]
    fn an_identifier_is_serialized_as_value_and_type() {
        let id = tax_id("FR61954506077", "FR").unwrap();
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, r#"["FR61954506077","eu_vat"]"#);
        assert_eq!(serde_json::from_str::<TaxId>(&json).unwrap(), id);
        assert!(serde_json::from_str::<TaxId>(r#"["1","nope"]"#).is_err());
    }

    proptest! {
        #[test]
        fn separators_never_matter(
            digits in "[0-9]{9}",
            country in prop_oneof![Just("US"), Just("CA"), Just("FR")],
        ) {
            let spaced: String = digits.chars().flat_map(|c| [c, ' ']).collect();
            prop_assert_eq!(tax_id(&digits, country), tax_id(&spaced, country));
        }

        #[test]
        fn a_parsed_identifier_parses_to_itself(s in "\\PC{0,20}|[A-Z]{0,3}[0-9]{8,14}", i in 0usize..8) {
            let country = ["FR", "DE", "BR", "IT", "CH", "PL", "NL", "GB"][i];
            if let Ok(id) = tax_id(&s, country) {
                prop_assert_eq!(tax_id(id.value(), country).unwrap(), id);
            }
        }
    }
}
