//! Calls every query of the store, in every variant of its SQL text, grouped by nouns. The modules hold the nouns with many
//! queries, and share the values here.
#![expect(clippy::too_many_lines, reason = "each function is a list of calls, one for each query of a noun")]

use std::num::NonZeroU32;

use tenantry_core::Timestamp;
use tenantry_core::audit::{Actor, AuditEntry, Client};
use tenantry_core::budget::Budget;
use tenantry_core::console::{Browser, ConsoleSession, Proof, SignIn};
use tenantry_core::customer::{Customer, CustomerKind, ImportCounts, ImportFormat, ImportState, OnMatch};
use tenantry_core::ids::*;
use tenantry_core::invitation::{InvitationStatus, InviteFacts, Invited, NewInvitation, invite, settle};
use tenantry_core::mail::{MailContent, MailQueue, QueuedMail};
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

mod credentials;
mod customers;
mod invitations;
mod organizations;
mod webhooks;

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
/// A page beyond the end of each list, so that the list is also counted.
const PAGE: Page = Page { offset: 10, limit: 10 };
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
    organizations::all(tx).await;
    credentials::all(tx).await;
    invitations::all(tx).await;
    customers::all(tx).await;
    customers::members(tx).await;
    portal(tx).await;
    webhooks::all(tx).await;
    idempotency(tx).await;
    installation(tx).await;
    customers::imports(tx).await;
    deletions(tx).await;
}

async fn portal_sign_ins(tx: &mut Tx<'_>) {
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
    portal_sign_ins(tx).await;
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
    let budget = Budget::daily(NonZeroU32::MIN);
    call!(tx.webhook_budget_take(USER, (1, 10), at(5)));
    call!(tx.budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5)));
    assert!(call!(tx.budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_some());
    assert!(call!(tx.budget_wait((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_some());
    call!(tx.budget_return((ORGANIZATION, TokenHash([6; 32])), budget));
    assert!(call!(tx.budget_wait((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_none());
    call!(tx.mark_set((ORGANIZATION, TokenHash([7; 32])), at(5)));
    assert!(call!(tx.mark((ORGANIZATION, TokenHash([7; 32])))).is_some());
    call!(tx.budgets_delete_full(at(100_000_000_000), 10));
    call!(tx.mail_postpone(&mail, at(30), at(5)));
    call!(tx.mail_delete_leased(&mail, at(5)));
    call!(tx.mails_pending(ORGANIZATION, MailQueue::Notices, 10));
    call!(tx.mail_delete(&mail, at(5)));
    call!(tx.mails_delete_all());
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
    call!(tx.user_is_in_deletion(USER));
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
