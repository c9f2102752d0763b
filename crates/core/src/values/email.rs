//! E-mail addresses: validation, normalization, and the key that compares them.
//!
//! - The text is normalized as docs/contracts/polar/http.md, 1.13 says: NFC, the domain in lower-case Unicode, the
//!   local part as typed. Role names of RFC 2142, such as `support`, are converted to lower case.
//! - Two addresses belong to the same account when their [`EmailAddress::key`] is equal. The database has its
//!   uniqueness constraint on the key.
//! - Parsing the text of an address yields the same address.
//! - Validation never queries DNS.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::InvalidValue;

/// Mailbox names of RFC 2142. They mean a role and are not case-sensitive.
const ROLES: [&str; 15] = [
    "info",
    "marketing",
    "sales",
    "support",
    "abuse",
    "noc",
    "security",
    "postmaster",
    "hostmaster",
    "usenet",
    "news",
    "webmaster",
    "www",
    "uucp",
    "ftp",
];
/// Maximum bytes of an address: the path limit of RFC 5321 without its two brackets.
const MAX_OCTETS: usize = 254;
/// Maximum bytes of a local part (RFC 5321, 4.5.3.1.1).
const MAX_LOCAL_OCTETS: usize = 64;
/// Maximum bytes of the input, including a display name.
const MAX_INPUT_OCTETS: usize = 2048;

/// A syntactically valid, normalized e-mail address. Equality, order and hash are those of the text, not of
/// the key.
#[derive(Debug, Clone)]
pub struct EmailAddress {
    text: String,
    key: String,
    at: usize,
}

impl EmailAddress {
    /// Parses an address, either alone or in the form `Name <address>`. Surrounding spaces are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        if text.len() > MAX_INPUT_OCTETS {
            return Err(refuse("it is too long for an address"));
        }
        let bare = without_display_name(text.trim())?;
        let (local, domain) =
            bare.rsplit_once('@').ok_or_else(|| refuse("there is no @ between a name and a domain"))?;
        let local = normalize_local(local)?;
        let (domain, ascii_len) = normalize_domain(domain)?;
        if local.len() + 1 + domain.len().max(ascii_len) > MAX_OCTETS {
            return Err(refuse("the whole address exceeds 254 octets"));
        }
        let at = local.len();
        let text = format!("{local}@{domain}");
        let key = email_key(&text);
        Ok(Self { text, key, at })
    }

    /// An address and its key from the database, not validated again, because lists load many of them.
    #[must_use]
    pub fn from_stored(text: String, key: String) -> Self {
        let at = text.rfind('@').unwrap_or(text.len());
        Self { text, key, at }
    }

    /// The key of the address that a look-up names, in any spelling that [`Self::parse`] accepts: for example a domain
    /// in Punycode, or `Name <address>`. A text that is no address has a key as well, which no address equals.
    pub fn lookup_key(text: &str) -> String {
        Self::parse(text).map_or_else(|_| email_key(text), |address| address.key)
    }

    /// The address that all spellings of one account share: its key. Mail to a person goes to it.
    #[must_use]
    pub fn normalized(&self) -> Self {
        Self::from_stored(self.key.clone(), self.key.clone())
    }

    /// The normalized address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the last `@`.
    pub fn local(&self) -> &str {
        self.text.split_at_checked(self.at).map_or("", |(local, _)| local)
    }

    /// The part after the last `@`, in lower-case Unicode.
    pub fn domain(&self) -> &str {
        self.text.split_at_checked(self.at).map_or("", |(_, rest)| rest.trim_start_matches('@'))
    }

    /// The first letter of the local part and the domain: `a***@x.dev`.
    #[must_use]
    pub fn masked(&self) -> String {
        let first: String = self.local().chars().take(1).collect();
        format!("{first}***@{}", self.domain())
    }

    /// The comparison key. It is equal for all spellings of one account.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The comparison key without a tag in the local part: `jo+news@x.dev` and `jo@x.dev` share a mailbox at most
    /// providers. For limits alone: to some they are two people.
    pub fn mailbox_key(&self) -> String {
        let tagged =
            self.key.rsplit_once('@').and_then(|(local, domain)| Some((local.split_once('+')?.0, domain)));
        match tagged {
            Some((local, domain)) if !local.is_empty() => format!("{local}@{domain}"),
            _ => self.key.clone(),
        }
    }
}

text_value!(EmailAddress, EmailAddress::parse);

