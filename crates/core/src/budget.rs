//! Budgets: how often something may happen in a period, such as mails, codes for signing in and large stored responses.

use std::num::NonZeroU32;

use crate::Timestamp;

/// A number of uses in a period. The budget is full at first, and refills evenly.
///
/// It is stored as the time at which it is full again. Each use moves this time by [`Self::interval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    uses: NonZeroU32,
    period_s: i64,
}

impl Budget {
    /// A number of uses an hour.
    #[must_use]
    pub const fn hourly(uses: NonZeroU32) -> Self {
        Self { uses, period_s: 60 * 60 }
    }

    /// A number of uses a day.
    #[must_use]
    pub const fn daily(uses: NonZeroU32) -> Self {
        Self { uses, period_s: 24 * 60 * 60 }
    }

    /// The time in microseconds in which the budget refills by one use.
    #[must_use]
    pub fn interval(&self) -> i64 {
        self.period_s.saturating_mul(1_000_000) / i64::from(self.uses.get())
    }

    /// The latest time at which a budget may be full again that has room for another use at `now`.
    #[must_use]
    pub fn last_full_at(&self, now: Timestamp) -> Timestamp {
        let others = i64::from(self.uses.get()).saturating_sub(1);
        Timestamp::from_micros(now.as_micros().saturating_add(self.interval().saturating_mul(others)))
    }

    /// The time from which an empty budget has room again that is full at `full_at`.
    #[must_use]
    pub fn free_at(&self, full_at: Timestamp) -> Timestamp {
        let now = Timestamp::from_micros(0);
        let ahead = self.last_full_at(now).as_micros();
        Timestamp::from_micros(full_at.as_micros().saturating_sub(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_budget_has_room_after_one_interval() {
        let now = Timestamp::from_micros(7);
        let budget = Budget::hourly(NonZeroU32::new(4).unwrap());
        assert_eq!(budget.interval(), 15 * 60 * 1_000_000);
        let full_at = Timestamp::from_micros(now.as_micros() + 4 * budget.interval());
        assert!(full_at > budget.last_full_at(now));
        assert_eq!(budget.free_at(full_at).as_micros() - now.as_micros(), budget.interval());
        assert_eq!(budget.last_full_at(budget.free_at(full_at)), full_at);
    }
}
