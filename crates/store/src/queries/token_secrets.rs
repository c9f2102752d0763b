//! The secrets of tokens, of organizations and of users alike: look-up, rotation, end and last use.
//!
//! | rows of a token | meaning |
//! |---|---|
//! | `secret_hash` | the secret that the last rotation, or the creation, made |
//! | `previous_secret_hash` | the secret before it; it works until `previous_secret_expires_at` |
//!
//! Each of the two is a row of `credentials`. The token's row decides: a credential that it does not name opens
//! nothing.

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, OrganizationId, SessionId, TokenId, UserTokenId};
use tenantry_core::token::{LAST_USE_RESOLUTION_S, PreviousSecret, SecretKind, TokenHash};

use super::Query;
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// A token of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenRef {
    /// A token of an organization.
    Organization(OrganizationId, TokenId),
    /// A token of a user.
    User(UserTokenId),
}

impl TokenRef {
    const fn table(self) -> &'static str {
        match self {
            Self::Organization(..) => "access_tokens",
            Self::User(_) => "user_tokens",
        }
    }

    const fn parts(self) -> (Option<OrganizationId>, uuid::Uuid) {
        match self {
            Self::Organization(organization, id) => (Some(organization), id.uuid()),
            Self::User(id) => (None, id.uuid()),
        }
    }

    /// Adds the condition that selects the token.
    fn select(self, query: &mut Query<'_>) {
        let (organization, id) = self.parts();
        query.push(" WHERE ");
        if let Some(organization) = organization {
            let organization = query.param(organization);
            query.push(&format!("organization_id = {organization} AND "));
        }
        let id = query.param(id);
        query.push(&format!("id = {id}"));
    }
}

/// The subject of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretSubject {
    /// A token. It may be revoked, and the secret may have ended.
    Token(TokenRef),
    /// A session of the portal.
    Session(OrganizationId, SessionId),
}

/// The hashes of a token's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSecrets {
    /// The secret that was made last.
    pub current: TokenHash,
    /// The secret before it.
    pub previous: Option<TokenHash>,
}

/// A use of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenUse {
    /// The token.
    pub token: TokenRef,
    /// Whether this is about the token's previous secret alone, not about the token.
    pub is_previous: bool,
    /// The time of the use.
    pub at: Timestamp,
}

/// Reads the columns `previous_secret_expires_at` and `previous_secret_used_at`. The first one has the number `index`.
pub(super) fn previous_secret(row: &Row<'_>, index: usize) -> Result<Option<PreviousSecret>, StoreError> {
    let expires_at: Option<Timestamp> = row.get(index)?;
    let last_used_at = row.get(index + 1)?;
    Ok(expires_at.map(|expires_at| PreviousSecret { expires_at, last_used_at }))
}

pub(super) fn hash(bytes: Vec<u8>) -> Result<TokenHash, StoreError> {
    bytes.try_into().map(TokenHash).map_err(|_| unexpected("a hash of another length"))
}

