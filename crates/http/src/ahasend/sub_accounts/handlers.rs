//! Handlers of the endpoints on sub-accounts.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;
use tenantry_app::Error;
use tenantry_app::cursors::CursorScope;
use tenantry_app::sub_accounts::{
    SubAccount, SubAccountCreate, SubAccountDelete, SubAccountSuspend, SubAccountUnsuspend, SubAccountUpdate,
};

use super::wire::{
    CreateSubAccountRequest, SubAccountView, SuspendSubAccountRequest, UpdateSubAccountRequest, UsageView,
    stored, view,
};
use crate::ahasend::errors::ErrorResponse;
use crate::ahasend::page;
use crate::ahasend::path::{account, sub_account};
use crate::api::call::Call;
use crate::api::input::Input;
use crate::api::response;
use crate::api::response::to_stored;

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    let parent = account(&call)?;
    let of = CursorScope { organization: parent, list: "sub-accounts" };
    let page = call.app.sub_accounts(&call.requester(), parent, page::read(&call, of)?).await?;
    page::response::<_, SubAccountView>(&call, of, &page)
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let parent = account(&call)?;
    let mut input = Input::new(&call);
    let body = input.json_body::<CreateSubAccountRequest>();
    let new = input.finish(body)?.into();
    let operation = SubAccountCreate { by: call.requester(), parent, new };
    let created = |made: &SubAccount| to_stored(StatusCode::CREATED, &SubAccountView::from(made));
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn usage(call: Call) -> Result<Response, ErrorResponse> {
    let parent = account(&call)?;
    let usage = call.app.sub_accounts_usage(&call.requester(), parent).await?;
    Ok(response::json(StatusCode::OK, &UsageView::of(parent, usage)))
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let (parent, id) = (account(&call)?, sub_account(&call)?);
    Ok(view(&call.app.sub_account(&call.requester(), parent, id).await?))
}

fn shown(sub_account: &SubAccount) -> Result<Vec<u8>, Error> {
    response::body(&SubAccountView::from(sub_account))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let (parent, id) = (account(&call)?, sub_account(&call)?);
    let mut input = Input::new(&call);
    let body = input.json_body::<UpdateSubAccountRequest>();
    let change = input.finish(body)?.into();
    let update = SubAccountUpdate { by: call.requester(), parent, id, change };
    Ok(view(&call.write_row(update, shown).await?))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let (parent, id) = (account(&call)?, sub_account(&call)?);
    let deletion = SubAccountDelete { by: call.requester(), parent, id };
    call.write_row(deletion, shown).await?;
    Ok(response::json(StatusCode::OK, &json!({"message": "sub account deleted"})))
}

pub(super) async fn suspend(call: Call) -> Result<Response, ErrorResponse> {
    let (parent, id) = (account(&call)?, sub_account(&call)?);
    let mut input = Input::new(&call);
    let body = input.json_body::<SuspendSubAccountRequest>();
    let reason = input.finish(body)?.reason.0;
    Ok(call.write_once(SubAccountSuspend { by: call.requester(), parent, id, reason }, stored).await?)
}

/// The body is optional and ignored.
pub(super) async fn unsuspend(call: Call) -> Result<Response, ErrorResponse> {
    let (parent, id) = (account(&call)?, sub_account(&call)?);
    Ok(call.write_once(SubAccountUnsuspend { by: call.requester(), parent, id }, stored).await?)
}
