//! The commands that manage organizations.

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};
use tenantry_app::archive::{ExportOptions, OrganizationImportOptions};
use tenantry_app::console::PasskeyRuleSet;
use tenantry_app::organization_deletion::{OrganizationDelete, OrganizationUndelete};
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_app::{Error, HashKey, Requester};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug, SuspensionReason};

use super::{
    every_node_knows, find, find_in_any_state, missing_in_any_state, print, valid, with_app, with_opened,
};
use crate::cli::{DatabaseOptions, List, Organization};
use crate::error::CommandError;
use crate::installation::Missing;
use crate::listing::{self, ListedOrganization};
use crate::{key, moving};

/// Runs a command to its end.
pub(super) async fn run(command: Organization) -> Result<(), CommandError> {
    match command {
        Organization::Create { name, slug, owner_email, features, json, database } => {
            create(&name, &slug, owner_email, &List::joined(&features), json, &database).await
        }
        Organization::Transfer { organization, to, json, database } => {
            transfer(&organization, &to, json, &database).await
        }
        Organization::Suspend { organization, reason, json, database } => {
            let given = valid("--reason", SuspensionReason::parse(&reason))?;
            let reason = given.clone();
            let suspended = with_app(&database, async |app| {
                let id = find(app, &organization).await?;
                let suspended = app.write(OrganizationSuspend { id, reason }).await?;
                every_node_knows().await;
                Ok(suspended)
            })
            .await?;
            print_suspension(json, &suspended, &suspension_outcome(&suspended, &given))
        }
        Organization::Unsuspend { organization, json, database } => {
            unsuspend(&organization, json, &database).await
        }
        Organization::Export { organization, file, sub_accounts, suspend, transfer_key_file, database } => {
            let transfer_key = transfer_key(transfer_key_file.as_deref())?;
            let options = ExportOptions { sub_accounts, transfer_key };
            moving::export(&database, &organization, &file, suspend, options).await
        }
        Organization::Import { file, transfer_key_file, new_webhook_secrets, json, database } => {
            let transfer_key = transfer_key(transfer_key_file.as_deref())?;
            moving::import(
                &database,
                &file,
                OrganizationImportOptions { transfer_key, new_webhook_secrets },
                json,
            )
            .await
        }
        Organization::Delete { organization, with_sub_accounts, json, database } => {
            let deleted = with_app(&database, async |app| {
                let (by, id) = (Requester::operator(), find(app, &organization).await?);
                let deleted = app.write(OrganizationDelete { by, id, with_sub_accounts }).await?;
                every_node_knows().await;
                Ok(deleted)
            })
            .await?;
            print_state(json, &deleted, "is deleted, and `tenantry organization undelete` brings it back")
        }
        Organization::Undelete { organization, json, database } => {
            let back = with_app(&database, async |app| {
                let (by, id) = (Requester::operator(), find_in_any_state(app, &organization).await?);
                app.write(OrganizationUndelete { by, id }).await.map_err(|error| match error {
                    Error::OrganizationNotFound => missing_in_any_state(&organization),
                    other => other.into(),
                })
            })
            .await?;
            print_state(json, &back, "is back")
        }
        Organization::RequirePasskey { organization, required, json, database } => {
            require_passkey(&organization, required, json, &database).await
        }
        Organization::List { deleted: false, json, database } => list(json, &database).await,
        Organization::List { deleted: true, json, database } => list_deleted(json, &database).await,
    }
}

async fn unsuspend(organization: &str, json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let unsuspended = with_app(database, async |app| {
        let id = find(app, organization).await?;
        Ok(app.write(OrganizationUnsuspend { id }).await?)
    })
    .await?;
    print_suspension(json, &unsuspended, "is active")
}

async fn transfer(
    organization: &str,
    to: &str,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let to = OwnerRef::Email(valid("--to", EmailAddress::parse(to))?);
    let owner = with_app(database, async |app| {
        let organization = find(app, organization).await?;
        let owner = app.write(OrganizationTransfer { organization, to }).await?;
        every_node_knows().await;
        Ok(owner)
    })
    .await?;
    let object = json!({"id": owner.organization, "owner_id": owner.user, "owner_email": owner.email});
    print(json, &object, &[format!("{} owns organization {organization}", owner.email)])
}

async fn require_passkey(
    organization: &str,
    is_required: bool,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let id = with_app(database, async |app| {
        let (by, organization) = (Requester::operator(), find(app, organization).await?);
        app.write(PasskeyRuleSet { by, organization, is_required }).await?;
        every_node_knows().await;
        Ok(organization)
    })
    .await?;
    let state = if is_required { "requires a passkey" } else { "does not require a passkey" };
    let object = json!({"id": id, "passkey_required": is_required});
    print(json, &object, &[format!("organization {organization} ({id}) {state}")])
}

