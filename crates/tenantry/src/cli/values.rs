//! Parsers of option values. Each accepts every spelling that can work, and refuses the others with a message
//! that says which value would be accepted.

use std::net::Ipv6Addr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use tenantry_core::invitation::InvitationStatus;
use tenantry_core::organization::FeatureSettings;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{Overlap, Scope};
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, HttpUrl, InvalidValue, IpAllowList, parse_uuid};
use tenantry_outbound::mail::Mailer;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use url::Url;
use uuid::Uuid;

/// The shortest part of a name, in characters, that is taken for the name.
const MEANINGFUL: usize = 5;
/// The crates of the program, as modules of the log.
const MODULES: [&str; 7] = [
    "tenantry",
    "tenantry_app",
    "tenantry_core",
    "tenantry_http",
    "tenantry_outbound",
    "tenantry_store",
    "tenantry_worker",
];

/// The longest lifetime of a token in seconds: a hundred years.
const LONGEST_LIFETIME_S: i64 = 100 * 366 * 24 * 60 * 60;

/// Values separated by commas; an option that can be repeated takes a list each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct List<T>(Vec<T>);

impl<T: Clone> List<T> {
    /// All values of an option that was given several times.
    pub(crate) fn joined(lists: &[Self]) -> Vec<T> {
        lists.iter().flat_map(|list| list.0.iter().cloned()).collect()
    }

    fn parse(text: &str, one: impl Fn(&str) -> Result<T, String>) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let values: Vec<T> = parts.map(one).collect::<Result<_, _>>()?;
        if values.is_empty() {
            return Err("the list is empty: name at least one, or leave the option out".to_owned());
        }
        Ok(Self(values))
    }
}

/// The message of an invalid value without the prefix that the Polar API requires.
pub(crate) fn reason(invalid: &InvalidValue) -> &str {
    invalid.message.strip_prefix("Value error, ").unwrap_or(&invalid.message)
}

/// The name among `known` that `text` is probably meant to be.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let distances = known.into_iter().map(|name| {
        let lower = name.to_ascii_lowercase();
        // A part of the name is a likely mistake too, such as the singular.
        let is_part = text.len() >= MEANINGFUL && (lower.starts_with(&text) || text.starts_with(&lower));
        (if is_part { 2 } else { strsim::damerau_levenshtein(&text, &lower) }, name)
    });
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= text.chars().count() / 3).then_some(name)
}

/// The text "did you mean ...: " with the nearest name, or nothing.
fn suggestion<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(text, known).map(|name| format!("did you mean {name}? ")).unwrap_or_default()
}

/// A parser of a whole number in a range of a unit.
pub(crate) fn number<T>(
    range: RangeInclusive<u64>,
    unit: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: TryFrom<u64> + 'static,
{
    move |text: &str| {
        let number = text.trim().parse::<u64>().ok().filter(|number| range.contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number
            .ok_or_else(|| format!("use a whole number of {unit} from {} to {}", range.start(), range.end()))
    }
}

/// A parser of a whole number above 0 of a unit.
pub(crate) fn positive(
    unit: &'static str,
) -> impl Fn(&str) -> Result<NonZeroU32, String> + Clone + Send + Sync + 'static {
    let parse = number::<u32>(1..=u64::from(u32::MAX), unit);
    move |text: &str| parse(text).map(|number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

/// `on` or `off`.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err("use on or off".to_owned()),
    }
}

/// The levels of the log, by module.
#[derive(Debug, Clone)]
pub(crate) struct LogFilter(pub(crate) Targets);

/// `LEVEL`, and `MODULE=LEVEL` after commas. Modules that are not named log at `LEVEL`, or at `info` without it. The
/// libraries of passkeys and of HTTP/2 log only if they are named: what they warn of is a client's fault, of which a client
/// can make any number.
pub(crate) fn log_filter(text: &str) -> Result<LogFilter, String> {
    let mut targets = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("webauthn_rs", LevelFilter::OFF)
        .with_target("h2", LevelFilter::OFF);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        targets = match part.split_once('=') {
            None => targets.with_default(level(part)?),
            Some((module, name)) if is_module(module.trim()) => {
                let module = module.trim();
                let root = module.split("::").next().unwrap_or(module);
                // Other libraries log too, so an unknown name is refused only when it looks like one of these.
                match nearest(root, MODULES) {
                    Some(known) if !MODULES.contains(&root) => {
                        return Err(format!("there is no module {root:?}: did you mean {known}?"));
                    }
                    _ => targets.with_target(module, level(name.trim())?),
                }
            }
            Some((module, _)) => return Err(format!("{module:?} is not a module, such as tenantry_http")),
        };
    }
    Ok(LogFilter(targets))
}

