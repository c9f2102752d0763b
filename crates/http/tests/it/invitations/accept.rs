//! Accepting and declining.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_app::invitations::{InvitationAccept, InvitationKey};
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_app::{Error, Requester};
use tenantry_core::values::SuspensionReason;
use tokio::task::JoinSet;

use super::{ADA, DAY_S, Inviting, accept, decline, lookup};

#[tokio::test]
async fn the_person_accepts_and_is_in_the_team() {
    let inviting = Inviting::new().await;
    let body = json!({"email": "Ada@example.com", "role": "finance", "name": "Ada Lovelace"});
    let made = inviting.owner().post(&inviting.path, body).await.expect(201).body;
    let token = inviting.mailed_token().await;
    let ada = inviting.world().proved_user(ADA, "*").await;
    let accepted = accept(&ada, &token).await.expect(200);
    assert_eq!((&accepted["status"], &accepted["organization_name"]), (&json!("accepted"), &json!("acme")));
    assert_eq!(inviting.role_of("Ada@example.com").await.as_deref(), Some("finance"));
    // Again by the same person: the same answer, and no effect.
    assert_eq!(accept(&ada, &token).await.expect(200).body, accepted.body);
    let by_id = json!({"organization_id": made["organization_id"], "id": made["id"]});
    assert_eq!(ada.post("/v1/invitations/accept", by_id).await.expect(200).body, accepted.body);
    let expected = ["invitation.created", "team_member.created", "invitation.accepted"];
    assert_eq!(inviting.actions().await, expected);
    let shown = inviting.get(&made).await.expect(200);
    assert_eq!(shown["accepted_by_id"], ada.actor().to_string());
    assert_eq!(shown["accepted_at"], accepted["accepted_at"]);
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "accepted");
    inviting.owner().delete(&inviting.at(&made)).await.assert_error(409, "InvitationSettled");
    decline(inviting.world(), &token).await.assert_error(409, "InvitationSettled");
    inviting.assert_sound().await;
}

#[tokio::test]
async fn nobody_accepts_for_another_address_or_an_unproved_one() {
    let inviting = Inviting::new().await;
    let (made, token) = inviting.invite(ADA, "admin").await;
    let eve = inviting.world().proved_user("eve@example.com", "*").await;
    let refused = accept(&eve, &token).await;
    refused.assert_error(403, "AddressMismatch");
    assert!(refused["detail"].as_str().unwrap().contains("a***@example.com"), "{refused}");
    let by_id = json!({"organization_id": made["organization_id"], "id": made["id"]});
    eve.post("/v1/invitations/accept", by_id.clone()).await.expect(404);
    // A token that the operator made proves no address, nor does an invitation.
    let ada = inviting.world().user(ADA, "*").await;
    let refused = accept(&ada, &token).await;
    refused.assert_error(403, "AddressNotProved");
    assert!(refused["detail"].as_str().unwrap().contains("sign in to the console"), "{refused}");
    ada.post("/v1/invitations/accept", by_id).await.assert_error(403, "AddressNotProved");
    assert!(ada.get("/v1/users/me/invitations").await.expect(200).each("id").is_empty());
    accept(&inviting.acme.client(), &token).await.expect(401);
    accept(&inviting.world().anonymous(), &token).await.expect(401);
    let narrow = inviting.world().proved_user(ADA, "organizations:read").await;
    accept(&narrow, &token).await.assert_error(403, "insufficient_scope");
    assert_eq!(inviting.role_of(ADA).await, None);
    assert_eq!(inviting.actions().await, ["invitation.created"]);
    // The refusals are not stored for the key: once the address is proved, the same request succeeds.
    let body = json!({"token": token});
    let other = inviting.world().user("bob@example.com", "*").await.key("k");
    other.post("/v1/invitations/accept", body.clone()).await.expect(403);
    inviting.world().proved_user("bob@example.com", "*").await;
    other.post("/v1/invitations/accept", body).await.assert_error(403, "AddressMismatch");
}

#[tokio::test]
async fn an_unknown_token_is_not_found_whatever_its_form() {
    let inviting = Inviting::new().await;
    let (_, token) = inviting.link(ADA).await;
    let ada = inviting.world().proved_user(ADA, "*").await;
    let mut unknown = token.clone();
    unknown.replace_range(20..21, if &token[20..21] == "a" { "b" } else { "a" });
    let session = inviting.owner.as_str();
    for token in [unknown.as_str(), "nothing", session] {
        lookup(inviting.world(), token).await.assert_error(404, "ResourceNotFound");
        accept(&ada, token).await.assert_error(404, "ResourceNotFound");
        decline(inviting.world(), token).await.assert_error(404, "ResourceNotFound");
    }
    // The secret of an invitation opens nothing else.
    inviting.world().bearer(&token).get(&inviting.acme.path_v1()).await.expect(401);
    inviting.world().anonymous().post("/v1/tokens/revoke", json!({"token": token})).await.expect(200);
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "pending");
}

