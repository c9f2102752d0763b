//! Work that was in progress when the organization was exported is finished after the import.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::archive::{OrganizationImport, OrganizationImportOptions};
use tenantry_app::customers::CustomerDelete;
use tenantry_app::members::CustomerRef;
use tenantry_core::ids::CustomerId;
use tenantry_testkit::{Client, World};

use super::{export, full, import, other_world};

/// The first transaction of the deletion of a team with 140 members, as if the process crashed after it.
async fn begin_deletion(world: &World, client: &Client<'_>, name: &str) {
    let team = json!({"type": "team", "email": format!("{name}@customers.example.com"), "external_id": name});
    let large = client.post("/v1/customers", team).await.expect(201).id();
    for number in 0..140 {
        let member = json!({"email": format!("{name}{number}@members.example.com")});
        client.post(&format!("/v1/customers/{large}/members"), member).await.expect(201);
    }
    let caller = world.app.authenticate(&client.secret()).await.unwrap();
    let (by, customer) = (Requester::caller(&caller, None), CustomerId::new(large.parse().unwrap()));
    let delete = CustomerDelete { by, customer: CustomerRef::Id(customer), anonymize: true };
    assert!(world.app.write(delete).await.unwrap().is_some());
}

#[tokio::test]
async fn the_deletion_of_a_large_customer_goes_on_after_the_move() {
    let ((acme, _), world) = (full().await, other_world().await);
    begin_deletion(&acme.world, &acme.client(), "m").await;
    let file = export(&acme).await;
    import(&world, &file).await.unwrap().unwrap();
    assert_eq!(world.database().texts("SELECT step FROM customer_deletions"), ["members"]);
    world.app.sweep().await.unwrap();
    assert!(!world.database().holds("m139@members.example.com"));
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sweep_removes_no_names_from_rows_that_still_arrive() {
    let ((acme, _), world) = (full().await, other_world().await);
    let left = acme.create_team("left").await;
    acme.client().delete(&format!("/v1/customers/{left}")).await.expect(204);
    let file = export(&acme).await;
    world.advance_s(40 * 24 * 60 * 60);
    let options = OrganizationImportOptions::default();
    let cut = &file[..file.len() * 3 / 4];
    let mut unfinished = OrganizationImport::begin(&world.app, cut, options).await.unwrap().unwrap();
    unfinished.load(&mut |_| ()).await.unwrap_err();
    let customers = "SELECT email FROM customers ORDER BY email";
    let arrived = world.database().texts(customers);
    assert!(arrived.iter().any(|email| email.starts_with("left@")), "{arrived:?}");
    world.app.sweep().await.unwrap();
    assert_eq!(world.database().texts(customers), arrived);
    world.advance_s(61);
    import(&world, &file).await.unwrap().unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
    world.app.sweep().await.unwrap();
    assert!(!world.database().holds("left@"));
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_deletion_of_an_endpoint_is_finished_by_the_import() {
    let ((acme, _), world) = (full().await, other_world().await);
    acme.world.database().execute("UPDATE webhook_endpoints SET deleted_at = 9000000");
    let file = export(&acme).await;
    import(&world, &file).await.unwrap().unwrap();
    let queues = world.database().texts("SELECT queue FROM webhook_queues");
    assert_eq!(queues, Vec::<String>::new());
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_sweep_goes_on_with_no_deletion_while_rows_about_the_customer_still_arrive() {
    let ((acme, _), world) = (full().await, other_world().await);
    begin_deletion(&acme.world, &acme.client(), "ours").await;
    let file = export(&acme).await;
    // A deletion of another organization began later, and does not wait behind that of the import.
    world.advance_s(3_600);
    let other = world.organization("other").await;
    begin_deletion(&world, &world.token(&other, "*").await, "theirs").await;
    let options = OrganizationImportOptions::default();
    let mut unfinished =
        OrganizationImport::begin(&world.app, &file[..file.len() - 9], options).await.unwrap().unwrap();
    unfinished.load(&mut |_| ()).await.unwrap_err();
    let pending = "SELECT step FROM customer_deletions";
    assert_eq!(world.database().texts(pending), ["members", "members"]);
    world.app.continue_deletions().await.unwrap();
    assert_eq!(world.database().texts(pending), ["members"]);
    assert!(world.database().holds("ours139@members.example.com"));
    assert!(!world.database().holds("theirs139@members.example.com"));
}
