//! Requests that begin imports, and imports that meet each other.

use std::time::Instant;

use serde_json::{Value, json};
use tenantry_app::imports::DueImports;
use tenantry_core::customer::ImportState;
use tenantry_http::read_import_rows;
use tenantry_testkit::Acme;

use super::{LINES, carry_out_due, chunks, counts, lines, progress, send, states, total};

#[tokio::test]
async fn a_repeated_request_with_its_key_is_one_import() {
    let acme = Acme::new().await;
    let client = acme.client().key("one");
    let first = send(&client, "", LINES, &lines(0..3)).await.expect(202);
    let again = send(&client, "", LINES, &lines(0..3)).await.expect(202);
    assert_eq!(
        (again.text, again.headers["idempotent-replayed"].to_str().unwrap()),
        (first.text.clone(), "true")
    );
    send(&client, "", LINES, &lines(0..4)).await.expect(422);
    send(&client, "?dry_run=true", LINES, &lines(0..3)).await.expect(422);
    send(&acme.client().key(""), "", LINES, &lines(0..3)).await.expect(400);
    // A refused file does not count as an unfinished import.
    send(&acme.client(), "", LINES, &lines(10..12)).await.expect(202);
    carry_out_due(&acme.world).await;
    assert_eq!(counts(&progress(&acme.client(), &first.id()).await), [3, 0, 0, 0, 0]);
    assert_eq!(total(&acme.client(), "customers").await, 5);
}

#[tokio::test]
async fn a_persons_repetition_is_replayed_while_two_imports_run() {
    let acme = Acme::new().await;
    let person = acme.world.user(&acme.organization.owner, "*").await;
    let query = format!("?organization_id={}", acme.organization.id);
    let first = send(&person.key("one"), &query, LINES, &lines(0..3)).await.expect(202);
    send(&person, &query, LINES, &lines(3..6)).await.expect(202);
    let again = send(&person.key("one"), &query, LINES, &lines(0..3)).await.expect(202);
    assert_eq!((again.replayed().0, &again.text), (Some("true"), &first.text));
    // Somebody who left the team gets no replay.
    send(&person, &query, LINES, &lines(6..9)).await.assert_error(429, "TooManyRequests");
    let narrow = acme.world.user(&acme.organization.owner, "customers:read").await;
    send(&narrow.key("one"), &query, LINES, &lines(0..3)).await.expect(403);
    assert_eq!(states(&acme.world).len(), 2);
}

#[tokio::test]
async fn a_person_imports_into_an_organization_that_the_request_names() {
    let acme = Acme::new().await;
    let person = acme.world.user(&acme.organization.owner, "*").await;
    let file = lines(0..2);
    send(&person, "", LINES, &file).await.assert_violations(&["missing query.organization_id"]);
    let id = send(&person, &format!("?organization_id={}", acme.organization.id), LINES, &file)
        .await
        .expect(202)
        .id();
    carry_out_due(&acme.world).await;
    assert_eq!(counts(&progress(&person, &id).await), [2, 0, 0, 0, 0]);
    let other = acme.world.organization("other").await;
    let stranger = acme.world.token(&other, "*").await;
    let unknown = stranger.get("/v1/customers/import/00000000-0000-4000-8000-000000000000").await.expect(404);
    assert_eq!(stranger.get(&format!("/v1/customers/import/{id}")).await.expect(404).text, unknown.text);
    send(&person, &format!("?organization_id={}", other.id), LINES, &file)
        .await
        .assert_violations(&["value_error query.organization_id"]);
    send(&acme.client(), &format!("?organization_id={}", other.id), LINES, &file)
        .await
        .assert_violations(&["organization_token query.organization_id"]);
}

