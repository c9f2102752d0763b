//! The browsers that a person has signed in with. A browser has a mark, in a cookie that outlives sessions; the database
//! has a keyed hash of it for each person. A sign-in without a known mark is told to the person by mail, except the first
//! one. The mark proves nothing: whoever copies it saves the person a mail at most.

use tenantry_core::ExecutionContext;
use tenantry_core::console::Browser;
use tenantry_core::mail::MailContent;
use tenantry_core::token::TokenHash;
use tenantry_core::user::{Language, User};
use tenantry_store::Tx;

use super::codes;
use crate::mails::{self, NewMail};
use crate::{Error, HashKey, limits};

/// The bytes of a mark, which is written in hexadecimal.
const MARK_BYTES: usize = 32;

/// Remembers the browser in which a locked person signs in. Returns a mark for one that has none.
pub(super) async fn remember(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    (user, language): (&User, Language),
    browser: &Browser,
    hash_key: &HashKey,
) -> Result<Option<String>, Error> {
    let shown = browser.mark.as_deref().filter(|mark| is_mark(mark));
    let mark = shown.map_or_else(|| new_mark(context), str::to_owned);
    let hash = hash_key.hash(&format!("browser\0{mark}"));
    // The one that was used last comes first.
    let known = tx.known_browsers(user.id).await?;
    let is_known = known.iter().any(|other: &TokenHash| other.is_same(&hash));
    tx.known_browser_save(user.id, &hash, context.now()).await?;
    if !is_known {
        for other in known.iter().skip(limits::KNOWN_BROWSERS_PER_PERSON.saturating_sub(1)) {
            tx.known_browser_delete(user.id, other).await?;
        }
        if !known.is_empty() {
            tell(tx, context, (user, language), browser).await?;
        }
    }
    Ok(shown.is_none().then_some(mark))
}

/// Mails a person that a new browser has signed in.
async fn tell(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    (user, language): (&User, Language),
    browser: &Browser,
) -> Result<(), Error> {
    let Some(organization) = codes::account(tx, context, user).await? else { return Ok(()) };
    let content = MailContent::NewSignIn {
        browser: browser.name.clone(),
        address: browser.address.clone(),
        at: context.now(),
    };
    let mail = NewMail {
        organization,
        user: Some(user.id),
        to: user.email.clone(),
        language: user.language.or(Some(language)),
        content,
        expires_at: None,
        secret: None,
    };
    mails::queue(tx, context, mail).await
}

fn is_mark(text: &str) -> bool {
    text.len() == 2 * MARK_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn new_mark(context: &mut ExecutionContext) -> String {
    context.random_bytes::<MARK_BYTES>().iter().map(|byte| format!("{byte:02x}")).collect()
}
