//! The HTTP server and its two dialects.
//!
//! The path of a request: [`server`] accepts the connection, [`Gateway`] assigns an id and normalizes the path,
//! `pipeline` authenticates and authorizes, and the handler of a dialect reads the input, calls one use case and
//! renders its outcome. A handler makes no business decision.
//!
//! Modules depend on each other in one direction: `server` → `gateway` → `polar`, `ahasend`, `docs`, `health` →
//! `pipeline` → `api` → `wire`. The exception is `api::call`, whose `Call` carries the body types of `pipeline`.

mod ahasend;
mod api;
mod docs;
mod gateway;
mod health;
mod limits;
mod meters;
mod pipeline;
mod polar;
pub mod server;
mod state;
mod wire;

pub use api::openapi::Dialect;
pub use gateway::{Config, Gateway};
pub use limits::Limits;
pub use meters::ServerReading;
pub use pipeline::rate_limit::{Rate, Rates};
pub use polar::{ColumnError, FileError, ImportStaging, StagingStep, read_import_rows, webhook_payload};

/// The endpoints of both dialects.
fn endpoints() -> impl Iterator<Item = &'static api::endpoint::Endpoint> {
    polar::endpoints().chain(ahasend::endpoints())
}

/// The OpenAPI 3.1 document of a dialect.
#[must_use]
pub fn openapi_document(dialect: Dialect) -> serde_json::Value {
    match dialect {
        Dialect::Polar => polar::document(),
        Dialect::AhaSend => ahasend::document(),
    }
}
