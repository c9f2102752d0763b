//! Rules for every page of the portal. Forms are accepted as in the console ([`crate::guard`]).
//!
//! | part of the policy | value |
//! |---|---|
//! | `frame-ancestors` | the hosts that the organization lists, and nothing else |
//! | `img-src` | this server, and the origin of the organization's logo |

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::organization::Organization;
use tenantry_core::portal::{PortalCookies, page_slug};
use tenantry_core::values::HttpUrl;

use super::respond;
use super::visit::Site;
use crate::guard::{LANGUAGE_S, OPENER_POLICY, is_own};
use crate::visitor::{Visitor, parameter};
use crate::{Console, cookies, language};

/// Finds the organization, refuses forms of other sites, and sets the headers of every page.
pub(crate) async fn protect(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    let destination = request.headers().get("sec-fetch-dest").and_then(|value| value.to_str().ok());
    let slug = page_slug(request.uri().path()).unwrap_or_default().to_owned();
    let cookies = PortalCookies::of(&slug, destination);
    let chosen = parameter(request.uri().query(), "lang");
    let chosen = chosen.and_then(|tag| language::of_tag(&tag)).map(|texts| texts.language);
    let (mut response, policy) = match console.app.public_organization(&slug).await {
        Ok(organization) => {
            let policy = policy_of(&organization);
            let site = Arc::new(Site::new(organization, cookies.clone()));
            let is_accepted =
                request.method().is_safe() || is_own(request.headers(), console.public_url.as_deref());
            let response = if is_accepted {
                request.extensions_mut().insert(site);
                next.run(request).await
            } else {
                let (visitor, _) = Visitor::of(console, request);
                respond::foreign(&visitor, &site)
            };
            (response, policy)
        }
        Err(error) => {
            let (visitor, _) = Visitor::of(console, request);
            let status = match error {
                Error::OrganizationNotFound => StatusCode::NOT_FOUND,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            (respond::closed(&visitor, status), policy("", ""))
        }
    };
    let headers = response.headers_mut();
    let name = if cookies.is_framed() { cookies::LANGUAGE_FRAMED } else { cookies::LANGUAGE };
    if let Some(language) = chosen
        && let Ok(cookie) = cookies::set_for(name, language, LANGUAGE_S, cookies.same_site()).parse()
    {
        headers.append(SET_COOKIE, cookie);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn policy_of(organization: &Organization) -> String {
    let profile = &organization.profile;
    let hosts: Vec<&str> = profile.embed_hosts.iter().map(|host| host.as_str()).collect();
    policy(&profile.avatar_url.as_ref().map(logo_source).unwrap_or_default(), &hosts.join(" "))
}

fn policy(logo: &str, ancestors: &str) -> String {
    let ancestors = if ancestors.is_empty() { "'none'" } else { ancestors };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: {logo}; form-action 'self'; \
         base-uri 'none'; frame-ancestors {ancestors}"
    )
}

/// The origin of a logo, as a source of the policy; empty for one that a policy cannot name, or that has credentials.
pub(crate) fn logo_source(url: &HttpUrl) -> String {
    let Ok(url) = url.clone().without_credentials() else { return String::new() };
    let text = url.as_str();
    let end = text.find("://").map_or(0, |at| at + 3);
    let host = text.get(end..).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:".contains(&byte);
    let is_source = !host.is_empty() && host.bytes().all(is_plain);
    if is_source { format!("{}{host}", text.get(..end).unwrap_or_default()) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_the_origin_of_a_logo() {
        for (url, source) in [
            ("https://cdn.acme.example/logo;x.png?a=b", "https://cdn.acme.example"),
            ("http://localhost:3000/a.png", "http://localhost:3000"),
            ("https://u:p@cdn.acme.example/a.png", ""),
            ("https://[::1]/a.png", ""),
        ] {
            assert_eq!(logo_source(&HttpUrl::parse(url).unwrap()), source, "{url}");
        }
        assert!(policy("", "").ends_with("frame-ancestors 'none'"));
        assert!(policy("", "a.example *.b.example").ends_with("frame-ancestors a.example *.b.example"));
    }
}
