//! Deletions of users. The user's row, tokens and memberships go at once; the audit entries about the user are anonymized
//! in several transactions. A row of `user_deletions` records the progress, so that another process can continue after a
//! crash.

use tenantry_core::Timestamp;
use tenantry_core::ids::{AuditId, OrganizationId, UserId};
use tenantry_core::token::TokenHash;

use super::token_secrets::hash;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The progress of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDeletion {
    /// The user.
    pub user: UserId,
    /// The time of the deletion.
    pub created_at: Timestamp,
    /// The random seed of the name that replaces personal data.
    pub seed: Vec<u8>,
    /// The last audit entry that is done, in the organization that is next.
    pub entry: Option<AuditId>,
}

impl Tx<'_> {
    /// Notes that an audit log names a person. See `former_team_members`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn former_team_member_insert(
        &mut self,
        user: UserId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO former_team_members (user_id, organization_id) VALUES (?1, ?2)
             ON CONFLICT (user_id, organization_id) DO NOTHING",
            &[user.into(), organization.into()],
        )
        .await
    }

    /// The first organization whose audit log names a person who left its team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn former_team_member_first(
        &mut self,
        user: UserId,
    ) -> Result<Option<OrganizationId>, StoreError> {
        let sql = "SELECT organization_id FROM former_team_members WHERE user_id = ?1
             ORDER BY organization_id LIMIT 1";
        self.first(sql, &[user.into()], |row| row.get(0)).await
    }

    /// Removes an organization whose audit log names the person no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn former_team_member_delete(
        &mut self,
        user: UserId,
        organization: OrganizationId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM former_team_members WHERE user_id = ?1 AND organization_id = ?2",
            &[user.into(), organization.into()],
        )
        .await
    }

    /// Deletes a user with all tokens, revoked ones included, and the responses that are kept for idempotency keys.
    /// The memberships are deleted before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_delete(&mut self, user: UserId) -> Result<(), StoreError> {
        let secrets = self
            .all(
                "SELECT secret_hash, previous_secret_hash FROM user_tokens WHERE user_id = ?1",
                &[user.into()],
                |row| {
                    let previous: Option<Vec<u8>> = row.get(1)?;
                    Ok([Some(hash(row.get(0)?)?), previous.map(hash).transpose()?])
                },
            )
            .await?;
        for TokenHash(hash) in secrets.into_iter().flatten().flatten() {
            self.execute_unawaited("DELETE FROM credentials WHERE secret_hash = ?1", &[Param::Bytes(&hash)])
                .await?;
        }
        for sql in [
            "DELETE FROM user_tokens WHERE user_id = ?1",
            "DELETE FROM idempotency_records WHERE organization_id = ?1",
            "DELETE FROM users WHERE id = ?1",
        ] {
            self.execute_unawaited(sql, &[user.into()]).await?;
        }
        self.mark_credentials_changed();
        Ok(())
    }

    /// Stores the progress of a deletion.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletion_save(&mut self, progress: &UserDeletion) -> Result<(), StoreError> {
        let UserDeletion { user, created_at, seed, entry } = progress;
        self.execute_unawaited(
            "INSERT INTO user_deletions (user_id, created_at, seed, entry_id) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (user_id) DO UPDATE SET entry_id = excluded.entry_id",
            &[(*user).into(), (*created_at).into(), Param::Bytes(seed), entry.map(AuditId::uuid).into()],
        )
        .await
    }

    /// The unfinished deletion of a user, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletion(&mut self, user: UserId) -> Result<Option<UserDeletion>, StoreError> {
        let sql = format!(
            "SELECT user_id, created_at, seed, entry_id FROM user_deletions WHERE user_id = ?1{}",
            self.for_update()
        );
        self.first(&sql, &[user.into()], |row| {
            Ok(UserDeletion {
                user: row.get(0)?,
                created_at: row.get(1)?,
                seed: row.get(2)?,
                entry: row.get::<Option<uuid::Uuid>>(3)?.map(AuditId::new),
            })
        })
        .await
    }

    /// At most `limit` users whose deletion is not finished, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletions(&mut self, limit: i64) -> Result<Vec<UserId>, StoreError> {
        let sql = "SELECT user_id FROM user_deletions ORDER BY created_at LIMIT ?1";
        self.all(sql, &[limit.into()], |row| row.get(0)).await
    }

    /// Removes a finished deletion.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletion_finish(&mut self, user: UserId) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM user_deletions WHERE user_id = ?1", &[user.into()]).await
    }
}
