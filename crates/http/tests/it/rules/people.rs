//! Users, as the operator manages them. The parts of long changes are in `people_in_parts`.

use serde_json::json;
use tenantry_app::organizations::OwnerRef;
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::{Error, Requester};
use tenantry_core::ids::UserId;
use tenantry_core::user::UserError;
use tenantry_core::values::EmailAddress;
use tenantry_testkit::{Acme, Organization, World};

async fn user(world: &World, email: &str) -> UserId {
    let email = EmailAddress::parse(email).unwrap();
    world.app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap().unwrap().id
}

/// Adds a person to a team.
async fn join(world: &World, organization: &Organization, email: &str) {
    let path = format!("/v2/accounts/{}/members", organization.id);
    let body = json!({"email": email, "name": "Ada Lovelace", "role": "Developer"});
    world.token(organization, "*").await.post(&path, body).await.expect(201);
}

/// Everything that the audit logs hold.
fn audit_texts(world: &World) -> String {
    let images = "SELECT coalesce(before, '') || coalesce(after, '') FROM audit_entries";
    world.database().texts(images).join("\n")
}

#[tokio::test]
async fn a_deleted_person_leaves_no_name_behind() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let other = world.organization("other").await;
    for organization in [&acme.organization, &other] {
        join(world, organization, "Ada@example.com").await;
    }
    let ada = user(world, "ada@example.com").await;
    let token = world.user("ada@example.com", "*").await;
    token.key("k").post("/v1/organizations", json!({"name": "Adas", "slug": "adas"})).await.expect(201);
    // A person who left a team is in its audit log as well.
    token.delete(&format!("/v1/organizations/{}/members/leave", other.id)).await.expect(204);

    let refused = world.app.delete_user(&Requester::operator(), ada).await;
    assert!(matches!(&refused, Err(Error::User(UserError::OwnsOrganizations(owned))) if owned == &["adas"]));
    let of = user(world, &acme.organization.owner).await;
    let adas = world.app.store().reader().unwrap().tx().unwrap().organization_by_slug("adas").await.unwrap();
    let to = OwnerRef::Email(acme.organization.owner.parse().unwrap());
    let organization = adas.unwrap();
    assert_eq!(world.app.write(OrganizationTransfer { organization, to }).await.unwrap().user, of);

    world.app.delete_user(&Requester::operator(), ada).await.unwrap();
    token.get("/v1/organizations").await.expect(401);
    let text = audit_texts(world);
    assert!(!text.to_lowercase().contains("ada@") && !text.contains("Lovelace"), "{text}");
    assert!(text.contains("@anonymized.invalid"));
    let listed = acme.client().get(&format!("{}/members", acme.path_v1())).await.expect(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert_eq!(world.findings().await, [""; 0]);
    assert!(matches!(
        world.app.delete_user(&Requester::operator(), ada).await,
        Err(Error::User(UserError::NotFound))
    ));
    // The address is free: the person can come back as somebody new.
    join(world, &other, "ada@example.com").await;
    assert_ne!(user(world, "ada@example.com").await, ada);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_deletion_of_many_entries_runs_in_parts() {
    let acme = Acme::new().await;
    let world = &acme.world;
    join(world, &acme.organization, "ada@example.com").await;
    let ada = user(world, "ada@example.com").await;
    let path = format!("{}/members/{ada}", acme.path_v1());
    for number in 0..600 {
        let role = if number % 2 == 0 { "admin" } else { "finance" };
        acme.client().patch(&path, json!({"role": role})).await.expect(200);
    }
    world.app.delete_user(&Requester::operator(), ada).await.unwrap();
    assert!(!audit_texts(world).contains("ada@"));
    assert_eq!(world.database().texts("SELECT 'x' FROM user_deletions").len(), 0);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn no_mail_to_a_deleted_person_is_sent() {
    let acme = Acme::new().await;
    let world = &acme.world;
    for email in ["ada@example.com", "bob@example.com"] {
        join(world, &acme.organization, email).await;
    }
    let ada = user(world, "ada@example.com").await;
    world.app.delete_user(&Requester::operator(), ada).await.unwrap();
    assert!(!world.database().texts("SELECT recipient FROM mails").contains(&"ada@example.com".to_owned()));
    let mails = world.mail().await;
    assert!(matches!(&mails[..], [mail] if mail.to.as_str() == "bob@example.com"), "{mails:?}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_person_gets_another_address() {
    let acme = Acme::new().await;
    let world = &acme.world;
    join(world, &acme.organization, "ada@example.com").await;
    let ada = user(world, "ada@example.com").await;
    let token = world.user("ada@example.com", "*").await;
    let set = async |email: &str| {
        let email = EmailAddress::parse(email).unwrap();
        world.app.set_user_email(&Requester::operator(), ada, email).await
    };
    let taken = set(&acme.organization.owner).await;
    assert!(matches!(taken, Err(Error::User(UserError::AddressTaken))));
    set("Lovelace@example.com").await.unwrap();
    set("Lovelace@example.com").await.unwrap();
    let listed = token.get(&format!("{}/members", acme.path_v1())).await.expect(200);
    assert_eq!(listed["items"][1]["email"], "Lovelace@example.com");
    assert_eq!(user(world, "lovelace@example.com").await, ada);
    // The old address belongs to nobody.
    join(world, &acme.organization, "ada@example.com").await;
    assert_ne!(user(world, "ada@example.com").await, ada);
    assert_eq!(world.findings().await, [""; 0]);
}
