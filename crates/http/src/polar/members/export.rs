//! The export of all members, which the original does not have.

use axum::response::Response;
use tenantry_app::Error;
use tenantry_core::ids::{MemberId, OrganizationId};
use tenantry_core::member::Member;
use uuid::Uuid;

use crate::api::call::Call;
use crate::polar::errors::ErrorResponse;
use crate::polar::export::{self, Exported};
use crate::wire::Uuid4;

impl Exported for Member {
    const HEADER: &'static [&'static str] =
        &["ID", "Customer ID", "External ID", "Created At", "Email", "Name", "Role"];

    fn readable(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId> {
        let is_wanted =
            |id: &OrganizationId| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid());
        call.requester().organizations().iter().copied().filter(is_wanted).collect()
    }

    async fn next(
        call: &Call,
        organization: OrganizationId,
        after: Option<Uuid>,
    ) -> Result<Vec<Self>, Error> {
        call.app.members_after(&call.requester(), organization, after.map(MemberId::new)).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn fields(&self) -> Vec<String> {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        vec![
            self.id.to_string(),
            self.customer_id.to_string(),
            text(self.external_id.as_ref().map(|id| id.as_str())),
            self.created_at.to_string().replace('Z', "+00:00"),
            self.email.as_str().to_owned(),
            text(self.name.as_ref().map(|name| name.as_str())),
            self.role.as_str().to_owned(),
        ]
    }
}

pub(super) async fn export(call: Call) -> Result<Response, ErrorResponse> {
    export::export::<Member>(call, ["members.csv", "members.csv"]).await
}
