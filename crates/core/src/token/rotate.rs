//! The rule for rotating a token: it gets a new secret, and the old one works on for an overlap, so that its users can
//! be changed over without a gap.
//!
//! A token has at most two secrets. Another rotation ends the older one at once.

use serde::{Deserialize, Serialize};

use super::decide::check_target;
use super::{AccessToken, Grantor, TokenError, UserToken};
use crate::Timestamp;
use crate::ids::UserId;
use crate::values::InvalidValue;

/// The time for which the old secret of a rotated token works on: none to thirty days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(i64);

impl Overlap {
    /// The longest overlap, in seconds.
    pub const MAX_S: i64 = 30 * 24 * 60 * 60;

    /// An overlap of `seconds`. With 0 the old secret ends at once.
    ///
    /// # Errors
    /// When `seconds` is negative or above [`Overlap::MAX_S`].
    pub fn from_seconds(seconds: i64) -> Result<Self, InvalidValue> {
        if seconds < 0 {
            let message = "Input should be greater than or equal to 0".to_owned();
            return Err(InvalidValue::with("greater_than_equal", message, "ge", "0".to_owned()));
        }
        if seconds > Self::MAX_S {
            let message = format!("Input should be less than or equal to {}", Self::MAX_S);
            return Err(InvalidValue::with("less_than_equal", message, "le", Self::MAX_S.to_string()));
        }
        Ok(Self(seconds))
    }

    /// The end of the overlap that begins now. None when there is no overlap.
    #[must_use]
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        (self.0 > 0).then(|| now.plus_seconds(self.0))
    }
}

impl Default for Overlap {
    /// One day.
    fn default() -> Self {
        Self(24 * 60 * 60)
    }
}

/// The old secret of a rotated token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousSecret {
    /// The time at which it ends.
    pub expires_at: Timestamp,
    /// Time of its last use, accurate to [`LAST_USE_RESOLUTION_S`](super::LAST_USE_RESOLUTION_S). Not serialized,
    /// because a use is no change.
    #[serde(skip)]
    pub last_used_at: Option<Timestamp>,
}

impl PreviousSecret {
    fn new(overlap: Overlap, last_used_at: Option<Timestamp>, now: Timestamp) -> Option<Self> {
        overlap.end(now).map(|expires_at| Self { expires_at, last_used_at })
    }
}

/// The facts needed to rotate a token of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateFacts {
    /// The rights of the caller.
    pub grantor: Grantor,
    /// The person behind the request, if there is one.
    pub rotated_by: Option<UserId>,
}

/// The token after a rotation. A person who gets the new secret becomes its creator, so that the token ends with that
/// person's rights as if the person had made it.
///
/// # Errors
/// - [`TokenError::TargetExceeds`] when the token has a scope that the caller does not hold.
/// - [`TokenError::NetworksExceed`] when the token is usable from a network that the caller may not use.
/// - [`TokenError::ExpiryExceeds`] when the token lasts longer than the caller's.
/// - [`TokenError::Expired`] when the token has expired.
pub fn rotate(
    before: &AccessToken,
    facts: &RotateFacts,
    overlap: Overlap,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    check_target(before, &facts.grantor.scopes)?;
    facts.grantor.check_gain(before)?;
    check_expiry(before.expires_at, now)?;
    Ok(AccessToken {
        modified_at: Some(now),
        previous_secret: PreviousSecret::new(overlap, before.last_used_at, now),
        created_by: facts.rotated_by.or(before.created_by),
        ..before.clone()
    })
}

/// The token of a user after a rotation by the operator.
///
/// # Errors
/// [`TokenError::Expired`] when the token has expired.
pub fn rotate_user_token(
    before: &UserToken,
    overlap: Overlap,
    now: Timestamp,
) -> Result<UserToken, TokenError> {
    check_expiry(before.expires_at, now)?;
    let previous_secret = PreviousSecret::new(overlap, before.last_used_at, now);
    Ok(UserToken { previous_secret, ..before.clone() })
}

fn check_expiry(expires_at: Option<Timestamp>, now: Timestamp) -> Result<(), TokenError> {
    if expires_at.is_some_and(|expires_at| expires_at <= now) { Err(TokenError::Expired) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::ids::{OrganizationId, TokenId};
    use crate::token::{ScopeGrants, Scopes};
    use crate::values::IpAllowList;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn token() -> AccessToken {
        AccessToken {
            id: TokenId::new(Uuid::from_u128(1)),
            organization: OrganizationId::new(Uuid::from_u128(2)),
            created_at: Timestamp::from_micros(1),
            modified_at: None,
            label: "x".to_owned(),
            grants: ScopeGrants::new(Scopes::new(vec!["customers:read".parse().unwrap()]), NOW),
            ip_allow_list: IpAllowList::default(),
            expires_at: None,
            last_used_at: Some(Timestamp::from_micros(2)),
            previous_secret: None,
            created_by: Some(UserId::new(Uuid::from_u128(3))),
        }
    }

    fn facts(rotated_by: Option<u128>) -> RotateFacts {
        let rotated_by = rotated_by.map(|id| UserId::new(Uuid::from_u128(id)));
        RotateFacts { grantor: Grantor { scopes: Scopes::everything(), ..Grantor::default() }, rotated_by }
    }

    #[test]
    fn the_old_secret_lives_for_the_overlap() {
        let after = rotate(&token(), &facts(None), Overlap::default(), NOW).unwrap();
        let previous = after.previous_secret.unwrap();
        assert_eq!(previous.expires_at, NOW.plus_seconds(86_400));
        assert_eq!((previous.last_used_at, after.modified_at), (token().last_used_at, Some(NOW)));
        let at_once = rotate(&after, &facts(None), Overlap::from_seconds(0).unwrap(), NOW).unwrap();
        assert_eq!(at_once.previous_secret, None);
        assert!(Overlap::from_seconds(-1).is_err() && Overlap::from_seconds(Overlap::MAX_S + 1).is_err());
    }

    #[test]
    fn a_token_belongs_to_the_person_who_rotated_it() {
        let creator =
            |rotated_by| rotate(&token(), &facts(rotated_by), Overlap::default(), NOW).unwrap().created_by;
        assert_eq!(creator(Some(9)), Some(UserId::new(Uuid::from_u128(9))));
        assert_eq!(creator(None), token().created_by);
    }

    #[test]
    fn a_rotation_gives_nobody_more_than_they_hold() {
        let rotated =
            |grantor| rotate(&token(), &RotateFacts { grantor, rotated_by: None }, Overlap::default(), NOW);
        assert!(matches!(rotated(Grantor::default()), Err(TokenError::TargetExceeds(_))));
        let all = Grantor { scopes: Scopes::everything(), ..Grantor::default() };
        let networks = IpAllowList::parse(["10.0.0.0/8"]).unwrap();
        assert_eq!(rotated(Grantor { networks, ..all.clone() }), Err(TokenError::NetworksExceed));
        let expires_at = Some(NOW.plus_seconds(60));
        assert_eq!(rotated(Grantor { expires_at, ..all }), Err(TokenError::ExpiryExceeds));
        let expired = AccessToken { expires_at: Some(NOW), ..token() };
        assert_eq!(rotate(&expired, &facts(None), Overlap::default(), NOW), Err(TokenError::Expired));
    }
}
