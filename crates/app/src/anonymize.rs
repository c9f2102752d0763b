//! Forgetting who a deleted customer and its members were: in their rows, and in the audit entries about them.

use std::collections::HashMap;

use tenantry_core::ExecutionContext;
use tenantry_core::audit::anonymize_image;
use tenantry_core::customer::{AnonymousIdentity, Customer, anonymize_customer, anonymize_member};
use tenantry_core::ids::{MemberId, OrganizationId};
use tenantry_core::webhook::EventData;
use tenantry_store::Tx;
use uuid::Uuid;

use crate::{Error, Requester, customers, limits};

/// Anonymizes a deleted customer. Its members are deleted as well by now.
pub(crate) async fn anonymize(
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
    customers::record(tx, context, by, "customer.anonymized", None, Some(&after)).await?;
    // Last: who holds events waits for no queue any more.
    retell(tx, customer, &identity, &members).await
}

/// Events that were sent forget what they told; those that wait tell it without names.
async fn retell(
    tx: &mut Tx<'_>,
    customer: &Customer,
    identity: &AnonymousIdentity,
    members: &HashMap<MemberId, AnonymousIdentity>,
) -> Result<(), Error> {
    let organization = customer.organization;
    // All are held first: one whose attempt ends meanwhile would be neither among these nor among those.
    let pending = tx.webhook_events_lock(organization, customer.id).await?;
    tx.webhook_events_delete_data(organization, customer.id).await?;
    for (id, data) in pending {
        let data = match data {
            EventData::Customer(told) => EventData::Customer(Box::new(anonymize_customer(&told, identity))),
            EventData::CustomerState(told) => {
                EventData::CustomerState(Box::new(anonymize_customer(&told, identity)))
            }
            EventData::Member(told) => {
                let known_as = members.get(&told.id).unwrap_or(identity);
                EventData::Member(Box::new(anonymize_member(&told, known_as)))
            }
            EventData::Organization(told) => EventData::Organization(told),
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
        let entries = tx.audit_images(organization, subject, last, limits::AUDIT_SCRUBBED).await?;
        let Some((id, ..)) = entries.last() else { return Ok(()) };
        last = Some(*id);
        for (id, before, after) in entries {
            let image =
                |image: Option<String>| image.map(|image| anonymize_image(&image, identity)).transpose();
            tx.audit_images_replace(organization, (id, image(before)?, image(after)?)).await?;
        }
    }
}
