//! Several nodes on one PostgreSQL server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, WebhookEventId};
use tenantry_core::member::MemberRole;
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::{Event, EventData, EventType, WebhookEndpoint};
use tenantry_store::{
    DeliveryQueue, DueQueue, ListQuery, Party, PeerChannel, Store, StoreError, Tx, UseCase,
};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixtures::*;
use crate::idempotency::with_vault;
use crate::support::{Database, Failure, write};

/// Waits until `so` returns true. The test runner ends a test that waits forever.
async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_node_is_notified_of_a_revoked_right() {
    let Some(database) = Database::postgres() else { return };
    let (one, two) = (database.open().await, database.open().await);
    add_organization(&one, 1).await;
    let before = two.generation().current();
    run!(one, team_member(1, 1, TeamRole::Analyst), |join, tx, _| Ok(tx.team_insert(join).await?)).unwrap();
    assert_eq!(
        one.generation().current(),
        2,
        "a node counts its own change before and after the commit alone"
    );
    until(|| two.generation().current() > before).await;
    // The channel is disconnected. A reconnected node counts one change, because it may have missed messages.
    let before = [one.generation().current(), two.generation().current()];
    drop(database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    ));
    until(|| one.generation().current() > before[0] && two.generation().current() > before[1]).await;
}

#[tokio::test]
async fn a_message_reaches_the_other_nodes() {
    let Some(database) = Database::postgres() else { return };
    let (one, two) = (database.open().await, database.open().await);
    let (mut first, mut second) = (one.peers().unwrap(), two.peers().unwrap());
    assert!(first.publish("hello: 2001:db8::1=5".to_owned()));
    assert_eq!(second.receive().await.as_deref(), Some("hello: 2001:db8::1=5"));
    // A node does not receive its own message: it would have arrived before this one.
    assert!(second.publish("answer".to_owned()));
    assert_eq!(first.receive().await.as_deref(), Some("answer"));
    for unfit in
        ["it's".to_owned(), "a\\".to_owned(), "\u{e9}".to_owned(), "a".repeat(PeerChannel::BYTES + 1)]
    {
        assert!(!first.publish(unfit));
    }
    assert!(first.publish("a".repeat(PeerChannel::BYTES)));
    assert_eq!(second.receive().await.map(|text| text.len()), Some(PeerChannel::BYTES));
}

#[tokio::test]
async fn sqlite_has_no_peers() {
    assert!(Database::sqlite().open().await.peers().is_none());
}

#[tokio::test]
async fn broken_connections_are_replaced() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    for number in 1..=5 {
        add_customer(&store, &customer(1, number)).await;
        drop(database.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ));
        assert_eq!(customers_total(&store, 1).await, u64::from(number));
    }
}

/// Makes every query of a customer of the first organization `FAIL`, as it does when a worker of Citus is lost or
/// hangs.
const FAILING_WORKER: &str = "
    CREATE FUNCTION reach(organization uuid) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN
        IF organization = 'FIRST' THEN
            FAIL;
        END IF;
        RETURN true;
    END $$;
    ALTER TABLE customers RENAME TO customers_of_workers;
    CREATE VIEW customers AS SELECT * FROM customers_of_workers WHERE reach(organization_id)
        WITH CHECK OPTION";

fn fail_for_first(database: &Database, how: &str) {
    let sql = FAILING_WORKER.replace("FIRST", &organization_id(1).to_string()).replace("FAIL", how);
    drop(database.query(&sql));
}

