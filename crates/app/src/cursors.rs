//! Pagination cursors: a position in a list, encrypted and authenticated. A cursor works only for its own list.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{StoreError, Vault};
use uuid::Uuid;

use crate::{App, Error, HashKey};

/// The list that a cursor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorScope {
    /// The organization of its rows.
    pub organization: OrganizationId,
    /// The name of the list.
    pub list: &'static str,
}

impl CursorScope {
    /// The associated data with which a cursor of this list is sealed.
    fn associated_data(self) -> Vec<u8> {
        let Self { organization, list } = self;
        [b"cursor of ", list.as_bytes(), b" of ", organization.uuid().as_bytes()].concat()
    }
}

impl HashKey {
    fn cursor(&self, of: CursorScope, at: Uuid) -> Option<String> {
        let sealed = Vault::seal(self, &of.associated_data(), at.as_bytes())?;
        Some(URL_SAFE_NO_PAD.encode(sealed))
    }

    fn open_cursor(&self, of: CursorScope, cursor: &str) -> Option<Uuid> {
        let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        Uuid::from_slice(&self.open(&of.associated_data(), &sealed)?).ok()
    }
}

impl App {
    /// The cursor of a position in a list.
    ///
    /// # Errors
    /// When it cannot be sealed.
    pub fn cursor(&self, of: CursorScope, at: Uuid) -> Result<String, Error> {
        let unsealed = || StoreError::Unexpected("a cursor could not be sealed".into()).into();
        self.hash_key.cursor(of, at).ok_or_else(unsealed)
    }

    /// The position in a cursor. `None` if the cursor is not one of this list.
    #[must_use]
    pub fn open_cursor(&self, of: CursorScope, cursor: &str) -> Option<Uuid> {
        self.hash_key.open_cursor(of, cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(organization: u128, list: &'static str) -> CursorScope {
        CursorScope { organization: OrganizationId::new(Uuid::from_u128(organization)), list }
    }

    #[test]
    fn a_cursor_opens_for_its_own_list_alone() {
        let (key, at) = (HashKey::new([1; 32]), Uuid::from_u128(7));
        let cursor = key.cursor(listed(1, "keys"), at).unwrap();
        assert!(cursor.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter)));
        assert_eq!(key.open_cursor(listed(1, "keys"), &cursor), Some(at));
        assert_eq!(key.open_cursor(listed(2, "keys"), &cursor), None);
        assert_eq!(key.open_cursor(listed(1, "sub-accounts"), &cursor), None);
        assert_eq!(HashKey::new([2; 32]).open_cursor(listed(1, "keys"), &cursor), None);
    }

    #[test]
    fn text_that_is_no_cursor_is_refused() {
        let (key, of) = (HashKey::new([1; 32]), listed(1, "keys"));
        let cursor = key.cursor(of, Uuid::from_u128(7)).unwrap();
        let mistyped = format!("{}{}", &cursor[1..], &cursor[..1]);
        for text in ["", "x", "\u{e9}", "eyJpZCI6MTIzNH0=", &cursor[1..], &format!("{cursor}A"), &mistyped] {
            assert_eq!(key.open_cursor(of, text), None, "{text}");
        }
    }
}
