//! Hosts that may embed an organization's checkout (docs/contracts/polar/organizations.md, 2.2).
//!
//! An entry is one of: a host with an optional port, a wildcard for the subdomains of one domain, an IP address,
//! or the origin of an app with its own scheme. A web scheme, a scheme that no app has of its own, a path, and everything
//! else that the CSP directive `frame-ancestors` does not accept is refused. A wildcard directly below a registry suffix is refused by a short
//! built-in list, not by the whole Public Suffix List.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::InvalidValue;

/// Second-level domains under which registries register names, by country: `co.uk`, `com.au` and so on.
const REGISTRY_SUFFIXES: [(&str, &str); 42] = [
    ("ae", "ac co gov mil net org sch"),
    ("ar", "com edu gob int net org tur"),
    ("at", "ac co gv or"),
    ("au", "asn com edu gov id net org"),
    ("bd", "com edu gov net org"),
    ("br", "art blog com eco edu gov ind net org"),
    ("cn", "ac com edu gov net org"),
    ("co", "com edu gov net nom org"),
    ("ec", "com edu gob net org"),
    ("eg", "com edu gov net org"),
    ("es", "com edu gob nom org"),
    ("fr", "asso com gouv nom prd tm"),
    ("gr", "com edu gov net org"),
    ("hk", "com edu gov idv net org"),
    ("hu", "co info org"),
    ("id", "ac co go my net or sch web"),
    ("il", "ac co gov k12 muni net org"),
    ("in", "ac co edu firm gen gov ind net org res"),
    ("jp", "ac ad co ed go gr lg ne or"),
    ("ke", "ac co go ne or"),
    ("kr", "ac co go mil ne or pe re"),
    ("lk", "com edu net org"),
    ("mx", "com edu gob net org"),
    ("my", "com edu gov name net org"),
    ("ng", "com edu gov net org"),
    ("np", "com edu gov net org"),
    ("nz", "ac co geek gen govt iwi maori net org school"),
    ("pe", "com edu gob net nom org"),
    ("ph", "com edu gov net org"),
    ("pk", "com edu gov net org"),
    ("pl", "biz com edu gov info net org"),
    ("pt", "com edu gov org"),
    ("rs", "ac co edu gov in org"),
    ("sa", "com edu gov med net org pub sch"),
    ("sg", "com edu gov net org per"),
    ("th", "ac co go in mi net or"),
    ("tr", "bel com edu gen gov net org web"),
    ("tw", "com edu gov idv net org"),
    ("ua", "com edu gov in kiev net org"),
    ("uk", "ac co gov ltd me net nhs org plc police sch"),
    ("vn", "com edu gov net org"),
    ("za", "ac co gov law net org web"),
];

/// Schemes that are no app's own.
const SCHEMES_OF_NO_APP: [&str; 16] = [
    "about",
    "blob",
    "chrome",
    "data",
    "file",
    "filesystem",
    "ftp",
    "intent",
    "javascript",
    "mailto",
    "resource",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

/// Characters of all entries of a list with a space between two of them, as in a header of every page of the portal.
/// Proxies accept some kilobytes of headers.
const MAX_LIST_OCTETS: usize = 2_000;
const MAX_HOST_OCTETS: usize = 253;
const MAX_LABEL_OCTETS: usize = 63;

/// A normalized host pattern: lower case, ASCII, without the default port 443.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmbedHost(String);

impl EmbedHost {
    /// Parses one entry.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let entry = text.trim().to_lowercase();
        normalize(&entry).map(Self).map_err(|reason| {
            let shown: String = text.trim().chars().take(MAX_HOST_OCTETS + 1).collect();
            InvalidValue::value_error(&format!("'{shown}' cannot be an embed host: {reason}"))
        })
    }

    /// Parses a list of entries. Duplicates are dropped. The first invalid entry is returned as the error, or the length of
    /// the list.
    pub fn parse_list<I>(entries: I) -> Result<Vec<Self>, InvalidValue>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut hosts = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for entry in entries {
            let host = Self::parse(entry.as_ref())?;
            if seen.insert(host.clone()) {
                hosts.push(host);
            }
        }
        let octets: usize = hosts.iter().map(|host| host.0.len() + 1).sum();
        if octets > MAX_LIST_OCTETS + 1 {
            let reason = format!(
                "the embed hosts have {} characters together, at most {MAX_LIST_OCTETS} are accepted",
                octets - 1
            );
            return Err(InvalidValue::value_error(&reason));
        }
        Ok(hosts)
    }

    /// The host pattern.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

