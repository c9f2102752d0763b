//! The rules for creating and changing access tokens. A caller can grant only scopes that the caller holds, and can
//! change or revoke only a token whose scopes the caller holds.

use super::{AccessToken, LAST_USE_RESOLUTION_S, Scope, ScopeGrants, Scopes};
use crate::ids::{OrganizationId, TokenId, UserId};
use crate::values::{IpAllowList, Lifetime};
use crate::{Patch, Timestamp};

/// The rights of a caller, which bound those of the tokens that it makes or changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grantor {
    /// The scopes of the caller. The operator holds every scope.
    pub scopes: Scopes,
    /// The networks from which the caller may send requests. Empty without a restriction.
    pub networks: IpAllowList,
    /// Time of expiry of the caller's token. None when it does not expire, or when a person stands behind the request:
    /// the tokens that a person creates end with the person's role.
    pub expires_at: Option<Timestamp>,
}

impl Grantor {
    /// Checks that a token which gains something lasts no longer, and is usable from no other network, than the caller.
    pub(super) fn check_gain(&self, token: &AccessToken) -> Result<(), TokenError> {
        if !self.networks.covers_list(&token.ip_allow_list) {
            return Err(TokenError::NetworksExceed);
        }
        let outlives = |end: Timestamp| token.expires_at.is_none_or(|expires_at| expires_at > end);
        if self.expires_at.is_some_and(outlives) { Err(TokenError::ExpiryExceeds) } else { Ok(()) }
    }
}

/// The facts needed to create a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFacts {
    /// The organization that the token belongs to.
    pub organization: OrganizationId,
    /// The rights of the caller.
    pub grantor: Grantor,
    /// The user who sends the request, if it is a user.
    pub created_by: Option<UserId>,
}

/// The fields of a new token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccessToken {
    /// Free text that describes the purpose of the token.
    pub label: String,
    /// Its scopes.
    pub scopes: Scopes,
    /// The networks from which it may be used.
    pub ip_allow_list: IpAllowList,
    /// Time from creation to expiry; none means that it does not expire.
    pub lifetime: Option<Lifetime>,
}

/// A partial update of a token. The expiry cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenChange {
    /// New label; `null` keeps the old one.
    pub label: Patch<String>,
    /// New scopes; `null` keeps the old ones.
    pub scopes: Patch<Scopes>,
}

/// A refused creation or change of a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The request grants these scopes, which the caller does not hold.
    #[error("the caller does not hold {} of the scopes", .0.len())]
    ScopesExceed(Vec<Scope>),
    /// The token to be changed or revoked holds these scopes, which the caller does not hold.
    #[error("the token holds {} scopes that the caller does not hold", .0.len())]
    TargetExceeds(Vec<Scope>),
    /// The caller is restricted to networks, and the token would be usable from others.
    #[error("ip_allow_list must lie within the networks to which the calling token is restricted")]
    NetworksExceed,
    /// The token to be rotated has expired.
    #[error("the token has expired")]
    Expired,
    /// The caller's token expires, and the token would last longer.
    #[error("the token must not last longer than the calling token, which expires")]
    ExpiryExceeds,
    /// The change of an API key has no field.
    #[error("one of label, scopes and ip_allow_list must be given")]
    NoFieldGiven,
    /// The change of an API key equals the current values.
    #[error("at least one value must differ from the current one")]
    NoChange,
    /// The change of an API key by itself would exclude the address of the request.
    #[error("ip_allow_list does not cover the address that this request comes from")]
    ExcludesCaller,
}

/// Creates a token. Without a list of networks, or without a lifetime, it gets that of the caller.
///
/// # Errors
/// [`TokenError::ScopesExceed`] when it would get a scope that the caller does not hold,
/// [`TokenError::NetworksExceed`] when it would be usable from a network that the caller may not use,
/// [`TokenError::ExpiryExceeds`] when it would last longer than the caller's token.
pub fn create(
    facts: CreateFacts,
    new: NewAccessToken,
    id: TokenId,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    let CreateFacts { organization, grantor, created_by } = facts;
    let NewAccessToken { label, scopes, ip_allow_list, lifetime } = new;
    refuse_excess(grantor.scopes.not_covered(&scopes))?;
    let token = AccessToken {
        id,
        organization,
        created_at: now,
        modified_at: None,
        label,
        grants: ScopeGrants::new(scopes, now),
        ip_allow_list: if ip_allow_list.is_empty() { grantor.networks.clone() } else { ip_allow_list },
        expires_at: lifetime.map(|lifetime| now.plus_seconds(lifetime.seconds())).or(grantor.expires_at),
        last_used_at: None,
        previous_secret: None,
        created_by,
    };
    grantor.check_gain(&token)?;
    Ok(token)
}

