//! URLs: links that people publish, and the targets of webhooks.
//!
//! Both are normalized by the `url` crate, so that one address has one spelling: the host in lower-case ASCII,
//! and a `/` after a host without a path. Rules: docs/contracts/polar/http.md, 1.13;
//! docs/contracts/polar/organizations.md, 2.2; docs/contracts/polar/webhooks.md, 9.1.
//!
//! Parsing a webhook target checks only an IP address or a name in the URL itself. The delivery client checks
//! every address that the name resolves to, with [`super::is_public`].

use std::net::IpAddr;

use url::{Host, Url};

use super::{InvalidValue, is_public};

/// Maximum characters, both of the input and of the normalized text.
const MAX_CHARS: usize = 2083;

/// An absolute `http` or `https` URL with a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpUrl(Url);

impl HttpUrl {
    /// Parses a URL. Its length is checked first, then its form, then its scheme.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        parse_url(text, &["http", "https"]).map(Self)
    }

    /// The normalized URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host in lower-case ASCII, IPv6 in brackets, without a port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or("")
    }

    /// The URL, if it has no user name and password. What everybody's browser loads tells them to everybody.
    pub fn without_credentials(self) -> Result<Self, InvalidValue> {
        if self.0.username().is_empty() && self.0.password().is_none() {
            Ok(self)
        } else {
            Err(InvalidValue::value_error("a picture's URL has no user name and password"))
        }
    }
}

text_value!(HttpUrl, HttpUrl::parse);

/// An `https` URL that a webhook may be delivered to: its host is no local name and no private IP address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpsUrl(Url);

impl HttpsUrl {
    /// Parses the target of a webhook. Surrounding spaces are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let url = parse_url(text.trim(), &["https"])?;
        if !is_resolvable(&url) {
            return Err(InvalidValue::value_error("the host of a webhook must be a valid domain name"));
        }
        if is_internal(&url) {
            return Err(InvalidValue::value_error(
                "a webhook needs a public host, not a local or private one",
            ));
        }
        Ok(Self(url))
    }

    /// The normalized URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host in lower-case ASCII, IPv6 in brackets, without a port.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or("")
    }
}

text_value!(HttpsUrl, HttpsUrl::parse);

fn parse_url(text: &str, schemes: &[&str]) -> Result<Url, InvalidValue> {
    check_length(text)?;
    if text.is_empty() {
        return Err(unparsable("input is empty"));
    }
    let url = Url::parse(text).map_err(|error| unparsable(&error.to_string()))?;
    if !schemes.contains(&url.scheme()) {
        let expected = super::one_of(schemes);
        let message = format!("URL scheme should be {expected}");
        return Err(InvalidValue::with("url_scheme", message, "expected_schemes", expected));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(unparsable("empty host"));
    }
    check_length(url.as_str())?;
    Ok(url)
}

fn check_length(text: &str) -> Result<(), InvalidValue> {
    if text.chars().nth(MAX_CHARS).is_none() {
        return Ok(());
    }
    let message = format!("URL should have at most {MAX_CHARS} characters");
    Err(InvalidValue::with("url_too_long", message, "max_length", MAX_CHARS.to_string()))
}

fn unparsable(reason: &str) -> InvalidValue {
    let message = format!("Input should be a valid URL, {reason}");
    InvalidValue::with("url_parsing", message, "error", reason.to_owned())
}

/// Whether DNS can resolve the host: every label has 1..=63 bytes, the name at most 253. A final dot is allowed.
fn is_resolvable(url: &Url) -> bool {
    let Some(Host::Domain(name)) = url.host() else { return true };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.len() <= 253 && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// Whether the host is `localhost` or an IP address that is not public.
fn is_internal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => !is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => !is_public(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => {
            let name = name.strip_suffix('.').unwrap_or(name);
            name == "localhost" || name.ends_with(".localhost")
        }
        None => true,
    }
}

/// The social network of a link (docs/contracts/polar/organizations.md, 2.2). The URL's host determines it; a
/// platform that the client sends is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SocialPlatform {
    /// x.com, formerly twitter.com.
    X,
    /// github.com itself, not its subdomains.
    Github,
    /// facebook.com and fb.com.
    Facebook,
    /// instagram.com.
    Instagram,
    /// youtube.com and youtu.be.
    Youtube,
    /// tiktok.com.
    Tiktok,
    /// linkedin.com.
    Linkedin,
    /// threads.net.
    Threads,
    /// discord.com and discord.gg.
    Discord,
    /// Any other host.
    Other,
}

impl SocialPlatform {
    /// Every platform, in the order in which error texts list them.
    pub const ALL: [Self; 10] = [
        Self::X,
        Self::Github,
        Self::Facebook,
        Self::Instagram,
        Self::Youtube,
        Self::Tiktok,
        Self::Linkedin,
        Self::Threads,
        Self::Discord,
        Self::Other,
    ];

    /// The platform of a URL. A leading `www.` of the host is ignored.
    pub fn of(url: &HttpUrl) -> Self {
        let host = url.host();
        match host.strip_prefix("www.").unwrap_or(host) {
            "x.com" | "twitter.com" => Self::X,
            "github.com" => Self::Github,
            "facebook.com" | "fb.com" => Self::Facebook,
            "instagram.com" => Self::Instagram,
            "youtube.com" | "youtu.be" => Self::Youtube,
            "tiktok.com" => Self::Tiktok,
            "linkedin.com" => Self::Linkedin,
            "threads.net" => Self::Threads,
            "discord.gg" | "discord.com" => Self::Discord,
            _ => Self::Other,
        }
    }

