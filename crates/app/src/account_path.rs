//! The account that a request is about: the caller's own account, or one of its sub-accounts.

use tenantry_core::ids::OrganizationId;
use tenantry_store::Tx;

use crate::{Error, Requester, TeamPermission, sub_accounts};

/// The account that a request is about, and the account through which the caller has access to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPath {
    /// An account that the caller has access to itself.
    Own(OrganizationId),
    /// A sub-account of an account that the caller has access to.
    Sub {
        /// The caller's account.
        parent: OrganizationId,
        /// The sub-account.
        child: OrganizationId,
    },
}

impl AccountPath {
    /// The named account. Access to it is not checked.
    #[must_use]
    pub const fn account(self) -> OrganizationId {
        let (Self::Own(account) | Self::Sub { child: account, .. }) = self;
        account
    }

    /// The account, if the requester may manage it or its parent.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], [`Error::SubAccount`],
    /// [`Error::SubAccountNotFound`], or a store error.
    pub(crate) async fn resolve(self, tx: &mut Tx<'_>, by: &Requester) -> Result<OrganizationId, Error> {
        match self {
            Self::Own(own) => managed(by, own),
            Self::Sub { parent, child } => {
                sub_accounts::parent(tx, by, parent, false).await?;
                let (child, _) = tx.sub_account(parent, child).await?.ok_or(Error::SubAccountNotFound)?;
                Ok(child.id)
            }
        }
    }

    /// As [`AccountPath::resolve`], and locks the row of a sub-account until the transaction ends.
    ///
    /// # Errors
    /// The errors of [`AccountPath::resolve`].
    pub(crate) async fn resolve_for_update(
        self,
        tx: &mut Tx<'_>,
        by: &Requester,
    ) -> Result<OrganizationId, Error> {
        match self {
            Self::Own(own) => managed(by, own),
            Self::Sub { parent, child } => {
                sub_accounts::parent(tx, by, parent, false).await?;
                Ok(sub_accounts::child(tx, parent, child).await?.id)
            }
        }
    }
}

fn managed(by: &Requester, own: OrganizationId) -> Result<OrganizationId, Error> {
    if !by.has_access(own) {
        return Err(Error::OrganizationNotFound);
    }
    by.check(own, TeamPermission::ManageOrganization)?;
    Ok(own)
}
