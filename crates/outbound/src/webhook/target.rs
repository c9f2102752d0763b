//! Parses a webhook URL and builds the request to it. Nothing here uses the network.
//!
//! A URL must be `https`, except for the hosts that the operator listed. Only listed hosts may have addresses
//! that are not public. The HTTP library validates every part of the request, so that no id, host or path can
//! add a header. Caller: the sender.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::error::DeliveryError;
use super::signature::SignatureHeaders;

/// A parsed webhook URL.
#[derive(Debug)]
pub(super) struct Target {
    /// The host to look up, for which the certificate must be valid.
    pub(super) host: Host<String>,
    /// The port, or the scheme's default.
    pub(super) port: u16,
    /// Whether the connection is encrypted.
    pub(super) tls: bool,
    /// Whether the operator listed this host: it may be unencrypted and have addresses that are not public.
    pub(super) trusted: bool,
    authority: String,
    path_and_query: String,
    credentials: Option<BasicCredentials>,
}

/// The user name and password of a URL.
#[derive(Debug)]
struct BasicCredentials {
    /// As the header `Authorization: Basic` has them.
    encoded: String,
    /// The texts that a receiver may repeat in its response, the longest first.
    texts: Vec<String>,
}

/// Stands for a user name and password in a response.
const MASK: &str = "********";
/// The shortest password that is masked where it stands alone. A shorter one may be a part of any text.
const SHORTEST_ALONE: usize = 4;

impl Target {
    /// Parses a URL. `trusted_hosts` are `HOST` or `HOST:PORT`, the former for the scheme's default port.
    pub(super) fn parse(text: &str, trusted_hosts: &[String]) -> Result<Self, DeliveryError> {
        let url = Url::parse(text)
            .map_err(|error| DeliveryError::Refused(format!("the URL is not valid: {error}")))?;
        let refused = |reason: &str| DeliveryError::Refused(reason.to_owned());
        let host = url.host().ok_or_else(|| refused("the URL has no host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| refused("the URL has no port"))?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let full = format!("{host}:{port}");
        let trusted = trusted_hosts
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&authority) || name.eq_ignore_ascii_case(&full));
        let tls = match url.scheme() {
            "https" => true,
            "http" if trusted => false,
            _ => return Err(refused("only https is allowed, except for hosts of --webhook-http-host")),
        };
        let path_and_query = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Self { host, port, tls, trusted, authority, path_and_query, credentials: basic(&url) })
    }

    /// A response with the user name and password of the URL masked, which a receiver may repeat. Whoever may read
    /// deliveries may not read these.
    pub(super) fn masked(&self, mut response: String) -> String {
        for text in self.credentials.iter().flat_map(|credentials| &credentials.texts) {
            if response.contains(text) {
                response = response.replace(text, MASK);
            }
        }
        response
    }

    /// Builds the request. The connection closes after the response.
    pub(super) fn request(
        &self,
        headers: &SignatureHeaders,
        body: Bytes,
    ) -> Result<Request<Full<Bytes>>, DeliveryError> {
        let mut request = Request::post(&self.path_and_query)
            .header(HOST, &self.authority)
            .header(USER_AGENT, "Tenantry webhooks")
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .header("webhook-id", &headers.webhook_id)
            .header("webhook-timestamp", &headers.webhook_timestamp)
            .header("webhook-signature", &headers.webhook_signature);
        if let Some(credentials) = &self.credentials {
            request = request.header(AUTHORIZATION, format!("Basic {}", credentials.encoded));
        }
        let invalid = |error| DeliveryError::Refused(format!("cannot build the request: {error}"));
        request.body(Full::new(body)).map_err(invalid)
    }
}

/// The user name and password of a URL, if it has any.
fn basic(url: &Url) -> Option<BasicCredentials> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let written = url.password().unwrap_or("");
    let password: Vec<u8> = percent_decode_str(written).collect();
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(&password);
    let encoded = STANDARD.encode(&pair);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let alone = [text(&password), written.to_owned()];
    let mut texts = vec![encoded.clone(), text(&pair), format!("{}:{written}", url.username())];
    texts.extend(alone.into_iter().filter(|password| password.len() >= SHORTEST_ALONE));
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    Some(BasicCredentials { encoded, texts })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Vec<String> {
        vec!["localhost:9000".to_owned(), "Hooks.internal".to_owned()]
    }

    #[test]
    fn only_listed_hosts_may_be_unencrypted_or_private() {
        for (text, tls, trusted) in [
            ("https://x.dev/a", true, false),
            ("https://localhost:9000/", true, true),
            ("http://localhost:9000/", false, true),
            ("http://LOCALHOST:9000/", false, true),
            ("http://hooks.internal/", false, true),
            ("https://hooks.internal/", true, true),
            ("https://localhost:9001/", true, false),
            ("https://hooks.internal:8443/", true, false),
        ] {
            let target = Target::parse(text, &hosts()).unwrap();
            assert_eq!((target.tls, target.trusted), (tls, trusted), "{text}");
        }
        for text in [
            "http://x.dev/",
            "http://localhost:9001/",
            "http://localhost/",
            "http://localhost:9000@x.dev/",
            "ftp://localhost:9000/",
            "file:///etc/passwd",
            "data:,x",
            "x.dev",
            "",
        ] {
            assert!(matches!(Target::parse(text, &hosts()), Err(DeliveryError::Refused(_))), "{text}");
        }
    }

    #[test]
    fn the_request_contains_host_path_and_credentials() {
        let target = Target::parse("https://a%40b:c%3Ad@X.dev:8443/p%20q?r=s#t", &[]).unwrap();
        assert_eq!((target.port, target.host.to_string().as_str()), (8443, "x.dev"));
        let signed = super::super::sign(["secret"], "id", 7, b"{}");
        let request = target.request(&signed, Bytes::from_static(b"{}")).unwrap();
        assert_eq!(request.uri(), "/p%20q?r=s");
        let header = |name| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("host"), "x.dev:8443");
        assert_eq!(header("authorization"), "Basic YUBiOmM6ZA==");
        assert_eq!(header("user-agent"), "Tenantry webhooks");
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("webhook-timestamp"), "7");
    }

    #[test]
    fn credentials_that_a_receiver_repeats_are_masked() {
        let target = Target::parse("https://ada:l%40velace@x.dev/", &[]).unwrap();
        for repeated in ["ada:l@velace", "ada:l%40velace", "l@velace", "l%40velace", "Basic YWRhOmxAdmVsYWNl"]
        {
            let shown = target.masked(format!("no such user: {repeated}, sorry"));
            assert!(shown.starts_with("no such user: ") && shown.ends_with("********, sorry"), "{shown}");
            assert!(!shown.contains("velace") && !shown.contains("YWRh"), "{shown}");
        }
        // A short password may be a part of any text.
        let target = Target::parse("https://ada:a@x.dev/", &[]).unwrap();
        assert_eq!(target.masked("a banana of ada:a".to_owned()), "a banana of ********");
        assert_eq!(Target::parse("https://x.dev/", &[]).unwrap().masked("a".to_owned()), "a");
    }

    #[test]
    fn an_id_cannot_add_a_header() {
        let target = Target::parse("https://x.dev/", &[]).unwrap();
        let signed = super::super::sign(["secret"], "id\r\nx: y", 7, b"");
        assert!(matches!(target.request(&signed, Bytes::new()), Err(DeliveryError::Refused(_))));
    }
}
