//! The visitor of a page: language, address, and the session if there is one.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{HOST, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use tenantry_app::{AuthenticationError, Caller, RequestOrigin, Requester};
use tenantry_core::Timestamp;
use tenantry_core::audit::Client;
use tenantry_core::console::Browser;
use tenantry_core::user::Language;

use crate::texts::Texts;
use crate::{Console, ROOT, cookies, language, respond};

/// The most bytes of a form. The server has read it before, within bounds of its own.
const FORM_BYTES: usize = 64 << 10;

/// The field in which the forms of a proof keep the form that the proof interrupted.
pub(crate) const KEPT: &str = "kept";

/// The visitor of a page.
pub(crate) struct Visitor {
    pub(crate) console: Arc<Console>,
    pub(crate) t: &'static Texts,
    pub(crate) request_id: String,
    pub(crate) now: Timestamp,
    address: Option<IpAddr>,
    headers: HeaderMap,
    path: String,
    is_form: bool,
    query: Option<String>,
}

/// The first value of a parameter of a query or form.
pub(crate) fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

impl Visitor {
    /// The visitor who sent a request, and the body.
    pub(crate) fn of(console: Arc<Console>, request: Request) -> (Self, Body) {
        let (Parts { method, headers, uri, mut extensions, .. }, body) = request.into_parts();
        let origin: RequestOrigin = extensions.remove().unwrap_or_default();
        let now = console.app.now();
        let t = parameter(uri.query(), "lang").and_then(|tag| language::of_tag(&tag));
        let visitor = Self {
            t: t.unwrap_or_else(|| language::of_request(&headers)),
            request_id: origin.request_id,
            address: origin.address,
            path: uri.path().to_owned(),
            is_form: !method.is_safe(),
            query: uri.query().map(str::to_owned),
            headers,
            now,
            console,
        };
        (visitor, body)
    }