#[tokio::test]
async fn a_person_sees_what_waits_and_accepts_without_the_mail() {
    let inviting = Inviting::new().await;
    let (made, _) = inviting.invite(ADA, "member").await;
    let other = inviting.world().organization("other").await;
    let client = inviting.world().token(&other, "*").await;
    let path = format!("/v1/organizations/{}/invitations", other.id);
    let theirs = client.post(&path, json!({"email": ADA, "metadata": {"note": "ours"}})).await.expect(201);
    let ada = inviting.world().proved_user(ADA, "*").await;
    let waiting = ada.get("/v1/users/me/invitations").await.expect(200);
    assert_eq!(waiting.each("organization_name"), ["other", "acme"]);
    assert_eq!(waiting.each("id"), [theirs.id().as_str(), made["id"].as_str().unwrap()]);
    assert!(!waiting.text.contains("ours"), "{waiting}");
    let eve = inviting.world().proved_user("eve@example.com", "*").await;
    assert!(eve.get("/v1/users/me/invitations").await.expect(200).each("id").is_empty());
    let by_id = json!({"organization_id": made["organization_id"], "id": made["id"]});
    ada.post("/v1/invitations/accept", by_id).await.expect(200);
    assert_eq!(ada.get("/v1/users/me/invitations").await.each("organization_name"), ["other"]);
    inviting.world().advance_s(7 * DAY_S);
    assert!(ada.get("/v1/users/me/invitations").await.each("id").is_empty());
    inviting.assert_sound().await;
}

#[tokio::test]
async fn declining_ends_it_and_makes_room_for_another() {
    let inviting = Inviting::new().await;
    let (made, token) = inviting.invite(ADA, "member").await;
    let declined = decline(inviting.world(), &token).await.expect(200);
    assert_eq!((&declined["status"], &declined["email"]), (&json!("declined"), &json!("a***@example.com")));
    assert_eq!(decline(inviting.world(), &token).await.expect(200).body, declined.body);
    let ada = inviting.world().proved_user(ADA, "*").await;
    accept(&ada, &token).await.assert_error(409, "InvitationSettled");
    let (again, _) = inviting.invite(ADA, "admin").await;
    assert_ne!(again["id"], made["id"]);
    assert_ne!(inviting.get(&made).await.expect(200)["declined_at"], Value::Null);
    let expected = ["invitation.created", "invitation.declined", "invitation.created"];
    assert_eq!(inviting.actions().await, expected);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn a_suspended_organization_admits_nobody() {
    let inviting = Inviting::new().await;
    let (_, token) = inviting.invite(ADA, "member").await;
    let ada = inviting.world().proved_user(ADA, "*").await;
    let id = inviting.acme.organization.id;
    let reason = SuspensionReason::parse("late").unwrap();
    inviting.world().app.write(OrganizationSuspend { id, reason }).await.unwrap();
    let refused = accept(&ada, &token).await;
    refused.assert_error(403, "NotPermitted");
    assert!(refused["detail"].as_str().unwrap().contains("suspended"), "{refused}");
    assert!(ada.get("/v1/users/me/invitations").await.expect(200).each("id").is_empty());
    inviting.world().app.write(OrganizationUnsuspend { id }).await.unwrap();
    accept(&ada, &token).await.expect(200);
}

/// Many requests at once, on two nodes where the engine has them.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_acceptances_one_has_an_effect() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let (_, token) = inviting.link(ADA).await;
    let ada = world.proved_user(ADA, "*").await;
    let other = world.other_node();
    let nodes = [Arc::clone(&world.app), Arc::clone(&other.app)];
    let mut running = JoinSet::new();
    for number in 0..64 {
        let app = Arc::clone(&nodes[number % 2]);
        let (secret, token) = (ada.secret(), token.clone());
        running.spawn(async move {
            let by = Requester::caller(&app.authenticate(&secret).await.unwrap(), None);
            let hash_key = app.hash_key().clone();
            let key = InvitationKey::Secret(token);
            app.write_as(&by.clone(), InvitationAccept { by, key, hash_key }).await
        });
    }
    let outcomes: Vec<Result<_, Error>> = running.join_all().await;
    let accepted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(accepted, 64, "{:?}", outcomes.iter().find(|outcome| outcome.is_err()));
    let expected = ["invitation.created", "team_member.created", "invitation.accepted"];
    assert_eq!(inviting.actions().await, expected);
    assert_eq!(inviting.role_of(ADA).await.as_deref(), Some("member"));
    inviting.assert_sound().await;
}
