//! Short texts that people and their systems give.
//!
//! All kinds are trimmed; of a name or an external id, nothing but spaces means "no value"
//! (docs/contracts/polar/http.md, 1.13), so `parse` answers an option. Lengths are counted in characters.

use super::InvalidValue;

/// Characters of a name, spaces at the ends included: the bound is checked before trimming.
const NAME_MAX: usize = 256;
/// Characters of an external id after trimming. Tenantry's own bound: an index row has to hold it.
const EXTERNAL_ID_MAX: usize = 1024;

/// The name of a person or of a customer's business: 1..=256 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// Reads a name; a blank one is no name.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        reject_nul(text)?;
        if text.chars().nth(NAME_MAX).is_some() {
            return Err(InvalidValue::too_long(NAME_MAX));
        }
        let name = text.trim();
        Ok((!name.is_empty()).then(|| Self(name.to_owned())))
    }

    fn required(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)?.ok_or_else(|| InvalidValue::too_short(1))
    }

    /// The trimmed name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(PersonName, PersonName::required);

/// A merchant's own id of a customer or member: 1..=1024 characters, trimmed, case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

impl ExternalId {
    /// Reads an id; a blank one is no id.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        reject_nul(text)?;
        let id = text.trim();
        if id.chars().nth(EXTERNAL_ID_MAX).is_some() {
            return Err(InvalidValue::too_long(EXTERNAL_ID_MAX));
        }
        Ok((!id.is_empty()).then(|| Self(id.to_owned())))
    }

    fn required(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)?.ok_or_else(|| InvalidValue::too_short(1))
    }

    /// The trimmed id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(ExternalId, ExternalId::required);

/// Characters of a reason, spaces at the ends included.
const REASON_MAX: usize = 500;

/// Why an organization is suspended: 1..=500 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuspensionReason(String);

impl SuspensionReason {
    /// Reads a reason; a blank one is none.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        reject_nul(text)?;
        if text.chars().nth(REASON_MAX).is_some() {
            return Err(InvalidValue::too_long(REASON_MAX));
        }
        let reason = text.trim();
        if reason.is_empty() { Err(InvalidValue::too_short(1)) } else { Ok(Self(reason.to_owned())) }
    }

    /// The trimmed reason.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(SuspensionReason, SuspensionReason::parse);

/// Refuses a text with U+0000, which one of the two databases cannot store.
pub fn reject_nul(text: &str) -> Result<(), InvalidValue> {
    if text.contains('\0') {
        return Err(InvalidValue::value_error("This value contains invalid characters"));
    }
    Ok(())
}

/// A trimmed text, or nothing when it is blank.
pub(super) fn trimmed(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names() {
        assert_eq!(PersonName::parse("  Zoë 🚀  ").unwrap().unwrap().as_str(), "Zoë 🚀");
        assert_eq!(PersonName::parse("   ").unwrap(), None);
        assert!(PersonName::parse(&"é".repeat(256)).is_ok());
        assert_eq!(PersonName::parse(&" ".repeat(257)).unwrap_err().kind, "string_too_long");
        assert_eq!(
            PersonName::parse("a\0b").unwrap_err().message,
            "Value error, This value contains invalid characters"
        );
    }

    #[test]
    fn external_ids() {
        assert_eq!(ExternalId::parse("").unwrap(), None);
        assert_eq!(ExternalId::parse(" Cus_1 ").unwrap().unwrap().as_str(), "Cus_1");
        assert!(ExternalId::parse(&format!(" {} ", "x".repeat(1024))).is_ok());
        assert_eq!(ExternalId::parse(&"x".repeat(1025)).unwrap_err().kind, "string_too_long");
        assert!("  ".parse::<ExternalId>().is_err());
    }

    proptest! {
        #[test]
        fn stored_texts_read_back(s in "\\PC{0,30}") {
            if let Some(name) = PersonName::parse(&s).unwrap() {
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<PersonName>(&json).unwrap(), name);
            }
        }
    }
}
