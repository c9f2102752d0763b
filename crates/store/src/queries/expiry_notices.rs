//! Notices that tokens expire. A token has the time of its next notice in `notice_at`, or null when there is none.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId, UserId, UserTokenId};

use crate::{StoreError, Tx};

impl Tx<'_> {
    /// Access tokens whose notice is due, of all organizations: those that have been due longest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_notices_due(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, TokenId)>, StoreError> {
        let sql = "SELECT organization_id, id FROM access_tokens WHERE notice_at <= ?1
             ORDER BY notice_at, organization_id, id LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// Label and expiry of a token whose notice is due, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_notice_for_update(
        &mut self,
        (organization, id): (OrganizationId, TokenId),
        now: Timestamp,
    ) -> Result<Option<(String, Timestamp)>, StoreError> {
        let sql = format!(
            "SELECT label, expires_at FROM access_tokens
             WHERE organization_id = ?1 AND id = ?2 AND coalesce(notice_at, 9223372036854775807) <= ?3{}",
            self.for_update()
        );
        let params = [organization.into(), id.into(), now.into()];
        self.first(&sql, &params, |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// Saves the time of a token's next notice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_notice_set(
        &mut self,
        (organization, id): (OrganizationId, TokenId),
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE access_tokens SET notice_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), next.into()],
        )
        .await
    }

    /// Tokens of people whose notice is due: those that have been due longest.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_notices_due(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(UserId, UserTokenId)>, StoreError> {
        let sql = "SELECT user_id, id FROM user_tokens WHERE notice_at <= ?1
             ORDER BY notice_at, user_id, id LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// The expiry of a person's token whose notice is due, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_notice_for_update(
        &mut self,
        id: UserTokenId,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = format!(
            "SELECT expires_at FROM user_tokens
             WHERE id = ?1 AND coalesce(notice_at, 9223372036854775807) <= ?2{}",
            self.for_update()
        );
        self.first(&sql, &[id.into(), now.into()], |row| row.get(0)).await
    }

    /// Saves the time of the next notice of a person's token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_notice_set(
        &mut self,
        id: UserTokenId,
        next: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE user_tokens SET notice_at = ?2 WHERE id = ?1",
            &[id.into(), next.into()],
        )
        .await
    }
}
