//! Runs the command of the command line. Commands other than `restore` and `copy` may run beside servers on the
//! same database.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_app::limits::CREDENTIAL_CACHE_TTL_MS;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_app::tokens::{IssuedToken, TokenCreate, TokenRevoke, UserTokenCreate};
use tenantry_app::{App, Requester};
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::token::Scopes;
use tenantry_core::values::{
    EmailAddress, InvalidValue, OrganizationName, Slug, SuspensionReason, parse_uuid,
};
use tenantry_http::openapi_document;
use tenantry_store::postgres::Migrate;
use tenantry_store::{OrganizationFilter, Page};

use crate::cli::{Command, DatabaseOptions, Dialect, Key, List, Organization, Serve, Token, UserToken};
use crate::config::{self, ServerSettings};
use crate::error::CommandError;
use crate::{data, first_start, installation, key, serve};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<(), CommandError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Openapi { dialect } => openapi(dialect),
            Command::Migrate { database, distribute } => migrate(&database, distribute).await,
            Command::Backup(command) => data::backup(&command).await,
            Command::Restore(command) => data::restore(&command).await,
            Command::Copy(command) => data::copy(&command).await,
            Command::Doctor(command) => data::doctor(&command).await,
            Command::Key(Key::Generate { path }) => key_generate(&path),
            Command::Serve(options) => run_server(&options).await,
            Command::Organization(command) => organization(command).await,
            Command::Token(command) => token(command).await,
            Command::UserToken(command) => user_token(command).await,
        }
    })
}

async fn run_server(options: &Serve) -> Result<(), CommandError> {
    let roots = installation::roots(options.database.ca_file.as_deref())?;
    let settings = ServerSettings::new(options, &roots)?;
    let database = installation::Database::from_options(&options.database)?;
    let files = first_start::Files {
        database: database.to_string(),
        key: installation::key_path(&options.database, &database)?,
    };
    let app = installation::open(&options.database, config::migrate(options)).await?;
    serve::serve(app, settings, &roots, &files).await
}

/// Opens the installation without migrating a PostgreSQL schema, which nodes of the previous version may use,
/// runs `command` and closes it.
async fn with_app<T>(
    options: &DatabaseOptions,
    command: impl AsyncFnOnce(&App) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let app = installation::open(options, Migrate::No).await?;
    let outcome = command(&app).await;
    app.store().close().await;
    outcome
}