/// Changes a token. Without an effective change the result equals `before`.
///
/// The caller must hold every scope of the token, and every scope that it gains. Polar shows only a part of the
/// scopes, see [`Scopes::polar_names`]. A request with exactly the scopes that are shown therefore changes nothing,
/// so that a client can send back what it read. A request with an empty list removes all scopes, including those
/// that are not shown.
///
/// # Errors
/// [`TokenError::TargetExceeds`] or [`TokenError::ScopesExceed`] when the token has or would gain a scope that the
/// caller does not hold. [`TokenError::NetworksExceed`] or [`TokenError::ExpiryExceeds`] when it would gain a scope and
/// is usable from a network that the caller may not use, or lasts longer than the caller's token.
pub fn update(
    before: &AccessToken,
    change: TokenChange,
    grantor: &Grantor,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    check_target(before, &grantor.scopes)?;
    let TokenChange { label, scopes } = change;
    let mut after = before.clone();
    label.apply_required(&mut after.label);
    if let Patch::Value(wanted) = scopes
        && (wanted.as_slice().is_empty() || !is_as_shown(&wanted, before))
    {
        after.grants = replace_scopes(before, wanted, &grantor.scopes, now)?;
        if !before.scopes().cover(after.scopes()) {
            grantor.check_gain(&after)?;
        }
    }
    if after != *before {
        after.modified_at = Some(now);
    }
    Ok(after)
}

/// Checks that the caller may change or revoke a token: `held` must cover its scopes. Otherwise a weak token could
/// disarm a strong one, for example by removing its network restriction.
///
/// # Errors
/// [`TokenError::TargetExceeds`].
pub fn check_target(token: &AccessToken, held: &Scopes) -> Result<(), TokenError> {
    let excess = held.not_covered(token.scopes());
    if excess.is_empty() { Ok(()) } else { Err(TokenError::TargetExceeds(excess)) }
}

/// The grants of the token with `wanted` in place of its scopes. A scope that it gains must be in `held`.
pub(super) fn replace_scopes(
    before: &AccessToken,
    wanted: Scopes,
    held: &Scopes,
    now: Timestamp,
) -> Result<ScopeGrants, TokenError> {
    let new = before.scopes().not_covered(&wanted);
    refuse_excess(held.not_covered(&Scopes::new(new)))?;
    Ok(before.grants.replaced(wanted, now))
}

/// Whether `scopes` are exactly the scopes that the Polar dialect shows of the token.
fn is_as_shown(scopes: &Scopes, token: &AccessToken) -> bool {
    scopes.as_slice().iter().map(Scope::as_str).eq(token.scopes().polar_names())
}

fn refuse_excess(excess: Vec<Scope>) -> Result<(), TokenError> {
    if excess.is_empty() { Ok(()) } else { Err(TokenError::ScopesExceed(excess)) }
}

