//! Use cases are atomic: a failed one leaves nothing and does not disturb the others of its batch.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use tenantry_core::ExecutionContext;
use tenantry_core::audit::AuditEntry;
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::team::TeamRole;
use tenantry_store::{CustomerFilter, StoreError, Tx, UseCase};
use tokio::task::JoinSet;

use crate::fixtures::*;
use crate::support::{Database, Failure};

on_every_engine!(
    an_error_after_any_step_leaves_nothing,
    a_refusal_after_any_step_leaves_nothing,
    a_use_case_alone_sees_its_uncommitted_changes,
    failures_do_not_disturb_their_batch,
    a_panic_is_rolled_back_and_the_writer_continues,
    a_use_case_that_awaits_something_else_is_rolled_back,
    a_savepoint_is_kept_or_rolled_back_by_itself,
    an_unfinished_savepoint_ends_with_its_use_case,
);

/// One store call of a use case.
#[derive(Debug, Clone)]
enum Step {
    CustomerInsert(Customer),
    CustomerUpdate(Box<[Customer; 2]>),
    CustomerDelete(Customer),
    MemberInsert(Member),
    MemberUpdate(Member),
    MemberDelete(Member),
    Audit(AuditEntry),
    TeamInsert(u32),
    TokenInsert(u32),
    UserInsert(u32),
    OrganizationInsert(u32),
    Fail,
    Panic,
}

/// A use case that runs these steps in order.
struct Steps(Vec<Step>);

impl UseCase for Steps {
    type Output = ();
    type Error = Failure;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Failure> {
        for step in &self.0 {
            match step {
                Step::CustomerInsert(new) => tx.customer_insert(new).await?,
                Step::CustomerUpdate(both) => tx.customer_update(&both[0], &both[1]).await?,
                Step::CustomerDelete(gone) => tx.customer_delete(gone, context.now()).await?,
                Step::MemberInsert(new) => tx.member_insert(new, CustomerKind::Team).await?,
                Step::MemberUpdate(changed) => tx.member_update(changed).await?,
                Step::MemberDelete(gone) => tx.member_delete(gone, context.now()).await?,
                Step::Audit(entry) => tx.audit_append(entry).await?,
                Step::TeamInsert(user) => tx.team_insert(&team_member(7, *user, TeamRole::Analyst)).await?,
                Step::TokenInsert(number) => {
                    tx.access_token_insert(&access_token(7, *number), &hash(u8::try_from(*number).unwrap()))
                        .await?;
                }
                Step::UserInsert(number) => tx.user_insert(&user(*number)).await.map(|_| ())?,
                Step::OrganizationInsert(number) => tx.organization_insert(&organization(*number)).await?,
                Step::Fail => return Err(Failure::OnPurpose),
                Step::Panic => panic!("on purpose"),
            }
        }
        Ok(())
    }
}

