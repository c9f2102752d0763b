//! Requests for a code.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::CustomerId;
use tenantry_core::mail::MailContent;
use tenantry_core::organization::Organization;
use tenantry_core::portal::{CODE_S, CustomerChoice, PortalSection, PortalSignIn, check_section, new_code};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_store::{Party, StoreError, Tx, UseCase};

use super::PortalCodeRequest;
use super::begin::{Account, accounts};
use super::budgets::{CodeBudget, Recipient, take_for};
use super::code::{hash_alone, hash_from_host, hash_in_flow};
use crate::email_updates::language_of;
use crate::mails::{self, NewMail};
use crate::organizations::is_open;
use crate::{Error, HashKey};

/// Draws of a code that no other one has yet. With a million codes, one draw in 2,000 is taken.
const DRAWS: usize = 8;

/// Mails a code.
#[derive(Clone)]
pub(super) struct CodeRequest {
    pub(super) request: PortalCodeRequest,
    /// Present for a code that works alone, with the customer that the request names.
    pub(super) alone: Option<Option<CustomerId>>,
    pub(super) hash_key: HashKey,
}

/// The outcome of a request for a code. Each is committed with its counts.
pub(super) enum Requested {
    /// A code for the flow with this secret.
    Flow(Secret),
    /// A code that works alone.
    Sent,
    /// No code: the request names none of these customers.
    Ambiguous(Vec<CustomerChoice>),
}

impl UseCase for CodeRequest {
    type Output = Requested;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Requested, Error> {
        let Self { request, alone, hash_key } = self;
        let (email, now) = (&request.email, context.now());
        CodeBudget::requests(hash_key, request.address).require(tx, now).await?;
        let tenant = tx.organization(request.organization).await?.ok_or(Error::OrganizationNotFound)?;
        if !is_open(tx, &tenant).await? {
            return Err(Error::OrganizationNotFound);
        }
        check_section(&tenant, PortalSection::SignIn)?;
        let accounts = accounts(tx, &tenant, email, alone.flatten()).await?;
        let (client, is_page) = (request.address, alone.is_none());
        let recipient = Recipient { organization: tenant.id, email, client, is_page };
        // An address that gets no more codes uses up none of the organization's.
        let has_room = take_for(tx, hash_key, recipient, now).await?
            && CodeBudget::of_organization(hash_key, tenant.id, !accounts.is_empty()).take(tx, now).await?;
        if alone.is_some() && accounts.len() > 1 && has_room {
            return Ok(Requested::Ambiguous(accounts.iter().map(Account::choice).collect()));
        }
        // Of several customers, that of a code without a flow is named, and that of a flow is chosen later.
        let known = accounts.first().filter(|_| has_room && (alone.is_none() || accounts.len() == 1));
        let sign_in = PortalSignIn {
            organization: tenant.id,
            customer: alone.and(known).map(|account| account.customer.id),
            email_key: known.map(|_| email.key().to_owned()),
            created_at: now,
            expires_at: now.plus_seconds(CODE_S),
            code_hash: hash_alone(hash_key, ""),
            failed_tries: 0,
            proved_at: None,
        };
        let (flow, code) = insert(tx, context, sign_in, (recipient, hash_key)).await?;
        send(tx, context, (&tenant, known), (request, &code), hash_key).await?;
        Ok(flow.map_or(Requested::Sent, Requested::Flow))
    }
}

/// Stores a new code. Returns the secret of its flow, if a page asks for it, and the code.
async fn insert(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    sign_in: PortalSignIn,
    (recipient, hash_key): (Recipient<'_>, &HashKey),
) -> Result<(Option<Secret>, String), Error> {
    for _ in 0..DRAWS {
        let flow = Secret::generate(SecretKind::SignIn, context);
        let code = new_code(context);
        let (secret, code_hash) = if recipient.is_page {
            (hash_key.hash(flow.expose()), hash_in_flow(hash_key, (flow.expose(), &code)))
        } else {
            (hash_alone(hash_key, &code), hash_from_host(hash_key, &code, recipient.client))
        };
        let new = PortalSignIn { code_hash, ..sign_in.clone() };
        if tx.portal_sign_in_insert(&secret, &new).await? {
            return Ok((recipient.is_page.then_some(flow), code));
        }
    }
    Err(StoreError::Unavailable("no code is free: try again in a minute".into()).into())
}

/// Queues the mail with a code. The one to an unknown address costs as much, and is dropped by the worker.
async fn send(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    (tenant, known): (&Organization, Option<&Account>),
    (request, code): (&PortalCodeRequest, &str),
    hash_key: &HashKey,
) -> Result<(), Error> {
    // The address of the person, not the spelling that a stranger may have entered.
    let to = request.email.normalized();
    let content = MailContent::PortalSignInCode {
        organization: tenant.name.to_string(),
        slug: tenant.slug.clone(),
        minutes: u32::try_from(CODE_S / 60).unwrap_or(u32::MAX),
        is_blank: known.is_none(),
    };
    let language = known.and_then(|account| language_of(&account.customer)).or(request.language);
    let code = Secret::portal_code(code);
    let mail = NewMail {
        organization: tenant.id,
        user: None,
        to,
        language,
        content,
        expires_at: Some(context.now().plus_seconds(CODE_S)),
        secret: Some((&code, hash_key)),
    };
    mails::queue(tx, context, mail).await
}
