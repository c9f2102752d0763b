//! Operations and how a request finds its own. What is declared here is what the router serves, what the
//! OpenAPI document says, and what is checked before a handler runs: the three cannot differ.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schemars::SchemaGenerator;
use tenantry_app::{App, AuthenticationError, Caller, Error, Principal};
use tenantry_core::token::RequiredScope;
use tenantry_store::StoreError;

use crate::call::{self, Call};
use crate::docs::Readiness;
use crate::front::{BodyRead, ClientAddress, RequestId};
use crate::idempotency;
use crate::limits::{self, Limits};
use crate::rate::{Limiters, RateLimitKey, RateLimitState};

/// A method of HTTP that an operation can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Callers that may call an operation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// Whoever has a token.
    AnyToken,
    /// A token of an organization or a person with one of these permissions.
    Scoped(&'static [RequiredScope]),
    /// A token of a person with one of these permissions.
    UserScoped(&'static [RequiredScope]),
    /// A token of a person with one of the first permissions, or of an organization with one of the second.
    BySubject {
        /// For a person's.
        user: &'static [RequiredScope],
        /// For an organization's.
        organization: &'static [RequiredScope],
    },
    /// A token with the permission, for the account in the path.
    Account(RequiredScope),
    /// The same, for the sub-accounts of the account in the path, which may itself be suspended.
    Parent(RequiredScope),
    /// A session of the portal with one of these permissions.
    Portal(&'static [RequiredScope]),
    /// A member's session of the portal with one of these permissions.
    PortalMember(&'static [RequiredScope]),
    /// Anybody: a token is not even looked at.
    Public,
}

/// Why a request did not reach its handler.
#[derive(Debug)]
pub(crate) enum Rejection {
    /// No token, or not of a kind that may call this.
    Unauthorized,
    /// A token that is not alive.
    InvalidToken,
    /// A token of an organization that is suspended.
    Suspended,
    /// A token that may not be used from where the request comes.
    AddressNotAllowed,
    /// A token without the scope.
    InsufficientScope(Vec<RequiredScope>),
    /// A malformed account id in the path.
    BadAccount,
    /// A path that is not text.
    NoSuchPath,
    /// A body over the limit, in bytes.
    TooLarge(usize),
    /// A body that did not arrive whole.
    BrokenBody,
    /// Too many requests.
    RateLimited(RateLimitState),
    /// An idempotency key that is none.
    BadKey(&'static str),
    /// An idempotency key that cannot be used now, or for this.
    Key(Error),
    /// The database.
    Store(StoreError),
}

pub(crate) type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What the document says of an operation's body or answer.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> schemars::Schema;

/// The schema of `T`.
pub(crate) fn schema<T: schemars::JsonSchema>(generator: &mut SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<T>()
}

/// A query parameter or header, as the document shows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) place: &'static str,
    pub(crate) schema: fn() -> serde_json::Value,
    pub(crate) means: &'static str,
}

/// One operation of a dialect.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) access: Access,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) body: Option<SchemaOf>,
    pub(crate) success: u16,
    /// Another status of success, with the same answer.
    pub(crate) also: Option<u16>,
    /// The content type of the answer.
    pub(crate) media: &'static str,
    pub(crate) answer: Option<SchemaOf>,
    pub(crate) errors: &'static [u16],
    pub(crate) deprecated: bool,
    /// Whether it writes to whoever the caller names: such calls are rarer than others.
    pub(crate) sends_mail: bool,
    /// Whether the answer to a POST shows a secret: it is kept sealed for its idempotency key, and not long.
    pub(crate) secret: bool,
    pub(crate) handler: fn(Call) -> Answering,
}

/// Makes a handler of an `async fn(Call) -> Result<Response, E>`.
macro_rules! handler {
    ($function:path) => {
        |call| Box::pin(async move { $function(call).await.unwrap_or_else(Into::into) })
    };
}

pub(crate) use handler;

/// What nearly every answer is.
pub(crate) const JSON: &str = "application/json";

/// How a dialect says no.
pub(crate) type Refuse = fn(Rejection) -> Response;

/// What every request needs.
pub(crate) struct AppState {
    pub(crate) app: Arc<App>,
    pub(crate) limits: Limits,
    pub(crate) limiters: Option<Limiters>,
    /// Whether the server is about to stop: nothing new should be sent to it.
    pub(crate) draining: AtomicBool,
    /// What was said last of whether requests should be sent here.
    pub(crate) readiness: Readiness,
    /// Where the portal's pages are.
    pub(crate) portal_url: Arc<str>,
}

/// The router of a dialect's operations.
pub(crate) fn router(shared: &Arc<AppState>, operations: &'static [Endpoint], refuse: Refuse) -> Router {
    operations.iter().fold(Router::new(), |router, operation| {
        let shared = Arc::clone(shared);
        let serve = move |request: Request| serve(Arc::clone(&shared), operation, refuse, request);
        router.route(operation.path, on(operation.method.filter(), serve))
    })
}

async fn serve(
    shared: Arc<AppState>,
    operation: &'static Endpoint,
    refuse: Refuse,
    request: Request,
) -> Response {
    let mut left = None;
    let mut response = match prepare(&shared, operation, request, &mut left).await {
        Ok(call) => {
            let mut response = match call.attempt.clone() {
                None => (operation.handler)(call).await,
                Some(attempt) => idempotency::answer(operation, refuse, call, attempt).await,
            };
            response.extensions_mut().insert(BodyRead);
            response
        }
        Err(refused) => refuse(refused),
    };
    if let Some(left) = left {
        left.tell(&mut response);
    }
    response
}

/// Everything that is settled before a handler runs, in the order in which it may fail.
async fn prepare(
    shared: &AppState,
    operation: &Endpoint,
    request: Request,
    left: &mut Option<RateLimitState>,
) -> Result<Call, Rejection> {
    let (mut parts, body) = request.into_parts();
    let params = match RawPathParams::from_request_parts(&mut parts, &()).await {
        Ok(params) => params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        Err(_) => return Err(Rejection::NoSuchPath),
    };
    let address = address(&parts);
    let caller = authenticate(&shared.app, operation.access, &parts.headers, address).await;
    // Where nobody could say who asks, nothing is known that could be held against them.
    let limiters = shared.limiters.as_ref().filter(|_| !matches!(caller, Err(Rejection::Store(_))));
    if let Some(limiters) = limiters {
        let taken = limiters.take(whose(&caller, address));
        *left = Some(taken);
        if !taken.allows() {
            return Err(Rejection::RateLimited(taken));
        }
        if operation.sends_mail {
            let mail = limiters.take_mail(whose(&caller, address));
            if !mail.allows() {
                return Err(Rejection::RateLimited(mail));
            }
        }
    }
    let mut call = Call {
        app: Arc::clone(&shared.app),
        portal_url: Arc::clone(&shared.portal_url),
        caller: caller?,
        access: operation.access,
        address,
        request_id: parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default(),
        method: operation.method.as_str(),
        path: parts.uri.path().to_owned(),
        params,
        query: call::query_pairs(parts.uri.query()),
        headers: parts.headers,
        body: Bytes::new(),
        attempt: None,
    };
    authorize(&call)?;
    if !body.is_end_stream() {
        call.body = read(body, shared.limits.body).await?;
        // A body may take its time, and whoever sends it may have lost their rights meanwhile.
        call.renew().await?;
    }
    call.attempt = idempotency::claimed(operation, &call)?;
    Ok(call)
}

/// The bearer of a request; nothing for another scheme, for several, or for what no token could be.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (sent.next(), sent.next()) else { return None };
    let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    let usable = scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= limits::BEARER;
    usable.then_some(token)
}

async fn authenticate(
    app: &App,
    access: Access,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Option<Arc<Caller>>, Rejection> {
    if matches!(access, Access::Public) {
        return Ok(None);
    }
    let bearer = bearer(headers).ok_or(Rejection::Unauthorized)?;
    let caller = app.authenticate(bearer).await.map_err(|refused| match refused {
        AuthenticationError::Unknown => Rejection::InvalidToken,
        AuthenticationError::Suspended => Rejection::Suspended,
        AuthenticationError::Store(error) => Rejection::Store(error),
    })?;
    if caller.is_suspended() && !matches!(access, Access::Parent(_)) {
        return Err(Rejection::Suspended);
    }
    if caller.may_come_from(address) { Ok(Some(caller)) } else { Err(Rejection::AddressNotAllowed) }
}

impl Call {
    /// Asks once more who sends the request and whether they may: of a request that lasts, before more of it
    /// is done.
    pub(crate) async fn renew(&mut self) -> Result<(), Rejection> {
        self.caller = authenticate(&self.app, self.access, &self.headers, self.address).await?;
        authorize(self)
    }
}

/// Where a request comes from, an IPv4 address as itself in whatever form it arrived.
fn address(parts: &Parts) -> IpAddr {
    let nowhere = ClientAddress(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    parts.extensions.get::<ClientAddress>().copied().unwrap_or(nowhere).0.to_canonical()
}

/// Whose bucket a request is taken from. A customer in the portal has its own, so that it cannot empty its
/// organization's; so has whoever sends a token from where it may not be used.
fn whose(caller: &Result<Option<Arc<Caller>>, Rejection>, address: IpAddr) -> RateLimitKey {
    let Ok(Some(caller)) = caller else { return RateLimitKey::at(address) };
    RateLimitKey::Known(match &caller.subject {
        Principal::Organization { organization, .. } => organization.uuid(),
        Principal::User { user, .. } => user.uuid(),
        Principal::Customer(session) | Principal::Member(session) => session.customer.uuid(),
    })
}

fn authorize(call: &Call) -> Result<(), Rejection> {
    let access = call.access;
    if matches!(access, Access::Public) {
        return Ok(());
    }
    let caller = call.caller.as_ref().ok_or(Rejection::Unauthorized)?;
    if !admits(access, &caller.subject) {
        return Err(Rejection::Unauthorized);
    }
    match access {
        Access::AnyToken | Access::Public => Ok(()),
        Access::Scoped(permissions)
        | Access::UserScoped(permissions)
        | Access::Portal(permissions)
        | Access::PortalMember(permissions) => any_of(permissions, caller),
        Access::BySubject { user, organization } => match caller.subject {
            Principal::User { .. } => any_of(user, caller),
            _ => any_of(organization, caller),
        },
        Access::Account(permission) | Access::Parent(permission) => {
            let account = tenantry_core::values::parse_uuid(call.param("account_id"));
            let account = account.map_err(|_| Rejection::BadAccount)?;
            if !caller.organizations().iter().any(|organization| organization.uuid() == account) {
                return Err(Rejection::InvalidToken);
            }
            if caller.allows(permission) {
                Ok(())
            } else {
                Err(Rejection::InsufficientScope(vec![permission]))
            }
        }
    }
}

fn any_of(permissions: &[RequiredScope], caller: &Caller) -> Result<(), Rejection> {
    let allowed = permissions.iter().any(|permission| caller.allows(*permission));
    if allowed { Ok(()) } else { Err(Rejection::InsufficientScope(permissions.to_vec())) }
}

/// Whether an operation is for callers of this kind.
const fn admits(access: Access, subject: &Principal) -> bool {
    match access {
        Access::AnyToken
        | Access::Scoped(_)
        | Access::Account(_)
        | Access::Parent(_)
        | Access::BySubject { .. } => {
            matches!(subject, Principal::Organization { .. } | Principal::User { .. })
        }
        Access::UserScoped(_) => matches!(subject, Principal::User { .. }),
        Access::Portal(_) => matches!(subject, Principal::Customer(_) | Principal::Member(_)),
        Access::PortalMember(_) => matches!(subject, Principal::Member(_)),
        Access::Public => true,
    }
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Rejection> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Rejection::TooLarge(limit)),
        Err(_) => Err(Rejection::BrokenBody),
    }
}

/// The status of a fault of the database: nothing happened and it is worth trying again, nobody can tell
/// whether it happened, or neither.
pub(crate) fn fault_status(error: &StoreError) -> StatusCode {
    match error {
        StoreError::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        StoreError::InDoubt(_) => StatusCode::GATEWAY_TIMEOUT,
        StoreError::Violated(_)
        | StoreError::Unexpected(_)
        | StoreError::NewerSchema { .. }
        | StoreError::OlderSchema { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
