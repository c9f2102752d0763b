//! Signing in to the portal by a mailed code (`tenantry_core::portal`).
//!
//! | request | answer | row | mail |
//! |---|---|---|---|
//! | the address has a customer | as below | with its key | with the code |
//! | nobody has the address, or it got too many mails | the same | without a key: no code is right | a blank one, which the worker drops |
//! | several customers have it, and a request of the API names none | the customers | none | none |
//!
//! So the answer tells nobody which addresses are known, and requests of either kind write the same; a known address takes
//! some look-ups more. The contract makes one exception: the API names the customers of one address to whoever asks. It
//! counts as a mail to the address.

mod begin;
mod budgets;
mod code;
pub(crate) mod marks;
mod request;

use std::net::IpAddr;

use tenantry_core::audit::Client;
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::portal::{CustomerChoice, CustomerSession, PortalError};
use tenantry_core::token::Secret;
use tenantry_core::user::Language;
use tenantry_core::values::EmailAddress;

use crate::{App, Error};
use code::{Choose, EnterAlone, EnterCode, choices};
use request::{CodeRequest, Requested};

/// A request for a code.
#[derive(Debug, Clone)]
pub struct PortalCodeRequest {
    /// The organization whose portal it is.
    pub organization: OrganizationId,
    /// The address that was entered.
    pub email: EmailAddress,
    /// The language of the page, for a mail to a person who has none.
    pub language: Option<Language>,
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
}

/// A code that is entered in the browser that asked for it.
#[derive(Debug, Clone)]
pub struct PortalCodeEntry {
    /// The organization whose portal the browser shows. A flow of another one is over here.
    pub organization: OrganizationId,
    /// The secret of [`App::portal_request_code`].
    pub flow: String,
    /// The code as typed.
    pub code: String,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The client, for the audit log.
    pub client: Client,
}

/// A choice among the customers of a person whose code was right.
#[derive(Debug, Clone)]
pub struct PortalChoose {
    /// The organization whose portal the browser shows. A flow of another one is over here.
    pub organization: OrganizationId,
    /// The secret of [`App::portal_request_code`].
    pub flow: String,
    /// The customer.
    pub customer: CustomerId,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The client, for the audit log.
    pub client: Client,
}

/// A session that has begun.
#[derive(Debug, Clone)]
pub struct PortalSignedIn {
    /// Its secret.
    pub secret: Secret,
    /// The session.
    pub session: CustomerSession,
}

/// The result of a code or choice. A wrong code is counted, so it is no error, which would undo the count.
#[derive(Debug, Clone)]
pub enum PortalEntered {
    /// A session has begun.
    SignedIn(Box<PortalSignedIn>),
    /// The code is right. The person chooses one of these customers.
    Choose(Vec<CustomerChoice>),
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

impl App {
    /// Mails a code to the person with this address. Returns the secret of the browser, the flow, whoever has the address.
    ///
    /// # Errors
    /// [`Error::OrganizationNotFound`], [`PortalError::SectionDisabled`], [`Error::TooManyAttempts`], or a store error.
    pub async fn portal_request_code(&self, request: PortalCodeRequest) -> Result<Secret, Error> {
        let hash_key = self.hash_key.clone();
        match self.write(CodeRequest { request, alone: None, hash_key }).await? {
            Requested::Flow(flow) => Ok(flow),
            Requested::Sent | Requested::Ambiguous(_) => Err(Error::CallerUnknown),
        }
    }

    /// Mails a code that works alone, as the API does, to the person with this address, whoever has it. `customer` is the
    /// customer that the request names.
    ///
    /// # Errors
    /// [`PortalError::CustomerAmbiguous`] when it names none of several, [`PortalError::SectionDisabled`],
    /// [`Error::TooManyAttempts`], or a store error. An unknown organization is no error.
    pub async fn portal_request_code_alone(
        &self,
        request: PortalCodeRequest,
        customer: Option<CustomerId>,
    ) -> Result<(), Error> {
        let hash_key = self.hash_key.clone();
        match self.write(CodeRequest { request, alone: Some(customer), hash_key }).await {
            Ok(Requested::Ambiguous(choices)) => Err(PortalError::CustomerAmbiguous(choices).into()),
            Ok(Requested::Sent | Requested::Flow(_)) | Err(Error::OrganizationNotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Enters a code in its flow.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_enter_code(&self, entry: PortalCodeEntry) -> Result<PortalEntered, Error> {
        self.write(EnterCode { entry, hash_key: self.hash_key.clone() }).await
    }

    /// The customers that the person of a flow of this organization can choose from. None before the right code, and
    /// after the choice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_choices(
        &self,
        organization: OrganizationId,
        flow: &str,
    ) -> Result<Vec<CustomerChoice>, Error> {
        choices(&mut self.store.reader()?.tx()?, (organization, flow), &self.hash_key, self.now()).await
    }

    /// Chooses a customer in a flow whose code was right, and begins the session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn portal_choose(&self, choice: PortalChoose) -> Result<PortalEntered, Error> {
        self.write(Choose { choice, hash_key: self.hash_key.clone() }).await
    }

    /// Enters a code that works alone. Returns the secret of the new session.
    ///
    /// # Errors
    /// [`PortalError::CodeInvalid`], [`Error::TooManyAttempts`], or a store error.
    pub async fn portal_authenticate(
        &self,
        code: String,
        address: Option<IpAddr>,
        (request_id, client): (Option<String>, Client),
    ) -> Result<Secret, Error> {
        let hash_key = self.hash_key.clone();
        let entered = self.write(EnterAlone { code, address, request_id, client, hash_key }).await?;
        Ok(entered?.secret)
    }
}
