//! The client and the credential of a request, as the audit log shows them.

use tenantry_core::audit::{Actor, Client};
use uuid::Uuid;

use super::{Authority, Requester};

impl Requester {
    /// The same requester, whose request came from this client.
    #[must_use]
    pub fn from_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// The client that sent the request, for the audit log.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The id of the token or session of the request, for the audit log. None for the operator at the command line and for
    /// the server.
    pub(crate) fn credential(&self) -> Option<Uuid> {
        match (&self.authority, self.actor) {
            (Authority::Caller(caller), _) => Some(caller.credential()),
            (_, Actor::Token(token)) => Some(token.uuid()),
            (_, Actor::User(_, token)) => Some(token.uuid()),
            (_, Actor::Operator) => self.session,
            (_, Actor::Customer(_) | Actor::Member(_) | Actor::System) => None,
        }
    }
}
