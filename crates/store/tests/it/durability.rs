//! A write that was answered is durable: after a restart, after a power failure, and while another process uses the
//! database.

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

use tenantry_core::organization::Organization;
use tenantry_core::team::TeamRole;
use tenantry_store::{CustomerFilter, Store, StoreError};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use crate::fixtures::*;
use crate::support::{Database, Failure, write};

on_every_engine!(
    a_write_survives_a_restart,
    an_answered_write_survives_a_power_cut,
    queued_use_cases_finish_before_closing,
    a_closed_store_takes_no_writes,
    opening_again_changes_nothing,
    a_newer_schema_is_refused,
    two_stores_see_each_other,
    two_stores_lose_no_update,
    many_stores_may_open_a_new_database_at_once,
    the_generation_counts_changes_that_may_revoke_rights,
);

async fn a_write_survives_a_restart(database: Database) {
    for number in 1..=3 {
        let store = database.open().await;
        add_customer(&store, &customer(1, number)).await;
        store.close().await;
    }
    let store = database.open().await;
    let filter = CustomerFilter { organizations: vec![organization_id(1)], ..CustomerFilter::default() };
    let expected = [3, 2, 1].map(|number| customer(1, number));
    assert_eq!(read!(store, customers(&filter, PAGE)).items, expected);
}

async fn an_answered_write_survives_a_power_cut(database: Database) {
    let store = database.open().await;
    for number in 1..=5 {
        add_customer(&store, &customer(1, number)).await;
        let Some(after) = database.after_a_power_cut() else { return };
        assert_eq!(customers_total(&after.open().await, 1).await, u64::from(number));
    }
}

async fn queued_use_cases_finish_before_closing(database: Database) {
    let store = database.open().await;
    let mut tasks = JoinSet::new();
    for number in 1..=50 {
        let store = store.clone();
        tasks.spawn(async move { add_customer(&store, &customer(1, number)).await });
    }
    // Every task has been polled once, and so has queued its use case, before this task runs again.
    tokio::task::yield_now().await;
    store.close().await;
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(customers_total(&database.open().await, 1).await, 50);
}

async fn a_closed_store_takes_no_writes(database: Database) {
    let store = database.open().await;
    let clone = store.clone();
    store.close().await;
    for closed in [&store, &clone] {
        let outcome = run!(closed, customer(1, 1), |new, tx, _| Ok(tx.customer_insert(new).await?));
        assert!(matches!(outcome, Err(Failure::Store(StoreError::Unavailable(_)))), "{outcome:?}");
    }
    store.close().await;
    assert_eq!(customers_total(&database.open().await, 1).await, 0);
}

async fn opening_again_changes_nothing(database: Database) {
    let first = database.open().await;
    add_organization(&first, 1).await;
    let before = database.dump();
    let second = database.open().await;
    assert_eq!(database.dump(), before);
    second.close().await;
    first.close().await;
    database.open().await.close().await;
    assert_eq!(database.dump(), before);
}

async fn a_newer_schema_is_refused(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    store.close().await;
    database.pretend_migration(1_000);
    let before = database.dump();
    let refused = database.try_open().await.err();
    assert!(matches!(refused, Some(StoreError::NewerSchema { found: 1_000, known: 1.. })), "{refused:?}");
    assert_eq!(database.dump(), before);
}

async fn two_stores_see_each_other(database: Database) {
    let (one, two) = (database.open().await, database.open().await);
    add_customer(&one, &customer(1, 1)).await;
    assert_eq!(customers_total(&two, 1).await, 1);
    add_customer(&two, &customer(1, 2)).await;
    assert_eq!(customers_total(&one, 1).await, 2);
    one.close().await;
    add_customer(&two, &customer(1, 3)).await;
    two.close().await;
    assert_eq!(customers_total(&database.open().await, 1).await, 3);
}

fn on_a_thread_of_its_own<T: Send>(work: impl Future<Output = T> + Send) -> T {
    Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Reads a number in an organization's profile, adds one, and saves it.
async fn count_up(store: &Store) -> Result<(), Failure> {
    write(store, (), |(), tx, _| {
        Box::pin(async move {
            let found = tx.organization_for_update(organization_id(1)).await?.unwrap();
            let mut profile = found.profile.clone();
            profile.legacy.pledge_minimum_amount += 1;
            Ok(tx.organization_update(&Organization { profile, ..found }).await?)
        })
    })
    .await
}

async fn two_stores_lose_no_update(database: Database) {
    const EACH: usize = 40;
    let stores = [database.open().await, database.open().await];
    add_organization(&stores[0], 1).await;
    let before = read!(stores[0], organization(organization_id(1))).unwrap();
    let together = Barrier::new(stores.len());
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                together.wait();
                on_a_thread_of_its_own(async {
                    for _ in 0..EACH {
                        count_up(store).await.unwrap();
                    }
                });
            });
        }
    });
    let after = read!(stores[1], organization(organization_id(1))).unwrap();
    let counted = |found: &Organization| found.profile.legacy.pledge_minimum_amount;
    assert_eq!(counted(&after) - counted(&before), i64::try_from(EACH * stores.len()).unwrap());
}

async fn many_stores_may_open_a_new_database_at_once(database: Database) {
    const STORES: usize = 6;
    let together = Barrier::new(STORES);
    let (send, opened) = channel();
    thread::scope(|scope| {
        for _ in 0..STORES {
            let send = send.clone();
            scope.spawn(|| {
                together.wait();
                send.send(on_a_thread_of_its_own(database.try_open())).unwrap();
                drop(send);
            });
        }
    });
    drop(send);
    let stores: Vec<Store> = opened.into_iter().map(Result::unwrap).collect();
    assert_eq!(stores.len(), STORES);
    for (number, store) in (1..).zip(&stores) {
        add_customer(store, &customer(1, number)).await;
    }
    assert_eq!(customers_total(&stores[0], 1).await, 6);
}

async fn the_generation_counts_changes_that_may_revoke_rights(database: Database) {
    let store = database.open().await;
    let count = || store.generation().current();
    assert_eq!(count(), 0);
    add_organization(&store, 1).await;
    add_customer(&store, &customer(1, 1)).await;
    run!(store, (), |(), tx, _| Ok(tx.access_token_insert(&access_token(1, 1), &hash(1)).await?)).unwrap();
    run!(store, (), |(), tx, _| Ok(tx.user_token_insert(&user_token(1, 1), &hash(2)).await?)).unwrap();
    let failed = run!(store, (), |(), _, _| Err::<(), _>(Failure::OnPurpose));
    assert!(failed.is_err());
    read!(store, credential_owner(&hash(1), at(1)));
    assert_eq!(count(), 0, "nothing of this takes a right away");
    let join = team_member(1, 1, TeamRole::Analyst);
    run!(store, join, |join, tx, _| Ok(tx.team_insert(join).await?)).unwrap();
    assert_eq!(count(), 2);
    run!(store, (), |(), tx, _| Ok(tx.team_delete(organization_id(1), user_id(1)).await?)).unwrap();
    assert_eq!(count(), 4);
    let revoked = access_token(1, 1);
    run!(store, revoked, |token, tx, context| {
        Ok(tx.access_token_delete(token.organization, token.id, context.now()).await?)
    })
    .unwrap();
    assert_eq!(count(), 6);
}
