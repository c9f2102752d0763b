//! The queries of invitations.

use super::*;

pub(super) async fn all(tx: &mut Tx<'_>) {
    let facts = InviteFacts {
        organization: ORGANIZATION,
        invited_by: Some(USER),
        is_member: false,
        pending: None,
        pending_count: 0,
    };
    let new = NewInvitation {
        email: "invited@example.com".parse().unwrap(),
        name: None,
        role: TeamRole::Developer,
        expires_in: None,
        metadata: Default::default(),
    };
    let made = |id| match invite(facts.clone(), new.clone(), InvitationId::new(Uuid::from_u128(id)), at(1)) {
        Ok(Invited::New(invitation, None)) => *invitation,
        other => panic!("{other:?}"),
    };
    let one = made(40);
    let row = (ORGANIZATION, one.id);
    call!(tx.invitation_insert(&one, &TokenHash([40; 32])));
    call!(tx.invitation(ORGANIZATION, one.id));
    assert!(call!(tx.invitation_for_update(ORGANIZATION, one.id)).is_some());
    assert!(call!(tx.invitation_by_hash(&TokenHash([40; 32]))).is_some());
    assert!(call!(tx.invitation_pending_for_update(ORGANIZATION, &one.email)).is_some());
    assert_eq!(call!(tx.invitations_pending_count(ORGANIZATION)), 1);
    assert_eq!(call!(tx.invitations_waiting(&one.email, 10)), [row]);
    call!(tx.invitation_replace_secret(row, &TokenHash([40; 32]), &TokenHash([41; 32])));
    let statuses = InvitationStatus::ALL.map(Some).into_iter().chain([None]);
    for (status, query) in statuses.flat_map(|status| [(status, None), (status, Some("a".to_owned()))]) {
        let filter = InvitationFilter { status, query };
        for by in [InvitationSortKey::CreatedAt, InvitationSortKey::Email, InvitationSortKey::ExpiresAt] {
            call!(tx.invitations(ORGANIZATION, (&filter, at(1)), &[Order { by, descending: true }], PAGE));
        }
        call!(tx.invitations(ORGANIZATION, (&filter, at(1)), &[], PAGE));
    }
    call!(tx.invitation_update(&settle(&one, USER, at(2))));
    call!(tx.invitations_delete_accepted(ORGANIZATION, USER));
    call!(tx.invitation_insert(&made(42), &TokenHash([42; 32])));
    assert_eq!(call!(tx.invitations_delete_to(&one.email, 10)), 1);
    call!(tx.invitation_insert(&made(43), &TokenHash([43; 32])));
    assert_eq!(call!(tx.invitations_delete_expired(one.kept_until(), 10)), 1);
    // The purge of the organization finds one.
    call!(tx.invitation_insert(&made(44), &TokenHash([44; 32])));
}
