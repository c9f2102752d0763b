//! The behaviour that every engine must have. The tests use `Store`, `UseCase` and `Tx` alone; what differs
//! between engines stands in [`support`]. A second engine is a second module in `on_every_engine!`.
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
                    // Where there is no server the kit says so.
                    if let Some(database) = crate::support::Database::postgres() {
                        super::$test(database).await;
                    }
                }
            )+
        }
    };
}

/// Runs some of these tests on PostgreSQL once more, with tables that are spread by Citus or its stand-in.
macro_rules! on_spread_tables {
    ($($test:ident),+ $(,)?) => {
        mod spread {
            $(
                #[tokio::test]
                async fn $test() {
                    if let Some(database) = crate::support::Database::postgres() {
                        database.spread().await;
                        super::$test(database).await;
                    }
                }
            )+
        }
    };
}

/// `run!(store, input, |input, tx, moment| ..)`: one operation that does what the block says.
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
mod catalogue;
mod constraints;
mod doctor;
mod durability;
mod fixtures;
mod idempotency;
mod lists;
mod migrations;
mod model;
mod nodes;
mod parts;
mod portability;
mod portability_rules;
mod rows;
mod schema;
mod spread;
mod support;
mod tenants;
