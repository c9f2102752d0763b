//! The command line. Every option can stand in the environment as well, as `TENANTRY_` and its name; those
//! of the installation also in a file ([`crate::config`]).

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::data_cli::{Backup, Copy, Doctor, Restore};

/// The tenant layer of a SaaS business in one binary.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, about)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command needs.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The database: sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/NAME [default: sqlite:tenantry.db]
    #[arg(long, global = true, env = "TENANTRY_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The file with the options that neither a flag nor the environment sets [default: tenantry.toml, if there is one]
    #[arg(long, global = true, env = "TENANTRY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The file with the key that secrets are hashed with [default: the database's name with .key; needed with postgres]
    #[arg(long, global = true, env = "TENANTRY_SECRET_KEY_FILE")]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// How the log is written [default: text]
    #[arg(long, global = true, env = "TENANTRY_LOG_FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug, trace, or a filter by module [default: info]
    #[arg(long, global = true, env = "TENANTRY_LOG_LEVEL")]
    pub(crate) log_level: Option<String>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Whether callers are limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RateLimit {
    /// Every caller is.
    On,
    /// Nobody is.
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Answer requests
    Serve(Serve),
    /// Organizations
    #[command(subcommand)]
    Organization(Organization),
    /// Tokens of organizations
    #[command(subcommand)]
    Token(Token),
    /// Tokens of people
    #[command(subcommand)]
    UserToken(UserToken),
    /// Print the OpenAPI document of a dialect
    Openapi {
        /// Which
        dialect: Dialect,
    },
    /// Bring the database's schema up to date
    Migrate {
        /// Shards the tenants over the shards of a PostgreSQL with Citus as well
        #[arg(long)]
        distribute: bool,
    },
    /// Write all data to a file, while servers run
    Backup(Backup),
    /// Fill an empty database with a backup
    Restore(Restore),
    /// Copy a database into an empty one; no server may run on either
    Copy(Copy),
    /// Look for data that break a rule; exit status 3 when there are any, 1 when it cannot look
    Doctor(Doctor),
    /// The key that secrets are hashed with
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Key {
    /// Make a new key, in a file that only its owner can read
    Generate {
        /// The file, which must not be there yet
        path: PathBuf,
    },
}

/// Whether the server brings the schema up to date when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MigrateAtStart {
    /// It does.
    On,
    /// It refuses to start on a schema that is not up to date.
    Off,
}