#[tokio::test]
async fn a_lost_worker_costs_no_connection_and_no_other_tenant() {
    let Some(database) = Database::postgres().filter(|database| !database.is_distributed()) else { return };
    let store = database.open_with("readers=1&writers=1").await;
    for number in [1, 2] {
        add_organization(&store, number).await;
        add_customer(&store, &customer(number, number)).await;
    }
    let lost = "RAISE 'connection to the remote node u@10.0.0.12:5432 failed' USING ERRCODE = '08006'";
    fail_for_first(&database, lost);
    let connections = || {
        let sql = "SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'tenantry'";
        database.query(sql).into_iter().flatten().flatten().collect::<BTreeSet<_>>()
    };
    let before = connections();

    let mut tasks = JoinSet::new();
    for turn in 0..20 {
        let (store, number) = (store.clone(), 1 + turn % 2);
        tasks.spawn(async move {
            let new = customer(number, 100 + turn);
            let found =
                store.reader().unwrap().tx().unwrap().customer(new.organization, customer_id(number)).await;
            let added = run!(store, new, |new, tx, _| Ok(tx.customer_insert(new).await?));
            (number, found.map(|found| found.is_some()), added)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        let (number, found, added) = ended.unwrap();
        if number == 1 {
            assert!(matches!(found, Err(StoreError::Unavailable(_))), "{found:?}");
            assert!(matches!(added, Err(Failure::Store(StoreError::Unavailable(_)))), "{added:?}");
        } else {
            assert!(matches!(found, Ok(true)), "{found:?}");
            assert!(added.is_ok(), "{added:?}");
        }
    }
    let after = connections();
    assert!(before.is_subset(&after), "{before:?} became {after:?}");
}

/// Adds one to a number in each of two organizations, in the given order.
async fn count_both(store: &Store, numbers: [u32; 2]) -> Result<(), Failure> {
    write(store, numbers, |numbers, tx, _| {
        Box::pin(async move {
            for number in numbers {
                let found = tx.organization_for_update(organization_id(*number)).await?.unwrap();
                let mut profile = found.profile.clone();
                profile.legacy.pledge_minimum_amount += 1;
                tx.organization_update(&Organization { profile, ..found }).await?;
            }
            Ok(())
        })
    })
    .await
}

#[tokio::test]
async fn deadlocking_use_cases_all_take_effect_once() {
    if let Some(database) = Database::postgres() {
        run_deadlocking_use_cases(database).await;
    }
}

pub(crate) async fn run_deadlocking_use_cases(database: Database) {
    const EACH: u32 = 4;
    let nodes = [database.open().await, database.open().await];
    for number in [1, 2] {
        add_organization(&nodes[0], number).await;
    }
    let counted = async |id: OrganizationId| {
        read!(nodes[0], organization(id)).unwrap().profile.legacy.pledge_minimum_amount
    };
    let before = counted(organization_id(1)).await;
    let mut tasks = JoinSet::new();
    for turn in 0..EACH {
        for (node, numbers) in [(0, [1, 2]), (1, [2, 1]), (0, [2, 1])] {
            let store = nodes[node].clone();
            tasks.spawn(async move { (turn, count_both(&store, numbers).await) });
        }
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        match ended.unwrap().1 {
            Ok(()) => done += 1,
            // The use case was given up after several attempts. It changed nothing.
            Err(Failure::Store(StoreError::Unavailable(_))) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(done > 0);
    for number in [1, 2] {
        assert_eq!(counted(organization_id(number)).await - before, done);
    }
}

/// A use case that changes two organizations, which can be on different nodes, is in a snapshot as a whole or not at
/// all.
#[tokio::test]
async fn a_snapshot_has_no_half_of_a_use_case() {
    const SNAPSHOTS: usize = 20;
    let Some(database) = Database::postgres() else { return };
    database.distribute().await;
    let store = database.open().await;
    let pairs = [[1, 2], [3, 4], [5, 6]];
    for number in pairs.as_flattened() {
        add_organization(&store, *number).await;
    }
    let (stop, mut writing) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for pair in pairs {
        let (store, stop) = (store.clone(), Arc::clone(&stop));
        writing.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                count_both(&store, pair).await.unwrap();
            }
        });
    }
    for _ in 0..SNAPSHOTS {
        let mut snapshot = store.snapshot().await.unwrap();
        let mut tx = snapshot.tx().unwrap();
        for pair in pairs {
            let mut counts = Vec::new();
            for number in pair {
                let found = tx.organization(organization_id(number)).await.unwrap().unwrap();
                counts.push(found.profile.legacy.pledge_minimum_amount);
            }
            assert_eq!(counts[0], counts[1], "of {pair:?}");
        }
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writing.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_lost_server_is_unavailable() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    drop(database.query("SELECT 1"));
    database.drop_database();
    let outcome = run!(store, customer(1, 1), |new, tx, _| Ok(tx.customer_insert(new).await?));
    assert!(matches!(outcome, Err(Failure::Store(StoreError::Unavailable(_)))), "{outcome:?}");
    let closed = tokio::time::timeout(Duration::from_secs(60), store.close()).await;
    assert!(closed.is_ok());
}

#[tokio::test]
async fn a_snapshot_holds_one_transaction_until_it_is_dropped() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    let open = || {
        let found = database.query(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'",
        );
        found.len()
    };
    assert_eq!(open(), 0);
    let mut snapshot = store.snapshot().await.unwrap();
    assert!(snapshot.tx().unwrap().organization(organization_id(1)).await.unwrap().is_none());
    until(|| open() == 1).await;
    drop(snapshot);
    until(|| open() == 0).await;
}

/// Runs work concurrently with the test. Dropping the result cancels it.
fn begin<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinSet<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    tasks
}

