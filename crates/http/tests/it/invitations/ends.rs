//! The end of invitations: with their organization, with the person, and with time.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::organization_deletion::{OrganizationDelete, OrganizationUndelete};
use tenantry_core::ids::UserId;

use super::{ADA, DAY_S, Inviting, accept, decline, lookup};

#[tokio::test]
async fn an_invitation_ends_with_its_organization() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let (_, token) = inviting.invite(ADA, "member").await;
    let ada = world.proved_user(ADA, "*").await;
    let (by, id) = (Requester::operator(), inviting.acme.organization.id);
    let delete = OrganizationDelete { by: by.clone(), id, with_sub_accounts: true };
    world.app.write(delete.clone()).await.unwrap();
    lookup(world, &token).await.assert_error(404, "ResourceNotFound");
    accept(&ada, &token).await.assert_error(404, "ResourceNotFound");
    decline(world, &token).await.assert_error(404, "ResourceNotFound");
    assert!(ada.get("/v1/users/me/invitations").await.expect(200).each("id").is_empty());
    inviting.assert_sound().await;
    world.app.write(OrganizationUndelete { by, id }).await.unwrap();
    assert_eq!(lookup(world, &token).await.expect(200)["status"], "pending");
    world.app.write(delete).await.unwrap();
    world.advance_s(31 * DAY_S);
    world.app.sweep().await.unwrap();
    lookup(world, &token).await.expect(404);
    let left = world.database().rows();
    assert!(!left.iter().any(|row| row.starts_with("invitation")), "{left:#?}");
    inviting.assert_sound().await;
}

#[tokio::test]
async fn the_invitations_of_a_sub_account_end_with_the_parent() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let child = world.sub_account(&inviting.acme.organization, "Child").await;
    let child = tenantry_testkit::Organization { id: child, ..inviting.acme.organization.clone() };
    let path = format!("/v1/organizations/{}/invitations", child.id);
    world.token(&child, "*").await.post(&path, json!({"email": ADA})).await.expect(201);
    let token = inviting.mailed_token().await;
    let ada = world.proved_user(ADA, "*").await;
    let (by, id) = (Requester::operator(), inviting.acme.organization.id);
    world.app.write(OrganizationDelete { by, id, with_sub_accounts: true }).await.unwrap();
    lookup(world, &token).await.expect(404);
    accept(&ada, &token).await.expect(404);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn old_invitations_are_deleted() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let (revoked, token) = inviting.link(ADA).await;
    let (expired, _) = inviting.link("bob@example.com").await;
    inviting.owner().delete(&inviting.at(&revoked)).await.expect(204);
    world.advance_s(29 * DAY_S);
    world.app.sweep().await.unwrap();
    lookup(world, &token).await.expect(200);
    world.advance_s(2 * DAY_S);
    world.app.sweep().await.unwrap();
    lookup(world, &token).await.expect(404);
    inviting.get(&revoked).await.expect(404);
    assert_eq!(inviting.get(&expired).await.expect(200)["status"], "expired");
    world.advance_s(7 * DAY_S);
    world.app.sweep().await.unwrap();
    inviting.get(&expired).await.expect(404);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn a_deleted_person_is_in_no_invitation() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let (_, token) = inviting.invite(ADA, "member").await;
    let ada = world.proved_user(ADA, "*").await;
    accept(&ada, &token).await.expect(200);
    // The person takes another address, and is invited elsewhere.
    let user = UserId::new(ada.actor());
    let email = "lovelace@example.com".parse().unwrap();
    world.app.set_user_email(&Requester::operator(), user, email).await.unwrap();
    let other = world.organization("other").await;
    let path = format!("/v1/organizations/{}/invitations", other.id);
    let body = json!({"email": "Lovelace@example.com", "name": "Ada Lovelace"});
    world.token(&other, "*").await.post(&path, body).await.expect(201);
    world.app.delete_user(&Requester::operator(), user).await.unwrap();
    for row in world.database().rows().iter().filter(|row| row.contains("invitation")) {
        assert!(!row.to_lowercase().contains("lovelace@") && !row.contains("ada@"), "{row}");
    }
    inviting.assert_sound().await;
}

#[tokio::test]
async fn an_owner_whose_deletion_is_refused_stays_invited() {
    let inviting = Inviting::new().await;
    let world = inviting.world();
    let other = world.organization("other").await;
    let (_, token) = inviting.invite(&other.owner, "member").await;
    let owner = UserId::new(world.user(&other.owner, "*").await.actor());
    let refused = world.app.delete_user(&Requester::operator(), owner).await;
    assert!(refused.unwrap_err().to_string().contains("other"));
    assert_eq!(lookup(world, &token).await.expect(200)["status"], "pending");
}
