//! Pending mail.
//!
//! | row | meaning of `due_at` |
//! |---|---|
//! | `mails` | the next attempt, or the end of the lease of the worker that sends the mail |
//! | `mail_queues` | the time at which the account has a mail to send in this queue; null when it has none |
//!
//! An account has a queue for each [`MailQueue`]. A worker takes the queues that have been due longest, a few mails of
//! each, and reschedules the queue behind those that are due already. So the work for one mail does not grow with the
//! number of pending mails, and accounts take turns. A transaction locks the queue before it changes its mails, so that
//! it sees a mail that another transaction writes at the same time. Several queues are locked by account and name.
//!
//! The stored `due_at` of a mail identifies the lease: a worker postpones or gives up a mail only while `due_at` has
//! the value that the worker wrote. When a worker crashes, its mail is due again at the end of the lease, and another
//! worker sends it.

use tenantry_core::Timestamp;
use tenantry_core::ids::{MailId, OrganizationId, UserId};
use tenantry_core::mail::{MailContent, MailQueue, QueuedMail};
use tenantry_core::user::Language;

use crate::error::unexpected;
use crate::row::Row;
use crate::{StoreError, Tx};

const COLUMNS: &str = "organization_id, id, created_at, expires_at, recipient, recipient_key, content,
    sealed_secret, due_at, attempts, is_counted, queue, about_id, user_id, language";

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
        is_counted: row.get(10)?,
        queue: row.named(11, MailQueue::from_name)?,
        about: row.get(12)?,
        user: row.get(13)?,
        language: row.get::<Option<String>>(14)?.and_then(|tag| Language::from_tag(&tag)),
    })
}

