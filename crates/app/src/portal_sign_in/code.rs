//! Codes that are entered, in their flow or alone.

use std::net::IpAddr;

use tenantry_core::audit::Client;
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::organization::Organization;
use tenantry_core::portal::{
    CodeTry, CustomerChoice, NetworkWidth, PortalError, PortalSection, PortalSignIn, check_section, try_code,
    typed_code,
};
use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_core::values::EmailAddress;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{Party, Tx, UseCase};

use super::begin::{Account, Beginning, accounts, begin};
use super::budgets::{CodeBudget, WiderLimits, too_many};
use super::{PortalChoose, PortalCodeEntry, PortalEntered, PortalSignedIn};
use crate::organizations::is_open;
use crate::{Error, HashKey};

/// The hash of a code that works in one flow.
pub(super) fn hash_in_flow(hash_key: &HashKey, (flow, code): (&str, &str)) -> TokenHash {
    hash_key.hash(&format!("portal flow code\0{flow}\0{code}"))
}

/// The hash of a code that works alone.
pub(super) fn hash_alone(hash_key: &HashKey, code: &str) -> TokenHash {
    hash_key.hash(&format!("portal code\0{code}"))
}

/// The hash of a code that works alone, for the host that asked for it.
pub(super) fn hash_from_host(hash_key: &HashKey, code: &str, client: Option<IpAddr>) -> TokenHash {
    let host = NetworkWidth::Host.network_of(client);
    hash_key.hash(&format!("portal code from host\0{host}\0{code}"))
}

/// The hash of a flow. `None` for a text that is no such secret.
fn hash_of_flow(hash_key: &HashKey, flow: &str) -> Option<TokenHash> {
    (Secret::recognize(flow) == Some(SecretKind::SignIn)).then(|| hash_key.hash(flow))
}

/// The organization of a code, and the customers to whom its person can sign in, or the one of them that is named. `None`
/// when nobody signs in there any more.
async fn people(
    tx: &mut Tx<'_>,
    sign_in: &PortalSignIn,
    named: Option<CustomerId>,
) -> Result<Option<(Organization, Vec<Account>)>, Error> {
    let Some(tenant) = tx.organization(sign_in.organization).await? else { return Ok(None) };
    let is_offered = check_section(&tenant, PortalSection::SignIn).is_ok() && is_open(tx, &tenant).await?;
    let email = sign_in.email_key.as_deref().and_then(|key| EmailAddress::parse(key).ok());
    let Some(email) = email.filter(|_| is_offered) else { return Ok(None) };
    let accounts = accounts(tx, &tenant, &email, named).await?;
    Ok(Some((tenant, accounts)))
}

/// The code of a flow that began in the portal of this organization, locked until the transaction ends.
async fn flow_for_update(
    tx: &mut Tx<'_>,
    secret: &TokenHash,
    organization: OrganizationId,
) -> Result<Option<PortalSignIn>, Error> {
    let found = tx.portal_sign_in_for_update(secret).await?;
    Ok(found.filter(|found| found.organization == organization))
}

/// Enters a code in its flow.
#[derive(Clone)]
pub(super) struct EnterCode {
    pub(super) entry: PortalCodeEntry,
    pub(super) hash_key: HashKey,
}

impl UseCase for EnterCode {
    type Output = PortalEntered;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<PortalEntered, Error> {
        let Self { entry: PortalCodeEntry { organization, flow, code, request_id, client }, hash_key } = self;
        let Some(secret) = hash_of_flow(hash_key, flow) else { return Ok(PortalEntered::Over) };
        let Some(sign_in) = flow_for_update(tx, &secret, *organization).await? else {
            return Ok(PortalEntered::Over);
        };
        let code = typed_code(code).unwrap_or_default();
        let is_right = hash_in_flow(hash_key, (flow, &code)).is_same(&sign_in.code_hash);
        match try_code(&sign_in, is_right, context.now()) {
            CodeTry::Right => {}
            CodeTry::Wrong => {
                tx.portal_sign_in_count_failure(&secret).await?;
                return Ok(PortalEntered::Wrong);
            }
            CodeTry::Over => {
                // A person who has yet to choose a customer keeps the choice.
                if sign_in.proved_at.is_none() {
                    tx.portal_sign_in_delete(&secret).await?;
                }
                return Ok(PortalEntered::Over);
            }
        }
        let Some((tenant, accounts)) = people(tx, &sign_in, None).await? else {
            tx.portal_sign_in_delete(&secret).await?;
            return Ok(PortalEntered::Over);
        };
        if accounts.len() > 1 {
            tx.portal_sign_in_prove(&secret, context.now()).await?;
            return Ok(PortalEntered::Choose(accounts.iter().map(Account::choice).collect()));
        }
        tx.portal_sign_in_delete(&secret).await?;
        let beginning = Beginning { tenant: &tenant, sign_in: &sign_in, request_id, client, hash_key };
        signed_in(tx, context, beginning, accounts.first()).await
    }
}