/// Prints a JSON object, or lines for people.
fn print(json: bool, object: &Value, lines: &[String]) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{object}")?;
    } else {
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn openapi(dialect: Dialect) -> Result<(), CommandError> {
    let document = match dialect {
        Dialect::Polar => openapi_document(tenantry_http::Dialect::Polar),
        Dialect::Ahasend => openapi_document(tenantry_http::Dialect::AhaSend),
    };
    writeln!(io::stdout().lock(), "{document:#}")?;
    Ok(())
}

fn key_generate(path: &std::path::Path) -> Result<(), CommandError> {
    key::generate(path)?;
    let lines = [
        format!("wrote a new key to {}", path.display()),
        "back it up apart from the database: without it no token works".to_owned(),
    ];
    print(false, &Value::Null, &lines)
}

async fn migrate(options: &DatabaseOptions, distribute: bool) -> Result<(), CommandError> {
    let database = installation::Database::from_options(options)?;
    let store = database.open(Migrate::Yes).await?;
    let distributed = if distribute { store.distribute_tables().await } else { Ok(Vec::new()) };
    store.close().await;
    let mut lines = vec![format!("the schema of {database} is up to date")];
    lines.extend(distributed?.into_iter().map(|table| format!("table {table} is distributed")));
    print(false, &Value::Null, &lines)
}

fn valid<T>(name: &'static str, parsed: Result<T, InvalidValue>) -> Result<T, CommandError> {
    parsed.map_err(|invalid| CommandError::invalid(name, &invalid))
}

async fn organization(command: Organization) -> Result<(), CommandError> {
    match command {
        Organization::Create { name, slug, owner_email, features, json, database } => {
            let slug = valid("--slug", Slug::parse(&slug))?;
            let owner_email = owner_email.unwrap_or_else(|| format!("owner@{slug}.invalid"));
            let create = OrganizationCreate {
                by: Requester::operator(),
                owner: OwnerRef::Email(valid("--owner-email", EmailAddress::parse(&owner_email))?),
                new: NewOrganization {
                    name: valid("--name", OrganizationName::parse(&name))?,
                    slug,
                    change: OrganizationChange::default(),
                },
                initial: InitialState::for_operator(enabled(&List::joined(&features))?),
            };
            let made = with_app(&database, async |app| Ok(app.write(create).await?)).await?;
            let object = json!({"id": made.id, "name": made.name, "slug": made.slug, "owner_id": made.owner});
            print(json, &object, &[format!("created organization {} ({})", made.slug, made.id)])
        }
        Organization::Suspend { organization, reason, json, database } => {
            let reason = valid("--reason", SuspensionReason::parse(&reason))?;
            let suspended = with_app(&database, async |app| {
                let id = find(app, &organization).await?;
                let suspended = app.write(OrganizationSuspend { id, reason }).await?;
                // Every node refuses the tokens when this command returns.
                tokio::time::sleep(Duration::from_millis(CREDENTIAL_CACHE_TTL_MS)).await;
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
        Organization::List { json, database } => {
            let app = installation::open_to_read(&database).await?;
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

async fn token(command: Token) -> Result<(), CommandError> {
    match command {
        Token::Create { organization, label, scopes, all_scopes, expires_in, json, database } => {
            let scopes = if all_scopes { Scopes::everything() } else { Scopes::new(List::joined(&scopes)) };
            let IssuedToken { token, secret } = with_app(&database, async |app| {
                let create = TokenCreate {
                    by: Requester::operator(),
                    organization: find(app, &organization).await?,
                    label,
                    scopes,
                    expires_in_s: expires_in,
                    hash_key: app.hash_key().clone(),
                };
                Ok(app.write(create).await?)
            })
            .await?;
            let object = json!({
                "id": token.id,
                "token": secret.expose(),
                "organization_id": token.organization,
                "scopes": token.scopes(),
                "expires_at": token.expires_at,
            });
            print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
        }
        Token::Revoke { id, json, database } => {
            let not_an_id = |_| {
                let why =
                    format!("{id:?} is not an id: use the UUID that `token create` printed, not the token");
                CommandError::Argument("ID", why)
            };
            let id = parse_uuid(&id).map_err(not_an_id)?;
            with_app(&database, async |app| {
                app.write(TokenRevoke { by: Requester::operator(), id }).await?;
                // Every node refuses the token when this command returns.
                tokio::time::sleep(Duration::from_millis(CREDENTIAL_CACHE_TTL_MS)).await;
                Ok(())
            })
            .await?;
            print(json, &json!({"id": id}), &[format!("token {id} is revoked")])
        }
    }
}

/// The organization with this slug or id.
async fn find(app: &App, name: &str) -> Result<OrganizationId, CommandError> {
    if let Ok(id) = parse_uuid(name) {
        return Ok(OrganizationId::new(id));
    }
    let found = app.store().reader()?.tx()?.organization_by_slug(name).await?;
    found.ok_or_else(|| {
        let why = format!("there is no organization {name:?}: `tenantry organization list` shows all");
        CommandError::Message(why)
    })
}

async fn user_token(command: UserToken) -> Result<(), CommandError> {
    let UserToken::Create { email, expires_in, json, database } = command;
    let email = valid("--email", EmailAddress::parse(&email))?;
    let IssuedToken { token, secret } = with_app(&database, async |app| {
        let create = UserTokenCreate {
            by: Requester::operator(),
            expires_in_s: expires_in,
            email,
            scopes: Scopes::everything(),
            hash_key: app.hash_key().clone(),
        };
        Ok(app.write(create).await?)
    })
    .await?;
    let object = json!({"id": token.id, "token": secret.expose(), "user_id": token.user});
    print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
}
