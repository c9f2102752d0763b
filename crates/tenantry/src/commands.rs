//! The commands besides the server. They may run while it runs, on the same database.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tenantry_app::archive::ArchiveError;
use tenantry_app::limits::CREDENTIAL_CACHE_TTL_MS;
use tenantry_app::organizations::{OrganizationCreate, OwnerRef};
use tenantry_app::suspension::{OrganizationSuspend, OrganizationUnsuspend};
use tenantry_app::tokens::{IssuedToken, TokenCreate, TokenRevoke, UserTokenCreate};
use tenantry_app::{App, Error, Requester};
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, OrganizationChange};
use tenantry_core::token::{Scope, Scopes};
use tenantry_core::values::{
    EmailAddress, InvalidValue, OrganizationName, Slug, SuspensionReason, parse_uuid,
};
use tenantry_http::openapi_document;
use tenantry_outbound::webhook::SetupError;
use tenantry_store::postgres::Migrate;
use tenantry_store::{OrganizationFilter, Page, StoreError};
use tracing_subscriber::EnvFilter;

use crate::cli::{Arguments, Command, Dialect, Key, LogFormat, Organization, Token, UserToken};
use crate::config::Settings;
use crate::{data, installation, serve};

/// Why a command failed, in words for who typed it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("{0}")]
    Config(String),
    #[error("--{0}: {1}")]
    Argument(&'static str, String),
    #[error("{}", plainly(.0))]
    App(#[from] Error),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    Archive(#[from] ArchiveError),
    #[error("{0} findings")]
    Findings(u64),
    #[error("{0}")]
    Webhooks(#[from] SetupError),
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl CommandError {
    /// What the program ends with. What is wrong with the arguments alone is 2, by clap.
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Self::Findings(_) => ExitCode::from(3),
            _ => ExitCode::FAILURE,
        }
    }
}

/// The rules that were broken, by name.
fn plainly(error: &Error) -> String {
    match error {
        Error::OrganizationInvalid(violations) => {
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), CommandError> {
    let Arguments { common, command } = arguments;
    let settings = Settings::new(common)?;
    start_log(&settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Openapi { dialect } => openapi(dialect),
            Command::Migrate { distribute } => migrate(&settings, distribute).await,
            Command::Backup(command) => data::backup(&settings, command).await,
            Command::Restore(command) => data::restore(&settings, command).await,
            Command::Copy(command) => data::copy(command).await,
            Command::Doctor(command) => data::doctor(&settings, command).await,
            Command::Key(Key::Generate { path }) => installation::make_key(&path),
            Command::Serve(options) => {
                let serving = settings.serving(options)?;
                serve::serve(installation::open(&settings, serving.migrate).await?, serving).await
            }
            // Nodes of the program before this one may run: only who is asked to changes the schema under them.
            Command::Organization(command) => {
                let app = match command {
                    Organization::List { .. } => installation::open_to_read(&settings).await?,
                    _ => installation::open(&settings, Migrate::No).await?,
                };
                close_after(&app, organization(&app, command).await).await
            }
            Command::Token(command) => {
                let app = installation::open(&settings, Migrate::No).await?;
                close_after(&app, token(&app, command).await).await
            }
            Command::UserToken(command) => {
                let app = installation::open(&settings, Migrate::No).await?;
                close_after(&app, user_token(&app, command).await).await
            }
        }
    })
}

async fn close_after(app: &App, outcome: Result<(), CommandError>) -> Result<(), CommandError> {
    app.store().close().await;
    outcome
}

fn start_log(settings: &Settings) -> Result<(), CommandError> {
    let filter = EnvFilter::try_new(&settings.log_level)
        .map_err(|error| CommandError::Argument("log-level", error.to_string()))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Prints an object, or lines for people.
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

async fn migrate(settings: &Settings, distribute: bool) -> Result<(), CommandError> {
    let database = installation::Database::parse(&settings.database)?;
    let store = database.open(Migrate::Yes).await?;
    let spread = if distribute { store.distribute_tables().await } else { Ok(Vec::new()) };
    store.close().await;
    let mut lines = vec![format!("{database} is up to date")];
    lines.extend(spread?.into_iter().map(|table| format!("{table} is spread")));
    print(false, &Value::Null, &lines)
}

fn argument<T>(name: &'static str, parsed: Result<T, InvalidValue>) -> Result<T, CommandError> {
    parsed.map_err(|refusal| CommandError::Argument(name, refusal.to_string()))
}

async fn organization(app: &App, command: Organization) -> Result<(), CommandError> {
    match command {
        Organization::Create { name, slug, owner_email, features, json } => {
            let slug = argument("slug", Slug::parse(&slug))?;
            let owner_email = owner_email.unwrap_or_else(|| format!("owner@{slug}.invalid"));
            let create = OrganizationCreate {
                by: Requester::operator(),
                owner: OwnerRef::Email(argument("owner-email", EmailAddress::parse(&owner_email))?),
                new: NewOrganization {
                    name: argument("name", OrganizationName::parse(&name))?,
                    slug,
                    change: OrganizationChange::default(),
                },
                initial: InitialState::for_operator(switched_on(&features)?),
            };
            let made = app.write(create).await?;
            let object = json!({"id": made.id, "name": made.name, "slug": made.slug, "owner_id": made.owner});
            print(json, &object, &[format!("organization {} ({})", made.slug, made.id)])
        }
        Organization::Suspend { organization, reason, json } => {
            let reason = argument("reason", SuspensionReason::parse(&reason))?;
            let id = find(app, &organization).await?;
            let suspended = app.write(OrganizationSuspend { id, reason }).await?;
            // As with a revoked token: when this command ends, the tokens are dead everywhere.
            tokio::time::sleep(Duration::from_millis(CREDENTIAL_CACHE_TTL_MS)).await;
            shown(json, &suspended, "is suspended")
        }
        Organization::Unsuspend { organization, json } => {
            let id = find(app, &organization).await?;
            shown(json, &app.write(OrganizationUnsuspend { id }).await?, "is not suspended")
        }
        Organization::List { json } => {
            let page = Page { offset: 0, limit: u64::MAX };
            let found = app.organizations(&OrganizationFilter::default(), page).await?.items;
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

fn shown(
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

/// The features of these names, on; every other off.
fn switched_on(names: &[String]) -> Result<FeatureSettings, CommandError> {
    let wrong = |message: String| CommandError::Argument("feature", message);
    let mut features =
        serde_json::to_value(FeatureSettings::default()).map_err(|error| wrong(error.to_string()))?;
    for name in names {
        match features.get_mut(name) {
            Some(feature) if feature.is_boolean() => *feature = Value::Bool(true),
            _ => return Err(wrong(format!("there is no feature {name:?}"))),
        }
    }
    serde_json::from_value(features).map_err(|error| wrong(error.to_string()))
}

async fn token(app: &App, command: Token) -> Result<(), CommandError> {
    match command {
        Token::Create { organization, label, scopes, all_scopes, expires_in, json } => {
            let scopes = if all_scopes {
                Scopes::everything()
            } else {
                let scopes: Result<Vec<Scope>, InvalidValue> =
                    scopes.iter().map(|scope| scope.parse()).collect();
                Scopes::new(argument("scope", scopes)?)
            };
            let create = TokenCreate {
                by: Requester::operator(),
                organization: find(app, &organization).await?,
                label,
                scopes,
                expires_in_s: expires_in.as_deref().map(seconds).transpose()?,
                hash_key: app.hash_key().clone(),
            };
            let IssuedToken { token, secret } = app.write(create).await?;
            let object = json!({
                "id": token.id,
                "token": secret.expose(),
                "organization_id": token.organization,
                "scopes": token.scopes(),
                "expires_at": token.expires_at,
            });
            print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
        }
        Token::Revoke { id, json } => {
            let id = argument("id", parse_uuid(&id))?;
            app.write(TokenRevoke { by: Requester::operator(), id }).await?;
            // A running server may believe the token for as long: when this command ends, it is dead everywhere.
            tokio::time::sleep(Duration::from_millis(CREDENTIAL_CACHE_TTL_MS)).await;
            print(json, &json!({"id": id}), &[format!("token {id} is revoked")])
        }
    }
}

/// The organization of this slug or id.
async fn find(app: &App, name: &str) -> Result<OrganizationId, CommandError> {
    if let Ok(id) = parse_uuid(name) {
        return Ok(OrganizationId::new(id));
    }
    let found = app.store().reader()?.tx()?.organization_by_slug(name).await?;
    found.ok_or_else(|| CommandError::Argument("organization", format!("there is no organization {name:?}")))
}

/// The longest that a token can be made for: a hundred years.
const LONGEST_S: i64 = 100 * 366 * 24 * 60 * 60;

/// A time span such as `30d`, in seconds.
fn seconds(text: &str) -> Result<i64, CommandError> {
    let wrong = || {
        CommandError::Argument("expires-in", format!("{text:?} is no time span: use 90s, 15m, 12h or 30d"))
    };
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 60 * 60,
        Some('d') => 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let count: i64 = text.get(..text.len() - 1).and_then(|digits| digits.parse().ok()).ok_or_else(wrong)?;
    count.checked_mul(unit).filter(|seconds| (1..=LONGEST_S).contains(seconds)).ok_or_else(wrong)
}

async fn user_token(app: &App, command: UserToken) -> Result<(), CommandError> {
    let UserToken::Create { email, expires_in, json } = command;
    let create = UserTokenCreate {
        by: Requester::operator(),
        expires_in_s: expires_in.as_deref().map(seconds).transpose()?,
        email: argument("email", EmailAddress::parse(&email))?,
        scopes: Scopes::everything(),
        hash_key: app.hash_key().clone(),
    };
    let IssuedToken { token, secret } = app.write(create).await?;
    let object = json!({"id": token.id, "token": secret.expose(), "user_id": token.user});
    print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
}
