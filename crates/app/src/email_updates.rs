//! Change of a customer's e-mail address in the portal.
//!
//! | step | effect |
//! |---|---|
//! | request | an `email_updates` row with the hash of a secret, a mail with the secret to the new address |
//! | another request | replaces the row: the earlier secret is void |
//! | verify | the secret is used up, also when the change is refused |
//! | success | the address changes, a mail goes to the former address, every session of the customer ends |
//! | expiry | after [`EMAIL_UPDATE_MINUTES`] the secret is void, and the sweep deletes the row |

use tenantry_core::ExecutionContext;
use tenantry_core::audit::{Actor, Client};
use tenantry_core::customer::{self, Customer};
use tenantry_core::ids::{EmailUpdateId, OrganizationId, SessionId};
use tenantry_core::mail::MailContent;
use tenantry_core::portal::{
    self, EMAIL_UPDATE_MINUTES, EmailUpdate, PortalError, SessionFacts, StartedSession,
};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::user::Language;
use tenantry_core::values::EmailAddress;
use tenantry_store::{Party, Tx, UseCase};

use crate::mails::{self, NewMail};
use crate::organizations::is_open;
use crate::sessions::{self, portal_caller};
use crate::{App, Error, HashKey, Requester, customers};

/// Requests another address for the portal caller's customer.
#[derive(Clone)]
pub struct EmailUpdateRequest {
    /// The portal caller.
    pub by: Requester,
    /// The new address.
    pub email: EmailAddress,
    /// The key that hashes and seals the secret.
    pub hash_key: HashKey,
}

impl UseCase for EmailUpdateRequest {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, email, hash_key } = self;
        let caller = portal_caller(tx, by).await?;
        caller.check_billing()?;
        let (tenant, customer) = (caller.organization, caller.customer);
        portal::allow_email_change(&tenant)?;
        portal::check_new_email(&customer, email)?;
        let now = context.now();
        let update = EmailUpdate {
            id: EmailUpdateId::new(context.uuid()),
            organization: customer.organization,
            customer: customer.id,
            created_at: now,
            expires_at: now.plus_seconds(i64::from(EMAIL_UPDATE_MINUTES) * 60),
            email: email.clone(),
        };
        let secret = Secret::generate(SecretKind::EmailChange, context);
        tx.email_update_replace(&update, &hash_key.hash(secret.expose())).await?;
        let content = MailContent::EmailChangeRequest {
            organization: tenant.name.to_string(),
            slug: tenant.slug.clone(),
            minutes: EMAIL_UPDATE_MINUTES,
        };
        let mail = NewMail {
            organization: customer.organization,
            user: None,
            to: email.clone(),
            language: language_of(&customer),
            content,
            expires_at: Some(update.expires_at),
            secret: Some((&secret, hash_key)),
        };
        mails::queue(tx, context, mail).await
    }
}

