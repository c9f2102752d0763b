//! Limits of the number of invitations.

use serde_json::json;
use tenantry_core::invitation::{
    INVITATIONS_PER_ADDRESS_A_DAY, INVITATIONS_PER_HOUR, MAILS_PER_ADDRESS_A_DAY, PENDING_PER_ORGANIZATION,
};
use tenantry_testkit::{Clock, Organization, Settings, World};

use super::{ADA, Inviting};

/// Invites people with links, many at once. Returns how many were invited.
async fn invite_many(world: &World, organization: &Organization, names: std::ops::Range<u64>) -> usize {
    let client = world.token(organization, "*").await;
    let path = format!("/v1/organizations/{}/invitations/bulk", organization.id);
    let mut invited = 0;
    let names: Vec<u64> = names.collect();
    for part in names.chunks(100) {
        let items: Vec<_> = part.iter().map(|n| json!({"email": format!("p{n}@example.com")})).collect();
        let made = client.post(&path, json!({"items": items, "send_email": false})).await.expect(200);
        let results = made["results"].as_array().unwrap();
        invited += results.iter().filter(|one| one["status"] == "created").count();
    }
    invited
}

#[tokio::test]
async fn the_organizations_of_one_owner_share_a_number_an_hour() {
    let world = World::with(Settings { clock: Clock::stopped(), ..Settings::default() });
    let acme = world.organization("acme").await;
    let child = world.sub_account(&acme, "Child").await;
    let child = Organization { id: child, slug: String::new(), owner: acme.owner.clone() };
    let most = usize::try_from(INVITATIONS_PER_HOUR).unwrap();
    assert_eq!(invite_many(&world, &acme, 0..150).await, 150);
    assert_eq!(invite_many(&world, &child, 0..150).await, most - 150);
    let path = format!("/v1/organizations/{}/invitations", acme.id);
    let refused = world.token(&acme, "*").await.post(&path, json!({"email": ADA})).await;
    refused.assert_error(429, "TooManyRequests");
    assert!(refused.header("retry-after").is_some(), "{refused}");
    // Another owner is not delayed, and time makes room.
    let other = world.organization("other").await;
    assert_eq!(invite_many(&world, &other, 0..10).await, 10);
    world.advance_s(60 * 60);
    assert_eq!(invite_many(&world, &child, 150..160).await, 10);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_address_gets_few_mails_a_day_from_all_organizations() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let body = json!({"email": ADA});
    for number in 0..MAILS_PER_ADDRESS_A_DAY {
        let other = world.organization(&format!("other-{number}")).await;
        let path = format!("/v1/organizations/{}/invitations", other.id);
        world.token(&other, "*").await.post(&path, body.clone()).await.expect(201);
    }
    // Another tag is the same mailbox.
    let tagged = json!({"email": "ada+news@example.com"});
    for body in [&body, &tagged] {
        let refused = inviting.owner().post(&inviting.path, body.clone()).await;
        refused.assert_error(429, "TooManyRequests");
        assert!(refused["detail"].as_str().unwrap().contains("send_email"), "{refused}");
    }
    assert!(inviting.actions().await.is_empty());
    // The link needs no mail. Sending it again by mail does.
    let (made, _) = inviting.link(ADA).await;
    world.advance_s(60);
    let resend = format!("{}/resend", inviting.at(&made));
    inviting.owner().post(&resend, json!({})).await.expect(429);
    world.advance_s(24 * 60 * 60);
    inviting.owner().post(&resend, json!({})).await.expect(200);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn an_organization_has_a_largest_number_of_pending_ones() {
    let world = World::with(Settings { clock: Clock::stopped(), ..Settings::default() });
    let acme = world.organization("acme").await;
    for hour in 0..PENDING_PER_ORGANIZATION.div_ceil(250) {
        invite_many(&world, &acme, hour * 250..(hour + 1) * 250).await;
        world.advance_s(60 * 60);
    }
    let client = world.token(&acme, "*").await;
    let path = format!("/v1/organizations/{}/invitations", acme.id);
    let refused = client.post(&path, json!({"email": ADA})).await;
    refused.assert_error(403, "NotPermitted");
    let one = client.get(&format!("{path}?limit=1")).await.expect(200);
    assert_eq!(one["pagination"]["total_count"], PENDING_PER_ORGANIZATION);
    client.delete(&format!("{path}/{}", one.each("id")[0])).await.expect(204);
    client.post(&path, json!({"email": ADA})).await.expect(201);
}

#[tokio::test]
async fn the_organizations_of_one_owner_invite_an_address_a_few_times_a_day() {
    let world = World::with(Settings { clock: Clock::stopped(), ..Settings::default() });
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let invite = async |organization: &Organization, email: &str| {
        let path = format!("/v1/organizations/{}/invitations", organization.id);
        let body = json!({"email": email, "send_email": false});
        world.token(organization, "*").await.post(&path, body).await
    };
    let mut children = Vec::new();
    for number in 0..=INVITATIONS_PER_ADDRESS_A_DAY {
        let id = world.sub_account(&acme, &format!("Child {number}")).await;
        children.push(Organization { id, slug: String::new(), owner: acme.owner.clone() });
    }
    let (last, first) = children.split_last().unwrap();
    for child in first {
        invite(child, ADA).await.expect(201);
    }
    // Another tag is the same mailbox.
    for email in [ADA, "ada+news@example.com"] {
        let refused = invite(last, email).await;
        refused.assert_error(429, "TooManyRequests");
        assert!(refused.header("retry-after").is_some(), "{refused}");
    }
    invite(last, "somebody@example.com").await.expect(201);
    invite(&other, ADA).await.expect(201);
    world.advance_s(24 * 60 * 60);
    invite(last, ADA).await.expect(201);
    assert_eq!(world.findings().await, [""; 0]);
}

/// A response to many items can be much larger than the request, and is kept for its key.
#[tokio::test]
async fn the_responses_that_are_kept_for_one_owner_have_a_bound() {
    let world = World::with(Settings { clock: Clock::stopped(), ..Settings::default() });
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let metadata: serde_json::Map<_, _> =
        (0..50).map(|n| (format!("k{n}"), json!("v".repeat(500)))).collect();
    let path = |of: &Organization| format!("/v1/organizations/{}/invitations", of.id);
    let client = world.token(&acme, "*").await;
    for number in 0..100 {
        let body = json!({"email": format!("p{number}@x.dev"), "send_email": false, "metadata": metadata});
        client.post(&path(&acme), body).await.expect(201);
    }
    let items: Vec<_> = (0..100).map(|number| json!({"email": format!("p{number}@x.dev")})).collect();
    let ask = async |of: &Organization, key: String| {
        let client = world.token(of, "*").await.with("idempotency-key", key);
        client.post(&format!("{}/bulk", path(of)), json!({"items": items, "send_email": false})).await
    };
    let mut kept = 0;
    while ask(&acme, format!("key-{kept}")).await.status == 200 {
        kept += 1;
        assert!(kept < 70, "each takes 2.5 MB of 128 MiB");
    }
    assert!(kept > 40, "{kept}");
    let refused = ask(&acme, "one more".to_owned()).await;
    refused.assert_error(429, "TooManyRequests");
    let wait_s: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    // Without a key nothing is kept, a small response is not counted, and another owner has a budget of its own.
    client.post(&format!("{}/bulk", path(&acme)), json!({"items": items})).await.expect(200);
    let one = json!({"email": "q@x.dev", "send_email": false});
    client.with("idempotency-key", "small").post(&path(&acme), one).await.expect(201);
    ask(&other, "key".to_owned()).await.expect(200);
    world.advance_s(wait_s);
    ask(&acme, "one more".to_owned()).await.expect(200);
}
