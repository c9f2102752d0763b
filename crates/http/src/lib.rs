//! The dialects of Tenantry. A handler reads what the client sent, calls one use case, and renders what
//! came of it; it decides nothing about the business.
//!
//! The path of a request: [`server`] accepts it, `front` names it, settles its path and adds what every
//! answer of the dialect carries, `route` finds the operation, authenticates and checks the scope, and the
//! dialect's handler does the rest.

mod ahasend;
mod call;
mod docs;
mod front;
mod idempotency;
mod limits;
mod openapi;
mod polar;
mod rate;
mod rate_shared;
mod route;
pub mod server;
mod wire;

pub use front::{Config, Front};
pub use limits::Limits;
pub use openapi::Dialect;
pub use polar::webhook_payload;
pub use rate::{Rate, Rates};

/// The OpenAPI 3.1 document of a dialect, as it is served.
#[must_use]
pub fn openapi_document(dialect: Dialect) -> serde_json::Value {
    match dialect {
        Dialect::Polar => polar::document(),
        Dialect::AhaSend => ahasend::document(),
    }
}
