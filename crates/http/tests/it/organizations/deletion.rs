//! The deletion of organizations, their return, and their purge.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_app::organization_deletion::{OrganizationDelete, OrganizationUndelete};
use tenantry_app::organizations::OwnerRef;
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::sub_accounts::SubAccountCreate;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::{Error, Requester};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::{DeletionError, NewSubAccount};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::user::UserError;
use tenantry_core::values::Website;
use tenantry_testkit::{Acme, Client, Organization, World};
use tokio::task::JoinSet;

const DAY_S: i64 = 24 * 60 * 60;

async fn owner(acme: &Acme) -> Client<'_> {
    acme.world.user(&acme.organization.owner, "*").await
}

async fn operator_deletes(world: &World, id: OrganizationId) {
    let by = Requester::operator();
    world.app.write(OrganizationDelete { by, id, with_sub_accounts: true }).await.unwrap();
}

/// The rows that name an organization.
fn rows_of(world: &World, id: OrganizationId) -> Vec<String> {
    // The rows of a file show an id as a list of bytes.
    let bytes = format!("{:?}", id.uuid().as_bytes());
    let (text, bytes) = (id.to_string(), bytes.trim_matches(['[', ']']).to_owned());
    let names_it = |row: &String| row.contains(&text) || row.contains(&bytes);
    world.database().rows().into_iter().filter(names_it).collect()
}

#[tokio::test]
async fn a_deletion_shuts_everything_and_an_undeletion_brings_it_back() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let client = acme.client();
    let customer = acme.create_team("crew").await;
    let session = acme.owner_session("crew").await;
    let owner = owner(&acme).await;
    let other = world.organization_owned_by("other", &acme.organization.owner).await;
    let before = client.get(&acme.path_v1()).await.expect(200).body;
    let team = client.get(&format!("{}/members", acme.path_v1())).await.expect(200).body;

    client.delete(&acme.path_v1()).await.expect(401);
    let expected = json!({"deleted": true, "requires_support": false, "blocked_reasons": []});
    assert_eq!(owner.delete(&acme.path_v1()).await.expect(200).body, expected);
    assert_eq!(client.get("/v1/customers").await.expect(401)["error"], "invalid_token");
    assert_eq!(client.get(&acme.path_v2()).await.expect(401).message(), "invalid API key");
    world.bearer(&session).get("/v1/customer-portal/customers/me").await.expect(401);
    world.anonymous().get("/v1/customer-portal/organizations/acme").await.expect(404);
    owner.get(&acme.path_v1()).await.expect(404);
    owner.delete(&acme.path_v1()).await.expect(404);
    assert_eq!(owner.get("/v1/organizations").await.each("slug"), ["other"]);
    let taken = owner.post("/v1/organizations", json!({"name": "Acme", "slug": "acme"})).await;
    taken.expect(422);
    assert_eq!(world.audit(&acme.organization).await.last().unwrap().action, "organization.deleted");
    assert_eq!(world.findings().await, [""; 0]);

    world.advance_s(29 * DAY_S);
    world.app.sweep().await.unwrap();
    let undelete = format!("{}/undelete", acme.path_v1());
    // Only the former owner knows the organization.
    world.user("eve@example.com", "*").await.post(&undelete, json!({})).await.expect(404);
    world.token(&other, "*").await.post(&undelete, json!({})).await.expect(401);
    let elsewhere = owner.with("polar-organization", other.id.to_string());
    elsewhere.post(&undelete, json!({})).await.expect(404);
    let back = owner.key("k").post(&undelete, json!({})).await.expect(200);
    assert_eq!(back.body, before);
    assert_eq!(owner.key("k").post(&undelete, json!({})).await.expect(200).body, before);
    assert_eq!(owner.post(&undelete, json!({})).await.expect(200).body, before, "it is not deleted any more");
    assert_eq!(client.get(&acme.path_v1()).await.expect(200).body, before);
    assert_eq!(client.get(&format!("{}/members", acme.path_v1())).await.expect(200).body, team);
    client.get(&format!("/v1/customers/{customer}")).await.expect(200);
    let undeleted = world.audit(&acme.organization).await;
    let undeleted = undeleted.iter().filter(|entry| entry.action == "organization.undeleted");
    assert_eq!(undeleted.count(), 1);
    world.advance_s(40 * DAY_S);
    world.app.sweep().await.unwrap();
    client.get(&acme.path_v1()).await.expect(200);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_role_decides_who_deletes() {
    let acme = Acme::new().await;
    for (name, role, status) in [
        ("a", "Developer", 403),
        ("b", "Analyst", 403),
        ("c", "Billing Manager", 403),
        ("d", "Administrator", 200),
    ] {
        let email = format!("{name}@example.com");
        let body = json!({"email": email, "role": role});
        acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
        let person = acme.world.user(&email, "*").await;
        person.delete(&acme.path_v1()).await.expect(status);
    }
    // Bringing it back is for the owner.
    let undelete = format!("{}/undelete", acme.path_v1());
    acme.world.user("d@example.com", "*").await.post(&undelete, json!({})).await.expect(404);
    owner(&acme).await.post(&undelete, json!({})).await.expect(200);
    owner(&acme).await.delete("/v1/organizations/x").await.expect(422);
    owner(&acme).await.delete(&format!("{}?sub_accounts=x", acme.path_v1())).await.expect(422);
}

