//! Removes personal data of a deleted customer and its members from their rows, the audit entries and the webhook
//! events about them. Each gets a random pseudonym, so that entries about one member still belong together.

use std::collections::HashMap;

use tenantry_core::ExecutionContext;
use tenantry_core::audit::anonymize_image;
use tenantry_core::customer::{AnonymousIdentity, Customer, anonymize_customer, anonymize_member};
use tenantry_core::ids::{MemberId, OrganizationId};
use tenantry_core::webhook::EventData;
use tenantry_store::Tx;
use uuid::Uuid;

use crate::{Error, Requester, changes, limits};

/// Anonymizes a deleted customer, whose members are deleted.
pub(super) async fn anonymize(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    customer: &Customer,
) -> Result<(), Error> {
    let organization = customer.organization;
    let mut members = HashMap::new();
    for member in tx.deleted_members(organization, customer.id).await? {
        let identity = AnonymousIdentity::generate(context);
        tx.member_update(&anonymize_member(&member, &identity)).await?;
        scrub(tx, organization, member.id.uuid(), &identity).await?;
        members.insert(member.id, identity);
    }
    let identity = AnonymousIdentity::generate(context);
    let after = anonymize_customer(customer, &identity);
    tx.customer_anonymize(customer, &after, context.now()).await?;
    scrub(tx, organization, customer.id.uuid(), &identity).await?;
    changes::created(tx, context, by, "customer.anonymized", &after).await?;
    // Last: a delivery locks its queue before its event. Waiting for a queue while holding events could deadlock.
    anonymize_events(tx, customer, &identity, &members).await
}

/// Deletes the payload of events that were sent, and the names in events that are pending.
async fn anonymize_events(
    tx: &mut Tx<'_>,
    customer: &Customer,
    identity: &AnonymousIdentity,
    members: &HashMap<MemberId, AnonymousIdentity>,
) -> Result<(), Error> {
    let organization = customer.organization;
    // Locked first: an event whose delivery ends between the two statements would be missed by both.
    let pending = tx.webhook_events_lock(organization, customer.id).await?;
    tx.webhook_events_delete_data(organization, customer.id).await?;
    for (id, data) in pending {
        let data = match data {
            EventData::Customer(row) => EventData::Customer(Box::new(anonymize_customer(&row, identity))),
            EventData::CustomerState(row) => {
                EventData::CustomerState(Box::new(anonymize_customer(&row, identity)))
            }
            EventData::Member(row) => {
                let identity = members.get(&row.id).unwrap_or(identity);
                EventData::Member(Box::new(anonymize_member(&row, identity)))
            }
            EventData::Organization(row) => EventData::Organization(row),
        };
        tx.webhook_event_replace_data(organization, id, &data).await?;
    }
    Ok(())
}

async fn scrub(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    subject: Uuid,
    identity: &AnonymousIdentity,
) -> Result<(), Error> {
    let mut last = None;
    loop {
        let entries = tx.audit_images(organization, subject, last, limits::AUDIT_ENTRIES_PER_BATCH).await?;
        let Some((id, ..)) = entries.last() else { return Ok(()) };
        last = Some(*id);
        for (id, before, after) in entries {
            let image =
                |image: Option<String>| image.map(|image| anonymize_image(&image, identity)).transpose();
            tx.audit_images_replace(organization, (id, image(before)?, image(after)?)).await?;
        }
    }
}
