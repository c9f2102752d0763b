//! Languages as BCP 47 tags (docs/contracts/polar/http.md, 1.13).
//!
//! A tag follows the `langtag` grammar of RFC 5646, 2.1, where `_` counts as `-`. A language of two or three
//! letters is required, and `und` is refused. Tags that are private use as a whole, such as `x-klingon`, are refused.
//! The form is validated, not the registration of the subtags.
//!
//! The canonical form has the letter case of RFC 5646, 2.1.1 (`zh-Hant-TW`) and its extensions in the order of
//! their singletons.

use oxilangtag::LanguageTag;

use super::InvalidValue;

/// Maximum bytes of a tag: far longer than any real one.
const MAX_OCTETS: usize = 255;

/// A canonical language tag such as `en-US` or `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(String);

impl Locale {
    /// Parses a tag in any letter case, with hyphens or underscores.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let reason = "this is not a BCP 47 tag with a language, such as en or pt-BR";
        canonical(text).map(Self).ok_or_else(|| InvalidValue::value_error(reason))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without script and region: `pt` of `pt-BR`.
    pub fn language(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

text_value!(Locale, Locale::parse);

fn canonical(text: &str) -> Option<String> {
    if text.len() > MAX_OCTETS {
        return None;
    }
    let tag = LanguageTag::parse_and_normalize(&text.replace('_', "-")).ok()?;
    let variants: Vec<&str> = tag.variant_subtags().collect();
    let mut extensions: Vec<(char, &str)> = tag.extension_subtags().collect();
    extensions.sort_unstable();
    let singletons: Vec<char> = extensions.iter().map(|(singleton, _)| *singleton).collect();
    if !has_language(&tag) || has_duplicate(&variants) || has_duplicate(&singletons) {
        return None;
    }
    let parts = [Some(tag.full_language()), tag.script(), tag.region(), tag.variant()];
    let extensions = extensions.iter().map(|(singleton, subtags)| format!("{singleton}-{subtags}"));
    let parts = parts.into_iter().flatten().map(str::to_owned).chain(extensions);
    Some(parts.chain(tag.private_use().map(str::to_owned)).collect::<Vec<_>>().join("-"))
}

/// Whether the tag begins with a language of two or three letters other than `und`.
fn has_language(tag: &LanguageTag<String>) -> bool {
    // For a grandfathered tag, such as `zh-min-nan`, the library returns the whole tag as the language. Such a tag
    // is accepted only when it fits the grammar as well: then none of its further subtags has one or two letters.
    let mut subtags = tag.primary_language().split('-');
    let is_language = |subtag: &str| (2..=3).contains(&subtag.len()) && subtag != "und";
    subtags.next().is_some_and(is_language) && subtags.all(|subtag| subtag.len() > 2)
}

fn has_duplicate<T: PartialEq>(list: &[T]) -> bool {
    list.iter().enumerate().any(|(index, item)| list.iter().take(index).any(|earlier| earlier == item))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tags_are_written_in_canonical_form() {
        for (input, expected) in [
            ("en", "en"),
            ("en-us", "en-US"),
            ("EN_us", "en-US"),
            ("zh-hANT-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("zh-yue-hk", "zh-yue-HK"),
            ("sl-ROZAJ-biske", "sl-rozaj-biske"),
            ("de-1996", "de-1996"),
            ("fil", "fil"),
            ("de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
            ("en-u-ca-gregory-a-foo-x-A-1", "en-a-foo-u-ca-gregory-x-a-1"),
            ("aa-b-oo-a-foo", "aa-a-foo-b-oo"),
            ("zh-min-NAN", "zh-min-nan"),
            ("art-lojban", "art-lojban"),
        ] {
            assert_eq!(Locale::parse(input).expect(input).as_str(), expected);
        }
    }

    #[test]
    fn malformed_tags_are_refused() {
        for bad in [
            "",
            "und",
            "UND-US",
            "x-klingon",
            "x",
            "i-klingon",
            "en-GB-oed",
            "sgn-BE-FR",
            "e",
            "abcd",
            "en-",
            "-en",
            "en--us",
            "en-us-us",
            "en us",
            "français",
            "en-u",
            "en-x",
            "de-1996-1996",
            "en-a-bb-a-cc",
            "en-usaaaaaaaa",
            "123",
            "en\0",
        ] {
            assert_eq!(Locale::parse(bad).expect_err(bad).kind, "value_error");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_stable_and_ignores_case(s in "[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,5}|\\PC{0,9}") {
            if let Ok(locale) = Locale::parse(&s) {
                prop_assert_eq!(Locale::parse(locale.as_str()).unwrap(), locale.clone());
                prop_assert_eq!(Locale::parse(&s.to_uppercase()).unwrap(), locale);
            }
        }
    }
}
