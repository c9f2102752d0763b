//! Customer sessions of the portal: create one, load its customer and member.

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::customer::{Customer, CustomerError};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId, SessionId};
use tenantry_core::member::{Member, MemberError};
use tenantry_core::organization::Organization;
use tenantry_core::portal::{
    self, CustomerSelector, CustomerSession, MemberSelector, PortalError, PortalSection, SessionFacts,
    StartedSession,
};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::values::{EmailAddress, HttpUrl};
use tenantry_store::{Party, Tx, UseCase};
use uuid::Uuid;

use crate::members::{self, CustomerRef, Lock};
use crate::portal_sign_in::marks::{self, Ended};
use crate::{App, Error, HashKey, LimitReached, Requester, TeamPermission, changes, limits};

/// Creates a session for a customer or for one of its members.
#[derive(Clone)]
pub struct SessionCreate {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// The member, if the session is one of a member.
    pub member: Option<MemberSelector>,
    /// The URL to which the portal links back.
    pub return_url: Option<HttpUrl>,
    /// The key that hashes its secret.
    pub hash_key: HashKey,
}

/// A new session, and its secret, which is shown once.
#[derive(Debug, Clone)]
pub struct SessionCreated {
    /// The session.
    pub session: CustomerSession,
    /// Its secret.
    pub secret: Secret,
    /// The customer.
    pub customer: Customer,
    /// The organization's name in URLs.
    pub slug: String,
    /// The address of the member or customer, if known.
    pub email: Option<EmailAddress>,
}

impl UseCase for SessionCreate {
    type Output = SessionCreated;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SessionCreated, Error> {
        let Self { by, customer: name, member: named, return_url, hash_key } = self;
        let customer = members::customer(tx, by, name, Lock::ForUpdate).await?;
        let customer = customer.ok_or_else(|| PortalError::CustomerUnknown(selector(name)))?;
        let organization = customer.organization;
        by.check(organization, TeamPermission::ManageCustomers)?;
        let most = limits::SESSIONS_PER_CUSTOMER;
        if tx.customer_session_count(organization, customer.id, context.now()).await? >= most {
            return Err(LimitReached::Sessions(most).into());
        }
        let tenant = tx.organization(organization).await?.ok_or(Error::OrganizationNotFound)?;
        let member = match named {
            Some(MemberSelector::Id(id)) => tx.member(organization, *id).await?,
            Some(MemberSelector::External(id)) => {
                tx.member_by_external_id(organization, customer.id, id).await?
            }
            None => None,
        };
        let facts = SessionFacts {
            member_model: tenant.profile.feature_settings.member_model_enabled,
            named: named.clone(),
            member,
            owner: tx.customer_owner(organization, customer.id).await?,
            customer: customer.clone(),
            caller_expires_at: by.rights_end_at(),
        };
        let id = SessionId::new(context.uuid());
        let StartedSession { session, email } =
            portal::start_session(facts, return_url.clone(), id, context.now())?;
        let secret = insert(tx, context, &session, hash_key).await?;
        Ok(SessionCreated { session, secret, customer, slug: tenant.slug.to_string(), email })
    }
}

fn selector(name: &CustomerRef) -> CustomerSelector {
    match name {
        CustomerRef::Id(id) => CustomerSelector::Id(*id),
        CustomerRef::External(id) => CustomerSelector::External(id.clone()),
    }
}

/// Ends a session of a customer.
#[derive(Debug, Clone)]
pub struct SessionEnd {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// The session.
    pub session: SessionId,
}

impl UseCase for SessionEnd {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, customer: name, session } = self;
        let customer = members::customer(tx, by, name, Lock::ForUpdate).await?;
        let customer = customer.ok_or(CustomerError::NotFound)?;
        by.check(customer.organization, TeamPermission::ManageCustomers)?;
        let ended = tx.customer_session_end(customer.organization, customer.id, *session).await?;
        let ended = ended.ok_or(CustomerError::NotFound)?;
        changes::deleted(tx, context, by, "customer_session.deleted", &ended).await
    }
}

/// Ends a session, whose customer is locked.
pub(crate) async fn end(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    session: &CustomerSession,
) -> Result<(), Error> {
    match tx.customer_session_end(session.organization, session.customer, session.id).await? {
        Some(ended) => changes::deleted(tx, context, by, "customer_session.deleted", &ended).await,
        None => Ok(()),
    }
}

/// Ends every session of a customer, or of one of its members, and the codes that were mailed to them. Returns how many
/// sessions there were.
#[derive(Clone)]
pub struct SessionsEnd {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// The member; without one, the whole customer.
    pub member: Option<MemberId>,
    /// The key that hashes codes.
    pub hash_key: HashKey,
}

/// The sessions that a [`SessionsEnd`] ends, for the audit log: one entry for all of them, about their customer.
#[derive(Debug, Serialize)]
struct EndedSessions {
    #[serde(skip)]
    organization: OrganizationId,
    customer: CustomerId,
    member: Option<MemberId>,
    sessions: usize,
}

impl changes::Audited for EndedSessions {
    fn organization(&self) -> OrganizationId {
        self.organization
    }

    fn subject(&self) -> Uuid {
        self.customer.uuid()
    }
}

