//! A customer's change of address: asked for in the portal, proved by a secret that is mailed to the new
//! address, done with it.
//!
//! The secret can be used once, whatever comes of it; the change ends every session of the customer.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::Actor;
use tenantry_core::customer::{self, Customer};
use tenantry_core::ids::{EmailUpdateId, OrganizationId, SessionId};
use tenantry_core::mail::MailContent;
use tenantry_core::portal::{
    self, EMAIL_UPDATE_MINUTES, EmailUpdate, PortalError, SessionFacts, StartedSession,
};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::values::EmailAddress;
use tenantry_store::{Tx, UseCase};

use crate::mails::{self, NewMail};
use crate::organizations::is_open;
use crate::sessions::{self, visitor};
use crate::{App, Error, HashKey, Requester, customers};

/// Asks for another address of the visitor's customer.
#[derive(Clone)]
pub struct EmailUpdateRequest {
    /// The visitor.
    pub by: Requester,
    /// The new address.
    pub email: EmailAddress,
    /// The key the secret is hashed and sealed with.
    pub hash_key: HashKey,
}

impl UseCase for EmailUpdateRequest {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, email, hash_key } = self;
        let visitor = visitor(tx, by).await?;
        visitor.check_billing()?;
        let customer = visitor.customer;
        let tenant = tx.organization(customer.organization).await?.ok_or(PortalError::SessionOver)?;
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
            to: email.clone(),
            content,
            expires_at: Some(update.expires_at),
            secret: Some((&secret, hash_key)),
        };
        mails::queue(tx, context, mail).await
    }
}

/// Uses up the proof of a new address, and changes the address.
#[derive(Clone)]
pub struct EmailUpdateVerify {
    /// The proof.
    pub token: String,
    /// Names the request in the audit log.
    pub request_id: Option<String>,
    /// The key secrets are hashed with.
    pub hash_key: HashKey,
}

/// What became of the proof. It is used up in either case, so both are kept.
type Outcome = Result<Secret, PortalError>;

impl UseCase for EmailUpdateVerify {
    type Output = Outcome;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Outcome, Error> {
        let Self { token, request_id, hash_key } = self;
        let Some(update) = found(tx, token, hash_key, context.now()).await? else {
            return Ok(Err(PortalError::EmailUpdateInvalid));
        };
        // The customer first, as everybody does who changes what is theirs; then the wish may be gone.
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
            // What was asked for is no longer there to be done.
            let over = matches!(error, PortalError::TeamEmailFixed(_) | PortalError::EmailUnchanged(_));
            return Ok(Err(if over { PortalError::EmailUpdateInvalid } else { error }));
        }
        if tx.customer_email_taken(organization, &email, Some(customer)).await? {
            return Ok(Err(PortalError::EmailTaken));
        }
        let by = Requester::proven(Actor::Customer(customer), request_id.clone());
        let after = customer::confirm_email(&before, email, context.now());
        customers::store(tx, context, &by, &before, &after).await?;
        notify(tx, context, tenant.name.to_string(), &before, &after).await?;
        tx.customer_sessions_delete(organization, customer, None).await?;
        let facts = SessionFacts {
            member_model: tenant.profile.feature_settings.member_model_enabled,
            named: None,
            member: None,
            owner: tx.customer_owner(organization, customer).await?,
            customer: after,
        };
        let id = SessionId::new(context.uuid());
        let StartedSession { session, .. } = portal::start_session(facts, None, id, context.now())?;
        Ok(Ok(sessions::store(tx, context, &session, hash_key).await?))
    }
}

/// Tells the former address.
async fn notify(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: String,
    before: &Customer,
    after: &Customer,
) -> Result<(), Error> {
    let Some((to, new_address)) = before.email.clone().zip(after.email.clone()) else { return Ok(()) };
    let content = MailContent::EmailChanged { organization, new_address };
    let mail = NewMail { organization: after.organization, to, content, expires_at: None, secret: None };
    mails::queue(tx, context, mail).await
}

async fn found(
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
    /// Whether a proof of a new address could be used.
    ///
    /// # Errors
    /// [`PortalError::EmailUpdateInvalid`] when it could not, or a fault.
    pub async fn email_update_check(&self, token: &str) -> Result<(), Error> {
        let now = self.now();
        let found = found(&mut self.store.reader()?.tx()?, token, &self.hash_key, now).await?;
        found.map(drop).ok_or_else(|| PortalError::EmailUpdateInvalid.into())
    }

    /// Uses up a proof of a new address; answers a new session of the customer.
    ///
    /// # Errors
    /// Why the address stays, or a fault.
    pub async fn email_update_verify(
        &self,
        token: String,
        request_id: Option<String>,
    ) -> Result<Secret, Error> {
        let verify = EmailUpdateVerify { token, request_id, hash_key: self.hash_key.clone() };
        Ok(self.store.write(verify).await??)
    }
}
