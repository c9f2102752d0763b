//! Exports of tables as CSV (docs/contracts/polar/customers.md, 5.6), or as JSON Lines. A table is sent while it is read:
//! only one chunk is in memory at a time. A chunk is a list query, so that exports delay no other request; it waits until
//! there is a place for it, and rests between chunks ([`Pace`]). An export takes [`limits::EXPORT_MEMORY`] of its owner's
//! share of memory until the client has taken its last chunk, so the share bounds the number of exports that one owner
//! runs at once.

pub(super) mod csv;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use std::vec::IntoIter;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde_json::{Value, json};
use tenantry_app::{Error, Pace, TeamPermission};
use tenantry_core::ids::OrganizationId;
use tenantry_store::StoreError;
use uuid::Uuid;

use crate::api::call::Call;
use crate::api::endpoint::Parameter;
use crate::api::input::Input;
use crate::api::rejection::Rejection;
use crate::api::response;
use crate::limits;
use crate::pipeline::auth;
use crate::pipeline::memory::{self, ReservedBytes};
use crate::polar::errors::ErrorResponse;
use crate::wire::Uuid4;

/// Attempts to read a chunk, and the pause before another one. An attempt may wait for seconds itself.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);
/// The mark with which a spreadsheet recognizes UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The parameter that asks for [`BYTE_ORDER_MARK`].
pub(super) const BOM: Parameter = Parameter::query(
    "bom",
    || json!({"type": "boolean", "default": false}),
    "Whether the table begins with a byte order mark, so that a spreadsheet reads it as UTF-8.",
);

/// A row of a table that is exported.
pub(super) trait Exported: Sized + Send + Sync + 'static {
    /// The names of the columns.
    const HEADER: &'static [&'static str];

    /// The organizations whose rows the caller may see; with `wanted`, of these alone.
    fn readable(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId>;

    /// The next rows of an organization, oldest first. Empty after the last one.
    fn next(
        call: &Call,
        organization: OrganizationId,
        after: Option<Uuid>,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send;

    /// The id of the row.
    fn id(&self) -> Uuid;

    /// The values of the columns.
    fn fields(&self) -> Vec<String>;

    /// The row as JSON. `None` for a table that has no such form.
    fn json(&self) -> Option<Value> {
        None
    }
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// CSV with a line of headings.
    Csv,
    /// A JSON object on each line.
    JsonLines,
}

impl Form {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::JsonLines => "application/jsonl",
        }
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<(Call, Pace, Vec<T>), Error>> + Send>>;

/// The body of an export: a chunk of rows at a time, until every organization is done. Each chunk is read only if the
/// caller may still see it. Each row occurs once, in the state in which its chunk was read.
struct Export<T> {
    /// The call. Absent while a chunk is read, which then owns it.
    call: Option<Call>,
    pace: Pace,
    form: Form,
    header: Option<Bytes>,
    held: Arc<ReservedBytes>,
    organizations: IntoIter<OrganizationId>,
    /// The organization that is being read, and the last row sent of it.
    current: Option<(OrganizationId, Option<Uuid>)>,
    reading: Option<Reading<T>>,
}

impl<T: Exported> hyper::body::Body for Export<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(header) = self.header.take() {
            return Poll::Ready(Some(Ok(Frame::data(header))));
        }
        loop {
            let Some((organization, after)) =
                self.current.or_else(|| Some((self.organizations.next()?, None)))
            else {
                return Poll::Ready(None);
            };
            self.current = Some((organization, after));
            if let Some(call) = self.call.take() {
                self.reading = Some(Box::pin(part(call, self.pace, organization, after)));
            }
            let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            let (call, pace, rows) = read.inspect_err(|error| tracing::warn!(%error, "export failed"))?;
            (self.call, self.pace) = (Some(call), pace);
            self.current = rows.last().map(|last| (organization, Some(last.id())));
            if !rows.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(memory::chunk(
                    lines(&rows, self.form),
                    &self.held,
                )))));
            }
        }
    }
}

/// The next rows, if the caller may still read them. The response has begun, and an error would cut it off. So a chunk
/// that gets no place is tried again.
async fn part<T: Exported>(
    mut call: Call,
    mut pace: Pace,
    organization: OrganizationId,
    after: Option<Uuid>,
) -> Result<(Call, Pace, Vec<T>), Error> {
    let mut attempts = 1;
    loop {
        match auth::renew(&mut call).await {
            Ok(()) if T::readable(&call, &[]).contains(&organization) => {}
            Err(Rejection::Store(error)) => return Err(error.into()),
            _ => return Err(Error::NotPermitted(TeamPermission::ReadCustomers)),
        }
        match pace.step(T::next(&call, organization, after)).await {
            Err(Error::Store(StoreError::Unavailable(_))) if attempts < ATTEMPTS => attempts += 1,
            rows => return Ok((call, pace, rows?)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn lines<T: Exported>(rows: &[T], form: Form) -> Bytes {
    let mut text = String::new();
    for row in rows {
        match form {
            Form::Csv => csv::line(&mut text, row.fields().iter().map(String::as_str)),
            Form::JsonLines => {
                text.push_str(&row.json().unwrap_or_default().to_string());
                text.push('\n');
            }
        }
    }
    Bytes::from(text)
}

/// Answers with the export of a table as CSV. `names` are the names of the file without and with a byte order mark.
pub(super) async fn export<T: Exported>(call: Call, names: [&str; 2]) -> Result<Response, ErrorResponse> {
    export_as::<T>(call, Form::Csv, names).await
}

/// Answers with the export of a table.
pub(super) async fn export_as<T: Exported>(
    mut call: Call,
    form: Form,
    [plain, marked]: [&str; 2],
) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let wanted = input.query_list::<Uuid4>("organization_id");
    let has_mark = input.query::<bool>("bom");
    let (wanted, has_mark) = input.finish(wanted.zip(has_mark))?;
    let has_mark = has_mark.unwrap_or(false) && form == Form::Csv;
    call.response_bytes.grow(limits::EXPORT_MEMORY)?;
    let mut organizations = T::readable(&call, &wanted);
    organizations.sort_unstable();
    let mut header = if has_mark { BYTE_ORDER_MARK.to_owned() } else { String::new() };
    if form == Form::Csv {
        csv::line(&mut header, T::HEADER.iter().copied());
    }
    let body: Export<T> = Export {
        held: Arc::new(call.response_bytes.take()),
        call: Some(call),
        pace: Pace::default(),
        form,
        header: Some(Bytes::from(header)).filter(|header| !header.is_empty()),
        organizations: organizations.into_iter(),
        current: None,
        reading: None,
    };
    let mut response = Response::new(Body::new(body));
    response::set(&mut response, CONTENT_TYPE, form.content_type());
    let name = if has_mark { marked } else { plain };
    response::set(&mut response, CONTENT_DISPOSITION, &format!("attachment; filename=\"{name}\""));
    Ok(response)
}
