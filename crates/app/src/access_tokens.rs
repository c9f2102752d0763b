//! Access tokens of an organization, as its managers see them: list, create, update, rotate, revoke. The operator
//! manages tokens in [`crate::tokens`].

use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{
    self, AccessToken, CreateFacts, NewAccessToken, Overlap, Secret, SecretKind, TokenChange,
};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{AccessTokenKey, ListQuery, Order, Page, Paged, Party, RowKey, StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::tokens::{self, IssuedToken};
use crate::{App, Error, HashKey, Requester, TeamPermission, changes, limits, rotation, verified};

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

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<AccessToken>, Error> {
        let Self { by, organization, new, hash_key } = self;
        let organization = by.organization_for(*organization)?;
        by.check(organization, TeamPermission::ManageOrganization)?;
        by.check_proof(context.now())?;
        tokens::check_count(tx, organization).await?;
        let facts = CreateFacts { organization, grantor: by.grantor(), created_by: by.person() };
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

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<AccessToken, Error> {
        let Self { by, id, change } = self;
        let before = find(tx, by, *id).await?;
        by.check_proof(context.now())?;
        verified::before_change(tx, context, by).await?;
        let after = token::update(&before, change.clone(), &by.grantor(), context.now())?;
        if after != before {
            tx.access_token_update(&after).await?;
            changes::updated(tx, context, by, "access_token.updated", (&before, &after)).await?;
        }
        Ok(after)
    }
}

impl RowUseCase for AccessTokenUpdate {
    type Row = AccessToken;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<AccessToken, Error> {
        find(tx, &self.by, self.id).await
    }
}

/// Gives a token whose scopes the requester holds a new secret.
#[derive(Clone)]
pub struct AccessTokenRotate {
    /// The requester.
    pub by: Requester,
    /// The token.
    pub id: TokenId,
    /// The time for which the old secret works on.
    pub overlap: Overlap,
    /// The key that hashes the new secret.
    pub hash_key: HashKey,
}

impl UseCase for AccessTokenRotate {
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
        let Self { by, id, overlap, hash_key } = self;
        let before = find(tx, by, *id).await?;
        rotation::rotate(tx, context, by, &before, (*overlap, hash_key)).await
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

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        let token = find(tx, by, *id).await?;
        verified::before_change(tx, context, by).await?;
        token::check_target(&token, &by.scopes())?;
        tx.access_token_delete(token.organization, *id, context.now()).await?;
        changes::deleted(tx, context, by, "access_token.deleted", &token).await
    }
}

impl RowUseCase for AccessTokenDelete {
    type Row = AccessToken;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<AccessToken, Error> {
        find(tx, &self.by, self.id).await
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

/// A list that reads every token of the organizations.
struct AccessTokenList {
    organizations: Vec<OrganizationId>,
    expires_before: Option<Timestamp>,
    order: Vec<Order<AccessTokenKey>>,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for AccessTokenList {
    type Output = Paged<AccessToken>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<AccessToken>, StoreError> {
        tx.access_tokens(&self.organizations, self.expires_before, &self.order, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// One token that the requester manages.
    ///
    /// # Errors
    /// [`Error::TokenNotFound`], or a store error.
    pub async fn access_token(&self, by: &Requester, id: TokenId) -> Result<AccessToken, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let key = RowKey::AccessToken(id.uuid());
        for organization in
            by.organizations_with_row(&mut tx, TeamPermission::ManageOrganization, key).await?
        {
            if let Some(token) = tx.access_token(organization, id).await? {
                return Ok(token);
            }
        }
        Err(Error::TokenNotFound)
    }

    /// A page of the list of tokens that the requester manages. If `wanted` is not empty, only of these
    /// organizations. With `expires_before`, only tokens that expire before this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_tokens(
        &self,
        by: &Requester,
        wanted: &[OrganizationId],
        expires_before: Option<Timestamp>,
        order: &[Order<AccessTokenKey>],
        page: Page,
    ) -> Result<Paged<AccessToken>, Error> {
        let managed = by.organizations_with(TeamPermission::ManageOrganization);
        let shown: Vec<OrganizationId> =
            managed.filter(|organization| wanted.is_empty() || wanted.contains(organization)).collect();
        let is_selective = shown.len() <= limits::ORGANIZATIONS_READ_DIRECTLY;
        let limited_as = by.limited_as();
        let order = order.to_vec();
        let list = AccessTokenList { organizations: shown, expires_before, order, page, limited_as };
        self.run_list(list, page, is_selective).await
    }
}
