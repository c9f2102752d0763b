//! Ids in the paths of the dialect.

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use super::errors::ErrorResponse;
use crate::api::call::Call;
use crate::api::input::Input;
use crate::wire::AnyUuid;

/// The account in the path, which the pipeline has checked.
pub(super) fn account(call: &Call) -> Result<OrganizationId, ErrorResponse> {
    call.account.ok_or(ErrorResponse::Bad("invalid account_id"))
}

/// The sub-account in the path.
pub(super) fn sub_account(call: &Call) -> Result<OrganizationId, ErrorResponse> {
    Ok(OrganizationId::new(id(call, "sub_account_id", "invalid sub_account_id")?))
}

/// The id in the path parameter `name`; `invalid` is the message for a malformed one.
pub(super) fn id(call: &Call, name: &'static str, invalid: &'static str) -> Result<Uuid, ErrorResponse> {
    let mut input = Input::new(call);
    let id = input.path::<AnyUuid>(name);
    Ok(input.finish(id).map_err(|_| ErrorResponse::Bad(invalid))?.0)
}
