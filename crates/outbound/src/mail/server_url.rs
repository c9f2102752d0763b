//! The URL of a mail server. Whatever would be ignored is refused, because a misspelt `tls` means a password in clear
//! text.

use std::net::IpAddr;

use url::{Host, Url};

use super::MailError;

/// Encryption of the connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    /// None.
    Off,
    /// By STARTTLS, if the server offers it.
    Opportunistic,
    /// By STARTTLS.
    Required,
    /// From the first byte.
    Wrapped,
}

/// A checked URL of a mail server.
#[derive(Debug)]
pub(super) struct ServerUrl {
    /// The URL in the form that the library takes.
    pub(super) url: String,
    pub(super) host: String,
    pub(super) encryption: Encryption,
}

impl ServerUrl {
    /// Parses `smtp://NAME:PASSWORD@HOST:PORT?tls=required` or `smtps://NAME:PASSWORD@HOST:PORT`.
    ///
    /// The messages repeat neither the name nor the password.
    pub(super) fn parse(text: &str) -> Result<Self, MailError> {
        let wrong = |why: &str| MailError::permanent(format!("the SMTP URL is not valid: {why}"));
        let shape = "use smtp://NAME:PASSWORD@HOST:PORT?tls=required";
        let mut url = Url::parse(text).map_err(|_| wrong(shape))?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| wrong(shape))?.to_owned();
        if !url.path().trim_matches('/').is_empty() || url.fragment().is_some() {
            return Err(wrong("it has a path or a #; the name for EHLO is set by --mail-ehlo"));
        }
        if url.port() == Some(0) {
            return Err(wrong("there is no port 0"));
        }
        if !(is_percent_encoded(url.username()) && is_percent_encoded(url.password().unwrap_or_default())) {
            return Err(wrong("a % in the name or password is written %25"));
        }
        if url.username().is_empty() != url.password().is_none_or(str::is_empty) {
            return Err(wrong("name and password belong together: give both or neither"));
        }
        let encryption = encryption(&url)?;
        let is_exposed = matches!(encryption, Encryption::Off | Encryption::Opportunistic);
        let is_chosen = url.query_pairs().any(|(name, value)| name == "tls" && value == "none");
        if url.password().is_some() && is_exposed && !is_chosen && !is_loopback(&url) {
            return Err(wrong(
                "the password would be sent without TLS: add ?tls=required, or ?tls=none to accept that",
            ));
        }
        if encryption == Encryption::Off {
            url.set_query(None);
        }
        Ok(Self { url: url.into(), host, encryption })
    }
}

/// The encryption that the scheme and the one parameter ask for.
fn encryption(url: &Url) -> Result<Encryption, MailError> {
    let wrong = |why: &str| Err(MailError::permanent(format!("the SMTP URL is not valid: {why}")));
    let mut asked = None;
    for (name, value) in url.query_pairs() {
        if name != "tls" {
            return wrong("its only parameter is tls: smtp://HOST?tls=required");
        }
        if asked.replace(value).is_some() {
            return wrong("tls is given twice");
        }
    }
    match (url.scheme(), asked.as_deref()) {
        ("smtps", None | Some("required")) => Ok(Encryption::Wrapped),
        ("smtps", _) => wrong("smtps:// is always encrypted: leave tls out"),
        ("smtp", None | Some("none")) => Ok(Encryption::Off),
        ("smtp", Some("required")) => Ok(Encryption::Required),
        ("smtp", Some("opportunistic")) => Ok(Encryption::Opportunistic),
        ("smtp", _) => wrong("tls is required, opportunistic or none"),
        _ => wrong("use smtp:// or smtps://"),
    }
}

/// Whether every `%` begins an escape.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_how_the_connection_is_encrypted() {
        for (url, expected) in [
            ("smtp://u:hunter2@mail.example.com?tls=required", Encryption::Required),
            ("smtps://u:hunter2@mail.example.com", Encryption::Wrapped),
            ("smtps://u:hunter2@mail.example.com?tls=required", Encryption::Wrapped),
            ("smtp://u:hunter2@mail.example.com/?tls=none", Encryption::Off),
            ("smtp://u:hunter2@127.0.0.1:2525", Encryption::Off),
            ("smtp://u:hunter2@localhost?tls=opportunistic", Encryption::Opportunistic),
            ("smtp://u:hunter2@[::1]", Encryption::Off),
            ("smtp://relay.example.com", Encryption::Off),
            ("smtp://relay.example.com?tls=opportunistic", Encryption::Opportunistic),
        ] {
            assert_eq!(ServerUrl::parse(url).unwrap().encryption, expected, "{url}");
        }
    }

    #[test]
    fn whatever_would_be_ignored_is_refused() {
        for (url, expected) in [
            ("smtp://u:hunter2@mail.example.com", "without TLS"),
            ("smtp://u:hunter2@mail.example.com?tls=opportunistic", "without TLS"),
            ("smtp://u:hunter2@mail.example.com?tsl=required", "only parameter is tls"),
            ("smtp://u:hunter2@mail.example.com?starttls=1", "only parameter is tls"),
            ("smtp://u:hunter2@mail.example.com?tls=required&x=1", "only parameter is tls"),
            ("smtp://u:hunter2@mail.example.com?tls=required&tls=none", "twice"),
            ("smtp://u:hunter2@mail.example.com?tls=yes", "required, opportunistic or none"),
            ("smtps://u:hunter2@mail.example.com?tls=none", "leave tls out"),
            ("smtp://u:hunter2@mail.example.com/path?tls=required", "--mail-ehlo"),
            ("smtp://u:hunter2@mail.example.com?tls=required#x", "--mail-ehlo"),
            ("smtp://u:hunter2%zz@mail.example.com?tls=required", "%25"),
            ("smtp://u@mail.example.com?tls=required", "belong together"),
            ("smtp://:hunter2@mail.example.com?tls=required", "belong together"),
            ("smtp://u:hunter2@mail.example.com:0?tls=required", "port 0"),
            ("smtp://", "use smtp://"),
        ] {
            let message = ServerUrl::parse(url).unwrap_err().to_string();
            assert!(message.contains(expected), "{url}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }
}
