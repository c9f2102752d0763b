//! Tokens of organizations and users, as the operator manages them: create, revoke. People manage the tokens of
//! their organizations in [`crate::access_tokens`].

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, TokenId, UserTokenId};
use tenantry_core::token::{AccessToken, ScopeGrants, Scopes, Secret, SecretKind, UserToken};
use tenantry_core::values::{EmailAddress, IpAllowList};
use tenantry_store::{Tx, UseCase};
use uuid::Uuid;

use crate::{Error, HashKey, LimitReached, Requester, changes, limits, users};

/// A new token with its secret, which is shown once.
#[derive(Debug, Clone)]
pub struct IssuedToken<T> {
    /// The token.
    pub token: T,
    /// Its secret.
    pub secret: Secret,
}

/// Checks that an organization may have another access token. Locks the organization until the transaction ends, so that
/// concurrent creations do not exceed the limit.
pub(crate) async fn check_count(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<(), Error> {
    tx.organization_for_update(organization).await?.ok_or(Error::OrganizationNotFound)?;
    let most = limits::TOKENS_PER_ORGANIZATION;
    if tx.access_token_count(organization).await? >= most {
        return Err(LimitReached::AccessTokens(most).into());
    }
    Ok(())
}

/// Creates an access token of an organization.
#[derive(Clone)]
pub struct TokenCreate {
    /// The requester.
    pub by: Requester,
    /// The organization.
    pub organization: OrganizationId,
    /// Its description.
    pub label: String,
    /// Its scopes.
    pub scopes: Scopes,
    /// Seconds until it expires. `None` never expires.
    pub expires_in_s: Option<i64>,
    /// The key that hashes its secret.
    pub hash_key: HashKey,
}

impl UseCase for TokenCreate {
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
        let Self { by, organization, label, scopes, expires_in_s, hash_key } = self;
        check_count(tx, *organization).await?;
        let token = AccessToken {
            id: TokenId::new(context.uuid()),
            organization: *organization,
            created_at: context.now(),
            modified_at: None,
            label: label.clone(),
            grants: ScopeGrants::new(scopes.clone(), context.now()),
            ip_allow_list: IpAllowList::default(),
            expires_at: expires_in_s.map(|seconds| context.now().plus_seconds(seconds)),
            last_used_at: None,
            created_by: by.person(),
        };
        let secret = Secret::generate(SecretKind::OrganizationToken, context);
        tx.access_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "access_token.created", &token).await?;
        Ok(IssuedToken { token, secret })
    }
}

/// Revokes the token of this id, of any organization or user.
#[derive(Debug, Clone)]
pub struct TokenRevoke {
    /// The requester.
    pub by: Requester,
    /// The token.
    pub id: Uuid,
}

impl UseCase for TokenRevoke {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.single_organization()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        if let Some(organization) = tx.organization_of_token(TokenId::new(*id)).await? {
            let id = TokenId::new(*id);
            let token = tx.access_token_for_update(organization, id).await?.ok_or(Error::TokenNotFound)?;
            tx.access_token_delete(organization, id, context.now()).await?;
            return changes::deleted(tx, context, by, "access_token.deleted", &token).await;
        }
        let id = UserTokenId::new(*id);
        let token = tx.user_token(id).await?.ok_or(Error::TokenNotFound)?;
        tx.user_token_delete(id, context.now()).await?;
        changes::deleted(tx, context, by, "user_token.deleted", &token).await
    }
}

/// Creates a token of a user. Creates the user if no user has the address.
#[derive(Clone)]
pub struct UserTokenCreate {
    /// The requester.
    pub by: Requester,
    /// The person's address.
    pub email: EmailAddress,
    /// Its scopes.
    pub scopes: Scopes,
    /// Seconds until it expires. `None` never expires.
    pub expires_in_s: Option<i64>,
    /// The key that hashes its secret.
    pub hash_key: HashKey,
}

impl UseCase for UserTokenCreate {
    type Output = IssuedToken<UserToken>;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.single_organization()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<UserToken>, Error> {
        let Self { by, email, scopes, expires_in_s, hash_key } = self;
        let user = users::find_or_create(tx, context, by, None, email).await?;
        let token = UserToken {
            id: UserTokenId::new(context.uuid()),
            user: user.id,
            created_at: context.now(),
            scopes: scopes.clone(),
            expires_at: expires_in_s.map(|seconds| context.now().plus_seconds(seconds)),
        };
        let secret = Secret::generate(SecretKind::UserToken, context);
        tx.user_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "user_token.created", &token).await?;
        Ok(IssuedToken { token, secret })
    }
}
