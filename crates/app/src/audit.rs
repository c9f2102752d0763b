//! Appending to the audit log in the transaction of the change.

use serde::Serialize;
use tenantry_core::Moment;
use tenantry_core::audit::{AuditEntry, image};
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_store::Tx;
use uuid::Uuid;

use crate::{Error, Requester};

/// Stands for the organization in entries about people, who belong to none.
pub(crate) const INSTALLATION: OrganizationId = OrganizationId::new(Uuid::nil());

/// What changed: nothing before means created, nothing after means deleted.
pub(crate) struct Change<'a, T> {
    pub(crate) organization: OrganizationId,
    pub(crate) action: &'static str,
    pub(crate) subject: Uuid,
    pub(crate) before: Option<&'a T>,
    pub(crate) after: Option<&'a T>,
}

pub(crate) async fn record<T: Serialize + Sync>(
    tx: &mut Tx<'_>,
    moment: &mut Moment,
    by: &Requester,
    change: Change<'_, T>,
) -> Result<(), Error> {
    let Change { organization, action, subject, before, after } = change;
    let entry = AuditEntry {
        id: AuditId::new(moment.uuid()),
        organization,
        at: moment.now(),
        actor: by.actor(),
        action,
        subject,
        before: before.map(image).transpose()?,
        after: after.map(image).transpose()?,
        request_id: by.request_id.clone(),
    };
    Ok(tx.audit_append(&entry).await?)
}
