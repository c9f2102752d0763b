//! Whose rows an operation is about: the caller's own account's, or those of one of its sub-accounts.

use tenantry_core::ids::OrganizationId;
use tenantry_store::Tx;

use crate::{Error, Requester, TeamPermission, sub_accounts};

/// The account that an operation is about, and how the caller reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountPath {
    /// An account of the caller's.
    Own(OrganizationId),
    /// A sub-account, through the account above it.
    Sub {
        /// The account of the caller's.
        parent: OrganizationId,
        /// The sub-account.
        child: OrganizationId,
    },
}

impl AccountPath {
    /// The account that is named, whether the caller reaches it or not.
    #[must_use]
    pub const fn account(self) -> OrganizationId {
        let (Self::Own(account) | Self::Sub { child: account, .. }) = self;
        account
    }

    /// The account, when the requester manages it or the one above it.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`Error::NotPermitted`], [`Error::SubAccount`],
    /// [`Error::SubAccountNotFound`], or a fault.
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

    /// The same before something is changed: a sub-account's row is held until the transaction ends.
    ///
    /// # Errors
    /// The same.
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
    if !by.reaches(own) {
        return Err(Error::OrganizationNotFound);
    }
    by.check(own, TeamPermission::ManageOrganization)?;
    Ok(own)
}
