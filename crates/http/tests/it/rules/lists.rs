//! Lists with page numbers: a page far from the beginning is a list query, whose number is limited.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use tenantry_store::{ListQuery, StoreError, Tx};
use tenantry_testkit::{Client, World};
use uuid::Uuid;

use crate::rules::authorization::{Served, estate, served};

/// The list queries of different parties that are admitted at a time, and those that run.
const ADMITTED: u128 = 128;
const RUNNING: usize = 2;

/// A list query that runs until the sender of its receiver is dropped.
struct Endless {
    party: Uuid,
    runs: Mutex<Sender<()>>,
    end: Arc<Mutex<Receiver<()>>>,
}

impl ListQuery for Endless {
    type Output = ();

    async fn run(&self, _: &mut Tx<'_>) -> Result<(), StoreError> {
        self.runs.lock().unwrap().send(()).unwrap();
        // An error says that the sender is gone, which ends the query as well.
        let _ended = tokio::task::block_in_place(|| self.end.lock().unwrap().recv());
        Ok(())
    }

    fn limited_as(&self) -> Option<Uuid> {
        Some(self.party)
    }
}

async fn status_of_page(client: &Client<'_>, path: &str, page: u32) -> u16 {
    let mark = if path.contains('?') { '&' } else { '?' };
    client.get(&format!("{path}{mark}page={page}&limit=100")).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_far_page_is_a_list_query() {
    let world = World::new();
    let estate = estate(&world, "estate").await;
    let mut lists = Vec::new();
    // Lists of payment methods are always empty: they ask no database.
    let is_read = |operation: &&Served| operation.has_pages && !operation.id.contains("list_payment_methods");
    for operation in served(&world).await.iter().filter(is_read) {
        for (whose, scopes) in &operation.open {
            let scope = scopes.first().map_or("*", String::as_str);
            let client = estate.client(&world, *whose, scope, operation).await;
            lists.push((operation.id.clone(), client, estate.path(operation)));
        }
    }
    assert!(lists.len() >= 10, "{}", lists.len());
    for (id, client, path) in &lists {
        for page in [1, 200] {
            assert_eq!(status_of_page(client, path, page).await, 200, "{id}");
        }
    }
    // While every place for a list query is taken, another one is refused.
    let ((runs, running), (end, ended)) = (channel(), channel::<()>());
    let ended = Arc::new(Mutex::new(ended));
    let mut queries = tokio::task::JoinSet::new();
    for number in 0..ADMITTED {
        let app = Arc::clone(&world.app);
        let party = Uuid::from_u128(number);
        let query = Endless { party, runs: Mutex::new(runs.clone()), end: Arc::clone(&ended) };
        queries.spawn(async move { app.store().run_list_query(query).await });
    }
    for _ in 0..RUNNING {
        tokio::task::block_in_place(|| running.recv().unwrap());
    }
    for (id, client, path) in &lists {
        assert_eq!(status_of_page(client, path, 200).await, 503, "{id}");
    }
    drop(end);
    while queries.join_next().await.is_some() {}
}
