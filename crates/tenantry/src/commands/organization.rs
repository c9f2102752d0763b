//! The commands that manage organizations.

use std::io::{self, Write};

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug, SuspensionReason};
use tenantry_store::{OrganizationFilter, Page};

use super::{every_node_knows, find, print, valid, with_app};
use crate::cli::{DatabaseOptions, List, Organization};
use crate::error::CommandError;
use crate::installation;

/// Runs a command to its end.
pub(super) async fn run(command: Organization) -> Result<(), CommandError> {
    match command {
        Organization::Create { name, slug, owner_email, features, json, database } => {
            create(&name, &slug, owner_email, &List::joined(&features), json, &database).await
        }
        Organization::Transfer { organization, to, json, database } => {
            let to = OwnerRef::Email(valid("--to", EmailAddress::parse(&to))?);
            let owner = with_app(&database, async |app| {
                let by = Requester::operator();
                let organization = find(app, &organization).await?;
                let owner = app.write(OrganizationTransfer { by, organization, to }).await?;
                every_node_knows().await;
                Ok(owner)
            })
            .await?;
            let object =
                json!({"id": owner.organization, "owner_id": owner.user, "owner_email": owner.email});
            print(json, &object, &[format!("{} owns organization {organization}", owner.email)])
        }
        Organization::Suspend { organization, reason, json, database } => {
            let reason = valid("--reason", SuspensionReason::parse(&reason))?;
            let suspended = with_app(&database, async |app| {
                let id = find(app, &organization).await?;
                let suspended = app.write(OrganizationSuspend { id, reason }).await?;
                every_node_knows().await;
                Ok(suspended)
            })
            .await?;
            print_suspension(json, &suspended, "is suspended")
        }
        Organization::Unsuspend { organization, json, database } => {
            let unsuspended = with_app(&database, async |app| {
                let id = find(app, &organization).await?;
                Ok(app.write(OrganizationUnsuspend { id }).await?)
            })
            .await?;
            print_suspension(json, &unsuspended, "is active")
        }
        Organization::List { json, database } => list(json, &database).await,
    }
}

async fn create(
    name: &str,
    slug: &str,
    owner_email: Option<String>,
    features: &[String],
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let slug = valid("--slug", Slug::parse(slug))?;
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
    let made = with_app(database, async |app| Ok(app.write(create).await?)).await?;
    let object = json!({"id": made.id, "name": made.name, "slug": made.slug, "owner_id": made.owner});
    print(json, &object, &[format!("created organization {} ({})", made.slug, made.id)])?;
    if !has_owner {
        warn_of_unread_notices(&made.slug)?;
    }
    Ok(())
}

async fn list(json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let app = installation::open_to_read(database).await?;
    let page = Page { offset: 0, limit: u64::MAX };
    let found = app.organizations(&Requester::operator(), &OrganizationFilter::default(), page).await;
    app.store().close().await;
    let found = found?.items;
    let items: Vec<Value> = found
        .iter()
        .map(|one| json!({"id": one.id, "name": one.name, "slug": one.slug, "created_at": one.created_at}))
        .collect();
    let lines: Vec<String> =
        found.iter().map(|one| format!("{}  {}  {}", one.id, one.slug, one.name)).collect();
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
