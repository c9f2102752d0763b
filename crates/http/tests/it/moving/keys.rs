//! Installations with another key.

use tenantry_app::archive::{ExportOptions, OrganizationImportOptions};
use tenantry_app::{App, HashKey};
use tenantry_core::ids::OrganizationId;
use tenantry_store::{Catalog, ColumnValue, Vault};
use tenantry_testkit::Acme;

use super::{export, export_with, full, import_with, other_world};

#[tokio::test]
async fn another_key_needs_a_transfer_key_or_new_secrets() {
    let ((acme, _), world) = (full().await, other_world().await);
    let (key, transfer) = (HashKey::new([8; 32]), HashKey::new([9; 32]));
    let app = App::new(world.app.store().clone(), world.clock.reading(), key.clone());
    let before = world.database().rows();
    let file = export(&acme).await;
    let refused =
        import_with(&app, &file, OrganizationImportOptions::default()).await.unwrap_err().to_string();
    assert!(refused.contains("--transfer-key-file"), "{refused}");
    let options = ExportOptions { sub_accounts: true, transfer_key: Some(transfer.clone()) };
    let file = export_with(&acme.world, acme.organization.id, options).await.unwrap();
    let secret = secret_of(&acme).await;
    assert!(!String::from_utf8_lossy(&file).contains(&secret));
    for wrong in [None, Some(HashKey::new([10; 32]))] {
        let options = OrganizationImportOptions { transfer_key: wrong, new_webhook_secrets: false };
        let refused = import_with(&app, &file, options).await.unwrap_err().to_string();
        assert!(refused.contains("transfer key"), "{refused}");
    }
    assert_eq!(world.database().rows(), before);
    let options = OrganizationImportOptions { transfer_key: Some(transfer), new_webhook_secrets: false };
    let summary = import_with(&app, &file, options).await.unwrap().unwrap();
    assert_eq!(summary.new_webhook_secrets.len(), 0);
    assert_eq!(summary.lost_tokens.len(), 3);
    assert_eq!(opened(&app, &key, acme.organization.id).await, [secret]);
    // The secrets of tokens do not work with another key, and rotation makes new ones.
    let text = acme.client().secret();
    assert!(app.hash_key().hash(&text) != acme.world.app.hash_key().hash(&text));
}

#[tokio::test]
async fn new_webhook_secrets_are_made_where_they_are_asked_for() {
    let ((acme, _), world) = (full().await, other_world().await);
    let key = HashKey::new([8; 32]);
    let app = App::new(world.app.store().clone(), world.clock.reading(), key.clone());
    let file = export(&acme).await;
    let options = OrganizationImportOptions { transfer_key: None, new_webhook_secrets: true };
    let summary = import_with(&app, &file, options).await.unwrap().unwrap();
    assert_eq!(summary.new_webhook_secrets.len(), 1);
    let secrets = opened(&app, &key, acme.organization.id).await;
    assert!(secrets[0].starts_with("whsec_") && secrets[0] != secret_of(&acme).await);
}

async fn secret_of(acme: &Acme) -> String {
    let endpoints = acme.client().get("/v1/webhooks/endpoints").await.expect(200);
    endpoints["items"][0]["secret"].as_str().unwrap().to_owned()
}

/// The secrets of an organization's webhook endpoints, opened by a key.
async fn opened(app: &App, key: &HashKey, organization: OrganizationId) -> Vec<String> {
    let catalog = Catalog::now().unwrap();
    let table = catalog.table("webhook_endpoints").unwrap();
    let mut reader = app.store().reader().unwrap();
    let rows = reader.tx().unwrap().tenant_rows_after(table, &[organization], None, 10).await.unwrap();
    let places = ["id", "secret"].map(|column| table.position(column).unwrap());
    let open = |row: &Vec<ColumnValue>| match places.map(|place| &row[place]) {
        [ColumnValue::Id(id), ColumnValue::Bytes(secret)] => Vault::open(key, id.as_bytes(), secret).unwrap(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(|row| String::from_utf8(open(row)).unwrap()).collect()
}
