//! The command line of the commands that manage invitations to teams.

use clap::Subcommand;
use tenantry_core::team::TeamRole;
use tenantry_core::values::EmailAddress;

use super::DatabaseOptions;
use super::values::{self, origin, switch};

#[derive(Debug, Subcommand)]
pub(crate) enum Invitation {
    /// Invite a person to the team of an organization; a server on the database sends the mail
    Create {
        /// The organization, by slug or id
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: String,
        /// The e-mail address of the person
        #[arg(long, env = "TENANTRY_EMAIL", value_parser = values::email)]
        email: EmailAddress,
        /// The role: administrator, developer, analyst or billing_manager
        #[arg(long, env = "TENANTRY_ROLE", default_value = "developer", value_parser = values::invited_role)]
        role: TeamRole,
        /// The name of the person in the team
        #[arg(long, env = "TENANTRY_NAME")]
        name: Option<String>,
        /// The time for which the invitation can be accepted: 12h or 30d, at most 30d [default: 7d]
        #[arg(long, env = "TENANTRY_EXPIRES_IN", value_name = "TIME", value_parser = values::lifetime_s)]
        expires_in: Option<i64>,
        /// Print the link, once, and send no mail
        #[arg(long, env = "TENANTRY_LINK", value_parser = switch)]
        link: bool,
        /// The URL at which people reach the server, with which the link begins
        #[arg(long, env = "TENANTRY_PUBLIC_URL", value_name = "URL", default_value = "http://127.0.0.1:8080",
            value_parser = origin)]
        public_url: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// List the invitations to the team of an organization, the newest first
    List {
        /// The organization, by slug or id
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: String,
        /// Only invitations of this status: pending, accepted, declined, revoked or expired
        #[arg(long, env = "TENANTRY_STATUS", value_parser = values::invitation_status)]
        status: Option<tenantry_core::invitation::InvitationStatus>,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
    /// Revoke an invitation
    Revoke {
        /// The id of the invitation, as printed by `invitation create` and `invitation list`
        id: String,
        /// The organization, by slug or id
        #[arg(long, env = "TENANTRY_ORGANIZATION")]
        organization: String,
        /// Print JSON
        #[arg(long, env = "TENANTRY_JSON", value_parser = switch)]
        json: bool,
        #[command(flatten)]
        database: DatabaseOptions,
    },
}
