//! The customers that a person can sign in to, and the beginning of the session.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::{Actor, Client};
use tenantry_core::customer::{self, Customer, CustomerKind};
use tenantry_core::ids::{CustomerId, SessionId};
use tenantry_core::member::Member;
use tenantry_core::organization::Organization;
use tenantry_core::portal::{
    self, CHOICES, CustomerChoice, MemberSelector, PortalSignIn, SessionFacts, StartedSession,
};
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use super::PortalSignedIn;
use super::marks::{self, Ended};
use crate::{Error, HashKey, Requester, changes, customers, limits, sessions};

/// A customer that a person can sign in to.
pub(super) struct Account {
    pub(super) customer: Customer,
    /// The member that the person is there, in an organization with the member model.
    member: Option<Member>,
}

impl Account {
    pub(super) fn choice(&self) -> CustomerChoice {
        let Self { customer, member } = self;
        CustomerChoice {
            customer: customer.id,
            name: customer.name.clone(),
            kind: customer.kind,
            role: member.as_ref().map(|member| member.role),
        }
    }
}

/// The customers that the person at an address can sign in to, up to [`CHOICES`], or the one of them that is named.
///
/// | organization | customers |
/// |---|---|
/// | with the member model | those with a member at the address; without any, the individual customer at the address, as its owner |
/// | without it | the customer at the address, whatever is named |
///
/// A team's address is that of no person, so it signs nobody in where the team has members.
pub(super) async fn accounts(
    tx: &mut Tx<'_>,
    tenant: &Organization,
    email: &EmailAddress,
    named: Option<CustomerId>,
) -> Result<Vec<Account>, Error> {
    let has_members = tenant.profile.feature_settings.member_model_enabled;
    let named = named.filter(|_| has_members);
    let mut accounts = Vec::new();
    if has_members {
        let most = i64::try_from(CHOICES).unwrap_or(i64::MAX);
        let members = match named {
            Some(customer) => tx.member_by_email(tenant.id, customer, email).await?.into_iter().collect(),
            None => tx.members_with_email(tenant.id, email.key(), most).await?,
        };
        for member in members {
            if let Some(customer) = tx.customer(tenant.id, member.customer_id).await? {
                accounts.push(Account { customer, member: Some(member) });
            }
        }
    }
    if accounts.is_empty()
        && let Some(id) = tx.customer_by_email(tenant.id, email).await?
        && named.is_none_or(|named| named == id)
        && let Some(customer) = tx.customer(tenant.id, id).await?
        && (!has_members || customer.kind == CustomerKind::Individual)
    {
        let member = if has_members { tx.customer_owner(tenant.id, id).await? } else { None };
        if has_members == member.is_some() {
            accounts.push(Account { customer, member });
        }
    }
    Ok(accounts)
}

/// The facts of a session that begins.
#[derive(Clone, Copy)]
pub(super) struct Beginning<'a> {
    pub(super) tenant: &'a Organization,
    pub(super) sign_in: &'a PortalSignIn,
    pub(super) request_id: &'a Option<String>,
    pub(super) client: &'a Client,
    pub(super) hash_key: &'a HashKey,
}

/// Begins the session of an account, whose customer it locks. The address is proved by the code. `None` when the account
/// has changed since it was read, or its codes have ended.
pub(super) async fn begin(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    beginning: Beginning<'_>,
    account: &Account,
) -> Result<Option<PortalSignedIn>, Error> {
    let Beginning { tenant, sign_in, request_id, client, hash_key } = beginning;
    let Some(customer) = tx.customer_for_update(tenant.id, account.customer.id).await? else {
        return Ok(None);
    };
    let member = match &account.member {
        Some(member) => match tx.member(tenant.id, member.id).await? {
            Some(now) if now.email == member.email => Some(now),
            _ => return Ok(None),
        },
        None => None,
    };
    if customer.email != account.customer.email
        || are_over(tx, hash_key, sign_in, (customer.id, member.as_ref())).await?
    {
        return Ok(None);
    }
    let actor = member.as_ref().map_or(Actor::Customer(customer.id), |member| Actor::Member(member.id));
    let by = Requester::verified(actor, request_id.clone()).from_client(client.clone());
    let is_proved = customer.email.as_ref().map(EmailAddress::key) == sign_in.email_key.as_deref();
    let customer = if is_proved && !customer.email_verified {
        let after = customer::verify_email(&customer, context.now());
        customers::save(tx, context, &by, &customer, &after).await?;
        after
    } else {
        customer
    };
    let older = tx.customer_sessions(tenant.id, customer.id, context.now()).await?;
    let most = usize::try_from(limits::SESSIONS_PER_CUSTOMER).unwrap_or(usize::MAX);
    for session in older.iter().skip(most.saturating_sub(1)) {
        sessions::end(tx, context, &by, session).await?;
    }
    let facts = SessionFacts {
        member_model: tenant.profile.feature_settings.member_model_enabled,
        named: member.as_ref().map(|member| MemberSelector::Id(member.id)),
        member,
        owner: None,
        customer,
        caller_expires_at: None,
    };
    let id = SessionId::new(context.uuid());
    let StartedSession { session, .. } = portal::start_session(facts, None, id, context.now())?;
    let secret = sessions::insert(tx, context, &session, hash_key).await?;
    changes::created(tx, context, &by, "customer_session.created", &session).await?;
    marks::note_known(tx, hash_key, sign_in, client.address, context.now()).await?;
    Ok(Some(PortalSignedIn { secret, session }))
}

/// Whether the organization has ended the sessions of a customer, or of the member, after the code was mailed.
async fn are_over(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    sign_in: &PortalSignIn,
    (customer, member): (CustomerId, Option<&Member>),
) -> Result<bool, Error> {
    let of_member = match member {
        Some(member) => marks::has_ended(tx, hash_key, sign_in, Ended::Member(member.id)).await?,
        None => false,
    };
    Ok(of_member || marks::has_ended(tx, hash_key, sign_in, Ended::Customer(customer)).await?)
}