#[tokio::test]
async fn sub_accounts_are_deleted_first_or_with_their_parent() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let owner = owner(&acme).await;
    let child = world.sub_account(&acme.organization, "Child").await;
    let child = Organization { id: child, slug: String::new(), ..acme.organization.clone() };
    let of_child = world.token(&child, "*").await;
    let path = format!("/v2/accounts/{}", child.id);
    let refused = owner.delete(&acme.path_v1()).await.expect(409);
    assert_eq!(refused["error"], "OrganizationHasSubAccounts");
    assert!(refused["detail"].as_str().unwrap().contains("1 sub-accounts (child-"), "{refused}");
    of_child.get(&path).await.expect(200);

    owner.delete(&format!("{}?sub_accounts=true", acme.path_v1())).await.expect(200);
    assert_eq!(of_child.get(&path).await.expect(401).message(), "invalid API key");
    owner.get(&path).await.expect(401);
    assert_eq!(owner.get("/v1/organizations").await.each("slug"), Vec::<&str>::new());
    let undelete = |id: OrganizationId| format!("/v1/organizations/{id}/undelete");
    owner.post(&undelete(child.id), json!({})).await.expect(409);
    assert_eq!(world.findings().await, [""; 0]);
    owner.post(&undelete(acme.organization.id), json!({})).await.expect(200);
    of_child.get(&path).await.expect(200);

    // Alone, and back under its parent.
    let sub_accounts = format!("{}/sub-accounts", acme.path_v2());
    acme.client().delete(&format!("{sub_accounts}/{}", child.id)).await.expect(200);
    owner.delete(&acme.path_v1()).await.expect(200);
    let refused = owner.post(&undelete(child.id), json!({})).await.expect(409);
    assert_eq!(refused["error"], "OrganizationParentDeleted");
    owner.post(&undelete(acme.organization.id), json!({})).await.expect(200);
    assert_eq!(acme.client().get(&sub_accounts).await.each("id"), Vec::<&str>::new());
    owner.post(&undelete(child.id), json!({})).await.expect(200);
    of_child.get(&path).await.expect(200);
    assert_eq!(acme.client().get(&sub_accounts).await.each("id"), [child.id.to_string()]);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_suspended_organization_comes_back_by_the_operator_alone() {
    let acme = Acme::new().await;
    let (world, id) = (&acme.world, acme.organization.id);
    let owner = owner(&acme).await;
    let reason = "abuse".parse().unwrap();
    world.app.write(OrganizationSuspend { id, reason }).await.unwrap();
    owner.delete(&acme.path_v1()).await.expect(404);
    operator_deletes(world, id).await;
    owner.post(&format!("{}/undelete", acme.path_v1()), json!({})).await.expect(404);
    world.app.write(OrganizationUndelete { by: Requester::operator(), id }).await.unwrap();
    assert_eq!(acme.client().get(&acme.path_v2()).await.expect(401).message(), "Account is suspended");
}

