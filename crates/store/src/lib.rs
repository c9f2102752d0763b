//! The store: the only crate with SQL.
//!
//! A use case ([`UseCase`]) is written once, as code over a transaction ([`Tx`]), and both engines run it: SQLite many
//! at once on its writer thread, PostgreSQL from many nodes. The queries are methods of `Tx`, written once for both.
//!
//! From the bottom up:
//!
//! | module | content |
//! |---|---|
//! | `error`, `value`, `signals`, `peers`, `schema`, `turns`, `readings`, `slow_sql` | types without a connection |
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
mod limited_file;
mod list_query_limiter;
mod peers;
#[cfg(test)]
mod plan_tests;
pub mod postgres;
mod queries;
mod reader;
mod readings;
mod row;
mod schema;
mod signals;
mod slow_sql;
mod sqlite;
mod store;
mod turns;
mod tx;
mod use_case;
mod value;
mod vault;

pub use admin::{ColumnValue, RowValues, Snapshot, doctor};
pub use error::StoreError;
pub use limited_file::read_limited;
pub use peers::PeerChannel;
pub use queries::{
    AccessTokenKey, AuditFilter, AuditImages, AuditRecord, AuditRetention, Backlog, CredentialOwner,
    CustomerDeletion, CustomerEvent, CustomerFilter, CustomerImport, CustomerKey, DeletionStep,
    DeliveryQueue, DueQueue, Edge, HIDDEN_AT, IdempotencyClaim, IdempotencyNamespace, IdempotencyState,
    InvitationFilter, InvitationSortKey, Keyset, KeysetPage, LeasedDelivery, MemberConflicts, MemberFilter,
    OldAuditEntry, OperatorFilter, Order, OrganizationFilter, OrganizationImportMark, OrganizationKey,
    OrganizationQueues, OrganizationStateFilter, OwnedOrganizations, Page, Paged, PendingEvent,
    PersonalAuditEntries, PersonalAuditEntry, PurgedRows, RowKey, SecretSubject, SessionFacts,
    StoredResponse, TokenRef, TokenSecrets, TokenUse, UserDeletion, UserEmailChange, WebhookDelivery,
    WebhookDeliveryDetails, WebhookDeliveryFilter, WebhookEventRow, sealed_url_context,
};
pub use reader::Reader;
pub use readings::{EngineReading, LaneReading, StoreReading};
pub use schema::{Catalog, Column, ColumnKind, Export, Purge, TENANT_TABLES, Table, TenantTable};
pub use signals::{Generation, Woken, WorkSignal};
pub use slow_sql::log_slow_sql;
pub use store::Store;
pub use tx::{DatabaseFacts, Tx};
pub use use_case::{ListQuery, Moments, Party, UseCase};
pub use vault::Vault;