/// A dialect by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Dialect {
    Polar,
    Ahasend,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, env = "TENANTRY_LISTEN")]
    pub(crate) listen: Option<String>,
    /// Whether an empty database gets a first organization [default: true]
    #[arg(long, env = "TENANTRY_BOOTSTRAP", action = clap::ArgAction::Set)]
    pub(crate) bootstrap: Option<bool>,
    /// Whether the schema of a postgres database is brought up to date first [default: on]
    #[arg(long, env = "TENANTRY_MIGRATE")]
    pub(crate) migrate: Option<MigrateAtStart>,
    /// Whether callers are limited [default: on]
    #[arg(long, env = "TENANTRY_RATE_LIMIT")]
    pub(crate) rate_limit: Option<RateLimit>,
    /// Requests a second for each organization [default: 100]
    #[arg(long, env = "TENANTRY_RATE_PER_SECOND")]
    pub(crate) rate_per_second: Option<NonZeroU32>,
    /// Requests at once for each organization [default: 200]
    #[arg(long, env = "TENANTRY_RATE_BURST")]
    pub(crate) rate_burst: Option<NonZeroU32>,
    /// Requests a second for each address without a token that is alive [default: 5]
    #[arg(long, env = "TENANTRY_UNKNOWN_RATE_PER_SECOND")]
    pub(crate) unknown_rate_per_second: Option<NonZeroU32>,
    /// Requests at once for each address without a token that is alive [default: 60]
    #[arg(long, env = "TENANTRY_UNKNOWN_RATE_BURST")]
    pub(crate) unknown_rate_burst: Option<NonZeroU32>,
    /// A proxy, by address or network, that is believed when it says for whom it asks; can be repeated
    #[arg(long = "trusted-proxy", env = "TENANTRY_TRUSTED_PROXIES", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<String>,
    /// An origin of browser applications that may send credentials; can be repeated
    #[arg(long = "trusted-origin", env = "TENANTRY_TRUSTED_ORIGINS", value_delimiter = ',')]
    pub(crate) trusted_origins: Vec<String>,
    /// A host, with its port where it is not 80, that webhooks may reach by plain HTTP; can be repeated
    #[arg(long = "webhook-http-host", env = "TENANTRY_WEBHOOK_HTTP_HOSTS", value_delimiter = ',')]
    pub(crate) webhook_http_hosts: Vec<String>,
    /// Where the customer portal's pages are: what the links to them begin with [default: the server's own URL]
    #[arg(long, env = "TENANTRY_PORTAL_URL")]
    pub(crate) portal_url: Option<String>,
    /// Where mail goes: log, dir:PATH, smtp://NAME:PASSWORD@HOST:PORT?tls=required, smtps://... [default: log]
    #[arg(long, env = "TENANTRY_MAIL", hide_env_values = true)]
    pub(crate) mail: Option<String>,
    /// Whom mail is from, with a name or without; needed with smtp (default: tenantry@localhost)
    #[arg(long, env = "TENANTRY_MAIL_FROM")]
    pub(crate) mail_from: Option<String>,
    /// Bytes of a request's body at the most [default: 1048576]
    #[arg(long, env = "TENANTRY_MAX_BODY_BYTES")]
    pub(crate) max_body_bytes: Option<usize>,
    /// Seconds that a client may take to send its headers [default: 10]
    #[arg(long, env = "TENANTRY_HEAD_TIMEOUT_S")]
    pub(crate) head_timeout_s: Option<u64>,
    /// Seconds that a request may take [default: 30]
    #[arg(long, env = "TENANTRY_REQUEST_TIMEOUT_S")]
    pub(crate) request_timeout_s: Option<u64>,
    /// Requests that are worked on at once [default: 1024]
    #[arg(long, env = "TENANTRY_MAX_IN_FLIGHT")]
    pub(crate) max_in_flight: Option<usize>,
    /// Connections that are open at once [default: 8192]
    #[arg(long, env = "TENANTRY_MAX_CONNECTIONS")]
    pub(crate) max_connections: Option<usize>,
    /// Seconds for which the server goes on, saying that it is not ready, once it is told to stop [default: 0]
    #[arg(long, env = "TENANTRY_DRAIN_DELAY_S")]
    pub(crate) drain_delay_s: Option<u64>,
    /// Seconds that running requests may take to end when the server stops [default: 30]
    #[arg(long, env = "TENANTRY_DRAIN_TIMEOUT_S")]
    pub(crate) drain_timeout_s: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Organization {
    /// Create an organization
    Create {
        /// Display name
        #[arg(long, env = "TENANTRY_NAME")]
        name: String,
        /// Name in URLs
        #[arg(long, env = "TENANTRY_SLUG")]
        slug: String,
        /// The owner's address (default: owner, at SLUG.invalid)
        #[arg(long, env = "TENANTRY_OWNER_EMAIL")]
        owner_email: Option<String>,
        /// A feature to switch on, such as member_model_enabled; can be repeated
        #[arg(long = "feature", env = "TENANTRY_FEATURES", value_delimiter = ',')]
        features: Vec<String>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
    /// Suspend an organization and with it its sub-accounts, which its tokens still administer
    Suspend {
        /// The organization, by slug or id
        organization: String,
        /// Why, for the record
        #[arg(long, env = "TENANTRY_REASON")]
        reason: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
    /// End the suspension of an organization
    Unsuspend {
        /// The organization, by slug or id
        organization: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
    /// List the organizations
    List {
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a token of an organization; it is shown once
    Create {
        /// The organization, by slug or id
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: String,
        /// What it is for
        #[arg(long, env = "TENANTRY_LABEL", default_value = "")]
        label: String,
        /// Something it may do; can be repeated
        #[arg(
            long = "scope",
            env = "TENANTRY_SCOPES",
            value_delimiter = ',',
            required_unless_present = "all_scopes"
        )]
        scopes: Vec<String>,
        /// It may do everything
        #[arg(long, env = "TENANTRY_ALL_SCOPES", conflicts_with = "scopes")]
        all_scopes: bool,
        /// When it stops working: 90s, 15m, 12h, 30d [default: never]
        #[arg(long, env = "TENANTRY_EXPIRES_IN")]
        expires_in: Option<String>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
    /// Revoke a token of an organization or a person
    Revoke {
        /// Its id
        id: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserToken {
    /// Make a token of a person; it is shown once
    Create {
        /// The person's address
        #[arg(long, env = "TENANTRY_EMAIL")]
        email: String,
        /// When it stops working: 90s, 15m, 12h, 30d [default: never]
        #[arg(long, env = "TENANTRY_EXPIRES_IN")]
        expires_in: Option<String>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON")]
        json: bool,
    },
}
