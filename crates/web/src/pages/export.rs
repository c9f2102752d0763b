//! Exports as CSV. A file is sent while it is read: only one chunk is in memory at a time. A chunk is a list query, so that
//! exports delay no other request, and is read only while the session and the role still allow it. A person runs one export
//! at a time.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use tenantry_app::{App, AuthenticationError, Error, Pace, Requester, TeamPermission};
use tenantry_core::csv;
use tenantry_core::ids::OrganizationId;
use tenantry_store::StoreError;
use uuid::Uuid;

use crate::visit::{Answer, Here};
use crate::{Console, cookies, respond};

/// A row that is exported.
pub(super) trait Exported: Sized + Send + Unpin + 'static {
    /// The choice of rows.
    type Filter: Clone + Send + Sync + Unpin + 'static;
    /// The right that the export needs.
    const PERMISSION: TeamPermission;
    /// The header of the file that names it.
    const FILE: &'static str;
    /// The first line.
    const COLUMNS: &'static [&'static str];

    /// The rows after the row `after`, oldest first. Empty after the last one.
    fn next(
        app: &App,
        by: &Requester,
        of: (OrganizationId, &Self::Filter),
        after: Option<Uuid>,
    ) -> impl Future<Output = Result<Vec<Self>, Error>> + Send;

    /// The id of the row.
    fn id(&self) -> Uuid;

    /// The line of the row.
    fn cells(&self) -> Vec<String>;
}

/// Attempts to read a chunk, and the pause before another one. An attempt may wait for seconds itself.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);
/// The mark with which a spreadsheet recognizes UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The people whose exports run.
#[derive(Default)]
pub(crate) struct Running(Mutex<HashSet<Uuid>>);

/// An export that runs, until it is dropped.
struct Held {
    console: Arc<Console>,
    person: Uuid,
}

impl Held {
    /// The right to export, unless an export of the person runs.
    fn take(console: &Arc<Console>, person: Uuid) -> Option<Self> {
        let mut running = console.exports.0.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(person).then(|| Self { console: Arc::clone(console), person })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.console.exports.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.person);
    }
}

/// The reader of an export: the session that asked for it, the organization, and the choice of rows.
#[derive(Clone)]
struct Reader<F> {
    console: Arc<Console>,
    session: String,
    request_id: String,
    organization: OrganizationId,
    filter: F,
}

impl<F> Reader<F> {
    /// The session as it is now, if it still has the right.
    async fn requester(&self, permission: TeamPermission) -> Result<Requester, Error> {
        let caller = match self.console.app.authenticate_session(&self.session).await {
            Ok(caller) => caller,
            Err(AuthenticationError::Store(error)) => return Err(error.into()),
            Err(_) => return Err(Error::CallerUnknown),
        };
        let caller = caller.restrict(self.organization).ok_or(Error::OrganizationNotFound)?;
        let by = Requester::caller(&Arc::new(caller), Some(self.request_id.clone()));
        by.check(self.organization, permission)?;
        Ok(by)
    }

    /// The next rows. The response has begun, and an error would cut it off. So a chunk that gets no place is tried again.
    async fn chunk<T: Exported<Filter = F>>(
        self,
        mut pace: Pace,
        after: Option<Uuid>,
    ) -> Result<(Pace, Vec<T>), Error> {
        let mut attempts = 1;
        loop {
            let by = self.requester(T::PERMISSION).await?;
            let next = T::next(&self.console.app, &by, (self.organization, &self.filter), after);
            match pace.step(next).await {
                Err(Error::Store(StoreError::Unavailable(_))) if attempts < ATTEMPTS => attempts += 1,
                rows => return Ok((pace, rows?)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

type Reading<T> = Pin<Box<dyn Future<Output = Result<(Pace, Vec<T>), Error>> + Send>>;

/// The body of an export. Each row occurs once, in the state in which its chunk was read.
struct Export<T: Exported> {
    reader: Reader<T::Filter>,
    header: Option<Bytes>,
    /// The chunk that is being read; nothing after the last one.
    reading: Option<Reading<T>>,
    _held: Held,
}

impl<T: Exported> HttpBody for Export<T> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(header) = self.header.take() {
            return Poll::Ready(Some(Ok(Frame::data(header))));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(reading.as_mut().poll(context));
        self.reading = None;
        let (pace, rows) = read.inspect_err(|error| tracing::warn!(%error, "export failed"))?;
        let Some(last) = rows.last() else { return Poll::Ready(None) };
        self.reading = Some(Box::pin(self.reader.clone().chunk::<T>(pace, Some(last.id()))));
        let mut text = String::new();
        for row in &rows {
            csv::line(&mut text, row.cells().iter().map(String::as_str));
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(text)))))
    }
}

/// Answers with rows of the organization as a file. Without a fresh proof it leads to one, and back to the page at `back`.
pub(super) async fn export<T: Exported>(here: &Here, filter: T::Filter, back: &str) -> Answer {
    here.check(T::PERMISSION)?;
    if let Some(way) = here.proof_first(back) {
        return Ok(way);
    }
    let (visitor, t) = (&here.visit.visitor, here.t);
    let console = &visitor.console;
    let Some(held) = Held::take(console, here.by.limited_as().unwrap_or_default()) else {
        let texts = (t.faults.refused, t.customers.export_runs);
        let status = StatusCode::TOO_MANY_REQUESTS;
        return Ok(respond::problem(console, t, status, texts, &visitor.request_id));
    };
    let reader = Reader {
        console: Arc::clone(console),
        session: visitor.cookie(cookies::SESSION).unwrap_or_default().to_owned(),
        request_id: visitor.request_id.clone(),
        organization: here.organization.id,
        filter,
    };
    let mut header = BYTE_ORDER_MARK.to_owned();
    csv::line(&mut header, T::COLUMNS.iter().copied());
    let reading: Reading<T> = Box::pin(reader.clone().chunk::<T>(Pace::default(), None));
    let body = Export { reader, header: Some(Bytes::from(header)), reading: Some(reading), _held: held };
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(T::FILE));
    Ok(response)
}