async fn ended<T: 'static>(mut task: JoinSet<T>) -> T {
    task.join_next().await.unwrap().unwrap()
}

fn endpoint() -> WebhookEndpoint {
    webhook_endpoint(Uuid::from_u128(4))
}

/// Inserts an event, and commits once `gate` opens.
async fn write_slowly(
    store: &Store,
    gate: &Arc<Semaphore>,
    database: &Database,
) -> JoinSet<Result<(), Failure>> {
    add_organization(store, 1).await;
    run!(store.clone(), endpoint(), |new, tx, _| Ok(tx.webhook_endpoint_insert(new, user_id(1)).await?))
        .unwrap();
    let event = Event {
        id: WebhookEventId::new(Uuid::from_u128(5)),
        organization: organization_id(1),
        endpoint: endpoint().id,
        created_at: at(1),
        event_type: EventType::CustomerCreated,
        data: EventData::Customer(Box::new(customer(1, 1))),
    };
    let (writer, wait) = (store.clone(), Arc::clone(gate));
    let writing = begin(async move {
        run!(writer, (event, wait), |input, tx, _| {
            tx.webhook_event_insert(&input.0).await?;
            drop(input.1.acquire().await);
            Ok(())
        })
    });
    until(|| !in_state(database, "state = 'idle in transaction'").is_empty()).await;
    writing
}

#[tokio::test]
async fn rescheduling_a_queue_sees_an_event_that_was_being_written() {
    let Some(database) = Database::on_one_server() else { return };
    let (one, two) = (with_vault(&database).await, with_vault(&database).await);
    let gate = Arc::new(Semaphore::new(0));
    let writing = write_slowly(&one, &gate, &database).await;
    let rescheduling = begin(async move {
        run!(two, endpoint(), |of, tx, _| Ok(tx
            .webhook_queues_reschedule(of.organization, of.id, at(7))
            .await?))
    });
    until(|| !in_state(&database, "wait_event_type = 'Lock'").is_empty()).await;
    gate.add_permits(1);
    ended(writing).await.unwrap();
    ended(rescheduling).await.unwrap();
    let due = read!(one, webhook_queues_due(at(10), 10, 10));
    assert_eq!(due.iter().map(|queue| queue.queue).collect::<Vec<_>>(), [DeliveryQueue::FirstAttempts]);
}

#[tokio::test]
async fn a_lease_does_not_wait_for_a_locked_queue() {
    let Some(database) = Database::postgres() else { return };
    let (one, two) = (with_vault(&database).await, with_vault(&database).await);
    let gate = Arc::new(Semaphore::new(0));
    let of = endpoint();
    let queue =
        DueQueue { organization: of.organization, endpoint: of.id, queue: DeliveryQueue::FirstAttempts };
    let lease = async || {
        run!(two.clone(), queue, |queue, tx, _| Ok(tx.webhook_queue_lease(*queue, at(2), at(20)).await?))
            .unwrap()
    };
    let writing = write_slowly(&one, &gate, &database).await;
    assert!(!lease().await);
    gate.add_permits(1);
    ended(writing).await.unwrap();
    assert!(lease().await);
}

/// The sessions of the database that meet the condition.
fn in_state(database: &Database, condition: &str) -> Vec<Vec<Option<String>>> {
    database.query(&format!(
        "SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND {condition}"
    ))
}

/// A list query that does not end.
struct Endless;

impl ListQuery for Endless {
    type Output = ();

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        tx.organization(organization_id(1)).await?;
        std::future::pending().await
    }
}

