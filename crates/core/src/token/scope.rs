//! Scopes: the operations that a token authorizes. One set holds the scopes of both dialects, so a token works in
//! both.
//!
//! A dynamic scope of AhaSend has the suffix `:all` or `:{domain}`. The scope `*` covers every other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::values::InvalidValue;

/// Scopes of the Polar dialect, in the contract's order.
const POLAR: &[&str] = &[
    "openid",
    "profile",
    "email",
    "user:read",
    "user:write",
    "organizations:read",
    "organizations:write",
    "custom_fields:read",
    "custom_fields:write",
    "discounts:read",
    "discounts:write",
    "checkout_links:read",
    "checkout_links:write",
    "checkouts:read",
    "checkouts:write",
    "transactions:read",
    "transactions:write",
    "payouts:read",
    "payouts:write",
    "products:read",
    "products:write",
    "benefits:read",
    "benefits:write",
    "events:read",
    "events:write",
    "meters:read",
    "meters:write",
    "files:read",
    "files:write",
    "subscriptions:read",
    "subscriptions:write",
    "customers:read",
    "customers:write",
    "members:read",
    "members:write",
    "wallets:read",
    "wallets:write",
    "disputes:read",
    "disputes:write",
    "customer_meters:read",
    "customer_sessions:write",
    "member_sessions:write",
    "customer_seats:read",
    "customer_seats:write",
    "orders:read",
    "orders:write",
    "refunds:read",
    "refunds:write",
    "payments:read",
    "metrics:read",
    "metrics:write",
    "webhooks:read",
    "webhooks:write",
    "license_keys:read",
    "license_keys:write",
    "customer_portal:read",
    "customer_portal:write",
    "notifications:read",
    "notifications:write",
    "notification_recipients:read",
    "notification_recipients:write",
    "organization_access_tokens:read",
    "organization_access_tokens:write",
    // Not in the contract.
    "audit:read",
];

/// Scopes of the Polar dialect that its clients of mid-2026 do not know and refuse to read.
const UNKNOWN_TO_CLIENTS: &[&str] = &["disputes:write", "audit:read"];

/// Static scopes of the AhaSend dialect.
const AHASEND: &[&str] = &[
    "accounts:read",
    "accounts:write",
    "accounts:billing",
    "accounts:members:read",
    "accounts:members:add",
    "accounts:members:update",
    "accounts:members:remove",
    "domains:read",
    "domains:write",
    "suppressions:read",
    "suppressions:write",
    "suppressions:delete",
    "suppressions:wipe",
    "api-keys:read",
    "api-keys:write",
    "api-keys:delete",
    "sub-accounts:read",
    "sub-accounts:write",
    "sub-accounts:delete",
    "sub-accounts:suspend",
    "sub-accounts:usage",
    "sub-account-api-keys:read",
    "sub-account-api-keys:write",
    "sub-account-api-keys:delete",
];

/// Dynamic scopes of the AhaSend dialect, without their suffix.
const AHASEND_DYNAMIC: &[&str] = &[
    "messages:send",
    "messages:cancel",
    "messages:read",
    "domains:delete",
    "webhooks:read",
    "webhooks:write",
    "webhooks:delete",
    "routes:read",
    "routes:write",
    "routes:delete",
    "smtp-credentials:read",
    "smtp-credentials:write",
    "smtp-credentials:delete",
    "statistics-transactional:read",
];

/// The scope that covers every other.
const EVERYTHING: &str = "*";

/// One scope that a dialect defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Scope(String);

impl Scope {
    /// The scopes of the Polar dialect, in the contract's order, and then those that the contract does not have.
    pub const POLAR: &'static [&'static str] = POLAR;

    /// The names of all scopes; a dynamic one with the suffix `:all`.
    pub fn names() -> impl Iterator<Item = String> {
        let fixed = POLAR.iter().chain(AHASEND).map(|name| (*name).to_owned());
        let dynamic = AHASEND_DYNAMIC.iter().map(|stem| format!("{stem}:all"));
        fixed.chain(dynamic).chain([EVERYTHING.to_owned()])
    }

    /// The name of the scope.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this scope authorizes every operation that `other` authorizes.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.0 == EVERYTHING || self == other || self.covers_domain_of(other)
    }

    fn covers_domain_of(&self, other: &Self) -> bool {
        let Some(stem) = self.0.strip_suffix(":all") else { return false };
        let domain = other.0.strip_prefix(stem).and_then(|rest| rest.strip_prefix(":{"));
        domain.is_some_and(|domain| domain.ends_with('}'))
    }
}

