//! Signing in by a mailed code.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::Actor;
use tenantry_core::console::{Browser, ENTRY_S, Proof, SignIn, start_session};
use tenantry_core::ids::{UserId, UserTokenId};
use tenantry_core::token::{Secret, SecretKind};
use tenantry_core::user::{Language, User, UserError};
use tenantry_core::values::EmailAddress;
use tenantry_store::{Party, Tx, UseCase};

use super::codes::{self, Entered, Purpose};
use super::known_browsers;
use crate::{App, Error, HashKey, Requester, changes, console_sessions, limits, people};

/// Mails a code to the person with this address. Returns the secret of the browser, whoever has the address.
#[derive(Clone)]
pub struct SignInRequest {
    /// The address that was entered.
    pub email: EmailAddress,
    /// The language of the page, and of the mail to a person who has none.
    pub language: Language,
    /// The key that hashes code and secret.
    pub hash_key: HashKey,
}

impl UseCase for SignInRequest {
    type Output = Secret;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Secret, Error> {
        let Self { email, language, hash_key } = self;
        let user = tx.user_by_email(email).await?;
        let code = codes::NewCode { user, to: email, purpose: Purpose::Person, language: *language };
        codes::send(tx, context, code, hash_key).await
    }
}

/// Lets a person in again without a mail. Returns a secret that is entered without a code. The operator gives it to the
/// person, and so vouches for the address.
#[derive(Clone)]
pub struct UserRecover {
    /// The person.
    pub user: UserId,
    /// The key that hashes the secret.
    pub hash_key: HashKey,
}

impl UseCase for UserRecover {
    type Output = Secret;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Secret, Error> {
        let Self { user, hash_key } = self;
        let user = tx.user_for_update(*user).await?.ok_or(UserError::NotFound)?;
        let secret = Secret::generate(SecretKind::SignIn, context);
        let sign_in = SignIn {
            user: Some(user.id),
            email_key: Some(user.email.key().to_owned()),
            new_email: None,
            created_at: context.now(),
            expires_at: context.now().plus_seconds(ENTRY_S),
            code_hash: codes::hash(hash_key, Purpose::Person, (secret.expose(), "")),
            failed_tries: 0,
        };
        tx.sign_in_insert(&hash_key.hash(secret.expose()), &sign_in).await?;
        Ok(secret)
    }
}

/// Enters the code of a mail.
#[derive(Clone)]
pub struct SignInComplete {
    /// The secret of [`SignInRequest`] or [`UserRecover`].
    pub secret: String,
    /// The code, with or without spaces; none with [`UserRecover`].
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

/// The result of a [`SignInComplete`]. A wrong code is counted, so it is no error, which would undo the count.
#[derive(Debug, Clone)]
pub enum SignInOutcome {
    /// A session has begun.
    SignedIn(NewSession),
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

impl UseCase for SignInComplete {
    type Output = SignInOutcome;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<SignInOutcome, Error> {
        let Self { secret, code, browser, language, request_id, hash_key } = self;
        let entered = codes::enter(tx, context, Purpose::Person, (secret, code), hash_key).await?;
        let (user, digits) = match entered {
            Entered::Right { user, digits, .. } => (user, digits),
            Entered::Wrong => return Ok(SignInOutcome::Wrong),
            Entered::Over => return Ok(SignInOutcome::Over),
        };
        tx.user_mark_verified(user.id, context.now()).await?;
        // A secret without a code is one that the operator made.
        let proof = if digits == 0 { Proof::Operator } else { Proof::Code };
        let begun = begin(tx, context, &user, (browser, *language, proof), (request_id, hash_key)).await?;
        Ok(SignInOutcome::SignedIn(begun.0))
    }
}

/// A session that has begun.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its secret.
    pub secret: Secret,
    /// The language of the person.
    pub language: Language,
    /// The mark by which the browser is known again, if it has none yet.
    pub mark: Option<String>,
}

/// Begins a session of a locked person who has proved the address. Ends the oldest one of too many. The language of the
/// first page becomes the person's, and a mail tells the person of a new browser. Returns the session, and the person as
/// the author of changes.
pub(super) async fn begin(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    user: &User,
    (browser, language, proof): (&Browser, Language, Proof),
    (request_id, hash_key): (&Option<String>, &HashKey),
) -> Result<(NewSession, Requester), Error> {
    let id = UserTokenId::new(context.uuid());
    let is_owner = !tx.user_owned_organizations(user.id).await?.is_empty();
    let session = start_session(id, user.id, is_owner, (browser.clone(), proof), context.now());
    let by = Requester::verified(Actor::User(user.id, id), request_id.clone());
    let older = tx.console_sessions(user.id, context.now()).await?;
    for session in older.iter().skip(limits::CONSOLE_SESSIONS_PER_PERSON.saturating_sub(1)) {
        console_sessions::end(tx, context, &by, session).await?;
    }
    let secret = Secret::generate(SecretKind::ConsoleSession, context);
    tx.console_session_insert(&session, &hash_key.hash(secret.expose())).await?;
    changes::created(tx, context, &by, "console_session.created", &session).await?;
    let language = match user.language {
        Some(language) => language,
        None => {
            let after = User { language: Some(language), ..user.clone() };
            people::save_profile(tx, context, &by, user, &after).await?;
            language
        }
    };
    let mark = known_browsers::remember(tx, context, (user, language), browser, hash_key).await?;
    Ok((NewSession { secret, language, mark }, by))
}

impl App {
    /// Mails a code to the person with this address. Returns the secret of the browser.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in(&self, email: EmailAddress, language: Language) -> Result<Secret, Error> {
        self.write(SignInRequest { email, language, hash_key: self.hash_key.clone() }).await
    }
}
