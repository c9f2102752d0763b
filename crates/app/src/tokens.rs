//! Tokens: make and revoke.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, TokenId, UserTokenId};
use tenantry_core::token::{AccessToken, ScopeGrants, Scopes, Secret, SecretKind, UserToken};
use tenantry_core::values::{EmailAddress, IpAllowList};
use tenantry_store::{Tx, UseCase};
use uuid::Uuid;

use crate::changes::{self, Change};
use crate::organizations::person;
use crate::{Error, HashKey, Requester};

/// A new token with its secret, which is shown once.
#[derive(Debug, Clone)]
pub struct IssuedToken<T> {
    /// The token.
    pub token: T,
    /// Its secret.
    pub secret: Secret,
}

/// Makes a token of an organization.
#[derive(Clone)]
pub struct TokenCreate {
    /// On whose behalf.
    pub by: Requester,
    /// Whose.
    pub organization: OrganizationId,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Scopes,
    /// Seconds until it stops working.
    pub expires_in_s: Option<i64>,
    /// The key its secret is hashed with.
    pub hash_key: HashKey,
}

impl UseCase for TokenCreate {
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
        let Self { by, organization, label, scopes, expires_in_s, hash_key } = self;
        tx.organization(*organization).await?.ok_or(Error::OrganizationNotFound)?;
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
        record(tx, context, by, "access_token.created", None, Some(&token)).await?;
        Ok(IssuedToken { token, secret })
    }
}

/// Revokes the token of this id, of whichever organization or person: for the operator.
#[derive(Debug, Clone)]
pub struct TokenRevoke {
    /// On whose behalf.
    pub by: Requester,
    /// Which.
    pub id: Uuid,
}

impl UseCase for TokenRevoke {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, id } = self;
        if let Some(organization) = tx.organization_of_token(TokenId::new(*id)).await? {
            let id = TokenId::new(*id);
            let token = tx.access_token_for_update(organization, id).await?.ok_or(Error::TokenNotFound)?;
            tx.access_token_delete(organization, id, context.now()).await?;
            return record(tx, context, by, "access_token.deleted", Some(&token), None).await;
        }
        let id = UserTokenId::new(*id);
        let token = tx.user_token(id).await?.ok_or(Error::TokenNotFound)?;
        tx.user_token_delete(id, context.now()).await?;
        record_of_person(tx, context, by, "user_token.deleted", Some(&token), None).await
    }
}

/// Makes a token of a person, who becomes a user when not known by that address.
#[derive(Clone)]
pub struct UserTokenCreate {
    /// On whose behalf.
    pub by: Requester,
    /// The person's address.
    pub email: EmailAddress,
    /// What it may do.
    pub scopes: Scopes,
    /// Seconds until it stops working.
    pub expires_in_s: Option<i64>,
    /// The key its secret is hashed with.
    pub hash_key: HashKey,
}

impl UseCase for UserTokenCreate {
    type Output = IssuedToken<UserToken>;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<IssuedToken<UserToken>, Error> {
        let Self { by, email, scopes, expires_in_s, hash_key } = self;
        let user = person(tx, context, by, email, None).await?;
        let token = UserToken {
            id: UserTokenId::new(context.uuid()),
            user: user.id,
            created_at: context.now(),
            scopes: scopes.clone(),
            expires_at: expires_in_s.map(|seconds| context.now().plus_seconds(seconds)),
        };
        let secret = Secret::generate(SecretKind::UserToken, context);
        tx.user_token_insert(&token, &hash_key.hash(secret.expose())).await?;
        record_of_person(tx, context, by, "user_token.created", None, Some(&token)).await?;
        Ok(IssuedToken { token, secret })
    }
}

pub(crate) async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&AccessToken>,
    after: Option<&AccessToken>,
) -> Result<(), Error> {
    let Some(AccessToken { organization, id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*organization, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

async fn record_of_person(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&UserToken>,
    after: Option<&UserToken>,
) -> Result<(), Error> {
    let Some(UserToken { id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (changes::INSTALLATION, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}
