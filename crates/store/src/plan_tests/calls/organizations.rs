//! The queries of organizations, their operator and their imports.

use super::*;

pub(super) async fn all(tx: &mut Tx<'_>) {
    call!(tx.any_organization());
    let user = User {
        id: USER,
        created_at: at(1),
        email: "user@example.com".parse().unwrap(),
        name: None,
        language: None,
        muted_notices: std::collections::BTreeSet::new(),
    };
    call!(tx.user_insert(&user));
    call!(tx.user_by_email(&user.email));
    call!(tx.user(USER));
    call!(tx.user_by_email_for_update(&user.email));
    call!(tx.user_for_update(USER));
    call!(tx.users(Some(&user.email), 10));
    call!(tx.user_update_email(&user));
    call!(tx.user_update_profile(&user));
    call!(tx.user_is_verified(USER));
    call!(tx.organization_insert(&organization(ORGANIZATION, None)));
    call!(tx.organization_insert(&organization(CHILD, Some(ORGANIZATION))));
    call!(tx.organization(ORGANIZATION));
    let one = call!(tx.organization_for_update(ORGANIZATION)).unwrap();
    call!(tx.organization_by_slug("organization-1"));
    call!(tx.organization_update(&one));
    call!(tx.organization_update_suspension(&one));
    organization_imports(tx).await;
    call!(tx.organization_update_owner(&one));
    call!(tx.organization_is_open(ORGANIZATION));
    call!(tx.organization_in_any_state(ORGANIZATION));
    call!(tx.organization_parent(CHILD));
    call!(tx.sub_account_slugs(ORGANIZATION, 10));
    call!(tx.organizations_deleted());
    call!(tx.organizations_in_purge());
    call!(tx.organizations_to_purge(at(1), 10));
    call!(tx.organizations_open(&[ORGANIZATION, CHILD].into()));
    for (visible, slug) in [
        (Some(vec![ORGANIZATION]), None),
        (Some(vec![ORGANIZATION, CHILD]), None),
        (Some(vec![ORGANIZATION]), Some("organization-1".to_owned())),
    ] {
        let filter = OrganizationFilter { visible, slug, order: Vec::new() };
        call!(tx.organizations(&filter, PAGE));
    }
    operator(tx).await;
    call!(tx.sub_account(ORGANIZATION, CHILD));
    call!(tx.sub_account_for_update(ORGANIZATION, CHILD));
    call!(tx.sub_account_names(ORGANIZATION));
    call!(tx.sub_account_count(ORGANIZATION));
    call!(tx.sub_account_count_add(ORGANIZATION, 1));
    for edge in EDGES {
        call!(tx.sub_accounts_by_cursor(ORGANIZATION, Keyset { edge, limit: 10 }));
    }
    for organization in [ORGANIZATION, CHILD] {
        let new = TeamMember {
            organization,
            user: USER,
            email: member().email,
            name: None,
            role: TeamRole::Owner,
            created_at: at(1),
            modified_at: at(1),
            offered_until: None,
        };
        call!(tx.team_insert(&new));
        call!(tx.team_update(&new));
        call!(tx.team_update_person(&new));
    }
    call!(tx.team_member(ORGANIZATION, USER));
    call!(tx.team_member_offered(ORGANIZATION));
    call!(tx.team_member_unlocked(ORGANIZATION, USER));
    call!(tx.user_owned_organizations(USER));
    call!(tx.team(ORGANIZATION));
    call!(tx.team_oldest_first(ORGANIZATION));
    call!(tx.team_size(ORGANIZATION));
    call!(tx.user_organizations(USER));
    call!(tx.user_organizations_of_owner(USER, USER));
    call!(tx.user_organization_count(USER));
    call!(tx.user_organizations_after(USER, None, 10));
    call!(tx.access_token_count(ORGANIZATION));
    let entry = AuditEntry {
        id: AuditId::new(Uuid::from_u128(13)),
        organization: ORGANIZATION,
        at: at(1),
        actor: Actor::System,
        action: "member.created",
        subject: MEMBER.uuid(),
        before: None,
        after: Some("{}".to_owned()),
        request_id: None,
        credential: None,
        client: Client::default(),
    };
    call!(tx.audit_append(&entry));
    call!(tx.audit_images(ORGANIZATION, MEMBER.uuid(), None, 10));
    call!(tx.audit_images_replace(ORGANIZATION, (entry.id, None, None)));
    call!(tx.audit_count(ORGANIZATION, "member.created", MEMBER.uuid()));
    call!(tx.audit_log(ORGANIZATION));
    call!(tx.audit_entry(ORGANIZATION, entry.id));
    call!(tx.audit_actor_names(ORGANIZATION, &[USER.uuid(), TOKEN.uuid()]));
    call!(tx.audit_days(ORGANIZATION));
    call!(tx.audit_days_set(ORGANIZATION, Some(30)));
    call!(tx.audit_retentions(None, 10));
    call!(tx.audit_entries_to_sweep(ORGANIZATION, at(1), 10));
    call!(tx.audit_swept(ORGANIZATION, entry.id));
    call!(tx.audit_entries_of_person(ORGANIZATION, MEMBER.uuid(), None, 10));
    call!(tx.audit_client_remove(ORGANIZATION, entry.id));
    for filters in 0..16_u8 {
        let set = |bit: u8| filters & bit != 0;
        let filter = AuditFilter {
            subject: set(1).then_some(MEMBER.uuid()),
            actor: set(2).then_some(USER.uuid()),
            action: set(4).then(|| "member.created".to_owned()),
            from: set(8).then_some(at(1)),
            before: set(8).then_some(at(2)),
        };
        for edge in [Edge::Newest, Edge::After(entry.id.uuid()), Edge::Before(entry.id.uuid())] {
            call!(tx.audit_entries(ORGANIZATION, &filter, Keyset { edge, limit: 10 }));
        }
        call!(tx.audit_entries_after(ORGANIZATION, &filter, None, 10));
    }
    call!(tx.audit_entries_before(at(1), 10));
    for key in [
        RowKey::AccessToken(TOKEN.uuid()),
        RowKey::AuditEntry(entry.id.uuid()),
        RowKey::Customer(CUSTOMER.uuid()),
        RowKey::Member(MEMBER.uuid()),
        RowKey::WebhookEndpoint(ENDPOINT.uuid()),
        RowKey::WebhookEvent(EVENT.uuid()),
    ] {
        call!(tx.organizations_with_row(key, vec![ORGANIZATION, CHILD]));
    }
    call!(tx.audit_entry_delete(CHILD, AuditId::new(Uuid::from_u128(1))));
}

