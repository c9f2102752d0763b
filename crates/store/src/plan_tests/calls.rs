//! Calls every query of the store, in every variant of its SQL text. One file of calls, grouped by nouns, so that a new
//! query finds its place beside those of its noun.
#![expect(clippy::too_many_lines, reason = "each function is a list of calls, one for each query of a noun")]

use std::num::NonZeroU32;

use tenantry_core::Timestamp;
use tenantry_core::audit::{Actor, AuditEntry, Client};
use tenantry_core::console::{Browser, ConsoleSession, Proof, SignIn};
use tenantry_core::customer::{Customer, CustomerKind, ImportCounts, ImportFormat, ImportState, OnMatch};
use tenantry_core::ids::*;
use tenantry_core::invitation::{InvitationStatus, InviteFacts, Invited, NewInvitation, invite, settle};
use tenantry_core::mail::{MailBudget, MailContent, MailQueue, QueuedMail};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, Organization, create};
use tenantry_core::passkey::{Ceremony, CeremonyPurpose, Passkey};
use tenantry_core::portal::{CustomerSession, EmailUpdate, PortalSignIn};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::token::{
    AccessToken, PreviousSecret, ScopeGrants, Scopes, SecretKind, TokenHash, UserToken,
};
use tenantry_core::user::User;
use tenantry_core::webhook::{
    EndpointUrl, Event, EventData, EventState, EventType, SigningSecret, WebhookEndpoint, WebhookFormat,
};
use uuid::Uuid;

use super::called;
use crate::*;

/// Calls a method, requires success, and records its statements under its name.
macro_rules! call {
    ($tx:ident.$method:ident($($argument:expr),* $(,)?)) => {{
        called(stringify!($method));
        $tx.$method($($argument),*).await.unwrap()
    }};
}

const ORGANIZATION: OrganizationId = OrganizationId::new(Uuid::from_u128(1));
const CHILD: OrganizationId = OrganizationId::new(Uuid::from_u128(2));
const USER: UserId = UserId::new(Uuid::from_u128(3));
const CUSTOMER: CustomerId = CustomerId::new(Uuid::from_u128(4));
const MEMBER: MemberId = MemberId::new(Uuid::from_u128(5));
const TOKEN: TokenId = TokenId::new(Uuid::from_u128(6));
const USER_TOKEN: UserTokenId = UserTokenId::new(Uuid::from_u128(7));
const ENDPOINT: WebhookEndpointId = WebhookEndpointId::new(Uuid::from_u128(8));
const EVENT: WebhookEventId = WebhookEventId::new(Uuid::from_u128(9));
const SESSION: SessionId = SessionId::new(Uuid::from_u128(10));
const EMAIL_UPDATE: EmailUpdateId = EmailUpdateId::new(Uuid::from_u128(11));
const MAIL: MailId = MailId::new(Uuid::from_u128(12));
const IMPORT: ImportId = ImportId::new(Uuid::from_u128(13));
const PAGE: Page = Page { offset: 0, limit: 10 };
const EDGES: [Edge; 3] = [Edge::Newest, Edge::After(Uuid::from_u128(99)), Edge::Before(Uuid::from_u128(1))];

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn organization(id: OrganizationId, parent: Option<OrganizationId>) -> Organization {
    let new = NewOrganization {
        name: "Organization".parse().unwrap(),
        slug: format!("organization-{}", id.uuid().as_u128()).parse().unwrap(),
        change: Default::default(),
    };
    let state = InitialState::for_operator(FeatureSettings::for_new_organization());
    Organization { parent, ..create(new, state, id, USER, at(1)).unwrap() }
}

