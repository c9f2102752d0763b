//! Export of an organization and its import into another installation of the same engine. `tests/backup/moving.py`
//! moves between engines, with the program and under load.

mod files;
mod hostile;
mod keys;
mod meanwhile;
mod people;
mod unfinished;

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tenantry_app::App;
use tenantry_app::archive::{
    ArchiveError, ExportOptions, OrganizationExport, OrganizationImport, OrganizationImportOptions,
    OrganizationImportSummary,
};
use tenantry_core::ids::OrganizationId;
use tenantry_testkit::{Acme, Client, World};

/// An organization with a row of every kind, and a sub-account.
async fn full() -> (Acme, OrganizationId) {
    let acme = Acme::new().await;
    let client = acme.client();
    let crew = acme.create_team("crew").await;
    acme.create_member(&crew, "ann").await;
    acme.create_member(&crew, "bob").await;
    let gone = acme.create_team("gone").await;
    let one = json!({"email": "one@customers.example.com", "name": "One", "metadata": {"plan": "gold \" \u{2028}"}});
    client.key("k1").post("/v1/customers", one).await.expect(201);
    let hook = json!({"url": "https://hooks.acme.dev", "format": "raw", "events": ["customer.created"]});
    client.post("/v1/webhooks/endpoints", hook).await.expect(201);
    client.post("/v1/customers", json!({"email": "two@customers.example.com"})).await.expect(201);
    client.delete(&format!("/v1/customers/{gone}?anonymize=true")).await.expect(204);
    client.post("/v1/customer-sessions", json!({"external_customer_id": "crew"})).await;
    let members = format!("{}/members", acme.path_v2());
    for name in ["ada", "eve"] {
        let body =
            json!({"email": format!("{name}@team.example.com"), "name": name, "role": "Administrator"});
        client.post(&members, body).await.expect(201);
    }
    let eve = acme.world.user("eve@team.example.com", "*").await;
    eve.delete(&format!("{}/members/leave", acme.path_v1())).await.expect(204);
    let (key, _) = acme.create_api_key(&["accounts:read"]).await;
    let rotate = format!("{}/{key}/rotate", acme.api_keys());
    client.key("k2").post(&rotate, json!({})).await.expect(200);
    let child = acme.world.sub_account(&acme.organization, "child").await;
    let keys = format!("{}/sub-accounts/{child}/api-keys", acme.path_v2());
    client.post(&keys, json!({"label": "child", "scopes": ["*"]})).await.expect(201);
    (acme, child)
}

fn with_sub_accounts() -> ExportOptions {
    ExportOptions { sub_accounts: true, transfer_key: None }
}

async fn export_with(
    world: &World,
    root: OrganizationId,
    options: ExportOptions,
) -> Result<Vec<u8>, ArchiveError> {
    let mut out = Vec::new();
    let mut export = OrganizationExport::begin(&world.app, root, options, "test", &mut out).await?;
    export.first_pass(false, &mut |_| ()).await?;
    export.finish()?;
    Ok(out)
}

async fn export(acme: &Acme) -> Vec<u8> {
    export_with(&acme.world, acme.organization.id, with_sub_accounts()).await.unwrap()
}

async fn import_with(
    app: &App,
    file: &[u8],
    options: OrganizationImportOptions,
) -> Result<Option<OrganizationImportSummary>, ArchiveError> {
    let Some(mut import) = OrganizationImport::begin(app, file, options).await? else { return Ok(None) };
    match import.load(&mut |_| ()).await {
        Ok(summary) => Ok(Some(summary)),
        Err(error) => Err(import.discard(error).await),
    }
}

async fn import(world: &World, file: &[u8]) -> Result<Option<OrganizationImportSummary>, ArchiveError> {
    import_with(&world.app, file, OrganizationImportOptions::default()).await
}

/// Another installation, whose ids are others.
async fn other_world() -> World {
    let world = World::new();
    world.advance_s(3_600);
    // Each write uses up one of the seeds of ids and secrets, which are the same in every world.
    for _ in 0..20 {
        world.app.sweep().await.unwrap();
    }
    world
}

/// The answers of the API about the organization.
async fn answers(acme: &Acme, client: &Client<'_>, child: OrganizationId) -> Vec<Value> {
    let (v1, v2) = (acme.path_v1(), acme.path_v2());
    let mut found = Vec::new();
    for path in [
        v1.clone(),
        format!("{v1}/members"),
        "/v1/customers?limit=100".to_owned(),
        "/v1/members?limit=100".to_owned(),
        "/v1/webhooks/endpoints".to_owned(),
        v2.clone(),
        format!("{v2}/members"),
        format!("{v2}/api-keys"),
        format!("{v2}/sub-accounts"),
        format!("{v2}/sub-accounts/{child}/api-keys"),
    ] {
        found.push(client.get(&path).await.expect(200).body);
    }
    found
}

/// The rows of a file: table and line. Those that an import adds or ends are left out.
fn rows(file: &[u8]) -> BTreeSet<String> {
    let (mut table, mut rows) = (String::new(), BTreeSet::new());
    for line in std::str::from_utf8(file).unwrap().lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        if let Some(name) = value.get("table").and_then(Value::as_str) {
            name.clone_into(&mut table);
        }
        let is_of_import = ["organization.imported", "organization.unsuspended", "user.created"]
            .iter()
            .any(|action| line.contains(action));
        let is_delivery =
            ["webhook_queues", "webhook_events", "webhook_deliveries"].contains(&table.as_str());
        if line.starts_with('[') && !is_delivery && !is_of_import {
            rows.insert(format!("{table} {line}"));
        }
    }
    rows
}
