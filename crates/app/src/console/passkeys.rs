//! Passkeys: adding, using, naming and removing them.
//!
//! | step | state |
//! |---|---|
//! | the browser asks for a challenge | a row of `passkey_ceremonies`, found by a secret of the browser |
//! | the browser answers | the row is deleted, whatever the answer is; a valid answer of the right person counts |
//!
//! An answer that is not valid is no error, which would bring the challenge back.

use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_core::console::{Browser, Proof};
use tenantry_core::ids::{PasskeyId, UserId};
use tenantry_core::passkey::{CEREMONY_S, Ceremony, CeremonyPurpose, PASSKEYS_PER_PERSON, Passkey};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::user::{Language, User, UserError};
use tenantry_core::values::PersonName;
use tenantry_store::{Party, Tx, UseCase};

use super::webauthn::{Challenge, RelyingParty};
use super::{NewSession, recovery_codes, sessions, sign_in};
use crate::{App, Error, HashKey, LimitReached, Requester, changes, verified};

/// A ceremony that has begun.
#[derive(Debug, Clone)]
pub struct BegunCeremony {
    /// The options for the browser, as JSON.
    pub options: String,
    /// The secret that the browser keeps until it answers.
    pub secret: Secret,
}

/// Makes a challenge.
#[derive(Clone)]
pub struct CeremonyBegin {
    /// The purpose.
    pub purpose: CeremonyPurpose,
    /// The person; anonymous for a sign-in.
    pub by: Requester,
    /// The relying party.
    pub relying_party: Arc<RelyingParty>,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl UseCase for CeremonyBegin {
    type Output = BegunCeremony;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<BegunCeremony, Error> {
        let Self { purpose, by, relying_party, hash_key } = self;
        let user = match purpose {
            CeremonyPurpose::SignIn => None,
            CeremonyPurpose::StepUp | CeremonyPurpose::Enrolment => {
                Some(by.user().ok_or(Error::CallerUnknown)?)
            }
        };
        let Challenge { options, state } = match (purpose, user) {
            (CeremonyPurpose::Enrolment, Some(user)) => {
                by.check_proof(context.now())?;
                let user = tx.user(user).await?.ok_or(UserError::NotFound)?;
                let known = known(tx, user.id).await?;
                let address = user.email.as_str();
                let name = user.name.as_ref().map_or(address, PersonName::as_str);
                relying_party.begin_registration(user.id, (address, name), known)?
            }
            _ => relying_party.begin_authentication()?,
        };
        let secret = Secret::generate(SecretKind::PasskeyCeremony, context);
        let expires_at = context.now().plus_seconds(CEREMONY_S);
        let ceremony = Ceremony { purpose: *purpose, user, expires_at, state };
        tx.passkey_ceremony_insert(&hash_key.hash(secret.expose()), &ceremony).await?;
        Ok(BegunCeremony { options, secret })
    }
}

/// The authenticators' ids of a person's passkeys, if the person may have another one.
async fn known(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Vec<u8>>, Error> {
    let passkeys = tx.passkeys(user).await?;
    if passkeys.len() >= PASSKEYS_PER_PERSON {
        return Err(LimitReached::Passkeys(PASSKEYS_PER_PERSON).into());
    }
    Ok(passkeys.into_iter().map(|passkey| passkey.credential_id).collect())
}

/// The browser's answer to a challenge.
#[derive(Clone)]
pub struct CeremonyAnswer {
    /// The relying party.
    pub relying_party: Arc<RelyingParty>,
    /// The secret of [`BegunCeremony`].
    pub secret: String,
    /// The answer, as JSON.
    pub answer: String,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl CeremonyAnswer {
    /// The state of the ceremony that this answers, which is over then. `None` if it is not one of this purpose and
    /// person that still waits.
    async fn take(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        (purpose, user): (CeremonyPurpose, Option<UserId>),
    ) -> Result<Option<String>, Error> {
        if Secret::recognize(&self.secret) != Some(SecretKind::PasskeyCeremony) {
            return Ok(None);
        }
        let found = tx.passkey_ceremony_take(&self.hash_key.hash(&self.secret)).await?;
        let waits = found.filter(|ceremony| ceremony.awaits(purpose, user, context.now()));
        Ok(waits.map(|ceremony| ceremony.state))
    }

    /// The person whose passkey gave a valid answer. Notes the use of the passkey.
    async fn verify(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
        expected: (CeremonyPurpose, Option<UserId>),
    ) -> Result<Option<User>, Error> {
        let Some(state) = self.take(tx, context, expected).await? else { return Ok(None) };
        let Some(assertion) = self.relying_party.read_assertion(&self.answer) else { return Ok(None) };
        if expected.1.is_some_and(|expected| expected != assertion.user) {
            return Ok(None);
        }
        let Some(user) = tx.user_for_update(assertion.user).await? else { return Ok(None) };
        let found = tx.passkey_by_credential(&assertion.credential_id).await?;
        let Some(passkey) = found.filter(|passkey| passkey.user == user.id) else { return Ok(None) };
        let checked = self.relying_party.finish_authentication(&state, &assertion, &passkey.credential)?;
        let Some(credential) = checked else { return Ok(None) };
        tx.passkey_update(&Passkey { credential, last_used_at: Some(context.now()), ..passkey }).await?;
        Ok(Some(user))
    }
}

/// Signs in by a passkey. `None` if the answer does not count.
#[derive(Clone)]
pub struct PasskeySignIn {
    /// The browser's answer.
    pub answer: CeremonyAnswer,
    /// The browser.
    pub browser: Browser,
    /// The language of the page.
    pub language: Language,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
}

impl UseCase for PasskeySignIn {
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
        let Self { answer, browser, language, request_id } = self;
        let found = answer.verify(tx, context, (CeremonyPurpose::SignIn, None)).await?;
        let Some(user) = found else { return Ok(None) };
        // After the operator has changed the address, a code of a mail must prove it first.
        if !tx.user_is_verified(user.id).await? {
            return Ok(None);
        }
        let session = (browser, *language, Proof::Passkey);
        let begun = sign_in::begin(tx, context, &user, session, (request_id, &answer.hash_key)).await?;
        Ok(Some(begun.0))
    }
}

/// Proves the person of a session again by a passkey. Returns the new secret of the session; `None` if the answer does
/// not count.
#[derive(Clone)]
pub struct PasskeyStepUp {
    /// The requester, a person in a session.
    pub by: Requester,
    /// The browser's answer.
    pub answer: CeremonyAnswer,
}

impl UseCase for PasskeyStepUp {
    type Output = Option<Secret>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Option<Secret>, Error> {
        let Self { by, answer } = self;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        if answer.verify(tx, context, (CeremonyPurpose::StepUp, Some(user))).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(sessions::prove(tx, context, by, (Proof::Passkey, &answer.hash_key)).await?))
    }
}

/// A passkey that was added.
#[derive(Debug, Clone)]
pub struct AddedPasskey {
    /// The new secret of the session, which the passkey has proved.
    pub session: Secret,
    /// The recovery codes that were made with the first passkey.
    pub recovery_codes: Vec<Secret>,
}

/// Adds a passkey. `None` if the answer does not count.
#[derive(Clone)]
pub struct PasskeyAdd {
    /// The requester, a person in a session.
    pub by: Requester,
    /// The browser's answer.
    pub answer: CeremonyAnswer,
    /// The name of the passkey.
    pub name: PersonName,
}

impl UseCase for PasskeyAdd {
    type Output = Option<AddedPasskey>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<AddedPasskey>, Error> {
        let Self { by, answer, name } = self;
        by.check_proof(context.now())?;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        let Some(state) = answer.take(tx, context, (CeremonyPurpose::Enrolment, Some(user))).await? else {
            return Ok(None);
        };
        let made = answer.relying_party.finish_registration(&state, &answer.answer)?;
        let Some(made) = made else { return Ok(None) };
        // Locked, so that the passkeys of a person are counted one after another.
        tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
        known(tx, user).await?;
        if tx.passkey_by_credential(&made.id).await?.is_some() {
            return Ok(None);
        }
        let passkey = Passkey {
            id: PasskeyId::new(context.uuid()),
            user,
            created_at: context.now(),
            modified_at: None,
            last_used_at: None,
            name: name.clone(),
            credential_id: made.id,
            credential: made.credential,
        };
        tx.passkey_insert(&passkey).await?;
        changes::created(tx, context, by, "passkey.created", &passkey).await?;
        let recovery_codes = match tx.recovery_code_count(user).await? {
            0 => recovery_codes::make(tx, context, by, &answer.hash_key).await?,
            _ => Vec::new(),
        };
        let session = sessions::prove(tx, context, by, (Proof::Passkey, &answer.hash_key)).await?;
        Ok(Some(AddedPasskey { session, recovery_codes }))
    }
}

/// The requester's passkey of this id, locked.
async fn own(tx: &mut Tx<'_>, by: &Requester, id: PasskeyId) -> Result<Passkey, Error> {
    let found = tx.passkey_for_update(id).await?;
    found.filter(|passkey| by.user() == Some(passkey.user)).ok_or(Error::PasskeyNotFound)
}

/// Gives a passkey of the requester another name.
#[derive(Debug, Clone)]
pub struct PasskeyRename {
    /// The requester.
    pub by: Requester,
    /// The passkey.
    pub id: PasskeyId,
    /// The new name.
    pub name: PersonName,
}

impl UseCase for PasskeyRename {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id, name } = self;
        let before = own(tx, by, *id).await?;
        if before.name == *name {
            return Ok(());
        }
        let after = Passkey { name: name.clone(), modified_at: Some(context.now()), ..before.clone() };
        tx.passkey_update(&after).await?;
        changes::updated(tx, context, by, "passkey.updated", (&before, &after)).await
    }
}

/// Removes a passkey of the requester. Recovery codes go with the last one.
#[derive(Debug, Clone)]
pub struct PasskeyRemove {
    /// The requester.
    pub by: Requester,
    /// The passkey.
    pub id: PasskeyId,
}

impl UseCase for PasskeyRemove {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        by.check_proof(context.now())?;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        // Locked, so that of two removals the second sees the first.
        tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
        let passkey = own(tx, by, *id).await?;
        verified::before_change(tx, context, by).await?;
        tx.passkey_delete(*id).await?;
        if tx.passkeys(user).await?.is_empty() {
            tx.recovery_codes_delete(user).await?;
        }
        changes::deleted(tx, context, by, "passkey.deleted", &passkey).await
    }
}

impl App {
    /// The passkeys of the requester, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn passkeys(&self, by: &Requester) -> Result<Vec<Passkey>, Error> {
        let Some(user) = by.user() else { return Ok(Vec::new()) };
        Ok(self.store.reader()?.tx()?.passkeys(user).await?)
    }
}

impl changes::Audited for Passkey {
    fn organization(&self) -> tenantry_core::ids::OrganizationId {
        changes::INSTALLATION
    }

    fn subject(&self) -> uuid::Uuid {
        self.id.uuid()
    }
}