impl FromStr for Scope {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == EVERYTHING || POLAR.contains(&text) || AHASEND.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        let dynamic = AHASEND_DYNAMIC.iter().find_map(|stem| {
            let suffix = text.strip_prefix(stem)?.strip_prefix(':')?;
            if suffix == "all" {
                return Some(text.to_owned());
            }
            let domain = suffix.strip_prefix('{')?.strip_suffix('}')?;
            Some(format!("{stem}:{{{}}}", domain_name(domain)?))
        });
        dynamic.map(Self).ok_or_else(|| InvalidValue {
            kind: "enum",
            message: format!("unknown scope {text:?}"),
            context: None,
        })
    }
}

/// The canonical form of a domain: lower-case ASCII (IDNA) without a final dot. None when it is not a domain.
fn domain_name(text: &str) -> Option<String> {
    let text = text.trim();
    let name = idna::domain_to_ascii_strict(text.strip_suffix('.').unwrap_or(text)).ok()?;
    (name.contains('.') && name.len() <= 253).then_some(name)
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The scope that an operation requires of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequiredScope(&'static str);

impl RequiredScope {
    /// The requirement of the scope with this name.
    #[must_use]
    pub const fn new(scope: &'static str) -> Self {
        Self(scope)
    }

    /// The name of the scope.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The scopes of one token, sorted and without duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// The set that covers every scope.
    #[must_use]
    pub fn everything() -> Self {
        Self(vec![Scope(EVERYTHING.to_owned())])
    }

    /// The set of these scopes.
    #[must_use]
    pub fn new(mut scopes: Vec<Scope>) -> Self {
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }

    /// The scopes of an API key in canonical form. A scope for one domain is dropped when the same scope for all
    /// domains is present.
    ///
    /// # Errors
    /// When the list is empty or contains a scope twice.
    pub fn for_api_key(scopes: Vec<Scope>) -> Result<Self, InvalidValue> {
        let mut sorted = scopes;
        sorted.sort_unstable();
        if sorted.is_empty() {
            let message = "List should have at least 1 item after validation, not 0".to_owned();
            return Err(InvalidValue::with("too_short", message, "min_length", "1".to_owned()));
        }
        let mut pairs = sorted.iter().zip(sorted.iter().skip(1));
        if let Some((twice, _)) = pairs.find(|(scope, next)| scope == next) {
            let message = format!("scope {:?} occurs twice", twice.0);
            return Err(InvalidValue { kind: "value_error", message, context: None });
        }
        let for_all = |scope: &&Scope| scope.0.ends_with(":all");
        let every: Vec<Scope> = sorted.iter().filter(for_all).cloned().collect();
        sorted.retain(|scope| !every.iter().any(|all| all.covers_domain_of(scope)));
        Ok(Self(sorted))
    }

    /// The scopes of every session of the customer portal.
    #[must_use]
    pub fn portal() -> Self {
        Self(vec![Scope("customer_portal:write".to_owned())])
    }

    /// The scopes, sorted.
    #[must_use]
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }

    /// Whether the scopes authorize an operation with this requirement.
    #[must_use]
    pub fn allow(&self, required: RequiredScope) -> bool {
        self.0.iter().any(|scope| scope.0 == EVERYTHING || scope.0 == required.0)
    }

    /// Whether these scopes authorize every operation that `other` authorizes.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        self.not_covered(other).is_empty()
    }

    /// The scopes of `other` that no scope of this set covers.
    #[must_use]
    pub fn not_covered(&self, other: &Self) -> Vec<Scope> {
        let lacks = |wanted: &&Scope| !self.0.iter().any(|held| held.covers(wanted));
        other.0.iter().filter(lacks).cloned().collect()
    }

    /// The scopes that the Polar dialect shows, sorted. Polar's clients refuse a name that they do not know.
    /// Therefore `*` is shown as every scope that they know, and scopes of AhaSend are not shown.
    #[must_use]
    pub fn polar_names(&self) -> Vec<&str> {
        let everything = self.0.iter().any(|scope| scope.0 == EVERYTHING);
        let holds = |name: &str| self.0.iter().any(|scope| scope.0 == name);
        let known = |name: &str| everything && !UNKNOWN_TO_CLIENTS.contains(&name);
        let mut names: Vec<&str> = POLAR.iter().copied().filter(|name| holds(name) || known(name)).collect();
        names.sort_unstable();
        names
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope() -> impl Strategy<Value = Scope> {
        let domains = prop::sample::select(vec!["a.example", "b.example"]);
        let dynamic = (prop::sample::select(AHASEND_DYNAMIC), domains, any::<bool>()).prop_map(
            |(stem, domain, all)| if all { format!("{stem}:all") } else { format!("{stem}:{{{domain}}}") },
        );
        let fixed = prop::sample::select([POLAR, AHASEND, &[EVERYTHING]].concat()).prop_map(str::to_owned);
        prop_oneof![dynamic, fixed].prop_map(|text| text.parse().unwrap())
    }

    proptest! {
        #[test]
        fn a_scope_parses_to_itself(scope in scope()) {
            prop_assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope);
        }

        #[test]
        fn covers_is_a_partial_order(a in scope(), b in scope(), c in scope()) {
            prop_assert!(a.covers(&a));
            prop_assert!(!(a.covers(&b) && b.covers(&a)) || a == b);
            prop_assert!(!(a.covers(&b) && b.covers(&c)) || a.covers(&c));
        }

        #[test]
        fn scopes_of_an_api_key_have_one_canonical_form(given in prop::collection::vec(scope(), 0..8)) {
            let distinct = Scopes::new(given.clone());
            let twice = distinct.as_slice().len() < given.len();
            let Ok(scopes) = Scopes::for_api_key(given.clone()) else {
                prop_assert!(twice || given.is_empty());
                return Ok(());
            };
            prop_assert!(!twice && !given.is_empty());
            prop_assert_eq!(&Scopes::for_api_key(scopes.as_slice().to_vec()).unwrap(), &scopes);
            let reversed: Vec<Scope> = given.into_iter().rev().collect();
            prop_assert_eq!(&Scopes::for_api_key(reversed).unwrap(), &scopes);
            // The canonical form authorizes the same. Only scopes for a single domain are dropped.
            prop_assert!(scopes.cover(&distinct) && distinct.cover(&scopes));
            for dropped in distinct.as_slice().iter().filter(|scope| !scopes.as_slice().contains(scope)) {
                let is_one_domain = dropped.as_str().ends_with('}');
                prop_assert!(is_one_domain);
            }
            let domain_beside_all = |scope: &Scope| {
                let (stem, _) = scope.as_str().split_once(":{")?;
                scopes.as_slice().iter().find(|other| other.as_str() == format!("{stem}:all"))
            };
            prop_assert_eq!(scopes.as_slice().iter().find_map(domain_beside_all), None);
        }

        #[test]
        fn only_the_scope_for_everything_covers_itself(scopes in prop::collection::vec(scope(), 0..6)) {
            let scopes = Scopes::new(scopes);
            prop_assert!(Scopes::everything().cover(&scopes));
            let holds_it = scopes.as_slice().iter().any(|scope| scope.as_str() == EVERYTHING);
            prop_assert_eq!(scopes.cover(&Scopes::everything()), holds_it);
        }
    }

    #[test]
    fn unknown_scopes_are_refused() {
        for text in ["", "accounts:*", "messages:send", "messages:send:{}", "messages:send:{nodot}", "nope"] {
            assert!(text.parse::<Scope>().is_err(), "{text}");
        }
        assert!("messages:send:{example.com..}".parse::<Scope>().is_err());
    }

    #[test]
    fn a_domain_has_one_canonical_form() {
        for (written, name) in [
            (" Example.COM. ", "example.com"),
            ("exam\u{ad}ple.com", "example.com"),
            ("\u{ff45}xample\u{3002}com", "example.com"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("Bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            let scope: Scope = format!("messages:send:{{{written}}}").parse().unwrap();
            assert_eq!(scope.as_str(), format!("messages:send:{{{name}}}"), "{written}");
        }
    }
}