fn customer() -> Customer {
    Customer {
        id: CUSTOMER,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        deleted_at: None,
        kind: CustomerKind::Team,
        email: None,
        email_verified: false,
        name: None,
        external_id: Some("c1".parse().unwrap()),
        metadata: serde_json::from_str(r#"{"a":1}"#).unwrap(),
        billing_name: None,
        billing_address: None,
        tax_id: None,
        locale: None,
        owner_email: None,
    }
}

fn member() -> Member {
    Member {
        id: MEMBER,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        customer_id: CUSTOMER,
        email: "member@example.com".parse().unwrap(),
        name: None,
        external_id: Some("m1".parse().unwrap()),
        role: MemberRole::Owner,
    }
}

/// Calls every query in an order in which each finds rows. The rows are kept.
pub(super) async fn all(tx: &mut Tx<'_>) {
    organizations(tx).await;
    credentials(tx).await;
    invitations(tx).await;
    customers(tx).await;
    members(tx).await;
    portal(tx).await;
    webhooks(tx).await;
    idempotency(tx).await;
    installation(tx).await;
    imports(tx).await;
    deletions(tx).await;
}

async fn imports(tx: &mut Tx<'_>) {
    let import = CustomerImport {
        organization: ORGANIZATION,
        id: IMPORT,
        owner: USER,
        created_at: at(1),
        finished_at: None,
        secret: Some(TokenHash([1; 32])),
        request_id: None,
        state: ImportState::Running,
        stop_reason: None,
        format: ImportFormat::Csv,
        columns: "email".to_owned(),
        on_match: OnMatch::Skip,
        is_dry_run: false,
        bytes: 0,
        rows: 2,
        counts: ImportCounts::default(),
        stored_bytes: 0,
        attempts: 0,
        due_at: Some(at(1)),
        expires_at: None,
    };
    let key = (ORGANIZATION, IMPORT);
    call!(tx.customer_import_insert(&import));
    call!(tx.customer_import_start(&import));
    call!(tx.customer_import_save(&import));
    call!(tx.customer_import(ORGANIZATION, IMPORT));
    call!(tx.customer_import_for_update(ORGANIZATION, IMPORT));
    call!(tx.customer_import_chunk_insert(key, 1, b"a"));
    call!(tx.customer_import_chunk(ORGANIZATION, IMPORT));
    call!(tx.customer_import_failure_insert(key, 1, "[]"));
    call!(tx.customer_import_failures(ORGANIZATION, IMPORT, PAGE));
    call!(tx.customer_import_key_insert(key, "e:a"));
    call!(tx.customer_import_has_key(key, "e:a"));
    call!(tx.customer_imports_unfinished(USER, ImportState::Running, at(1)));
    call!(tx.customer_imports_stored(USER));
    call!(tx.customer_imports_due(at(1), 10));
    call!(tx.customer_imports_due_of(ORGANIZATION, at(1)));
    call!(tx.customer_import_next_due_of(ORGANIZATION));
    call!(tx.customer_import_lease(key, at(1), at(2)));
    call!(tx.customer_imports_expired(at(1), 10));
    call!(tx.customer_import_chunk_delete(key, 2));
    call!(tx.customer_imports_fail_all("restored", at(3), at(4)));
    call!(tx.customer_imports_expire(USER, at(5), (0, 10)));
    call!(tx.customer_import_chunks_delete(key, 10));
    call!(tx.customer_import_delete(ORGANIZATION, IMPORT, 10));
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
    call!(tx.webhook_backlog(at(1), 10));
    call!(tx.mail_backlog(at(1), 10));
    call!(tx.import_backlog(at(1), 10));
}

async fn organizations(tx: &mut Tx<'_>) {
    call!(tx.any_organization());
    let user = User {
        id: USER,
        created_at: at(1),
        email: "user@example.com".parse().unwrap(),
        name: None,
        language: None,
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

async fn credentials(tx: &mut Tx<'_>) {
    let token = AccessToken {
        id: TOKEN,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        last_used_at: None,
        previous_secret: None,
        label: "token".to_owned(),
        grants: ScopeGrants::new(Scopes::everything(), at(1)),
        ip_allow_list: Default::default(),
        expires_at: None,
        created_by: None,
    };
    let of_child =
        AccessToken { id: TokenId::new(Uuid::from_u128(14)), organization: CHILD, ..token.clone() };
    call!(tx.access_token_insert(&token, &TokenHash([1; 32])));
    call!(tx.api_key_insert(&of_child, &TokenHash([2; 32])));
    let of_user = UserToken {
        id: USER_TOKEN,
        user: USER,
        created_at: at(1),
        scopes: Scopes::everything(),
        expires_at: None,
        last_used_at: None,
        previous_secret: None,
    };
    call!(tx.user_token_insert(&of_user, &TokenHash([3; 32])));
    for hash in [1, 2, 3] {
        assert!(call!(tx.credential_owner(&TokenHash([hash; 32]), at(1))).is_some());
    }
    call!(tx.access_token(ORGANIZATION, TOKEN));
    call!(tx.access_token_for_update(ORGANIZATION, TOKEN));
    call!(tx.organization_of_token(TOKEN));
    call!(tx.access_token_update(&token));
    call!(tx.user_token(USER_TOKEN));
    let session = ConsoleSession {
        id: UserTokenId::new(Uuid::from_u128(31)),
        user: USER,
        created_at: at(1),
        expires_at: at(9),
        last_used_at: None,
        proof: Proof::Code,
        proved_at: at(1),
        browser: Browser::default(),
    };
    call!(tx.console_session_insert(&session, &TokenHash([31; 32])));
    call!(tx.console_session_for_update(USER, session.id));
    call!(tx.console_session_update_proof(&session));
    call!(tx.console_sessions(USER, at(1)));
    assert!(call!(tx.credential_owner(&TokenHash([31; 32]), at(1))).is_some());
    assert!(call!(tx.console_session_delete(USER, session.id)).is_some());
    call!(tx.console_session_insert(&session, &TokenHash([31; 32])));
    let sign_in = SignIn {
        user: Some(USER),
        email_key: None,
        new_email: None,
        created_at: at(1),
        expires_at: at(9),
        code_hash: TokenHash([32; 32]),
        failed_tries: 0,
    };
    let browser = TokenHash([33; 32]);
    call!(tx.sign_in_insert(&browser, &sign_in));
    call!(tx.sign_in_for_update(&browser));
    call!(tx.sign_in_count_failure(&browser));
    passkeys(tx).await;
    call!(tx.console_delete_expired(at(10), 10));
    call!(tx.sign_in_delete(&browser));
    call!(tx.user_mark_verified(USER, at(1)));
    call!(tx.organization_numbers(ORGANIZATION));
    call!(tx.user_tokens(None, 10));
    call!(tx.tokens_of_user(USER));
    let previous = Some(PreviousSecret { expires_at: at(9), last_used_at: None });
    for (token, kind, n) in [
        (TokenRef::Organization(ORGANIZATION, TOKEN), SecretKind::OrganizationToken, 1),
        (TokenRef::User(USER_TOKEN), SecretKind::UserToken, 3),
    ] {
        call!(tx.secret_subject(&TokenHash([n; 32])));
        call!(tx.token_secrets(token));
        call!(tx.token_secret_kind(token));
        call!(tx.token_secret_replace(token, (kind, &TokenHash([20 + n; 32])), previous));
        for is_previous in [false, true] {
            call!(tx.token_record_use(&TokenUse { token, is_previous, at: at(2) }));
        }
        call!(tx.token_previous_secret_end(token, &TokenHash([n; 32])));
    }
    for organizations in [vec![ORGANIZATION], vec![ORGANIZATION, CHILD]] {
        let order = [Order { by: AccessTokenKey::CreatedAt, descending: true }];
        for expires_before in [None, Some(at(1))] {
            call!(tx.access_tokens(&organizations, expires_before, &order, PAGE));
        }
    }
    for edge in EDGES {
        call!(tx.access_tokens_by_cursor(ORGANIZATION, Keyset { edge, limit: 10 }));
    }
}

async fn invitations(tx: &mut Tx<'_>) {
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

async fn passkeys(tx: &mut Tx<'_>) {
    let passkey = Passkey {
        id: PasskeyId::new(Uuid::from_u128(34)),
        user: USER,
        created_at: at(1),
        modified_at: None,
        last_used_at: None,
        name: "Laptop".parse().unwrap(),
        credential_id: vec![34],
        credential: "{}".to_owned(),
    };
    call!(tx.passkey_insert(&passkey));
    call!(tx.passkeys(USER));
    call!(tx.passkey_for_update(passkey.id));
    assert!(call!(tx.passkey_by_credential(&[34])).is_some());
    call!(tx.passkey_update(&passkey));
    call!(tx.passkey_delete(passkey.id));
    let ceremony =
        Ceremony { purpose: CeremonyPurpose::SignIn, user: None, expires_at: at(9), state: "{}".to_owned() };
    call!(tx.passkey_ceremony_insert(&TokenHash([35; 32]), &ceremony));
    assert!(call!(tx.passkey_ceremony_take(&TokenHash([35; 32]))).is_some());
    // The sweep finds it.
    call!(tx.passkey_ceremony_insert(&TokenHash([35; 32]), &ceremony));
    call!(tx.recovery_codes_replace(USER, &[TokenHash([36; 32])], at(1)));
    call!(tx.recovery_code_count(USER));
    assert!(call!(tx.recovery_code_user(&TokenHash([36; 32]))).is_some());
    call!(tx.recovery_code_delete(&TokenHash([36; 32])));
    call!(tx.passkeys_oldest(10));
    call!(tx.recovery_codes_delete(USER));
    call!(tx.known_browser_save(USER, &TokenHash([37; 32]), at(1)));
    call!(tx.known_browsers(USER));
    call!(tx.known_browser_delete(USER, &TokenHash([37; 32])));
    call!(tx.organization_passkey_required_at(ORGANIZATION));
    call!(tx.organization_update_passkey_required_at(ORGANIZATION, None));
}

async fn customers(tx: &mut Tx<'_>) {
    let one = customer();
    call!(tx.customer_insert(&one));
    call!(tx.member_insert(&member(), CustomerKind::Team));
    call!(tx.customer_for_share(ORGANIZATION, CUSTOMER));
    call!(tx.customer(ORGANIZATION, CUSTOMER));
    call!(tx.customer_for_update(ORGANIZATION, CUSTOMER));
    call!(tx.customer_by_external_id(ORGANIZATION, "c1"));
    call!(tx.customer_email_taken(ORGANIZATION, &member().email, None));
    call!(tx.customer_by_email(ORGANIZATION, &member().email));
    let metadata = serde_json::from_str(r#"{"a":2}"#).unwrap();
    let changed = Customer { metadata, kind: CustomerKind::Individual, ..one.clone() };
    call!(tx.customer_update(&one, &changed));
    let of = |organizations: &[OrganizationId]| CustomerFilter {
        organizations: organizations.to_vec(),
        ..CustomerFilter::default()
    };
    let one = of(&[ORGANIZATION]);
    for filter in [
        one.clone(),
        of(&[ORGANIZATION, CHILD]),
        CustomerFilter { email_key: Some("a@b.example".to_owned()), ..one.clone() },
        CustomerFilter { query: Some("a".to_owned()), ..one.clone() },
        CustomerFilter { kind: Some(CustomerKind::Team), ..one.clone() },
        CustomerFilter { metadata: vec![("a".to_owned(), vec!["2".to_owned()])], ..one.clone() },
        CustomerFilter {
            metadata: vec![("a".to_owned(), vec!["2".to_owned(), "3".to_owned()])],
            ..one.clone()
        },
        CustomerFilter { order: vec![Order { by: CustomerKey::CreatedAt, descending: false }], ..one },
    ] {
        call!(tx.customers(&filter, PAGE));
    }
    call!(tx.customers_after(ORGANIZATION, None, 10));
    call!(tx.deleted_customer(ORGANIZATION, CUSTOMER));
    call!(tx.deleted_members(ORGANIZATION, CUSTOMER, None, 10));
    call!(tx.first_members_of_customer(ORGANIZATION, CUSTOMER, 10));
    let deletion = CustomerDeletion {
        organization: ORGANIZATION,
        customer: CUSTOMER,
        created_at: at(1),
        request_id: None,
        step: DeletionStep::Members,
        anonymize: true,
        seed: vec![1; 32],
        member: None,
        entry: None,
    };
    call!(tx.customer_deletion_save(&deletion));
    call!(tx.customer_deletion(ORGANIZATION, CUSTOMER));
    call!(tx.customer_deletions(10));
    call!(tx.customer_deletion_finish(ORGANIZATION, CUSTOMER));
}

async fn members(tx: &mut Tx<'_>) {
    let one = member();
    call!(tx.member(ORGANIZATION, MEMBER));
    call!(tx.member_by_email(ORGANIZATION, CUSTOMER, &one.email));
    call!(tx.member_by_external_id(ORGANIZATION, CUSTOMER, "m1"));
    call!(tx.member_conflicts(ORGANIZATION, CUSTOMER, &one.email, Some("m1")));
    call!(tx.customer_owner(ORGANIZATION, CUSTOMER));
    call!(tx.members_of_customer(ORGANIZATION, CUSTOMER));
    call!(tx.members_by_email(ORGANIZATION, CUSTOMER, PAGE));
    call!(tx.members_with_email(ORGANIZATION, "new@example.com", 10));
    call!(tx.members_after(ORGANIZATION, None, 10));
    call!(tx.member_update(&one));
    let all = MemberFilter { organizations: vec![ORGANIZATION], ..MemberFilter::default() };
    for filter in [
        all.clone(),
        MemberFilter { organizations: vec![ORGANIZATION, CHILD], ..all.clone() },
        MemberFilter { customer: Some(CUSTOMER), ..all.clone() },
        MemberFilter { customer: Some(CUSTOMER), role: Some(MemberRole::Owner), ..all.clone() },
        MemberFilter { external_customer: Some("c1".to_owned()), ..all.clone() },
        MemberFilter { oldest_first: true, ..all },
    ] {
        call!(tx.members(&filter, PAGE));
    }
}

async fn portal(tx: &mut Tx<'_>) {
    let session = CustomerSession {
        id: SESSION,
        organization: ORGANIZATION,
        created_at: at(1),
        expires_at: at(1_000),
        customer: CUSTOMER,
        member: Some(MEMBER),
        return_url: None,
    };
    call!(tx.customer_session_insert(&session, &TokenHash([4; 32])));
    assert!(call!(tx.credential_owner(&TokenHash([4; 32]), at(1))).is_some());
    let update = EmailUpdate {
        id: EMAIL_UPDATE,
        organization: ORGANIZATION,
        customer: CUSTOMER,
        created_at: at(1),
        expires_at: at(1_000),
        email: "new@example.com".parse().unwrap(),
    };
    call!(tx.email_update_replace(&update, &TokenHash([5; 32])));
    assert!(call!(tx.email_update_by_hash(&TokenHash([5; 32]), at(1))).is_some());
    assert!(call!(tx.email_update_consume(&update)));
    call!(tx.email_update_replace(&update, &TokenHash([5; 32])));
    call!(tx.email_update_delete(ORGANIZATION, CUSTOMER));
    call!(tx.email_update_replace(&update, &TokenHash([5; 32])));
    call!(tx.customer_sessions(ORGANIZATION, CUSTOMER, at(1)));
    call!(tx.customer_session_end(ORGANIZATION, CUSTOMER, SessionId::new(Uuid::from_u128(77))));
    call!(tx.customer_session_count(ORGANIZATION, CUSTOMER, at(1)));
    call!(tx.customer_sessions_delete(ORGANIZATION, CUSTOMER, Some(MEMBER)));
    call!(tx.customer_session_insert(&session, &TokenHash([4; 32])));
    call!(tx.portal_delete_expired(at(2_000), 10));
    let sign_in = PortalSignIn {
        organization: ORGANIZATION,
        customer: Some(CUSTOMER),
        email_key: Some("new@example.com".to_owned()),
        created_at: at(1),
        expires_at: at(9),
        code_hash: TokenHash([34; 32]),
        failed_tries: 0,
        proved_at: None,
    };
    let code = TokenHash([35; 32]);
    assert!(call!(tx.portal_sign_in_insert(&code, &sign_in)));
    assert!(!call!(tx.portal_sign_in_insert(&code, &sign_in)));
    call!(tx.portal_sign_in_count_failure(&code));
    call!(tx.portal_sign_in_prove(&code, at(2)));
    let sign_in = PortalSignIn { failed_tries: 1, proved_at: Some(at(2)), ..sign_in };
    assert_eq!(call!(tx.portal_sign_in(&code)), Some(sign_in.clone()));
    assert_eq!(call!(tx.portal_sign_in_for_update(&code)), Some(sign_in));
    assert_eq!(call!(tx.portal_sign_ins_delete_expired(at(10), 10)), 1);
    assert!(!call!(tx.portal_sign_in_delete(&code)));
    let mail = QueuedMail {
        id: MAIL,
        organization: ORGANIZATION,
        created_at: at(1),
        expires_at: None,
        to: "new@example.com".parse().unwrap(),
        content: MailContent::TeamMemberAdded {
            organization: "One".into(),
            role: TeamRole::Developer,
            inviter: None,
        },
        sealed: None,
        due_at: at(1),
        attempts: 0,
        queue: MailQueue::Invitations,
        is_counted: false,
        about: ORGANIZATION,
        user: Some(USER),
        language: None,
    };
    call!(tx.mail_insert(&mail));
    call!(tx.mails_lease(at(5), [at(10), at(20)], 10, None));
    call!(tx.mails_lease(at(5), [at(10), at(20)], 10, Some(ORGANIZATION)));
    call!(tx.mail_next_due_of(ORGANIZATION));
    call!(tx.mail_account(ORGANIZATION));
    call!(tx.access_token_notices_due(at(5), 10));
    call!(tx.access_token_notice_for_update((ORGANIZATION, TOKEN), at(5)));
    call!(tx.access_token_notice_set((ORGANIZATION, TOKEN), None));
    call!(tx.user_token_notices_due(at(5), 10));
    call!(tx.user_token_notice_for_update(USER_TOKEN, at(5)));
    call!(tx.user_token_notice_set(USER_TOKEN, None));
    call!(tx.organization_owner(ORGANIZATION));
    call!(tx.mail_mark_counted(&mail));
    call!(tx.mail_return(&mail, at(6)));
    let budget = MailBudget::daily(NonZeroU32::MIN);
    call!(tx.webhook_budget_take(USER, (1, 10), at(5)));
    call!(tx.mail_budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5)));
    assert!(call!(tx.mail_budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_some());
    assert!(call!(tx.mail_budget_wait((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_some());
    call!(tx.mail_budget_return((ORGANIZATION, TokenHash([6; 32])), budget));
    assert!(call!(tx.mail_budget_wait((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_none());
    call!(tx.mail_budgets_delete_full(at(100_000_000_000), 10));
    call!(tx.mail_postpone(&mail, at(30), at(5)));
    call!(tx.mail_delete_leased(&mail, at(5)));
    call!(tx.mails_pending(ORGANIZATION, MailQueue::Notices, 10));
    call!(tx.mail_delete(&mail, at(5)));
    call!(tx.mails_delete_all());
}

async fn webhooks(tx: &mut Tx<'_>) {
    let endpoint = WebhookEndpoint {
        id: ENDPOINT,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        url: EndpointUrl::from_stored("https://hooks.example.com/".to_owned()),
        name: None,
        format: WebhookFormat::Raw,
        secret: Some(SigningSecret::from_stored("0123456789abcdef0123456789abcdef".to_owned())),
        previous_secret: None,
        events: vec![EventType::CustomerCreated],
        enabled: true,
        enabled_since: at(1),
        disabled_reason: None,
    };
    call!(tx.webhook_endpoint_insert(&endpoint, USER));
    call!(tx.webhook_endpoint(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_endpoints_subscribed(ORGANIZATION, EventType::CustomerCreated));
    call!(tx.webhook_endpoint_count(ORGANIZATION));
    for organizations in [vec![ORGANIZATION], vec![ORGANIZATION, CHILD]] {
        call!(tx.webhook_endpoints(&organizations, PAGE));
    }
    call!(tx.webhook_endpoint_update(&endpoint, &endpoint));
    call!(tx.webhook_endpoint_is_deleted(ORGANIZATION, ENDPOINT));
    let event = Event {
        id: EVENT,
        organization: ORGANIZATION,
        endpoint: ENDPOINT,
        created_at: at(1),
        event_type: EventType::CustomerCreated,
        data: EventData::Customer(Box::new(customer())),
    };
    call!(tx.webhook_event_insert(&event));
    call!(tx.webhook_queues_due(at(5), 10, 10));
    call!(tx.webhook_queues_of(ORGANIZATION, at(5)));
    let first =
        DueQueue { organization: ORGANIZATION, endpoint: ENDPOINT, queue: DeliveryQueue::FirstAttempts };
    let retries = DueQueue { queue: DeliveryQueue::Retries, ..first };
    assert!(call!(tx.webhook_queue_lease(first, at(5), at(20))));
    call!(tx.webhook_target(first));
    let mut row = call!(tx.webhook_queue_next_event(first, at(5))).unwrap();
    call!(tx.webhook_queue_next_event(retries, at(5)));
    call!(tx.webhook_event(ORGANIZATION, EVENT));
    call!(tx.webhook_event_endpoint(ORGANIZATION, EVENT));
    row.state = EventState::Failed;
    call!(tx.webhook_event_record_attempt(&row, Some(500), Some(at(9)), at(6)));
    call!(tx.webhook_queue_release(first, at(20)));
    call!(tx.webhook_queue_postpone(first, at(6), at(8)));
    call!(tx.webhook_queues_lock(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_queues_reschedule(ORGANIZATION, ENDPOINT, at(7)));
    let delivery = WebhookDelivery {
        id: WebhookDeliveryId::new(Uuid::from_u128(15)),
        organization: ORGANIZATION,
        endpoint: ENDPOINT,
        event: EVENT,
        created_at: at(2),
        succeeded: false,
        http_code: Some(500),
        response: None,
    };
    call!(tx.webhook_delivery_append(&delivery));
    let all = WebhookDeliveryFilter { organizations: vec![ORGANIZATION], ..Default::default() };
    for filter in [
        all.clone(),
        WebhookDeliveryFilter { endpoints: vec![ENDPOINT], ..all.clone() },
        WebhookDeliveryFilter {
            after: Some(at(1)),
            before: Some(at(9)),
            succeeded: Some(false),
            ..all.clone()
        },
        WebhookDeliveryFilter {
            http_code_from: Some(500),
            event_types: vec![EventType::CustomerCreated],
            query: Some("a".to_owned()),
            ..all
        },
    ] {
        call!(tx.webhook_deliveries(&filter, PAGE));
    }
    call!(tx.webhook_event_redeliver(&row, at(8)));
    call!(tx.webhook_events_completed(&endpoint, 10));
    call!(tx.webhook_events_skip(ORGANIZATION, ENDPOINT, at(9), 10));
    call!(tx.webhook_events_lock(ORGANIZATION, CUSTOMER));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.webhook_events_delete_data(ORGANIZATION, CUSTOMER));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.customer_events(ORGANIZATION, CUSTOMER, None, 10));
    call!(tx.webhook_event_delete_data(ORGANIZATION, EVENT));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.webhook_events_archive(at(100), 10));
    call!(tx.webhook_events_delete_archived(at(100), 10));
    call!(tx.webhook_events_pending(None, 10));
    let pending = PendingEvent { organization: ORGANIZATION, id: EVENT, endpoint: ENDPOINT };
    call!(tx.webhook_event_fail_pending(pending, at(10)));
    call!(tx.webhook_queues_clear());
}

async fn idempotency(tx: &mut Tx<'_>) {
    let claim = IdempotencyClaim { space: ORGANIZATION.into(), key: "key".to_owned(), fingerprint: [1; 32] };
    let response = StoredResponse { status: 201, body: b"{}".to_vec() };
    call!(tx.idempotency_state(&claim, at(1)));
    call!(tx.idempotency_claim(&claim, at(1), at(100)));
    call!(tx.idempotency_store_response(&claim, &response, Some(at(50))));
    call!(tx.idempotency_delete_sealed_responses(at(60), 10));
    call!(tx.idempotency_delete_expired(at(200), 10));
}

async fn installation(tx: &mut Tx<'_>) {
    call!(tx.installation_value_ensure("a", b"1"));
    call!(tx.installation_value("a"));
    call!(tx.installation_has_value("a"));
    call!(tx.installation_value_replace("a", b"2"));
    call!(tx.installation_value_for_update("a"));
    call!(tx.installation_value_delete("a"));
    call!(tx.installation_write_heartbeat(at(1)));
}

async fn deletions(tx: &mut Tx<'_>) {
    let deletion = UserDeletion {
        user: USER,
        created_at: at(1),
        actor: Actor::System,
        request_id: None,
        seed: vec![1],
        entry: None,
    };
    let email_change = UserEmailChange {
        user: USER,
        created_at: at(1),
        email: member().email,
        actor: Actor::System,
        request_id: None,
        last_organization: None,
    };
    call!(tx.user_email_change_save(&email_change));
    call!(tx.user_email_change(USER));
    call!(tx.user_email_changes(10));
    call!(tx.user_email_change_finish(USER));
    call!(tx.customer_session_delete(ORGANIZATION, SESSION, &TokenHash([4; 32])));
    call!(tx.former_team_member_insert(USER, CHILD));
    call!(tx.former_team_member_first(USER));
    call!(tx.former_team_member_delete(USER, CHILD));
    call!(tx.user_deletion_save(&deletion));
    call!(tx.user_deletion(USER));
    call!(tx.user_deletions(10));
    call!(tx.user_deletion_finish(USER));
    call!(tx.user_delete(USER));
    call!(tx.idempotency_delete_of_user(USER, 10));
    call!(tx.user_has_token(USER));
    call!(tx.user_tokens_delete(USER, 10));
    call!(tx.webhook_queues_delete(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_endpoint_delete(ORGANIZATION, ENDPOINT, at(9)));
    call!(tx.members_delete(ORGANIZATION, CUSTOMER, (0, MEMBER), at(9)));
    call!(tx.member_delete(&member(), at(9)));
    call!(tx.customer_delete(&customer(), at(9)));
    call!(tx.members_to_restore(ORGANIZATION, CUSTOMER, 10));
    call!(tx.member_restore(&member()));
    call!(tx.customer_restore(&customer()));
    call!(tx.customer_delete(&customer(), at(9)));
    call!(tx.customers_to_anonymize(at(99), 10));
    call!(tx.customer_anonymize(&customer(), &customer(), at(10)));
    call!(tx.team_delete(CHILD, USER));
    call!(tx.access_token_delete(ORGANIZATION, TOKEN, at(9)));
    call!(tx.user_token_delete(USER_TOKEN, at(9)));
    call!(tx.mails_delete_about(ORGANIZATION, CHILD));
    call!(tx.mails_delete_to_user(USER, 10));
    call!(tx.mails_delete_of(ORGANIZATION));
    call!(tx.organization_delete(CHILD, at(9)));
    call!(tx.organization_undelete(CHILD));
    call!(tx.sub_accounts_begin_purge(ORGANIZATION, at(10), 10));
    call!(tx.organization_begin_purge(ORGANIZATION, at(10)));
    call!(tx.webhook_queues_purge(ORGANIZATION, at(99)));
    call!(tx.webhook_queues_of_deleted_delete(CHILD, 10));
    while call!(tx.organization_rows_purge(CHILD, 1, PurgedRows::OfImport)) {}
    while call!(tx.organization_rows_purge(ORGANIZATION, 1, PurgedRows::OfDeleted)) {}
    call!(tx.organization_purge(ORGANIZATION, &"organization-1".parse().unwrap()));
}