fn level(name: &str) -> Result<LevelFilter, String> {
    match name.to_ascii_lowercase().as_str() {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" | "warning" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        _ => Err(format!("{name:?} is not a level: use error, warn, info, debug, trace or off")),
    }
}

fn is_module(text: &str) -> bool {
    text.split("::")
        .all(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// `HOST:PORT`.
pub(crate) fn listen_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    let is_valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<Ipv6Addr>().is_ok(),
            None => is_host_name(host),
        };
        port.parse::<u16>().is_ok() && is_host
    });
    if is_valid { Ok(text.to_owned()) } else { Err("use HOST:PORT, such as 127.0.0.1:8080".to_owned()) }
}

/// Addresses or networks of proxies.
pub(crate) fn networks(text: &str) -> Result<List<String>, String> {
    List::parse(text, |network| match IpAllowList::parse([network]) {
        Ok(_) => Ok(network.to_owned()),
        Err(_) if network.ends_with("/0") => Err(format!(
            "{network:?} covers every address, so any client could name itself: list the proxies"
        )),
        Err(_) => Err(format!("{network:?} is not an address or a network: use 10.0.0.10 or 10.0.0.0/8")),
    })
}

/// Origins, in the form in which browsers send them.
pub(crate) fn origins(text: &str) -> Result<List<String>, String> {
    List::parse(text, origin)
}

/// A role that an invitation gives.
pub(crate) fn invited_role(text: &str) -> Result<TeamRole, String> {
    let names = TeamRole::ALL.map(TeamRole::as_str);
    let role = TeamRole::from_name(text).filter(|role| *role != TeamRole::Owner);
    role.ok_or_else(|| {
        let names: Vec<&str> = names.into_iter().filter(|name| *name != TeamRole::Owner.as_str()).collect();
        format!("{text:?} is not a role that an invitation gives: use {}", names.join(", "))
    })
}

/// The status of an invitation.
pub(crate) fn invitation_status(text: &str) -> Result<InvitationStatus, String> {
    InvitationStatus::from_name(text).ok_or_else(|| {
        format!("{text:?} is not a status of an invitation: use {}", InvitationStatus::NAMES.join(", "))
    })
}

/// An origin, in the form in which browsers send it.
pub(crate) fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not an origin: use https://HOST or https://HOST:PORT");
    let url = Url::parse(text).map_err(|_| {
        if is_host_name(text) { format!("{text:?} has no scheme: use https://{text}") } else { wrong() }
    })?;
    let is_origin = matches!(url.scheme(), "http" | "https")
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if url.host_str().is_some_and(|host| host.contains('*')) {
        return Err(format!(
            "{text:?}: there are no wildcards: list each origin, such as https://app.example.com"
        ));
    }
    if is_origin { Ok(url.origin().ascii_serialization()) } else { Err(wrong()) }
}

/// Hosts, with a port where it is not the default one.
pub(crate) fn plain_http_hosts(text: &str) -> Result<List<String>, String> {
    List::parse(text, plain_http_host)
}

