//! Calls every query of the store, in every variant of its SQL text.
#![expect(clippy::too_many_lines, reason = "each function is a list of calls, one for each query of a noun")]

use std::num::NonZeroU32;

use tenantry_core::Timestamp;
use tenantry_core::audit::{Actor, AuditEntry};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::*;
use tenantry_core::mail::{MailBudget, MailContent, MailQueue, QueuedMail};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, Organization, create};
use tenantry_core::portal::{CustomerSession, EmailUpdate};
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
    customers(tx).await;
    members(tx).await;
    portal(tx).await;
    webhooks(tx).await;
    idempotency(tx).await;
    installation(tx).await;
    deletions(tx).await;
}

async fn organizations(tx: &mut Tx<'_>) {
    call!(tx.any_organization());
    let user = User { id: USER, created_at: at(1), email: "user@example.com".parse().unwrap(), name: None };
    call!(tx.user_insert(&user));
    call!(tx.user_by_email(&user.email));
    call!(tx.user(USER));
    call!(tx.user_by_email_for_update(&user.email));
    call!(tx.user_for_update(USER));
    call!(tx.users(Some(&user.email), 10));
    call!(tx.user_update_email(&user));
    call!(tx.organization_insert(&organization(ORGANIZATION, None)));
    call!(tx.organization_insert(&organization(CHILD, Some(ORGANIZATION))));
    call!(tx.organization(ORGANIZATION));
    let one = call!(tx.organization_for_update(ORGANIZATION)).unwrap();
    call!(tx.organization_by_slug("organization-1"));
    call!(tx.organization_update(&one));
    call!(tx.organization_update_suspension(&one));
    call!(tx.organization_update_owner(&one));
    call!(tx.organization_is_open(ORGANIZATION));
    call!(tx.organizations_open(&[ORGANIZATION, CHILD].into()));
    for (visible, slug) in [
        (Some(vec![ORGANIZATION]), None),
        (Some(vec![ORGANIZATION, CHILD]), None),
        (Some(vec![ORGANIZATION]), Some("organization-1".to_owned())),
    ] {
        let filter = OrganizationFilter { visible, slug, order: Vec::new() };
        call!(tx.organizations(&filter, PAGE));
    }
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
        };
        call!(tx.team_insert(&new));
        call!(tx.team_update(&new));
        call!(tx.team_update_person(&new));
    }
    call!(tx.team_member(ORGANIZATION, USER));
    call!(tx.team(ORGANIZATION));
    call!(tx.team_oldest_first(ORGANIZATION));
    call!(tx.team_size(ORGANIZATION));
    call!(tx.user_organizations(USER));
    call!(tx.user_organizations_of_owner(USER, USER));
    call!(tx.user_organization_count_for_update(USER));
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
    };
    call!(tx.audit_append(&entry));
    call!(tx.audit_images(ORGANIZATION, MEMBER.uuid(), None, 10));
    call!(tx.audit_images_replace(ORGANIZATION, (entry.id, None, None)));
    call!(tx.audit_count(ORGANIZATION, "member.created", MEMBER.uuid()));
    call!(tx.audit_log(ORGANIZATION));
    call!(tx.audit_entries_before(at(1), 10));
    for key in [
        RowKey::AccessToken(TOKEN.uuid()),
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

async fn customers(tx: &mut Tx<'_>) {
    let one = customer();
    call!(tx.customer_insert(&one));
    call!(tx.member_insert(&member(), CustomerKind::Team));
    call!(tx.customer_for_share(ORGANIZATION, CUSTOMER));
    call!(tx.customer(ORGANIZATION, CUSTOMER));
    call!(tx.customer_for_update(ORGANIZATION, CUSTOMER));
    call!(tx.customer_by_external_id(ORGANIZATION, "c1"));
    call!(tx.customer_email_taken(ORGANIZATION, &member().email, None));
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
    call!(tx.customer_session_count(ORGANIZATION, CUSTOMER, at(1)));
    call!(tx.customer_sessions_delete(ORGANIZATION, CUSTOMER, Some(MEMBER)));
    call!(tx.customer_session_insert(&session, &TokenHash([4; 32])));
    call!(tx.portal_delete_expired(at(2_000), 10));
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
    };
    call!(tx.mail_insert(&mail));
    call!(tx.mails_lease(at(5), [at(10), at(20)], 10));
    call!(tx.mail_account(ORGANIZATION));
    call!(tx.mail_owner(ORGANIZATION));
    call!(tx.mail_mark_counted(&mail));
    call!(tx.mail_return(&mail, at(6)));
    let budget = MailBudget::daily(NonZeroU32::MIN);
    call!(tx.webhook_budget_take(ORGANIZATION, (1, 10), at(5)));
    call!(tx.mail_budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5)));
    assert!(call!(tx.mail_budget_take((ORGANIZATION, TokenHash([6; 32])), budget, at(5))).is_some());
    call!(tx.mail_budgets_delete_full(at(100_000_000_000), 10));
    call!(tx.mail_postpone(&mail, at(30), at(5)));
    call!(tx.mail_delete_leased(&mail, at(5)));
    call!(tx.mails_pending(ORGANIZATION, 10));
    call!(tx.mail_next_due());
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
    call!(tx.webhook_next_due(at(0)));
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
    call!(tx.installation_value_delete("a"));
    call!(tx.installation_write_heartbeat(at(1)));
}

async fn deletions(tx: &mut Tx<'_>) {
    let deletion = UserDeletion { user: USER, created_at: at(1), seed: vec![1], entry: None };
    call!(tx.customer_session_delete(ORGANIZATION, SESSION, &TokenHash([4; 32])));
    call!(tx.former_team_member_insert(USER, CHILD));
    call!(tx.former_team_member_first(USER));
    call!(tx.former_team_member_delete(USER, CHILD));
    call!(tx.user_deletion_save(&deletion));
    call!(tx.user_deletion(USER));
    call!(tx.user_deletions(10));
    call!(tx.user_deletion_finish(USER));
    call!(tx.user_delete(USER));
    call!(tx.webhook_queues_delete(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_endpoint_delete(ORGANIZATION, ENDPOINT, at(9)));
    call!(tx.members_delete(ORGANIZATION, CUSTOMER, (0, MEMBER), at(9)));
    call!(tx.member_delete(&member(), at(9)));
    call!(tx.customer_delete(&customer(), at(9)));
    call!(tx.customer_anonymize(&customer(), &customer(), at(10)));
    call!(tx.team_delete(CHILD, USER));
    call!(tx.access_token_delete(ORGANIZATION, TOKEN, at(9)));
    call!(tx.user_token_delete(USER_TOKEN, at(9)));
    call!(tx.organization_delete(CHILD, at(9)));
}
