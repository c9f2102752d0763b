//! Imports of customers, from the request to the last row.

mod bounds;
mod ends;
mod requests;
mod rows;
mod worker;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tenantry_app::imports::DueImports;
use tenantry_http::read_import_rows;
use tenantry_testkit::{Acme, Client, Response, World};

const CSV: &str = "text/csv";
const LINES: &str = "application/jsonl";

/// Carries out every row of every import that is due, in turns, as a worker does.
async fn carry_out_due(world: &World) {
    while let Some(import) = world.app.lease_import(DueImports::All).await.unwrap() {
        let until = Instant::now() + Duration::from_secs(2);
        world.app.continue_import(import, read_import_rows, until, |_| {}).await.unwrap();
    }
}

async fn send(client: &Client<'_>, query: &str, content_type: &str, file: &str) -> Response {
    let path = format!("/v1/customers/import{query}");
    client.send("POST", &path, Some(content_type), file.as_bytes().to_vec()).await
}

/// Sends a file and carries out its rows. Returns the import as it is then.
async fn import(acme: &Acme, query: &str, content_type: &str, file: &str) -> Value {
    let id = send(&acme.client(), query, content_type, file).await.expect(202).id();
    carry_out_due(&acme.world).await;
    progress(&acme.client(), &id).await
}

async fn progress(client: &Client<'_>, id: &str) -> Value {
    client.get(&format!("/v1/customers/import/{id}?limit=100")).await.expect(200).body
}

/// The numbers of rows: created, updated, unchanged, skipped, failed.
fn counts(import: &Value) -> [u64; 5] {
    let counts =
        ["created", "updated", "unchanged", "skipped", "failed"].map(|name| import[name].as_u64().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), import["done"].as_u64().unwrap());
    counts
}

/// The failed rows, each as `number field`.
fn failures(import: &Value) -> Vec<String> {
    let rows = import["failed_rows"]["items"].as_array().unwrap().iter();
    rows.map(|row| format!("{} {}", row["row"], row["errors"][0]["field"].as_str().unwrap())).collect()
}

async fn total(client: &Client<'_>, noun: &str) -> u64 {
    let list = client.get(&format!("/v1/{noun}?limit=1")).await.expect(200).body;
    list["pagination"]["total_count"].as_u64().unwrap()
}

/// Customers of numbers, as JSON Lines.
fn lines(numbers: std::ops::Range<usize>) -> String {
    let line = |number| format!("{{\"email\":\"c{number}@example.com\",\"external_id\":\"c-{number}\"}}\n");
    numbers.map(line).collect()
}

/// Carries out one part of an import that is due.
async fn one_part(world: &World) {
    let leased = world.app.lease_import(DueImports::All).await.unwrap().unwrap();
    world.app.continue_import(leased, read_import_rows, Instant::now(), |_| {}).await.unwrap();
}

fn chunks(world: &World) -> usize {
    world.database().texts("SELECT CAST(row_number AS text) FROM customer_import_chunks").len()
}

fn states(world: &World) -> Vec<String> {
    world.database().texts("SELECT state FROM customer_imports ORDER BY created_at, id")
}

/// Subscribes this many endpoints to every event of a row.
async fn subscribe(acme: &Acme, endpoints: usize) {
    for number in 0..endpoints {
        let endpoint = json!({"url": format!("https://hooks.example.com/{number}"), "format": "raw",
            "events": ["customer.created", "customer.state_changed", "member.created"]});
        acme.client().post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    }
}

/// Fifty endpoints, and rows of some 15 KiB.
async fn with_large_events(acme: &Acme) -> String {
    subscribe(acme, 50).await;
    let metadata: serde_json::Map<String, Value> =
        (0..30).map(|number| (format!("key-{number}"), json!("x".repeat(490)))).collect();
    let row =
        |number| format!("{}\n", json!({"email": format!("c{number}@example.com"), "metadata": metadata}));
    (0..100).map(row).collect()
}
