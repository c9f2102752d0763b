//! New secrets for tokens, and the end of secrets.
//!
//! A secret that leaked can be revoked by anybody who has it: `POST /v1/tokens/revoke`, as RFC 7009 does. The secret alone
//! proves the right to end it. The current secret of a token ends the token; the previous one ends alone.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::{Actor, Client};
use tenantry_core::ids::{OrganizationId, TokenId, UserTokenId};
use tenantry_core::token::{
    self, AccessToken, Overlap, RotateFacts, Secret, SecretKind, TokenHash, UserToken,
};
use tenantry_store::{Party, SecretSubject, StoreError, TokenRef, Tx, UseCase};

use crate::secrets::IssuedToken;
use crate::{App, Error, HashKey, Requester, changes, verified};

/// Gives a token of an organization a new secret of the same kind. The caller has locked the token.
pub(crate) async fn rotate(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &AccessToken,
    (overlap, hash_key): (Overlap, &HashKey),
) -> Result<IssuedToken<AccessToken>, Error> {
    by.check_proof(context.now())?;
    verified::before_change(tx, context, by).await?;
    let facts = RotateFacts { grantor: by.grantor(), rotated_by: by.person() };
    let after = token::rotate(before, &facts, overlap, context.now())?;
    let place = TokenRef::Organization(after.organization, after.id);
    let kind = tx.token_secret_kind(place).await?;
    let secret = Secret::generate(kind, context);
    let hash = hash_key.hash(secret.expose());
    tx.token_secret_replace(place, (kind, &hash), after.previous_secret).await?;
    tx.access_token_update(&after).await?;
    changes::updated(tx, context, by, "access_token.rotated", (before, &after)).await?;
    Ok(IssuedToken { token: after, secret })
}

/// Gives a token of a user a new secret. The caller has locked the token.
pub(crate) async fn rotate_user_token(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: &UserToken,
    (overlap, hash_key): (Overlap, &HashKey),
) -> Result<IssuedToken<UserToken>, Error> {
    let after = token::rotate_user_token(before, overlap, context.now())?;
    let secret = Secret::generate(SecretKind::UserToken, context);
    let hash = hash_key.hash(secret.expose());
    tx.token_secret_replace(TokenRef::User(after.id), (SecretKind::UserToken, &hash), after.previous_secret)
        .await?;
    changes::updated(tx, context, by, "user_token.rotated", (before, &after)).await?;
    Ok(IssuedToken { token: after, secret })
}

/// Ends the secret of this hash. Returns whether it was one that worked.
#[derive(Debug, Clone)]
struct SecretRevoke {
    /// The operator. Without a requester, the secret proves who acts.
    by: Option<Requester>,
    /// The id of the HTTP request, for the audit log.
    request_id: Option<String>,
    /// The client that sent the request, for the audit log.
    client: Client,
    hash: TokenHash,
}

impl UseCase for SecretRevoke {
    type Output = bool;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.as_ref().map_or(Party::STRANGERS, Requester::party)
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<bool, Error> {
        match tx.secret_subject(&self.hash).await? {
            Some(SecretSubject::Token(TokenRef::Organization(organization, id))) => {
                self.revoke_access_token(tx, context, organization, id).await
            }
            Some(SecretSubject::Token(TokenRef::User(id))) => self.revoke_user_token(tx, context, id).await,
            Some(SecretSubject::Session(organization, id)) => {
                tx.customer_session_delete(organization, id, &self.hash).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

impl SecretRevoke {
    fn requester(&self, actor: Actor) -> Requester {
        let proved = || Requester::verified(actor, self.request_id.clone()).from_client(self.client.clone());
        self.by.clone().unwrap_or_else(proved)
    }

    async fn revoke_access_token(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        organization: OrganizationId,
        id: TokenId,
    ) -> Result<bool, Error> {
        let Some(before) = tx.access_token_for_update(organization, id).await? else { return Ok(false) };
        let by = self.requester(Actor::Token(id));
        match self.works_as(tx, TokenRef::Organization(organization, id)).await? {
            None => Ok(false),
            Some(Works::AsPrevious) => {
                let modified_at = Some(context.now());
                let after = AccessToken { previous_secret: None, modified_at, ..before.clone() };
                tx.access_token_update(&after).await?;
                changes::updated(tx, context, &by, "access_token.updated", (&before, &after)).await?;
                Ok(true)
            }
            Some(Works::AsCurrent) => {
                tx.access_token_delete(organization, id, context.now()).await?;
                changes::deleted(tx, context, &by, "access_token.deleted", &before).await?;
                Ok(true)
            }
        }
    }

    async fn revoke_user_token(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        id: UserTokenId,
    ) -> Result<bool, Error> {
        let Some(before) = tx.user_token(id).await? else { return Ok(false) };
        let by = self.requester(Actor::User(before.user, id));
        match self.works_as(tx, TokenRef::User(id)).await? {
            None => Ok(false),
            Some(Works::AsPrevious) => {
                let after = UserToken { previous_secret: None, ..before.clone() };
                changes::updated(tx, context, &by, "user_token.updated", (&before, &after)).await?;
                Ok(true)
            }
            Some(Works::AsCurrent) => {
                tx.user_token_delete(id, context.now()).await?;
                changes::deleted(tx, context, &by, "user_token.deleted", &before).await?;
                Ok(true)
            }
        }
    }

    /// Which of a token's secrets this is. Ends the previous one.
    async fn works_as(&self, tx: &mut Tx<'_>, token: TokenRef) -> Result<Option<Works>, Error> {
        let Some(secrets) = tx.token_secrets(token).await? else { return Ok(None) };
        if secrets.current == self.hash {
            return Ok(Some(Works::AsCurrent));
        }
        if secrets.previous != Some(self.hash) {
            return Ok(None);
        }
        tx.token_previous_secret_end(token, &self.hash).await?;
        Ok(Some(Works::AsPrevious))
    }
}

enum Works {
    AsCurrent,
    AsPrevious,
}

impl App {
    /// Ends a secret on behalf of the operator, or without a requester on behalf of the party that the secret itself
    /// proves. Returns whether it was a secret that worked. An unknown secret causes no write.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_secret(
        &self,
        by: Option<Requester>,
        (request_id, client): (Option<String>, Client),
        secret: &str,
    ) -> Result<bool, Error> {
        if !Secret::recognize(secret).is_some_and(SecretKind::is_credential) {
            return Ok(false);
        }
        let hash = self.hash_key.hash(secret);
        let subject: Result<_, StoreError> = self.store.reader()?.tx()?.secret_subject(&hash).await;
        if subject?.is_none() {
            return Ok(false);
        }
        self.write(SecretRevoke { by, request_id, client, hash }).await
    }
}
