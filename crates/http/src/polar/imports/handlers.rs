//! Handlers of the endpoints on imports.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tenantry_app::Error;
use tenantry_app::imports::{ImportReceive, ImportSettings, ImportStart, ImportStop};
use tenantry_core::customer::{ImportFormat, OnMatch};
use tenantry_core::ids::{ImportId, OrganizationId};
use tenantry_store::{CustomerImport, Page, Paged, StoreError};

use super::PARAMETERS;
use super::staging::{ImportStaging, StagingStep};
use super::view::{ImportView, OnMatchName};
use crate::api::call::Call;
use crate::api::idempotency_key;
use crate::api::input::Input;
use crate::api::rejection::Rejection;
use crate::api::response::{self, IDEMPOTENT_REPLAYED, to_stored};
use crate::limits;
use crate::pipeline::upload::Upload;
use crate::polar::errors::ErrorResponse;
use crate::polar::page;
use crate::wire::{AnyUuid, Uuid4, Violation};

/// Attempts to store a chunk, and the pause before another one. An attempt may wait for seconds itself.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// The file of a request while it arrives.
struct Receiver {
    staging: ImportStaging,
    /// The digest of the choices and the file, with which an idempotency key is compared.
    digest: Sha256,
}

pub(super) async fn import(mut call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let on_match = input.query::<OnMatchName>("on_match");
    let is_dry_run = input.query::<bool>("dry_run");
    let organization = input.query::<Uuid4>("organization_id");
    let known = refuse_unknown_parameters(&mut input);
    let format = format(&mut input);
    let read = on_match.zip(is_dry_run).zip(organization.zip(format)).zip(known);
    let (((on_match, is_dry_run), (organization, format)), ()) = input.finish(read)?;
    let Some(mut upload) = call.take_upload() else { return Err(Rejection::BrokenBody.into()) };
    // A malformed key is refused before the file arrives.
    idempotency_key::attempt(&call)?;
    let on_match = on_match.map_or(OnMatch::Fail, |on_match| on_match.0);
    let is_dry_run = is_dry_run.unwrap_or(false);
    let choices = format!("{format:?} {on_match:?} {is_dry_run} {organization:?} ");
    let organization = organization.map(|id| OrganizationId::new(id.0));
    let settings = ImportSettings { format, columns: String::new(), on_match, is_dry_run };
    let mut receiver = Receiver {
        staging: ImportStaging::new(call.requester(), organization, settings),
        digest: Sha256::new_with_prefix(choices),
    };
    let answer = receiver.receive(&mut call, &mut upload).await;
    let is_replay = answer.as_ref().is_ok_and(|answer| answer.headers().contains_key(IDEMPOTENT_REPLAYED));
    let is_started = answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::ACCEPTED);
    if let Some(import) = receiver.staging.import().filter(|_| is_replay || !is_started) {
        // If this fails, the sweep deletes the rows.
        drop(call.app.discard_import(import).await);
    }
    answer
}

/// Refuses each query parameter that the endpoint does not have.
fn refuse_unknown_parameters(input: &mut Input<'_>) -> Option<()> {
    let call = input.call;
    let mut known = Some(());
    for (name, value) in call.query.iter().filter(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        let value = Value::from(value.as_str());
        input.at.within("query", |at| {
            at.within(name.clone(), |at| {
                at.violate("extra_forbidden", "Extra inputs are not permitted", &value, None);
            });
        });
        known = None;
    }
    known
}

/// The form of the file, by the content type.
fn format(input: &mut Input<'_>) -> Option<ImportFormat> {
    let content_type = input.call.header(CONTENT_TYPE).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "text/csv" => Some(ImportFormat::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/ndjson" => Some(ImportFormat::JsonLines),
        _ => {
            let value = Value::from(content_type);
            let message = "Value error, send the file as text/csv or application/jsonl";
            input.at.within("header", |at| {
                at.within("Content-Type", |at| at.violate("value_error", message, &value, None));
            });
            None
        }
    }
}

impl Receiver {
    /// Stores the file while it arrives, then starts the import.
    async fn receive(&mut self, call: &mut Call, upload: &mut Upload) -> Result<Response, ErrorResponse> {
        while let Some(bytes) = upload.next().await? {
            self.digest.update(&bytes);
            // A frame may be larger than a chunk.
            for piece in bytes.chunks(limits::IMPORT_CHUNK) {
                self.staging.push(piece).map_err(|error| refusal(&error.to_string()))?;
                self.store(call, upload).await?;
            }
        }
        self.staging.finish().map_err(|error| refusal(&error.to_string()))?;
        self.store(call, upload).await?;
        let import = self.staging.import().ok_or(Error::ImportNotFound)?;
        call.body = Bytes::from(self.digest.clone().finalize().to_vec());
        call.idempotency = idempotency_key::attempt(call)?;
        let start = ImportStart { by: call.requester(), import };
        Ok(upload.work(call.write_once(start, started)).await??)
    }

    /// Stores the rows that have arrived.
    async fn store(&mut self, call: &Call, upload: &mut Upload) -> Result<(), ErrorResponse> {
        while let Some(step) = self.staging.next_step() {
            match step {
                StagingStep::Begin(begin) => {
                    let begun = upload.work(call.write(begin)).await?;
                    self.staging.begun(&begun.map_err(about_organization)?);
                }
                StagingStep::Receive(receive) => write(call, upload, receive).await?,
            }
        }
        Ok(())
    }
}

async fn write(call: &Call, upload: &mut Upload, receive: ImportReceive) -> Result<(), ErrorResponse> {
    let mut attempts = 1;
    loop {
        match upload.work(call.write(receive.clone())).await? {
            Err(Error::Store(StoreError::Unavailable(_))) if attempts < ATTEMPTS => attempts += 1,
            stored => return Ok(stored?),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An error about the organization that the request names, which is in the query here.
fn about_organization(error: Error) -> ErrorResponse {
    let (kind, message, value) = match &error {
        Error::OrganizationRequired => ("missing", "organization_id is required.", Value::Null),
        Error::UnknownOrganization(id) => {
            ("value_error", "Organization not found.", Value::from(id.to_string()))
        }
        Error::OrganizationNotAccepted(id) => (
            "organization_token",
            "An organization token acts in its own organization: leave organization_id out.",
            Value::from(id.to_string()),
        ),
        _ => return error.into(),
    };
    ErrorResponse::Rules(vec![Violation::rule(kind, &["query", "organization_id"], message, value)])
}

fn started(import: &CustomerImport) -> Result<tenantry_store::StoredResponse, Error> {
    let (failed, page) = (Paged { items: Vec::new(), total: 0 }, Page { offset: 0, limit: 1 });
    to_stored(StatusCode::ACCEPTED, &ImportView::new(import, &failed, page))
}

fn refusal(message: &str) -> ErrorResponse {
    let message = format!("Value error, {message}");
    ErrorResponse::Malformed(vec![Violation::rule("value_error", &["body"], message, Value::Null)])
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("id");
    let page = page::read(&mut input);
    let (id, page) = input.finish(id.zip(page))?;
    let (import, failed) = call.app.customer_import(&call.requester(), ImportId::new(id.0), page).await?;
    Ok(response::json(StatusCode::OK, &ImportView::new(&import, &failed, page)))
}

pub(super) async fn stop(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = Input::new(&call);
    let id = input.path::<AnyUuid>("id");
    let id = ImportId::new(input.finish(id)?.0);
    call.write(ImportStop { by: call.requester(), id }).await?;
    Ok(response::empty(StatusCode::NO_CONTENT))
}
