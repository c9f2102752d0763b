//! Runs the command of the command line. Commands other than `restore` and `copy` may run beside servers on the
//! same database.

mod import;
mod invitation;
mod mail;
mod organization;
mod support;
mod token;
mod user;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tenantry_app::App;
use tenantry_app::limits::CREDENTIAL_CACHE_TTL_MS;
use tenantry_core::values::InvalidValue;
use tenantry_http::openapi_document;
use tenantry_store::postgres::Migrate;

use crate::cli::{Command, DatabaseOptions, Dialect, Key, Serve};
use crate::config::{self, ServerSettings};
use crate::error::CommandError;
use crate::installation::Missing;
use crate::lookup::{find, find_in_any_state, missing_in_any_state};
use crate::output::{print, with_fields};
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
            Command::Support(command) => support::run(&command).await,
            Command::Serve(options) => run_server(&options).await,
            Command::Import(command) => import::run(command).await,
            Command::Organization(command) => organization::run(command).await,
            Command::Token(command) => token::run(command).await,
            Command::UserToken(command) => token::run_user(command).await,
            Command::User(command) => user::run(command).await,
            Command::Invitation(command) => invitation::run(command).await,
            Command::Mail(command) => mail::run(command).await,
        }
    })
}

async fn run_server(options: &Serve) -> Result<(), CommandError> {
    let roots = installation::roots(options.database.ca_file.as_deref())?;
    let settings = ServerSettings::new(options, &roots)?;
    tenantry_store::log_slow_sql(settings.http.slow_request);
    let database = installation::Database::from_options(&options.database)?;
    let files = first_start::Files {
        database: first_start::place(&database),
        key: installation::key_path(&options.database, &database)?,
        options: first_start::database_options(&options.database, &database)?,
    };
    let app = installation::open(&options.database, config::migrate(options), Missing::Create).await?;
    serve::serve(app, settings, &roots, &files, Arc::new(database)).await
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
