//! The conformance suite: behaviour that both engines share. The tests use `Store`, `UseCase` and `Tx` only;
//! [`support`] has the differences between the engines. A third engine would be another module in `on_every_engine!`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

/// Runs each of these tests on each engine, in a database of its own.
macro_rules! on_every_engine {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test(crate::support::Database::sqlite()).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $test() {
                    // Without a server the test kit reports it.
                    if let Some(database) = crate::support::Database::postgres() {
                        super::$test(database).await;
                    }
                }
            )+
        }
    };
}

/// Runs some of these tests on PostgreSQL once more, with tables distributed by Citus or its stand-in.
macro_rules! on_distributed_tables {
    ($($test:ident),+ $(,)?) => {
        mod distributed {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(database) = crate::support::Database::postgres() {
                        database.distribute().await;
                        super::$test(database).await;
                    }
                }
            )+
        }
    };
}

/// `run!(store, input, |input, tx, context| ..)`: runs the block as a use case.
macro_rules! run {
    ($store:expr, $input:expr, |$given:pat_param, $tx:pat_param, $context:pat_param| $body:expr) => {
        crate::support::write(&$store, $input, |$given, $tx, $context| Box::pin(async move { $body })).await
    };
}

/// Calls a method of `Tx` outside of a transaction.
macro_rules! read {
    ($store:expr, $method:ident($($argument:expr),* $(,)?)) => {
        $store.reader().unwrap().tx().unwrap().$method($($argument),*).await.unwrap()
    };
}

mod atomicity;
mod catalog;
mod constraints;
mod distributed;
mod doctor;
mod durability;
mod fixtures;
mod idempotency;
mod keyset_pages;
mod lists;
mod migrations;
mod model;
mod nodes;
mod portability;
mod portability_rules;
mod rows;
mod schema;
mod support;
mod tenants;
mod turns;
