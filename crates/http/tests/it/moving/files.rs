//! The rows that a file brings, and files that are refused.

use serde_json::json;
use tenantry_app::archive::ExportOptions;

use super::{answers, export, export_with, full, import, other_world, rows, with_sub_accounts};

#[tokio::test]
async fn a_moved_organization_has_the_same_rows_answers_and_tokens() {
    let ((acme, child), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let summary = import(&world, &file).await.unwrap().unwrap();
    assert_eq!(summary.organizations.len(), 2);
    assert_eq!((summary.people_created, summary.lost_tokens.len()), (3, 0));
    assert_eq!(summary.webhook_events_ended, 1);
    assert_eq!(world.findings().await, Vec::<String>::new());
    let token = world.bearer(&acme.client().secret());
    assert_eq!(answers(&acme, &token, child).await, answers(&acme, &acme.client(), child).await);
    let again = export_with(&world, acme.organization.id, with_sub_accounts()).await.unwrap();
    assert_eq!(rows(&again), rows(&file));
    // It works on: counters, limits, the key of an answered request, and the owner's own token.
    let one = json!({"email": "one@customers.example.com", "name": "One", "metadata": {"plan": "gold \" \u{2028}"}});
    let replayed = token.key("k1").post("/v1/customers", one).await.expect(201);
    assert_eq!(replayed.replayed().0, Some("true"));
    token.post("/v1/customers", json!({"email": "new@customers.example.com"})).await.expect(201);
    let owner = world.user(&acme.organization.owner, "*").await;
    owner.get(&acme.path_v1()).await.expect(200);
    let deliveries = token.get("/v1/webhooks/deliveries").await.expect(200);
    assert!(deliveries.text.contains("not sent"), "{deliveries}");
    assert_eq!(world.findings().await, Vec::<String>::new());
    let log = world.audit(&acme.organization).await;
    assert!(log.iter().any(|entry| entry.action == "organization.imported"));
}

#[tokio::test]
async fn a_second_import_changes_nothing() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    import(&world, &file).await.unwrap().unwrap();
    let before = world.database().rows();
    assert!(import(&world, &file).await.unwrap().is_none());
    let other = export(&acme).await;
    let refused = import(&world, &other).await.unwrap_err().to_string();
    assert!(refused.contains("exists here, and was not imported from this file"), "{refused}");
    let refused = import(&acme.world, &file).await.unwrap_err().to_string();
    assert!(refused.contains("exists here"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

#[tokio::test]
async fn an_import_that_is_refused_leaves_nothing() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    world.organization("child").await;
    let slug = world.database().texts("SELECT slug FROM organizations WHERE slug LIKE 'child%'");
    let theirs = acme.world.database().texts("SELECT slug FROM organizations WHERE parent_id IS NOT NULL");
    world
        .database()
        .execute(&format!("UPDATE organization_slugs SET slug = '{}' WHERE slug = '{}'", theirs[0], slug[0]));
    world
        .database()
        .execute(&format!("UPDATE organizations SET slug = '{}' WHERE slug = '{}'", theirs[0], slug[0]));
    let before = world.database().rows();
    let refused = import(&world, &file).await.unwrap_err().to_string();
    assert!(refused.contains("another organization with the slug"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

#[tokio::test]
async fn a_damaged_or_truncated_file_leaves_nothing() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    let before = world.database().rows();
    for step in 0..24 {
        let at = file.len() * step / 24;
        let mut damaged = file.clone();
        damaged[at] ^= 4;
        for bad in [&damaged, &file[..at]] {
            assert!(import(&world, bad).await.is_err(), "byte {at}");
            assert_eq!(world.database().rows(), before, "byte {at}");
        }
    }
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    for at in (0..lines.len()).step_by(7) {
        let mut without = lines.clone();
        without.remove(at);
        assert!(import(&world, &without.concat()).await.is_err(), "without line {at}");
    }
    assert_eq!(world.database().rows(), before);
    import(&world, &file).await.unwrap().unwrap();
}

#[tokio::test]
async fn rows_of_other_organizations_in_a_file_are_refused() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = String::from_utf8(export(&acme).await).unwrap();
    let victim = world.organization("victim").await;
    let before = world.database().rows();
    // The row of a customer, for another organization. Checksums are compared after the row.
    let (head, _) = file.split_once("{\"table\":\"customer_metadata\"").unwrap();
    let last = head.trim_end().rsplit('\n').nth(1).unwrap();
    let forged = last.replacen(&acme.organization.id.to_string(), &victim.id.to_string(), 1);
    let refused = import(&world, file.replacen(last, &forged, 1).as_bytes()).await.unwrap_err().to_string();
    assert!(refused.contains("does not belong to an organization of the file"), "{refused}");
    assert_eq!(world.database().rows(), before);
}

#[tokio::test]
async fn people_are_found_by_their_address() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let other = world.organization_owned_by("other", "Ada@team.example.com").await;
    let ada = world.user("ada@team.example.com", "*").await;
    let summary = import(&world, &file).await.unwrap().unwrap();
    assert_eq!(summary.people_created, 2);
    assert_eq!(world.findings().await, Vec::<String>::new());
    ada.get(&acme.path_v1()).await.expect(200);
    ada.get(&format!("/v1/organizations/{}", other.id)).await.expect(200);
    let team = ada.get(&format!("{}/members", acme.path_v2())).await.expect(200);
    assert_eq!(team["data"].as_array().unwrap().len(), 2);
    let source = acme.world.database().texts("SELECT slug FROM organizations ORDER BY slug");
    assert_eq!(
        world.database().texts("SELECT slug FROM organizations ORDER BY slug").len(),
        source.len() + 1
    );
    // The log names the person by the id here.
    let id = ada.actor();
    let log = world.audit(&acme.organization).await;
    assert!(log.iter().any(|entry| entry.subject == id && entry.action == "team_member.created"));
    let images =
        world.database().texts("SELECT after FROM audit_entries WHERE action = 'team_member.created'");
    let of_acme: Vec<&String> = images.iter().filter(|image| image.contains("ada@team")).collect();
    assert!(!of_acme.is_empty() && of_acme.iter().all(|image| image.contains(&id.to_string())), "{images:?}");
}

#[tokio::test]
async fn a_sub_account_moves_with_its_parent() {
    let (acme, child) = full().await;
    let refused = export_with(&acme.world, child, ExportOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains("--sub-accounts"), "{refused}");
    let alone = export_with(&acme.world, acme.organization.id, ExportOptions::default()).await.unwrap();
    let world = other_world().await;
    let summary = import(&world, &alone).await.unwrap().unwrap();
    assert_eq!(summary.organizations.len(), 1);
    assert_eq!(world.findings().await, Vec::<String>::new());
    let token = world.bearer(&acme.client().secret());
    let children = token.get(&format!("{}/sub-accounts", acme.path_v2())).await.expect(200);
    assert_eq!(children["data"], json!([]));
}
