//! The sessions of a person in the portal, and what a page of the portal needs to know.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::SessionId;
use tenantry_core::portal::{self, CustomerSession, PortalError, PortalRights, PortalSection};
use tenantry_store::{Party, Tx, UseCase};

use crate::sessions::{self, PortalCaller, portal_caller};
use crate::{App, Error, Requester, verified};

/// The caller of a page of the portal, and what it may do.
#[derive(Debug, Clone)]
pub struct PortalVisit {
    /// The session, its organization, its customer and its member.
    pub caller: PortalCaller,
    /// The rights.
    pub rights: PortalRights,
}

/// The sessions of the caller's own person: of the same member, or of the customer without a member.
async fn own(
    tx: &mut Tx<'_>,
    caller: &PortalCaller,
    now: tenantry_core::Timestamp,
) -> Result<Vec<CustomerSession>, Error> {
    let CustomerSession { organization, customer, member, .. } = caller.session;
    let mut sessions = tx.customer_sessions(organization, customer, now).await?;
    sessions.retain(|session| session.member == member);
    Ok(sessions)
}

/// Ends a session of the portal caller's person: a named one, or the one that the request uses.
#[derive(Debug, Clone)]
pub struct PortalSessionEnd {
    /// The portal caller.
    pub by: Requester,
    /// The session; without one, that of the request.
    pub session: Option<SessionId>,
}

impl UseCase for PortalSessionEnd {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, session } = self;
        let caller = portal_caller(tx, by).await?;
        let current = caller.session.id;
        let id = session.unwrap_or(current);
        if id != current {
            caller.check_section(PortalSection::Sessions)?;
        }
        let found = own(tx, &caller, context.now()).await?.into_iter().find(|session| session.id == id);
        let found = found.ok_or(PortalError::SessionUnknown)?;
        verified::before_change(tx, context, by).await?;
        sessions::end(tx, context, by, &found).await
    }
}

impl App {
    /// The sessions of the portal caller's person, newest first.
    ///
    /// # Errors
    /// [`PortalError::SectionDisabled`], [`PortalError::SessionOver`], or a store error.
    pub async fn portal_sessions(&self, by: &Requester) -> Result<Vec<CustomerSession>, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let caller = portal_caller(&mut tx, by).await?;
        caller.check_section(PortalSection::Sessions)?;
        own(&mut tx, &caller, self.now()).await
    }

    /// The portal caller with its rights.
    ///
    /// # Errors
    /// [`PortalError::SessionOver`], or a store error.
    pub async fn portal_visit(&self, by: &Requester) -> Result<PortalVisit, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let caller = portal_caller(&mut tx, by).await?;
        let rights = portal::rights(&caller.organization, &caller.customer, caller.member.as_ref());
        Ok(PortalVisit { caller, rights })
    }
}