/// Steps that create, change and delete a customer and its members, among other rows.
fn story() -> Vec<Step> {
    let team = Customer { metadata: serde_json::from_str(r#"{"a":1,"b":2}"#).unwrap(), ..customer(7, 70) };
    let renamed = Customer {
        name: Some("Team".parse().unwrap()),
        metadata: serde_json::from_str(r#"{"c":3}"#).unwrap(),
        ..team.clone()
    };
    let (owner, heir) = (member(&team, 71, MemberRole::Owner), member(&team, 72, MemberRole::Member));
    let demoted = Member { role: MemberRole::BillingManager, ..owner.clone() };
    let promoted = Member { role: MemberRole::Owner, ..heir.clone() };
    vec![
        Step::OrganizationInsert(7),
        Step::UserInsert(7),
        Step::TeamInsert(7),
        Step::TokenInsert(7),
        Step::CustomerInsert(team.clone()),
        Step::MemberInsert(owner.clone()),
        Step::Audit(audit_entry(&owner, 1)),
        Step::MemberInsert(heir.clone()),
        Step::Audit(audit_entry(&heir, 2)),
        Step::CustomerUpdate(Box::new([team, renamed.clone()])),
        Step::MemberUpdate(demoted.clone()),
        Step::MemberUpdate(promoted.clone()),
        Step::MemberDelete(demoted),
        Step::MemberDelete(promoted),
        Step::CustomerDelete(renamed),
    ]
}

/// A database with rows that a failed use case could damage.
async fn with_rows(database: &Database) -> tenantry_store::Store {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let team = customer(7, 1);
    add_customer(&store, &team).await;
    add_member(&store, &member(&team, 1, MemberRole::Owner)).await;
    store
}

async fn an_error_after_any_step_leaves_nothing(database: Database) {
    let store = with_rows(&database).await;
    let before = database.dump();
    for end in [Step::Fail, Step::Panic] {
        for steps in 0..=story().len() {
            let mut story = story();
            story.truncate(steps);
            story.push(end.clone());
            let outcome = store.write(Steps(story)).await;
            match end {
                Step::Panic => assert!(matches!(outcome, Err(Failure::Store(StoreError::Unexpected(_))))),
                _ => assert!(matches!(outcome, Err(Failure::OnPurpose))),
            }
            assert_eq!(database.dump(), before, "after {steps} steps");
            assert_eq!((customers_total(&store, 7).await, members_total(&store, 7, None).await), (1, 1));
        }
    }
    // Without the failure all steps succeed, so the failures above were the intended ones.
    store.write(Steps(story())).await.unwrap();
    assert_ne!(database.dump(), before);
    assert_eq!((customers_total(&store, 7).await, members_total(&store, 7, None).await), (1, 1));
}

async fn a_refusal_after_any_step_leaves_nothing(database: Database) {
    let store = with_rows(&database).await;
    let before = database.dump();
    for steps in 0..=story().len() {
        let mut story = story();
        story.truncate(steps);
        story.push(Step::CustomerInsert(customer(7, 1)));
        let outcome = store.write(Steps(story)).await;
        assert!(matches!(outcome, Err(Failure::Store(StoreError::Violated(_)))));
        assert_eq!(database.dump(), before, "after {steps} steps");
    }
}

async fn a_use_case_alone_sees_its_uncommitted_changes(database: Database) {
    let store = database.open().await;
    let outside = store.clone();
    run!(store, (customer(1, 1), outside), |(new, outside), tx, _| {
        tx.customer_insert(new).await?;
        assert_eq!(tx.customer(new.organization, new.id).await?.as_ref(), Some(new));
        assert_eq!(read!(outside, customer(new.organization, new.id)), None);
        Ok(())
    })
    .unwrap();
    assert!(read!(store, customer(organization_id(1), customer_id(1))).is_some());
}

/// Blocks the writer until the test sends a value, so that the use cases queued meanwhile form one batch.
struct Hold(Mutex<Receiver<()>>);

impl UseCase for Hold {
    type Output = ();
    type Error = Failure;

    async fn run(&self, _: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), Failure> {
        self.0.lock().unwrap().recv().unwrap();
        Ok(())
    }
}

async fn failures_do_not_disturb_their_batch(database: Database) {
    let store = Arc::new(database.open().await);
    let (go, held) = channel();
    let mut tasks = JoinSet::new();
    let holding = Arc::clone(&store);
    tasks.spawn(async move { (0, holding.write(Hold(Mutex::new(held))).await.is_ok()) });
    for number in 1..=150_u32 {
        let store = Arc::clone(&store);
        let new = customer(1, number);
        let owner = member(&new, number, MemberRole::Owner);
        let mut steps = vec![Step::CustomerInsert(new), Step::MemberInsert(owner)];
        match number % 6 {
            0 => steps.push(Step::Panic),
            3 => steps.push(Step::Fail),
            _ => {}
        }
        tasks.spawn(async move { (number, store.write(Steps(steps)).await.is_ok()) });
    }
    // Every task has been polled once, and so has queued its use case, before this task runs again.
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    while let Some(done) = tasks.join_next().await {
        let (number, succeeded) = done.unwrap();
        assert_eq!(succeeded, number == 0 || number % 3 != 0, "{number}");
    }
    let filter = CustomerFilter { organizations: vec![organization_id(1)], ..CustomerFilter::default() };
    let found = read!(store, customers(&filter, PAGE));
    let expected: Vec<_> = (1..=150).rev().filter(|number| number % 3 != 0).map(customer_id).collect();
    assert_eq!(found.items.iter().map(|found| found.id).collect::<Vec<_>>(), expected);
    assert_eq!((found.total, members_total(&store, 1, None).await), (100, 100));
}

async fn a_panic_is_rolled_back_and_the_writer_continues(database: Database) {
    let store = database.open().await;
    for number in 1..=3 {
        let steps = vec![Step::CustomerInsert(customer(1, number)), Step::Panic];
        let outcome = store.write(Steps(steps)).await;
        assert!(matches!(outcome, Err(Failure::Store(StoreError::Unexpected(_)))), "{outcome:?}");
        assert_eq!(customers_total(&store, 1).await, 0);
    }
    add_customer(&store, &customer(1, 1)).await;
    assert_eq!(customers_total(&store, 1).await, 1);
}

/// The writer serves all callers, so a use case that awaits anything but the database is rolled back. SQLite detects
/// it at once, and a debug build panics with the use case's name. PostgreSQL detects it after a timeout.
#[expect(clippy::disallowed_methods, reason = "the panic of the task is the outcome under test")]
async fn a_use_case_that_awaits_something_else_is_rolled_back(database: Database) {
    let store = database.open().await;
    let writing = store.clone();
    let outcome = tokio::spawn(async move {
        run!(writing, customer(1, 1), |new, tx, _| {
            tx.customer_insert(new).await?;
            std::future::pending::<()>().await;
            Ok(())
        })
    });
    match outcome.await {
        Err(panicked) => assert!(panicked.is_panic()),
        Ok(outcome) => {
            // PostgreSQL ends a transaction without statements as well, and on a busy machine it can be first.
            let ended =
                |error: &StoreError| matches!(error, StoreError::Unexpected(_) | StoreError::Unavailable(_));
            assert!(matches!(&outcome, Err(Failure::Store(error)) if ended(error)), "{outcome:?}");
        }
    }
    assert_eq!(customers_total(&store, 1).await, 0);
    add_customer(&store, &customer(1, 1)).await;
}

async fn a_savepoint_is_kept_or_rolled_back_by_itself(database: Database) {
    let store = database.open().await;
    run!(store, (), |(), tx, _| {
        tx.customer_insert(&customer(1, 1)).await?;
        for (number, keep) in [(2, false), (3, true), (4, false), (5, true)] {
            tx.begin_savepoint().await?;
            tx.customer_insert(&customer(1, number)).await?;
            // A savepoint with a failed statement can only be rolled back.
            if !keep {
                assert!(tx.customer_insert(&customer(1, 1)).await.is_err());
            }
            tx.end_savepoint(keep).await?;
        }
        Ok(tx.customer_insert(&customer(1, 6)).await?)
    })
    .unwrap();
    let filter = CustomerFilter { organizations: vec![organization_id(1)], ..CustomerFilter::default() };
    let found = read!(store, customers(&filter, PAGE));
    let ids: Vec<_> = found.items.iter().map(|found| found.id).collect();
    assert_eq!(ids, [6, 5, 3, 1].map(customer_id));
    assert_eq!(found.total, 4);
}

async fn an_unfinished_savepoint_ends_with_its_use_case(database: Database) {
    let store = database.open().await;
    let outcome = run!(store, (), |(), tx, _| {
        tx.begin_savepoint().await?;
        tx.customer_insert(&customer(1, 1)).await?;
        Err::<(), _>(Failure::OnPurpose)
    });
    assert!(matches!(outcome, Err(Failure::OnPurpose)));
    assert_eq!(customers_total(&store, 1).await, 0);
    run!(store, (), |(), tx, _| {
        tx.begin_savepoint().await?;
        Ok(tx.customer_insert(&customer(1, 2)).await?)
    })
    .unwrap();
    add_customer(&store, &customer(1, 3)).await;
    assert_eq!(customers_total(&store, 1).await, 2);
    store.close().await;
    assert_eq!(customers_total(&database.open().await, 1).await, 2);
}