async fn operator(tx: &mut Tx<'_>) {
    call!(tx.user_set_operator(USER, Some(at(1))));
    call!(tx.user_operator_since(USER));
    let states =
        [OrganizationStateFilter::Live, OrganizationStateFilter::Suspended, OrganizationStateFilter::Deleted];
    for state in states {
        for text in [None, Some("organization".to_owned())] {
            for among in [None, Some(vec![ORGANIZATION])] {
                for edge in EDGES {
                    let filter = OperatorFilter { text: text.clone(), among: among.clone(), state };
                    call!(tx.operator_organizations(&filter, Keyset { edge, limit: 10 }));
                }
            }
        }
    }
    call!(tx.operator_organization(ORGANIZATION));
    call!(tx.organization_slugs(&[ORGANIZATION]));
    call!(tx.user_emails(&[USER]));
    call!(tx.users_who_mute(&[USER], tenantry_core::user::NoticeTopic::Webhooks));
    call!(tx.webhook_backlog(at(1), 10));
    call!(tx.mail_backlog(at(1), 10));
    call!(tx.import_backlog(at(1), 10));
}

async fn organization_imports(tx: &mut Tx<'_>) {
    let import = OrganizationImportMark {
        organization: ORGANIZATION,
        root: ORGANIZATION,
        import: Uuid::from_u128(20),
        leased_until: Some(at(1)),
        has_new_slug: true,
    };
    call!(tx.organization_import_insert(&import));
    call!(tx.organization_import(ORGANIZATION));
    call!(tx.organization_is_in_import(ORGANIZATION));
    call!(tx.organization_imports(ORGANIZATION));
    call!(tx.organization_imports_abandoned(at(2), 10));
    call!(tx.organization_import_lease(ORGANIZATION, Uuid::from_u128(21), at(3)));
    call!(tx.organization_import_delete(ORGANIZATION));
    call!(tx.organization_reveal(ORGANIZATION));
}