fn plain_http_host(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not a host: use HOST or HOST:PORT, such as localhost:9000");
    if text.contains("://") {
        let host = Url::parse(text).ok().and_then(|url| {
            let host = url.host_str()?.to_owned();
            Some(url.port().map_or_else(|| host.clone(), |port| format!("{host}:{port}")))
        });
        return Err(host.map_or_else(wrong, |host| format!("{text:?} is a URL: use {host}")));
    }
    if IpAllowList::parse([text]).is_ok() && text.contains('/') {
        return Err(format!("{text:?} is a network: list each host, such as 10.0.0.7 or 10.0.0.7:9000"));
    }
    let bracketed = if text.parse::<Ipv6Addr>().is_ok() { format!("[{text}]") } else { text.to_owned() };
    let url = Url::parse(&format!("http://{bracketed}/")).map_err(|_| wrong())?;
    let is_host = url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.port() != Some(0)
        && !bracketed.starts_with('.')
        && !bracketed.ends_with(':')
        && !bracketed.contains(['/', '?', '#', '@', '*']);
    let host = url.host_str().filter(|_| is_host).ok_or_else(wrong)?;
    Ok(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// A URL to which paths can be appended.
pub(crate) fn portal_url(text: &str) -> Result<HttpUrl, String> {
    let text = text.trim();
    let url = HttpUrl::parse(text).map_err(|_| {
        let advice = if is_host_name(text) { format!("https://{text}") } else { "https://HOST".to_owned() };
        format!("{text:?} is not an http or https URL: use {advice}")
    })?;
    if url.as_str().contains(['?', '#']) {
        return Err("use a URL without ? and #, such as https://portal.example.com".to_owned());
    }
    let parsed = Url::parse(url.as_str()).ok();
    if parsed.is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
        return Err("use a URL without a user name and a password: every customer sees it".to_owned());
    }
    Ok(url)
}

/// `ADDRESS` or `NAME <ADDRESS>`.
pub(crate) fn mail_sender(text: &str) -> Result<String, String> {
    if Mailer::can_send_as(text) {
        return Ok(text.trim().to_owned());
    }
    Err("use ADDRESS or NAME <ADDRESS>, such as Acme <no-reply@example.com>".to_owned())
}

/// A language of mails.
pub(crate) fn language(text: &str) -> Result<Language, String> {
    Language::from_tag(&text.trim().to_ascii_lowercase()).ok_or_else(|| "use en or de".to_owned())
}

/// An e-mail address.
pub(crate) fn email(text: &str) -> Result<EmailAddress, String> {
    EmailAddress::parse(text.trim()).map_err(|invalid| reason(&invalid).to_owned())
}

/// A host name.
pub(crate) fn host_name(text: &str) -> Result<String, String> {
    let text = text.trim();
    if is_host_name(text) {
        Ok(text.to_owned())
    } else {
        Err("use a host name, such as mail.example.com".to_owned())
    }
}

fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

/// Scopes by name.
pub(crate) fn scopes(text: &str) -> Result<List<Scope>, String> {
    let names: Vec<String> = Scope::names().collect();
    List::parse(text, |name| {
        name.to_ascii_lowercase().parse().map_err(|_| {
            let suggestion = suggestion(name, names.iter().map(String::as_str));
            format!("{name:?} is not a scope: {suggestion}use {}", names.join(", "))
        })
    })
}

/// The names of all scopes, as a list for people.
pub(crate) fn scope_names() -> String {
    Scope::names().collect::<Vec<_>>().join(", ")
}

/// Features by name.
pub(crate) fn features(text: &str) -> Result<List<String>, String> {
    let known = all_features();
    List::parse(text, |name| match known.iter().find(|feature| feature.eq_ignore_ascii_case(name)) {
        Some(feature) => Ok(feature.clone()),
        None => {
            let suggestion = suggestion(name, known.iter().map(String::as_str));
            Err(format!("{name:?} is not a feature: {suggestion}use {}", known.join(", ")))
        }
    })
}

/// The names of all features, as a list for people.
pub(crate) fn feature_names() -> String {
    all_features().join(", ")
}

fn all_features() -> Vec<String> {
    let Ok(serde_json::Value::Object(features)) = serde_json::to_value(FeatureSettings::default()) else {
        return Vec::new();
    };
    features.into_iter().filter(|(_, value)| value.is_boolean()).map(|(name, _)| name).collect()
}

/// The id of an import.
pub(crate) fn import_id(text: &str) -> Result<Uuid, String> {
    parse_uuid(text.trim())
        .map_err(|_| format!("{text:?} is not an id: use the UUID that `import customers` printed"))
}

/// A lifetime such as `30d`, in seconds.
pub(crate) fn lifetime_s(text: &str) -> Result<i64, String> {
    let wrong = || "use 90s, 15m, 12h or 30d, at most 36600d".to_owned();
    let text = text.trim();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let count: i64 = text.get(..text.len() - 1).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    let seconds = count.checked_mul(unit).filter(|seconds| (1..=LONGEST_LIFETIME_S).contains(seconds));
    seconds.ok_or_else(wrong)
}

/// The time for which an old secret works on, such as `24h`, or `0`.
pub(crate) fn overlap(text: &str) -> Result<Overlap, String> {
    let seconds = if text.trim() == "0" { 0 } else { lifetime_s(text)? };
    Overlap::from_seconds(seconds).map_err(|_| "use 0, 90s, 15m, 12h or 30d, at most 30d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts<T: PartialEq + std::fmt::Debug>(parse: fn(&str) -> Result<T, String>, cases: &[(&str, T)]) {
        for (text, expected) in cases {
            assert_eq!(parse(text).as_ref(), Ok(expected), "{text}");
        }
    }

    fn refuses<T: std::fmt::Debug>(parse: fn(&str) -> Result<T, String>, cases: &[(&str, &str)]) {
        for (text, expected) in cases {
            let message = parse(text).unwrap_err();
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    fn list(values: &[&str]) -> List<String> {
        List(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn a_level_is_a_name_and_nothing_else() {
        let default = |text: &str| log_filter(text).unwrap().0.default_level();
        assert_eq!(default("WARNING"), Some(LevelFilter::WARN));
        assert_eq!(default(" debug "), Some(LevelFilter::DEBUG));
        let logs_passkeys = |text: &str| {
            log_filter(text).unwrap().0.would_enable("webauthn_rs_core::core", &tracing::Level::ERROR)
        };
        assert!(!logs_passkeys("trace") && logs_passkeys("webauthn_rs=error"));
        for text in ["tenantry_http=debug", "info, tenantry_http = DEBUG"] {
            let filter = log_filter(text).unwrap().0;
            assert!(filter.would_enable("tenantry_http::x", &tracing::Level::DEBUG), "{text}");
            assert!(filter.would_enable("tenantry_app", &tracing::Level::INFO), "{text}");
            assert!(!filter.would_enable("tenantry_app", &tracing::Level::DEBUG), "{text}");
        }
        refuses(
            log_filter,
            &[
                ("inof", "use error"),
                ("tenantry_http", "use error"),
                ("a=b", "use error"),
                ("tenantry_htpp=info", "did you mean tenantry_http?"),
                ("=info", "not a module"),
                ("[span]=info", "not a module"),
            ],
        );
    }

    #[test]
    fn an_origin_has_the_form_in_which_browsers_send_it() {
        accepts(
            origins,
            &[
                ("https://a.example, https://b.example", list(&["https://a.example", "https://b.example"])),
                ("https://a.example/", list(&["https://a.example"])),
                (" HTTPS://A.example:443 ,", list(&["https://a.example"])),
                ("http://localhost:3000", list(&["http://localhost:3000"])),
                ("https://bücher.example", list(&["https://xn--bcher-kva.example"])),
            ],
        );
        refuses(
            origins,
            &[
                ("a.example.com", "use https://a.example.com"),
                ("https://a.example/app", "https://HOST"),
                ("https://a.example?x", "https://HOST"),
                ("ftp://a.example", "https://HOST"),
                ("*", "https://HOST"),
                ("https://*.example.com", "no wildcards"),
                ("null", "use https://null"),
                ("localhost:3000", "https://HOST"),
            ],
        );
    }

    #[test]
    fn a_plain_http_host_is_a_host_with_an_optional_port() {
        accepts(
            plain_http_hosts,
            &[
                ("localhost:9000, hooks.internal", list(&["localhost:9000", "hooks.internal"])),
                ("LocalHost:80", list(&["localhost"])),
                ("10.0.0.7", list(&["10.0.0.7"])),
                ("::1", list(&["[::1]"])),
                ("[::1]:9000", list(&["[::1]:9000"])),
            ],
        );
        refuses(
            plain_http_hosts,
            &[
                ("http://x", "use x"),
                ("http://x:9000/hook", "use x:9000"),
                ("10.0.0.0/8", "list each host"),
                ("x/", "HOST:PORT"),
                ("*.internal", "HOST:PORT"),
                ("a b", "HOST:PORT"),
                ("x:99999", "HOST:PORT"),
                ("x:0", "HOST:PORT"),
                ("x:", "HOST:PORT"),
                (".x", "HOST:PORT"),
            ],
        );
    }

    #[test]
    fn other_values_are_trimmed_and_checked() {
        accepts(switch, &[("on", true), (" OFF ", false), ("true", true), ("no", false)]);
        refuses(switch, &[("maybe", "on or off"), ("", "on or off")]);
        accepts(networks, &[("10.0.0.1, 10.1.0.0/16", list(&["10.0.0.1", "10.1.0.0/16"]))]);
        refuses(
            networks,
            &[
                ("proxy.internal", "10.0.0.10"),
                ("10.0.0.1:80", "10.0.0.10"),
                ("::/0", "covers every address"),
            ],
        );
        accepts(
            listen_address,
            &[
                ("127.0.0.1:0", "127.0.0.1:0".to_owned()),
                ("[::]:8080", "[::]:8080".to_owned()),
                (" localhost:80 ", "localhost:80".to_owned()),
            ],
        );
        refuses(
            listen_address,
            &[
                ("8080", "HOST:PORT"),
                (":8080", "HOST:PORT"),
                ("http://127.0.0.1:8080", "HOST:PORT"),
                ("127.0.0.1", "HOST:PORT"),
            ],
        );
        refuses(
            portal_url,
            &[
                ("https://a.example/?x=1", "without ?"),
                ("https://u:p@a.example", "user name"),
                ("a.example", "use https://a.example"),
                ("ftp://a.example", "use https://HOST"),
            ],
        );
        refuses(mail_sender, &[("nobody", "NAME <ADDRESS>")]);
        accepts(language, &[("en", Language::English), (" DE ", Language::German)]);
        refuses(language, &[("fr", "en or de"), ("", "en or de")]);
        refuses(host_name, &[("[127.0.0.1]", "host name"), ("a b", "host name"), ("a..b", "host name")]);
        accepts(lifetime_s, &[("90s", 90), ("12h", 43_200), ("30d", 2_592_000)]);
        refuses(overlap, &[("31d", "at most 30d"), ("1w", "30d")]);
        accepts(overlap, &[("0", Overlap::from_seconds(0).unwrap()), ("24h", Overlap::default())]);
        refuses(lifetime_s, &[("0s", "30d"), ("1w", "30d"), ("-1d", "30d"), ("99999d", "30d"), ("d", "30d")]);
    }

    #[test]
    fn an_unknown_scope_or_feature_gets_the_names_of_all() {
        refuses(scopes, &[("members:raed", "members:read, "), ("x", "messages:send:all"), ("x", "*")]);
        refuses(features, &[("member_model", "member_model_enabled"), ("overview_metrics", "sso_enabled")]);
        refuses(scopes, &[("members:raed", "did you mean members:read?"), (" , ", "empty"), ("", "empty")]);
        assert_eq!(scopes("Members:Read, *").unwrap().0.len(), 2);
    }

    #[test]
    fn a_number_is_trimmed_and_its_error_names_range_and_unit() {
        let parse = number::<u64>(1..=86_400, "seconds");
        assert_eq!(parse(" 7 "), Ok(7));
        for text in ["0", "86401", "1.5", "-1", "", "a"] {
            assert_eq!(parse(text).unwrap_err(), "use a whole number of seconds from 1 to 86400", "{text}");
        }
        assert_eq!(positive("days")("90").map(NonZeroU32::get), Ok(90));
        assert!(positive("days")("0").unwrap_err().contains("of days from 1 to "));
    }

    #[test]
    fn the_nearest_name_is_one_of_few_differences() {
        let known = ["database", "trusted-proxy", "mail"];
        assert_eq!(nearest("databse", known), Some("database"));
        assert_eq!(nearest("trusted-proxies", known), Some("trusted-proxy"));
        assert_eq!(nearest("colour", known), None);
    }
}
