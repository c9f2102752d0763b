//! Cookies. Their names begin with `__Host-`, so that no other host and no plain HTTP can set them; browsers make an
//! exception for this machine itself.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use tenantry_core::console::{self, SESSION_COOKIE};

/// The secret of the session.
pub(crate) const SESSION: &str = SESSION_COOKIE;
/// The secret of the browser that signs in.
pub(crate) const SIGN_IN: &str = "__Host-tenantry_sign_in";
/// The secret of the browser that uses a passkey.
pub(crate) const PASSKEY: &str = "__Host-tenantry_passkey";
/// The mark of a browser that has signed in.
pub(crate) const BROWSER: &str = "__Host-tenantry_browser";
/// The chosen language.
pub(crate) const LANGUAGE: &str = "__Host-tenantry_language";
/// The chosen language, in a frame of another site.
pub(crate) const LANGUAGE_FRAMED: &str = "__Host-tenantry_language_framed";

/// The value of a cookie of a request. Of several with one name, the first.
pub(crate) fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    console::cookie(headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()), name)
}

/// A header that sets a cookie for so many seconds; 0 deletes it. Its value has no characters that need quotes.
pub(crate) fn set(name: &str, value: &str, max_age_s: i64) -> String {
    set_for(name, value, max_age_s, "SameSite=Lax")
}

/// The same with the attributes that say to which requests the browser adds the cookie.
pub(crate) fn set_for(name: &str, value: &str, max_age_s: i64, same_site: &str) -> String {
    format!("{name}={value}; Path=/; Max-Age={max_age_s}; Secure; HttpOnly; {same_site}")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; __Host-tenantry_session=x=y"));
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(value(&headers, SESSION), Some("x=y"));
        assert_eq!(value(&headers, "b"), Some("2"));
        assert_eq!(value(&headers, "tenantry_session"), None);
    }
}
