//! A request on its way through a handler.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, USER_AGENT};
use axum::response::Response;
use bytes::Bytes;
use tenantry_app::conditional::{Condition, RowUseCase};
use tenantry_app::idempotency::{IdempotencyAttempt, IdempotentResponse, RenderRefusal};
use tenantry_app::{App, Caller, Error, Requester};
use tenantry_core::audit::Client;
use tenantry_core::ids::OrganizationId;
use tenantry_store::{StoredResponse, UseCase};

use super::access::Access;
use super::conditions::Conditions;
use super::response::idempotent;
use crate::limits;
use crate::pipeline::memory::ReservedBytes;
use crate::pipeline::upload::Upload;

/// The declaration of the endpoint, as far as an idempotency key depends on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) takes_idempotency_key: bool,
    pub(crate) returns_secret: bool,
}

/// An authenticated and authorized request.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    /// The base URL of the portal's pages.
    pub(crate) portal_url: Arc<str>,
    /// The address at which people reach the server.
    pub(crate) public_url: Arc<str>,
    /// Absent on public endpoints.
    pub(crate) caller: Option<Arc<Caller>>,
    pub(crate) access: Access,
    pub(crate) operation: Operation,
    /// Whether the request may name its organization in a header.
    pub(crate) takes_organization: bool,
    /// The account in the path, which the caller may use. Present where [`Access`] names an account.
    pub(crate) account: Option<OrganizationId>,
    /// The client's address. Absent when a trusted proxy did not report it.
    pub(crate) address: Option<IpAddr>,
    pub(crate) request_id: String,
    pub(crate) path_parameters: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body, for an endpoint that reads it while it arrives. The lock lets threads share the call.
    pub(crate) upload: Mutex<Option<Upload>>,
    /// Present when the request carries an idempotency key. A handler that reads the body while it arrives sets it by
    /// [`idempotency_key::attempt`](super::idempotency_key::attempt).
    pub(crate) idempotency: Option<IdempotencyAttempt>,
    /// The conditions on the row of the endpoint.
    pub(crate) conditions: Conditions,
    /// Renders a refusal that is stored for the key.
    pub(crate) render_refusal: RenderRefusal,
    /// Memory of a response that is made while it is sent. Empty at first.
    pub(crate) response_bytes: ReservedBytes,
}

impl Call {
    /// The requester on whose behalf use cases run.
    pub(crate) fn requester(&self) -> Requester {
        let request_id = Some(self.request_id.clone());
        let requester = match &self.caller {
            Some(caller) => Requester::caller(caller, request_id),
            None => Requester::anonymous(request_id),
        };
        requester.from_client(self.client())
    }

    /// The client that sent the request, for the audit log.
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, self.header(USER_AGENT))
    }

    /// Takes the body of an endpoint that reads it while it arrives. `None` the second time.
    pub(crate) fn take_upload(&mut self) -> Option<Upload> {
        self.upload.get_mut().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the path of the endpoint has this parameter.
    pub(crate) fn has_path_parameter(&self, name: &str) -> bool {
        self.path_parameters.iter().any(|(key, _)| key == name)
    }

    /// The value of a path parameter. Empty when the path has none of that name.
    pub(crate) fn path_parameter(&self, name: &str) -> &str {
        self.path_parameters.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// The value of a query parameter. The last one wins.
    pub(crate) fn query_value(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a query parameter, in order.
    pub(crate) fn query_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A header as text. Nothing when it is absent or not ASCII.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Runs the use case for the caller.
    pub(crate) async fn write<U: UseCase<Error = Error>>(&self, use_case: U) -> Result<U::Output, Error> {
        self.app.write_as(&self.requester(), use_case).await
    }

    /// Runs a use case on one row, which `render` shows as a GET does, if the conditions of the request hold.
    pub(crate) async fn write_row<U: RowUseCase>(
        &self,
        use_case: U,
        render: impl Fn(&U::Row) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
    ) -> Result<U::Output, Error> {
        self.app.write_if(&self.requester(), use_case, self.condition(render)).await
    }

    /// The conditions of the request on a row, which `render` shows as a GET does.
    pub(crate) fn condition<R: 'static>(
        &self,
        render: impl Fn(&R) -> Result<Vec<u8>, Error> + Send + Sync + 'static,
    ) -> Condition<R> {
        if self.conditions.is_empty() {
            return None;
        }
        let conditions = self.conditions.clone();
        Some(Arc::new(move |row: &R| Ok(conditions.allow_change_of(&render(row)?))))
    }

    /// Runs the use case of a POST, once for its idempotency key if it has one.
    ///
    /// Only this function renders and stores the outcome of a request with a key. Without a key, the response is
    /// rendered after the transaction.
    pub(crate) async fn write_once<U: UseCase<Error = Error>>(
        &self,
        use_case: U,
        render: impl Fn(&U::Output) -> Result<StoredResponse, Error> + Send + Sync + 'static,
    ) -> Result<Response, Error> {
        let outcome = match self.idempotency.clone() {
            None => {
                let response = render(&self.write(use_case).await?)?;
                IdempotentResponse { response, replayed: false }
            }
            Some(attempt) => {
                let by = self.requester();
                self.app.write_once(&by, attempt, use_case, render, self.render_refusal).await?
            }
        };
        Ok(idempotent(outcome))
    }
}

/// The pairs of a query string. Nothing when there are more than [`limits::QUERY_PARAMETERS`].
pub(crate) fn query_pairs(query: Option<&str>) -> Option<Vec<(String, String)>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let pairs: Vec<_> = pairs
        .take(limits::QUERY_PARAMETERS + 1)
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    (pairs.len() <= limits::QUERY_PARAMETERS).then_some(pairs)
}
