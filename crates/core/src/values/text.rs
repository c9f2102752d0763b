//! Short texts: names of people, external ids, reasons of a suspension.
//!
//! Every text is trimmed. A blank name or external id means "no value"
//! (docs/contracts/polar/http.md, 1.13), so their `parse` returns an option. Lengths count characters.

use super::{InvalidValue, check_name};

/// Maximum characters of a name. The limit applies before trimming, so surrounding spaces count.
const NAME_MAX: usize = 256;
/// Maximum characters of an external id after trimming. Tenantry's own limit: an id must fit into an index row.
const EXTERNAL_ID_MAX: usize = 1024;

/// The name of a person or of a customer: 1..=256 characters, trimmed, see [`check_name`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonName(String);

impl PersonName {
    /// Parses a name in a request. A blank text is no name.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        let name = Self::parse_stored(text)?;
        name.as_ref().map_or(Ok(()), |name| check_name(name.as_str()))?;
        Ok(name)
    }

    /// Parses a stored name. The rule for characters does not apply: it may be stricter than when the name was stored.
    pub fn parse_stored(text: &str) -> Result<Option<Self>, InvalidValue> {
        reject_nul(text)?;
        if text.chars().nth(NAME_MAX).is_some() {
            return Err(InvalidValue::too_long(NAME_MAX));
        }
        let name = text.trim();
        Ok((!name.is_empty()).then(|| Self(name.to_owned())))
    }

    fn required(text: &str) -> Result<Self, InvalidValue> {
        Self::parse_stored(text)?.ok_or_else(|| InvalidValue::too_short(1))
    }

    /// The name, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(PersonName, PersonName::required);

/// The id of a customer or member in the organization's own system: 1..=1024 characters, trimmed,
/// case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExternalId(String);

impl ExternalId {
    /// The form in which an id is stored: trimmed. Every look-up compares this form, so that an id is found in each
    /// spelling in which a write accepts it.
    pub fn key(text: &str) -> &str {
        text.trim()
    }

    /// Parses an id. A blank text is no id.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidValue> {
        reject_nul(text)?;
        let id = Self::key(text);
        if id.chars().nth(EXTERNAL_ID_MAX).is_some() {
            return Err(InvalidValue::too_long(EXTERNAL_ID_MAX));
        }
        Ok((!id.is_empty()).then(|| Self(id.to_owned())))
    }

    fn required(text: &str) -> Result<Self, InvalidValue> {
        Self::parse(text)?.ok_or_else(|| InvalidValue::too_short(1))
    }

    /// The id, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(ExternalId, ExternalId::required);

/// Maximum characters of a reason. The limit applies before trimming, so surrounding spaces count.
const REASON_MAX: usize = 500;

/// The reason for a suspension: 1..=500 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuspensionReason(String);

impl SuspensionReason {
    /// Parses a reason. A blank text is refused.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        reject_nul(text)?;
        if text.chars().nth(REASON_MAX).is_some() {
            return Err(InvalidValue::too_long(REASON_MAX));
        }
        let reason = text.trim();
        if reason.is_empty() { Err(InvalidValue::too_short(1)) } else { Ok(Self(reason.to_owned())) }
    }

    /// The reason, trimmed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(SuspensionReason, SuspensionReason::parse);

/// Maximum characters of a sender's name.
const SENDER_NAME_MAX: usize = 64;

/// The name of the sender of mails to customers: 1..=64 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderName(String);

impl SenderName {
    /// Parses a name in a request. A blank text is refused, and one with a line break or an invisible character.
    ///
    /// # Errors
    /// When the text is no such name.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let name = Self::parse_stored(text)?;
        check_name(name.as_str())?;
        Ok(name)
    }

    /// Parses a stored name. The rule for characters does not apply: it may be stricter than when the name was stored.
    ///
    /// # Errors
    /// When the text is no such name.
    pub fn parse_stored(text: &str) -> Result<Self, InvalidValue> {
        reject_nul(text)?;
        if text.chars().nth(SENDER_NAME_MAX).is_some() {
            return Err(InvalidValue::too_long(SENDER_NAME_MAX));
        }
        let name = text.trim();
        if name.is_empty() { Err(InvalidValue::too_short(1)) } else { Ok(Self(name.to_owned())) }
    }

    /// The name, trimmed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(SenderName, SenderName::parse_stored);

/// Refuses a text with U+0000, which PostgreSQL cannot store.
pub fn reject_nul(text: &str) -> Result<(), InvalidValue> {
    if text.contains('\0') {
        return Err(InvalidValue::value_error("This value contains invalid characters"));
    }
    Ok(())
}

/// The text without surrounding whitespace; none when it is blank.
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
        assert_eq!(PersonName::parse("\u{3164}").unwrap_err().kind, "value_error");
        assert!(PersonName::parse_stored("\u{3164}").unwrap().is_some());
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
        for text in ["Cus_1", " Cus_1", "\tCus_1\u{a0}\n"] {
            assert_eq!(ExternalId::key(text), ExternalId::parse(text).unwrap().unwrap().as_str());
        }
    }

    #[test]
    fn a_sender_has_a_visible_name_on_one_line() {
        assert_eq!(SenderName::parse(" Blumenhaus Köln ").unwrap().as_str(), "Blumenhaus Köln");
        for text in ["", "  ", "a\nb", "a\0b", "\u{3164}", &"x".repeat(65)] {
            assert!(SenderName::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_serialized_name_parses_to_the_same_name(s in "\\PC{0,30}") {
            if let Some(name) = PersonName::parse_stored(&s).unwrap() {
                let json = serde_json::to_string(&name).unwrap();
                prop_assert_eq!(serde_json::from_str::<PersonName>(&json).unwrap(), name);
            }
        }
    }
}
