//! Languages as BCP 47 tags.
//!
//! The `langtag` grammar of RFC 5646 2.1, with `_` read as `-`, written in the case of its 2.1.1:
//! language lower, Script title, REGION upper, everything else lower. A language of two or three
//! letters is required and must not be `und`; private-use and grandfathered tags are refused
//! (docs/contracts/polar/http.md, 1.13). Tags are checked for form, not against the registry.

use super::InvalidValue;

/// Far above any real tag; keeps columns and headers small.
const MAX_OCTETS: usize = 255;

/// A canonical language tag such as `en-US` or `zh-Hant-TW`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locale(String);

impl Locale {
    /// Reads a tag in any case, with hyphens or underscores.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > MAX_OCTETS {
            return Err(refusal());
        }
        let lower = text.replace('_', "-").to_ascii_lowercase();
        canonical(&lower).map(Self).ok_or_else(refusal)
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(Locale, Locale::parse);

fn refusal() -> InvalidValue {
    InvalidValue::value_error("this is not a BCP 47 tag with a language, such as en or pt-BR")
}

/// The rest of a tag: subtags are taken from the front when they have the wanted form.
struct Subtags<'a>(std::iter::Peekable<std::str::Split<'a, char>>);

impl<'a> Subtags<'a> {
    fn take(&mut self, form: impl Fn(&str) -> bool) -> Option<&'a str> {
        self.0.next_if(|subtag| form(subtag))
    }
}

/// `langtag = language [extlang] [script] [region] *variant *extension [privateuse]`, input lower case.
fn canonical(lower: &str) -> Option<String> {
    let mut subtags = Subtags(lower.split('-').peekable());
    let language = subtags.take(|s| is_alpha(s, 2, 3) && s != "und")?;
    let mut tag = vec![language.to_owned()];
    for _ in 0..3 {
        tag.extend(subtags.take(|s| is_alpha(s, 3, 3)).map(str::to_owned));
    }
    tag.extend(subtags.take(|s| is_alpha(s, 4, 4)).map(title_case));
    tag.extend(subtags.take(is_region).map(str::to_ascii_uppercase));
    take_variants(&mut subtags, &mut tag)?;
    take_extensions(&mut subtags, &mut tag)?;
    if let Some(x) = subtags.take(|s| s == "x") {
        tag.push(x.to_owned());
        tag.push(subtags.take(|s| is_alphanumeric(s, 1, 8))?.to_owned());
        while let Some(subtag) = subtags.take(|s| is_alphanumeric(s, 1, 8)) {
            tag.push(subtag.to_owned());
        }
    }
    subtags.0.next().is_none().then(|| tag.join("-"))
}

/// Variants, each at most once.
fn take_variants(subtags: &mut Subtags<'_>, tag: &mut Vec<String>) -> Option<()> {
    let mut seen = Vec::new();
    while let Some(variant) = subtags.take(is_variant) {
        if seen.contains(&variant) {
            return None;
        }
        seen.push(variant);
        tag.push(variant.to_owned());
    }
    Some(())
}

/// Extensions: a singleton, at most once each, with one subtag or more; put in order of the singleton.
fn take_extensions(subtags: &mut Subtags<'_>, tag: &mut Vec<String>) -> Option<()> {
    let mut extensions: Vec<(&str, Vec<&str>)> = Vec::new();
    while let Some(singleton) = subtags.take(|s| is_alphanumeric(s, 1, 1) && s != "x") {
        let mut parts = vec![subtags.take(|s| is_alphanumeric(s, 2, 8))?];
        while let Some(part) = subtags.take(|s| is_alphanumeric(s, 2, 8)) {
            parts.push(part);
        }
        if extensions.iter().any(|(taken, _)| *taken == singleton) {
            return None;
        }
        extensions.push((singleton, parts));
    }
    extensions.sort();
    for (singleton, parts) in extensions {
        tag.push(singleton.to_owned());
        tag.extend(parts.into_iter().map(str::to_owned));
    }
    Some(())
}

fn is_alpha(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphabetic())
}

fn is_alphanumeric(subtag: &str, min: usize, max: usize) -> bool {
    (min..=max).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn is_region(subtag: &str) -> bool {
    is_alpha(subtag, 2, 2) || (subtag.len() == 3 && subtag.bytes().all(|b| b.is_ascii_digit()))
}

fn is_variant(subtag: &str) -> bool {
    let digit_first = subtag.bytes().next().is_some_and(|b| b.is_ascii_digit());
    is_alphanumeric(subtag, 5, 8) || (is_alphanumeric(subtag, 4, 4) && digit_first)
}

fn title_case(lower: &str) -> String {
    let mut chars = lower.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn canonical_case() {
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
        ] {
            assert_eq!(Locale::parse(input).expect(input).as_str(), expected);
        }
    }

    #[test]
    fn refuses() {
        for bad in [
            "",
            "und",
            "UND-US",
            "x-klingon",
            "x",
            "i-klingon",
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
        fn canonicalising_settles(s in "[a-zA-Z]{2,3}([-_][a-zA-Z0-9]{1,8}){0,5}|\\PC{0,9}") {
            if let Ok(locale) = Locale::parse(&s) {
                prop_assert_eq!(Locale::parse(locale.as_str()).unwrap(), locale.clone());
                prop_assert_eq!(Locale::parse(&s.to_uppercase()).unwrap(), locale);
            }
        }
    }
}
