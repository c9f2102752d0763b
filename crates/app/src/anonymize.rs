//! Forgetting who a deleted customer and its members were: in their rows, and in the audit entries about them.

use std::collections::HashMap;

use tenantry_core::ExecutionContext;
use tenantry_core::audit::scrubbed;
use tenantry_core::customer::{Customer, Pseudonym, anonymized, anonymized_member};
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
    for member in tx.members_deleted(organization, customer.id).await? {
        let pseudonym = Pseudonym::draw(context);
        tx.member_update(&anonymized_member(&member, &pseudonym)).await?;
        scrub(tx, organization, member.id.uuid(), &pseudonym).await?;
        members.insert(member.id, pseudonym);
    }
    let pseudonym = Pseudonym::draw(context);
    let after = anonymized(customer, &pseudonym);
    tx.customer_anonymize(customer, &after, context.now()).await?;
    scrub(tx, organization, customer.id.uuid(), &pseudonym).await?;
    customers::record(tx, context, by, "customer.anonymized", None, Some(&after)).await?;
    // Last: who holds events waits for no lane any more.
    retell(tx, customer, &pseudonym, &members).await
}

/// Events that were sent forget what they told; those that wait tell it without names.
async fn retell(
    tx: &mut Tx<'_>,
    customer: &Customer,
    pseudonym: &Pseudonym,
    members: &HashMap<MemberId, Pseudonym>,
) -> Result<(), Error> {
    let organization = customer.organization;
    // All are held first: one whose attempt ends meanwhile would be neither among these nor among those.
    let pending = tx.webhook_events_hold(organization, customer.id).await?;
    tx.webhook_events_forget(organization, customer.id).await?;
    for (id, data) in pending {
        let data = match data {
            EventData::Customer(told) => EventData::Customer(Box::new(anonymized(&told, pseudonym))),
            EventData::CustomerState(told) => {
                EventData::CustomerState(Box::new(anonymized(&told, pseudonym)))
            }
            EventData::Member(told) => {
                let known_as = members.get(&told.id).unwrap_or(pseudonym);
                EventData::Member(Box::new(anonymized_member(&told, known_as)))
            }
            EventData::Organization(told) => EventData::Organization(told),
        };
        tx.webhook_event_retell(organization, id, &data).await?;
    }
    Ok(())
}

async fn scrub(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    subject: Uuid,
    pseudonym: &Pseudonym,
) -> Result<(), Error> {
    let mut last = None;
    loop {
        let entries = tx.audit_images(organization, subject, last, limits::AUDIT_SCRUBBED).await?;
        let Some((id, ..)) = entries.last() else { return Ok(()) };
        last = Some(*id);
        for (id, before, after) in entries {
            let image = |image: Option<String>| image.map(|image| scrubbed(&image, pseudonym)).transpose();
            tx.audit_scrub(organization, (id, image(before)?, image(after)?)).await?;
        }
    }
}
