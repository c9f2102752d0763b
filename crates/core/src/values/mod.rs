//! Value types: texts and numbers that are validated when they are parsed and need no check later.
//!
//! Every type keeps its content private and is constructed by `parse`, which returns an [`InvalidValue`] on
//! failure. `InvalidValue` does not depend on a protocol: each dialect renders it in its own error format.
//! `Deserialize` calls `parse` too, so a row read from the database is validated again. Nothing in this module
//! reads a clock, a resolver or a random source.

/// Implements `FromStr`, `Display`, `Serialize` (as a string) and `Deserialize` for a newtype over text, with
/// the given parser.
macro_rules! text_value {
    ($name:ident, $parse:path) => {
        impl std::str::FromStr for $name {
            type Err = $crate::values::InvalidValue;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $parse(text)
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(input)?;
                $parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub mod address;
pub mod color;
pub mod country;
pub mod currency;
pub mod email;
pub mod embed_host;
pub mod http_url;
pub mod ids;
pub mod ip_allow_list;
pub mod lifetime;
pub mod locale;
pub mod metadata;
pub mod name;
pub mod public_address;
pub mod search;
pub mod slug;
pub mod tax_id;
mod tax_id_formats;
pub mod text;
pub mod website;

pub use address::{Address, AddressInput, InvalidAddress};
pub use color::{Accent, BrandColor, BrandScheme, Rgb};
pub use country::{Country, one_of};
pub use currency::Currency;
pub use email::{EmailAddress, email_key};
pub use embed_host::EmbedHost;
pub use http_url::{HttpUrl, HttpsUrl, SocialPlatform};
pub use ids::{parse_uuid, parse_uuid4, time_ordered_uuid};
pub use ip_allow_list::IpAllowList;
pub use lifetime::Lifetime;
pub use locale::Locale;
pub use metadata::{InvalidMetadata, Metadata, MetadataValue};
pub use name::{check_name, one_line, unlinked};
pub use public_address::is_public;
pub use search::{search_key, search_term};
pub use slug::{OrganizationName, Slug};
pub use tax_id::TaxId;
pub use text::{ExternalId, PersonName, SenderName, SuspensionReason, reject_nul};
pub use website::Website;

/// A value that does not parse, with a reason that every dialect can render.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidValue {
    /// Machine-readable kind of the violation, for example `value_error` or `string_too_long`.
    pub kind: &'static str,
    /// Complete error text for a person.
    pub message: String,
    /// Name and value of one further fact for programs, for example the limit that was exceeded.
    pub context: Option<(&'static str, String)>,
}

impl InvalidValue {
    /// A violation of kind `value_error` without context. The text begins with "Value error, ", as Polar's
    /// clients expect.
    pub(crate) fn value_error(reason: &str) -> Self {
        Self { kind: "value_error", message: format!("Value error, {reason}"), context: None }
    }

    /// A violation with one fact as context.
    pub(crate) fn with(kind: &'static str, message: String, key: &'static str, value: String) -> Self {
        Self { kind, message, context: Some((key, value)) }
    }

    /// The text has fewer than `min` characters.
    pub(crate) fn too_short(min: usize) -> Self {
        let message = format!("String should have at least {min} {}", characters(min));
        Self::with("string_too_short", message, "min_length", min.to_string())
    }

    /// The text has more than `max` characters.
    pub(crate) fn too_long(max: usize) -> Self {
        let message = format!("String should have at most {max} {}", characters(max));
        Self::with("string_too_long", message, "max_length", max.to_string())
    }

    /// The text is not in the list of allowed values.
    pub(crate) fn not_one_of(list: &[&str]) -> Self {
        let expected = one_of(list);
        Self::with("enum", format!("Input should be {expected}"), "expected", expected)
    }
}

fn characters(count: usize) -> &'static str {
    if count == 1 { "character" } else { "characters" }
}

#[cfg(test)]
mod tests {
    use super::InvalidValue;

    #[test]
    fn one_character_is_singular() {
        assert_eq!(InvalidValue::too_short(1).message, "String should have at least 1 character");
        assert_eq!(InvalidValue::too_long(40).to_string(), "String should have at most 40 characters");
    }
}
