//! Budgets: how many mails an owner may still send and a recipient still get, how many codes may still be asked for and
//! tried, how many large responses may still be stored.
//!
//! A row of `mail_budgets` holds the time at which a budget is full again. A use moves this time on; where it is too far
//! ahead, the budget is empty. Rows whose time has passed are deleted by the sweep. A time that lies further ahead than
//! the whole budget was written while the clock was wrong, and counts as none.
//!
//! A mark is a row under a hash of its own whose time says until when something holds.

use tenantry_core::Timestamp;
use tenantry_core::budget::Budget;
use tenantry_core::ids::OrganizationId;
use tenantry_core::token::TokenHash;

use crate::value::Param;
use crate::{StoreError, Tx};

impl Tx<'_> {
    /// Takes one use out of a budget. Returns the time at which there is room again, if the budget is empty. The row
    /// stays locked until the transaction ends. One round trip more for an empty budget.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn budget_take(
        &mut self,
        (account, hash): (OrganizationId, TokenHash),
        budget: Budget,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let interval = budget.interval();
        let first = Timestamp::from_micros(now.as_micros().saturating_add(interval));
        let taken = self
            .execute(
                "INSERT INTO mail_budgets (organization_id, budget_hash, full_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (organization_id, budget_hash) DO UPDATE SET full_at = CASE
                    WHEN mail_budgets.full_at > ?4 AND mail_budgets.full_at <= ?6
                    THEN mail_budgets.full_at + ?5 ELSE ?3 END
                 WHERE mail_budgets.full_at <= ?6 OR mail_budgets.full_at > ?7",
                &[
                    account.into(),
                    Param::Bytes(&hash.0),
                    first.into(),
                    now.into(),
                    interval.into(),
                    budget.last_full_at(now).into(),
                    budget.last_full_at(first).into(),
                ],
            )
            .await?;
        if taken > 0 {
            return Ok(None);
        }
        let sql = "SELECT full_at FROM mail_budgets WHERE organization_id = ?1 AND budget_hash = ?2";
        let full_at = self.first(sql, &[account.into(), Param::Bytes(&hash.0)], |row| row.get(0)).await?;
        Ok(Some(full_at.map_or(now, |full_at| budget.free_at(full_at))))
    }

    /// The time at which an empty budget has room again. `None` while it has room.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn budget_wait(
        &mut self,
        (account, hash): (OrganizationId, TokenHash),
        budget: Budget,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let first = Timestamp::from_micros(now.as_micros().saturating_add(budget.interval()));
        let sql = "SELECT full_at FROM mail_budgets WHERE organization_id = ?1 AND budget_hash = ?2
             AND coalesce(full_at, 0) > ?3 AND coalesce(full_at, 0) <= ?4";
        let params = [
            account.into(),
            Param::Bytes(&hash.0),
            budget.last_full_at(now).into(),
            budget.last_full_at(first).into(),
        ];
        let full_at = self.first(sql, &params, |row| row.get(0)).await?;
        Ok(full_at.map(|full_at| budget.free_at(full_at)))
    }

    /// Gives back what the transaction has taken out of a budget.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn budget_return(
        &mut self,
        (account, hash): (OrganizationId, TokenHash),
        budget: Budget,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE mail_budgets SET full_at = full_at - ?3 WHERE organization_id = ?1 AND budget_hash = ?2",
            &[account.into(), Param::Bytes(&hash.0), budget.interval().into()],
        )
        .await
    }

    /// Writes a mark that ends at `until`, or later if it does already. The row stays locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark_set(
        &mut self,
        (account, hash): (OrganizationId, TokenHash),
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO mail_budgets (organization_id, budget_hash, full_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (organization_id, budget_hash) DO UPDATE SET full_at = ?3
             WHERE mail_budgets.full_at < ?3",
            &[account.into(), Param::Bytes(&hash.0), until.into()],
        )
        .await
    }

    /// The end of a mark. `None` without one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mark(
        &mut self,
        (account, hash): (OrganizationId, TokenHash),
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT full_at FROM mail_budgets WHERE organization_id = ?1 AND budget_hash = ?2";
        self.first(sql, &[account.into(), Param::Bytes(&hash.0)], |row| row.get(0)).await
    }

    /// Deletes up to `limit` budgets that are full at `now`. Returns how many. One round trip more for each. It skips
    /// locked budgets, because it does not lock budgets in the order of the workers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn budgets_delete_full(&mut self, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
        let sql = "SELECT organization_id, budget_hash FROM mail_budgets WHERE full_at <= ?1
             ORDER BY full_at, organization_id, budget_hash LIMIT ?2";
        let full = self
            .all(sql, &[now.into(), limit.into()], |row| {
                Ok((row.get::<OrganizationId>(0)?, row.get::<Vec<u8>>(1)?))
            })
            .await?;
        let lock = format!(
            "SELECT full_at FROM mail_budgets
             WHERE organization_id = ?1 AND budget_hash = ?2 AND coalesce(full_at, 0) <= ?3{}",
            self.for_update_skip_locked()
        );
        let mut deleted = 0;
        for (account, hash) in &full {
            let params = [(*account).into(), Param::Bytes(hash), now.into()];
            if self.first(&lock, &params, |_| Ok(())).await?.is_none() {
                continue;
            }
            deleted += 1;
            self.execute_unawaited(
                "DELETE FROM mail_budgets WHERE organization_id = ?1 AND budget_hash = ?2 AND coalesce(full_at, 0) <= ?3",
                &params,
            )
            .await?;
        }
        Ok(deleted)
    }
}
