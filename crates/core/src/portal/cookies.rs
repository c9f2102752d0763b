//! The cookies of the portal's pages.
//!
//! | page | cookies | attributes |
//! |---|---|---|
//! | in a window of its own | `__Host-tenantry_portal_SLUG` | `SameSite=Lax` |
//! | in a frame of another site | `__Host-tenantry_portal_framed_SLUG` | `SameSite=None; Partitioned` |
//!
//! A browser keeps a partitioned cookie for each site around the frame apart, and sends it in frames of that site alone.
//! Each organization has cookies of its own, so that a person can be a customer of several.

/// The names and attributes of the cookies of one organization's portal, in one kind of page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalCookies {
    slug: String,
    is_framed: bool,
}

impl PortalCookies {
    /// The cookies of a request. `destination` is its header `Sec-Fetch-Dest`.
    #[must_use]
    pub fn of(slug: &str, destination: Option<&str>) -> Self {
        let is_framed = matches!(destination, Some("iframe" | "frame" | "embed" | "object"));
        Self { slug: slug.to_lowercase(), is_framed }
    }

    /// Whether the page is in a frame.
    #[must_use]
    pub const fn is_framed(&self) -> bool {
        self.is_framed
    }

    /// The cookie with the secret of the session.
    #[must_use]
    pub fn session(&self) -> String {
        self.name("portal")
    }

    /// The cookie with the secret of the browser that signs in.
    #[must_use]
    pub fn sign_in(&self) -> String {
        self.name("portal_sign_in")
    }

    fn name(&self, what: &str) -> String {
        let framed = if self.is_framed { "_framed" } else { "" };
        format!("__Host-tenantry_{what}{framed}_{}", self.slug)
    }

    /// The attributes that say to which requests the browser adds a cookie.
    #[must_use]
    pub const fn same_site(&self) -> &'static str {
        if self.is_framed { "SameSite=None; Partitioned" } else { "SameSite=Lax" }
    }
}

/// The slug in the path of a page of the portal, such as `/acme/portal/team`.
#[must_use]
pub fn page_slug(path: &str) -> Option<&str> {
    let (slug, rest) = path.strip_prefix('/')?.split_once('/')?;
    let rest = rest.strip_prefix("portal")?;
    let is_slug = slug.len() >= 3 && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (is_slug && (rest.is_empty() || rest.starts_with('/'))).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_cookies_of_its_own() {
        let window = PortalCookies::of("Acme", Some("document"));
        assert_eq!(window.session(), "__Host-tenantry_portal_acme");
        assert_eq!(window.same_site(), "SameSite=Lax");
        assert_eq!(PortalCookies::of("acme", None), window);
        let frame = PortalCookies::of("acme", Some("iframe"));
        assert_eq!(frame.session(), "__Host-tenantry_portal_framed_acme");
        assert_eq!(frame.sign_in(), "__Host-tenantry_portal_sign_in_framed_acme");
        assert_eq!(frame.same_site(), "SameSite=None; Partitioned");
    }

    #[test]
    fn a_page_is_below_the_slug() {
        for (path, slug) in [
            ("/acme/portal", Some("acme")),
            ("/acme-2/portal/team/add", Some("acme-2")),
            ("/v1/portal", None),
            ("/acme/portals", None),
            ("/portal", None),
            ("/acme", None),
            ("/a_b_c/portal", None),
        ] {
            assert_eq!(page_slug(path), slug, "{path}");
        }
    }
}
