//! Runs the command of the command line. Commands other than `restore` and `copy` may run beside servers on the
//! same database.

mod organization;
mod token;
mod user;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tenantry_app::App;
use tenantry_app::limits::CREDENTIAL_CACHE_TTL_MS;
use tenantry_core::ids::OrganizationId;
use tenantry_core::values::{InvalidValue, parse_uuid};
use tenantry_http::openapi_document;
use tenantry_store::postgres::Migrate;

use crate::cli::{Command, DatabaseOptions, Dialect, Key, Serve};
use crate::config::{self, ServerSettings};
use crate::error::CommandError;
use crate::installation::Missing;
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
            Command::Organization(command) => organization::run(command).await,
            Command::Token(command) => token::run(command).await,
            Command::UserToken(command) => token::run_user(command).await,
            Command::User(command) => user::run(command).await,
        }
    })
}

async fn run_server(options: &Serve) -> Result<(), CommandError> {
    let roots = installation::roots(options.database.ca_file.as_deref())?;
    let settings = ServerSettings::new(options, &roots)?;
    let database = installation::Database::from_options(&options.database)?;
    let files = first_start::Files {
        database: first_start::place(&database),
        key: installation::key_path(&options.database, &database)?,
        options: first_start::database_options(&options.database, &database)?,
    };
    let app = installation::open(&options.database, config::migrate(options), Missing::Create).await?;
    serve::serve(app, settings, &roots, &files).await
}

/// Opens an installation that exists, runs `command` and closes it.
async fn with_app<T>(
    options: &DatabaseOptions,
    command: impl AsyncFnOnce(&App) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    with_opened(options, Missing::Refuse, command).await
}

/// Opens the installation without migrating a PostgreSQL schema, which nodes of the previous version may use,
/// runs `command` and closes it.
async fn with_opened<T>(
    options: &DatabaseOptions,
    missing: Missing,
    command: impl AsyncFnOnce(&App) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let app = installation::open(options, Migrate::No, missing).await?;
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

/// A JSON object with the fields of another one too.
fn with_fields(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
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

/// Waits until no node uses a cached credential from before the command.
async fn every_node_knows() {
    tokio::time::sleep(Duration::from_millis(CREDENTIAL_CACHE_TTL_MS)).await;
}

/// The organization with this slug or id.
async fn find(app: &App, name: &str) -> Result<OrganizationId, CommandError> {
    let name = name.trim();
    if let Ok(id) = parse_uuid(name) {
        let id = OrganizationId::new(id);
        if app.store().reader()?.tx()?.organization(id).await?.is_some() {
            return Ok(id);
        }
    }
    let found = app.store().reader()?.tx()?.organization_by_slug(name).await?;
    found.ok_or_else(|| {
        let why = format!("there is no organization {name:?}: `tenantry organization list` shows all");
        CommandError::Message(why)
    })
}
