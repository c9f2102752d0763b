//! The rule of an organization that its team signs in to the console with a passkey.
//!
//! A session that began with a mailed code has no access to such an organization, until its person proves to be themselves
//! by a passkey. Recovery codes and the operator count as much as a passkey.

use serde::Serialize;
use tenantry_core::ids::OrganizationId;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Party, Tx, UseCase};
use uuid::Uuid;

use crate::{App, Error, Requester, TeamPermission, changes, verified};

/// Requires a passkey of the team of an organization, or no more.
#[derive(Debug, Clone)]
pub struct PasskeyRuleSet {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// Whether a passkey is required.
    pub is_required: bool,
}

/// The rule, as the audit log shows it.
#[derive(Serialize)]
struct Rule {
    #[serde(skip)]
    organization: OrganizationId,
    passkey_required_at: Option<Timestamp>,
}

impl changes::Audited for Rule {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.organization.uuid()
    }
}

impl UseCase for PasskeyRuleSet {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: Some(self.organization), ..self.by.party() }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, organization, is_required } = self;
        if !by.has_access(*organization) {
            return Err(Error::OrganizationNotFound);
        }
        by.check(*organization, TeamPermission::ManageOrganization)?;
        by.check_proof(context.now())?;
        // The requester would be shut out at once.
        if *is_required && by.latest_proof().is_some_and(|proof| !proof.is_strong()) {
            return Err(Error::PasskeyNotFound);
        }
        tx.organization_for_update(*organization).await?.ok_or(Error::OrganizationNotFound)?;
        let before = tx.organization_passkey_required_at(*organization).await?;
        if before.is_some() == *is_required {
            return Ok(());
        }
        verified::before_change(tx, context, by).await?;
        let after = is_required.then(|| context.now());
        tx.organization_update_passkey_required_at(*organization, after).await?;
        let rule = |passkey_required_at| Rule { organization: *organization, passkey_required_at };
        changes::updated(tx, context, by, "organization.passkey_rule_updated", (&rule(before), &rule(after)))
            .await
    }
}

impl App {
    /// The time since which an organization requires a passkey of its team, if it does.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] or [`Error::NotPermitted`] without the right, or a store error.
    pub async fn passkey_required_at(
        &self,
        by: &Requester,
        organization: OrganizationId,
    ) -> Result<Option<Timestamp>, Error> {
        if !by.has_access(organization) {
            return Err(Error::OrganizationNotFound);
        }
        by.check(organization, TeamPermission::ManageOrganization)?;
        Ok(self.store.reader()?.tx()?.organization_passkey_required_at(organization).await?)
    }
}
