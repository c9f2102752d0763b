//! Keys for searching texts regardless of letter case and of the Unicode form.
//!
//! The database stores the key of a text and looks for the key of a search term in it.

use unicode_normalization::UnicodeNormalization;

use super::EmailAddress;

/// Rounds after which a key is taken as it is. Two are enough for nearly every text.
const MAX_ROUNDS: usize = 8;

/// The search key of a text: NFKC and one letter case, applied until nothing changes. Each character is converted by
/// itself: a final sigma equals any other sigma, and a sharp s equals `ss`.
#[must_use]
pub fn search_key(text: &str) -> String {
    // ASCII has no other forms than its cases.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let round = |text: &str| -> String {
        text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect()
    };
    let mut key = round(text);
    for _ in 0..MAX_ROUNDS {
        let next = round(&key);
        if next == key {
            break;
        }
        key = next;
    }
    key
}

/// The search key of the term that a caller looks for, without surrounding whitespace. An e-mail address is normalized
/// first, because addresses are stored normalized: its domain can be sent in Punycode. So can a part of an address.
#[must_use]
pub fn search_term(text: &str) -> String {
    let text = text.trim();
    let address = EmailAddress::parse(text).ok().filter(|_| !text.ends_with('>'));
    match address {
        Some(address) => search_key(address.as_str()),
        None => search_key(&without_punycode(text)),
    }
}

/// The text with the labels of domains in Unicode that it has in Punycode.
fn without_punycode(text: &str) -> String {
    let ends_label = |letter: char| !letter.is_ascii_alphanumeric() && letter != '-';
    let labels = text.split_inclusive(ends_label).map(|part| {
        let (label, end) = part.split_at(part.trim_end_matches(ends_label).len());
        let is_encoded = label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
        match idna::domain_to_unicode(label) {
            (decoded, Ok(())) if is_encoded => decoded + end,
            _ => part.to_owned(),
        }
    });
    labels.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn letter_case_and_unicode_form_do_not_matter() {
        for (text, term) in [
            ("Zo\u{eb} Meyer", "ZOE\u{308}"),
            ("Zoe\u{308} Meyer", "zo\u{eb}"),
            ("Zoe\u{308} Meyer", " Zo\u{cb} "),
            ("\u{39f}\u{394}\u{39f}\u{3a3}\u{391}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{ff21}\u{ff43}\u{ff4d}\u{ff45}", "acme"),
            ("a@b\u{fc}cher.example", "A@XN--BCHER-KVA.example"),
            ("a@b\u{fc}cher.example", "@B\u{dc}CHER"),
            ("a@b\u{fc}cher.example", "@xn--bcher-kva"),
            ("a@b\u{fc}cher.example", "XN--BCHER-KVA.ex"),
            ("a@shop.b\u{fc}cher.example", "p.xn--bcher-kva."),
            ("xn--zzzzzz", "xn--zzzzzz"),
        ] {
            assert!(search_key(text).contains(&search_term(term)), "{text} {term}");
        }
        assert!(!search_key("Zo\u{eb}").contains(&search_term("Zoa")));
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(text in "\\PC{0,40}") {
            let key = search_key(&text);
            prop_assert_eq!(search_key(&key), key);
        }

        #[test]
        fn a_text_is_found_by_itself_in_any_case(text in "\\PC{1,20}") {
            prop_assume!(EmailAddress::parse(&text).is_err());
            let key = search_key(&text);
            prop_assert!(key.contains(&search_term(&text)));
            prop_assert!(key.contains(&search_term(&text.to_lowercase())), "{}", text.to_lowercase());
        }
    }
}
