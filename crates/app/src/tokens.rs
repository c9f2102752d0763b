//! Tokens of organizations and users, as the operator manages them: create, list, rotate, revoke. People manage the tokens of
//! their organizations in [`crate::access_tokens`].

use tenantry_core::ids::{OrganizationId, TokenId, UserTokenId};
use tenantry_core::organization::Organization;
use tenantry_core::token::{AccessToken, Overlap, ScopeGrants, Scopes, Secret, SecretKind, UserToken};
use tenantry_core::values::{EmailAddress, IpAllowList};
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{OrganizationFilter, Page, Party, Tx, UseCase};
use uuid::Uuid;

use crate::{App, Error, HashKey, LimitReached, Requester, changes, limits, rotation, users};

pub use crate::secrets::IssuedToken;

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

    fn party(&self) -> Party {
        self.by.party()
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
            previous_secret: None,
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

    fn party(&self) -> Party {
        self.by.party()
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

/// A token of an organization or a user, with its new secret.
#[derive(Debug, Clone)]
pub enum RotatedToken {
    /// A token of an organization.
    Organization(IssuedToken<AccessToken>),
    /// A token of a user.
    User(IssuedToken<UserToken>),
}

/// Gives the token of this id, of any organization or user, a new secret.
#[derive(Clone)]
pub struct TokenRotate {
    /// The requester.
    pub by: Requester,
    /// The token.
    pub id: Uuid,
    /// The time for which the old secret works on.
    pub overlap: Overlap,
    /// The key that hashes the new secret.
    pub hash_key: HashKey,
}

impl UseCase for TokenRotate {
    type Output = RotatedToken;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<RotatedToken, Error> {
        let Self { by, id, overlap, hash_key } = self;
        if let Some(organization) = tx.organization_of_token(TokenId::new(*id)).await? {
            let token = tx.access_token_for_update(organization, TokenId::new(*id)).await?;
            let token = token.ok_or(Error::TokenNotFound)?;
            let rotated = rotation::rotate(tx, context, by, &token, (*overlap, hash_key)).await?;
            return Ok(RotatedToken::Organization(rotated));
        }
        let token = tx.user_token(UserTokenId::new(*id)).await?.ok_or(Error::TokenNotFound)?;
        let rotated = rotation::rotate_user_token(tx, context, by, &token, (*overlap, hash_key)).await?;
        Ok(RotatedToken::User(rotated))
    }
}

impl App {
    /// Passes the tokens of an organization, or of all organizations, to `each`. With `expires_before`, only tokens
    /// that expire before this time. For the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn each_access_token(
        &self,
        organization: Option<&Organization>,
        expires_before: Option<Timestamp>,
        mut each: impl FnMut(&Organization, AccessToken),
    ) -> Result<(), Error> {
        let all = Page { offset: 0, limit: u64::MAX };
        let organizations = match organization {
            Some(one) => vec![one.clone()],
            None => {
                self.organizations(&Requester::operator(), &OrganizationFilter::default(), all).await?.items
            }
        };
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        for one in organizations {
            for token in tx.access_tokens(&[one.id], expires_before, &[], all).await?.items {
                each(&one, token);
            }
        }
        Ok(())
    }

    /// Passes the tokens of all users to `each`, with the user's address. For the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn each_user_token(&self, mut each: impl FnMut(UserToken, String)) -> Result<(), Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let mut after = None;
        loop {
            let page = tx.user_tokens(after, limits::OLD_ROWS_PER_TRANSACTION).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for (token, email) in page {
                each(token, email);
            }
        }
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

    fn party(&self) -> Party {
        self.by.party()
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
            last_used_at: None,
            previous_secret: None,
        };
        let secret = Secret::generate(SecretKind::UserToken, context);
        tx.user_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        changes::created(tx, context, by, "user_token.created", &token).await?;
        Ok(IssuedToken { token, secret })
    }
}
