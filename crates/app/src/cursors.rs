//! Cursors: where a part of a list begins or ends, in a text that says nothing, cannot be made up, and
//! works for the list alone that it was given for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{StoreError, Vault};
use uuid::Uuid;

use crate::{App, Error, HashKey};

/// A list that is shown in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorPage {
    /// Whose rows.
    pub organization: OrganizationId,
    /// Which of its lists.
    pub list: &'static str,
}

impl CursorPage {
    /// What a cursor of this list is sealed for.
    fn about(self) -> Vec<u8> {
        let Self { organization, list } = self;
        [b"cursor of ", list.as_bytes(), b" of ", organization.uuid().as_bytes()].concat()
    }
}

impl HashKey {
    fn cursor(&self, of: CursorPage, at: Uuid) -> Option<String> {
        let sealed = Vault::seal(self, &of.about(), at.as_bytes())?;
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn cursor_read(&self, of: CursorPage, cursor: &str) -> Option<Uuid> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        Uuid::from_slice(&self.open(&of.about(), &sealed)?).ok()
    }
}

impl App {
    /// The cursor of a place in a list.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn cursor(&self, of: CursorPage, at: Uuid) -> Result<String, Error> {
        let unsealed = || StoreError::Unexpected("a cursor could not be sealed".into()).into();
        self.hash_key.cursor(of, at).ok_or_else(unsealed)
    }

    /// The place that a cursor names; nothing when it is none of this list.
    #[must_use]
    pub fn cursor_read(&self, of: CursorPage, cursor: &str) -> Option<Uuid> {
        self.hash_key.cursor_read(of, cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(organization: u128, list: &'static str) -> CursorPage {
        CursorPage { organization: OrganizationId::new(Uuid::from_u128(organization)), list }
    }

    #[test]
    fn a_cursor_works_for_its_list_alone() {
        let (key, at) = (HashKey::new([1; 32]), Uuid::from_u128(7));
        let cursor = key.cursor(listed(1, "keys"), at).unwrap();
        assert!(cursor.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter)));
        assert_eq!(key.cursor_read(listed(1, "keys"), &cursor), Some(at));
        assert_eq!(key.cursor_read(listed(2, "keys"), &cursor), None);
        assert_eq!(key.cursor_read(listed(1, "sub-accounts"), &cursor), None);
        assert_eq!(HashKey::new([2; 32]).cursor_read(listed(1, "keys"), &cursor), None);
    }

    #[test]
    fn what_is_no_cursor_is_none() {
        let (key, of) = (HashKey::new([1; 32]), listed(1, "keys"));
        let cursor = key.cursor(of, Uuid::from_u128(7)).unwrap();
        let mistyped = format!("{}{}", &cursor[1..], &cursor[..1]);
        for text in ["", "x", "\u{e9}", "eyJpZCI6MTIzNH0=", &cursor[1..], &format!("{cursor}A"), &mistyped] {
            assert_eq!(key.cursor_read(of, text), None, "{text}");
        }
    }
}