#[tokio::test]
async fn a_purge_leaves_the_slug_alone() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let neighbour = world.organization("neighbour").await;
    let kept = world.token(&neighbour, "*").await;
    let child = world.sub_account(&acme.organization, "Child").await;
    let hook = json!({"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]});
    acme.client().post("/v1/webhooks/endpoints", hook).await.expect(201);
    for number in 0..120 {
        let customer = acme.create_team(&format!("c{number}")).await;
        acme.create_member(&customer, "m").await;
    }
    acme.owner_session("c1").await;
    let body = json!({"email": "mate@example.com", "role": "Developer"});
    let members = format!("{}/members", acme.path_v2());
    let mate = acme.client().key("k").post(&members, body).await.expect(201);
    let mate = format!("{members}/{}", mate["user_id"].as_str().unwrap());
    acme.client().delete(&mate).await.expect(200);
    operator_deletes(world, acme.organization.id).await;

    world.advance_s(31 * DAY_S);
    world.app.sweep().await.unwrap();
    world.app.sweep().await.unwrap();
    for id in [acme.organization.id, child] {
        // The log of the installation tells of the purge.
        let left = rows_of(world, id);
        assert!(left.iter().all(|row| row.starts_with("audit_entries")) && left.len() == 1, "{left:#?}");
    }
    assert_eq!(world.findings().await, [""; 0]);
    kept.get(&format!("/v1/organizations/{}", neighbour.id)).await.expect(200);
    let owner = owner(&acme).await;
    owner.post("/v1/organizations", json!({"name": "Acme", "slug": "acme"})).await.expect(422);
    owner.post(&format!("{}/undelete", acme.path_v1()), json!({})).await.expect(404);
    assert_eq!(
        world.app.store().reader().unwrap().tx().unwrap().organization_by_slug("acme").await.unwrap(),
        None
    );
}

#[tokio::test]
async fn an_organization_in_purge_does_not_come_back() {
    let acme = Acme::new().await;
    let (world, id) = (&acme.world, acme.organization.id);
    operator_deletes(world, id).await;
    // As after a crash in the middle of the purge.
    let begun = format!("UPDATE organizations SET purge_began_at = deleted_at WHERE slug = '{}'", "acme");
    world.database().execute(&begun);
    let refused =
        owner(&acme).await.post(&format!("{}/undelete", acme.path_v1()), json!({})).await.expect(409);
    assert_eq!(refused["error"], "OrganizationPurged");
    let by = Requester::operator();
    let refused = world.app.write(OrganizationUndelete { by, id }).await;
    assert!(matches!(refused, Err(Error::Deletion(DeletionError::Purged))), "{refused:?}");
    // It goes on, whatever the days are by now.
    world.app.sweep().await.unwrap();
    assert_eq!(rows_of(world, id).len(), 1);
}

#[tokio::test]
async fn the_owner_of_a_deleted_organization_is_not_deleted() {
    let acme = Acme::new().await;
    let (world, id) = (&acme.world, acme.organization.id);
    let body = json!({"email": "mate@example.com", "role": "Developer"});
    let mate = acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
    let mate = UserId::new(mate["user_id"].as_str().unwrap().parse().unwrap());
    let owner = UserId::new(owner(&acme).await.actor());
    operator_deletes(world, id).await;
    let refused = world.app.delete_user(&Requester::operator(), owner).await;
    // Nobody can become its owner now, so the refusal names what can be done.
    let refused = refused.unwrap_err();
    assert!(
        matches!(&refused, Error::User(UserError::OwnsDeletedOrganizations(owned)) if owned == &["acme"])
    );
    assert!(refused.to_string().contains("tenantry organization undelete"), "{refused}");
    world.app.delete_user(&Requester::operator(), mate).await.unwrap();
    world.app.write(OrganizationUndelete { by: Requester::operator(), id }).await.unwrap();
    let team = acme.client().get(&format!("{}/members", acme.path_v1())).await.expect(200);
    assert_eq!(team.each("email"), [acme.organization.owner.as_str()]);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn no_mail_of_a_deleted_organization_is_sent() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let child = world.sub_account(&acme.organization, "Child").await;
    let child = Organization { id: child, slug: String::new(), ..acme.organization.clone() };
    for (client, path) in [
        (acme.client(), acme.path_v2()),
        (world.token(&child, "*").await, format!("/v2/accounts/{}", child.id)),
    ] {
        let body = json!({"email": "mate@example.com", "role": "Developer"});
        client.post(&format!("{path}/members"), body).await.expect(201);
    }
    acme.client().delete(&format!("{}/sub-accounts/{}", acme.path_v2(), child.id)).await.expect(200);
    assert_eq!(world.mail().await.len(), 1, "the parent's");
    let body = json!({"email": "other@example.com", "role": "Developer"});
    acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
    operator_deletes(world, acme.organization.id).await;
    assert_eq!(world.mail().await, []);
}

/// Whether an error is a refusal that a race with a deletion may cause.
fn is_refused(error: &Error) -> bool {
    matches!(
        error,
        Error::Team(_)
            | Error::NotPermitted(_)
            | Error::OrganizationNotFound
            | Error::SubAccountNotFound
            | Error::Deletion(DeletionError::HasSubAccounts(..) | DeletionError::ParentDeleted)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_race_with_everything_that_changes_an_organization() {
    let acme = Acme::new().await;
    let (world, organization) = (&acme.world, acme.organization.id);
    let body = json!({"email": "heir@example.com", "role": "Administrator"});
    let heir = acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
    let heir = UserId::new(heir["user_id"].as_str().unwrap().parse().unwrap());
    let first = UserId::new(owner(&acme).await.actor());
    let child = world.sub_account(&acme.organization, "Child").await;
    for round in 0..4 {
        let mut running = JoinSet::new();
        for number in 0..48_usize {
            let app = Arc::clone(&world.app);
            let by = Requester::operator();
            let id = if number % 16 < 8 { organization } else { child };
            running.spawn(async move {
                match number % 6 {
                    0 => app.write(OrganizationDelete { by, id, with_sub_accounts: true }).await.map(drop),
                    1 | 2 => app.write(OrganizationUndelete { by, id }).await.map(drop),
                    3 => {
                        let email = format!("p{round}-{number}@example.com").parse().unwrap();
                        let new = NewTeamMember { email, name: None, role: TeamRole::Analyst };
                        app.write(TeamMemberAdd { by, organization: id, new }).await.map(drop)
                    }
                    4 => {
                        let to = OwnerRef::User(if number % 4 == 0 { heir } else { first });
                        app.write(OrganizationTransfer { organization, to }).await.map(drop)
                    }
                    _ => {
                        let name = "New".parse().unwrap();
                        let website = Website::parse("x.example.com").unwrap();
                        let new = NewSubAccount { name, website, monthly_credit: 0 };
                        app.write(SubAccountCreate { by, parent: organization, new }).await.map(drop)
                    }
                }
            });
        }
        for outcome in running.join_all().await {
            assert!(outcome.as_ref().map_or_else(is_refused, |()| true), "{outcome:?}");
        }
        assert_eq!(world.findings().await, [""; 0]);
    }
    for id in [organization, child] {
        world.app.write(OrganizationUndelete { by: Requester::operator(), id }).await.unwrap();
    }
    let listed = acme.client().get(&format!("{}/sub-accounts", acme.path_v2())).await.expect(200);
    let ids: Vec<&Value> = listed["data"].as_array().unwrap().iter().map(|child| &child["id"]).collect();
    assert!(ids.contains(&&json!(child)), "{listed}");
    assert_eq!(world.findings().await, [""; 0]);
}
