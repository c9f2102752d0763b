//! The worker itself, which carries out imports until it is stopped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tenantry_app::imports::DueImports;
use tenantry_core::customer::ImportState;
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_http::read_import_rows;
use tenantry_store::CustomerImport;
use tenantry_testkit::{Acme, World};
use tenantry_worker::imports::ImportWorker;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{LINES, chunks, counts, lines, progress, send, total};

/// A test that hangs has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a worker until `meanwhile` completes.
async fn with_worker<T>(world: &World, meanwhile: impl Future<Output = T>) -> T {
    let worker = Arc::new(ImportWorker::new(Arc::clone(&world.app), read_import_rows));
    let (stop, stopped) = oneshot::channel::<()>();
    let running = worker.run(async { drop(stopped.await) });
    let meanwhile = async {
        let done = meanwhile.await;
        drop(stop);
        done
    };
    timeout(PATIENCE, async { tokio::join!(running, meanwhile).1 }).await.unwrap()
}

/// Waits until this holds of an import.
async fn until(world: &World, organization: OrganizationId, id: &str, holds: fn(&CustomerImport) -> bool) {
    let id = ImportId::new(id.parse().unwrap());
    loop {
        let mut reader = world.app.store().reader().unwrap();
        let import = reader.tx().unwrap().customer_import(organization, id).await.unwrap();
        if import.is_some_and(|import| holds(&import)) {
            return;
        }
        drop(reader);
        tokio::task::yield_now().await;
    }
}

fn has_begun(import: &CustomerImport) -> bool {
    import.counts.done() > 0
}

fn is_completed(import: &CustomerImport) -> bool {
    import.state == ImportState::Completed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_wakes_the_worker_which_carries_out_more_imports_than_it_has_places() {
    let acme = Acme::new().await;
    let mut organizations = Vec::new();
    for number in 0..3 {
        organizations.push(acme.world.organization(&format!("tenant-{number}")).await);
    }
    with_worker(&acme.world, async {
        let mut begun = Vec::new();
        for organization in &organizations {
            let client = acme.world.token(organization, "*").await;
            for half in [0..60, 60..120] {
                let id = send(&client, "", LINES, &lines(half)).await.expect(202).id();
                begun.push((client.clone(), organization.id, id));
            }
        }
        for (client, organization, id) in &begun {
            until(&acme.world, *organization, id, is_completed).await;
            assert_eq!(counts(&progress(client, id).await), [60, 0, 0, 0, 0]);
        }
        for (client, ..) in begun.iter().step_by(2) {
            assert_eq!(total(client, "customers").await, 120);
        }
    })
    .await;
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_with_the_import_of_one_that_is_gone() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "", LINES, &lines(0..300)).await.expect(202).id();
    acme.world.app.lease_import(DueImports::All).await.unwrap().unwrap();
    acme.world.advance_s(30);
    with_worker(&acme.world, until(&acme.world, acme.organization.id, &id, is_completed)).await;
    assert_eq!(counts(&progress(&acme.client(), &id).await), [300, 0, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_stopped_leaves_whole_parts_to_the_next_one() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "", LINES, &lines(0..800)).await.expect(202).id();
    with_worker(&acme.world, until(&acme.world, acme.organization.id, &id, has_begun)).await;
    // A part whose commit was under way has ended then.
    let acme = acme.restart().await;
    let left = progress(&acme.client(), &id).await;
    assert_eq!(total(&acme.client(), "customers").await, counts(&left)[0]);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
    // The lease of the worker that was stopped ends.
    acme.world.advance_s(30);
    with_worker(&acme.world, until(&acme.world, acme.organization.id, &id, is_completed)).await;
    assert_eq!(counts(&progress(&acme.client(), &id).await), [800, 0, 0, 0, 0]);
    assert_eq!(total(&acme.client(), "customers").await, 800);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_stops_an_import_that_the_worker_carries_out() {
    let acme = Acme::new().await;
    let client = acme.client();
    let id = send(&client, "", LINES, &lines(0..20_000)).await.expect(202).id();
    assert!(chunks(&acme.world) > 1);
    let stopped = with_worker(&acme.world, async {
        until(&acme.world, acme.organization.id, &id, has_begun).await;
        client.delete(&format!("/v1/customers/import/{id}")).await.expect(204);
        // The file is deleted without another request.
        until(&acme.world, acme.organization.id, &id, |import| import.due_at.is_none()).await;
        progress(&client, &id).await
    })
    .await;
    assert_eq!((&stopped["state"], chunks(&acme.world)), (&json!("stopped"), 0));
    assert_eq!(total(&client, "customers").await, counts(&stopped)[0]);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}