#[tokio::test]
async fn cancelled_list_queries_leave_no_transaction_open() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    for _ in 0..3 {
        let reader = store.clone();
        let search = begin(async move { reader.run_list_query(Endless).await });
        until(|| !in_state(&database, "state = 'idle in transaction'").is_empty()).await;
        drop(search);
        until(|| in_state(&database, "state = 'idle in transaction'").is_empty()).await;
    }
    add_customer(&store, &customer(1, 1)).await;
    assert_eq!(customers_total(&store, 1).await, 1);
}

#[tokio::test]
async fn tables_may_change_under_a_node() {
    let Some(database) = Database::postgres() else { return };
    let store = database.open().await;
    add_organization(&store, 1).await;
    let organization = async || read!(store, organization(organization_id(1))).unwrap();
    // Every connection has prepared these statements now.
    for _ in 0..8 {
        organization().await;
        count_both(&store, [1, 1]).await.unwrap();
    }
    let before = organization().await.profile.legacy.pledge_minimum_amount;
    drop(database.query("ALTER TABLE organizations ALTER COLUMN name TYPE varchar(500) COLLATE \"C\""));
    for _ in 0..8 {
        organization().await;
        count_both(&store, [1, 1]).await.unwrap();
    }
    assert_eq!(organization().await.profile.legacy.pledge_minimum_amount - before, 16);
}

/// Adds a member to customer 1 of organization 1.
async fn add_beside_others(tx: &mut Tx<'_>, number: u32) -> Result<(), Failure> {
    let team = customer(1, 1);
    let found = tx.customer_for_share(team.organization, team.id).await?.unwrap();
    Ok(tx.member_insert(&member(&team, number, MemberRole::Member), found.kind).await?)
}

#[tokio::test]
async fn members_of_one_customer_are_added_side_by_side() {
    let Some(database) = Database::on_one_server() else { return };
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_customer(&store, &customer(1, 1)).await;
    let gate = Arc::new(Semaphore::new(0));
    let (slow, wait) = (store.clone(), Arc::clone(&gate));
    let adding = begin(async move {
        run!(slow, wait, |wait, tx, _| {
            add_beside_others(tx, 1).await?;
            drop(wait.acquire().await);
            Ok(())
        })
    });
    let open = || in_state(&database, "state = 'idle in transaction'").len();
    until(|| open() == 1).await;
    run!(store, (), |(), tx, _| add_beside_others(tx, 2).await).unwrap();
    assert_eq!(open(), 1);
    // A transaction that changes the customer waits for the one that adds a member.
    let changer = store.clone();
    let changing = begin(async move {
        run!(changer, customer(1, 1), |team, tx, context| {
            let found = tx.customer_for_update(team.organization, team.id).await?;
            Ok(tx.customer_delete(&found.unwrap(), context.now()).await?)
        })
    });
    until(|| !in_state(&database, "wait_event_type = 'Lock'").is_empty()).await;
    gate.add_permits(1);
    ended(adding).await.unwrap();
    ended(changing).await.unwrap();
    assert_eq!(members_total(&store, 1, Some(customer_id(1))).await, 2);
}

#[tokio::test]
async fn a_cancelled_use_case_is_not_retried() {
    let Some(database) = Database::on_one_server() else { return };
    let (one, two) = (database.open().await, database.open().await);
    add_organization(&one, 1).await;
    let before = read!(one, organization(organization_id(1))).unwrap();
    let gate = Arc::new(Semaphore::new(0));
    let holding = hold(&one, &gate, &database).await;
    let asking = two.clone();
    let mut asked = begin(async move { count_both(&asking, [1, 1]).await });
    until(|| !in_state(&database, "wait_event_type = 'Lock'").is_empty()).await;
    asked.shutdown().await;
    drop(database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
    ));
    until(|| in_state(&database, "wait_event_type = 'Lock'").is_empty()).await;
    gate.add_permits(1);
    ended(holding).await.unwrap();
    two.close().await;
    assert_eq!(read!(one, organization(organization_id(1))).unwrap(), before);
}

/// Locks the row of organization 1 until `gate` opens.
async fn hold(store: &Store, gate: &Arc<Semaphore>, database: &Database) -> JoinSet<Result<(), Failure>> {
    hold_row(store, 1, gate, database).await
}