/// The key of `--transfer-key-file`.
fn transfer_key(path: Option<&Path>) -> Result<Option<HashKey>, CommandError> {
    let key = path.map(|path| key::read(path).map_err(|error| CommandError::file(path, &error)));
    key.transpose()
}

async fn create(
    name: &str,
    slug: &str,
    owner_email: Option<String>,
    features: &[String],
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let slug = valid("--slug", Slug::parse(slug.trim()))?;
    if name.trim().is_empty() {
        let why = "a name needs at least one visible character".to_owned();
        return Err(CommandError::Argument("--name", why));
    }
    let has_owner = owner_email.is_some();
    let owner_email = owner_email.unwrap_or_else(|| format!("owner@{slug}.invalid"));
    let create = OrganizationCreate {
        by: Requester::operator(),
        owner: OwnerRef::Email(valid("--owner-email", EmailAddress::parse(&owner_email))?),
        new: NewOrganization {
            name: valid("--name", OrganizationName::parse(name))?,
            slug,
            change: OrganizationChange::default(),
        },
        initial: InitialState::for_operator(enabled(features)?),
    };
    let made = with_opened(database, Missing::Create, async |app| Ok(app.write(create).await?)).await?;
    let object = json!({"id": made.id, "name": made.name, "slug": made.slug, "owner_id": made.owner});
    print(
        json,
        &object,
        &[format!("created organization {} ({}), owner {owner_email}", made.slug, made.id)],
    )?;
    if !has_owner {
        warn_of_unread_notices(&made.slug)?;
    }
    Ok(())
}

async fn list_deleted(json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let found = listing::deleted_organizations(database).await?;
    let items: Vec<Value> = found
        .iter()
        .map(|one| {
            let of = &one.organization;
            json!({"id": of.id, "slug": of.slug, "name": of.name, "parent_id": of.parent, "owner_id": of.owner,
                "deleted_at": one.deleted_at, "in_purge": one.is_in_purge})
        })
        .collect();
    let lines: Vec<String> = found
        .iter()
        .map(|one| {
            let (of, at) = (&one.organization, one.deleted_at.map(|at| at.to_string()).unwrap_or_default());
            let state = if one.is_in_purge { "  in purge" } else { "" };
            format!("{}  {}  {}  deleted {at}{state}", of.id, of.slug, of.name)
        })
        .collect();
    print(json, &json!({"items": items}), &lines)
}

async fn list(json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let found = listing::organizations(database).await?;
    let items: Vec<Value> = found.iter().map(ListedOrganization::object).collect();
    let lines: Vec<String> = found.iter().map(ListedOrganization::line).collect();
    print(json, &json!({"items": items}), &lines)
}

/// Warns on standard error, so that standard output stays JSON where that is asked for.
fn warn_of_unread_notices(slug: &Slug) -> Result<(), CommandError> {
    let text = format!(
        "the organization has no owner's address: mails to its owner reach nobody. Name one with \
         `tenantry organization transfer {slug} --to EMAIL`"
    );
    writeln!(io::stderr().lock(), "tenantry: warning: {text}")?;
    Ok(())
}

/// The state after a suspension for this reason, which does not replace an earlier one.
fn suspension_outcome(after: &tenantry_core::organization::Organization, given: &SuspensionReason) -> String {
    match after.suspended.as_ref().filter(|kept| kept.reason != *given) {
        None => "is suspended".to_owned(),
        Some(kept) => format!(
            "was suspended already, and keeps its reason: {}; to give another, end the suspension first",
            kept.reason.as_str()
        ),
    }
}

fn print_suspension(
    json: bool,
    organization: &tenantry_core::organization::Organization,
    state: &str,
) -> Result<(), CommandError> {
    let object = json!({
        "id": organization.id,
        "slug": organization.slug,
        "suspended_at": organization.suspended.as_ref().map(|suspension| suspension.at),
        "suspension_reason": organization.suspended.as_ref().map(|suspension| &suspension.reason),
    });
    print(json, &object, &[format!("organization {} ({}) {state}", organization.slug, organization.id)])
}

fn print_state(
    json: bool,
    organization: &tenantry_core::organization::Organization,
    state: &str,
) -> Result<(), CommandError> {
    let object = json!({"id": organization.id, "slug": organization.slug});
    print(json, &object, &[format!("organization {} ({}) {state}", organization.slug, organization.id)])
}

/// Feature settings with the named features enabled and all others disabled.
fn enabled(names: &[String]) -> Result<FeatureSettings, CommandError> {
    let wrong = |error: serde_json::Error| CommandError::Argument("--feature", error.to_string());
    let mut features = serde_json::to_value(FeatureSettings::default()).map_err(wrong)?;
    for name in names {
        if let Some(feature) = features.get_mut(name) {
            *feature = Value::Bool(true);
        }
    }
    serde_json::from_value(features).map_err(wrong)
}