/// Begins the session of an account. Without one, the code does not work any more.
async fn signed_in(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    beginning: Beginning<'_>,
    account: Option<&Account>,
) -> Result<PortalEntered, Error> {
    let Some(account) = account else { return Ok(PortalEntered::Over) };
    let begun = begin(tx, context, beginning, account).await?;
    Ok(begun.map_or(PortalEntered::Over, |begun| PortalEntered::SignedIn(Box::new(begun))))
}

/// Chooses a customer in a flow whose code was right.
#[derive(Clone)]
pub(super) struct Choose {
    pub(super) choice: PortalChoose,
    pub(super) hash_key: HashKey,
}

impl UseCase for Choose {
    type Output = PortalEntered;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<PortalEntered, Error> {
        let Self { choice: PortalChoose { organization, flow, customer, request_id, client }, hash_key } =
            self;
        let Some(secret) = hash_of_flow(hash_key, flow) else { return Ok(PortalEntered::Over) };
        let found = flow_for_update(tx, &secret, *organization).await?;
        let Some(sign_in) = found.filter(|found| is_proved(found, context.now())) else {
            return Ok(PortalEntered::Over);
        };
        let Some((tenant, accounts)) = people(tx, &sign_in, Some(*customer)).await? else {
            return Ok(PortalEntered::Over);
        };
        let Some(account) = accounts.iter().find(|account| account.customer.id == *customer) else {
            return Ok(PortalEntered::Over);
        };
        tx.portal_sign_in_delete(&secret).await?;
        let beginning = Beginning { tenant: &tenant, sign_in: &sign_in, request_id, client, hash_key };
        signed_in(tx, context, beginning, Some(account)).await
    }
}

fn is_proved(sign_in: &PortalSignIn, now: Timestamp) -> bool {
    sign_in.proved_at.is_some() && sign_in.expires_at > now
}

/// The customers that the person of a flow can choose from.
pub(super) async fn choices(
    tx: &mut Tx<'_>,
    (organization, flow): (OrganizationId, &str),
    hash_key: &HashKey,
    now: Timestamp,
) -> Result<Vec<CustomerChoice>, Error> {
    let Some(secret) = hash_of_flow(hash_key, flow) else { return Ok(Vec::new()) };
    let found = tx.portal_sign_in(&secret).await?;
    let found = found.filter(|found| found.organization == organization && is_proved(found, now));
    let Some(sign_in) = found else { return Ok(Vec::new()) };
    let people = people(tx, &sign_in, None).await?;
    Ok(people.map(|(_, accounts)| accounts.iter().map(Account::choice).collect()).unwrap_or_default())
}

/// Enters a code that works alone.
#[derive(Clone)]
pub(super) struct EnterAlone {
    pub(super) code: String,
    pub(super) address: Option<IpAddr>,
    pub(super) request_id: Option<String>,
    pub(super) client: Client,
    pub(super) hash_key: HashKey,
}

impl UseCase for EnterAlone {
    /// The session, or the reason why there is none. Both are committed, with the count of the wrong code.
    type Output = Result<PortalSignedIn, Error>;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Self::Output, Error> {
        let Self { code, address, request_id, client, hash_key } = self;
        let now = context.now();
        let wrong = || Ok(Err(PortalError::CodeInvalid.into()));
        // A text that is no code was no guess.
        let Some(code) = typed_code(code) else { return wrong() };
        // Counted as wrong first, so that as many codes at once as there are connections guess no more than one by one.
        let of_host = CodeBudget::wrong_of_host(hash_key, *address);
        of_host.require(tx, now).await?;
        let secret = hash_alone(hash_key, &code);
        let found = tx.portal_sign_in_for_update(&secret).await?;
        let limits = WiderLimits::of(hash_key, *address);
        let free_at = limits.wait(tx, now).await?;
        let is_right = |found: &PortalSignIn| {
            let is_bound = free_at.is_some();
            let is_from_here = hash_from_host(hash_key, &code, *address).is_same(&found.code_hash);
            found.email_key.is_some() && found.expires_at > now && (is_from_here || !is_bound)
        };
        let Some(sign_in) = found.filter(is_right) else {
            // A right code from elsewhere gets the same answer as a wrong one, and works later.
            if let Some(free_at) = free_at {
                return Ok(Err(too_many(free_at, now)));
            }
            limits.count(tx, now).await?;
            return wrong();
        };
        tx.portal_sign_in_delete(&secret).await?;
        of_host.give_back(tx).await?;
        let Some((tenant, accounts)) = people(tx, &sign_in, sign_in.customer).await? else { return wrong() };
        let named = accounts.iter().find(|account| Some(account.customer.id) == sign_in.customer);
        let Some(account) = named else { return wrong() };
        let beginning = Beginning { tenant: &tenant, sign_in: &sign_in, request_id, client, hash_key };
        let begun = begin(tx, context, beginning, account).await?;
        Ok(begun.ok_or_else(|| PortalError::CodeInvalid.into()))
    }
}
