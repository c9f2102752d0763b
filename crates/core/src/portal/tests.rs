use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ids::{CustomerId, OrganizationId};
use crate::values::Metadata;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn customer(kind: CustomerKind, email: Option<&str>) -> Customer {
    Customer {
        id: CustomerId::new(Uuid::from_u128(1)),
        organization: OrganizationId::new(Uuid::from_u128(2)),
        created_at: NOW,
        modified_at: None,
        deleted_at: None,
        kind,
        email: email.map(address),
        email_verified: false,
        name: None,
        external_id: None,
        metadata: Metadata::default(),
        billing_name: None,
        billing_address: None,
        tax_id: None,
        locale: None,
        owner_email: None,
    }
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn member(number: u128, role: MemberRole) -> Member {
    Member {
        id: MemberId::new(Uuid::from_u128(number)),
        organization: OrganizationId::new(Uuid::from_u128(2)),
        created_at: NOW,
        modified_at: None,
        customer_id: CustomerId::new(Uuid::from_u128(1)),
        email: address(&format!("m{number}@x.dev")),
        name: None,
        external_id: None,
        role,
    }
}

fn facts(kind: CustomerKind, member_model: bool, named: Option<Member>) -> SessionFacts {
    SessionFacts {
        customer: customer(kind, Some("c@x.dev")),
        member_model,
        named: named.as_ref().map(|member| MemberSelector::Id(member.id)),
        member: named,
        owner: Some(member(10, MemberRole::Owner)),
        caller_expires_at: None,
    }
}

fn begin(facts: SessionFacts) -> Result<StartedSession, PortalError> {
    start_session(facts, None, SessionId::new(Uuid::from_u128(3)), NOW)
}

#[test]
fn a_session_ends_with_the_token_that_starts_it() {
    for (token_s, session_s) in [(60, 60), (3600, 3600), (7200, 3600)] {
        let caller_expires_at = Some(NOW.plus_seconds(token_s));
        let facts = SessionFacts { caller_expires_at, ..facts(CustomerKind::Individual, true, None) };
        assert_eq!(begin(facts).unwrap().session.expires_at, NOW.plus_seconds(session_s));
    }
}

#[test]
fn a_session_of_an_individual_is_its_owners() {
    let started = begin(facts(CustomerKind::Individual, true, None)).unwrap();
    assert_eq!(started.session.member, Some(member(10, MemberRole::Owner).id));
    assert_eq!(started.email, Some(address("m10@x.dev")));
    assert_eq!(started.session.expires_at, NOW.plus_seconds(3600));
}

#[test]
fn a_session_of_a_team_needs_a_named_member() {
    assert_eq!(begin(facts(CustomerKind::Team, true, None)), Err(PortalError::MemberRequired));
    let named = member(11, MemberRole::Member);
    let started = begin(facts(CustomerKind::Team, true, Some(named.clone()))).unwrap();
    assert_eq!((started.session.member, started.email), (Some(named.id), Some(named.email)));
}

#[test]
fn without_the_member_model_a_session_has_no_member() {
    for kind in [CustomerKind::Individual, CustomerKind::Team] {
        let started = begin(facts(kind, false, None)).unwrap();
        assert_eq!((started.session.member, started.email), (None, Some(address("c@x.dev"))));
        let named = member(11, MemberRole::Member);
        let refused = begin(facts(kind, false, Some(named.clone())));
        assert_eq!(refused, Err(PortalError::MemberSessionsDisabled(MemberSelector::Id(named.id))));
    }
}

#[test]
fn a_member_of_another_customer_is_refused() {
    let mut facts = facts(CustomerKind::Team, true, Some(member(11, MemberRole::Member)));
    facts.member.as_mut().unwrap().customer_id = CustomerId::new(Uuid::from_u128(9));
    assert!(matches!(begin(facts), Err(PortalError::MemberUnknown(_))));
}

#[test]
fn the_role_decides_about_members_and_billing() {
    use MemberRole::{BillingManager, Member, Owner};
    let manage = |role, kind| manage_members(MemberManagementFacts { role, kind });
    for role in [Owner, BillingManager] {
        assert_eq!(manage(role, CustomerKind::Team), Ok(()));
        assert_eq!(manage(role, CustomerKind::Individual), Err(PortalError::NotATeamCustomer));
        assert_eq!(manage_billing(Some(role)), Ok(()));
    }
    assert_eq!(manage(Member, CustomerKind::Team), Err(PortalError::MemberManagementNotAllowed));
    assert_eq!(manage_billing(Some(Member)), Err(PortalError::BillingNotAllowed));
    assert_eq!(manage_billing(None), Ok(()));
}

#[test]
fn only_an_individual_can_ask_for_a_different_address() {
    let individual = customer(CustomerKind::Individual, Some("Ada@x.dev"));
    assert_eq!(check_new_email(&individual, &address("b@x.dev")), Ok(()));
    let same = address("ADA@x.dev");
    assert_eq!(check_new_email(&individual, &same), Err(PortalError::EmailUnchanged(same.clone())));
    let team = customer(CustomerKind::Team, None);
    assert_eq!(check_new_email(&team, &same), Err(PortalError::TeamEmailFixed(same)));
}

fn role() -> impl Strategy<Value = MemberRole> {
    prop::sample::select(MemberRole::ALL.to_vec())
}

proptest! {
    #[test]
    fn a_member_cannot_change_their_own_role(mine in role(), wanted in role()) {
        let me = member(20, mine);
        let allowed = change_member(&me, &me, Some(wanted));
        prop_assert_eq!(allowed.is_ok(), mine == wanted);
    }

    #[test]
    fn only_the_owner_can_transfer_ownership(mine in role(), theirs in role()) {
        prop_assume!(!(mine == MemberRole::Owner && theirs == MemberRole::Owner));
        let allowed = change_member(&member(20, mine), &member(21, theirs), Some(MemberRole::Owner));
        prop_assert_eq!(allowed.is_ok(), mine == MemberRole::Owner || theirs == MemberRole::Owner);
    }

    #[test]
    fn a_member_cannot_remove_themselves(mine in role(), other in 0_u128..40) {
        let allowed = remove_member(&member(20, mine), MemberId::new(Uuid::from_u128(other)));
        prop_assert_eq!(allowed.is_ok(), other != 20);
    }
}
