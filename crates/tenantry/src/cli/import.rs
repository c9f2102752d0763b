//! The command line of the commands that import rows.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use tenantry_core::customer::{ImportFormat, OnMatch};
use uuid::Uuid;

use super::DatabaseOptions;
use super::values::{import_id, switch};

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Import customers and their members; exit status 3 with rows that failed
    Customers(Box<ImportCustomers>),
}

#[derive(Debug, Args)]
pub(crate) struct ImportCustomers {
    /// The file, CSV or JSON Lines; - is standard input
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    pub(crate) file: Option<PathBuf>,
    /// The organization, by slug or id
    #[arg(long, env = "TENANTRY_ORGANIZATION")]
    pub(crate) organization: String,
    /// The form of the file [default: by its name, jsonl for .jsonl and .ndjson, else csv]
    #[arg(long, env = "TENANTRY_FORMAT", ignore_case = true)]
    pub(crate) format: Option<FormatName>,
    /// The treatment of a row whose external id or address a customer has
    #[arg(long, env = "TENANTRY_ON_MATCH", ignore_case = true, default_value = "fail")]
    pub(crate) on_match: OnMatchName,
    /// Check the rows and change nothing
    #[arg(long, env = "TENANTRY_DRY_RUN", value_parser = switch)]
    pub(crate) dry_run: bool,
    /// Go on with an import that was interrupted
    #[arg(long, env = "TENANTRY_RESUME", value_name = "ID", value_parser = import_id)]
    pub(crate) resume: Option<Uuid>,
    /// Print JSON
    #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) database: DatabaseOptions,
}

/// The name of a form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    Csv,
    Jsonl,
}

impl From<FormatName> for ImportFormat {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::Csv => Self::Csv,
            FormatName::Jsonl => Self::JsonLines,
        }
    }
}

/// The name of the treatment of a row that matches a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnMatchName {
    Skip,
    Update,
    Fail,
}

impl From<OnMatchName> for OnMatch {
    fn from(name: OnMatchName) -> Self {
        match name {
            OnMatchName::Skip => Self::Skip,
            OnMatchName::Update => Self::Update,
            OnMatchName::Fail => Self::Fail,
        }
    }
}
