//! The export of the audit log.

use axum::response::Response;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::audit_log::PERMISSION;
use tenantry_core::ids::{AuditId, OrganizationId};
use tenantry_store::AuditRecord;
use uuid::Uuid;

use super::view::EntryView;
use super::wire::{self, FormName};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::polar::errors::ErrorResponse;
use crate::polar::export::{self, Exported, Form};
use crate::wire::Uuid4;

impl Exported for AuditRecord {
    const HEADER: &'static [&'static str] = Self::COLUMNS;

    fn readable(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId> {
        let is_wanted =
            |id: &OrganizationId| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid());
        call.requester().organizations_with(PERMISSION).filter(is_wanted).collect()
    }

    async fn next(
        call: &Call,
        organization: OrganizationId,
        after: Option<Uuid>,
    ) -> Result<Vec<Self>, Error> {
        let filter = wire::filter(&mut Input::new(call)).unwrap_or_default();
        let after = after.map(AuditId::new);
        call.app.audit_entries_after(&call.requester(), organization, filter, after).await
    }

    fn id(&self) -> Uuid {
        self.id.uuid()
    }

    fn fields(&self) -> Vec<String> {
        self.cells()
    }

    fn json(&self) -> Option<Value> {
        let shown = EntryView::new(self.clone()).inspect_err(|error| {
            tracing::error!(%error, entry = %self.id, "audit entry cannot be read");
        });
        serde_json::to_value(shown.ok()?).ok()
    }
}

pub(super) async fn export(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let form = input.query::<FormName>("format");
    // Read again for each chunk.
    let filter = wire::filter(&mut input);
    let (form, _) = input.finish(form.zip(filter))?;
    let form = form.map_or(Form::JsonLines, |name| name.0);
    let name = match form {
        Form::Csv => "audit-log.csv",
        Form::JsonLines => "audit-log.jsonl",
    };
    export::export_as::<AuditRecord>(call, form, [name, name]).await
}
