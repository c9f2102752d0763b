//! People who act as the operator in the console.

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;

use super::{Authority, NO_CLIENT, Requester};
use crate::Error;

impl Requester {
    /// Whether the requester has the rights of the operator: at the command line, or as a person whom the operator gave
    /// them, in a session of the console.
    #[must_use]
    pub fn has_operator_rights(&self) -> bool {
        match &self.authority {
            Authority::All => true,
            Authority::None => false,
            Authority::Caller(caller) => caller.is_operator(),
        }
    }

    /// Checks that the requester has the rights of the operator. For everybody else, what the operator sees does not exist.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`].
    pub fn check_operator(&self) -> Result<(), Error> {
        if self.has_operator_rights() { Ok(()) } else { Err(Error::OrganizationNotFound) }
    }

    /// The operator as whom the requester acts. Audit entries name the session instead of the person: organizations read
    /// their log, and the operator's people are none of their business.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`] without the rights, [`Error::ProofRequired`] without a fresh proof of the person.
    pub(crate) fn as_operator(&self, now: Timestamp) -> Result<Self, Error> {
        self.check_operator()?;
        self.check_proof(now)?;
        let request_id = self.request_id.clone();
        Ok(Self {
            actor: Actor::Operator,
            authority: Authority::All,
            client: NO_CLIENT,
            is_trial: false,
            session: self.credential(),
            request_id,
        })
    }
}
