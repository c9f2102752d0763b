//! The command line of the commands that move and check data.

use std::path::PathBuf;

use clap::Args;

use super::DatabaseOptions;
use super::values::switch;

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file; - is standard output
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file; - is standard input
    pub(crate) file: PathBuf,
    /// Send the webhooks and mails that were pending in the backup; only for a move in which the source did not
    /// run after the backup
    #[arg(long, env = "TENANTRY_KEEP_PENDING", value_parser = switch)]
    pub(crate) keep_pending: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The database to copy: sqlite:PATH or postgres://...
    #[arg(long, env = "TENANTRY_FROM", hide_env_values = true, value_name = "URL")]
    pub(crate) from: String,
    /// The empty database to fill: sqlite:PATH or postgres://...
    #[arg(long, env = "TENANTRY_TO", hide_env_values = true, value_name = "URL")]
    pub(crate) to: String,
    /// A PEM file with certificate authorities that are trusted besides the public ones, for PostgreSQL
    #[arg(long, env = "TENANTRY_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print a JSON object for each finding
    #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}
