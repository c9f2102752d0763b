//! The tokens of persons, who administer organizations. The module `credentials` looks up a token by its secret. A
//! session of the console is a token as well: see the module `console`.

use tenantry_core::Timestamp;
use tenantry_core::ids::{UserId, UserTokenId};
use tenantry_core::token::{Scopes, SecretKind, TokenHash, UserToken, next_expiry_notice};

use super::token_secrets::previous_secret;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The condition that the person is not deleted. The deletion of a person deletes the tokens after the person's row. A
/// value, because PostgreSQL could plan `EXISTS` as a join that reads all people.
pub(super) const ITS_USER_EXISTS: &str =
    "(SELECT users.id FROM users WHERE users.id = user_tokens.user_id) IS NOT NULL";

pub(super) const USER_TOKEN: &str =
    "id, user_id, created_at, scopes, expires_at, last_used_at, previous_secret_expires_at,
    previous_secret_used_at";

pub(super) fn user_token(row: &Row<'_>) -> Result<UserToken, StoreError> {
    Ok(UserToken {
        id: row.get(0)?,
        user: row.get(1)?,
        created_at: row.get(2)?,
        scopes: row.parse(3, |text| serde_json::from_str::<Scopes>(text))?,
        expires_at: row.get(4)?,
        last_used_at: row.get(5)?,
        previous_secret: previous_secret(row, 6)?,
    })
}

impl Tx<'_> {
    /// Inserts a token of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_insert(&mut self, token: &UserToken, hash: &TokenHash) -> Result<(), StoreError> {
        let UserToken { id, user, created_at, scopes, expires_at, .. } = token;
        self.execute_unawaited(
            "INSERT INTO user_tokens (id, user_id, created_at, scopes, expires_at, secret_hash, notice_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            &[
                (*id).into(),
                (*user).into(),
                (*created_at).into(),
                serde_json::to_string(scopes)?.into(),
                (*expires_at).into(),
                Param::Bytes(&hash.0),
                next_expiry_notice(*expires_at, *created_at).into(),
            ],
        )
        .await?;
        self.credential_insert(hash, SecretKind::UserToken, None, id.uuid()).await
    }

    /// The person's token of this id, locked until the transaction ends; nothing when it is revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token(&mut self, id: UserTokenId) -> Result<Option<UserToken>, StoreError> {
        let sql = format!(
            "SELECT {USER_TOKEN} FROM user_tokens WHERE id = ?1 AND deleted_at IS NULL AND idle_s IS NULL{}",
            self.for_update()
        );
        self.first(&sql, &[id.into()], user_token).await
    }

    /// Whether a person has a token or session, ended ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_has_token(&mut self, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM user_tokens WHERE user_id = ?1 LIMIT 1";
        Ok(self.first(sql, &[user.into()], |_| Ok(())).await?.is_some())
    }

    /// Some tokens of persons that are not revoked, by id, each with its person's address: those after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_tokens(
        &mut self,
        after: Option<UserTokenId>,
        limit: i64,
    ) -> Result<Vec<(UserToken, String)>, StoreError> {
        let columns = USER_TOKEN.split(',').count();
        let sql = format!(
            "SELECT {USER_TOKEN}, (SELECT email FROM users WHERE users.id = user_tokens.user_id)
             FROM user_tokens WHERE deleted_at IS NULL AND idle_s IS NULL AND id > ?1
               AND {ITS_USER_EXISTS}
             ORDER BY id LIMIT ?2"
        );
        let after = after.map_or(uuid::Uuid::nil(), UserTokenId::uuid);
        let read = |row: &Row<'_>| Ok((user_token(row)?, row.get(columns)?));
        self.all(&sql, &[after.into(), limit.into()], read).await
    }

    /// The tokens of a person that are not revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens_of_user(&mut self, user: UserId) -> Result<Vec<UserToken>, StoreError> {
        let sql = format!(
            "SELECT {USER_TOKEN} FROM user_tokens WHERE user_id = ?1 AND deleted_at IS NULL AND idle_s IS NULL"
        );
        let mut tokens = self.all(&sql, &[user.into()], user_token).await?;
        tokens.sort_unstable_by_key(|token| token.id);
        Ok(tokens)
    }

    /// Revokes a token of a person. Its secret is refused from then on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_delete(&mut self, id: UserTokenId, now: Timestamp) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE user_tokens SET deleted_at = ?2, notice_at = NULL WHERE id = ?1",
            &[id.into(), now.into()],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }
}
