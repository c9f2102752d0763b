//! Access tokens: what acts for an organization or a person without a password.
//!
//! Invariants: the secret is shown once and kept as a keyed hash; a token grants what its scopes say and
//! nothing else; it is dead once it is revoked, has expired, or its organization is gone.

mod decide;
mod grants;
mod key;
mod scope;
mod secret;

pub use decide::{CreateFacts, NewAccessToken, TokenChange, TokenError, create, last_use_is_stale, update};
pub use grants::ScopeGrants;
pub use key::{ApiKeyChange, ApiKeyFacts, update_api_key};
pub use scope::{RequiredScope, Scope, Scopes};
pub use secret::{Secret, SecretKind, TokenHash, public_key};

use serde::Serialize;

use crate::Timestamp;
use crate::ids::{OrganizationId, TokenId, UserId, UserTokenId};
use crate::values::IpAllowList;

/// A token of an organization. AhaSend calls it an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessToken {
    /// Id.
    pub id: TokenId,
    /// The tenant.
    pub organization: OrganizationId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub modified_at: Option<Timestamp>,
    /// What it is for, in its maker's words.
    pub label: String,
    /// What it may do, and since when.
    #[serde(rename = "scopes")]
    pub grants: ScopeGrants,
    /// From where it may be used.
    pub ip_allow_list: IpAllowList,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within [`LAST_USE_RESOLUTION_S`]. No part of the audit log: it tells what changed.
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
    /// The person who made it, where one did.
    pub created_by: Option<UserId>,
}

impl AccessToken {
    /// What it may do.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        self.grants.scopes()
    }
}

/// Seconds for which the noted last use of a token counts as fresh.
pub const LAST_USE_RESOLUTION_S: i64 = 5 * 60;

/// A token of a person: acts in every organization they help to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserToken {
    /// Id.
    pub id: UserTokenId,
    /// The person.
    pub user: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// What it may do.
    pub scopes: Scopes,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}
