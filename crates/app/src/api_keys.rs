//! API keys: the access tokens of an account, as the account itself or the one above it manages them. The
//! tokens are those of [`crate::access_tokens`]; what differs is who is asked for, and how they change.
//!
//! Whoever looks after an account is told when the addresses change from which a key of it may be used.

use std::net::IpAddr;

use tenantry_core::ExecutionContext;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::mail::MailContent;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{
    self, AccessToken, ApiKeyChange, ApiKeyFacts, CreateFacts, NewAccessToken, Secret, SecretKind,
};
use tenantry_store::{Keyset, KeysetPage, Tx, UseCase};

use crate::mails::{self, NewMail};
use crate::tokens::{IssuedToken, record};
use crate::{AccountPath, App, Error, HashKey, Requester, limits};

/// Makes a key; it can do no more than its maker.
#[derive(Clone)]
pub struct ApiKeyCreate {
    /// On whose behalf.
    pub by: Requester,
    /// Whose.
    pub account: AccountPath,
    /// What it is made of.
    pub new: NewAccessToken,
    /// The key its secret is hashed with.
    pub hash_key: HashKey,
}

impl UseCase for ApiKeyCreate {
    type Output = IssuedToken<AccessToken>;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<AccessToken>, Error> {
        let Self { by, account, new, hash_key } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let facts = CreateFacts { organization, held: by.scopes(), created_by: by.person() };
        let id = TokenId::new(context.uuid());
        let token = token::create(facts, new.clone(), id, context.now())?;
        let secret = Secret::generate(SecretKind::ApiKey, context);
        tx.api_key_insert(&token, &hash_key.hash(secret.expose())).await?;
        record(tx, context, by, "access_token.created", None, Some(&token)).await?;
        if !token.ip_allow_list.is_empty() {
            tell(tx, context, &token).await?;
        }
        Ok(IssuedToken { token, secret })
    }
}

/// Changes a key.
#[derive(Debug, Clone)]
pub struct ApiKeyUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Whose.
    pub account: AccountPath,
    /// Which.
    pub id: TokenId,
    /// How.
    pub change: ApiKeyChange,
    /// Where the request comes from.
    pub from: IpAddr,
}

impl UseCase for ApiKeyUpdate {
    type Output = AccessToken;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, account, id, change, from } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let before = find(tx, organization, *id).await?;
        let own_address = (by.actor() == Actor::Token(*id)).then_some(*from);
        let facts = ApiKeyFacts { held: by.scopes(), own_address };
        let after = token::update_api_key(&before, change.clone(), &facts, context.now())?;
        tx.access_token_update(&after).await?;
        record(tx, context, by, "access_token.updated", Some(&before), Some(&after)).await?;
        if after.ip_allow_list != before.ip_allow_list {
            tell(tx, context, &after).await?;
        }
        Ok(after)
    }
}

/// Revokes a key: its next use finds it dead. A key may end itself.
#[derive(Debug, Clone)]
pub struct ApiKeyDelete {
    /// On whose behalf.
    pub by: Requester,
    /// Whose.
    pub account: AccountPath,
    /// Which.
    pub id: TokenId,
}

impl UseCase for ApiKeyDelete {
    type Output = AccessToken;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, account, id } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let token = find(tx, organization, *id).await?;
        tx.access_token_delete(organization, *id, context.now()).await?;
        record(tx, context, by, "access_token.deleted", Some(&token), None).await?;
        Ok(token)
    }
}

async fn find(tx: &mut Tx<'_>, organization: OrganizationId, id: TokenId) -> Result<AccessToken, Error> {
    tx.access_token_for_update(organization, id).await?.ok_or(Error::TokenNotFound)
}

/// Writes to the owner and the administrators of an account that the addresses have changed from which a key
/// of it may be used; nothing more while many such letters wait.
async fn tell(tx: &mut Tx<'_>, context: &mut ExecutionContext, token: &AccessToken) -> Result<(), Error> {
    let AccessToken { organization, label, .. } = token;
    if tx.mails_pending(*organization, limits::MAILS_WAITING).await? >= limits::MAILS_WAITING {
        return Ok(());
    }
    let account = tx.organization(*organization).await?.ok_or(Error::OrganizationNotFound)?;
    let looks_after = |role| matches!(role, TeamRole::Owner | TeamRole::Administrator);
    let people = tx.team_people(*organization).await?;
    let told = people.into_iter().filter(|(member, _)| looks_after(member.role));
    for (_, to) in told.take(limits::TOLD_OF_KEYS) {
        let content =
            MailContent::ApiKeyAllowList { organization: account.name.to_string(), label: label.clone() };
        let mail = NewMail { organization: *organization, to, content, expires_at: None, secret: None };
        mails::queue(tx, context, mail).await?;
    }
    Ok(())
}

impl App {
    /// A part of the list of an account's keys, newest first.
    ///
    /// # Errors
    /// Those of [`AccountPath`], or a fault.
    pub async fn api_keys(
        &self,
        by: &Requester,
        account: AccountPath,
        keyset: Keyset,
    ) -> Result<KeysetPage<AccessToken>, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let organization = account.resolve(&mut tx, by).await?;
        Ok(tx.access_tokens_by_cursor(organization, keyset).await?)
    }

    /// A key of an account.
    ///
    /// # Errors
    /// Those of [`AccountPath`], [`Error::TokenNotFound`], or a fault.
    pub async fn api_key(
        &self,
        by: &Requester,
        account: AccountPath,
        id: TokenId,
    ) -> Result<AccessToken, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let organization = account.resolve(&mut tx, by).await?;
        tx.access_token(organization, id).await?.ok_or(Error::TokenNotFound)
    }
}
