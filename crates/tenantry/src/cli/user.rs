//! The command line of the commands that manage users.

use clap::Subcommand;

use super::DatabaseOptions;
use super::values::{origin, switch};

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// List the users
    List {
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Show a user with the teams and tokens
    Show {
        /// The user, by e-mail address or id
        user: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Give a user another e-mail address, in the teams of all organizations too
    SetEmail {
        /// The user, by e-mail address or id
        user: String,
        /// The new e-mail address
        email: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Give a user the rights of the operator in the console, or take them
    Operator {
        /// The user, by e-mail address or id
        user: String,
        /// on or off
        #[arg(value_name = "ON|OFF", value_parser = switch, action = clap::ArgAction::Set)]
        is_operator: bool,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Print an address of the console that lets a user in without a mail, once, within 15 minutes
    Recover {
        /// The user, by e-mail address or id
        user: String,
        /// The URL at which people reach the server
        #[arg(long, env = "TENANTRY_PUBLIC_URL", value_name = "URL", default_value = "http://localhost:8080",
            value_parser = origin)]
        public_url: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Delete a user who owns no organization: ends memberships and tokens, and removes the name and address from the
    /// audit log
    Delete {
        /// The user, by e-mail address or id
        user: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}
