//! The export of all customers (docs/contracts/polar/customers.md, 5.6).

use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, OrganizationId};
use uuid::Uuid;

use super::handlers::readable_organizations;
use crate::api::call::Call;
use crate::polar::errors::ErrorResponse;
use crate::polar::export::{self, Exported};
use crate::wire::Uuid4;

impl Exported for Customer {
    const HEADER: &'static [&'static str] = Self::COLUMNS;

    fn readable(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId> {
        readable_organizations(call, wanted)
    }

    async fn next(
        call: &Call,
        organization: OrganizationId,
        after: Option<Uuid>,
    ) -> Result<Vec<Self>, Error> {
        call.app.customers_after(&call.requester(), organization, after.map(CustomerId::new)).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn fields(&self) -> Vec<String> {
        self.cells()
    }
}

pub(super) async fn export(call: Call) -> Result<Response, ErrorResponse> {
    // The first name is the original's.
    export::export::<Customer>(call, ["polar-customers.csv", "customers.csv"]).await
}
