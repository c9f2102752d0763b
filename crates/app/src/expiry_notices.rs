//! Mails about tokens that expire soon: 14, 7 and 1 days before.
//!
//! A token has the time of its next notice in its row. The sweep takes the tokens that are due, organization by
//! organization and person by person. One transaction moves the times of an organization's tokens on and queues the mail,
//! so a crash repeats or loses none, and of two nodes the second finds nothing that is due. All times are in the
//! morning of a day, so the tokens of a day are in one mail. After a standstill, a token that has several notices behind it
//! has one, and a token that has expired has none.

use std::collections::BTreeMap;

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, TokenId, UserId, UserTokenId};
use tenantry_core::mail::{ExpiringToken, MailContent};
use tenantry_core::token::next_expiry_notice;
use tenantry_core::user::{NoticeTopic, User};
use tenantry_store::{Party, StoreError, Tx, UseCase};

use crate::console::codes;
use crate::limits::{EXPIRING_TOKENS_PER_MAIL, EXPIRING_TOKENS_PER_SWEEP};
use crate::mails::{self, NewMail};
use crate::{App, Error};

/// The characters of a label that a mail keeps.
const LABEL_CHARS: usize = 120;

/// Tells the administrators of an organization of access tokens whose notice is due.
struct TellAdministrators {
    organization: OrganizationId,
    tokens: Vec<TokenId>,
}

impl UseCase for TellAdministrators {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party::organization(self.organization)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { organization, tokens } = self;
        // Locked, so that two nodes do not each send a part.
        tx.organization_for_update(*organization).await?;
        let mut expiring = Vec::new();
        for id in tokens {
            let token = (*organization, *id);
            let Some((label, expires_at)) = tx.access_token_notice_for_update(token, context.now()).await?
            else {
                continue;
            };
            tx.access_token_notice_set(token, next_expiry_notice(Some(expires_at), context.now())).await?;
            let label = match label.trim() {
                "" => id.to_string(),
                label => label.chars().take(LABEL_CHARS).collect(),
            };
            expiring.push(ExpiringToken { label, expires_at });
        }
        let (tokens, more) = first(expiring, context);
        if tokens.is_empty() || !tx.organization_is_open(*organization).await? {
            return Ok(());
        }
        let content = |organization| MailContent::TokensExpiring { organization, tokens, more };
        mails::notify_administrators(tx, context, *organization, content).await
    }
}

/// Tells a person of own tokens whose notice is due.
struct TellPerson {
    user: UserId,
    tokens: Vec<UserTokenId>,
}

impl UseCase for TellPerson {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let user = tx.user_for_update(self.user).await?;
        let mut expiring = Vec::new();
        for id in &self.tokens {
            let Some(expires_at) = tx.user_token_notice_for_update(*id, context.now()).await? else {
                continue;
            };
            tx.user_token_notice_set(*id, next_expiry_notice(Some(expires_at), context.now())).await?;
            expiring.push(ExpiringToken { label: id.to_string(), expires_at });
        }
        let (tokens, more) = first(expiring, context);
        let is_told = |user: &User| !user.muted_notices.contains(&NoticeTopic::TokenExpiry);
        let Some(user) = user.filter(|user| !tokens.is_empty() && is_told(user)) else { return Ok(()) };
        let Some(organization) = codes::account(tx, context, &user).await? else { return Ok(()) };
        let mail = NewMail {
            organization,
            user: Some(user.id),
            to: user.email,
            language: user.language,
            content: MailContent::OwnTokensExpiring { tokens, more },
            expires_at: None,
            secret: None,
        };
        mails::queue(tx, context, mail).await
    }
}

/// The tokens that expire first, of those that have not expired, and the number of the others.
fn first(mut tokens: Vec<ExpiringToken>, context: &ExecutionContext) -> (Vec<ExpiringToken>, u32) {
    tokens.retain(|token| token.expires_at > context.now());
    tokens.sort_by(|one, other| (one.expires_at, &one.label).cmp(&(other.expires_at, &other.label)));
    let more = tokens.len().saturating_sub(EXPIRING_TOKENS_PER_MAIL);
    tokens.truncate(EXPIRING_TOKENS_PER_MAIL);
    (tokens, u32::try_from(more).unwrap_or(u32::MAX))
}

/// Groups tokens that are due by organization or person. When there may be more of the last one, it waits, so that it gets
/// one mail.
fn grouped<K: Copy + Ord, T>(due: Vec<(K, T)>) -> BTreeMap<K, Vec<T>> {
    let is_full = i64::try_from(due.len()).is_ok_and(|number| number >= EXPIRING_TOKENS_PER_SWEEP);
    let last = due.last().map(|(key, _)| *key);
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for (key, token) in due {
        groups.entry(key).or_default().push(token);
    }
    if let Some(last) = last.filter(|_| is_full && groups.len() > 1) {
        groups.remove(&last);
    }
    groups
}

fn store_error(error: Error) -> StoreError {
    match error {
        Error::Store(error) => error,
        other => StoreError::Unexpected(other.to_string()),
    }
}

impl App {
    /// Queues the mails about tokens that expire soon. One that fails stops no other, and is tried again by the next sweep.
    pub(crate) async fn tell_of_expiring_tokens(&self) -> Result<(), StoreError> {
        let limit = EXPIRING_TOKENS_PER_SWEEP;
        loop {
            let due = self.store.reader()?.tx()?.access_token_notices_due(self.now(), limit).await?;
            if due.is_empty() {
                break;
            }
            let mut outcome = Ok(());
            for (organization, tokens) in grouped(due) {
                let told = self.store.write(TellAdministrators { organization, tokens }).await;
                outcome = outcome.and(told);
            }
            outcome.map_err(store_error)?;
        }
        loop {
            let due = self.store.reader()?.tx()?.user_token_notices_due(self.now(), limit).await?;
            if due.is_empty() {
                return Ok(());
            }
            let mut outcome = Ok(());
            for (user, tokens) in grouped(due) {
                let told = self.store.write(TellPerson { user, tokens }).await;
                outcome = outcome.and(told);
            }
            outcome.map_err(store_error)?;
        }
    }
}
