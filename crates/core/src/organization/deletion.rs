//! Deletion of an organization. Its rows stay for some days, in which it can be undeleted with everything that it had.
//! Then they are purged.
//!
//! Invariants:
//! - A deleted organization, and each sub-account of it, is unknown to every caller but the operator.
//! - The effect of a deleted parent on a sub-account is computed, never stored.
//! - An organization is not undeleted after its purge has begun.

use super::Organization;
use crate::Timestamp;
use crate::values::Slug;

/// An organization with the state of its deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedOrganization {
    /// The organization, as it was.
    pub organization: Organization,
    /// The time of its deletion. `None` while it is not deleted.
    pub deleted_at: Option<Timestamp>,
    /// Whether some of its rows may be gone.
    pub is_in_purge: bool,
}

/// A refused deletion or undeletion of an organization.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeletionError {
    /// Sub-accounts that the request does not include. The list may name only some of them.
    #[error("{}", sub_accounts(.0, .1))]
    HasSubAccounts(Vec<Slug>, i64),
    /// The parent of the sub-account is deleted.
    #[error("the parent of the sub-account is deleted: undelete the parent first")]
    ParentDeleted,
    /// The purge has begun.
    #[error("the organization was deleted too long ago: its data are being removed")]
    Purged,
}

fn sub_accounts(named: &[Slug], count: &i64) -> String {
    let names: Vec<&str> = named.iter().map(Slug::as_str).collect();
    let more = if i64::try_from(named.len()).is_ok_and(|shown| shown < *count) { ", ..." } else { "" };
    let text = "delete them first, or ask for the deletion with its sub-accounts";
    format!("the organization has {count} sub-accounts ({}{more}): {text}", names.join(", "))
}

/// Checks that an organization can be deleted. It has `count` sub-accounts, some of which are `named` in the error.
///
/// # Errors
/// [`DeletionError::HasSubAccounts`], unless the deletion includes them.
pub fn check_delete(named: Vec<Slug>, count: i64, with_sub_accounts: bool) -> Result<(), DeletionError> {
    if count == 0 || with_sub_accounts { Ok(()) } else { Err(DeletionError::HasSubAccounts(named, count)) }
}

/// Checks that a deleted organization can be undeleted. `parent` is its parent, unless that is deleted.
///
/// # Errors
/// [`DeletionError::Purged`], [`DeletionError::ParentDeleted`].
pub const fn check_undelete(
    deleted: &DeletedOrganization,
    parent: Option<&Organization>,
) -> Result<(), DeletionError> {
    if deleted.is_in_purge {
        return Err(DeletionError::Purged);
    }
    if deleted.organization.parent.is_some() && parent.is_none() {
        return Err(DeletionError::ParentDeleted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_sub_accounts() {
        let slugs = || ["one", "two"].map(|slug| Slug::parse(slug).unwrap()).to_vec();
        assert_eq!(check_delete(Vec::new(), 0, false), Ok(()));
        assert_eq!(check_delete(slugs(), 2, true), Ok(()));
        let all = check_delete(slugs(), 2, false).unwrap_err().to_string();
        assert!(all.contains("2 sub-accounts (one, two):"), "{all}");
        let some = check_delete(slugs(), 7, false).unwrap_err().to_string();
        assert!(some.contains("7 sub-accounts (one, two, ...):"), "{some}");
    }
}
