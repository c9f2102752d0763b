//! The command line. Each option can also be set by the environment variable `TENANTRY_` and its name. The
//! options of `serve` can also be set in a file ([`crate::config`]).

mod data;
mod import;
mod invitation;
mod mail;
mod organization;
mod serve;
mod support;
mod user;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use data::{Backup, Copy, Doctor, Restore};
pub(crate) use import::{Import, ImportCustomers};
pub(crate) use invitation::Invitation;
pub(crate) use mail::Mail;
pub(crate) use organization::{Organization, Token, UserToken};
pub(crate) use serve::Serve;
pub(crate) use support::Support;
pub(crate) use user::User;
pub(crate) use values::{List, LogFilter, nearest, reason, switch};

/// The tenant layer of a SaaS business in one binary.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, about)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The options of all commands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration file [default: tenantry.toml, if it exists]
    #[arg(long, global = true, env = "TENANTRY_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The format of the log on standard error
    #[arg(
        long,
        global = true,
        env = "TENANTRY_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        ignore_case = true
    )]
    pub(crate) log_format: LogFormat,
    /// The lowest level that is logged: error, warn, info, debug, trace or off; MODULE=LEVEL after a comma sets
    /// that of a module
    #[arg(long, global = true, env = "TENANTRY_LOG_LEVEL", value_name = "LEVEL", default_value = "info",
        value_parser = values::log_filter)]
    pub(crate) log_level: LogFilter,
}

/// The database of a command and the key of its secrets. Every command on one database takes all of these options,
/// whether it needs the key or not, so that a script can give the same ones to each.
#[derive(Debug, Args)]
#[command(next_help_heading = "Database options")]
pub(crate) struct DatabaseOptions {
    /// The database: sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME
    #[arg(
        long,
        env = "TENANTRY_DATABASE",
        hide_env_values = true,
        value_name = "URL",
        default_value = DEFAULT_DATABASE
    )]
    pub(crate) database: String,
    /// A PEM file with certificate authorities that are trusted besides the public ones, for PostgreSQL, the
    /// mail server and webhooks
    #[arg(long, env = "TENANTRY_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The file with the installation's key, which hashes and seals secrets [default: PATH.key for sqlite:PATH;
    /// required with postgres]
    #[arg(long, env = "TENANTRY_SECRET_KEY_FILE", value_name = "FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,
}

/// The database that is used without `--database`.
const DEFAULT_DATABASE: &str = "sqlite:tenantry.db";

impl DatabaseOptions {
    /// Whether no option names the database or its key.
    pub(crate) fn is_default(&self) -> bool {
        self.database == DEFAULT_DATABASE && self.secret_key_file.is_none()
    }
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each event.
    Text,
    /// A JSON object for each event.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(Box<Serve>),
    /// Manage organizations
    #[command(subcommand)]
    Organization(Organization),
    /// Manage tokens of organizations
    #[command(subcommand)]
    Token(Token),
    /// Manage tokens of users; `token rotate` and `token revoke` act on these too
    #[command(subcommand)]
    UserToken(UserToken),
    /// Manage users, the people who administer organizations
    #[command(subcommand)]
    User(User),
    /// Manage invitations to teams
    #[command(subcommand)]
    Invitation(Invitation),
    /// Look at the mails that the server sends
    #[command(subcommand)]
    Mail(Mail),
    /// Print the OpenAPI document of an API
    Openapi {
        /// The API
        #[arg(ignore_case = true)]
        dialect: Dialect,
    },
    /// Create the database or bring its schema up to date
    Migrate {
        /// Distribute the tables over the shards of PostgreSQL with Citus too
        #[arg(long)]
        distribute: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Import rows from a file; servers may run meanwhile
    #[command(subcommand)]
    Import(Import),
    /// Write all data to a file; servers may run meanwhile
    Backup(Backup),
    /// Fill an empty database from a backup
    Restore(Restore),
    /// Copy a database into an empty one; no server may run on either
    Copy(Copy),
    /// Check that the data satisfy all invariants; exit status 3 with findings, 1 if a check fails to run
    Doctor(Doctor),
    /// Print a report for those who help: versions, options, findings, last errors; no secrets and no addresses
    Support(Box<Support>),
    /// Manage the installation's key
    #[command(subcommand)]
    Key(Key),
}

impl Command {
    /// Whether the command does nothing but show text. Its reader may close the output before the end.
    pub(crate) const fn only_shows(&self) -> bool {
        matches!(
            self,
            Self::Openapi { .. }
                | Self::Support(_)
                | Self::Organization(Organization::List { .. })
                | Self::Token(Token::List { .. })
                | Self::UserToken(UserToken::List { .. })
                | Self::User(User::List { .. } | User::Show { .. })
                | Self::Invitation(Invitation::List { .. })
        )
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Write a new key to a file that only its owner can read
    Generate {
        /// The file, which must not exist
        path: PathBuf,
    },
}

/// The name of an API.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Dialect {
    Polar,
    Ahasend,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
