//! The rules of access tokens, as pure functions of facts: nobody gives a scope that they do not hold.

use super::{AccessToken, LAST_USE_RESOLUTION_S, Scope, ScopeGrants, Scopes};
use crate::ids::{OrganizationId, TokenId, UserId};
use crate::values::{IpAllowList, Lifetime};
use crate::{Patch, Timestamp};

/// What must be known to make a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateFacts {
    /// The organization.
    pub organization: OrganizationId,
    /// The scopes of who makes it; the operator's are everything.
    pub held: Scopes,
    /// The person behind the request.
    pub created_by: Option<UserId>,
}

/// What a new token is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAccessToken {
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// From where it may be used.
    pub ip_allow_list: IpAllowList,
    /// How long it works.
    pub lifetime: Option<Lifetime>,
}

/// A partial update of a token; how long it works cannot change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenChange {
    /// What it is for; stays when `null`.
    pub label: Patch<String>,
    /// What it may do; stays when `null`.
    pub scopes: Patch<Scopes>,
}

/// Why a token could not be made or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// These scopes are not the caller's to give.
    #[error("{} scopes are not held by the caller", .0.len())]
    ScopesExceed(Vec<Scope>),
    /// A change of a key names nothing.
    #[error("one of label, scopes and ip_allow_list must be given")]
    NoFieldGiven,
    /// A change of a key leaves it as it is.
    #[error("nothing of what is given differs from what the key has")]
    NoChange,
    /// A key would lock its own caller out.
    #[error("ip_allow_list does not cover the address that this request comes from")]
    ExcludesCaller,
}

/// Makes a token.
///
/// # Errors
/// When it would hold a scope that its maker does not.
pub fn create(
    facts: CreateFacts,
    new: NewAccessToken,
    id: TokenId,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    let CreateFacts { organization, held, created_by } = facts;
    let NewAccessToken { label, scopes, ip_allow_list, lifetime } = new;
    refuse(held.not_covered(&scopes))?;
    Ok(AccessToken {
        id,
        organization,
        created_at: now,
        modified_at: None,
        label,
        grants: ScopeGrants::new(scopes, now),
        ip_allow_list,
        expires_at: lifetime.map(|lifetime| now.plus_seconds(lifetime.seconds())),
        last_used_at: None,
        created_by,
    })
}

/// Changes a token. What comes back equals the token before when nothing changed. Scopes that it has may
/// stay; those that it gets must be `held`. Sending the scopes as they are shown leaves them; sending none
/// takes all away, also those that are not shown.
///
/// # Errors
/// When it would get a scope that the caller does not hold.
pub fn update(
    before: &AccessToken,
    change: TokenChange,
    held: &Scopes,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    let TokenChange { label, scopes } = change;
    let mut after = before.clone();
    label.apply_required(&mut after.label);
    if let Patch::Value(wanted) = scopes
        && (wanted.as_slice().is_empty() || !is_as_shown(&wanted, before))
    {
        after.grants = replace_scopes(before, wanted, held, now)?;
    }
    if after != *before {
        after.modified_at = Some(now);
    }
    Ok(after)
}

/// These scopes in place of those that the token has. What it has may stay; what it gets must be `held`.
pub(super) fn replace_scopes(
    before: &AccessToken,
    wanted: Scopes,
    held: &Scopes,
    now: Timestamp,
) -> Result<ScopeGrants, TokenError> {
    let new = before.scopes().not_covered(&wanted);
    refuse(held.not_covered(&Scopes::new(new)))?;
    Ok(before.grants.replaced(wanted, now))
}

/// Whether these are the token's scopes as the Polar dialect shows them, which may be less than it has.
fn is_as_shown(scopes: &Scopes, token: &AccessToken) -> bool {
    scopes.as_slice().iter().map(Scope::as_str).eq(token.scopes().polar_names())
}

fn refuse(excess: Vec<Scope>) -> Result<(), TokenError> {
    if excess.is_empty() { Ok(()) } else { Err(TokenError::ScopesExceed(excess)) }
}

/// Whether the last use that is noted of a token is too old to stand for one at `now`.
#[must_use]
pub fn last_use_is_stale(noted: Option<Timestamp>, now: Timestamp) -> bool {
    noted.is_none_or(|noted| noted.plus_seconds(LAST_USE_RESOLUTION_S) <= now)
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
        let facts = CreateFacts { organization, held, created_by: None };
        let ip_allow_list = IpAllowList::default();
        let new = NewAccessToken { label: "x".into(), scopes, ip_allow_list, lifetime };
        create(facts, new, TokenId::new(Uuid::from_u64_pair(1, 2)), NOW)
    }

    proptest! {
        #[test]
        fn nobody_gives_what_they_do_not_hold(wanted in any_scopes(), held in any_scopes()) {
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
        fn a_change_adds_only_what_is_held(first in any_scopes(), wanted in any_scopes(), held in any_scopes()) {
            let before = made(first, Scopes::everything(), None).unwrap();
            let change = TokenChange { scopes: Patch::Value(wanted), label: Patch::Null };
            if let Ok(after) = update(&before, change, &held, NOW) {
                let either: Vec<Scope> =
                    before.scopes().as_slice().iter().chain(held.as_slice()).cloned().collect();
                prop_assert!(Scopes::new(either).cover(after.scopes()));
                prop_assert_eq!(after.modified_at.is_some(), after.scopes() != before.scopes());
            }
        }

        #[test]
        fn what_is_shown_can_be_sent_back(first in any_scopes()) {
            let before = made(first, Scopes::everything(), None).unwrap();
            let shown: Vec<Scope> =
                before.scopes().polar_names().iter().map(|name| name.parse().unwrap()).collect();
            let (none, nothing) = (shown.is_empty(), Scopes::default());
            let change = TokenChange { scopes: Patch::Value(Scopes::new(shown)), label: Patch::Absent };
            let after = update(&before, change, &Scopes::default(), NOW).unwrap();
            prop_assert_eq!(after.scopes(), if none { &nothing } else { before.scopes() });
        }
    }

    #[test]
    fn a_lifetime_begins_at_creation() {
        let hour = Lifetime::from_seconds(3600).ok();
        let token = made(Scopes::default(), Scopes::default(), hour).unwrap();
        assert_eq!(token.expires_at, Some(NOW.plus_seconds(3600)));
    }

    #[test]
    fn a_use_is_noted_every_five_minutes() {
        assert!(last_use_is_stale(None, NOW));
        assert!(!last_use_is_stale(Some(NOW), NOW.plus_seconds(299)));
        assert!(last_use_is_stale(Some(NOW), NOW.plus_seconds(300)));
    }
}
