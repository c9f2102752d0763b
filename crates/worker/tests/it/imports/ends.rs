//! Imports that end early.

use std::time::Instant;

use serde_json::json;
use tenantry_app::imports::DueImports;
use tenantry_http::read_import_rows;
use tenantry_testkit::{Acme, Client};

use super::{LINES, carry_out_due, chunks, counts, failures, lines, one_part, progress, send, states, total};

/// A new token of `/v1` and the path that rotates it.
async fn token(client: &Client<'_>) -> (String, String) {
    let body = json!({"comment": "x", "scopes": ["customers:write", "customers:read"]});
    let made = client.post("/v1/organization-access-tokens", body).await.expect(201);
    let id = made["organization_access_token"]["id"].as_str().unwrap();
    let path = format!("/v1/organization-access-tokens/{id}/rotate");
    (made["token"].as_str().unwrap().to_owned(), path)
}

#[tokio::test]
async fn an_import_ends_with_the_rights_of_its_token() {
    let acme = Acme::new().await;
    let narrow = acme.world.token(&acme.organization, "customers:write").await;
    let file = "{\"email\":\"a@example.com\"}\n\
        {\"email\":\"b@example.com\",\"type\":\"team\",\"members\":[{\"email\":\"m@example.com\"}]}\n";
    let id = send(&narrow, "", LINES, file).await.expect(202).id();
    carry_out_due(&acme.world).await;
    let done = progress(&narrow, &id).await;
    assert_eq!((counts(&done), failures(&done)), ([1, 0, 0, 0, 1], vec!["2 members".into()]));

    let id = send(&narrow, "", LINES, &lines(0..500)).await.expect(202).id();
    let leased = acme.world.app.lease_import(DueImports::All).await.unwrap().unwrap();
    acme.world.app.continue_import(leased, read_import_rows, Instant::now(), |_| {}).await.unwrap();
    acme.client().delete(&format!("/v1/organization-access-tokens/{}", narrow.actor())).await.expect(204);
    carry_out_due(&acme.world).await;
    let failed = progress(&acme.client(), &id).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stop_reason"].as_str().unwrap().contains("revoked"), "{failed}");
    let [created, ..] = counts(&failed);
    assert!(created > 0 && created < 500, "{created}");
    assert_eq!(total(&acme.client(), "customers").await, created + 1);
    acme.world.token(&acme.organization, "customers:read").await;
    let reader = acme.world.token(&acme.organization, "customers:read").await;
    send(&reader, "", LINES, file).await.expect(403);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_ends_with_the_secret_that_began_it() {
    let acme = Acme::new().await;
    let (old, rotate) = token(&acme.client()).await;
    acme.client().post(&rotate, json!({"overlap_seconds": 60})).await.expect(200);
    let id = send(&acme.world.bearer(&old), "", LINES, &lines(0..500)).await.expect(202).id();
    one_part(&acme.world).await;
    acme.world.advance_s(61);
    carry_out_due(&acme.world).await;
    let failed = progress(&acme.client(), &id).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stop_reason"].as_str().unwrap().contains("has ended"), "{failed}");
    let [created, ..] = counts(&failed);
    assert!(created > 0 && created < 500, "{created}");
    assert_eq!(total(&acme.client(), "customers").await, created);
    // It has ended, so a request does not stop it any more.
    acme.client().delete(&format!("/v1/customers/import/{id}")).await.expect(204);
    assert_eq!(progress(&acme.client(), &id).await, failed);

    // A rotation without an overlap ends the secret at once, and the imports that it began.
    let (leaked, rotate) = token(&acme.client()).await;
    let id =
        send(&acme.world.bearer(&leaked), "?on_match=skip", LINES, &lines(0..500)).await.expect(202).id();
    acme.client().post(&rotate, json!({"overlap_seconds": 0})).await.expect(200);
    carry_out_due(&acme.world).await;
    assert_eq!(counts(&progress(&acme.client(), &id).await), [0; 5]);
    assert_eq!((states(&acme.world), chunks(&acme.world)), (vec!["failed".to_owned(); 2], 0));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_goes_on_after_a_rotation_of_its_current_secret_for_the_overlap() {
    let acme = Acme::new().await;
    let (secret, rotate) = token(&acme.client()).await;
    let id = send(&acme.world.bearer(&secret), "", LINES, &lines(0..300)).await.expect(202).id();
    acme.client().post(&rotate, json!({"overlap_seconds": 3_600})).await.expect(200);
    carry_out_due(&acme.world).await;
    assert_eq!(counts(&progress(&acme.client(), &id).await), [300, 0, 0, 0, 0]);
}

#[tokio::test]
async fn an_import_fails_with_the_deletion_of_its_organization() {
    let acme = Acme::new().await;
    let second = acme.world.organization("second").await;
    let client = acme.world.token(&second, "*").await;
    let id = send(&client, "", LINES, &lines(0..500)).await.expect(202).id();
    one_part(&acme.world).await;
    let owner = acme.world.user(&second.owner, "*").await;
    let path = format!("/v1/organizations/{}", second.id);
    owner.delete(&path).await.expect(200);
    carry_out_due(&acme.world).await;
    assert_eq!((states(&acme.world), chunks(&acme.world)), (vec!["failed".to_owned()], 0));
    owner.post(&format!("{path}/undelete"), json!({})).await.expect(200);
    let failed = progress(&client, &id).await;
    assert!(failed["stop_reason"].as_str().unwrap().contains("deleted"), "{failed}");
    assert_eq!(total(&client, "customers").await, counts(&failed)[0]);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_stopped_import_keeps_its_rows_and_not_its_file() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "", LINES, &lines(0..500)).await.expect(202).id();
    let path = format!("/v1/customers/import/{id}");
    one_part(&acme.world).await;
    let reader = acme.world.token(&acme.organization, "customers:read").await;
    reader.delete(&path).await.expect(403);
    let other = acme.world.organization("other").await;
    let stranger = acme.world.token(&other, "*").await;
    let unknown = stranger.delete("/v1/customers/import/00000000-0000-4000-8000-000000000000").await;
    assert_eq!(stranger.delete(&path).await.expect(404).text, unknown.expect(404).text);
    assert_eq!(states(&acme.world), ["running"]);

    acme.client().delete(&path).await.expect(204);
    let stopped = progress(&acme.client(), &id).await;
    assert_eq!(
        (&stopped["state"], &stopped["stop_reason"]),
        (&json!("stopped"), &json!("a request stopped it"))
    );
    let [created, ..] = counts(&stopped);
    assert!(created > 0 && created < 500, "{created}");
    carry_out_due(&acme.world).await;
    assert_eq!((total(&acme.client(), "customers").await, chunks(&acme.world)), (created, 0));
    // It has ended, so another request changes nothing.
    acme.client().delete(&path).await.expect(204);
    assert_eq!(progress(&acme.client(), &id).await, stopped);
    let entries = acme.world.audit(&acme.organization).await;
    let of_stop: Vec<_> = entries.iter().filter(|entry| entry.action == "customer_import.stopped").collect();
    assert_eq!(of_stop.len(), 1);
    assert_eq!(of_stop[0].subject.to_string(), id);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_that_is_taken_again_and_again_without_a_part_fails() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "", LINES, &lines(0..500)).await.expect(202).id();
    one_part(&acme.world).await;
    let done = counts(&progress(&acme.client(), &id).await);
    for _ in 0..20 {
        // The worker ends without a part, as by a defect that the next row meets.
        acme.world.app.lease_import(DueImports::All).await.unwrap().unwrap();
        acme.world.advance_s(30);
    }
    assert_eq!(progress(&acme.client(), &id).await["state"], "running");
    carry_out_due(&acme.world).await;
    let failed = progress(&acme.client(), &id).await;
    assert_eq!((&failed["state"], counts(&failed)), (&json!("failed"), done));
    assert!(failed["stop_reason"].as_str().unwrap().contains("could not carry out the next row"), "{failed}");
    assert_eq!(chunks(&acme.world), 0);
    // Parts in between count from the start.
    let id = send(&acme.client(), "?on_match=skip", LINES, &lines(0..500)).await.expect(202).id();
    for _ in 0..2 {
        for _ in 0..15 {
            acme.world.app.lease_import(DueImports::All).await.unwrap().unwrap();
            acme.world.advance_s(30);
        }
        one_part(&acme.world).await;
    }
    carry_out_due(&acme.world).await;
    assert_eq!(progress(&acme.client(), &id).await["state"], "completed");
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}
