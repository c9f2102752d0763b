//! Pending mail.
//!
//! A worker leases a mail by moving its `due_at` to the end of the lease. The stored `due_at` identifies the
//! lease: a worker postpones or gives up a mail only while `due_at` has the value that the worker wrote. When
//! a worker crashes, its mail is due again at the end of the lease, and another worker sends it.

use tenantry_core::Timestamp;
use tenantry_core::ids::{MailId, OrganizationId};
use tenantry_core::mail::{MailContent, QueuedMail};

use crate::error::unexpected;
use crate::row::Row;
use crate::{StoreError, Tx};

const COLUMNS: &str = "organization_id, id, created_at, expires_at, recipient, recipient_key, content,
    sealed_secret, due_at, attempts";

fn mail(row: &Row<'_>) -> Result<QueuedMail, StoreError> {
    Ok(QueuedMail {
        organization: row.get(0)?,
        id: row.get(1)?,
        created_at: row.get(2)?,
        expires_at: row.get(3)?,
        to: row.email(4, 5)?.ok_or_else(|| unexpected("a mail without recipient"))?,
        content: row.parse(6, |text| serde_json::from_str::<MailContent>(text))?,
        sealed: row.get(7)?,
        due_at: row.get(8)?,
        attempts: u32::try_from(row.get::<i64>(9)?).unwrap_or(u32::MAX),
    })
}

impl Tx<'_> {
    /// Inserts a pending mail, and wakes the worker after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_insert(&mut self, new: &QueuedMail) -> Result<(), StoreError> {
        let QueuedMail { id, organization, created_at, expires_at, to, content, sealed, due_at, attempts } =
            new;
        self.execute_unawaited(
            "INSERT INTO mails (organization_id, id, created_at, expires_at, due_at, attempts, recipient,
                recipient_key, content, sealed_secret)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            &[
                (*organization).into(),
                (*id).into(),
                (*created_at).into(),
                (*expires_at).into(),
                (*due_at).into(),
                i64::from(*attempts).into(),
                to.as_str().into(),
                to.key().into(),
                serde_json::to_string(content)?.into(),
                sealed.as_deref().into(),
            ],
        )
        .await?;
        self.mark_mail_due();
        Ok(())
    }

    /// Leases at most `limit` mails that are due at `now` until `held_until`. It takes them in turns by
    /// organization, so that many mails of one organization do not delay the mails of others. A mail that
    /// cannot be read becomes due again at `put_off_until`, so that it does not block the others. One round
    /// trip more for each mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_lease(
        &mut self,
        now: Timestamp,
        [held_until, put_off_until]: [Timestamp; 2],
        limit: i64,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM (SELECT {COLUMNS}, row_number() OVER (
                PARTITION BY organization_id ORDER BY due_at, id) AS turn
             FROM mails WHERE due_at <= ?1) AS due ORDER BY turn, due_at, id LIMIT ?2"
        );
        let due = self
            .all(&sql, &[now.into(), limit.into()], |row| {
                Ok((row.get::<OrganizationId>(0)?, row.get::<MailId>(1)?, mail(row)))
            })
            .await?;
        let mut taken = Vec::new();
        for (organization, id, mail) in due {
            let until = if mail.is_ok() { held_until } else { put_off_until };
            let held = self
                .execute(
                    "UPDATE mails SET due_at = ?3 WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 0) <= ?4",
                    &[organization.into(), id.into(), until.into(), now.into()],
                )
                .await?;
            match mail {
                // Another node leased it first.
                _ if held == 0 => {}
                Ok(mail) => {
                    let attempts = mail.attempts.saturating_add(1);
                    taken.push(QueuedMail { due_at: until, attempts, ..mail });
                }
                Err(error) => {
                    tracing::error!(%error, %organization, %id, "a mail cannot be read, it is postponed")
                }
            }
        }
        Ok(taken)
    }

    /// Counts an attempt and makes the mail due at `due`, unless another worker has leased it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_postpone(&mut self, mail: &QueuedMail, due: Timestamp) -> Result<(), StoreError> {
        let QueuedMail { organization, id, due_at, attempts, .. } = mail;
        self.execute_unawaited(
            "UPDATE mails SET due_at = ?4, attempts = ?5 WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 0) = ?3",
            &[
                (*organization).into(),
                (*id).into(),
                (*due_at).into(),
                due.into(),
                i64::from(*attempts).into(),
            ],
        )
        .await
    }

    /// Deletes a mail, unless another worker has leased it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_delete_leased(&mut self, mail: &QueuedMail) -> Result<(), StoreError> {
        let QueuedMail { organization, id, due_at, .. } = mail;
        self.execute_unawaited(
            "DELETE FROM mails WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 0) = ?3",
            &[(*organization).into(), (*id).into(), (*due_at).into()],
        )
        .await
    }

    /// Deletes a mail that was sent, or can never be sent, even if another worker has leased it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_delete(&mut self, organization: OrganizationId, id: MailId) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM mails WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into()],
        )
        .await
    }

    /// The number of pending mails of an organization, counted up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_pending(
        &mut self,
        organization: OrganizationId,
        limit: i64,
    ) -> Result<i64, StoreError> {
        let sql =
            "SELECT count(*) FROM (SELECT id FROM mails WHERE organization_id = ?1 LIMIT ?2) AS waiting";
        let waiting = self.first(sql, &[organization.into(), limit.into()], |row| row.get(0)).await?;
        Ok(waiting.unwrap_or(0))
    }

    /// The earliest time at which a mail is due; nothing when no mail is pending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_next_due(&mut self) -> Result<Option<Timestamp>, StoreError> {
        self.first("SELECT due_at FROM mails WHERE due_at >= 0 ORDER BY due_at LIMIT 1", &[], |row| {
            row.get(0)
        })
        .await
    }
}
