//! Recovery codes: in the place of a passkey, they sign a person in or prove the person of a session. Each works once.

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::console::{Browser, Proof};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::passkey::RECOVERY_CODES;
use tenantry_core::token::{Secret, TokenHash};
use tenantry_core::user::{Language, User};
use tenantry_store::{Party, Tx, UseCase};
use uuid::Uuid;

use super::{NewSession, sessions, sign_in};
use crate::{App, Error, HashKey, Requester, changes};

/// The hash of a code, from its characters that count.
fn code_hash(hash_key: &HashKey, key: &str) -> TokenHash {
    hash_key.hash(&format!("recovery code\0{key}"))
}

/// The recovery codes of a person, as the audit log shows them.
#[derive(Serialize)]
struct RecoveryCodes {
    user: UserId,
    left: usize,
}

impl changes::Audited for RecoveryCodes {
    fn organization(&self) -> OrganizationId {
        changes::INSTALLATION
    }

    fn subject(&self) -> Uuid {
        self.user.uuid()
    }
}

/// Makes recovery codes for the requester, in place of those before.
pub(super) async fn make(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    hash_key: &HashKey,
) -> Result<Vec<Secret>, Error> {
    let user = by.user().ok_or(Error::CallerUnknown)?;
    let codes: Vec<Secret> = (0..RECOVERY_CODES).map(|_| Secret::recovery_code(context)).collect();
    let keys = codes.iter().filter_map(|code| Secret::recovery_code_key(code.expose()));
    let hashes: Vec<TokenHash> = keys.map(|key| code_hash(hash_key, &key)).collect();
    tx.recovery_codes_replace(user, &hashes, context.now()).await?;
    let made = RecoveryCodes { user, left: hashes.len() };
    changes::created(tx, context, by, "recovery_codes.created", &made).await?;
    Ok(codes)
}

/// Makes new recovery codes for a person with a passkey. Those before work no more.
#[derive(Clone)]
pub struct RecoveryCodesCreate {
    /// The requester.
    pub by: Requester,
    /// The key that hashes the codes.
    pub hash_key: HashKey,
}

impl UseCase for RecoveryCodesCreate {
    type Output = Vec<Secret>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Vec<Secret>, Error> {
        let Self { by, hash_key } = self;
        by.check_proof(context.now())?;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        // Locked, so that a person has one set of codes, and none after the last passkey.
        tx.user_for_update(user).await?.ok_or(Error::CallerUnknown)?;
        if tx.passkeys(user).await?.is_empty() {
            return Err(Error::PasskeyNotFound);
        }
        make(tx, context, by, hash_key).await
    }
}

/// Signs in by a recovery code. `None` if there is no such code.
#[derive(Clone)]
pub struct RecoveryCodeSignIn {
    /// The code, as it was entered.
    pub code: String,
    /// The browser.
    pub browser: Browser,
    /// The language of the page.
    pub language: Language,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl UseCase for RecoveryCodeSignIn {
    type Output = Option<NewSession>;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<NewSession>, Error> {
        let Self { code, browser, language, request_id, hash_key } = self;
        let Some(user) = use_up(tx, (code, hash_key), None).await? else { return Ok(None) };
        let session = (browser, *language, Proof::RecoveryCode);
        let (session, by) = sign_in::begin(tx, context, &user, session, (request_id, hash_key)).await?;
        note_use(tx, context, &by, user.id).await?;
        Ok(Some(session))
    }
}

/// Proves the person of a session by a recovery code. `None` if the person has no such code.
#[derive(Clone)]
pub struct RecoveryCodeStepUp {
    /// The requester, a person in a session.
    pub by: Requester,
    /// The code, as it was entered.
    pub code: String,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl UseCase for RecoveryCodeStepUp {
    type Output = Option<Secret>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Option<Secret>, Error> {
        let Self { by, code, hash_key } = self;
        let person = by.user().ok_or(Error::CallerUnknown)?;
        if use_up(tx, (code, hash_key), Some(person)).await?.is_none() {
            return Ok(None);
        }
        note_use(tx, context, by, person).await?;
        Ok(Some(sessions::prove(tx, context, by, (Proof::RecoveryCode, hash_key)).await?))
    }
}

/// Uses a code up. Returns its person, whose row is locked; `None` if there is no such code, or if it is of another person
/// than `person`.
async fn use_up(
    tx: &mut Tx<'_>,
    (entered, hash_key): (&str, &HashKey),
    person: Option<UserId>,
) -> Result<Option<User>, Error> {
    let Some(key) = Secret::recovery_code_key(entered) else { return Ok(None) };
    let code = code_hash(hash_key, &key);
    let owner = tx.recovery_code_user(&code).await?;
    let Some(owner) = owner.filter(|owner| person.is_none_or(|person| person == *owner)) else {
        return Ok(None);
    };
    let Some(user) = tx.user_for_update(owner).await? else { return Ok(None) };
    // After the operator has changed the address, a code of a mail must prove it first.
    let is_used = tx.user_is_verified(user.id).await? && tx.recovery_code_delete(&code).await?;
    Ok(is_used.then_some(user))
}

/// Writes the audit entry about a code that was used up.
async fn note_use(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    user: UserId,
) -> Result<(), Error> {
    let left = usize::try_from(tx.recovery_code_count(user).await?).unwrap_or(usize::MAX);
    let codes = |left| RecoveryCodes { user, left };
    let change = (&codes(left.saturating_add(1)), &codes(left));
    changes::updated(tx, context, by, "recovery_codes.used", change).await
}

impl App {
    /// The number of the requester's recovery codes that were not used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recovery_code_count(&self, by: &Requester) -> Result<u64, Error> {
        let Some(user) = by.user() else { return Ok(0) };
        Ok(self.store.reader()?.tx()?.recovery_code_count(user).await?)
    }
}
