//! The command line of the commands that manage users.

use clap::Subcommand;

use super::DatabaseOptions;
use super::values::switch;

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
