//! Rules for every page: forms of other sites are refused, and headers keep the page to itself.
//!
//! | header of a form's request | accepted |
//! |---|---|
//! | `Sec-Fetch-Site`, which browsers send to HTTPS and to this machine | `same-origin`, `none` |
//! | `Origin`, where the other is absent | the public URL, or the host of the request |
//! | neither | refused |
//!
//! The cookies are `SameSite=Lax` as well. A proxy must pass on `Host`, `Origin` and `Sec-Fetch-Site`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, SET_COOKIE,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::visitor::parameter;
use crate::{Console, cookies, language, respond};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
pub(crate) const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// Seconds for which a chosen language is kept.
pub(crate) const LANGUAGE_S: i64 = 365 * 24 * 60 * 60;

/// Refuses forms of other sites, and sets the headers of every page.
pub(crate) async fn protect(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let chosen = parameter(request.uri().query(), "lang");
    let chosen = chosen.and_then(|tag| language::of_tag(&tag)).map(|texts| texts.language);
    let is_safe = request.method().is_safe();
    let mut response = if is_safe || is_own(request.headers(), console.public_url.as_deref()) {
        next.run(request).await
    } else {
        let t = language::of_request(request.headers());
        let texts = (t.problem.foreign, t.problem.foreign_text);
        respond::problem(&console, t, StatusCode::FORBIDDEN, texts, "")
    };
    if let Some(language) = chosen
        && let Ok(cookie) = cookies::set(cookies::LANGUAGE, language, LANGUAGE_S).parse()
    {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// The policy of a page that shows a picture of this origin as well; empty for none.
pub(crate) fn policy_with_pictures_of(origin: &str) -> String {
    POLICY.replace("img-src 'self' data:", format!("img-src 'self' data: {origin}").trim_end())
}

/// Whether a form was sent by a page of this server.
pub(crate) fn is_own(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(FETCH_SITE) {
        return matches!(text(&FETCH_SITE), Some("same-origin" | "none"));
    }
    let Some(origin) = text(&ORIGIN) else { return false };
    if public_url.is_some_and(|url| url.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    host.zip(text(&HOST)).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        let host = (HOST, "t.example:8080");
        for (pairs, public_url, expected) in [
            (vec![(FETCH_SITE, "same-origin")], None, true),
            (vec![(FETCH_SITE, "none")], None, true),
            (vec![(FETCH_SITE, "cross-site")], None, false),
            (vec![(FETCH_SITE, "same-site")], None, false),
            // The newer header decides, whatever the older one says.
            (vec![(FETCH_SITE, "cross-site"), (ORIGIN, "http://t.example:8080"), host.clone()], None, false),
            (vec![(ORIGIN, "http://t.example:8080"), host.clone()], None, true),
            (vec![(ORIGIN, "https://T.example:8080"), host.clone()], None, true),
            (vec![(ORIGIN, "http://evil.example"), host.clone()], None, false),
            (vec![(ORIGIN, "http://t.example:8080.evil.example"), host.clone()], None, false),
            (vec![(ORIGIN, "null"), host.clone()], None, false),
            (vec![(ORIGIN, "https://public.example"), host.clone()], Some("https://public.example"), true),
            (vec![host], None, false),
            (vec![], Some("https://public.example"), false),
        ] {
            assert_eq!(is_own(&headers(&pairs), public_url), expected, "{pairs:?}");
        }
    }
}
