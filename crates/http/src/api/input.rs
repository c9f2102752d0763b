//! Reads path, query and body, and collects every violation.

use std::sync::Arc;

use axum::http::header::CONTENT_TYPE;
use serde_json::Value;

use super::call::Call;
use crate::wire::{Body, Validation, Violation, Wire, read_json, to_utf8};

/// Reads the parts of a request and collects the violations of all of them.
pub(crate) struct Input<'a> {
    pub(crate) call: &'a Call,
    pub(crate) at: Validation,
}

impl<'a> Input<'a> {
    pub(crate) fn new(call: &'a Call) -> Self {
        Self { call, at: Validation::naming(Arc::clone(call.app.plain_http_hosts())) }
    }

    /// A path parameter.
    pub(crate) fn path<T: Wire>(&mut self, name: &'static str) -> Option<T> {
        let value = Value::from(self.call.path_parameter(name));
        self.at.within("path", |at| at.within(name, |at| T::read(&value, at)))
    }

    /// An optional query parameter. The last value wins.
    pub(crate) fn query<T: Wire>(&mut self, name: &'static str) -> Option<Option<T>> {
        let Some(text) = self.call.query_value(name) else { return Some(None) };
        let value = Value::from(text);
        self.at.within("query", |at| at.within(name, |at| T::read(&value, at))).map(Some)
    }

    /// Every value of a query parameter that may be repeated.
    pub(crate) fn query_list<T: Wire>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let values: Vec<Value> = self.call.query_values(name).map(Value::from).collect();
        let read: Vec<Option<T>> = self.at.within("query", |at| {
            at.within(name, |at| {
                let values = values.iter().enumerate();
                values.map(|(index, value)| at.within(index, |at| T::read(value, at))).collect()
            })
        });
        read.into_iter().collect()
    }

    /// The required body, read according to its content type. A violation of its JSON replaces all others.
    pub(crate) fn body<T: Wire>(&mut self) -> Option<T> {
        let content_type = self.call.header(CONTENT_TYPE);
        let mut json_at = Validation::default();
        let read = json_at.within("body", |at| read_json(content_type, &to_utf8(&self.call.body), at));
        let Some(body) = read else {
            self.at = json_at;
            return None;
        };
        self.at.within("body", |at| match body {
            Body::Nothing => {
                at.missing(&Value::Null);
                None
            }
            Body::Json(value) => T::read(&value, at),
            Body::Text(text) => T::read(&Value::from(text), at),
        })
    }

    /// The required body, read as JSON whatever its content type.
    pub(crate) fn json_body<T: Wire>(&mut self) -> Option<T> {
        self.at.within("body", |at| match read_json(Some("application/json"), &self.call.body, at)? {
            Body::Json(value) => T::read(&value, at),
            Body::Nothing | Body::Text(_) => {
                at.missing(&Value::Null);
                None
            }
        })
    }

    /// The parts that were read, or every violation.
    pub(crate) fn finish<T>(self, parts: Option<T>) -> Result<T, Vec<Violation>> {
        match parts {
            Some(parts) if self.at.is_clean() => Ok(parts),
            _ => Err(self.at.into_found()),
        }
    }
}
