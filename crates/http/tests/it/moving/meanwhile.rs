//! Changes during an export or import, and imports that end early.

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_app::archive::{
    ArchiveError, OrganizationExport, OrganizationImport, OrganizationImportOptions,
};
use tenantry_testkit::Acme;

use super::{export, export_with, full, import, other_world, rows, with_sub_accounts};

#[tokio::test]
async fn rows_that_change_during_the_export_are_in_the_second_pass() {
    let ((acme, child), world) = (full().await, other_world().await);
    let mut file = Vec::new();
    let root = acme.organization.id;
    let mut export = OrganizationExport::begin(&acme.world.app, root, with_sub_accounts(), "test", &mut file)
        .await
        .unwrap();
    export.first_pass(true, &mut |_| ()).await.unwrap();
    let client = acme.client();
    let customers = client.get("/v1/customers?limit=100").await.expect(200);
    // Two customers exchange their addresses, one goes and another gets its external id.
    let change = async |id: &str, email: &str| {
        client.patch(&format!("/v1/customers/{id}"), json!({"email": email})).await.expect(200);
    };
    let [one, two] = ["one@customers.example.com", "two@customers.example.com"];
    let find = |email: &str| {
        let found = customers["items"].as_array().unwrap().iter().find(|item| item["email"] == *email);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (find(one), find(two));
    change(&first, "three@customers.example.com").await;
    change(&second, one).await;
    change(&first, two).await;
    client.delete("/v1/customers/external/crew").await.expect(204);
    let crew = acme.create_team("crew").await;
    acme.create_member(&crew, "zoe").await;
    transfer(&acme, "ada@team.example.com").await;
    let (key, _) = acme.create_api_key(&["*"]).await;
    client.key("k3").post(&format!("{}/{key}/rotate", acme.api_keys()), json!({"overlap_seconds": 0})).await;
    client.delete(&format!("{}/sub-accounts/{child}", acme.path_v2())).await.expect(200);
    let late = acme.world.sub_account(&acme.organization, "late").await;
    assert!(export.suspend().await.unwrap());
    client.get("/v1/customers").await.expect(401);
    export.second_pass(&mut |_| ()).await.unwrap();
    assert!(export.finish().unwrap().rows > 20);
    let summary = import(&world, &file).await.unwrap().unwrap();
    assert_eq!(summary.organizations.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([root, late]));
    assert_eq!(world.findings().await, Vec::<String>::new());
    // Here it is not suspended.
    let token = world.bearer(&client.secret());
    token.get("/v1/customers").await.expect(200);
    let again = export_with(&world, root, with_sub_accounts()).await.unwrap();
    let snapshot = export_with(&acme.world, root, with_sub_accounts()).await.unwrap();
    let without_suspension = |file: &[u8]| -> BTreeSet<String> {
        rows(file).into_iter().filter(|row| !row.starts_with("organizations ")).collect()
    };
    assert_eq!(without_suspension(&again), without_suspension(&snapshot));
}

/// The operator makes a person of the team the owner.
async fn transfer(acme: &Acme, to: &str) {
    let transfer = tenantry_app::ownership::OrganizationTransfer {
        organization: acme.organization.id,
        to: tenantry_app::organizations::OwnerRef::Email(to.parse().unwrap()),
    };
    acme.world.app.write(transfer).await.unwrap();
}

#[tokio::test]
async fn an_import_is_invisible_until_it_ends_and_others_write_meanwhile() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    let other = world.organization("other").await;
    let theirs = world.token(&other, "*").await;
    let token = world.bearer(&acme.client().secret());
    let mut import =
        OrganizationImport::begin(&world.app, file.as_slice(), OrganizationImportOptions::default())
            .await
            .unwrap()
            .unwrap();
    let writes = async {
        for number in 0..20 {
            let body = json!({"email": format!("c{number}@other.example.com")});
            theirs.post("/v1/customers", body).await.expect(201);
            token.get("/v1/customers").await;
        }
    };
    let mut seen = BTreeSet::new();
    let mut look = |progress: tenantry_app::archive::Progress<'_>| {
        if seen.insert(progress.table.to_owned()) {
            let shown = world.database().texts("SELECT slug FROM organizations WHERE deleted_at IS NULL");
            assert_eq!(shown, ["other"], "{}", progress.table);
        }
    };
    let (loaded, ()) = tokio::join!(import.load(&mut look), writes);
    loaded.unwrap();
    assert!(seen.contains("audit_entries"), "{seen:?}");
    token.get("/v1/customers").await.expect(200);
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_that_ends_early_is_removed_when_its_lease_ends() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    let before = world.database().rows();
    for (part, sweeps) in [(4, true), (3, false), (2, true), (1, false)] {
        let cut = &file[..file.len() * 3 / 4 - part];
        let mut import = OrganizationImport::begin(&world.app, cut, OrganizationImportOptions::default())
            .await
            .unwrap()
            .unwrap();
        import.load(&mut |_| ()).await.unwrap_err();
        // As after a crash of the process, `discard` is not called.
        drop(import);
        let findings = world.findings().await;
        assert!(findings.iter().any(|finding| finding.starts_with("complete imports")), "{findings:?}");
        let refused =
            OrganizationImport::begin(&world.app, file.as_slice(), OrganizationImportOptions::default())
                .await;
        assert!(matches!(refused.err(), Some(ArchiveError::ImportRunning)));
        let (by, id) = (tenantry_app::Requester::operator(), acme.organization.id);
        let undelete = tenantry_app::organization_deletion::OrganizationUndelete { by, id };
        assert!(matches!(world.app.write(undelete).await, Err(tenantry_app::Error::OrganizationNotFound)));
        world.app.sweep().await.unwrap();
        assert_ne!(world.database().rows(), before, "its lease has not ended");
        world.advance_s(61);
        if sweeps {
            world.app.sweep().await.unwrap();
            assert_eq!(world.database().rows(), before);
        }
    }
    import(&world, &file).await.unwrap().unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_import_that_stood_still_does_not_go_on() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    let before = world.database().rows();
    let mut import =
        OrganizationImport::begin(&world.app, file.as_slice(), OrganizationImportOptions::default())
            .await
            .unwrap()
            .unwrap();
    import.lease().renew().await.unwrap();
    world.advance_s(61);
    world.app.sweep().await.unwrap();
    assert!(matches!(import.lease().renew().await, Err(ArchiveError::LeaseLost)));
    let error = import.load(&mut |_| ()).await.unwrap_err();
    assert!(matches!(import.discard(error).await, ArchiveError::LeaseLost));
    assert_eq!(world.database().rows(), before);
}

#[tokio::test]
async fn a_person_who_is_deleted_meanwhile_stops_the_import() {
    let ((acme, _), world) = (full().await, other_world().await);
    let file = export(&acme).await;
    world.organization("other").await;
    let ada = tenantry_core::ids::UserId::new(world.user("ada@team.example.com", "*").await.actor());
    let mut import =
        OrganizationImport::begin(&world.app, file.as_slice(), OrganizationImportOptions::default())
            .await
            .unwrap()
            .unwrap();
    let deleted = std::sync::atomic::AtomicBool::new(false);
    let sql = format!("DELETE FROM users WHERE email_key = '{}'", "ada@team.example.com");
    let outcome = import
        .load(&mut |progress| {
            if progress.table == "members" && !deleted.swap(true, std::sync::atomic::Ordering::SeqCst) {
                world.database().execute(&sql);
            }
        })
        .await;
    let error = import.discard(outcome.unwrap_err()).await.to_string();
    assert!(error.contains("ada@team.example.com was changed during the import"), "{error}");
    assert_eq!(world.database().texts("SELECT slug FROM organizations"), ["other"]);
    assert!(world.app.store().reader().unwrap().tx().unwrap().user(ada).await.unwrap().is_none());
}
