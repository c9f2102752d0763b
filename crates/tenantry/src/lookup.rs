//! Organizations as the command line names them.

use tenantry_app::App;
use tenantry_core::ids::OrganizationId;
use tenantry_core::values::parse_uuid;

use crate::error::CommandError;

/// The organization with this slug or id, also a deleted one.
pub(crate) async fn find_in_any_state(app: &App, name: &str) -> Result<OrganizationId, CommandError> {
    let name = name.trim();
    let found = match parse_uuid(name) {
        Ok(id) => Some(OrganizationId::new(id)),
        Err(_) => app.store().reader()?.tx()?.organization_by_slug(name).await?,
    };
    found.ok_or_else(|| missing_in_any_state(name))
}

/// The error about a name that is neither an organization's nor a deleted one's.
pub(crate) fn missing_in_any_state(name: &str) -> CommandError {
    CommandError::Message(format!(
        "there is no organization {:?}: `tenantry organization list` shows all, and with `--deleted` the deleted ones",
        name.trim()
    ))
}

/// The organization with this slug or id.
pub(crate) async fn find(app: &App, name: &str) -> Result<OrganizationId, CommandError> {
    let name = name.trim();
    let mut reader = app.store().reader()?;
    let mut tx = reader.tx()?;
    let id = match parse_uuid(name) {
        Ok(id) => Some(OrganizationId::new(id)),
        Err(_) => tx.organization_by_slug(name).await?,
    };
    if let Some(id) = id {
        if tx.organization(id).await?.is_some() {
            return Ok(id);
        }
        if tx.organizations_deleted().await?.iter().any(|deleted| deleted.organization.id == id) {
            return Err(CommandError::Message(format!(
                "organization {name:?} is deleted: `tenantry organization undelete {name}` brings it back"
            )));
        }
    }
    Err(CommandError::Message(format!(
        "there is no organization {name:?}: `tenantry organization list` shows all"
    )))
}
