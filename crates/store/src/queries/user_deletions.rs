//! Deletions of users. The user's row goes at once, and with it every right of the person; everything else follows in
//! several transactions. A row of `user_deletions` records the progress, so that another process can continue after a
//! crash.

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{AuditId, OrganizationId, UserId};
use tenantry_core::token::UserToken;

use super::user_tokens::{USER_TOKEN, user_token};
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The progress of a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserDeletion {
    /// The user.
    pub user: UserId,
    /// The time of the deletion.
    pub created_at: Timestamp,
    /// The party that deleted the user.
    pub actor: Actor,
    /// The id of its HTTP request.
    pub request_id: Option<String>,
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

    /// Deletes the row of a user, with passkeys, recovery codes and known browsers, of which there are
    /// few. Every token and session of the
    /// person is refused from then on, and every code for signing in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_delete(&mut self, user: UserId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM passkeys WHERE user_id = ?1",
            "DELETE FROM recovery_codes WHERE user_id = ?1",
            "DELETE FROM known_browsers WHERE user_id = ?1",
            "DELETE FROM users WHERE id = ?1",
        ] {
            self.execute_unawaited(sql, &[user.into()]).await?;
        }
        self.mark_credentials_changed();
        Ok(())
    }

    /// Deletes up to `limit` tokens of a user, sessions and revoked tokens included, with their credentials. Returns
    /// how many, and those that were neither sessions nor revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_tokens_delete(
        &mut self,
        user: UserId,
        limit: i64,
    ) -> Result<(usize, Vec<UserToken>), StoreError> {
        // Locked: a rotation that is under way adds a secret, which this must find.
        let sql = format!(
            "SELECT {USER_TOKEN}, secret_hash, previous_secret_hash, deleted_at IS NULL AND idle_s IS NULL
             FROM user_tokens WHERE user_id = ?1 LIMIT ?2{}",
            self.for_update()
        );
        let at = USER_TOKEN.split(',').count();
        let read = |row: &Row<'_>| {
            let secrets: [Option<Vec<u8>>; 2] = [Some(row.get(at)?), row.get(at + 1)?];
            Ok((user_token(row)?, secrets, row.get::<bool>(at + 2)?))
        };
        let tokens = self.all(&sql, &[user.into(), limit.into()], read).await?;
        let (count, mut live) = (tokens.len(), Vec::new());
        for (token, secrets, is_live) in tokens {
            for hash in secrets.into_iter().flatten() {
                let sql = "DELETE FROM credentials WHERE secret_hash = ?1";
                self.execute_unawaited(sql, &[Param::Bytes(&hash)]).await?;
            }
            self.execute_unawaited("DELETE FROM user_tokens WHERE id = ?1", &[token.id.into()]).await?;
            live.extend(is_live.then_some(token));
        }
        Ok((count, live))
    }

    /// Stores the progress of a deletion.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletion_save(&mut self, progress: &UserDeletion) -> Result<(), StoreError> {
        let UserDeletion { user, created_at, actor, request_id, seed, entry } = progress;
        self.execute_unawaited(
            "INSERT INTO user_deletions (user_id, created_at, actor_kind, actor_id, request_id, seed, entry_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (user_id) DO UPDATE SET entry_id = excluded.entry_id",
            &[
                (*user).into(),
                (*created_at).into(),
                actor.kind().into(),
                actor.id().into(),
                request_id.as_deref().into(),
                Param::Bytes(seed),
                entry.map(AuditId::uuid).into(),
            ],
        )
        .await
    }

    /// The unfinished deletion of a user, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_deletion(&mut self, user: UserId) -> Result<Option<UserDeletion>, StoreError> {
        let sql = format!(
            "SELECT user_id, created_at, actor_kind, actor_id, request_id, seed, entry_id FROM user_deletions
             WHERE user_id = ?1{}",
            self.for_update()
        );
        self.first(&sql, &[user.into()], |row| {
            let actor_id = row.get(3)?;
            Ok(UserDeletion {
                user: row.get(0)?,
                created_at: row.get(1)?,
                actor: row.named(2, |kind| Actor::from_stored(kind, actor_id))?,
                request_id: row.get(4)?,
                seed: row.get(5)?,
                entry: row.get::<Option<uuid::Uuid>>(6)?.map(AuditId::new),
            })
        })
        .await
    }

    /// Whether the deletion of a user is not finished.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_is_in_deletion(&mut self, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM user_deletions WHERE user_id = ?1";
        Ok(self.first(sql, &[user.into()], |_| Ok(())).await?.is_some())
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
