//! Removal from a team, the text of secrets, and the coverage of scopes.

use proptest::prelude::*;
use proptest::sample::Index;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{TeamError, TeamFacts, TeamMember, TeamPermission, TeamRole, remove};
use tenantry_core::token::{RequiredScope, Scope, Scopes, Secret, SecretKind};
use tenantry_core::{ExecutionContext, Timestamp};
use uuid::Uuid;

fn team_member(role: TeamRole) -> TeamMember {
    TeamMember {
        organization: OrganizationId::new(Uuid::from_u128(1)),
        user: UserId::new(Uuid::from_u128(2)),
        email: "jane@example.com".parse().unwrap(),
        name: None,
        role,
        created_at: Timestamp::from_micros(1),
        modified_at: Timestamp::from_micros(1),
        offered_until: None,
    }
}

#[test]
fn the_owner_and_the_caller_cannot_be_removed() {
    let somebody_else = Some(UserId::new(Uuid::from_u128(3)));
    for role in TeamRole::ALL {
        let facts = TeamFacts { member: team_member(role), member_count: 3, other_managers: 1 };
        let (by_other, by_self, by_token) = if role == TeamRole::Owner {
            (
                Err(TeamError::CannotRemoveOwner),
                Err(TeamError::CannotRemoveOwner),
                Err(TeamError::CannotRemoveOwner),
            )
        } else {
            (Ok(()), Err(TeamError::CannotRemoveSelf), Ok(()))
        };
        assert_eq!(remove(&facts, somebody_else), by_other, "{role:?}");
        assert_eq!(remove(&facts, Some(facts.member.user)), by_self, "{role:?}");
        assert_eq!(remove(&facts, None), by_token, "{role:?}");
    }
}

#[test]
fn team_roles_have_names_and_nested_permissions() {
    for role in TeamRole::ALL {
        assert_eq!(TeamRole::from_name(role.as_str()), Some(role));
        assert_eq!(serde_json::to_string(&role).unwrap(), format!("{:?}", role.as_str()));
        assert!(
            role.grants(TeamPermission::ManageCustomers) || !role.grants(TeamPermission::ManageOrganization),
            "{role:?}"
        );
    }
    let organization: Vec<_> =
        TeamRole::ALL.into_iter().filter(|role| role.grants(TeamPermission::ManageOrganization)).collect();
    assert_eq!(organization, [TeamRole::Owner, TeamRole::Administrator]);
    let customers: Vec<_> =
        TeamRole::ALL.into_iter().filter(|role| role.grants(TeamPermission::ManageCustomers)).collect();
    assert_eq!(customers, [TeamRole::Owner, TeamRole::Administrator, TeamRole::Developer]);
}

fn secret(kind: SecretKind, seed: [u8; 32]) -> Secret {
    Secret::generate(kind, &mut ExecutionContext::new(Timestamp::from_micros(1), seed))
}

fn secret_kind() -> impl Strategy<Value = SecretKind> {
    prop::sample::select(SecretKind::ALL.to_vec())
}

/// Number of characters after the prefix.
fn length(kind: SecretKind) -> usize {
    if kind == SecretKind::ApiKey { 64 } else { 43 }
}

/// Scopes without a suffix of both dialects. An operation requires one of these.
const STATIC: [&str; 6] = [
    "members:read",
    "members:write",
    "customers:read",
    "accounts:read",
    "accounts:members:add",
    "webhooks:read",
];

fn scope() -> impl Strategy<Value = Scope> {
    let fixed = prop::sample::select(STATIC.to_vec()).prop_map(str::to_owned);
    let stems = prop::sample::select(vec!["messages:send", "webhooks:read", "routes:delete"]);
    let dynamic = (stems, prop::sample::select(vec!["all", "{a.example}", "{b.example}"]))
        .prop_map(|(stem, suffix)| format!("{stem}:{suffix}"));
    prop_oneof![6 => fixed, 4 => dynamic, 1 => Just("*".to_owned())].prop_map(|text| text.parse().unwrap())
}

fn scopes() -> impl Strategy<Value = Scopes> {
    prop::collection::vec(scope(), 0..5).prop_map(Scopes::new)
}