impl PartialEq for EmailAddress {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for EmailAddress {}
impl PartialOrd for EmailAddress {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for EmailAddress {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}
impl Hash for EmailAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The comparison key of an address or a search term, valid or not. NFKC and lower case are applied until
/// nothing changes, so that the key of a key is the key itself.
pub fn email_key(text: &str) -> String {
    // ASCII has no other forms than its cases.
    if text.is_ascii() {
        return text.trim().to_ascii_lowercase();
    }
    let mut key = text.trim().nfkc().collect::<String>().to_lowercase();
    // One round is nearly always enough. Rarely, lower case yields another character that NFKC changes.
    for _ in 0..8 {
        let next = key.trim().nfkc().collect::<String>().to_lowercase();
        if next == key {
            break;
        }
        key = next;
    }
    key
}

fn refuse(reason: &str) -> InvalidValue {
    let message = format!("value is not a valid email address: {reason}");
    InvalidValue::with("value_error", message, "reason", reason.to_owned())
}

fn without_display_name(text: &str) -> Result<&str, InvalidValue> {
    let Some(open) = text.strip_suffix('>') else { return Ok(text) };
    let (name, address) =
        open.split_once('<').ok_or_else(|| refuse("a closing > has no opening < before it"))?;
    let name = name.trim();
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == '>') {
        return Err(refuse("the name before the angle brackets is missing or malformed"));
    }
    Ok(address.trim())
}

fn normalize_local(local: &str) -> Result<String, InvalidValue> {
    let local = nfc(local);
    if local.is_empty() {
        return Err(refuse("nothing stands before the @"));
    }
    if local.starts_with('"') {
        return Err(refuse("quoted names before the @ are not supported"));
    }
    if local.len() > MAX_LOCAL_OCTETS {
        return Err(refuse("the part before the @ exceeds 64 octets"));
    }
    check_dots(&local, "before")?;
    if local.chars().next().is_some_and(is_combining_mark) {
        return Err(refuse("the part before the @ begins with a combining mark"));
    }
    if let Some(bad) = local.chars().find(|c| *c != '.' && !allowed_in_local(*c)) {
        return Err(refuse(&format!("the part before the @ contains {}", describe(bad))));
    }
    let lower = local.to_ascii_lowercase();
    Ok(if ROLES.contains(&lower.as_str()) { lower } else { local })
}

/// The text in NFC, which ASCII always is.
fn nfc(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfc().collect() }
}

fn check_dots(part: &str, side: &str) -> Result<(), InvalidValue> {
    if part.starts_with('.') || part.ends_with('.') {
        return Err(refuse(&format!("the part {side} the @ begins or ends with a dot")));
    }
    if part.contains("..") {
        return Err(refuse(&format!("the part {side} the @ has two dots in a row")));
    }
    Ok(())
}

fn describe(c: char) -> String {
    if c.is_whitespace() {
        "a space".to_owned()
    } else if c.is_control() || is_invisible(c) {
        format!("the invisible character U+{:04X}", u32::from(c))
    } else {
        format!("the character {c}")
    }
}

/// Whether a character may occur in a local part: `atext` of RFC 5322, or a visible character outside ASCII.
/// Its compatibility form must not contain ASCII punctuation or a space. Otherwise the comparison key could
/// contain an `@` or a dot that the text does not.
fn allowed_in_local(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    }
    std::iter::once(c).chain(std::iter::once(c).nfkc()).all(|part| {
        if part.is_ascii() {
            part.is_ascii_alphanumeric()
        } else {
            !part.is_control() && !part.is_whitespace() && !is_invisible(part)
        }
    })
}