impl Tx<'_> {
    /// The token or session that the secret of this hash belongs to.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn secret_subject(&mut self, hash: &TokenHash) -> Result<Option<SecretSubject>, StoreError> {
        let found = self.credential(hash).await?;
        Ok(found.and_then(|(kind, organization, subject)| match (kind, organization) {
            (SecretKind::OrganizationToken | SecretKind::ApiKey, Some(organization)) => {
                Some(SecretSubject::Token(TokenRef::Organization(organization, TokenId::new(subject))))
            }
            (SecretKind::UserToken | SecretKind::ConsoleSession, _) => {
                Some(SecretSubject::Token(TokenRef::User(UserTokenId::new(subject))))
            }
            (SecretKind::CustomerSession | SecretKind::MemberSession, Some(organization)) => {
                Some(SecretSubject::Session(organization, SessionId::new(subject)))
            }
            _ => None,
        }))
    }

    /// The hashes of a token's secrets. The caller has locked the token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_secrets(&mut self, token: TokenRef) -> Result<Option<TokenSecrets>, StoreError> {
        let mut query =
            Query::new(format!("SELECT secret_hash, previous_secret_hash FROM {}", token.table()));
        token.select(&mut query);
        self.first(&query.sql, &query.params, |row| {
            let previous: Option<Vec<u8>> = row.get(1)?;
            Ok(TokenSecrets { current: hash(row.get(0)?)?, previous: previous.map(hash).transpose()? })
        })
        .await
    }

    /// The kind of a token's current secret. The next one is of the same kind. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_secret_kind(&mut self, token: TokenRef) -> Result<SecretKind, StoreError> {
        let lost = || unexpected("a token without credential");
        let secrets = self.token_secrets(token).await?.ok_or_else(lost)?;
        let (kind, ..) = self.credential(&secrets.current).await?.ok_or_else(lost)?;
        Ok(kind)
    }

    /// Gives a token a new secret. The current one becomes the previous one, or ends without `previous`; the one before
    /// it ends. The caller has locked the token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_secret_replace(
        &mut self,
        token: TokenRef,
        (kind, new): (SecretKind, &TokenHash),
        previous: Option<PreviousSecret>,
    ) -> Result<(), StoreError> {
        let before = self.token_secrets(token).await?.ok_or_else(|| unexpected("a token vanished"))?;
        let ended = if previous.is_some() { None } else { Some(before.current) };
        for hash in [before.previous, ended].into_iter().flatten() {
            self.credential_delete(&hash).await?;
        }
        let kept = previous.map(|_| before.current.0);
        let mut query = Query::new(format!("UPDATE {} SET secret_hash = ", token.table()));
        let new_hash = query.param(Param::Bytes(&new.0));
        let old_hash = query.param(kept.as_ref().map(<[u8; 32]>::as_slice));
        let expires_at = query.param(previous.map(|previous| previous.expires_at));
        let used_at = query.param(previous.and_then(|previous| previous.last_used_at));
        query.push(&format!(
            "{new_hash}, previous_secret_hash = {old_hash}, previous_secret_expires_at = {expires_at},
                previous_secret_used_at = {used_at}"
        ));
        token.select(&mut query);
        self.execute_unawaited(&query.sql, &query.params).await?;
        let (organization, id) = token.parts();
        self.credential_insert(new, kind, organization, id).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Ends the previous secret of a token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_previous_secret_end(
        &mut self,
        token: TokenRef,
        previous: &TokenHash,
    ) -> Result<(), StoreError> {
        self.credential_delete(previous).await?;
        let mut query = Query::new(format!(
            "UPDATE {} SET previous_secret_hash = NULL, previous_secret_expires_at = NULL,
                previous_secret_used_at = NULL",
            token.table()
        ));
        token.select(&mut query);
        self.execute_unawaited(&query.sql, &query.params).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Records the last use of a token or of its previous secret, unless the recorded one is less than
    /// [`LAST_USE_RESOLUTION_S`] seconds older. Cached credentials stay valid, since no right changes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_record_use(&mut self, used: &TokenUse) -> Result<(), StoreError> {
        let TokenUse { token, is_previous, at } = used;
        // The previous secret may have ended meanwhile.
        let (column, more) = match is_previous {
            true => ("previous_secret_used_at", " AND previous_secret_hash IS NOT NULL"),
            false => ("last_used_at", ""),
        };
        let mut query = Query::new(format!("UPDATE {} SET {column} = ", token.table()));
        let now = query.param(*at);
        query.push(&now);
        token.select(&mut query);
        let stale = query.param(at.plus_seconds(-LAST_USE_RESOLUTION_S));
        query.push(&format!(" AND ({column} IS NULL OR {column} <= {stale}){more}"));
        self.execute_unawaited(&query.sql, &query.params).await
    }

    /// Deletes a session of the portal, and the change of the customer's address that is requested, because the session
    /// may have requested it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn customer_session_delete(
        &mut self,
        organization: OrganizationId,
        id: SessionId,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let sql = "SELECT customer_id FROM customer_sessions WHERE organization_id = ?1 AND id = ?2";
        let which = [organization.into(), id.into()];
        if let Some(customer) = self.first(sql, &which, |row| row.get::<CustomerId>(0)).await? {
            self.email_update_delete(organization, customer).await?;
        }
        self.credential_delete(hash).await?;
        self.execute_unawaited(
            "DELETE FROM customer_sessions WHERE organization_id = ?1 AND id = ?2",
            &which,
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }

    async fn credential_delete(&mut self, hash: &TokenHash) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM credentials WHERE secret_hash = ?1", &[Param::Bytes(&hash.0)])
            .await
    }
}
