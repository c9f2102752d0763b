use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::user::User;

const NOW: Timestamp = Timestamp::from_micros(1_000_000_000_000);

fn user(number: u64, email: &str) -> User {
    User {
        id: UserId::new(Uuid::from_u64_pair(1, number)),
        created_at: NOW,
        email: email.parse().unwrap(),
        name: None,
        language: None,
        muted_notices: std::collections::BTreeSet::new(),
    }
}

fn id(number: u64) -> InvitationId {
    InvitationId::new(Uuid::from_u64_pair(2, number))
}

fn facts() -> InviteFacts {
    InviteFacts {
        organization: OrganizationId::new(Uuid::nil()),
        invited_by: None,
        is_member: false,
        pending: None,
        pending_count: 0,
    }
}

fn new(role: TeamRole) -> NewInvitation {
    let email = "Ada@x.dev".parse().unwrap();
    NewInvitation { email, name: None, role, expires_in: None, metadata: Metadata::default() }
}

fn made() -> Invitation {
    match invite(facts(), new(TeamRole::Analyst), id(1), NOW).unwrap() {
        Invited::New(invitation, None) => *invitation,
        other => panic!("{other:?}"),
    }
}

fn after(seconds: i64) -> Timestamp {
    NOW.plus_seconds(seconds)
}

#[test]
fn an_invitation_stands_for_seven_days_or_at_most_thirty() {
    let invitation = made();
    let end = after(DEFAULT_LIFETIME_S);
    assert_eq!((invitation.expires_at, invitation.status(NOW)), (end, InvitationStatus::Pending));
    assert_eq!(invitation.status(end), InvitationStatus::Expired);
    assert_eq!(invitation.status(after(DEFAULT_LIFETIME_S - 1)), InvitationStatus::Pending);
    let lasting = |seconds| {
        let expires_in = Some(Lifetime::from_seconds(seconds).unwrap());
        invite(facts(), NewInvitation { expires_in, ..new(TeamRole::Analyst) }, id(1), NOW)
    };
    assert!(lasting(MAX_LIFETIME_S).is_ok());
    assert_eq!(lasting(MAX_LIFETIME_S + 1), Err(InvitationError::LifetimeTooLong));
}

#[test]
fn an_address_has_one_pending_invitation() {
    let pending = InviteFacts { pending: Some(made()), pending_count: 1, ..facts() };
    let again = |role, now| invite(pending.clone(), new(role), id(2), now);
    assert_eq!(again(TeamRole::Analyst, NOW), Ok(Invited::Pending(Box::new(made()))));
    assert_eq!(again(TeamRole::Developer, NOW), Err(InvitationError::OtherPending(id(1))));
    // An expired one makes room.
    let Ok(Invited::New(another, Some(expired))) = again(TeamRole::Developer, after(DEFAULT_LIFETIME_S))
    else {
        panic!("not made")
    };
    assert_eq!((another.id, another.role, expired.id), (id(2), TeamRole::Developer, id(1)));
    let replaced = replace(&expired, after(DEFAULT_LIFETIME_S));
    assert_eq!(replaced.state, InvitationState::Revoked);
}

#[test]
fn some_people_are_not_invited() {
    let refused = |facts, role| invite(facts, new(role), id(1), NOW).unwrap_err();
    assert_eq!(refused(facts(), TeamRole::Owner), InvitationError::OwnerRole);
    let member = InviteFacts { is_member: true, ..facts() };
    assert_eq!(refused(member, TeamRole::Analyst), InvitationError::AlreadyMember);
    let full = InviteFacts { pending_count: PENDING_PER_ORGANIZATION, ..facts() };
    let most = InvitationError::TooManyPending(PENDING_PER_ORGANIZATION);
    assert_eq!(refused(full, TeamRole::Analyst), most);
}

#[test]
fn it_is_sent_again_a_few_times_with_time_between() {
    let mut invitation = made();
    let early = renew(&invitation, after(RESEND_AFTER_S - 1));
    assert_eq!(early, Err(InvitationError::SentJustNow { retry_after_s: 1 }));
    for round in 1..=RESENDS {
        let now = after(RESEND_AFTER_S * i64::from(round));
        invitation = renew(&invitation, now).unwrap();
        let end = now.plus_seconds(DEFAULT_LIFETIME_S);
        assert_eq!((invitation.issue_count, invitation.expires_at), (round + 1, end));
    }
    assert_eq!(renew(&invitation, after(1_000_000)), Err(InvitationError::SentTooOften));
}

#[test]
fn an_expired_one_is_sent_again_and_a_settled_one_is_not() {
    let late = after(DEFAULT_LIFETIME_S + 1);
    let renewed = renew(&made(), late).unwrap();
    assert_eq!(renewed.status(late), InvitationStatus::Pending);
    let revoked = revoke(&made(), NOW).unwrap();
    assert_eq!(renew(&revoked, late), Err(InvitationError::Settled(InvitationStatus::Revoked)));
}

