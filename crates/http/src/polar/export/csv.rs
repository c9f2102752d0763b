//! CSV text, as `tenantry_core::csv` writes it.

pub(in crate::polar) use tenantry_core::csv::{is_like_a_formula, line};