impl UseCase for SessionsEnd {
    type Output = usize;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, Error> {
        let Self { by, customer: name, member, hash_key } = self;
        let customer = members::customer(tx, by, name, Lock::ForUpdate).await?;
        let Customer { organization, id, .. } = customer.ok_or(CustomerError::NotFound)?;
        by.check(organization, TeamPermission::ManageCustomers)?;
        if let Some(member) = member {
            let found = tx.member(organization, *member).await?;
            found.filter(|found| found.customer_id == id).ok_or(MemberError::NotFound)?;
        }
        let ended = member.map_or(Ended::Customer(id), Ended::Member);
        marks::end_codes(tx, hash_key, (organization, ended), context.now()).await?;
        let mut living = tx.customer_sessions(organization, id, context.now()).await?;
        living.retain(|session| member.is_none() || session.member == *member);
        if living.is_empty() {
            return Ok(0);
        }
        tx.customer_sessions_delete(organization, id, *member).await?;
        // One of them may have requested another address.
        tx.email_update_delete(organization, id).await?;
        let ended = EndedSessions { organization, customer: id, member: *member, sessions: living.len() };
        changes::deleted(tx, context, by, "customer_sessions.deleted", &ended).await?;
        Ok(living.len())
    }
}

/// Stores a session with a new secret.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    session: &CustomerSession,
    hash_key: &HashKey,
) -> Result<Secret, Error> {
    let kind = match session.member {
        Some(_) => SecretKind::MemberSession,
        None => SecretKind::CustomerSession,
    };
    let secret = Secret::generate(kind, context);
    tx.customer_session_insert(session, &hash_key.hash(secret.expose())).await?;
    Ok(secret)
}

/// The caller of a portal request: the session, its customer, and its member if the session is one of a member.
#[derive(Debug, Clone)]
pub struct PortalCaller {
    /// The session.
    pub session: CustomerSession,
    /// The organization.
    pub organization: Organization,
    /// The customer.
    pub customer: Customer,
    /// The member.
    pub member: Option<Member>,
}

impl PortalCaller {
    /// Checks that the organization has switched a section on.
    ///
    /// # Errors
    /// [`PortalError::SectionDisabled`].
    pub fn check_section(&self, section: PortalSection) -> Result<(), Error> {
        Ok(portal::check_section(&self.organization, section)?)
    }

    /// Checks that the caller may see and change billing data.
    ///
    /// # Errors
    /// [`PortalError::BillingNotAllowed`].
    pub fn check_billing(&self) -> Result<(), Error> {
        Ok(portal::manage_billing(self.member.as_ref().map(|member| member.role))?)
    }

    /// The caller as a member with the permission to manage the members of the customer.
    ///
    /// # Errors
    /// [`PortalError::SessionOver`] for a session without a member, [`PortalError::MemberManagementNotAllowed`].
    pub fn manager(&self) -> Result<&Member, Error> {
        let member = self.member.as_ref().ok_or(PortalError::SessionOver)?;
        portal::manage_members(portal::MemberManagementFacts {
            role: member.role,
            kind: self.customer.kind,
        })?;
        Ok(member)
    }
}

/// The portal caller of the requester's session. Locks the customer until the transaction ends.
pub(crate) async fn portal_caller(tx: &mut Tx<'_>, by: &Requester) -> Result<PortalCaller, Error> {
    let session = by.session().ok_or(PortalError::SessionOver)?.clone();
    let customer = tx.customer_for_update(session.organization, session.customer).await?;
    let customer = customer.ok_or(PortalError::SessionOver)?;
    let organization = tx.organization(session.organization).await?.ok_or(PortalError::SessionOver)?;
    // A session from before the member model was switched has the rights of another kind of person.
    if session.member.is_some() != organization.profile.feature_settings.member_model_enabled {
        return Err(PortalError::SessionOver.into());
    }
    let member = match session.member {
        Some(id) => {
            let member = tx.member(session.organization, id).await?;
            let own = member.filter(|member| member.customer_id == customer.id);
            Some(own.ok_or(PortalError::SessionOver)?)
        }
        None => None,
    };
    Ok(PortalCaller { session, organization, customer, member })
}

/// Deletes expired sessions, e-mail updates and codes, up to [`limits::EXPIRED_ROWS_PER_TRANSACTION`] of each. Returns how
/// many.
pub(crate) struct DeleteExpiredSessions;

impl UseCase for DeleteExpiredSessions {
    type Output = usize;
    type Error = tenantry_store::StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<usize, tenantry_store::StoreError> {
        let most = limits::EXPIRED_ROWS_PER_TRANSACTION;
        let codes = tx.portal_sign_ins_delete_expired(context.now(), most).await?;
        Ok(codes.saturating_add(tx.portal_delete_expired(context.now(), most).await?))
    }
}

impl App {
    /// The sessions of a customer that have not ended, newest first, up to `most`, each with its member.
    ///
    /// # Errors
    /// [`CustomerError::NotFound`], [`Error::NotPermitted`], or a store error.
    pub async fn customer_sessions(
        &self,
        by: &Requester,
        customer: &CustomerRef,
        most: usize,
    ) -> Result<Vec<(CustomerSession, Option<Member>)>, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let customer = members::customer(&mut tx, by, customer, Lock::None).await?;
        let customer = customer.ok_or(CustomerError::NotFound)?;
        by.check(customer.organization, TeamPermission::ManageCustomers)?;
        let found = tx.customer_sessions(customer.organization, customer.id, self.now()).await?;
        let mut sessions = Vec::new();
        for session in found.into_iter().take(most) {
            let member = match session.member {
                Some(member) => tx.member(session.organization, member).await?,
                None => None,
            };
            sessions.push((session, member));
        }
        Ok(sessions)
    }

    /// The portal caller of the requester's session.
    ///
    /// # Errors
    /// [`PortalError::SessionOver`], or a store error.
    pub async fn portal_caller(&self, by: &Requester) -> Result<PortalCaller, Error> {
        portal_caller(&mut self.store.reader()?.tx()?, by).await
    }
}
