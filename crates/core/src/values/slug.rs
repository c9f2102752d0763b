//! Slugs and names of organizations (docs/contracts/polar/organizations.md, 2.3).
//!
//! A slug is converted to lower case before it is validated, and it never changes after creation. Blocked words
//! are refused in new slugs and new names only: a stored name must stay readable when the list grows.

use super::{InvalidValue, check_name, parse_uuid, reject_nul};

/// Slugs that are refused because they are paths of the product itself.
const RESERVED: [&str; 26] = [
    "benefits",
    "donations",
    "issue-funding",
    "newsletters",
    "products",
    "careers",
    "legal",
    "docs",
    "login",
    "signup",
    "oauth2",
    "checkout",
    "embed",
    "maintainer",
    "dashboard",
    "feed",
    "for-you",
    "posts",
    "purchases",
    "funding",
    "rewards",
    "settings",
    "backoffice",
    "finance",
    "console",
    "portal-assets",
];

/// Words that are refused in new names and slugs. Only a whole word matches.
const BLOCKED: [&str; 18] = [
    "porn",
    "porno",
    "pornography",
    "sex",
    "sexual",
    "sexy",
    "nsfw",
    "xxx",
    "hentai",
    "erotic",
    "erotica",
    "fetish",
    "nude",
    "nudes",
    "nudity",
    "onlyfans",
    "camgirl",
    "escort",
];

const SLUG_MIN: usize = 3;
const SLUG_MAX: usize = 64;
/// Maximum characters of the name that a derived slug contains.
const DERIVED_STEM: usize = 40;
const NAME_MIN: usize = 3;
/// Tenantry's own limit: longer than any real name, short enough for an index row and a page.
const NAME_MAX: usize = 1000;

/// The name of an organization in URLs: 3..=64 characters, groups of `a-z0-9` joined by single hyphens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(String);

impl Slug {
    /// The form in which a slug is stored: lower case. Every look-up compares this form.
    pub fn key(text: &str) -> String {
        text.to_lowercase()
    }

    /// Parses the slug of a new organization. Upper case is converted to lower case.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let slug = Self::key(text);
        check_length(&slug, SLUG_MIN, SLUG_MAX)?;
        let is_group = |group: &str| {
            !group.is_empty() && group.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if !slug.split('-').all(is_group) {
            let reason = "a slug is made of ASCII letters and digits, with single hyphens between them";
            return Err(InvalidValue::value_error(reason));
        }
        if parse_uuid(&slug).is_ok() {
            return Err(InvalidValue::value_error("a slug cannot have the form of an id"));
        }
        if RESERVED.contains(&slug.as_str()) {
            return Err(InvalidValue::value_error("this slug is reserved for the service"));
        }
        check_words(&slug)?;
        Ok(Self(slug))
    }

    /// A slug from the database, not validated again: a slug that became reserved later stays valid for the
    /// organization that has it.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// A slug for an organization that was created without one: the ASCII letters and digits of its name, and
    /// the bytes of `unique` in hexadecimal. Without a usable name it begins with `account`.
    #[must_use]
    pub fn derive(name: &str, unique: [u8; 6]) -> Self {
        let lower = name.to_lowercase();
        let groups = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|group| !group.is_empty());
        let stem: String = groups.collect::<Vec<_>>().join("-").chars().take(DERIVED_STEM).collect();
        let stem = stem.trim_end_matches('-');
        let unique: String = unique.iter().map(|octet| format!("{octet:02x}")).collect();
        let named = Some(format!("{stem}-{unique}"))
            .filter(|slug| !stem.is_empty() && check_words(stem).is_ok() && parse_uuid(slug).is_err());
        Self(named.unwrap_or_else(|| format!("account-{unique}")))
    }

    /// The slug.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(Slug, Slug::parse);

/// The name of an organization: 1..=1000 characters, at least 3 for a new one. It is kept exactly as given,
/// including surrounding spaces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganizationName(String);

