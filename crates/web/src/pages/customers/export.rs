//! The export of all customers.

use tenantry_app::{App, Error, Requester, TeamPermission};
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, OrganizationId};
use uuid::Uuid;

use crate::pages::export::{self, Exported};
use crate::visit::{Answer, Here};

impl Exported for Customer {
    type Filter = ();
    const PERMISSION: TeamPermission = TeamPermission::ReadCustomers;
    const FILE: &'static str = "attachment; filename=\"customers.csv\"";
    const COLUMNS: &'static [&'static str] = Self::COLUMNS;

    async fn next(
        app: &App,
        by: &Requester,
        (organization, ()): (OrganizationId, &()),
        after: Option<Uuid>,
    ) -> Result<Vec<Self>, Error> {
        app.customers_after(by, organization, after.map(CustomerId::new)).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn cells(&self) -> Vec<String> {
        self.cells()
    }
}

/// Answers with all customers as a file.
pub(super) async fn export(here: &Here) -> Answer {
    export::export::<Customer>(here, (), &here.to("customers")).await
}