/// Uses up the secret that proves a new address, and changes the address.
#[derive(Clone)]
pub struct EmailUpdateVerify {
    /// The secret.
    pub token: String,
    /// The organization whose portal the browser shows: the secret of another one is unknown there. `None` in the API.
    pub portal_of: Option<OrganizationId>,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The client that sent the request, for the audit log.
    pub client: Client,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

/// The secret of a new session, or the reason why the address stays. Both are committed: the secret is used up.
type VerifyOutcome = Result<Secret, PortalError>;

impl UseCase for EmailUpdateVerify {
    type Output = VerifyOutcome;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<VerifyOutcome, Error> {
        let Self { token, portal_of, request_id, client, hash_key } = self;
        let found = find(tx, token, hash_key, context.now()).await?;
        let is_here = |update: &EmailUpdate| portal_of.is_none_or(|here| here == update.organization);
        let Some(update) = found.filter(is_here) else {
            return Ok(Err(PortalError::EmailUpdateInvalid));
        };
        // The customer is locked first, as in every other change, so that two transactions cannot deadlock.
        let before = tx.customer_for_update(update.organization, update.customer).await?;
        if !tx.email_update_consume(&update).await? {
            return Ok(Err(PortalError::EmailUpdateInvalid));
        }
        let EmailUpdate { organization, customer, email, .. } = update;
        let tenant = tx.organization(organization).await?;
        let Some((tenant, before)) = tenant.zip(before) else {
            return Ok(Err(PortalError::EmailUpdateInvalid));
        };
        if !is_open(tx, &tenant).await? {
            return Ok(Err(PortalError::EmailUpdateInvalid));
        }
        let allowed =
            portal::allow_email_change(&tenant).and_then(|()| portal::check_new_email(&before, &email));
        if let Err(error) = allowed {
            // The customer changed since the request, so that the secret is void.
            let is_void = matches!(error, PortalError::TeamEmailFixed(_) | PortalError::EmailUnchanged(_));
            return Ok(Err(if is_void { PortalError::EmailUpdateInvalid } else { error }));
        }
        if tx.customer_email_taken(organization, &email, Some(customer)).await? {
            return Ok(Err(PortalError::EmailTaken));
        }
        let by = Requester::verified(Actor::Customer(customer), request_id.clone());
        let by = by.from_client(client.clone());
        let after = customer::confirm_email(&before, email, context.now());
        customers::save(tx, context, &by, &before, &after).await?;
        notify(tx, context, tenant.name.to_string(), &before, &after).await?;
        let facts = SessionFacts {
            member_model: tenant.profile.feature_settings.member_model_enabled,
            named: None,
            member: None,
            owner: tx.customer_owner(organization, customer).await?,
            customer: after,
            caller_expires_at: None,
        };
        let id = SessionId::new(context.uuid());
        let StartedSession { session, .. } = portal::start_session(facts, None, id, context.now())?;
        Ok(Ok(sessions::insert(tx, context, &session, hash_key).await?))
    }
}

/// The language of a customer, if mails are written in it.
pub(crate) fn language_of(customer: &Customer) -> Option<Language> {
    Language::from_tag(customer.locale.as_ref()?.language())
}

/// Queues the notice to the former address.
async fn notify(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: String,
    before: &Customer,
    after: &Customer,
) -> Result<(), Error> {
    let Some((to, new_address)) = before.email.clone().zip(after.email.clone()) else { return Ok(()) };
    let content = MailContent::EmailChanged { organization, new_address };
    let mail = NewMail {
        organization: after.organization,
        user: None,
        to,
        language: language_of(after),
        content,
        expires_at: None,
        secret: None,
    };
    mails::queue(tx, context, mail).await
}

/// The pending change of a secret.
async fn find(
    tx: &mut Tx<'_>,
    token: &str,
    hash_key: &HashKey,
    now: tenantry_core::Timestamp,
) -> Result<Option<EmailUpdate>, Error> {
    if Secret::recognize(token) != Some(SecretKind::EmailChange) {
        return Ok(None);
    }
    Ok(tx.email_update_by_hash(&hash_key.hash(token), now).await?)
}

impl App {
    /// Checks that the secret of a new address can be used, without using it.
    ///
    /// # Errors
    /// [`PortalError::EmailUpdateInvalid`], or a store error.
    pub async fn email_update_check(&self, token: &str) -> Result<(), Error> {
        let now = self.now();
        let found = find(&mut self.store.reader()?.tx()?, token, &self.hash_key, now).await?;
        found.map(drop).ok_or_else(|| PortalError::EmailUpdateInvalid.into())
    }

    /// Uses up the secret of a new address, and returns the secret of a new session of the customer. On a page of the
    /// portal, `portal_of` is its organization, and the secret of another one is unknown and stays.
    ///
    /// # Errors
    /// The reason why the address stays, or a store error.
    pub async fn email_update_verify(
        &self,
        token: String,
        portal_of: Option<OrganizationId>,
        (request_id, client): (Option<String>, Client),
    ) -> Result<Secret, Error> {
        let hash_key = self.hash_key.clone();
        let verify = EmailUpdateVerify { token, portal_of, request_id, client, hash_key };
        Ok(self.store.write(verify).await??)
    }
}
