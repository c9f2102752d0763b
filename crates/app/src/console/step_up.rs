//! The proof of a person of a session who has no passkey: a code that is mailed to the person's address.

use tenantry_core::ExecutionContext;
use tenantry_core::console::Proof;
use tenantry_core::token::Secret;
use tenantry_core::user::{Language, UserError};
use tenantry_store::{Party, Tx, UseCase};

use super::codes::{self, Entered, NewCode, Purpose};
use super::sessions;
use crate::{Error, HashKey, Requester};

/// Mails a code to the person of a session. Returns the secret of the browser.
#[derive(Clone)]
pub struct StepUpRequest {
    /// The requester, a person without passkeys.
    pub by: Requester,
    /// The language of the page, and of the mail to a person who has none.
    pub language: Language,
    /// The key that hashes code and secret.
    pub hash_key: HashKey,
}

impl UseCase for StepUpRequest {
    type Output = Secret;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Secret, Error> {
        let Self { by, language, hash_key } = self;
        let user = tx.user(by.user().ok_or(Error::CallerUnknown)?).await?.ok_or(UserError::NotFound)?;
        let to = user.email.clone();
        let code = NewCode { user: Some(user), to: &to, purpose: Purpose::Person, language: *language };
        codes::send(tx, context, code, hash_key).await
    }
}

/// Enters the code of a mail to prove the person of a session.
#[derive(Clone)]
pub struct StepUpComplete {
    /// The requester.
    pub by: Requester,
    /// The secret of [`StepUpRequest`].
    pub secret: String,
    /// The code, with or without spaces.
    pub code: String,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

/// The result of entering a code in a session.
#[derive(Debug, Clone)]
pub enum StepUpOutcome {
    /// The new secret of the session.
    Proved(Secret),
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

impl UseCase for StepUpComplete {
    type Output = StepUpOutcome;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<StepUpOutcome, Error> {
        let Self { by, secret, code, hash_key } = self;
        let entered = codes::enter(tx, context, Purpose::Person, (secret, code), hash_key).await?;
        let (user, digits) = match entered {
            Entered::Right { user, digits, .. } => (user, digits),
            Entered::Wrong => return Ok(StepUpOutcome::Wrong),
            Entered::Over => return Ok(StepUpOutcome::Over),
        };
        // A code of another person proves nothing here, nor does the secret without a code that the operator makes: it
        // signs in.
        if by.user() != Some(user.id) || digits == 0 {
            return Ok(StepUpOutcome::Over);
        }
        let secret = sessions::prove(tx, context, by, (Proof::Code, hash_key)).await?;
        Ok(StepUpOutcome::Proved(secret))
    }
}
