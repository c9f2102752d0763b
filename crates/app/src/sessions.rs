//! Sessions of the customer portal: begin one, and who stands behind one.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{OrganizationId, SessionId};
use tenantry_core::member::Member;
use tenantry_core::portal::{
    self, CustomerSelector, CustomerSession, MemberSelector, PortalError, SessionFacts, StartedSession,
};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::values::{EmailAddress, HttpUrl};
use tenantry_store::{Tx, UseCase};

use crate::members::{self, CustomerName, Hold};
use crate::{App, Error, HashKey, Requester, TeamPermission, limits};

/// Begins a session for a customer, or for one of its members.
#[derive(Clone)]
pub struct SessionCreate {
    /// On whose behalf.
    pub by: Requester,
    /// For which customer.
    pub customer: CustomerName,
    /// For which of its members.
    pub member: Option<MemberSelector>,
    /// Where the portal's way back leads.
    pub return_url: Option<HttpUrl>,
    /// The key its secret is hashed with.
    pub hash_key: HashKey,
}

/// A session that began, with its secret, which is shown once.
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
    /// The address of whom the session is for, where there is one.
    pub email: Option<EmailAddress>,
}

impl UseCase for SessionCreate {
    type Output = SessionCreated;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SessionCreated, Error> {
        let Self { by, customer: name, member: named, return_url, hash_key } = self;
        let customer = members::customer(tx, by, name, Hold::Yes).await?;
        let customer = customer.ok_or_else(|| PortalError::CustomerUnknown(named_as(name)))?;
        let organization = customer.organization;
        by.check(organization, TeamPermission::ManageCustomers)?;
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
        };
        let id = SessionId::new(context.uuid());
        let StartedSession { session, email } =
            portal::start_session(facts, return_url.clone(), id, context.now())?;
        let secret = store(tx, context, &session, hash_key).await?;
        Ok(SessionCreated { session, secret, customer, slug: tenant.slug.to_string(), email })
    }
}

fn named_as(name: &CustomerName) -> CustomerSelector {
    match name {
        CustomerName::Id(id) => CustomerSelector::Id(*id),
        CustomerName::External(id) => CustomerSelector::External(id.clone()),
    }
}

/// Stores a session under a new secret.
pub(crate) async fn store(
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

/// Who is in the portal: the session, its customer, and its member where it is one's.
#[derive(Debug, Clone)]
pub struct PortalCaller {
    /// The session.
    pub session: CustomerSession,
    /// The customer.
    pub customer: Customer,
    /// The member.
    pub member: Option<Member>,
}

impl PortalCaller {
    /// Whether the visitor reaches billing.
    ///
    /// # Errors
    /// When their role does not.
    pub fn check_billing(&self) -> Result<(), Error> {
        Ok(portal::manage_billing(self.member.as_ref().map(|member| member.role))?)
    }

    /// The visitor as a member who may manage the members of their customer.
    ///
    /// # Errors
    /// When they may not.
    pub fn manager(&self) -> Result<&Member, Error> {
        let member = self.member.as_ref().ok_or(PortalError::SessionOver)?;
        portal::manage_members(portal::MemberManagementFacts {
            role: member.role,
            kind: self.customer.kind,
        })?;
        Ok(member)
    }
}

/// Who stands behind the requester's session, held until the transaction ends.
pub(crate) async fn visitor(tx: &mut Tx<'_>, by: &Requester) -> Result<PortalCaller, Error> {
    let session = by.session().ok_or(PortalError::SessionOver)?.clone();
    let customer = tx.customer_for_update(session.organization, session.customer).await?;
    let customer = customer.ok_or(PortalError::SessionOver)?;
    let member = match session.member {
        Some(id) => {
            let member = tx.member(session.organization, id).await?;
            let own = member.filter(|member| member.customer_id == customer.id);
            Some(own.ok_or(PortalError::SessionOver)?)
        }
        None => None,
    };
    Ok(PortalCaller { session, customer, member })
}

/// Deletes a few sessions and wishes that are over; answers how many.
pub(crate) struct Sweep;

impl UseCase for Sweep {
    type Output = usize;
    type Error = tenantry_store::StoreError;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<usize, tenantry_store::StoreError> {
        tx.portal_delete_expired(context.now(), limits::SWEPT).await
    }
}

impl App {
    /// Who stands behind the requester's session.
    ///
    /// # Errors
    /// [`PortalError::SessionOver`], or a fault.
    pub async fn visitor(&self, by: &Requester) -> Result<PortalCaller, Error> {
        visitor(&mut self.store.reader()?.tx()?, by).await
    }
}