/// Whether a character is a format character, a private-use character or a non-character. Readers cannot see
/// these.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x61C | 0x180E | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F | 0xFEFF
        | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFFF9..=0xFFFB | 0xE0000..=0xE0FFF | 0xF0000..=0x10_FFFF)
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The domain in lower-case Unicode, and its length in the ASCII form that SMTP transmits.
fn normalize_domain(domain: &str) -> Result<(String, usize), InvalidValue> {
    if domain.is_empty() {
        return Err(refuse("nothing stands after the @"));
    }
    if domain.starts_with('[') {
        return Err(refuse("an IP address in brackets is not accepted as the domain"));
    }
    check_dots(domain, "after")?;
    if let Some(bad) = domain.chars().find(|c| c.is_whitespace() || c.is_control() || is_invisible(*c)) {
        return Err(refuse(&format!("the part after the @ contains {}", describe(bad))));
    }
    let malformed = || refuse("the part after the @ is not a well-formed domain name");
    let ascii = idna::domain_to_ascii_strict(domain).map_err(|_| malformed())?;
    let (unicode, result) = idna::domain_to_unicode(&ascii);
    result.map_err(|_| malformed())?;
    check_dots(&unicode, "after")?;
    let (_, last) = ascii
        .rsplit_once('.')
        .ok_or_else(|| refuse("the part after the @ has no dot, so it names no host"))?;
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(refuse("the part after the @ ends in a number, as only an IP address does"));
    }
    Ok((nfc(&unicode), ascii.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(input: &str) -> String {
        EmailAddress::parse(input).unwrap_or_else(|e| panic!("{input}: {e}")).text
    }

    #[test]
    fn spellings_are_normalized() {
        for (input, expected) in [
            ("  ada@Peer.DEV ", "ada@peer.dev"),
            ("Bob <bob@x.dev>", "bob@x.dev"),
            ("\"Bob, Jr.\" < bob@x.dev >", "bob@x.dev"),
            ("Ada.Lovelace@peer-eval.dev", "Ada.Lovelace@peer-eval.dev"),
            ("SUPPORT@x.dev", "support@x.dev"),
            ("Support+1@x.dev", "Support+1@x.dev"),
            ("a@xn--bcher-kva.example", "a@bücher.example"),
            ("a@BÜCHER.example", "a@bücher.example"),
            ("e\u{301}@x.dev", "é@x.dev"),
            ("a@x。dev", "a@x.dev"),
        ] {
            assert_eq!(text(input), expected);
        }
    }

    #[test]
    fn an_address_has_parts_and_a_key() {
        let e = EmailAddress::parse("Ada@BÜCHER.dev").unwrap();
        assert_eq!((e.local(), e.domain(), e.key()), ("Ada", "bücher.dev", "ada@bücher.dev"));
        let wide = EmailAddress::parse("ＡDA@bücher.dev").unwrap();
        assert_eq!(wide.key(), e.key());
        assert_eq!(serde_json::to_string(&e).unwrap(), "\"Ada@bücher.dev\"");
    }

    #[test]
    fn malformed_addresses_are_refused() {
        let long_local = format!("{}@x.dev", "a".repeat(65));
        let long = format!("a@{}.dev", ["b".repeat(60).as_str(); 5].join("."));
        for input in [
            "",
            "nope",
            "@x.dev",
            "a@",
            "a@x",
            "a@x..dev",
            "a@.x.dev",
            "a@x.dev.",
            "a..b@x.dev",
            ".a@x.dev",
            "a.@x.dev",
            "\"a b\"@x.dev",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a b@x.dev",
            "a@x y.dev",
            "a\u{0}@x.dev",
            "a@x\u{7f}.dev",
            "a@-x.dev",
            "a@x_y.dev",
            "a@b@x.dev",
            "<a@x.dev>",
            "a@x.dev>",
            "a\u{200b}@x.dev",
            "ａ＠b@x.dev",
            "a․b@x.dev",
            "\u{301}a@x.dev",
            "a@xn--zzzzzz.dev",
            "Bob <bob@x.dev",
            &long_local,
            &long,
        ] {
            let refusal = EmailAddress::parse(input).expect_err(input);
            assert_eq!(refusal.kind, "value_error");
            assert!(refusal.message.starts_with("value is not a valid email address: "));
        }
        assert!(EmailAddress::parse(&format!("{}@x.dev", "a".repeat(64))).is_ok());
    }

    #[test]
    fn the_key_of_a_key_is_itself_for_every_character() {
        for c in char::MIN..=char::MAX {
            let key = email_key(&format!("a{c}b"));
            assert_eq!(email_key(&key), key, "U+{:04X}", u32::from(c));
        }
    }

    #[test]
    fn a_lookup_accepts_every_spelling_that_a_write_accepts() {
        let key = EmailAddress::parse("Zo\u{eb}@b\u{fc}cher.example").unwrap().key;
        for text in [
            "zo\u{eb}@b\u{fc}cher.example",
            " ZO\u{cb}@B\u{dc}CHER.example ",
            "Zoe\u{308}@xn--bcher-kva.example",
            "Zo\u{eb} <Zo\u{eb}@XN--BCHER-KVA.EXAMPLE>",
        ] {
            assert_eq!(EmailAddress::lookup_key(text), key, "{text}");
        }
        assert_eq!(EmailAddress::lookup_key(" Not An Address "), "not an address");
    }

    proptest! {
        #[test]
        fn the_key_of_a_key_is_itself(s in "\\PC{0,40}") {
            let key = email_key(&s);
            prop_assert_eq!(email_key(&key), key);
        }

        #[test]
        fn parsing_is_idempotent_and_never_panics(s in "\\PC{0,12}@\\PC{0,12}(\\.dev)?") {
            if let Ok(e) = EmailAddress::parse(&s) {
                let again = EmailAddress::parse(e.as_str()).unwrap();
                prop_assert_eq!(again.as_str(), e.as_str());
                prop_assert_eq!(again.key(), e.key());
                prop_assert_eq!(format!("{}@{}", e.local(), e.domain()), e.as_str());
                prop_assert_eq!(e.key().matches('@').count(), 1);
            }
        }

        #[test]
        fn ascii_case_never_matters_to_the_key(l in "[a-z]{1,9}(\\.[a-z]{1,9})?", d in "[a-z]{1,9}\\.dev") {
            let lower = EmailAddress::parse(&format!("{l}@{d}")).unwrap();
            let upper = EmailAddress::parse(&format!("{l}@{d}").to_uppercase()).unwrap();
            prop_assert_eq!(lower.key(), upper.key());
        }
    }
}
