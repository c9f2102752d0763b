//! The URL of a webhook endpoint.

use std::fmt;

use serde::{Serialize, Serializer};
use url::{Host, Url};

use super::WebhookError;
use crate::values::{HttpUrl, HttpsUrl, InvalidValue};

/// Stands for a user name and password where a URL is shown.
const MASK: &str = "********";

/// The URL of an endpoint: `https` with a public host, or `http` or `https` with a host that the operator permitted in
/// the configuration. A stored URL can become invalid when the configuration changes.
///
/// A user name and password in it are a secret: every text form of the URL masks them, except [`EndpointUrl::target`].
#[derive(Clone, PartialEq, Eq)]
pub struct EndpointUrl {
    /// Without a user name and password.
    url: String,
    shown: String,
    credentials: Credentials,
}

/// The user name and password of a URL.
#[derive(Clone, PartialEq, Eq)]
enum Credentials {
    None,
    /// As the URL writes them: `user:password`, escaped.
    Known(String),
    /// The text has masked ones, or the stored ones cannot be decrypted.
    Unknown,
}

impl EndpointUrl {
    /// Parses a URL. `plain_http_hosts` are the hosts that the operator permitted, each with its port unless that is
    /// the default port of the scheme.
    ///
    /// # Errors
    /// When the text is not a URL, or it is not a permitted target.
    pub fn parse(text: &str, plain_http_hosts: &[String]) -> Result<Self, InvalidValue> {
        if !is_plain(text.trim()) {
            let message =
                "URL must be written plainly: scheme, //, host, and no control character or backslash";
            return Err(InvalidValue { kind: "value_error", message: message.to_owned(), context: None });
        }
        let refusal = match HttpsUrl::parse(text) {
            Ok(url) => return Ok(Self::of(url.as_str())),
            Err(refusal) => refusal,
        };
        match HttpUrl::parse(text.trim()) {
            Ok(url) if is_permitted(url.as_str(), plain_http_hosts) => Ok(Self::of(url.as_str())),
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

    /// The parts of a valid URL.
    fn of(text: &str) -> Self {
        let Ok(mut url) = Url::parse(text) else { return Self::from_stored(text.to_owned()) };
        let credentials = match (url.username(), url.password()) {
            ("", None) => return Self::from_stored(text.to_owned()),
            (MASK, None) => None,
            (user, None) => Some(user.to_owned()),
            (user, Some(password)) => Some(format!("{user}:{password}")),
        };
        // A URL with a host takes both.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Self::from_stored_with(url.to_string(), credentials)
    }

    /// A URL without credentials from the database, not validated again.
    #[must_use]
    pub fn from_stored(url: String) -> Self {
        Self { shown: url.clone(), url, credentials: Credentials::None }
    }

    /// A URL with credentials from the database, not validated again. None if they could not be decrypted.
    #[must_use]
    pub fn from_stored_with(url: String, credentials: Option<String>) -> Self {
        let shown = with_credentials(&url, MASK);
        let credentials = credentials.map_or(Credentials::Unknown, Credentials::Known);
        Self { url, shown, credentials }
    }

    /// Whether the URL is a permitted target with the current configuration.
    #[must_use]
    pub fn is_valid(&self, plain_http_hosts: &[String]) -> bool {
        Self::parse(&self.url, plain_http_hosts).is_ok()
    }

    /// The URL as it is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The URL without a user name and password.
    #[must_use]
    pub fn bare(&self) -> &str {
        &self.url
    }

    /// The user name and password, if there are any and they are known.
    #[must_use]
    pub fn credentials(&self) -> Option<&str> {
        match &self.credentials {
            Credentials::Known(credentials) => Some(credentials),
            Credentials::None | Credentials::Unknown => None,
        }
    }

    /// Whether the URL has a user name or password.
    #[must_use]
    pub fn has_credentials(&self) -> bool {
        self.credentials != Credentials::None
    }

    /// The URL to send to, with its user name and password. None if these are not known.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        match &self.credentials {
            Credentials::None => Some(self.url.clone()),
            Credentials::Known(credentials) => Some(with_credentials(&self.url, credentials)),
            Credentials::Unknown => None,
        }
    }