impl Tx<'_> {
    /// The account that the mails of an organization count for, its parent or itself, and the organization's owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_account(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<(OrganizationId, UserId)>, StoreError> {
        let sql = "SELECT coalesce(parent_id, id), owner_user_id FROM organizations WHERE id = ?1";
        self.first(sql, &[organization.into()], |row| Ok((row.get(0)?, row.get(1)?))).await
    }

    /// The owner of an organization, or of an account. Limits of mails and of webhooks count by owner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_owner(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<UserId>, StoreError> {
        let sql = "SELECT owner_user_id FROM organizations WHERE id = ?1";
        self.first(sql, &[organization.into()], |row| row.get(0)).await
    }

    /// Inserts a pending mail, and wakes the worker after the commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_insert(&mut self, new: &QueuedMail) -> Result<(), StoreError> {
        let QueuedMail {
            id,
            organization,
            created_at,
            expires_at,
            to,
            content,
            sealed,
            due_at,
            attempts,
            queue,
            is_counted,
            about,
            user,
            language,
        } = new;
        self.execute_unawaited(
            "INSERT INTO mails (organization_id, id, created_at, expires_at, due_at, attempts, recipient,
                recipient_key, content, sealed_secret, is_counted, queue, about_id, user_id, language)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
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
                (*is_counted).into(),
                queue.as_str().into(),
                (*about).into(),
                (*user).into(),
                language.map(Language::as_str).into(),
            ],
        )
        .await?;
        self.mail_queue_wake(*organization, *queue, *due_at).await?;
        self.mark_mail_due(*organization);
        Ok(())
    }

    /// Makes a queue due at `due_at`, if it is not due before.
    async fn mail_queue_wake(
        &mut self,
        account: OrganizationId,
        queue: MailQueue,
        due_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO mail_queues (organization_id, queue, due_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (organization_id, queue) DO UPDATE SET due_at = CASE
                WHEN mail_queues.due_at <= excluded.due_at THEN mail_queues.due_at ELSE excluded.due_at END",
            &[account.into(), queue.as_str().into(), due_at.into()],
        )
        .await
    }

    /// Leases at most `limit` mails that are due at `now` until `held_until`: of one account, or of all. It takes them
    /// in turns by account, so that many mails of one account do not delay the mails of others. A mail that cannot be
    /// read becomes due again at `put_off_until`, so that it does not block the others. Three round trips more for each
    /// queue, and one for each mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_lease(
        &mut self,
        now: Timestamp,
        [held_until, put_off_until]: [Timestamp; 2],
        limit: i64,
        account: Option<OrganizationId>,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let mut queues = match account {
            Some(account) => {
                let mut queues = self.mail_queues_of(account).await?;
                queues.retain(|(_, due_at)| *due_at <= now);
                queues.into_iter().map(|(queue, _)| (account, queue)).collect()
            }
            None => self.mail_queues_due(now, limit).await?,
        };
        let share = limit / i64::try_from(queues.len().max(1)).unwrap_or(limit);
        queues.sort_unstable();
        let mut taken = Vec::new();
        for queue in queues {
            if self.mail_queue_is_due(queue, now).await? {
                let until = [held_until, put_off_until];
                taken.extend(self.mails_lease_of(queue, now, until, share.max(1)).await?);
                self.mail_queue_reschedule(queue, now).await?;
            }
        }
        Ok(taken)
    }

    async fn mail_queues_due(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, MailQueue)>, StoreError> {
        let sql = "SELECT organization_id, queue FROM mail_queues WHERE due_at <= ?1
             ORDER BY due_at, organization_id, queue LIMIT ?2";
        self.all(sql, &[now.into(), limit.into()], |row| {
            Ok((row.get(0)?, row.named(1, MailQueue::from_name)?))
        })
        .await
    }

    /// The queues of an account with a mail, and the times at which they are due. With Citus, one shard has them.
    async fn mail_queues_of(
        &mut self,
        account: OrganizationId,
    ) -> Result<Vec<(MailQueue, Timestamp)>, StoreError> {
        let sql = "SELECT queue, due_at FROM mail_queues WHERE organization_id = ?1";
        let params = [account.into()];
        let found = self.all(sql, &params, |row| {
            let queue = row.named(0, MailQueue::from_name)?;
            Ok(row.get::<Option<Timestamp>>(1)?.map(|due_at| (queue, due_at)))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// The earliest time at which a mail of an account is due; nothing when no mail is pending.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_next_due_of(
        &mut self,
        account: OrganizationId,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.mail_queues_of(account).await?.into_iter().map(|(_, due_at)| due_at).min())
    }

    /// Locks a queue until the transaction ends, if it is due and no other transaction has locked it. Answers
    /// whether it did.
    async fn mail_queue_is_due(
        &mut self,
        (account, queue): (OrganizationId, MailQueue),
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT due_at FROM mail_queues
             WHERE organization_id = ?1 AND queue = ?2 AND coalesce(due_at, 9223372036854775807) <= ?3{}",
            self.for_update_skip_locked()
        );
        let params = [account.into(), queue.as_str().into(), now.into()];
        Ok(self.first(&sql, &params, |_| Ok(())).await?.is_some())
    }

    async fn mails_lease_of(
        &mut self,
        (account, queue): (OrganizationId, MailQueue),
        now: Timestamp,
        [held_until, put_off_until]: [Timestamp; 2],
        limit: i64,
    ) -> Result<Vec<QueuedMail>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM mails WHERE organization_id = ?1 AND queue = ?2 AND due_at <= ?3
             ORDER BY due_at, id LIMIT ?4"
        );
        let due = self
            .all(&sql, &[account.into(), queue.as_str().into(), now.into(), limit.into()], |row| {
                Ok((row.get::<MailId>(1)?, mail(row)))
            })
            .await?;
        let mut taken = Vec::new();
        for (id, mail) in due {
            let until = if mail.is_ok() { held_until } else { put_off_until };
            self.execute_unawaited(
                "UPDATE mails SET due_at = ?3 WHERE organization_id = ?1 AND id = ?2",
                &[account.into(), id.into(), until.into()],
            )
            .await?;
            match mail {
                Ok(mail) => {
                    let attempts = mail.attempts.saturating_add(1);
                    taken.push(QueuedMail { due_at: until, attempts, ..mail });
                }
                Err(error) => {
                    tracing::error!(%error, organization_id = %account, mail_id = %id, "mail unreadable");
                }
            }
        }
        Ok(taken)
    }

    /// Locks a queue until the transaction ends.
    async fn mail_queue_lock(
        &mut self,
        (account, queue): (OrganizationId, MailQueue),
    ) -> Result<(), StoreError> {
        let hold = self.for_update();
        let sql = format!("SELECT due_at FROM mail_queues WHERE organization_id = ?1 AND queue = ?2{hold}");
        self.all(&sql, &[account.into(), queue.as_str().into()], |_| Ok(())).await.map(drop)
    }

    /// Makes a queue due when its next mail is, or `now` if that has passed. The queue is locked.
    async fn mail_queue_reschedule(
        &mut self,
        (account, queue): (OrganizationId, MailQueue),
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE mail_queues SET due_at = (
                SELECT CASE WHEN mails.due_at < ?3 THEN ?3 ELSE mails.due_at END FROM mails
                WHERE organization_id = ?1 AND queue = ?2 AND mails.due_at IS NOT NULL
                ORDER BY mails.due_at LIMIT 1)
             WHERE organization_id = ?1 AND queue = ?2",
            &[account.into(), queue.as_str().into(), now.into()],
        )
        .await
    }

    /// Puts a leased mail back into its place in the queue, and makes the queue due at `free_at`: the owner has sent as
    /// many mails as it may.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_return(&mut self, mail: &QueuedMail, free_at: Timestamp) -> Result<(), StoreError> {
        let account = mail.organization;
        self.execute_unawaited(
            "UPDATE mails SET due_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[account.into(), mail.id.into(), mail.created_at.into()],
        )
        .await?;
        self.execute_unawaited(
            "UPDATE mail_queues SET due_at = ?3 WHERE organization_id = ?1 AND queue = ?2",
            &[account.into(), mail.queue.as_str().into(), free_at.into()],
        )
        .await
    }

    /// Records that a mail was taken out of its budgets.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_mark_counted(&mut self, mail: &QueuedMail) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE mails SET is_counted = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[mail.organization.into(), mail.id.into(), true.into()],
        )
        .await
    }

    /// Counts an attempt and makes the mail due at `due` in the queue of retries, unless another worker has leased it
    /// since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_postpone(
        &mut self,
        mail: &QueuedMail,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let QueuedMail { organization, id, due_at, attempts, queue, .. } = mail;
        self.mail_queue_lock((*organization, *queue)).await?;
        self.execute_unawaited(
            "UPDATE mails SET due_at = ?4, attempts = ?5, queue = 'retries'
             WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 0) = ?3",
            &[
                (*organization).into(),
                (*id).into(),
                (*due_at).into(),
                due.into(),
                i64::from(*attempts).into(),
            ],
        )
        .await?;
        self.mail_queue_reschedule((*organization, *queue), now).await?;
        self.mail_queue_wake(*organization, MailQueue::Retries, due).await
    }

    /// Deletes a mail, unless another worker has leased it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_delete_leased(&mut self, mail: &QueuedMail, now: Timestamp) -> Result<(), StoreError> {
        let QueuedMail { organization, id, due_at, queue, .. } = mail;
        self.mail_queue_lock((*organization, *queue)).await?;
        self.execute_unawaited(
            "DELETE FROM mails WHERE organization_id = ?1 AND id = ?2 AND coalesce(due_at, 0) = ?3",
            &[(*organization).into(), (*id).into(), (*due_at).into()],
        )
        .await?;
        self.mail_queue_reschedule((*organization, *queue), now).await
    }

    /// Deletes a mail that was sent, or is not to be sent, even if another worker has leased it since.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_delete(&mut self, mail: &QueuedMail, now: Timestamp) -> Result<(), StoreError> {
        let QueuedMail { organization, id, queue, .. } = mail;
        self.mail_queue_lock((*organization, *queue)).await?;
        self.execute_unawaited(
            "DELETE FROM mails WHERE organization_id = ?1 AND id = ?2",
            &[(*organization).into(), (*id).into()],
        )
        .await?;
        self.mail_queue_reschedule((*organization, *queue), now).await
    }

    /// Deletes the pending mails about an organization: those of its account that name it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_delete_about(
        &mut self,
        account: OrganizationId,
        about: OrganizationId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM mails WHERE organization_id = ?1 AND about_id = ?2",
            &[account.into(), about.into()],
        )
        .await
    }

    /// Deletes the pending mails of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_delete_of(&mut self, account: OrganizationId) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM mails WHERE organization_id = ?1", &[account.into()]).await
    }

    /// Deletes up to `limit` pending mails to a person. Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_delete_to_user(&mut self, user: UserId, limit: i64) -> Result<usize, StoreError> {
        let sql = "SELECT organization_id, id FROM mails WHERE user_id = ?1 LIMIT ?2";
        let name = |row: &Row<'_>| Ok((row.get::<OrganizationId>(0)?, row.get::<MailId>(1)?));
        let mails = self.all(sql, &[user.into(), limit.into()], name).await?;
        for (account, id) in &mails {
            self.execute_unawaited(
                "DELETE FROM mails WHERE organization_id = ?1 AND id = ?2",
                &[(*account).into(), (*id).into()],
            )
            .await?;
        }
        Ok(mails.len())
    }

    /// The number of mails of an account that wait in a queue, counted up to `limit`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mails_pending(
        &mut self,
        account: OrganizationId,
        queue: MailQueue,
        limit: i64,
    ) -> Result<i64, StoreError> {
        // A comparison, because SQLite removes `IS NOT NULL` from a column that is never null, and with it the index.
        let sql = "SELECT count(*) FROM (SELECT id FROM mails WHERE organization_id = ?1 AND queue = ?2
             AND due_at >= 0 ORDER BY due_at, id LIMIT ?3) AS waiting";
        let params = [account.into(), queue.as_str().into(), limit.into()];
        let waiting = self.first(sql, &params, |row| row.get(0)).await?;
        Ok(waiting.unwrap_or(0))
    }
}
