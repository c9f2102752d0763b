//! The command line of what moves and checks data.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file; - for standard output
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The file
    pub(crate) file: PathBuf,
    /// Send the webhooks and mails that waited when the backup was made; only for a move, when nothing was sent since
    #[arg(long, env = "TENANTRY_KEEP_PENDING")]
    pub(crate) keep_pending: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Copy {
    /// The database with the data
    #[arg(long, env = "TENANTRY_FROM", hide_env_values = true)]
    pub(crate) from: String,
    /// The database to be filled
    #[arg(long, env = "TENANTRY_TO", hide_env_values = true)]
    pub(crate) to: String,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print a JSON object a finding
    #[arg(long, env = "TENANTRY_JSON")]
    pub(crate) json: bool,
}
