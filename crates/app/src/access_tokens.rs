//! Access tokens as the people, and the tokens, that manage an organization see them: list, make, change,
//! revoke; and when each was last used. The operator's way to them is [`crate::tokens`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{
    self, AccessToken, CreateFacts, NewAccessToken, Secret, SecretKind, TokenChange, last_use_is_stale,
};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{AccessTokenKey, Order, Page, Paged, StoreError, TokenUse, Tx, UseCase};

use crate::tokens::{IssuedToken, record};
use crate::{App, Error, HashKey, Requester, TeamPermission, limits};

/// Makes a token of an organization for somebody who may; it can do no more than its maker.
#[derive(Clone)]
pub struct AccessTokenCreate {
    /// On whose behalf.
    pub by: Requester,
    /// Whose; a person names it, an organization's token does not.
    pub organization: Option<OrganizationId>,
    /// What it is made of.
    pub new: NewAccessToken,
    /// The key its secret is hashed with.
    pub hash_key: HashKey,
}

impl UseCase for AccessTokenCreate {
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
        let Self { by, organization, new, hash_key } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageOrganization)?;
        let facts = CreateFacts { organization, held: by.scopes(), created_by: by.person() };
        let id = TokenId::new(context.uuid());
        let token = token::create(facts, new.clone(), id, context.now())?;
        let secret = Secret::generate(SecretKind::OrganizationToken, context);
        tx.access_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        record(tx, context, by, "access_token.created", None, Some(&token)).await?;
        Ok(IssuedToken { token, secret })
    }
}

/// Changes what a token is for and what it may do.
#[derive(Debug, Clone)]
pub struct AccessTokenUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: TokenId,
    /// How.
    pub change: TokenChange,
}

impl UseCase for AccessTokenUpdate {
    type Output = AccessToken;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, id, change } = self;
        let before = find(tx, by, *id).await?;
        let after = token::update(&before, change.clone(), &by.scopes(), context.now())?;
        if after != before {
            tx.access_token_update(&after).await?;
            record(tx, context, by, "access_token.updated", Some(&before), Some(&after)).await?;
        }
        Ok(after)
    }
}

/// Revokes a token: its next use finds it dead.
#[derive(Debug, Clone)]
pub struct AccessTokenDelete {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: TokenId,
}

impl UseCase for AccessTokenDelete {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let token = find(tx, by, *id).await?;
        tx.access_token_delete(token.organization, *id, context.now()).await?;
        record(tx, context, by, "access_token.deleted", Some(&token), None).await
    }
}

/// The token of this id in one of the organizations that the requester manages.
async fn find(tx: &mut Tx<'_>, by: &Requester, id: TokenId) -> Result<AccessToken, Error> {
    for organization in by.organizations_with(TeamPermission::ManageOrganization) {
        if let Some(token) = tx.access_token_for_update(organization, id).await? {
            return Ok(token);
        }
    }
    Err(Error::TokenNotFound)
}

/// Uses of tokens that are not stored yet. A token is noted here only when the use that the database knows
/// of is stale, so that a token in constant use costs one write in five minutes.
#[derive(Default)]
pub(crate) struct TokenUses(Mutex<HashMap<TokenId, TokenUse>>);

impl TokenUses {
    pub(crate) fn note(&self, token: &AccessToken, now: Timestamp) {
        if !last_use_is_stale(token.last_used_at, now) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < limits::CREDENTIALS_REMEMBERED || uses.contains_key(&token.id) {
            uses.insert(token.id, TokenUse { organization: token.organization, token: token.id, at: now });
        }
    }

    fn take(&self) -> Vec<TokenUse> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *uses).into_values().collect()
    }
}

/// Stores uses of tokens.
struct TokenUsesStore(Vec<TokenUse>);

impl UseCase for TokenUsesStore {
    type Output = ();
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<(), StoreError> {
        for used in &self.0 {
            tx.access_token_record_use(used).await?;
        }
        Ok(())
    }
}

impl App {
    /// A part of the list of the tokens that the requester manages; with `wanted`, of these organizations
    /// alone.
    ///
    /// # Errors
    /// A fault.
    pub async fn access_tokens(
        &self,
        by: &Requester,
        wanted: &[OrganizationId],
        order: &[Order<AccessTokenKey>],
        page: Page,
    ) -> Result<Paged<AccessToken>, Error> {
        let managed = by.organizations_with(TeamPermission::ManageOrganization);
        let shown: Vec<OrganizationId> =
            managed.filter(|organization| wanted.is_empty() || wanted.contains(organization)).collect();
        Ok(self.store.reader()?.tx()?.access_tokens(&shown, order, page).await?)
    }

    /// Stores when tokens were last used, as far as that is not known yet. What cannot be stored is noted
    /// again at the token's next use.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_token_uses(&self) -> Result<(), StoreError> {
        let mut uses = self.token_uses.take();
        // Another node may store uses of the same tokens: both in one order.
        uses.sort_unstable_by_key(|used| (used.organization, used.token));
        for uses in uses.chunks(limits::TOKEN_USES_STORED) {
            self.store.write(TokenUsesStore(uses.to_vec())).await?;
        }
        Ok(())
    }
}
