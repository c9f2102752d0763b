//! The export of all customers as a CSV table (docs/contracts/polar/customers.md, 5.6). It is sent while it is read:
//! only one chunk is in memory at a time. A chunk is a list query, so that exports delay no other request, and waits while
//! there is no place for it. An export takes [`limits::EXPORT_MEMORY`] of its owner's share of memory until the client has
//! taken its last chunk.

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
use tenantry_app::{Error, ExportPlace, TeamPermission};
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::values::{Address, EmailAddress, TaxId};
use tenantry_store::StoreError;

use super::handlers::readable_organizations;
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::rejection::Rejection;
use crate::api::response;
use crate::limits;
use crate::pipeline::auth;
use crate::pipeline::memory::{self, ReservedBytes};
use crate::polar::customers::csv;
use crate::polar::errors::ErrorResponse;
use crate::wire::Uuid4;

/// Attempts to read a chunk, and the pause before another one. An attempt may wait for seconds itself.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

const HEADER: [&str; 13] = [
    "ID",
    "External ID",
    "Created At",
    "Email",
    "Name",
    "Tax ID",
    "Billing Address Line 1",
    "Billing Address Line 2",
    "Billing Address City",
    "Billing Address State",
    "Billing Address Zip",
    "Billing Address Country",
    "Metadata",
];

type Reading = Pin<Box<dyn Future<Output = Result<(Call, Vec<Customer>), Error>> + Send>>;

/// The body of an export: a chunk of customers at a time, until every organization is done. Each chunk is read only if
/// the caller may still see it. Each customer occurs once, in the state in which its chunk was read.
struct Export {
    /// The call. Absent while a chunk is read, which then owns it.
    call: Option<Call>,
    header: Option<Bytes>,
    held: Arc<ReservedBytes>,
    organizations: IntoIter<OrganizationId>,
    /// The organization that is being read, and the last customer sent of it.
    current: Option<(OrganizationId, Option<CustomerId>)>,
    reading: Option<Reading>,
    _place: ExportPlace,
}

impl hyper::body::Body for Export {
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
                self.reading = Some(Box::pin(part(call, organization, after)));
            }
            let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            let (call, customers) =
                read.inspect_err(|error| tracing::warn!(%error, "customer export failed"))?;
            self.call = Some(call);
            self.current = customers.last().map(|last| (organization, Some(last.id)));
            if !customers.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(memory::chunk(lines(&customers), &self.held)))));
            }
        }
    }
}

/// The next customers, if the caller may still read them. The response has begun, so that a refusal would cut it off: a
/// chunk without a place is tried again.
async fn part(
    mut call: Call,
    organization: OrganizationId,
    after: Option<CustomerId>,
) -> Result<(Call, Vec<Customer>), Error> {
    let mut attempts = 1;
    loop {
        match auth::renew(&mut call).await {
            Ok(()) if readable_organizations(&call, &[]).contains(&organization) => {}
            Err(Rejection::Store(error)) => return Err(error.into()),
            _ => return Err(Error::NotPermitted(TeamPermission::ReadCustomers)),
        }
        match call.app.customers_after(&call.requester(), organization, after).await {
            Err(StoreError::Unavailable(_)) if attempts < ATTEMPTS => attempts += 1,
            customers => return Ok((call, customers?)),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn lines(customers: &[Customer]) -> Bytes {
    let mut text = String::new();
    for customer in customers {
        let metadata = &customer.metadata;
        let metadata = if metadata.is_empty() { Ok(String::new()) } else { serde_json::to_string(metadata) };
        let address = customer.billing_address.as_ref();
        let part = |part: fn(&Address) -> Option<&str>| address.and_then(part).unwrap_or_default();
        csv::line(
            &mut text,
            [
                customer.id.to_string().as_str(),
                customer.external_id.as_ref().map_or("", |id| id.as_str()),
                // The original writes the zone as an offset.
                customer.created_at.to_string().replace('Z', "+00:00").as_str(),
                customer.email.as_ref().map_or("", EmailAddress::as_str),
                customer.name.as_ref().map_or("", |name| name.as_str()),
                customer.tax_id.as_ref().map_or("", TaxId::value),
                part(Address::line1),
                part(Address::line2),
                part(Address::city),
                part(Address::state),
                part(Address::postal_code),
                address.map_or("", |address| address.country().as_str()),
                metadata.unwrap_or_default().as_str(),
            ],
        );
    }
    Bytes::from(text)
}

pub(super) async fn export(mut call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let wanted = input.query_list::<Uuid4>("organization_id");
    let wanted = input.finish(wanted)?;
    call.response_bytes.grow(limits::EXPORT_MEMORY)?;
    let mut organizations = readable_organizations(&call, &wanted);
    organizations.sort_unstable();
    let place = call.app.begin_export(&call.requester())?;
    let mut header = String::new();
    csv::line(&mut header, HEADER);
    let held = call.response_bytes.take();
    let body = Export {
        held: Arc::new(held),
        call: Some(call),
        header: Some(Bytes::from(header)),
        organizations: organizations.into_iter(),
        current: None,
        reading: None,
        _place: place,
    };
    let mut response = Response::new(Body::new(body));
    response::set(&mut response, CONTENT_TYPE, "text/csv; charset=utf-8");
    response::set(&mut response, CONTENT_DISPOSITION, "attachment; filename=\"polar-customers.csv\"");
    Ok(response)
}