async fn hold_row(
    store: &Store,
    number: u32,
    gate: &Arc<Semaphore>,
    database: &Database,
) -> JoinSet<Result<(), Failure>> {
    let held = || in_state(database, "state = 'idle in transaction'").len();
    let (holder, gate, before) = (store.clone(), Arc::clone(gate), held());
    let holding = begin(async move {
        run!(holder, (number, gate), |input, tx, _| {
            tx.organization_for_update(organization_id(input.0)).await?;
            drop(input.1.acquire().await);
            Ok(())
        })
    });
    until(|| held() > before).await;
    holding
}

#[tokio::test]
async fn a_row_lock_of_another_node_delays_no_other_use_case() {
    let Some(database) = Database::on_one_server() else { return };
    let (one, two) = (database.open().await, database.open_with("writers=1").await);
    for number in [1, 2] {
        add_organization(&one, number).await;
    }
    let gate = Arc::new(Semaphore::new(0));
    let holding = hold(&one, &gate, &database).await;
    let waiter = two.clone();
    let waiting = begin(async move { count_both(&waiter, [1, 1]).await });
    until(|| !in_state(&database, "wait_event_type = 'Lock'").is_empty()).await;
    // The fast lane has one place, and the use case of organization 1 still waits for the lock.
    for _ in 0..3 {
        count_both(&two, [2, 2]).await.unwrap();
    }
    assert!(!in_state(&database, "wait_event_type = 'Lock'").is_empty());
    gate.add_permits(1);
    ended(holding).await.unwrap();
    ended(waiting).await.unwrap();
}

/// A use case that is marked as long.
struct Long;

impl UseCase for Long {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.organization_for_update(organization_id(2)).await.map(|_| ())
    }

    const IS_LONG: bool = true;
}

/// Locks an organization's row, and names that organization to the store.
struct Touch(u32);

impl UseCase for Touch {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.organization_for_update(organization_id(self.0)).await.map(|_| ())
    }

    fn party(&self) -> Party {
        Party::organization(organization_id(self.0))
    }
}

/// Looks up the customer of an organization that has its number.
struct Find(u32);

impl UseCase for Find {
    type Output = bool;
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<bool, StoreError> {
        Ok(tx.customer(organization_id(self.0), customer_id(self.0)).await?.is_some())
    }

    fn party(&self) -> Party {
        Party::organization(organization_id(self.0))
    }
}

#[tokio::test]
async fn a_worker_that_hangs_delays_no_other_tenant() {
    // Longer than a statement may take outside of the slow lane.
    const SLOW: &str = "wait_event = 'PgSleep' AND query_start < clock_timestamp() - interval '1.2 s'";
    let Some(database) = Database::postgres().filter(|database| !database.is_distributed()) else { return };
    let store = database.open_with("readers=1&writers=1").await;
    for number in [1, 2] {
        add_organization(&store, number).await;
        add_customer(&store, &customer(number, number)).await;
    }
    fail_for_first(&database, "PERFORM pg_sleep(60)");
    let mut hanging = JoinSet::new();
    for turn in 0..6 {
        let store = store.clone();
        hanging.spawn(async move {
            if turn % 2 == 0 {
                drop(store.write(Find(1)).await);
            } else {
                drop(read_first(&store, 1).await);
            }
        });
    }
    until(|| in_state(&database, SLOW).len() == 2).await;
    for _ in 0..3 {
        assert!(store.write(Find(2)).await.unwrap());
        assert!(read_first(&store, 2).await.unwrap());
    }
    assert_eq!(hanging.len(), 6);
    assert!(hanging.try_join_next().is_none());
}

async fn read_first(store: &Store, number: u32) -> Result<bool, StoreError> {
    let found = store.reader()?.tx()?.customer(organization_id(number), customer_id(number)).await;
    found.map(|found| found.is_some())
}

