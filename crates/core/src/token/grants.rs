//! The scopes of an organization's token, each with the time at which it was granted.
//!
//! Invariant: a scope that a token keeps through a change keeps its time.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Scope, Scopes};
use crate::Timestamp;

/// The scopes of a token, each with the time since which the token has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeGrants {
    scopes: Scopes,
    /// One time for each scope, in the order of the scopes.
    since: Vec<Timestamp>,
}

impl ScopeGrants {
    /// The scopes, all granted at `now`.
    #[must_use]
    pub fn new(scopes: Scopes, now: Timestamp) -> Self {
        let since = vec![now; scopes.as_slice().len()];
        Self { scopes, since }
    }

    /// The scopes.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// The scopes without their times.
    #[must_use]
    pub fn into_scopes(self) -> Scopes {
        self.scopes
    }

    /// Every scope with the time of its grant, sorted by scope.
    pub fn iter(&self) -> impl Iterator<Item = (&Scope, Timestamp)> {
        self.scopes.as_slice().iter().zip(self.since.iter().copied())
    }

    /// The grants after the scopes are replaced by `scopes`. New scopes are granted at `now`.
    #[must_use]
    pub fn replaced(&self, scopes: Scopes, now: Timestamp) -> Self {
        let before: BTreeMap<&Scope, Timestamp> = self.iter().collect();
        let since = scopes.as_slice().iter().map(|scope| before.get(scope).copied().unwrap_or(now)).collect();
        Self { scopes, since }
    }

    /// Parses the stored JSON of a token that was created at `created_at`. Two forms exist: an object of names and
    /// times, and an older list of names, whose scopes all count as granted at creation.
    ///
    /// # Errors
    /// When the text has neither form, or names an unknown scope.
    pub fn from_stored(text: &str, created_at: Timestamp) -> serde_json::Result<Self> {
        if text.starts_with('[') {
            return Ok(Self::new(serde_json::from_str(text)?, created_at));
        }
        serde_json::from_str(text)
    }
}

/// Reads the serialized form: an object of names and times.
impl<'de> Deserialize<'de> for ScopeGrants {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let (scopes, since): (Vec<Scope>, _) =
            BTreeMap::<Scope, Timestamp>::deserialize(input)?.into_iter().unzip();
        // The map is sorted and has every scope once, so `Scopes::new` keeps the order and the lists stay aligned.
        Ok(Self { scopes: Scopes::new(scopes), since })
    }
}

/// Serializes as an object: names of scopes as keys, times as values.
impl Serialize for ScopeGrants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn scopes() -> impl Strategy<Value = Scopes> {
        let names = vec!["*", "accounts:read", "customers:write", "messages:send:all", "messages:send:{a.b}"];
        prop::collection::vec(prop::sample::select(names), 0..6)
            .prop_map(|names| Scopes::new(names.into_iter().map(|name| name.parse().unwrap()).collect()))
    }

    proptest! {
        #[test]
        fn a_scope_that_stays_keeps_its_time(first in scopes(), second in scopes(), third in scopes()) {
            let grants = ScopeGrants::new(first, at(1)).replaced(second.clone(), at(2));
            let after = grants.replaced(third.clone(), at(3));
            prop_assert_eq!(after.scopes(), &third);
            for (scope, since) in after.iter() {
                let before = grants.iter().find(|(before, _)| *before == scope).map(|(_, since)| since);
                prop_assert_eq!(since, before.unwrap_or(at(3)));
            }
            prop_assert_eq!(grants.replaced(second, at(4)), grants);
        }

        #[test]
        fn serialized_grants_parse_to_themselves(first in scopes(), second in scopes()) {
            let grants = ScopeGrants::new(first.clone(), at(1)).replaced(second, at(2));
            let text = serde_json::to_string(&grants).unwrap();
            prop_assert_eq!(ScopeGrants::from_stored(&text, at(9)).unwrap(), grants);
            let names = serde_json::to_string(&first).unwrap();
            prop_assert_eq!(ScopeGrants::from_stored(&names, at(9)).unwrap(), ScopeGrants::new(first, at(9)));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "1", "{", r#"["nope"]"#, r#"{"nope":"2026-01-01T00:00:00Z"}"#, r#"{"*":1}"#] {
            assert!(ScopeGrants::from_stored(text, at(1)).is_err(), "{text}");
        }
    }
}