/// Whether a use at `now` must be recorded: the recorded last use is older than [`LAST_USE_RESOLUTION_S`].
#[must_use]
pub fn last_use_is_stale(recorded: Option<Timestamp>, now: Timestamp) -> bool {
    recorded.is_none_or(|recorded| recorded.plus_seconds(LAST_USE_RESOLUTION_S) <= now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        let names = vec![
            "*",
            "customers:read",
            "customers:write",
            "members:write",
            "accounts:read",
            "messages:send:all",
            "messages:send:{a.example}",
            "organization_access_tokens:write",
        ];
        prop::collection::vec(prop::sample::select(names), 0..5)
            .prop_map(|names| Scopes::new(names.into_iter().map(|name| name.parse().unwrap()).collect()))
    }

    fn made(scopes: Scopes, held: Scopes, lifetime: Option<Lifetime>) -> Result<AccessToken, TokenError> {
        let organization = OrganizationId::new(Uuid::from_u64_pair(1, 1));
        let grantor = Grantor { scopes: held, ..Grantor::default() };
        let facts = CreateFacts { organization, grantor, created_by: None };
        let ip_allow_list = IpAllowList::default();
        let new = NewAccessToken { label: "x".into(), scopes, ip_allow_list, lifetime };
        create(facts, new, TokenId::new(Uuid::from_u64_pair(1, 2)), NOW)
    }

    proptest! {
        #[test]
        fn a_new_token_has_only_scopes_that_the_caller_holds(wanted in any_scopes(), held in any_scopes()) {
            match made(wanted.clone(), held.clone(), None) {
                Ok(token) => prop_assert!(held.cover(token.scopes())),
                Err(TokenError::ScopesExceed(excess)) => {
                    prop_assert!(!held.cover(&wanted));
                    prop_assert!(excess.iter().all(|scope| wanted.as_slice().contains(scope)));
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        #[test]
        fn a_change_needs_the_scopes_before_and_after(first in any_scopes(), wanted in any_scopes(), held in any_scopes()) {
            let before = made(first, Scopes::everything(), None).unwrap();
            let change = TokenChange { scopes: Patch::Value(wanted), label: Patch::Null };
            let grantor = Grantor { scopes: held.clone(), ..Grantor::default() };
            if let Ok(after) = update(&before, change, &grantor, NOW) {
                prop_assert!(held.cover(before.scopes()) && held.cover(after.scopes()));
                prop_assert_eq!(after.modified_at.is_some(), after.scopes() != before.scopes());
            }
        }

        #[test]
        fn sending_back_the_shown_scopes_changes_nothing(first in any_scopes()) {
            let before = made(first, Scopes::everything(), None).unwrap();
            let shown: Vec<Scope> =
                before.scopes().polar_names().iter().map(|name| name.parse().unwrap()).collect();
            let (none, nothing) = (shown.is_empty(), Scopes::default());
            let change = TokenChange { scopes: Patch::Value(Scopes::new(shown)), label: Patch::Absent };
            let grantor = Grantor { scopes: Scopes::everything(), ..Grantor::default() };
            let after = update(&before, change, &grantor, NOW).unwrap();
            prop_assert_eq!(after.scopes(), if none { &nothing } else { before.scopes() });
        }
    }

    #[test]
    fn the_expiry_is_the_lifetime_after_creation() {
        let hour = Lifetime::from_seconds(3600).ok();
        let token = made(Scopes::default(), Scopes::default(), hour).unwrap();
        assert_eq!(token.expires_at, Some(NOW.plus_seconds(3600)));
    }

    #[test]
    fn a_token_lasts_no_longer_than_the_one_that_makes_it() {
        let end = NOW.plus_seconds(60);
        let made = |seconds: Option<i64>, expires_at| {
            let grantor = Grantor { scopes: Scopes::everything(), expires_at, ..Grantor::default() };
            let organization = OrganizationId::new(Uuid::from_u64_pair(1, 1));
            let facts = CreateFacts { organization, grantor, created_by: None };
            let new = NewAccessToken {
                label: "x".into(),
                scopes: Scopes::default(),
                ip_allow_list: IpAllowList::default(),
                lifetime: seconds.map(|seconds| Lifetime::from_seconds(seconds).unwrap()),
            };
            create(facts, new, TokenId::new(Uuid::from_u64_pair(1, 2)), NOW)
        };
        assert_eq!(made(None, Some(end)).unwrap().expires_at, Some(end));
        assert_eq!(made(Some(60), Some(end)).unwrap().expires_at, Some(end));
        assert_eq!(made(Some(61), Some(end)), Err(TokenError::ExpiryExceeds));
        let lasting = made(None, None).unwrap();
        assert_eq!(lasting.expires_at, None);
        let grantor = Grantor { scopes: Scopes::everything(), expires_at: Some(end), ..Grantor::default() };
        let change = |scope: &str| TokenChange {
            label: Patch::Value("y".into()),
            scopes: Patch::Value(Scopes::new(vec![scope.parse().unwrap()])),
        };
        assert_eq!(update(&lasting, change("*"), &grantor, NOW), Err(TokenError::ExpiryExceeds));
        let label = TokenChange { label: Patch::Value("y".into()), scopes: Patch::Absent };
        assert!(update(&lasting, label, &grantor, NOW).is_ok());
    }

    #[test]
    fn a_use_is_recorded_at_most_every_five_minutes() {
        assert!(last_use_is_stale(None, NOW));
        assert!(!last_use_is_stale(Some(NOW), NOW.plus_seconds(299)));
        assert!(last_use_is_stale(Some(NOW), NOW.plus_seconds(300)));
    }
}