text_value!(EmbedHost, EmbedHost::parse);

fn normalize(entry: &str) -> Result<String, &'static str> {
    if entry.is_empty() {
        return Err("it is empty");
    }
    if let Some((scheme, rest)) = entry.split_once("://") {
        return app_origin(scheme, rest);
    }
    let (host, port) = host_and_port(entry)?;
    Ok(match port {
        Some(port) if port != 443 => format!("{host}:{port}"),
        _ => host,
    })
}

fn app_origin(scheme: &str, rest: &str) -> Result<String, &'static str> {
    if matches!(scheme, "http" | "https") {
        return Err("leave out the scheme, the host is enough");
    }
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
    if !is_scheme {
        return Err("its scheme is malformed");
    }
    if SCHEMES_OF_NO_APP.contains(&scheme) {
        return Err("its scheme is not an app's own");
    }
    if rest.contains('*') {
        return Err("an app origin takes no wildcard");
    }
    let (host, port) = host_and_port(rest)?;
    Ok(port.map_or_else(|| format!("{scheme}://{host}"), |port| format!("{scheme}://{host}:{port}")))
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), &'static str> {
    if text.contains(['/', '\\', '?', '#', '@']) {
        return Err("only a host and a port are accepted, without path, query or user");
    }
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((format!("[{ip}]"), None));
    }
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']').ok_or("its bracket is not closed")?;
        let ip: Ipv6Addr = address.parse().map_err(|_| "its IPv6 address is malformed")?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(port_number(port)?),
            None if rest.is_empty() => None,
            None => return Err("only a port can follow the bracket"),
        };
        return Ok((format!("[{ip}]"), port));
    }
    match text.split_once(':') {
        Some((host, port)) => Ok((name_or_v4(host)?, Some(port_number(port)?))),
        None => Ok((name_or_v4(text)?, None)),
    }
}

fn port_number(text: &str) -> Result<u16, &'static str> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port > 0).ok_or("its port is not a number from 1 to 65535")
}

fn name_or_v4(text: &str) -> Result<String, &'static str> {
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Ok(ip.to_string());
    }
    let (wildcard, name) = match text.strip_prefix("*.") {
        Some(rest) => ("*.", rest),
        None => ("", text),
    };
    if name.contains('*') {
        return Err("a wildcard can only be the whole first label");
    }
    let name = if name.is_ascii() {
        name.to_owned()
    } else {
        idna::domain_to_ascii(name).map_err(|_| "it is not a valid international domain name")?
    };
    check_labels(&name)?;
    if !wildcard.is_empty() && is_registry_suffix(&name) {
        return Err("a wildcard below a registry's suffix would include every registrant");
    }
    if wildcard.len() + name.len() > MAX_HOST_OCTETS {
        return Err("it is longer than 253 characters");
    }
    Ok(format!("{wildcard}{name}"))
}

/// Refuses a host name with an invalid label or a numeric last label. A valid label has 1..=63 letters, digits
/// and inner hyphens; a numeric last label means a malformed IP address.
pub(super) fn check_labels(name: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=MAX_LABEL_OCTETS).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if !name.split('.').all(is_label) {
        return Err("its labels must be made of letters, digits and inner hyphens");
    }
    let last = name.rsplit('.').next().unwrap_or("");
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err("its IP address is malformed");
    }
    Ok(())
}

