//! Where an endpoint's requests go.

use std::fmt;

use serde::{Serialize, Serializer};
use url::Url;

use crate::values::{HttpUrl, HttpsUrl, InvalidValue};

/// The address of an endpoint: `https` at a public host, or at a host that the operator named, where plain
/// `http` is allowed as well. A stored one may have become invalid since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointUrl(String);

impl EndpointUrl {
    /// Reads an address. `plain_http_hosts` are the hosts that the operator named, with their port where it
    /// is not the usual one.
    ///
    /// # Errors
    /// When it is no address, or leads to where a webhook must not go.
    pub fn parse(text: &str, plain_http_hosts: &[String]) -> Result<Self, InvalidValue> {
        let refusal = match HttpsUrl::parse(text) {
            Ok(url) => return Ok(Self(url.as_str().to_owned())),
            Err(refusal) => refusal,
        };
        match HttpUrl::parse(text.trim()) {
            Ok(url) if is_named(url.as_str(), plain_http_hosts) => Ok(Self(url.as_str().to_owned())),
            _ => Err(refusal),
        }
    }

    /// An address as it was stored.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// Whether the address could be given today.
    #[must_use]
    pub fn is_valid(&self, plain_http_hosts: &[String]) -> bool {
        Self::parse(&self.0, plain_http_hosts).is_ok()
    }

    /// The address.
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

fn is_named(url: &str, hosts: &[String]) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
    let full = format!("{host}:{port}");
    let usual = url.port().is_none();
    hosts.iter().any(|named| named.eq_ignore_ascii_case(&full) || (usual && named.eq_ignore_ascii_case(host)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_hosts_may_be_unencrypted_or_inside() {
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
            "",
        ] {
            assert!(!valid(text), "{text}");
        }
    }

    #[test]
    fn a_stored_address_may_have_become_invalid() {
        let url = EndpointUrl::from_stored("http://localhost:9000/".to_owned());
        assert!(url.is_valid(&["localhost:9000".to_owned()]));
        assert!(!url.is_valid(&[]));
    }
}
