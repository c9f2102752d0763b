//! The URL of a webhook endpoint.

use std::fmt;

use serde::{Serialize, Serializer};
use url::{Host, Url};

use crate::values::{HttpUrl, HttpsUrl, InvalidValue};

/// The URL of an endpoint: `https` with a public host, or `http` or `https` with a host that the operator permitted in
/// the configuration. It has no user name and password, because every reader of the endpoint sees its URL. A stored URL
/// can become invalid when the configuration changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Parses a URL. `plain_http_hosts` are the hosts that the operator permitted, each with its port unless that is
    /// the default port of the scheme.
    ///
    /// # Errors
    /// When the text is not a URL, the URL contains a user name or password, or it is not a permitted target.
    pub fn parse(text: &str, plain_http_hosts: &[String]) -> Result<Self, InvalidValue> {
        if Url::parse(text.trim()).is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
            let message = "URL must not contain a user name or password: verify the signature of the request";
            return Err(InvalidValue { kind: "value_error", message: message.to_owned(), context: None });
        }
        if !is_plain(text.trim()) {
            let message =
                "URL must be written plainly: scheme, //, host, and no control character or backslash";
            return Err(InvalidValue { kind: "value_error", message: message.to_owned(), context: None });
        }
        let refusal = match HttpsUrl::parse(text) {
            Ok(url) => return Ok(Self(url.as_str().to_owned())),
            Err(refusal) => refusal,
        };
        match HttpUrl::parse(text.trim()) {
            Ok(url) if is_permitted(url.as_str(), plain_http_hosts) => Ok(Self(url.as_str().to_owned())),
            Ok(url) if url.as_str().starts_with("http://") => Err(InvalidValue {
                message: format!(
                    "{}, unless the operator lists the host with --webhook-http-host",
                    refusal.message
                ),
                ..refusal
            }),
            _ => Err(refusal),
        }
    }

    /// A URL from the database, not validated again.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether the URL is a permitted target with the current configuration.
    #[must_use]
    pub fn is_valid(&self, plain_http_hosts: &[String]) -> bool {
        Self::parse(&self.0, plain_http_hosts).is_ok()
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EndpointUrl {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

/// Whether a URL is one for every reader. A parser of URLs also accepts texts that it then changes: it drops line breaks,
/// reads a backslash as a slash and a number as an address, and adds missing slashes.
fn is_plain(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return true };
    let after_scheme = text.get(url.scheme().len()..).unwrap_or_default();
    let has_authority = after_scheme.strip_prefix("://").is_some_and(|rest| !rest.starts_with('/'));
    let is_address_as_sent = url.host().is_none_or(|host| match host {
        Host::Ipv4(address) => text.contains(&address.to_string()),
        Host::Domain(_) | Host::Ipv6(_) => true,
    });
    let is_http = matches!(url.scheme(), "http" | "https");
    !is_http || (has_authority && is_address_as_sent && !text.contains(|c: char| c.is_control() || c == '\\'))
}

fn is_permitted(url: &str, hosts: &[String]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
    let full = format!("{host}:{port}");
    let is_default_port = url.port().is_none();
    hosts.iter().any(|permitted| {
        permitted.eq_ignore_ascii_case(&full) || (is_default_port && permitted.eq_ignore_ascii_case(host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_permitted_hosts_may_be_unencrypted_or_private() {
        let hosts = ["localhost:9000".to_owned(), "Hooks.internal".to_owned()];
        let valid = |text| EndpointUrl::parse(text, &hosts).is_ok();
        for text in [
            " https://x.dev/a ",
            "http://localhost:9000/x",
            "https://LOCALHOST:9000",
            "http://hooks.internal/",
            "https://hooks.internal",
        ] {
            assert!(valid(text), "{text}");
        }
        for text in [
            "http://x.dev/",
            "http://localhost/",
            "http://localhost:9001/",
            "http://hooks.internal:81/",
            "http://localhost:9000@x.dev/",
            "https://10.0.0.5/x",
            "https://localhost/x",
            "ftp://hooks.internal/",
            "https://user:secret@x.dev/",
            "https://user@x.dev/",
            "https://:secret@hooks.internal/",
            "https://x.dev/a\tb",
            "https://x.\ndev/",
            "https:\\\\x.dev\\a",
            "https:/x.dev/",
            "https:x.dev",
            "https:///x.dev/",
            "https://0x08080808/",
            "https://134744072/",
            "",
        ] {
            assert!(!valid(text), "{text}");
        }
    }

    #[test]
    fn a_stored_url_can_become_invalid() {
        let url = EndpointUrl::from_stored("http://localhost:9000/".to_owned());
        assert!(url.is_valid(&["localhost:9000".to_owned()]));
        assert!(!url.is_valid(&[]));
    }
}