    /// The host, with the port if it is not that of the scheme.
    #[must_use]
    pub fn host(&self) -> &str {
        let after = self.url.split_once("://").map_or(self.url.as_str(), |(_, after)| after);
        after.split(['/', '?', '#']).next().unwrap_or_default()
    }

    /// The URL that replaces `before`. A masked user name and password become those of `before` if scheme, host and
    /// port stay the same. With another host, that host would get to know them.
    pub(super) fn replacing(self, before: Option<&Self>) -> Result<Self, WebhookError> {
        if self.credentials != Credentials::Unknown {
            return Ok(self);
        }
        let origin = |url: &Self| Url::parse(&url.url).map(|url| url.origin()).ok();
        let same = before.filter(|before| before.has_credentials() && origin(before) == origin(&self));
        let before = same.ok_or(WebhookError::CredentialsMasked)?;
        Ok(Self { credentials: before.credentials.clone(), ..self })
    }
}

/// The URL with a user name and password.
fn with_credentials(url: &str, credentials: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{credentials}@{rest}"),
        None => url.to_owned(),
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Serialize for EndpointUrl {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.shown)
    }
}

/// Whether a URL is one for every reader. A parser of URLs also accepts texts that it then changes: it drops line
/// breaks, reads a backslash as a slash and a number as an address, and adds missing slashes.
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
            "https://user:secret@10.0.0.5/",
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

    #[test]
    fn a_user_name_and_password_are_known_and_not_shown() {
        for (text, known, shown) in [
            ("https://user:s%40cret@x.dev/a", "user:s%40cret", "https://********@x.dev/a"),
            ("https://token@x.dev", "token", "https://********@x.dev/"),
            ("https://:secret@x.dev:8443/?q=1", ":secret", "https://********@x.dev:8443/?q=1"),
        ] {
            let url = EndpointUrl::parse(text, &[]).unwrap();
            assert_eq!((url.credentials(), url.as_str()), (Some(known), shown));
            assert_eq!(EndpointUrl::parse(&url.target().unwrap(), &[]).unwrap(), url);
            let texts = [url.to_string(), format!("{url:?}"), serde_json::to_string(&url).unwrap()];
            assert!(texts.iter().all(|text| !text.contains("cret") && !text.contains("token")), "{texts:?}");
            assert!(!url.bare().contains('@') && !url.host().contains('@'));
        }
    }

    #[test]
    fn masked_credentials_are_kept_for_the_same_host_alone() {
        let parse = |text| EndpointUrl::parse(text, &[]).unwrap();
        let before = parse("https://user:secret@x.dev/a");
        let kept = |text| parse(text).replacing(Some(&before)).map(|url| url.target().unwrap());
        assert_eq!(kept(before.as_str()), Ok("https://user:secret@x.dev/a".to_owned()));
        assert_eq!(kept("https://********@X.dev:443/b"), Ok("https://user:secret@x.dev/b".to_owned()));
        assert_eq!(kept("https://other@y.dev/"), Ok("https://other@y.dev/".to_owned()));
        assert_eq!(kept("https://x.dev/a"), Ok("https://x.dev/a".to_owned()));
        for text in
            ["https://********@y.dev/", "https://********@x.dev:8443/a", "https://********@x.dev.y.dev/"]
        {
            assert_eq!(kept(text), Err(WebhookError::CredentialsMasked), "{text}");
        }
        let masked = || parse("https://********@x.dev/");
        assert_eq!(masked().target(), None);
        assert_eq!(masked().replacing(None), Err(WebhookError::CredentialsMasked));
        assert_eq!(masked().replacing(Some(&parse("https://x.dev/"))), Err(WebhookError::CredentialsMasked));
    }
}
