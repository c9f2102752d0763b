//! A person's own account: the name, the notices, the address, and its deletion.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use tenantry_core::ExecutionContext;
use tenantry_core::budget::Budget;
use tenantry_core::console::ADDRESS_CODES_PER_HOUR;
use tenantry_core::ids::UserId;
use tenantry_core::mail::MailContent;
use tenantry_core::token::Secret;
use tenantry_core::user::{Language, NoticeTopic, User, UserError};
use tenantry_core::values::{EmailAddress, PersonName};
use tenantry_store::{Party, Tx, UseCase};

use super::codes::{self, Entered, NewCode, Purpose};
use crate::mails::{self, NewMail};
use crate::people::email::change_email;
use crate::people::{self, EmailProof, deletion};
use crate::{App, Error, HashKey, Requester};

/// Gives the requester another name, which the person sees in the console, and another language. Organizations name their
/// members themselves.
#[derive(Debug, Clone)]
pub struct ProfileUpdate {
    /// The requester.
    pub by: Requester,
    /// The name.
    pub name: Option<PersonName>,
    /// The language of pages and mails. `None` to keep it.
    pub language: Option<Language>,
}

impl UseCase for ProfileUpdate {
    type Output = User;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<User, Error> {
        let Self { by, name, language } = self;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        let before = tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
        let after = User { name: name.clone(), language: language.or(before.language), ..before.clone() };
        if after != before {
            people::save_profile(tx, context, by, &before, &after).await?;
        }
        Ok(after)
    }
}

/// Switches notices to the requester off, and all others on.
#[derive(Debug, Clone)]
pub struct NoticesUpdate {
    /// The requester.
    pub by: Requester,
    /// The notices that are off.
    pub muted: BTreeSet<NoticeTopic>,
}

impl UseCase for NoticesUpdate {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, muted } = self;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        let before = tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
        let after = User { muted_notices: muted.clone(), ..before.clone() };
        if after != before {
            people::save_profile(tx, context, by, &before, &after).await?;
        }
        Ok(())
    }
}

/// Mails a code to a new address of the requester. Returns the secret of the browser, whoever has the address.
#[derive(Clone)]
pub struct AddressChangeRequest {
    /// The requester.
    pub by: Requester,
    /// The new address.
    pub email: EmailAddress,
    /// The language of the mail to a person who has none.
    pub language: Language,
    /// The key that hashes code and secret.
    pub hash_key: HashKey,
}

impl UseCase for AddressChangeRequest {
    type Output = Secret;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Secret, Error> {
        let Self { by, email, language, hash_key } = self;
        by.check_proof(context.now())?;
        let user = tx.user(by.user().ok_or(Error::CallerUnknown)?).await?.ok_or(UserError::NotFound)?;
        // A person mails no strangers: each new address has its limit, and all of them together.
        let budget = hash_key.hash(&format!("address budget\0{}", user.id));
        let at_most = Budget::hourly(NonZeroU32::new(ADDRESS_CODES_PER_HOUR).unwrap_or(NonZeroU32::MIN));
        let place = (mails::namespace(&budget), budget);
        let waits = tx.budget_take(place, at_most, context.now()).await?;
        // Whether somebody has the address is not told: the code of such a request is right for nobody.
        let is_free = tx.user_by_email(email).await?.is_none_or(|other| other.id == user.id);
        let user = (is_free && waits.is_none()).then_some(user);
        let code = NewCode { user, to: email, purpose: Purpose::NewAddress, language: *language };
        codes::send(tx, context, code, hash_key).await
    }
}

/// Enters the code that proves a new address, which becomes the requester's. The former address is told.
#[derive(Clone)]
pub struct AddressChangeComplete {
    /// The requester.
    pub by: Requester,
    /// The secret of [`AddressChangeRequest`].
    pub secret: String,
    /// The code, with or without spaces.
    pub code: String,
    /// The language of the mail to the former address of a person who has none.
    pub language: Language,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

/// The result of entering a code for a new address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressChangeOutcome {
    /// The address is changed.
    Changed,
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

impl UseCase for AddressChangeComplete {
    type Output = AddressChangeOutcome;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<AddressChangeOutcome, Error> {
        let Self { by, secret, code, language, hash_key } = self;
        by.check_proof(context.now())?;
        let entered = codes::enter(tx, context, Purpose::NewAddress, (secret, code), hash_key).await?;
        let (before, new) = match entered {
            Entered::Right { user, new_email: Some(new), .. } if by.user() == Some(user.id) => (user, new),
            Entered::Right { .. } | Entered::Over => return Ok(AddressChangeOutcome::Over),
            Entered::Wrong => return Ok(AddressChangeOutcome::Wrong),
        };
        match change_email(tx, context, by, (before.id, &new, EmailProof::Given)).await {
            Ok(_) => {}
            // Somebody has taken the address since.
            Err(Error::User(UserError::AddressTaken)) => return Ok(AddressChangeOutcome::Over),
            Err(error) => return Err(error),
        }
        if let Some(organization) = codes::account(tx, context, &before).await? {
            let language = before.language.or(Some(*language));
            let content = MailContent::AddressChanged { new_address: new };
            let (user, to) = (Some(before.id), before.email);
            let mail = NewMail { organization, user, to, language, content, expires_at: None, secret: None };
            mails::queue(tx, context, mail).await?;
        }
        Ok(AddressChangeOutcome::Changed)
    }
}

/// Deletes the requester's account.
#[derive(Debug, Clone)]
struct SelfDelete(Requester);

impl UseCase for SelfDelete {
    type Output = UserId;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        self.0.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<UserId, Error> {
        let Self(by) = self;
        by.check_proof(context.now())?;
        let user = by.user().ok_or(Error::CallerUnknown)?;
        deletion::delete(tx, context, by, user).await?;
        Ok(user)
    }
}

impl App {
    /// Enters the code that proves a new address of the requester.
    ///
    /// # Errors
    /// [`Error::ProofRequired`], or when the database fails.
    pub async fn change_own_address(
        &self,
        complete: AddressChangeComplete,
    ) -> Result<AddressChangeOutcome, Error> {
        let by = complete.by.clone();
        let outcome = self.write_as(&by, complete).await?;
        if let (AddressChangeOutcome::Changed, Some(user)) = (outcome, by.user()) {
            self.finish_email_change(&by, user).await?;
        }
        Ok(outcome)
    }

    /// Deletes the requester's account, if the person owns no organization: memberships, tokens, sessions and passkeys end,
    /// and no audit entry names the person.
    ///
    /// # Errors
    /// [`Error::ProofRequired`], [`UserError::OwnsOrganizations`], or when the database fails.
    pub async fn delete_oneself(&self, by: &Requester) -> Result<(), Error> {
        // A session without a fresh proof loses no invitation.
        by.check_proof(self.now())?;
        if let Some(user) = by.user() {
            self.forget_invitations(user).await?;
        }
        let user = self.write_as(by, SelfDelete(by.clone())).await?;
        self.finish_user_deletion(by, user).await
    }
}