/// Whether anyone can register a name directly below this one: it is a single label or a listed suffix.
fn is_registry_suffix(name: &str) -> bool {
    let Some((second, top)) = name.split_once('.') else { return true };
    REGISTRY_SUFFIXES
        .iter()
        .any(|(country, seconds)| *country == top && seconds.split(' ').any(|known| known == second))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_normalized() {
        for (input, expected) in [
            (" Shop.Example.COM ", "shop.example.com"),
            ("x.dev:443", "x.dev"),
            ("x.dev:8080", "x.dev:8080"),
            ("*.x.dev", "*.x.dev"),
            ("*.vercel.app:444", "*.vercel.app:444"),
            ("127.0.0.1:3000", "127.0.0.1:3000"),
            ("[::1]:3000", "[::1]:3000"),
            ("[0:0::1]:443", "[::1]"),
            ("::1", "[::1]"),
            ("localhost", "localhost"),
            ("bücher.dev", "xn--bcher-kva.dev"),
            ("Chrome-Extension://abcdef", "chrome-extension://abcdef"),
            ("*.example.co.uk", "*.example.co.uk"),
            ("co.uk", "co.uk"),
        ] {
            assert_eq!(EmbedHost::parse(input).expect(input).as_str(), expected);
        }
    }

    #[test]
    fn invalid_entries_are_refused() {
        let long = ["a".repeat(63).as_str(); 4].join(".");
        for bad in [
            "",
            "  ",
            "*",
            "*.",
            "*.com",
            "*.co.uk",
            "https://x.dev",
            "HTTP://x.dev",
            "x.dev/path",
            "x.dev?q",
            "x.dev#f",
            "u@x.dev",
            "a.*.dev",
            "a*.dev",
            "*.*.dev",
            "x_y.dev",
            "x..dev",
            "x.dev.",
            ".x.dev",
            "x.dev:",
            "x.dev:0",
            "x.dev:65536",
            "x.dev:+1",
            "[::1",
            "[::1]x",
            "[zz]",
            "1.2.3",
            "*.1.2.3.4",
            "-x.dev",
            "x y.dev",
            "1x://id",
            "app://",
            "app://*.x",
            "javascript://x",
            "DATA://x",
            "wss://x.dev",
            "file://x",
            "x.dev'",
            "a;b.dev",
            &long,
        ] {
            assert_eq!(EmbedHost::parse(bad).expect_err(bad).kind, "value_error", "{bad}");
        }
    }

    #[test]
    fn a_list_drops_duplicates_and_stops_at_an_invalid_entry() {
        let hosts = EmbedHost::parse_list(["a.dev", "A.dev:443", "b.dev"]).unwrap();
        assert_eq!(hosts.iter().map(EmbedHost::as_str).collect::<Vec<_>>(), ["a.dev", "b.dev"]);
        let refusal = EmbedHost::parse_list(["a.dev", "http://b", "*"]).unwrap_err();
        assert!(refusal.message.starts_with("Value error, 'http://b' "));
    }

    #[test]
    fn a_list_fits_into_a_header() {
        let hosts = |count: usize| (0..count).map(|number| format!("host-{number:03}.example.dev"));
        // 20 characters and a space each.
        let longest = EmbedHost::parse_list(hosts(95)).unwrap();
        let header = longest.iter().map(EmbedHost::as_str).collect::<Vec<_>>().join(" ");
        assert_eq!(header.len(), 1_994);
        let refusal = EmbedHost::parse_list(hosts(96)).unwrap_err();
        assert!(refusal.message.contains("have 2015 characters together, at most 2000"), "{refusal}");
        // Duplicates are dropped first.
        assert!(EmbedHost::parse_list(hosts(95).chain(hosts(95))).is_ok());
    }

    proptest! {
        #[test]
        fn parsing_is_idempotent(s in "\\PC{0,16}|(\\*\\.)?[a-zA-Z0-9.-]{1,12}(:[0-9]{1,5})?") {
            if let Ok(host) = EmbedHost::parse(&s) {
                prop_assert!(host.as_str().is_ascii());
                prop_assert_eq!(EmbedHost::parse(host.as_str()).unwrap(), host);
            }
        }
    }
}