    /// Parses the name of a platform.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let found = Self::ALL.into_iter().find(|platform| platform.as_str() == text);
        found.ok_or_else(|| InvalidValue::not_one_of(&Self::ALL.map(|platform| platform.as_str())))
    }

    /// The name on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::X => "x",
            Self::Github => "github",
            Self::Facebook => "facebook",
            Self::Instagram => "instagram",
            Self::Youtube => "youtube",
            Self::Tiktok => "tiktok",
            Self::Linkedin => "linkedin",
            Self::Threads => "threads",
            Self::Discord => "discord",
            Self::Other => "other",
        }
    }
}

text_value!(SocialPlatform, SocialPlatform::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(text: &str) -> &'static str {
        HttpUrl::parse(text).expect_err(text).kind
    }

    #[test]
    fn urls_are_normalized() {
        for (input, expected) in [
            ("https://Example.COM", "https://example.com/"),
            ("http://bücher.dev/a b", "http://xn--bcher-kva.dev/a%20b"),
            ("https://u:p@x.dev:8443/?q#f", "https://u:p@x.dev:8443/?q#f"),
            ("https://x.dev:443", "https://x.dev/"),
        ] {
            assert_eq!(HttpUrl::parse(input).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn an_invalid_url_is_refused_with_a_reason() {
        assert_eq!(
            HttpUrl::parse("not a url").unwrap_err(),
            InvalidValue {
                kind: "url_parsing",
                message: "Input should be a valid URL, relative URL without a base".into(),
                context: Some(("error", "relative URL without a base".into())),
            }
        );
        assert_eq!(HttpUrl::parse("").unwrap_err().message, "Input should be a valid URL, input is empty");
        assert_eq!(
            HttpUrl::parse("ftp://x.dev").unwrap_err().message,
            "URL scheme should be 'http' or 'https'"
        );
        assert_eq!(HttpsUrl::parse("http://x.dev").unwrap_err().message, "URL scheme should be 'https'");
        assert_eq!(kind("http://"), "url_parsing");
        assert_eq!(kind(&"x".repeat(2084)), "url_too_long");
        assert_eq!(kind(&format!("https://x.dev/{}", "é".repeat(1000))), "url_too_long");
        let longest = format!("https://x.dev/{}", "a".repeat(2083 - 14));
        assert_eq!(HttpUrl::parse(&longest).unwrap().as_str().len(), 2083);
    }

    #[test]
    fn a_picture_has_no_credentials() {
        let check = |text: &str| HttpUrl::parse(text).unwrap().without_credentials();
        for bad in ["https://u@x.dev/a.png", "https://u:p@x.dev/a.png", "https://:p@x.dev/a.png"] {
            assert_eq!(check(bad).expect_err(bad).kind, "value_error", "{bad}");
        }
        for good in ["https://x.dev/a@b.png", "https://x.dev/?u:p@y", "https://@x.dev/a.png"] {
            assert!(!check(good).expect(good).as_str().contains("@x.dev"), "{good}");
        }
    }

    #[test]
    fn webhook_targets_are_public() {
        for good in [
            " https://hooks.x.dev/in ",
            "https://example",
            "https://u@x.dev:99/#f",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://localhost.x.dev/",
        ] {
            assert!(HttpsUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "https://localhost",
            "https://LOCALHOST./",
            "https://a.localhost/",
            "https://127.1/",
            "https://0x7f000001",
            "https://2130706433/",
            "https://10.0.0.5/x",
            "https://[::1]:8443/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/",
            "https://[fd00::1]/",
            "https://100.64.0.1",
            "https://１27.0.0.1/",
        ] {
            assert_eq!(HttpsUrl::parse(bad).expect_err(bad).kind, "value_error", "{bad}");
        }
        let label = "a".repeat(64);
        assert_eq!(HttpsUrl::parse(&format!("https://{label}.dev")).unwrap_err().kind, "value_error");
        assert_eq!(HttpsUrl::parse("https://a..dev").unwrap_err().kind, "value_error");
        assert_eq!(HttpsUrl::parse("https://a_b<c>.dev").unwrap_err().kind, "url_parsing");
    }

    #[test]
    fn the_host_determines_the_platform() {
        for (url, expected) in [
            ("https://www.twitter.com/a", "x"),
            ("https://youtu.be/x", "youtube"),
            ("https://gist.github.com/a", "other"),
            ("https://discord.gg/a", "discord"),
            ("https://fb.com", "facebook"),
        ] {
            assert_eq!(SocialPlatform::of(&HttpUrl::parse(url).unwrap()).as_str(), expected);
        }
        let refusal = SocialPlatform::parse("myspace").unwrap_err();
        assert!(refusal.message.ends_with("'discord' or 'other'"), "{refusal}");
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(s in "https?://\\PC{0,30}") {
            if let Ok(url) = HttpUrl::parse(&s) {
                prop_assert_eq!(HttpUrl::parse(url.as_str()).unwrap(), url);
            }
            let _ = HttpsUrl::parse(&s);
        }
    }
}
