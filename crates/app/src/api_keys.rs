//! API keys: the access tokens of an account, managed by the account itself or by its parent. The rows are those of
//! [`crate::access_tokens`], but keys are changed by other rules, and listed by cursor rather than by page number.
//!
//! The owner and the administrators of an account get a mail when the network allow list of a key changes.

use std::net::IpAddr;

use tenantry_core::ExecutionContext;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::mail::MailContent;
use tenantry_core::token::{
    self, AccessToken, ApiKeyChange, ApiKeyFacts, CreateFacts, NewAccessToken, Overlap, Secret, SecretKind,
};
use tenantry_store::{Keyset, KeysetPage, Party, Tx, UseCase};

use crate::conditional::RowUseCase;
use crate::tokens::{self, IssuedToken};
use crate::{AccountPath, App, Error, HashKey, Requester, changes, mails, rotation, verified};

/// Creates a key. It gets no scope that the requester lacks.
#[derive(Clone)]
pub struct ApiKeyCreate {
    /// The requester.
    pub by: Requester,
    /// The account.
    pub account: AccountPath,
    /// The new key's data.
    pub new: NewAccessToken,
    /// The installation's key, with which the new secret is hashed.
    pub hash_key: HashKey,
}

impl UseCase for ApiKeyCreate {
    type Output = IssuedToken<AccessToken>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<AccessToken>, Error> {
        let Self { by, account, new, hash_key } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        by.check_proof(context.now())?;
        tokens::check_count(tx, organization).await?;
        let facts = CreateFacts { organization, grantor: by.grantor(), created_by: by.person() };
        let id = TokenId::new(context.uuid());
        let token = token::create(facts, new.clone(), id, context.now())?;
        let secret = Secret::generate(SecretKind::ApiKey, context);
        tx.api_key_insert(&token, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "access_token.created", &token).await?;
        if !token.ip_allow_list.is_empty() {
            notify(tx, context, &token).await?;
        }
        Ok(IssuedToken { token, secret })
    }
}

/// Updates a key whose scopes the requester holds.
#[derive(Debug, Clone)]
pub struct ApiKeyUpdate {
    /// The requester.
    pub by: Requester,
    /// The account.
    pub account: AccountPath,
    /// The key.
    pub id: TokenId,
    /// The change.
    pub change: ApiKeyChange,
    /// The address of the request. Absent when it is unknown.
    pub from: Option<IpAddr>,
}

impl UseCase for ApiKeyUpdate {
    type Output = AccessToken;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, account, id, change, from } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let before = find(tx, organization, *id).await?;
        by.check_proof(context.now())?;
        verified::before_change(tx, context, by).await?;
        let is_own = by.actor() == Actor::Token(*id);
        // An unknown address is in no list, so every list excludes the caller.
        if is_own && from.is_none() && change.ip_allow_list.as_ref().is_some_and(|list| !list.is_empty()) {
            return Err(token::TokenError::ExcludesCaller.into());
        }
        let own_address = from.filter(|_| is_own);
        let facts = ApiKeyFacts { grantor: by.grantor(), own_address };
        let after = token::update_api_key(&before, change.clone(), &facts, context.now())?;
        tx.access_token_update(&after).await?;
        changes::updated(tx, context, by, "access_token.updated", (&before, &after)).await?;
        if after.ip_allow_list != before.ip_allow_list {
            notify(tx, context, &after).await?;
        }
        Ok(after)
    }
}

impl RowUseCase for ApiKeyUpdate {
    type Row = AccessToken;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<AccessToken, Error> {
        let organization = self.account.resolve_for_update(tx, &self.by).await?;
        find(tx, organization, self.id).await
    }
}

/// Gives a key whose scopes the requester holds a new secret. A key may rotate itself.
#[derive(Clone)]
pub struct ApiKeyRotate {
    /// The requester.
    pub by: Requester,
    /// The account.
    pub account: AccountPath,
    /// The key.
    pub id: TokenId,
    /// The time for which the old secret works on.
    pub overlap: Overlap,
    /// The installation's key, with which the new secret is hashed.
    pub hash_key: HashKey,
}

impl UseCase for ApiKeyRotate {
    type Output = IssuedToken<AccessToken>;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<AccessToken>, Error> {
        let Self { by, account, id, overlap, hash_key } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let before = find(tx, organization, *id).await?;
        rotation::rotate(tx, context, by, &before, (*overlap, hash_key)).await
    }
}

/// Revokes a key whose scopes the requester holds. Its next use is refused. A key may revoke itself.
#[derive(Debug, Clone)]
pub struct ApiKeyDelete {
    /// The requester.
    pub by: Requester,
    /// The account.
    pub account: AccountPath,
    /// The key.
    pub id: TokenId,
}

impl UseCase for ApiKeyDelete {
    type Output = AccessToken;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, account, id } = self;
        let organization = account.resolve_for_update(tx, by).await?;
        let token = find(tx, organization, *id).await?;
        verified::before_change(tx, context, by).await?;
        token::check_target(&token, &by.scopes())?;
        tx.access_token_delete(organization, *id, context.now()).await?;
        changes::deleted(tx, context, by, "access_token.deleted", &token).await?;
        Ok(token)
    }
}

impl RowUseCase for ApiKeyDelete {
    type Row = AccessToken;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<AccessToken, Error> {
        let organization = self.account.resolve_for_update(tx, &self.by).await?;
        find(tx, organization, self.id).await
    }
}

async fn find(tx: &mut Tx<'_>, organization: OrganizationId, id: TokenId) -> Result<AccessToken, Error> {
    tx.access_token_for_update(organization, id).await?.ok_or(Error::TokenNotFound)
}

/// Queues a mail about the changed allow list to the owner and the administrators.
async fn notify(tx: &mut Tx<'_>, context: &mut ExecutionContext, token: &AccessToken) -> Result<(), Error> {
    let label = token.label.clone();
    let content = |organization| MailContent::ApiKeyAllowList { organization, label };
    mails::notify_administrators(tx, context, token.organization, content).await
}

impl App {
    /// A page of the list of an account's keys, newest first.
    ///
    /// # Errors
    /// The errors of `AccountPath::resolve`, or a store error.
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

    /// One key of an account.
    ///
    /// # Errors
    /// The errors of `AccountPath::resolve`, [`Error::TokenNotFound`], or a store error.
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
