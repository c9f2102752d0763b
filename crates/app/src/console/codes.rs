//! Codes that are mailed to prove an address: to sign in, to prove oneself again, and to change the address.
//!
//! A code is of use in the browser that asked for it, whose secret is part of its hash. One that could not be mailed is
//! right for nobody, so that guesses are bounded by the mails to an address.

use std::num::NonZeroU32;

use tenantry_core::ExecutionContext;
use tenantry_core::budget::Budget;
use tenantry_core::console::{
    CODE_S, CODE_TRIES, CODES_PER_HOUR, CodeTry, SignIn, WRONG_CODES_PER_HOUR, try_code,
};
use tenantry_core::ids::OrganizationId;
use tenantry_core::mail::MailContent;
use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_core::user::{Language, User};
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use crate::mails::{self, NewMail};
use crate::{Error, HashKey, invitations};

/// The fact that a code proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The person, by the person's address.
    Person,
    /// A new address.
    NewAddress,
}

/// A code to be mailed.
pub(super) struct NewCode<'a> {
    /// The person. Without one, no code is right, unless an invitation waits for the address, which is the person's then.
    pub(super) user: Option<User>,
    /// The address that was entered.
    pub(super) to: &'a EmailAddress,
    pub(super) purpose: Purpose,
    /// The language of the mail to a person who has none.
    pub(super) language: Language,
}

/// The hash of a code, which is of use for one purpose in one browser.
pub(super) fn hash(hash_key: &HashKey, purpose: Purpose, (browser, code): (&str, &str)) -> TokenHash {
    let purpose = match purpose {
        Purpose::Person => "sign-in code",
        Purpose::NewAddress => "new address code",
    };
    hash_key.hash(&format!("{purpose}\0{browser}\0{code}"))
}

fn hourly(number: u32) -> Budget {
    Budget::hourly(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

/// Mails a code, unless the address got too many. Returns the secret of the browser in any case.
pub(super) async fn send(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    new: NewCode<'_>,
    hash_key: &HashKey,
) -> Result<Secret, Error> {
    let NewCode { user, to, purpose, language } = new;
    let browser = Secret::generate(SecretKind::SignIn, context);
    let code = Secret::sign_in_code(context);
    let now = context.now();
    let budget = hash_key.hash(&format!("sign-in budget\0{}", to.mailbox_key()));
    let waits = tx.budget_take((mails::namespace(&budget), budget), hourly(CODES_PER_HOUR), now).await?;
    let user = match user {
        None if waits.is_none() && purpose == Purpose::Person => {
            invitations::newcomer(tx, context, to).await?
        }
        found => found.filter(|_| waits.is_none()),
    };
    let mailed = match user {
        Some(user) => account(tx, context, &user).await?.map(|organization| (user, organization)),
        None => None,
    };
    let sign_in = SignIn {
        user: mailed.as_ref().map(|(user, _)| user.id),
        email_key: mailed.as_ref().map(|(user, _)| user.email.key().to_owned()),
        new_email: (purpose == Purpose::NewAddress).then(|| to.clone()),
        created_at: now,
        expires_at: now.plus_seconds(CODE_S),
        code_hash: hash(hash_key, purpose, (browser.expose(), code.expose())),
        failed_tries: 0,
    };
    tx.sign_in_insert(&hash_key.hash(browser.expose()), &sign_in).await?;
    if let Some((user, organization)) = mailed {
        let minutes = u32::try_from(CODE_S / 60).unwrap_or(u32::MAX);
        let (to, content) = match purpose {
            // The address of the user, not the spelling that a stranger may have entered.
            Purpose::Person => (user.email, MailContent::SignInCode { minutes }),
            Purpose::NewAddress => (to.normalized(), MailContent::NewAddressCode { minutes }),
        };
        let language = user.language.or(Some(language));
        let (user, expires_at) = (Some(user.id), Some(sign_in.expires_at));
        let secret = Some((&code, hash_key));
        let mail = NewMail { organization, user, to, language, content, expires_at, secret };
        mails::queue(tx, context, mail).await?;
    }
    Ok(browser)
}

/// The organization whose account mails the code: the first of the person's that admits its team, or one that invites
/// the person.
pub(crate) async fn account(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    user: &User,
) -> Result<Option<OrganizationId>, Error> {
    // All of them are looked at: others can add a person to organizations that are then closed.
    let mine = tx.user_organizations(user.id).await?.into_iter().collect();
    if let Some(first) = tx.organizations_open(&mine).await?.first() {
        return Ok(Some(*first));
    }
    invitations::waiting_organization(tx, context, &user.email).await
}

/// The result of entering a code. A wrong code is counted, so it is no error, which would undo the count.
pub(super) enum Entered {
    /// The code is right, and works no more.
    Right { user: User, new_email: Option<EmailAddress>, digits: usize },
    /// The code is wrong. Another try is left.
    Wrong,
    /// The code does not work any more.
    Over,
}

/// Enters a code in the browser with this secret. Locks the person.
pub(super) async fn enter(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    purpose: Purpose,
    (secret, code): (&str, &str),
    hash_key: &HashKey,
) -> Result<Entered, Error> {
    if Secret::recognize(secret) != Some(SecretKind::SignIn) {
        return Ok(Entered::Over);
    }
    let of_browser = hash_key.hash(secret);
    let Some(sign_in) = tx.sign_in_for_update(&of_browser).await? else { return Ok(Entered::Over) };
    let code: String = code.chars().filter(char::is_ascii_digit).collect();
    let is_right = hash(hash_key, purpose, (secret, &code)).is_same(&sign_in.code_hash);
    let user = match try_code(&sign_in, is_right, context.now()) {
        CodeTry::Right(user) => tx.user_for_update(user).await?,
        refused => {
            if sign_in.failed_tries >= CODE_TRIES {
                return Ok(Entered::Over);
            }
            tx.sign_in_count_failure(&of_browser).await?;
            if refused == CodeTry::Over || !within_limit(tx, context, hash_key).await? {
                tx.sign_in_delete(&of_browser).await?;
                return Ok(Entered::Over);
            }
            return Ok(Entered::Wrong);
        }
    };
    tx.sign_in_delete(&of_browser).await?;
    // Only the person with the address of that time is proved, not one that has got another address since.
    let is_proved = |user: &User| sign_in.email_key.as_deref() == Some(user.email.key());
    Ok(match user.filter(is_proved) {
        Some(user) => Entered::Right { user, new_email: sign_in.new_email, digits: code.len() },
        None => Entered::Over,
    })
}

/// Counts a wrong code against those of the whole installation. While there are too many, a code has one try.
async fn within_limit(
    tx: &mut Tx<'_>,
    context: &ExecutionContext,
    hash_key: &HashKey,
) -> Result<bool, Error> {
    let budget = hash_key.hash("wrong codes");
    let place = (mails::namespace(&budget), budget);
    let waits = tx.budget_take(place, hourly(WRONG_CODES_PER_HOUR), context.now()).await?;
    if waits.is_some() {
        tracing::warn!(per_hour = WRONG_CODES_PER_HOUR, "too many wrong codes: a code has one try for now");
    }
    Ok(waits.is_none())
}
