//! A commit names the organizations that it leaves work for, and a look at one of them touches no other.

use serde_json::json;
use tenantry_core::ids::OrganizationId;
use tenantry_store::Woken;

use tenantry_testkit::WebhookReceiver;

use super::{acme_sending_to, rename, subscribe};

#[tokio::test]
async fn a_commit_wakes_the_worker_for_its_organization_alone() {
    let mut receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    subscribe(&acme, &receiver).await;
    let other = acme.world.organization("other").await;
    let client = acme.world.token(&other, "*").await;
    let new = json!({"url": receiver.url(), "format": "raw", "events": ["organization.updated"]});
    client.post("/v1/webhooks/endpoints", new).await.expect(201);
    let renamed = json!({"name": "Other"});
    client.patch(&format!("/v1/organizations/{}", other.id), renamed).await.expect(200);

    let app = &acme.world.app;
    let woken = |organizations: &[OrganizationId]| Woken::Some(organizations.iter().copied().collect());
    assert_eq!(app.store().webhook_signal().wait().await, woken(&[other.id]));
    rename(&acme, "Renamed").await;
    assert_eq!(app.store().webhook_signal().wait().await, woken(&[acme.organization.id]));

    let look = app.lease_webhook_deliveries_of(acme.organization.id, |_| 0).await.unwrap();
    assert!(look.claims.is_empty(), "its owner may begin no request");
    let look = app.lease_webhook_deliveries_of(acme.organization.id, |_| 100).await.unwrap();
    let organizations: Vec<_> = look.claims.iter().map(|claim| claim.queue.organization).collect();
    assert_eq!(organizations, [acme.organization.id]);
    let look = app.lease_webhook_deliveries_of(acme.organization.id, |_| 100).await.unwrap();
    assert!(look.claims.is_empty(), "a queue is leased once");
    assert_eq!(app.lease_webhook_deliveries(100).await.unwrap()[0].queue.organization, other.id);
    assert!(receiver.all().is_empty());
}

#[tokio::test]
async fn a_look_at_an_organization_finds_the_time_of_its_next_retry() {
    let receiver = WebhookReceiver::start().await;
    let acme = acme_sending_to(&[&receiver]).await;
    subscribe(&acme, &receiver).await;
    receiver.answer_with(500);
    rename(&acme, "Renamed").await;
    super::deliver_due(&super::worker(&acme)).await;
    let app = &acme.world.app;
    let look = app.lease_webhook_deliveries_of(acme.organization.id, |_| 100).await.unwrap();
    let pause_s = app.now().seconds_until(look.next_due.unwrap());
    assert!(look.claims.is_empty() && (3..=8).contains(&pause_s), "{pause_s}");
    acme.world.advance_s(9);
    let look = app.lease_webhook_deliveries_of(acme.organization.id, |_| 100).await.unwrap();
    assert_eq!((look.claims.len(), look.next_due), (1, None));
}

#[tokio::test]
async fn mails_of_one_account_are_leased_alone() {
    let acme = acme_sending_to(&[]).await;
    let other = acme.world.organization("other").await;
    let client = acme.world.token(&other, "*").await;
    for (client, path) in
        [(acme.client(), acme.path_v1()), (client, format!("/v1/organizations/{}", other.id))]
    {
        client.post(&format!("{path}/members"), json!({"email": "p@example.com"})).await.expect(201);
    }
    let app = &acme.world.app;
    let both = [acme.organization.id, other.id].into_iter().collect();
    assert_eq!(app.store().mail_signal().wait().await, Woken::Some(both));
    let leased = app.lease_mails(Some(other.id)).await.unwrap();
    assert_eq!(leased.iter().map(|mail| mail.organization).collect::<Vec<_>>(), [other.id]);
    assert!(app.next_mail_due_of(acme.organization.id).await.unwrap().is_some_and(|due| due <= app.now()));
    assert_eq!(app.lease_mails(None).await.unwrap().len(), 1);
}
