//! The command line of the commands that manage organizations and tokens.

use std::path::PathBuf;

use clap::{ArgGroup, Subcommand};
use tenantry_core::token::{Overlap, Scope};
use tenantry_core::values::EmailAddress;

use super::DatabaseOptions;
use super::values::{List, feature_names, features, scope_names, scopes, switch};

#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
    /// Create an organization
    Create {
        /// The display name
        #[arg(long, env = "TENANTRY_NAME")]
        name: String,
        /// The name in URLs
        #[arg(long, env = "TENANTRY_SLUG")]
        slug: String,
        /// The e-mail address of the owner [default: owner@SLUG.invalid]
        #[arg(long, env = "TENANTRY_OWNER_EMAIL", value_name = "EMAIL")]
        owner_email: Option<String>,
        /// A feature to enable; can be repeated
        #[arg(long = "feature", env = "TENANTRY_FEATURES", value_name = "FEATURE", value_parser = features,
            long_help = format!("A feature to enable; can be repeated. The features: {}", feature_names()))]
        features: Vec<List<String>>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Make another person the owner of an organization; the former owner becomes an administrator
    Transfer {
        /// The organization, by slug or id
        organization: String,
        /// The e-mail address of the new owner, who joins the team if necessary
        #[arg(long, env = "TENANTRY_TO", value_name = "EMAIL")]
        to: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Suspend an organization and its sub-accounts; its tokens can still manage the sub-accounts
    Suspend {
        /// The organization, by slug or id
        organization: String,
        /// The reason, for the audit log
        #[arg(long, env = "TENANTRY_REASON")]
        reason: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// End the suspension of an organization
    Unsuspend {
        /// The organization, by slug or id
        organization: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Write an organization to a file, to take it to another installation; servers may run meanwhile
    Export {
        /// The organization, by slug or id
        organization: String,
        /// The file; - is standard output
        file: PathBuf,
        /// Export its sub-accounts too
        #[arg(long, env = "TENANTRY_SUB_ACCOUNTS", value_parser = switch)]
        sub_accounts: bool,
        /// Suspend the organization when most of it is written, and then write what has changed, so that nothing is
        /// lost; without it the file is a snapshot
        #[arg(long, env = "TENANTRY_SUSPEND", value_parser = switch)]
        suspend: bool,
        /// A key file (`tenantry key generate`) that seals the secrets of webhooks in the file, for an installation
        /// with another key
        #[arg(long, env = "TENANTRY_TRANSFER_KEY_FILE", value_name = "FILE")]
        transfer_key_file: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Bring in an organization from a file of `organization export`; servers may run meanwhile
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// The key file with which the file was exported
        #[arg(long, env = "TENANTRY_TRANSFER_KEY_FILE", value_name = "FILE")]
        transfer_key_file: Option<PathBuf>,
        /// Give webhook endpoints new secrets where those of the file cannot be read
        #[arg(long, env = "TENANTRY_NEW_WEBHOOK_SECRETS", value_parser = switch)]
        new_webhook_secrets: bool,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Delete an organization; its rows are kept for some days, in which it can be undeleted
    Delete {
        /// The organization, by slug or id
        organization: String,
        /// Delete its sub-accounts as well
        #[arg(long, env = "TENANTRY_WITH_SUB_ACCOUNTS", value_parser = switch)]
        with_sub_accounts: bool,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Bring a deleted organization back, with its tokens and everything else that it had
    Undelete {
        /// The organization, by slug or id
        organization: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Require a passkey of everybody in the team of an organization who uses the console, or no longer
    RequirePasskey {
        /// The organization, by slug or id
        organization: String,
        /// Whether a passkey is required
        #[arg(value_name = "ON|OFF", value_parser = switch, action = clap::ArgAction::Set)]
        required: bool,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List the organizations
    List {
        /// List the deleted organizations instead, the first deleted first
        #[arg(long, env = "TENANTRY_DELETED", value_parser = switch)]
        deleted: bool,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Create a token of an organization and print it, once
    #[command(group(ArgGroup::new("rights").required(true).args(["scopes", "all_scopes"])))]
    Create {
        /// The organization, by slug or id
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: String,
        /// The purpose of the token, for people
        #[arg(long, env = "TENANTRY_LABEL", default_value = "", hide_default_value = true)]
        label: String,
        /// A permission of the token, such as members:read; can be repeated (--help lists all)
        #[arg(long = "scope", env = "TENANTRY_SCOPES", value_name = "SCOPE", value_parser = scopes,
            long_help = format!("A permission of the token; can be repeated. The scopes: {}", scope_names()))]
        scopes: Vec<List<Scope>>,
        /// Grant all scopes
        #[arg(long, env = "TENANTRY_ALL_SCOPES", value_parser = switch)]
        all_scopes: bool,
        /// The lifetime: 90s, 15m, 12h or 30d [default: no expiry]
        #[arg(long, env = "TENANTRY_EXPIRES_IN", value_name = "TIME", value_parser = super::values::lifetime_s)]
        expires_in: Option<i64>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List the tokens of one organization or of all
    List {
        /// The organization, by slug or id [default: all]
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: Option<String>,
        /// Only tokens that expire within this time, expired ones included: 90s, 15m, 12h or 30d
        #[arg(long, env = "TENANTRY_EXPIRES_WITHIN", value_name = "TIME",
            value_parser = super::values::lifetime_s)]
        expires_within: Option<i64>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Give a token of an organization or a user a new secret and print it, once
    Rotate {
        /// The id of the token, as printed by `token create`
        id: String,
        /// The time for which the old secret works on: 0, 90s, 15m, 12h or 30d, at most 30d
        #[arg(long, env = "TENANTRY_OVERLAP", value_name = "TIME", default_value = "24h",
            value_parser = super::values::overlap)]
        overlap: Overlap,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Revoke a token of an organization or a user, by its id or by the secret itself
    Revoke {
        /// The id of the token, as printed by `token create`. Without it, the secret is read from standard input, so
        /// that it is in no list of processes
        id: Option<String>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserToken {
    /// Create a token of a user and print it, once
    Create {
        /// The e-mail address of the user
        #[arg(long, env = "TENANTRY_EMAIL", value_parser = super::values::email)]
        email: EmailAddress,
        /// Create the user if there is none with this address
        #[arg(long, env = "TENANTRY_CREATE_USER", value_parser = switch)]
        create_user: bool,
        /// The lifetime: 90s, 15m, 12h or 30d [default: no expiry]
        #[arg(long, env = "TENANTRY_EXPIRES_IN", value_name = "TIME", value_parser = super::values::lifetime_s)]
        expires_in: Option<i64>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List the tokens of one user or of all
    List {
        /// The e-mail address of the user [default: all]
        #[arg(long, env = "TENANTRY_EMAIL")]
        email: Option<String>,
        /// Only tokens that expire within this time, expired ones included: 90s, 15m, 12h or 30d
        #[arg(long, env = "TENANTRY_EXPIRES_WITHIN", value_name = "TIME",
            value_parser = super::values::lifetime_s)]
        expires_within: Option<i64>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}
