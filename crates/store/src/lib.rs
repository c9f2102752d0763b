//! The store: the only crate with SQL.
//!
//! A use case ([`UseCase`]) is written once, as code over a transaction ([`Tx`]), and both engines run it: SQLite many
//! at once on its writer thread, PostgreSQL from many nodes. The queries are methods of `Tx`, written once for both.
//!
//! From the bottom up:
//!
//! | module | content |
//! |---|---|
//! | `error`, `value`, `signals`, `peers`, `schema`, `turns` | types without a connection |
//! | `sqlite::driver`, `postgres::session` | connections: a query goes in, rows come out |
//! | `row`, `tx` | both drivers behind one interface |
//! | `queries`, `admin` | SQL |
//! | `sqlite`, `postgres` | engines: transactions, retries, pools |
//! | `store` | both engines behind one interface |
//!
//! Invariants: every query of a tenant's table names the organization; every uniqueness rule is a database
//! constraint as well, reported by its name ([`StoreError::Violated`]).

mod admin;
mod error;
mod list_query_limiter;
mod peers;
#[cfg(test)]
mod plan_tests;
pub mod postgres;
mod queries;
mod reader;
mod row;
mod schema;
mod signals;
mod sqlite;
mod store;
mod turns;
mod tx;
mod use_case;
mod value;
mod vault;

pub use admin::{ColumnValue, RowValues, Snapshot, doctor};
pub use error::StoreError;
pub use peers::PeerChannel;
pub use queries::{
    AccessTokenKey, AuditImages, AuditRecord, CredentialOwner, CustomerDeletion, CustomerEvent,
    CustomerFilter, CustomerKey, DeletionStep, DeliveryQueue, DueQueue, Edge, IdempotencyClaim,
    IdempotencyNamespace, IdempotencyState, Keyset, KeysetPage, LeasedDelivery, MemberConflicts,
    MemberFilter, OldAuditEntry, Order, OrganizationFilter, OrganizationKey, OwnedOrganizations, Page, Paged,
    PendingEvent, RowKey, SecretSubject, StoredResponse, TokenRef, TokenSecrets, TokenUse, UserDeletion,
    WebhookDelivery, WebhookDeliveryDetails, WebhookDeliveryFilter, WebhookEventRow,
};
pub use reader::Reader;
pub use schema::{Catalog, Column, ColumnKind, Table};
pub use signals::Generation;
pub use store::Store;
pub use tx::Tx;
pub use use_case::{ListQuery, Moments, Party, UseCase};
pub use vault::Vault;
