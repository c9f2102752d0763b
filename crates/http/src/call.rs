//! One request on its way through a handler.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::idempotency::IdempotencyAttempt;
use tenantry_app::{App, Caller, Requester};

use crate::limits;
use crate::route::Access;
use crate::wire::{At, Loc, Violation, Wire};

/// What a handler gets.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    /// Where the portal's pages are.
    pub(crate) portal_url: Arc<str>,
    pub(crate) caller: Option<Arc<Caller>>,
    /// Who may send it.
    pub(crate) access: Access,
    /// Where the request comes from.
    pub(crate) address: IpAddr,
    pub(crate) request_id: String,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The key that names it, where it has one.
    pub(crate) attempt: Option<Arc<IdempotencyAttempt>>,
}

impl Call {
    /// On whose behalf the request acts.
    pub(crate) fn by(&self) -> Requester {
        let request_id = Some(self.request_id.clone());
        match &self.caller {
            Some(caller) => Requester::caller(caller, request_id),
            None => Requester::nobody(request_id),
        }
    }

    /// The value of a path parameter.
    pub(crate) fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The last value of a query parameter.
    pub(crate) fn last(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter, in order.
    pub(crate) fn each<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header's text.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Begins to read what was sent.
    pub(crate) fn input(&self) -> Input<'_> {
        Input { call: self, at: At::naming(Arc::clone(self.app.plain_http_hosts())) }
    }
}

/// Reads the parts of a request and collects what is wrong with them.
pub(crate) struct Input<'a> {
    pub(crate) call: &'a Call,
    pub(crate) at: At,
}

impl Input<'_> {
    /// A path parameter, read like a value of the body.
    pub(crate) fn path<T: Wire>(&mut self, name: &'static str) -> Option<T> {
        let value = Value::from(self.call.param(name));
        self.at.within("path", |at| at.within(name, |at| T::read(&value, at)))
    }

    /// The last value of a query parameter, read like a value of the body; absent is nothing.
    pub(crate) fn query<T: Wire>(&mut self, name: &'static str) -> Option<Option<T>> {
        let Some(text) = self.call.last(name) else { return Some(None) };
        let value = Value::from(text);
        self.at.within("query", |at| at.within(name, |at| T::read(&value, at))).map(Some)
    }

    /// Each value of a query parameter that may be repeated.
    pub(crate) fn query_each<T: Wire>(&mut self, name: &'static str) -> Option<Vec<T>> {
        let values: Vec<Value> = self.call.each(name).map(Value::from).collect();
        let read: Vec<Option<T>> = self.at.within("query", |at| {
            at.within(name, |at| {
                let values = values.iter().enumerate();
                values.map(|(index, value)| at.within(index, |at| T::read(value, at))).collect()
            })
        });
        read.into_iter().collect()
    }

    /// The parts, when nothing is wrong; else all that is.
    pub(crate) fn finish<T>(self, parts: Option<T>) -> Result<T, Vec<Violation>> {
        match parts {
            Some(parts) if self.at.is_clean() => Ok(parts),
            _ => Err(self.at.into_found()),
        }
    }
}

/// An answer with a JSON body.
pub(crate) fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_json(status, bytes),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            with_json(StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec())
        }
    }
}

/// An answer whose JSON is written already.
pub(crate) fn with_json(status: StatusCode, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Sets a header whose text is known to be fit for one; unfit text sets none.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The pairs of a query, at most [`limits::QUERY_PARAMETERS`].
pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.take(limits::QUERY_PARAMETERS).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
}

impl From<&Loc> for String {
    fn from(loc: &Loc) -> Self {
        match loc {
            Loc::Key(key) => key.clone().into_owned(),
            Loc::Index(index) => index.to_string(),
        }
    }
}
