//! Access tokens: credentials of organizations and users.
//!
//! Invariants:
//! - A secret is shown once, when it is made. Only its keyed hash is stored.
//! - A token has one secret, and after a rotation the one before it until its overlap ends.
//! - A token authorizes exactly the operations of its scopes.
//! - A token is refused once it is revoked or expired, or its organization is deleted or suspended.
//! - A caller cannot give a token a scope that the caller does not hold.
//! - A token that another token creates lasts no longer than that one.

mod decide;
mod grants;
mod key;
mod rotate;
mod scope;
mod secret;

pub use decide::{
    CreateFacts, Grantor, NewAccessToken, TokenChange, TokenError, check_target, create, last_use_is_stale,
    update,
};
pub use grants::ScopeGrants;
pub use key::{ApiKeyChange, ApiKeyFacts, update_api_key};
pub use rotate::{Overlap, PreviousSecret, RotateFacts, rotate, rotate_user_token};
pub use scope::{RequiredScope, Scope, Scopes};
pub use secret::{Secret, SecretKind, TokenHash, public_key};

use serde::Serialize;

use crate::Timestamp;
use crate::ids::{OrganizationId, TokenId, UserId, UserTokenId};
use crate::values::IpAllowList;

/// An access token of an organization (table `access_tokens`). AhaSend calls it an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessToken {
    /// Id.
    pub id: TokenId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Time of the last change; none when it never changed.
    pub modified_at: Option<Timestamp>,
    /// Free text that describes the purpose of the token.
    pub label: String,
    /// Its scopes, each with the time since which the token has it.
    #[serde(rename = "scopes")]
    pub grants: ScopeGrants,
    /// The networks from which the token may be used.
    pub ip_allow_list: IpAllowList,
    /// Time of expiry; none means never.
    pub expires_at: Option<Timestamp>,
    /// Time of the last use, accurate to [`LAST_USE_RESOLUTION_S`]. Not serialized, because a use is no change and
    /// does not belong in the audit log.
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
    /// The secret before the last rotation. It may have ended.
    pub previous_secret: Option<PreviousSecret>,
    /// The user who created or rotated it; none when a token of the organization or the operator did.
    pub created_by: Option<UserId>,
}

impl AccessToken {
    /// The scopes of the token.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        self.grants.scopes()
    }
}

/// A use within this many seconds of the recorded last use is not recorded, to save writes.
pub const LAST_USE_RESOLUTION_S: i64 = 5 * 60;

/// A personal access token of a user (table `user_tokens`). It acts in every organization whose team the user is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserToken {
    /// Id.
    pub id: UserTokenId,
    /// The user.
    pub user: UserId,
    /// Time of creation.
    pub created_at: Timestamp,
    /// Its scopes.
    pub scopes: Scopes,
    /// Time of expiry; none means never.
    pub expires_at: Option<Timestamp>,
    /// Time of the last use, accurate to [`LAST_USE_RESOLUTION_S`]. Not serialized, because a use is no change.
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
    /// The secret before the last rotation. It may have ended.
    pub previous_secret: Option<PreviousSecret>,
}