proptest! {
    #[test]
    fn a_secret_is_recognized_and_not_printed(kind in secret_kind(), seed: [u8; 32]) {
        let secret = secret(kind, seed);
        let body = secret.expose().strip_prefix(kind.prefix()).unwrap();
        prop_assert_eq!(body.len(), length(kind));
        prop_assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        prop_assert_eq!(Secret::recognize(secret.expose()), Some(kind));
        prop_assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn different_seeds_yield_different_secrets(kind in secret_kind(), a: [u8; 32], b: [u8; 32]) {
        prop_assert_eq!(secret(kind, a) == secret(kind, b), a == b);
    }

    #[test]
    fn a_secret_with_a_wrong_character_is_not_recognized(
        kind in secret_kind(), seed: [u8; 32], at: Index, wrong in "[0-9A-Za-z]",
    ) {
        let text = secret(kind, seed).expose().to_owned();
        let at = kind.prefix().len() + at.index(length(kind));
        prop_assume!(text[at..=at] != wrong);
        let mistyped = format!("{}{wrong}{}", &text[..at], &text[at + 1..]);
        prop_assert_eq!(Secret::recognize(&mistyped), None);
    }

    #[test]
    fn a_secret_with_swapped_lost_or_doubled_characters_is_not_recognized(
        kind in secret_kind(), seed: [u8; 32], at: Index,
    ) {
        let text = secret(kind, seed).expose().to_owned();
        let at = kind.prefix().len() + at.index(length(kind) - 1);
        let (head, tail) = text.split_at(at);
        let lost = format!("{head}{}", &tail[1..]);
        let doubled = format!("{head}{}{tail}", &tail[..1]);
        prop_assert_eq!(Secret::recognize(&lost), None);
        prop_assert_eq!(Secret::recognize(&doubled), None);
        prop_assume!(tail[..1] != tail[1..2]);
        let swapped = format!("{head}{}{}{}", &tail[1..2], &tail[..1], &tail[2..]);
        prop_assert_eq!(Secret::recognize(&swapped), None);
    }

    #[test]
    fn an_arbitrary_text_is_not_recognized(text in "\\PC{0,60}|(tenantry_(oat|pat)_|aha-sk-)\\PC{0,66}") {
        prop_assert_eq!(Secret::recognize(&text), None);
    }

    #[test]
    fn order_and_repetition_of_scopes_do_not_matter(
        scopes in prop::collection::vec(scope(), 0..6),
        again in prop::collection::vec(any::<Index>(), 0..3),
    ) {
        let mut shuffled: Vec<Scope> = scopes.iter().rev().cloned().collect();
        if !scopes.is_empty() {
            shuffled.extend(again.iter().map(|index| index.get(&scopes).clone()));
        }
        prop_assert_eq!(Scopes::new(shuffled), Scopes::new(scopes));
    }

    #[test]
    fn serialized_scopes_parse_to_themselves(scopes in scopes()) {
        let json = serde_json::to_string(&scopes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Scopes>(&json).unwrap(), scopes);
    }

    #[test]
    fn an_operation_is_authorized_by_its_scope_or_by_all_scopes(scopes in scopes()) {
        for name in STATIC {
            let held = scopes.as_slice().iter().any(|scope| scope.as_str() == name || scope.as_str() == "*");
            prop_assert_eq!(scopes.allow(RequiredScope::new(name)), held, "{}", name);
        }
    }

    #[test]
    fn covering_scopes_authorize_every_operation_of_the_covered(strong in scopes(), weak in scopes()) {
        prop_assert!(strong.cover(&strong));
        if strong.cover(&weak) {
            for name in STATIC {
                let permission = RequiredScope::new(name);
                prop_assert!(strong.allow(permission) || !weak.allow(permission), "{}", name);
            }
        }
    }

    #[test]
    fn additional_scopes_never_reduce_the_coverage(held in scopes(), more in scopes(), wanted in scopes()) {
        let union = Scopes::new([held.as_slice(), more.as_slice()].concat());
        prop_assert!(union.cover(&wanted) || !held.cover(&wanted));
    }
}