#[tokio::test]
async fn waits_for_one_organizations_row_delay_neither_others_nor_long_use_cases() {
    // Longer than a use case waits for a lock in the fast lane.
    const WAITING: &str = "wait_event_type = 'Lock' AND query_start < clock_timestamp() - interval '0.2 s'";
    let Some(database) = Database::on_one_server() else { return };
    let (one, two) = (database.open().await, database.open().await);
    for number in [1, 2] {
        add_organization(&one, number).await;
    }
    let gate = Arc::new(Semaphore::new(0));
    let holding = hold(&one, &gate, &database).await;
    let mut waiting = JoinSet::new();
    for _ in 0..16 {
        let waiter = two.clone();
        waiting.spawn(async move { waiter.write(Touch(1)).await });
    }
    until(|| in_state(&database, WAITING).len() == 2).await;
    two.write(Long).await.unwrap();
    // A use case of another organization waits as well, and continues while those of the first still wait.
    let other = Arc::new(Semaphore::new(0));
    let holding_other = hold_row(&one, 2, &other, &database).await;
    let waiter = two.clone();
    let waits = begin(async move { waiter.write(Touch(2)).await });
    until(|| in_state(&database, WAITING).len() == 3).await;
    other.add_permits(1);
    ended(holding_other).await.unwrap();
    ended(waits).await.unwrap();
    assert_eq!(waiting.len(), 16);
    assert!(waiting.try_join_next().is_none());
    gate.add_permits(1);
    ended(holding).await.unwrap();
    while let Some(waited) = waiting.join_next().await {
        waited.unwrap().unwrap();
    }
}

/// Hosts that accept connections and never answer do not delay host selection: the next hosts are asked while the
/// first is still pending.
#[tokio::test]
async fn a_silent_host_does_not_delay_host_selection() {
    let Some(database) = Database::postgres() else { return };
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let ports: Vec<_> = silent.iter().map(|host| host.local_addr().unwrap().port()).collect();
    let all = |url: String| {
        let silent: String = ports.iter().map(|port| format!("127.0.0.1:{port},")).collect();
        let (user, at) = url.split_once('@').unwrap();
        // The server is on a socket, which the URL names as its last parameter, or on a port.
        match at.split_once("?host=") {
            Some((name, host)) => format!("{user}@{silent}{host}:5432{name}"),
            None => format!("{user}@{silent}{at}"),
        }
    };
    let asked = begin(async move {
        let mut asked = Vec::new();
        for host in &silent {
            asked.push(host.accept().await.unwrap().0);
        }
        // A client that gave up the first host before it tried the last would have closed this connection.
        let waits = asked.iter().map(|first| {
            let mut sent = [0; 64];
            loop {
                match first.try_read(&mut sent) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
                }
            }
        });
        (waits.collect::<Vec<_>>(), silent, asked)
    });
    let store = database.open_at(all).await;
    let (waits, _silent, _asked) = ended(asked).await;
    assert_eq!(waits, [true; 3]);
    add_organization(&store, 1).await;
    assert!(read!(store, organization(organization_id(1))).is_some());
}

/// `execute_unawaited` does not wait for the result of a change. A rejected change still fails at its own call.
#[tokio::test]
async fn a_rejected_change_fails_at_its_own_call() {
    let Some(database) = Database::postgres() else { return };
    // With one place, the statements are prepared and are sent without waiting.
    let store = database.open_with("writers=1").await;
    add_organization(&store, 1).await;
    add_customer(&store, &customer(1, 1)).await;
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let outcome = run!(store, counted, |runs, tx, _| {
        runs.fetch_add(1, Ordering::Relaxed);
        tx.organization(organization_id(1)).await?;
        let refused = tx.customer_insert(&customer(1, 1)).await;
        match refused {
            Err(error) if error.is_violation_of("customers_pkey") => {
                Err(Failure::Store(StoreError::Unavailable("refused".into())))
            }
            other => Ok(other?),
        }
    });
    assert!(matches!(outcome, Err(Failure::Store(StoreError::Unavailable(why))) if why == "refused"));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(customers_total(&store, 1).await, 1);
}

#[tokio::test]
async fn a_commit_that_breaks_is_in_doubt_and_not_repeated() {
    let Some(database) = Database::on_one_server() else { return };
    let store = database.open().await;
    add_organization(&store, 1).await;
    drop(database.query(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
         CREATE CONSTRAINT TRIGGER waits AFTER UPDATE ON organizations DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW EXECUTE FUNCTION wait()",
    ));
    let writer = store.clone();
    let writing = begin(async move { count_both(&writer, [1, 1]).await });
    until(|| !in_state(&database, "wait_event = 'PgSleep'").is_empty()).await;
    drop(database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event = 'PgSleep'",
    ));
    let outcome = ended(writing).await;
    assert!(matches!(outcome, Err(Failure::Store(StoreError::InDoubt(_)))), "{outcome:?}");
}