    /// The note of a page that asks for a mailed code where mails reach nobody, and otherwise nothing.
    pub(crate) fn code_note(&self) -> &'static str {
        if self.console.sends_mail { "" } else { self.t.ui.code_in_log }
    }

    /// A parameter of the query, cut to 200 characters.
    pub(crate) fn parameter(&self, name: &str) -> String {
        let value = parameter(self.query.as_deref(), name).unwrap_or_default();
        value.chars().take(200).collect()
    }

    /// The language of the page.
    pub(crate) fn language(&self) -> Language {
        Language::from_tag(self.t.language).unwrap_or(Language::English)
    }

    /// The path of the request.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        cookies::value(&self.headers, name)
    }

    /// The address of the API as the visitor reaches it, without a path.
    pub(crate) fn base(&self) -> String {
        if let Some(url) = &self.console.public_url {
            return url.clone();
        }
        let host = self.headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or("127.0.0.1:8080");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
        let host = if host.bytes().all(is_plain) { host } else { "127.0.0.1:8080" };
        let is_here = ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host.starts_with(name));
        format!("{}://{host}", if is_here { "http" } else { "https" })
    }

    fn user_agent(&self) -> Option<&str> {
        self.headers.get(USER_AGENT).and_then(|value| value.to_str().ok())
    }

    /// The address of the client, if it is known.
    pub(crate) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The client, for the audit log.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, self.user_agent())
    }

    /// The browser, for the list of sessions.
    pub(crate) fn browser(&self) -> Browser {
        let agent = self.user_agent().unwrap_or_default();
        Browser {
            name: browser_name(agent),
            address: self.address.map(|address| address.to_string()),
            mark: self.cookie(cookies::BROWSER).map(str::to_owned),
        }
    }

    /// The requester of the session. Without a session, the way to sign in.
    pub(crate) async fn requester(&self) -> Result<Requester, Box<Response>> {
        Ok(self.as_requester(&self.caller().await?))
    }

    /// The requester that a caller is in this request.
    pub(crate) fn as_requester(&self, caller: &Arc<Caller>) -> Requester {
        Requester::caller(caller, Some(self.request_id.clone())).from_client(self.client())
    }

    /// The caller of the session. Without a session, the way to sign in.
    pub(crate) async fn caller(&self) -> Result<Arc<Caller>, Box<Response>> {
        let Some(secret) = self.cookie(cookies::SESSION) else { return Err(Box::new(self.to_sign_in())) };
        match self.console.app.authenticate_session(secret).await {
            Ok(caller) => Ok(caller),
            Err(AuthenticationError::Unknown | AuthenticationError::Suspended) => {
                Err(Box::new(self.to_sign_in()))
            }
            Err(AuthenticationError::Store(error)) => Err(Box::new(respond::error(self, &error.into()))),
        }
    }

    fn to_sign_in(&self) -> Response {
        // A form is not sent again after the sign-in, and its address need not have a page.
        let next = if self.is_form { ROOT } else { &self.path };
        let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
        respond::redirect(&format!("{ROOT}/sign-in?next={next}"))
    }

    /// Whether the request is a form.
    pub(crate) const fn is_form(&self) -> bool {
        self.is_form
    }

    /// The fields of a form. After a proof that interrupted it, they are those of the interrupted form.
    pub(crate) async fn form(&self, body: Body) -> Result<Form, Box<Response>> {
        let sent = self.sent_form(body).await?;
        Ok(sent.kept().map(|kept| Form::parse(kept.as_bytes())).unwrap_or(sent))
    }

    /// The fields of a form as it was sent.
    pub(crate) async fn sent_form(&self, body: Body) -> Result<Form, Box<Response>> {
        match to_bytes(body, FORM_BYTES).await {
            Ok(bytes) => Ok(Form::parse(&bytes)),
            Err(_) => {
                let texts = (self.t.problem.failed, self.t.problem.failed_text);
                Err(Box::new(respond::problem(
                    &self.console,
                    self.t,
                    StatusCode::BAD_REQUEST,
                    texts,
                    &self.request_id,
                )))
            }
        }
    }
}

/// The fields of a form.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A form with these values.
    pub(crate) fn with(values: Vec<(&str, String)>) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    fn parse(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// The form as one text.
    pub(crate) fn to_text(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// The form that a proof interrupted, as one text.
    pub(crate) fn kept(&self) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == KEPT).map(|(_, value)| value.as_str())
    }

    /// Whether a field was sent.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// The values of a field that can occur several times.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.trim())
    }

    /// The value of a field, without spaces around it; empty when it was not sent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value.trim())
    }
}

/// The page to which a sign-in leads: a path of the console, whatever a link asks for.
pub(crate) fn next_page(asked: &str) -> &str {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    let is_ours = asked == ROOT || asked.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'));
    if is_ours && !asked.contains("//") && asked.bytes().all(is_plain) { asked } else { ROOT }
}

/// Program and system of a `User-Agent`, as far as they matter to a person.
fn browser_name(agent: &str) -> String {
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name)
    };
    // Chromium names Safari, and Edge names both.
    let program =
        first(&[("Firefox/", "Firefox"), ("Edg/", "Edge"), ("Chrome/", "Chrome"), ("Safari/", "Safari")]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    [program, system].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_leads_to_the_console_alone() {
        for ours in ["/console", "/console/organizations/acme/team"] {
            assert_eq!(next_page(ours), ours);
        }
        for foreign in [
            "",
            "https://evil.example",
            "//evil.example",
            "/console//evil",
            "/v1/x",
            "/consoles",
            "/console/\\x",
            "/console/%2f",
        ] {
            assert_eq!(next_page(foreign), ROOT, "{foreign}");
        }
    }

    #[test]
    fn a_browser_is_named_by_program_and_system() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
        assert_eq!(browser_name(chrome), "Chrome · Linux");
        assert_eq!(browser_name("curl/8"), "");
    }
}
