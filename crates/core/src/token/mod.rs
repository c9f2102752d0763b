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

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::ids::{OrganizationId, TokenId, UserId, UserTokenId};
use crate::values::IpAllowList;

/// An access token of an organization (table `access_tokens`). AhaSend calls it an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// Days before the expiry of a token on which people are told of it.
const NOTICE_DAYS: [i64; 3] = [14, 7, 1];
const HOUR_US: i64 = 60 * 60 * 1_000_000;
const DAY_US: i64 = 24 * HOUR_US;
/// The hour of the day, in UTC, at which they are told: the morning in Europe, and before work in America.
const NOTICE_HOUR: i64 = 7;

/// The next time after `now` at which people are told that a token expires: 07:00 of the UTC day that is 14, 7 or 1 days
/// before. So all tokens of a day are in one mail. `None` if there is no further one.
#[must_use]
pub fn next_expiry_notice(expires_at: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let expires_at = expires_at?.as_micros();
    let begins = |days: i64| {
        let at = expires_at.saturating_sub(days.saturating_mul(DAY_US));
        let day = at.saturating_sub(at.rem_euclid(DAY_US));
        Timestamp::from_micros(day.saturating_add(NOTICE_HOUR * HOUR_US))
    };
    NOTICE_DAYS.into_iter().map(begins).find(|begin| *begin > now)
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

#[cfg(test)]
mod tests {
    use super::*;

    const MORNING: i64 = NOTICE_HOUR * 60 * 60;

    fn at(day: i64, second: i64) -> Timestamp {
        Timestamp::from_micros(1_767_225_600_000_000 + day * DAY_US + second * 1_000_000)
    }

    #[test]
    fn notices_are_in_the_morning_of_the_day_14_7_and_1_days_before_the_expiry() {
        let mut now = at(0, 5);
        let mut notices = Vec::new();
        while let Some(next) = next_expiry_notice(Some(at(20, 3_600)), now) {
            notices.push(next);
            now = next;
        }
        assert_eq!(notices, [at(6, MORNING), at(13, MORNING), at(19, MORNING)]);
    }

    #[test]
    fn a_morning_that_is_over_has_no_notice_any_more() {
        assert_eq!(next_expiry_notice(Some(at(7, 60)), at(0, 0)), Some(at(0, MORNING)));
        assert_eq!(next_expiry_notice(Some(at(7, 60)), at(0, MORNING)), Some(at(6, MORNING)));
        assert_eq!(next_expiry_notice(Some(at(1, 60)), at(0, MORNING)), None);
        assert_eq!(next_expiry_notice(Some(at(0, 60)), at(5, 0)), None);
        assert_eq!(next_expiry_notice(None, at(0, 0)), None);
        assert_eq!(next_expiry_notice(Some(Timestamp::from_micros(5)), at(0, 0)), None);
    }
}