#[test]
fn the_person_accepts_with_the_proved_address_of_the_invitation() {
    let (ada, eve) = (user(1, "ADA@x.dev"), user(2, "eve@x.dev"));
    let try_it = |invitation: &Invitation, user: &User, is_proved, is_suspended, now| {
        accept(invitation, &AcceptFacts { user, is_proved, is_suspended }, now)
    };
    assert_eq!(try_it(&made(), &ada, true, false, NOW), Ok(true));
    let other = Err(InvitationError::OtherAddress("A***@x.dev".to_owned()));
    assert_eq!(try_it(&made(), &eve, true, false, NOW), other);
    assert_eq!(try_it(&made(), &ada, false, false, NOW), Err(InvitationError::AddressUnproved));
    assert_eq!(try_it(&made(), &ada, true, true, NOW), Err(InvitationError::Suspended));
    let late = after(DEFAULT_LIFETIME_S);
    assert_eq!(try_it(&made(), &ada, true, false, late), Err(InvitationError::Expired));
    // The same person again, whatever has happened since.
    let accepted = settle(&made(), ada.id, NOW);
    assert_eq!(try_it(&accepted, &ada, false, true, late), Ok(false));
    assert_eq!(try_it(&accepted, &eve, true, false, NOW), other);
    let namesake = user(3, "ada@x.dev");
    let settled = Err(InvitationError::Settled(InvitationStatus::Accepted));
    assert_eq!(try_it(&accepted, &namesake, true, false, NOW), settled);
}

#[test]
fn revoking_and_declining_twice_is_no_change() {
    let revoked = revoke(&made(), NOW).unwrap();
    assert_eq!(revoke(&revoked, after(9)), Ok(revoked.clone()));
    assert_eq!(decline(&revoked, NOW), Err(InvitationError::Settled(InvitationStatus::Revoked)));
    let declined = decline(&made(), NOW).unwrap();
    assert_eq!(decline(&declined, after(9)), Ok(declined.clone()));
    assert_eq!(revoke(&declined, after(9)), Ok(declined));
    assert_eq!(decline(&made(), after(DEFAULT_LIFETIME_S)), Err(InvitationError::Expired));
    let accepted = settle(&made(), user(1, "ada@x.dev").id, NOW);
    let settled = Err(InvitationError::Settled(InvitationStatus::Accepted));
    assert_eq!(revoke(&accepted, NOW), settled);
    assert_eq!(decline(&accepted, NOW), settled);
}

#[test]
fn the_audit_image_names_nobody() {
    let named = Invitation { name: PersonName::parse("Ada Lovelace").unwrap(), ..made() };
    let image = crate::audit::image(&named).unwrap();
    assert!(image.contains(r#""email":"A***@x.dev""#), "{image}");
    assert!(!image.contains("Ada@") && !image.contains("Lovelace"), "{image}");
}

#[test]
fn every_status_has_its_name() {
    assert_eq!(InvitationStatus::ALL.map(InvitationStatus::as_str), InvitationStatus::NAMES);
    for status in InvitationStatus::ALL {
        assert_eq!(InvitationStatus::from_name(status.as_str()), Some(status));
    }
}

#[test]
fn a_link_has_the_secret_in_its_fragment() {
    assert_eq!(accept_url("https://t.example/", "abc"), "https://t.example/console/invitation#abc");
    assert_eq!(accept_url("http://127.0.0.1:8080", "abc"), "http://127.0.0.1:8080/console/invitation#abc");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Renew,
    Revoke,
    Decline,
    Accept,
    Settle,
}

proptest! {
    #[test]
    fn an_invitation_is_settled_once(
        steps in prop::collection::vec(
            (prop::sample::select(vec![Step::Renew, Step::Revoke, Step::Decline, Step::Accept, Step::Settle]), 1..800_000_i64),
            0..12,
        ),
    ) {
        let ada = user(1, "ada@x.dev");
        let (mut invitation, mut now, mut settled) = (made(), NOW, None);
        for (step, seconds) in steps {
            now = now.plus_seconds(seconds);
            let facts = AcceptFacts { user: &ada, is_proved: true, is_suspended: false };
            let next = match step {
                Step::Renew => renew(&invitation, now).ok(),
                Step::Revoke => revoke(&invitation, now).ok(),
                Step::Decline => decline(&invitation, now).ok(),
                Step::Accept => accept(&invitation, &facts, now).ok().filter(|settles| *settles)
                    .map(|_| settle(&invitation, ada.id, now)),
                Step::Settle => Some(&invitation).filter(|one| one.state == InvitationState::Pending)
                    .map(|pending| settle(pending, ada.id, now)),
            };
            invitation = next.unwrap_or(invitation);
            prop_assert_eq!(invitation.settled_at.is_some(), invitation.state != InvitationState::Pending);
            prop_assert_eq!(invitation.accepted_by.is_some(), invitation.state == InvitationState::Accepted);
            prop_assert!(invitation.issue_count <= RESENDS + 1);
            settled = settled.or(invitation.settled_at.map(|at| (invitation.state, at)));
            if let Some(first) = settled {
                prop_assert_eq!((invitation.state, invitation.settled_at), (first.0, Some(first.1)));
            }
        }
    }
}
