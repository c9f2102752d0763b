//! Rows for tests. Rows of one kind differ only in what is derived from their numbers.

use tenantry_core::Timestamp;
use tenantry_core::audit::{Actor, AuditEntry, Client};
use tenantry_core::console::{Browser, ConsoleSession, Proof, SignIn};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::{
    AuditId, CustomerId, InvitationId, MemberId, OrganizationId, PasskeyId, TokenId, UserId, UserTokenId,
    WebhookEndpointId,
};
use tenantry_core::invitation::{Invitation, InviteFacts, Invited, NewInvitation, invite};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::{FeatureSettings, InitialState, NewOrganization, Organization, create};
use tenantry_core::passkey::{Ceremony, CeremonyPurpose, Passkey};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::token::{AccessToken, ScopeGrants, Scopes, TokenHash, UserToken};
use tenantry_core::user::User;
use tenantry_core::values::Metadata;
use tenantry_core::webhook::{EndpointUrl, EventType, SigningSecret, WebhookEndpoint, WebhookFormat};
use tenantry_store::{CustomerFilter, MemberFilter, Page, Store, UserDeletion, UserEmailChange};
use uuid::Uuid;

pub(crate) const PAGE: Page = Page { offset: 0, limit: 1_000 };

pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// An id that sorts by its number.
fn uuid(kind: u64, number: u32) -> Uuid {
    Uuid::from_u64_pair(
        u64::from(number) << 16 | 0x4000,
        0x8000_0000_0000_0000 | kind << 8 | u64::from(number) & 0xff,
    )
}

pub(crate) fn organization_id(number: u32) -> OrganizationId {
    OrganizationId::new(uuid(1, number))
}

pub(crate) fn user_id(number: u32) -> UserId {
    UserId::new(uuid(2, number))
}

pub(crate) fn customer_id(number: u32) -> CustomerId {
    CustomerId::new(uuid(3, number))
}

pub(crate) fn member_id(number: u32) -> MemberId {
    MemberId::new(uuid(4, number))
}

pub(crate) fn organization(number: u32) -> Organization {
    let new = NewOrganization {
        name: format!("Organization {number}").parse().unwrap(),
        slug: format!("organization-{number}").parse().unwrap(),
        change: Default::default(),
    };
    let origin = InitialState::for_operator(FeatureSettings::for_new_organization());
    create(new, origin, organization_id(number), user_id(number), at(i64::from(number))).unwrap()
}

pub(crate) fn user(number: u32) -> User {
    User {
        id: user_id(number),
        created_at: at(i64::from(number)),
        email: format!("user{number}@example.com").parse().unwrap(),
        name: None,
        language: None,
        muted_notices: std::collections::BTreeSet::new(),
    }
}

pub(crate) fn team_member(organization: u32, user: u32, role: TeamRole) -> TeamMember {
    TeamMember {
        organization: organization_id(organization),
        user: user_id(user),
        email: format!("user{user}@example.com").parse().unwrap(),
        name: None,
        role,
        created_at: at(i64::from(user)),
        modified_at: at(i64::from(user)),
        offered_until: None,
    }
}

