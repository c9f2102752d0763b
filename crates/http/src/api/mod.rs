//! The declaration of an HTTP operation and the values that its handler works with.
//!
//! An [`endpoint::Endpoint`] is declared once. The router serves it, the pipeline checks its
//! [`access::Access`], and [`openapi`] documents it, so the three cannot differ.

pub(crate) mod access;
pub(crate) mod call;
pub(crate) mod conditions;
pub(crate) mod endpoint;
pub(crate) mod idempotency_key;
pub(crate) mod input;
pub(crate) mod openapi;
pub(crate) mod rejection;
pub(crate) mod request;
pub(crate) mod response;
