//! The website of an organization, which AhaSend's clients send as a host name or as a URL
//! (docs/contracts/ahasend.md, 1.7 and 3). They expect to read it back exactly as they sent it.

use super::embed_host::check_labels;
use super::{HttpUrl, InvalidValue, reject_nul};

/// Maximum characters after trimming.
const MAX_CHARS: usize = 255;
/// Maximum bytes of a host name.
const MAX_HOST: usize = 253;

/// A website on a full domain name, as a URL and as the client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    url: HttpUrl,
    as_sent: String,
}

impl Website {
    /// Parses a host name, or an `http` or `https` URL, of at most 255 characters. The text is trimmed.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        reject_nul(text)?;
        let as_sent = text.trim();
        if as_sent.is_empty() {
            return Err(InvalidValue::too_short(1));
        }
        if as_sent.chars().nth(MAX_CHARS).is_some() {
            return Err(InvalidValue::too_long(MAX_CHARS));
        }
        // The URL parser drops tabs and line breaks, so the URL would differ from the text.
        if as_sent.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
            return Err(InvalidValue::value_error("a website has no spaces"));
        }
        let url = if as_sent.contains("://") {
            HttpUrl::parse(as_sent)?
        } else if as_sent.contains(['/', '\\', '?', '#', '@', ':', '%']) {
            return Err(InvalidValue::value_error("a website is a host name, or an http or https URL"));
        } else {
            HttpUrl::parse(&format!("https://{as_sent}/"))?
        };
        let host = url.host().strip_suffix('.').unwrap_or_else(|| url.host());
        if !host.contains('.') || host.len() > MAX_HOST || check_labels(host).is_err() {
            return Err(InvalidValue::value_error("the host of a website must be a full domain name"));
        }
        Ok(Self { as_sent: as_sent.to_owned(), url })
    }

    /// The URL. It is an `https` URL when only a host name was sent.
    #[must_use]
    pub const fn url(&self) -> &HttpUrl {
        &self.url
    }

    /// The text as sent, trimmed.
    #[must_use]
    pub fn as_sent(&self) -> &str {
        &self.as_sent
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_website_is_a_url_and_the_text_as_sent() {
        for (text, as_sent, url) in [
            (" acme.example.com ", "acme.example.com", "https://acme.example.com/"),
            ("Acme.Example", "Acme.Example", "https://acme.example/"),
            ("acme.example.", "acme.example.", "https://acme.example./"),
            ("bücher.example", "bücher.example", "https://xn--bcher-kva.example/"),
            ("https://acme.example", "https://acme.example", "https://acme.example/"),
            (
                "http://acme.example:8080/a?b#c",
                "http://acme.example:8080/a?b#c",
                "http://acme.example:8080/a?b#c",
            ),
        ] {
            let website = Website::parse(text).expect(text);
            assert_eq!((website.as_sent(), website.url().as_str()), (as_sent, url));
        }
    }

    #[test]
    fn invalid_websites_are_refused() {
        let long = format!("https://acme.example/{}", "a".repeat(235));
        assert_eq!(Website::parse(&long).unwrap_err().kind, "string_too_long");
        assert!(Website::parse(&long[..255]).is_ok());
        assert_eq!(Website::parse("  ").unwrap_err().kind, "string_too_short");
        for bad in [
            "acme",
            "localhost",
            "acme..example",
            "-acme.example",
            "ac_me.example",
            "acme.example/",
            "acme.example:80",
            "me@acme.example",
            "mailto:me@acme.example",
            "127.0.0.1",
            "https://127.0.0.1/",
            "https://[2606:4700::1111]/",
            "https://acme",
            "ftp://acme.example",
            "https://",
            "ac me.example",
            "https://ac\tme.example",
            "acme\0.example",
            "%61cme.example",
        ] {
            assert!(Website::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn the_text_as_sent_parses_to_the_same_website(text in "(https?://)?[a-zé.-]{1,12}\\.[a-z]{2,3}(/\\PC{0,5})?") {
            if let Ok(website) = Website::parse(&text) {
                prop_assert_eq!(Website::parse(website.as_sent()).unwrap(), website);
            }
        }
    }
}
