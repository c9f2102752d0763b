//! The rule for changing an API key, AhaSend's name for an organization's token (docs/contracts/ahasend.md, 1.6).
//!
//! A field in the request replaces the current value. A request that changes nothing is refused. A key that
//! changes itself cannot exclude the address of its own request.

use std::net::IpAddr;

use super::decide::{check_target, replace_scopes};
use super::{AccessToken, Grantor, Scopes, TokenError};
use crate::Timestamp;
use crate::values::IpAllowList;

/// The new values of an API key. An absent field keeps its value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ApiKeyChange {
    /// New label.
    pub label: Option<String>,
    /// New scopes.
    pub scopes: Option<Scopes>,
    /// New networks from which it may be used; an empty list permits every address.
    pub ip_allow_list: Option<IpAllowList>,
}

/// The facts needed to change an API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKeyFacts {
    /// The rights of the caller.
    pub grantor: Grantor,
    /// The address of the request, when the key changes itself; otherwise none.
    pub own_address: Option<IpAddr>,
}

/// Changes an API key.
///
/// # Errors
/// - [`TokenError::NoFieldGiven`] when the request has no field.
/// - [`TokenError::TargetExceeds`] when the key has a scope that the caller does not hold.
/// - [`TokenError::NetworksExceed`] when the key would gain a scope or get another list, and be usable from a network
///   that the caller may not use.
/// - [`TokenError::ExpiryExceeds`] when it would gain these and last longer than the caller's token.
/// - [`TokenError::ScopesExceed`] when the key would gain a scope that the caller does not hold.
/// - [`TokenError::ExcludesCaller`] when the key changes itself and excludes the address of the request.
/// - [`TokenError::NoChange`] when every value equals the current one.
pub fn update_api_key(
    before: &AccessToken,
    change: ApiKeyChange,
    facts: &ApiKeyFacts,
    now: Timestamp,
) -> Result<AccessToken, TokenError> {
    let ApiKeyChange { label, scopes, ip_allow_list } = change;
    if label.is_none() && scopes.is_none() && ip_allow_list.is_none() {
        return Err(TokenError::NoFieldGiven);
    }
    check_target(before, &facts.grantor.scopes)?;
    let mut after = before.clone();
    if let Some(label) = label {
        after.label = label;
    }
    if let Some(wanted) = scopes {
        after.grants = replace_scopes(before, wanted, &facts.grantor.scopes, now)?;
    }
    if let Some(list) = ip_allow_list.filter(|list| !list.is_same(&before.ip_allow_list)) {
        if facts.own_address.is_some_and(|address| !list.covers(address)) {
            return Err(TokenError::ExcludesCaller);
        }
        after.ip_allow_list = list;
    }
    let gains = !before.scopes().cover(after.scopes()) || !after.ip_allow_list.is_same(&before.ip_allow_list);
    if gains {
        facts.grantor.check_gain(&after)?;
    }
    if after == *before {
        return Err(TokenError::NoChange);
    }
    after.modified_at = Some(now);
    Ok(after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::ids::{OrganizationId, TokenId};
    use crate::token::ScopeGrants;

    const NOW: Timestamp = Timestamp::from_micros(2_000_000);

    fn any_scopes() -> impl Strategy<Value = Scopes> {
        let names = vec!["*", "api-keys:write", "customers:read", "messages:send:all", "messages:send:{a.b}"];
        prop::collection::vec(prop::sample::select(names), 1..5)
            .prop_map(|names| Scopes::new(names.into_iter().map(|name| name.parse().unwrap()).collect()))
    }

    fn any_list() -> impl Strategy<Value = IpAllowList> {
        prop::collection::vec(prop::sample::select(vec!["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"]), 0..3)
            .prop_map(|entries| IpAllowList::parse(entries).unwrap())
    }

    fn any_change() -> impl Strategy<Value = ApiKeyChange> {
        let label = prop::option::of("[ab]");
        (label, prop::option::of(any_scopes()), prop::option::of(any_list()))
            .prop_map(|(label, scopes, ip_allow_list)| ApiKeyChange { label, scopes, ip_allow_list })
    }

    fn any_key() -> impl Strategy<Value = AccessToken> {
        ("[ab]", any_scopes(), any_list()).prop_map(|(label, scopes, ip_allow_list)| AccessToken {
            id: TokenId::new(Uuid::from_u128(1)),
            organization: OrganizationId::new(Uuid::from_u128(2)),
            created_at: Timestamp::from_micros(1),
            modified_at: None,
            label,
            grants: ScopeGrants::new(scopes, Timestamp::from_micros(1)),
            ip_allow_list,
            expires_at: None,
            last_used_at: None,
            previous_secret: None,
            created_by: None,
        })
    }

    fn address() -> impl Strategy<Value = Option<IpAddr>> {
        prop::option::of(prop::sample::select(vec!["10.1.1.1", "192.0.2.1", "::1"]))
            .prop_map(|text| text.map(|text| text.parse().unwrap()))
    }

    proptest! {
        #[test]
        fn a_change_sets_the_given_fields_or_is_refused(
            (before, change) in (any_key(), any_change()),
            (held, caller_networks, own_address) in (any_scopes(), any_list(), address()),
        ) {
            let grantor = Grantor { scopes: held.clone(), networks: caller_networks.clone(), expires_at: None };
            let facts = ApiKeyFacts { grantor, own_address };
            let ApiKeyChange { label, scopes, ip_allow_list } = change.clone();
            match update_api_key(&before, change.clone(), &facts, NOW) {
                Ok(after) => {
                    prop_assert_eq!(after.modified_at, Some(NOW));
                    prop_assert_eq!(&after.label, label.as_ref().unwrap_or(&before.label));
                    prop_assert_eq!(after.scopes(), scopes.as_ref().unwrap_or(before.scopes()));
                    prop_assert!(after.ip_allow_list.is_same(ip_allow_list.as_ref().unwrap_or(&before.ip_allow_list)));
                    prop_assert!(held.cover(before.scopes()) && held.cover(after.scopes()));
                    let is_same = after.ip_allow_list.is_same(&before.ip_allow_list);
                    let gains = !is_same || !before.scopes().cover(after.scopes());
                    prop_assert!(!gains || caller_networks.covers_list(&after.ip_allow_list));
                    let again = update_api_key(&after, change, &facts, NOW);
                    prop_assert_eq!(again, Err(TokenError::NoChange));
                }
                Err(TokenError::Expired) => prop_assert!(false),
                Err(TokenError::NoFieldGiven) => prop_assert_eq!(change, ApiKeyChange::default()),
                Err(TokenError::NoChange) => {
                    prop_assert!(label.is_none_or(|label| label == before.label));
                    prop_assert!(scopes.is_none_or(|scopes| scopes == *before.scopes()));
                    prop_assert!(ip_allow_list.is_none_or(|list| list.is_same(&before.ip_allow_list)));
                }
                Err(TokenError::ScopesExceed(excess)) => {
                    prop_assert!(excess.iter().all(|scope| !held.cover(&Scopes::new(vec![scope.clone()]))));
                }
                Err(TokenError::TargetExceeds(_)) => prop_assert!(!held.cover(before.scopes())),
                Err(TokenError::ExpiryExceeds) => prop_assert!(false, "the caller does not expire"),
                Err(TokenError::NetworksExceed) => {
                    let list = ip_allow_list.unwrap_or_else(|| before.ip_allow_list.clone());
                    prop_assert!(!caller_networks.covers_list(&list));
                }
                Err(TokenError::ExcludesCaller) => {
                    prop_assert!(!ip_allow_list.unwrap().covers(own_address.unwrap()));
                }
            }
        }

        #[test]
        fn a_key_never_excludes_its_own_request(before in any_key(), list in any_list(), own_address in address()) {
            prop_assume!(own_address.is_none_or(|address| before.ip_allow_list.covers(address)));
            let change = ApiKeyChange { ip_allow_list: Some(list), ..ApiKeyChange::default() };
            let grantor = Grantor { scopes: Scopes::everything(), ..Grantor::default() };
            let facts = ApiKeyFacts { grantor, own_address };
            if let Ok(after) = update_api_key(&before, change, &facts, NOW) {
                prop_assert!(own_address.is_none_or(|address| after.ip_allow_list.covers(address)));
            }
        }
    }
}
