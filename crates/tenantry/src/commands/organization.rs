//! The commands that manage organizations.

use std::io::{self, Write};

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::values::{EmailAddress, OrganizationName, Slug, SuspensionReason};

use super::{every_node_knows, find, print, valid, with_app, with_opened};
use crate::cli::{DatabaseOptions, List, Organization};
use crate::error::CommandError;
use crate::installation::Missing;
use crate::listing::{self, ListedOrganization};

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
