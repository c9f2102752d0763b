//! The session of the console with which a person acts, and the proof that it is still the person.

use tenantry_core::Timestamp;
use tenantry_core::console::Proof;
use tenantry_store::SessionFacts;

use super::{Authority, Requester};
use crate::Error;

impl Requester {
    /// The session of the console, if the request came with one.
    pub(crate) fn console(&self) -> Option<SessionFacts> {
        let Authority::Caller(caller) = &self.authority else { return None };
        caller.console
    }

    /// The number of organizations of the person that require a passkey, and so grant no access to this session.
    #[must_use]
    pub fn hidden_organizations(&self) -> usize {
        self.console().map_or(0, |facts| facts.hidden)
    }

    /// The way in which the person of a session of the console proved to be themselves last. `None` for every other
    /// requester.
    #[must_use]
    pub fn latest_proof(&self) -> Option<Proof> {
        self.console().map(|facts| facts.proof.proof)
    }

    /// Whether a person in the console has a passkey.
    #[must_use]
    pub fn has_passkey(&self) -> bool {
        self.console().is_some_and(|facts| facts.proof.has_passkey)
    }

    /// Checks that the person of a session of the console has just proved to be themselves. A token needs no proof: its
    /// scopes were granted for what it does.
    ///
    /// # Errors
    /// [`Error::ProofRequired`].
    pub fn check_proof(&self, now: Timestamp) -> Result<(), Error> {
        match self.console() {
            Some(facts) if !facts.proof.is_fresh(now) => Err(Error::ProofRequired),
            _ => Ok(()),
        }
    }
}
