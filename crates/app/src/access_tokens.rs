//! Access tokens of an organization, as its managers see them: list, create, update, revoke, last use. The operator
//! manages tokens in [`crate::tokens`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{
    self, AccessToken, CreateFacts, NewAccessToken, Secret, SecretKind, TokenChange, last_use_is_stale,
};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{
    AccessTokenKey, ListQuery, Order, Page, Paged, RowKey, StoreError, TokenUse, Tx, UseCase,
};
use uuid::Uuid;

use crate::tokens::{self, IssuedToken};
use crate::{App, Error, HashKey, Requester, TeamPermission, changes, limits};

/// Creates an access token. It gets no scope that the requester lacks.
#[derive(Clone)]
pub struct AccessTokenCreate {
    /// The requester.
    pub by: Requester,
    /// The organization, if the requester is a person. An organization's token has its own.
    pub organization: Option<OrganizationId>,
    /// The new token's data.
    pub new: NewAccessToken,
    /// The key that hashes its secret.
    pub hash_key: HashKey,
}

impl UseCase for AccessTokenCreate {
    type Output = IssuedToken<AccessToken>;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.single_organization()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<AccessToken>, Error> {
        let Self { by, organization, new, hash_key } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageOrganization)?;
        tokens::check_count(tx, organization).await?;
        let facts = CreateFacts {
            organization,
            held: by.scopes(),
            caller_networks: by.networks(),
            created_by: by.person(),
        };
        let id = TokenId::new(context.uuid());
        let token = token::create(facts, new.clone(), id, context.now())?;
        let secret = Secret::generate(SecretKind::OrganizationToken, context);
        tx.access_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "access_token.created", &token).await?;
        Ok(IssuedToken { token, secret })
    }
}

/// Updates the label and scopes of a token whose scopes the requester holds.
#[derive(Debug, Clone)]
pub struct AccessTokenUpdate {
    /// The requester.
    pub by: Requester,
    /// The token.
    pub id: TokenId,
    /// The change.
    pub change: TokenChange,
}

impl UseCase for AccessTokenUpdate {
    type Output = AccessToken;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.single_organization()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, id, change } = self;
        let before = find(tx, by, *id).await?;
        let after = token::update(&before, change.clone(), &by.scopes(), &by.networks(), context.now())?;
        if after != before {
            tx.access_token_update(&after).await?;
            changes::updated(tx, context, by, "access_token.updated", (&before, &after)).await?;
        }
        Ok(after)
    }
}

/// Revokes a token whose scopes the requester holds. Its next use is refused.
#[derive(Debug, Clone)]
pub struct AccessTokenDelete {
    /// The requester.
    pub by: Requester,
    /// The token.
    pub id: TokenId,
}

impl UseCase for AccessTokenDelete {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.single_organization()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let token = find(tx, by, *id).await?;
        token::check_target(&token, &by.scopes())?;
        tx.access_token_delete(token.organization, *id, context.now()).await?;
        changes::deleted(tx, context, by, "access_token.deleted", &token).await
    }
}

/// The token of this id in one of the organizations that the requester manages.
async fn find(tx: &mut Tx<'_>, by: &Requester, id: TokenId) -> Result<AccessToken, Error> {
    let key = RowKey::AccessToken(id.uuid());
    for organization in by.organizations_with_row(tx, TeamPermission::ManageOrganization, key).await? {
        if let Some(token) = tx.access_token_for_update(organization, id).await? {
            return Ok(token);
        }
    }
    Err(Error::TokenNotFound)
}

/// Last uses of tokens that are not stored yet. A use is noted only when the stored one is stale, so that a token in
/// constant use costs one write in [`LAST_USE_RESOLUTION_S`](tenantry_core::token::LAST_USE_RESOLUTION_S).
#[derive(Default)]
pub(crate) struct TokenUses(Mutex<HashMap<TokenId, TokenUse>>);

impl TokenUses {
    pub(crate) fn note(&self, token: &AccessToken, now: Timestamp) {
        if !last_use_is_stale(token.last_used_at, now) {
            return;
        }
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < limits::CREDENTIAL_CACHE_ENTRIES || uses.contains_key(&token.id) {
            uses.insert(token.id, TokenUse { organization: token.organization, token: token.id, at: now });
        }
    }

    fn take(&self) -> Vec<TokenUse> {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *uses).into_values().collect()
    }
}

/// Stores last uses of tokens.
struct StoreTokenUses(Vec<TokenUse>);

impl UseCase for StoreTokenUses {
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

/// A list that reads every token of the organizations.
struct AccessTokenList {
    organizations: Vec<OrganizationId>,
    order: Vec<Order<AccessTokenKey>>,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for AccessTokenList {
    type Output = Paged<AccessToken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<AccessToken>, StoreError> {
        tx.access_tokens(&self.organizations, &self.order, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// A page of the list of tokens that the requester manages. If `wanted` is not empty, only of these
    /// organizations.
    ///
    /// # Errors
    /// When the database fails.
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
        let is_selective = shown.len() <= limits::ORGANIZATIONS_READ_DIRECTLY;
        let limited_as = by.limited_as();
        let list = AccessTokenList { organizations: shown, order: order.to_vec(), page, limited_as };
        self.run_list(list, is_selective).await
    }

    /// Stores the noted last uses of tokens. If that fails they are lost, and the next use is noted again.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_token_uses(&self) -> Result<(), StoreError> {
        let mut uses = self.token_uses.take();
        // Sorted, so that two nodes lock the same tokens in one order.
        uses.sort_unstable_by_key(|used| (used.organization, used.token));
        for uses in uses.chunks(limits::TOKEN_USES_PER_TRANSACTION) {
            self.store.write(StoreTokenUses(uses.to_vec())).await?;
        }
        Ok(())
    }
}