#[tokio::test]
async fn an_import_that_is_interrupted_goes_on_after_the_rows_that_are_done() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "", LINES, &lines(0..500)).await.expect(202).id();
    let mut parts = 0;
    loop {
        // One part, then the worker is gone: with its lease once, and without an end once.
        let Some(leased) = acme.world.app.lease_import(DueImports::All).await.unwrap() else { break };
        if parts % 2 == 0 {
            let done = acme
                .world
                .app
                .continue_import(leased, read_import_rows, Instant::now(), |_| {})
                .await
                .unwrap();
            assert!(done.counts.done() < 500 || done.state == ImportState::Completed);
        } else {
            acme.world.advance_s(30);
        }
        parts += 1;
        assert!(parts < 100);
    }
    assert!(parts > 4, "{parts} parts");
    let acme = acme.restart().await;
    assert_eq!(counts(&progress(&acme.client(), &id).await), [500, 0, 0, 0, 0]);
    assert_eq!(total(&acme.client(), "customers").await, 500);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_imports_of_the_same_rows_and_single_requests_leave_each_customer_once() {
    let acme = Acme::new().await;
    let first = send(&acme.client(), "?on_match=skip", LINES, &lines(0..200)).await.expect(202).id();
    let second = send(&acme.client(), "?on_match=skip", LINES, &lines(0..200)).await.expect(202).id();
    let client = acme.client();
    let singles = async {
        let mut made = 0;
        for number in (0..200).step_by(5) {
            let body =
                json!({"email": format!("c{number}@example.com"), "external_id": format!("c-{number}")});
            let answer = client.post("/v1/customers", body).await;
            assert!([201, 422].contains(&answer.status), "{answer}");
            made += u64::from(answer.status == 201);
        }
        made
    };
    let ((), (), made) = tokio::join!(carry_out_due(&acme.world), carry_out_due(&acme.world), singles);
    carry_out_due(&acme.world).await;
    let (first, second) = (progress(&client, &first).await, progress(&client, &second).await);
    assert_eq!(first["state"], "completed");
    assert_eq!(second["state"], "completed");
    assert_eq!(counts(&first)[0] + counts(&second)[0] + made, 200);
    assert_eq!(counts(&first)[3] + counts(&second)[3], 200 + made);
    assert_eq!(total(&client, "customers").await, 200);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_stopped_while_two_workers_carry_it_out_loses_no_row() {
    let acme = Acme::new().await;
    let other = acme.world.other_node();
    for round in 0..3 {
        let rows = lines(round * 1_000..round * 1_000 + 400);
        let id = send(&acme.client(), "", LINES, &rows).await.expect(202).id();
        let (client, path) = (acme.client(), format!("/v1/customers/import/{id}"));
        let before = total(&client, "customers").await;
        let ((), (), stopped) =
            tokio::join!(carry_out_due(&acme.world), carry_out_due(&other), client.delete(&path));
        stopped.expect(204);
        carry_out_due(&acme.world).await;
        let done = progress(&client, &id).await;
        assert!(["stopped", "completed"].contains(&done["state"].as_str().unwrap()), "{done}");
        assert_eq!(total(&client, "customers").await - before, counts(&done)[0]);
        assert_eq!(chunks(&acme.world), 0);
    }
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_waits_for_room_for_its_events() {
    let acme = Acme::new().await;
    for number in 0..50 {
        let endpoint = json!({"url": format!("https://hooks.example.com/{number}"), "format": "raw",
            "events": ["customer.created"]});
        acme.client().post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    }
    // Some 15 KiB a row, for each of fifty endpoints.
    let metadata: serde_json::Map<String, Value> =
        (0..30).map(|number| (format!("key-{number}"), json!("x".repeat(490)))).collect();
    let line =
        |number| format!("{}\n", json!({"email": format!("c{number}@example.com"), "metadata": metadata}));
    let file: String = (0..100).map(line).collect();
    let id = send(&acme.client(), "", LINES, &file).await.expect(202).id();
    carry_out_due(&acme.world).await;
    let waiting = progress(&acme.client(), &id).await;
    assert_eq!(waiting["state"], "running");
    let [created, ..] = counts(&waiting);
    assert!(created > 5 && created < 100, "{created}");
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
    for _ in 0..20 {
        acme.world.advance_s(60 * 60);
        carry_out_due(&acme.world).await;
    }
    let done = progress(&acme.client(), &id).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("completed"), [100, 0, 0, 0, 0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_meets_deletions_and_restorations_of_its_customers() {
    let acme = Acme::new().await;
    let other = acme.world.other_node();
    send(&acme.client(), "", LINES, &lines(0..100)).await.expect(202);
    carry_out_due(&acme.world).await;
    let client = acme.client();
    let found = client.get("/v1/customers?limit=100").await.expect(200).body;
    let ids: Vec<String> =
        found["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()).collect();
    let member = |number| json!([{"email": format!("m{number}@example.com")}]);
    let row = |number: usize| {
        let (email, id) = (format!("c{number}@example.com"), format!("c-{number}"));
        let team = json!({"email": email, "external_id": id, "type": "team", "members": member(number)});
        format!("{team}\n")
    };
    let file: String = (0..100).map(row).collect();
    let id = send(&client, "?on_match=update", LINES, &file).await.expect(202).id();
    let changes = async {
        for (number, customer) in ids.iter().enumerate() {
            let path = format!("/v1/customers/{}", customer.trim_matches('"'));
            match number % 3 {
                0 => client.delete(&path).await.expect(204),
                1 => {
                    client.delete(&path).await.expect(204);
                    let answer = client.post(&format!("{path}/restore"), json!({})).await;
                    // The import may have made another customer with its address meanwhile.
                    assert!([200, 409].contains(&answer.status), "{answer}");
                    answer
                }
                _ => client.patch(&path, json!({"name": "Other"})).await.expect(200),
            };
        }
    };
    tokio::join!(carry_out_due(&acme.world), carry_out_due(&other), changes);
    carry_out_due(&acme.world).await;
    let done = progress(&client, &id).await;
    assert_eq!((&done["state"], done["done"].as_u64()), (&json!("completed"), Some(100)));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}
