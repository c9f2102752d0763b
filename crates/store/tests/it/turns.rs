//! Parties take turns at the SQLite writer.

use std::pin::Pin;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use tenantry_core::ExecutionContext;
use tenantry_store::{Party, Store, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::support::Database;

type Log = Arc<Mutex<Vec<&'static str>>>;

/// Writes its name to the log when it runs. Waits for the receiver first, if there is one.
struct Named<const LONG: bool> {
    party: u128,
    name: &'static str,
    log: Log,
    held: Option<Mutex<Receiver<()>>>,
}

impl<const LONG: bool> UseCase for Named<LONG> {
    type Output = ();
    type Error = StoreError;
    const IS_LONG: bool = LONG;

    fn party(&self) -> Party {
        Party { organization: None, limited_as: Some(Uuid::from_u128(self.party)) }
    }

    async fn run(&self, _: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        if let Some(held) = &self.held {
            held.lock().unwrap().recv().unwrap();
        }
        self.log.lock().unwrap().push(self.name);
        Ok(())
    }
}

/// A write that is queued already.
type Queued<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 'a>>;

fn queue<'a, U: UseCase<Output = (), Error = StoreError>>(store: &'a Store, use_case: U) -> Queued<'a> {
    let mut write: Queued<'a> = Box::pin(store.write(use_case));
    assert!(write.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    write
}

#[tokio::test]
async fn one_write_of_another_party_overtakes_a_hundred() {
    let store = Database::sqlite().open().await;
    let log = Log::default();
    let ((go, gone), named) = (channel(), |party, name, log: &Log, held| Named::<false> {
        party,
        name,
        log: Arc::clone(log),
        held,
    });
    let mut writes = vec![queue(&store, named(1, "first", &log, Some(Mutex::new(gone))))];
    writes.extend((0..100).map(|_| queue(&store, named(1, "more", &log, None))));
    writes.push(queue(&store, named(2, "other", &log, None)));
    go.send(()).unwrap();
    for write in writes {
        write.await.unwrap();
    }
    let order = log.lock().unwrap().clone();
    assert_eq!(order.len(), 102);
    let other = order.iter().position(|name| *name == "other").unwrap();
    assert!(other <= 2, "it ran as number {other}");
}

#[tokio::test]
async fn a_short_write_runs_between_two_long_ones_of_many_parties() {
    let store = Database::sqlite().open().await;
    let log = Log::default();
    let (go, gone) = channel();
    let first =
        Named::<true> { party: 1, name: "first", log: Arc::clone(&log), held: Some(Mutex::new(gone)) };
    let mut writes = vec![queue(&store, first)];
    for party in 1..=50 {
        writes.push(queue(&store, Named::<true> { party, name: "long", log: Arc::clone(&log), held: None }));
    }
    writes.push(queue(&store, Named::<false> { party: 1, name: "short", log: Arc::clone(&log), held: None }));
    go.send(()).unwrap();
    for write in writes {
        write.await.unwrap();
    }
    let order = log.lock().unwrap().clone();
    let short = order.iter().position(|name| *name == "short").unwrap();
    assert!(short <= 1, "it ran as number {short}");
}