impl OrganizationName {
    /// Parses the new name of an existing organization, see [`check_name`].
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let name = Self::parse_stored(text)?;
        check_name(&name.0)?;
        Ok(name)
    }

    /// Parses a stored name. The rule for characters does not apply: it may be stricter than when the name was stored.
    pub fn parse_stored(text: &str) -> Result<Self, InvalidValue> {
        reject_nul(text)?;
        check_length(text, 1, NAME_MAX)?;
        Ok(Self(text.to_owned()))
    }

    /// Parses the name of a new organization. It must be longer, and blocked words are refused.
    pub fn parse_new(text: &str) -> Result<Self, InvalidValue> {
        check_length(text, NAME_MIN, NAME_MAX)?;
        let name = Self::parse(text)?;
        check_words(&name.0)?;
        Ok(name)
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(OrganizationName, OrganizationName::parse_stored);

fn check_length(text: &str, min: usize, max: usize) -> Result<(), InvalidValue> {
    let count = text.chars().take(max + 1).count();
    if count < min {
        return Err(InvalidValue::too_short(min));
    }
    if count > max {
        return Err(InvalidValue::too_long(max));
    }
    Ok(())
}

/// Refuses blocked words. A word is a run of letters, digits and underscores: `Essex` is accepted, `Sex Shop`
/// is refused.
fn check_words(text: &str) -> Result<(), InvalidValue> {
    let lower = text.to_lowercase();
    let mut words = lower.split(|c: char| !c.is_alphanumeric() && c != '_');
    if words.any(|word| BLOCKED.contains(&word)) {
        return Err(InvalidValue::value_error("a word in this name is not permitted here"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn slugs_are_lower_case_groups_with_single_hyphens() {
        assert_eq!(Slug::parse("My-Org2").unwrap().as_str(), "my-org2");
        assert_eq!(Slug::parse("essex").unwrap().as_str(), "essex");
        assert_eq!(Slug::parse("ab").unwrap_err().kind, "string_too_short");
        assert_eq!(Slug::parse(&"a".repeat(65)).unwrap_err().kind, "string_too_long");
        assert!(Slug::parse(&"a".repeat(64)).is_ok());
        for bad in [
            "-abc",
            "abc-",
            "a--b",
            "a_b",
            "a.b",
            "a b",
            "é-bc",
            " abc",
            "abc\0",
            "dashboard",
            "Oauth2",
            ".well-known",
            "porn-shop",
            "my-NSFW",
            "01A20011-44c7-4f64-8000-21a102c19d44",
            "01a2001144c74f64800021a102c19d44",
        ] {
            assert_eq!(Slug::parse(bad).expect_err(bad).kind, "value_error", "{bad}");
        }
    }

    #[test]
    fn a_derived_slug_is_made_of_the_name_and_random_digits() {
        let derived = |name: &str| Slug::derive(name, [0, 1, 2, 0xab, 0xcd, 0xef]).0;
        assert_eq!(derived("Acme  Subsidiary, Inc."), "acme-subsidiary-inc-000102abcdef");
        assert_eq!(derived("01a20011-44c7-4f64-8000"), "account-000102abcdef");
        assert_eq!(derived("Sex Shop"), "account-000102abcdef");
        assert_eq!(derived("\u{516c}\u{53f8}"), "account-000102abcdef");
    }

    #[test]
    fn names() {
        assert_eq!(OrganizationName::parse("  My Org  ").unwrap().as_str(), "  My Org  ");
        assert_eq!(OrganizationName::parse_new("ab").unwrap_err().context, Some(("min_length", "3".into())));
        assert_eq!(OrganizationName::parse("a\0bc").unwrap_err().kind, "value_error");
        assert_eq!(OrganizationName::parse(&"é".repeat(1001)).unwrap_err().kind, "string_too_long");
        assert!(OrganizationName::parse("Sex Shop").is_ok());
        assert!(OrganizationName::parse("   ").is_ok());
        assert_eq!(OrganizationName::parse("\u{3164}").unwrap_err().kind, "value_error");
        assert!(OrganizationName::parse_stored("\u{3164}").is_ok());
        assert!(OrganizationName::parse_new("Sex Shop").is_err());
        assert!(OrganizationName::parse_new("Essex Cakes").is_ok());
    }

    proptest! {
        #[test]
        fn a_derived_slug_is_a_valid_slug(name in "\\PC{0,60}|[a-z -]{0,60}", unique: [u8; 6]) {
            let slug = Slug::derive(&name, unique);
            prop_assert_eq!(Slug::parse(slug.as_str()).unwrap(), slug);
        }

        #[test]
        fn a_slug_parses_to_itself(s in "\\PC{0,20}|[A-Za-z0-9-]{1,70}") {
            if let Ok(slug) = Slug::parse(&s) {
                prop_assert_eq!(Slug::parse(slug.as_str()).unwrap(), slug.clone());
                prop_assert!(slug.as_str().is_ascii() && slug.as_str() == slug.as_str().to_lowercase());
            }
        }
    }
}