/// A team customer without optional fields.
pub(crate) fn customer(organization: u32, number: u32) -> Customer {
    Customer {
        id: customer_id(number),
        organization: organization_id(organization),
        created_at: at(i64::from(number)),
        modified_at: None,
        deleted_at: None,
        kind: CustomerKind::Team,
        email: Some(format!("customer{number}@example.com").parse().unwrap()),
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

pub(crate) fn member(customer: &Customer, number: u32, role: MemberRole) -> Member {
    Member {
        id: member_id(number),
        organization: customer.organization,
        created_at: at(i64::from(number)),
        modified_at: None,
        customer_id: customer.id,
        email: format!("member{number}@example.com").parse().unwrap(),
        name: None,
        external_id: None,
        role,
    }
}

pub(crate) fn hash(number: u8) -> TokenHash {
    TokenHash([number; 32])
}

pub(crate) fn access_token(organization: u32, number: u32) -> AccessToken {
    AccessToken {
        id: TokenId::new(uuid(5, number)),
        organization: organization_id(organization),
        created_at: at(i64::from(number)),
        modified_at: None,
        last_used_at: None,
        previous_secret: None,
        label: format!("token {number}"),
        grants: ScopeGrants::new(Scopes::everything(), at(i64::from(number))),
        ip_allow_list: Default::default(),
        expires_at: None,
        created_by: None,
    }
}

pub(crate) fn user_token(user: u32, number: u32) -> UserToken {
    UserToken {
        id: UserTokenId::new(uuid(6, number)),
        user: user_id(user),
        created_at: at(i64::from(number)),
        scopes: Scopes::everything(),
        expires_at: None,
        last_used_at: None,
        previous_secret: None,
    }
}

/// A session of the console that ends at 1,000 seconds.
pub(crate) fn console_session(user: u32, number: u32) -> ConsoleSession {
    ConsoleSession {
        id: UserTokenId::new(uuid(6, number)),
        user: user_id(user),
        created_at: at(i64::from(number)),
        expires_at: at(i64::from(number)).plus_seconds(1_000),
        last_used_at: None,
        proof: Proof::Code,
        proved_at: at(i64::from(number)),
        browser: Browser { name: "Firefox".to_owned(), address: Some("203.0.113.7".to_owned()), mark: None },
    }
}

/// A pending invitation of a person who is no user.
pub(crate) fn invitation(organization: u32, number: u32) -> Invitation {
    let facts = InviteFacts {
        organization: organization_id(organization),
        invited_by: Some(user_id(1)),
        is_member: false,
        pending: None,
        pending_count: 0,
    };
    let new = NewInvitation {
        email: format!("invited{number}@example.com").parse().unwrap(),
        name: None,
        role: TeamRole::Developer,
        expires_in: None,
        metadata: Metadata::default(),
    };
    let (id, now) = (InvitationId::new(uuid(8, number)), at(i64::from(number)));
    match invite(facts, new, id, now).unwrap() {
        Invited::New(invitation, None) => *invitation,
        other => panic!("{other:?}"),
    }
}

/// An attempt of a person to sign in that ends at 600 seconds.
pub(crate) fn sign_in(user: u32) -> SignIn {
    SignIn {
        user: Some(user_id(user)),
        email_key: None,
        new_email: None,
        created_at: at(1),
        expires_at: at(1).plus_seconds(600),
        code_hash: hash(43),
        failed_tries: 0,
    }
}

/// A change of a person's address that is not finished.
pub(crate) fn email_change(number: u32) -> UserEmailChange {
    UserEmailChange {
        user: user_id(number),
        created_at: at(1),
        email: user(number).email,
        actor: Actor::Operator,
        request_id: None,
        last_organization: None,
    }
}

/// A deletion of a person that is not finished.
pub(crate) fn user_deletion(number: u32) -> UserDeletion {
    UserDeletion {
        user: user_id(number),
        created_at: at(1),
        actor: Actor::Operator,
        request_id: None,
        seed: vec![7; 32],
        entry: None,
    }
}

/// A passkey of a person.
pub(crate) fn passkey(user: u32, number: u32) -> Passkey {
    Passkey {
        id: PasskeyId::new(uuid(9, number)),
        user: user_id(user),
        created_at: at(i64::from(number)),
        modified_at: None,
        last_used_at: None,
        name: "Laptop".parse().unwrap(),
        credential_id: number.to_be_bytes().to_vec(),
        credential: "{}".to_owned(),
    }
}

/// A ceremony of a person that ends at 300 seconds.
pub(crate) fn ceremony(user: u32) -> Ceremony {
    Ceremony {
        purpose: CeremonyPurpose::StepUp,
        user: Some(user_id(user)),
        expires_at: at(1).plus_seconds(300),
        state: "{}".to_owned(),
    }
}

/// An enabled endpoint of organization 1 for `customer.created`.
pub(crate) fn webhook_endpoint(id: Uuid) -> WebhookEndpoint {
    WebhookEndpoint {
        id: WebhookEndpointId::new(id),
        organization: organization_id(1),
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
    }
}

pub(crate) fn audit_entry(member: &Member, number: u32) -> AuditEntry {
    AuditEntry {
        id: AuditId::new(uuid(7, number)),
        organization: member.organization,
        at: at(i64::from(number)),
        actor: Actor::System,
        action: "member.created",
        subject: member.id.uuid(),
        before: None,
        after: Some("{}".to_owned()),
        request_id: Some("r1".to_owned()),
        credential: None,
        client: Client::default(),
    }
}

pub(crate) async fn add_organization(store: &Store, number: u32) {
    run!(store, organization(number), |new, tx, _| Ok(tx.organization_insert(new).await?)).unwrap();
}

pub(crate) async fn add_customer(store: &Store, new: &Customer) {
    run!(store, new.clone(), |new, tx, _| Ok(tx.customer_insert(new).await?)).unwrap();
}

/// Inserts a member of a team.
pub(crate) async fn add_member(store: &Store, new: &Member) {
    add_member_of(store, CustomerKind::Team, new).await;
}

pub(crate) async fn add_member_of(store: &Store, kind: CustomerKind, new: &Member) {
    run!(store, (kind, new.clone()), |(kind, new), tx, _| Ok(tx.member_insert(new, *kind).await?)).unwrap();
}

pub(crate) async fn delete_member(store: &Store, gone: &Member) {
    run!(store, gone.clone(), |gone, tx, context| Ok(tx.member_delete(gone, context.now()).await?)).unwrap();
}

pub(crate) async fn delete_customer(store: &Store, gone: &Customer) {
    run!(store, gone.clone(), |gone, tx, context| Ok(tx.customer_delete(gone, context.now()).await?))
        .unwrap();
}

/// The number of members of an organization, or of one of its customers.
pub(crate) async fn members_total(store: &Store, organization: u32, customer: Option<CustomerId>) -> u64 {
    let organizations = vec![organization_id(organization)];
    let filter = MemberFilter { organizations, customer, ..MemberFilter::default() };
    let found = read!(store, members(&filter, PAGE));
    assert_eq!(found.total, u64::try_from(found.items.len()).unwrap(), "the length is that of the list");
    found.total
}

pub(crate) async fn customers_total(store: &Store, organization: u32) -> u64 {
    let organizations = vec![organization_id(organization)];
    let filter = CustomerFilter { organizations, ..CustomerFilter::default() };
    let found = read!(store, customers(&filter, PAGE));
    assert_eq!(found.total, u64::try_from(found.items.len()).unwrap(), "the length is that of the list");
    found.total
}
