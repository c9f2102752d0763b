//! Changes of a user's address, which the memberships take over in several transactions. A row of `user_email_changes`
//! records the progress, so that another process can continue after a crash.

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::values::EmailAddress;

use crate::error::unexpected;
use crate::{StoreError, Tx};

/// A change of a user's address that is not finished, and its progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserEmailChange {
    /// The user, who has the address already.
    pub user: UserId,
    /// The time of the change.
    pub created_at: Timestamp,
    /// The new address, as it was entered.
    pub email: EmailAddress,
    /// The party that changed the address.
    pub actor: Actor,
    /// The id of its HTTP request.
    pub request_id: Option<String>,
    /// The last organization whose membership has the address.
    pub last_organization: Option<OrganizationId>,
}

impl Tx<'_> {
    /// Stores a change of an address, or its progress. It replaces an earlier change of the user.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_email_change_save(&mut self, change: &UserEmailChange) -> Result<(), StoreError> {
        let UserEmailChange { user, created_at, email, actor, request_id, last_organization } = change;
        self.execute_unawaited(
            "INSERT INTO user_email_changes (user_id, created_at, email, email_key, actor_kind, actor_id, request_id,
                last_organization_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (user_id) DO UPDATE SET created_at = excluded.created_at, email = excluded.email,
                email_key = excluded.email_key, actor_kind = excluded.actor_kind, actor_id = excluded.actor_id,
                request_id = excluded.request_id, last_organization_id = excluded.last_organization_id",
            &[
                (*user).into(),
                (*created_at).into(),
                email.as_str().into(),
                email.key().into(),
                actor.kind().into(),
                actor.id().into(),
                request_id.as_deref().into(),
                last_organization.map(OrganizationId::uuid).into(),
            ],
        )
        .await
    }

    /// The unfinished change of a user's address, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_email_change(&mut self, user: UserId) -> Result<Option<UserEmailChange>, StoreError> {
        let sql = format!(
            "SELECT user_id, created_at, email, email_key, actor_kind, actor_id, request_id, last_organization_id
             FROM user_email_changes WHERE user_id = ?1{}",
            self.for_update()
        );
        self.first(&sql, &[user.into()], |row| {
            let actor_id = row.get(5)?;
            Ok(UserEmailChange {
                user: row.get(0)?,
                created_at: row.get(1)?,
                email: row.email(2, 3)?.ok_or_else(|| unexpected("a change without address"))?,
                actor: row.named(4, |kind| Actor::from_stored(kind, actor_id))?,
                request_id: row.get(6)?,
                last_organization: row.get(7)?,
            })
        })
        .await
    }

    /// At most `limit` users with an unfinished change of the address, the oldest change first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_email_changes(&mut self, limit: i64) -> Result<Vec<UserId>, StoreError> {
        let sql = "SELECT user_id FROM user_email_changes ORDER BY created_at LIMIT ?1";
        self.all(sql, &[limit.into()], |row| row.get(0)).await
    }

    /// Removes a change that every membership has taken over.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_email_change_finish(&mut self, user: UserId) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM user_email_changes WHERE user_id = ?1", &[user.into()]).await
    }
}
