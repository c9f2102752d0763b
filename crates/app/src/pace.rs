//! The pace of an export, which would otherwise keep a processor of the server, or of the database, busy until its end.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::limits;

/// The pace of work in steps: it rests for twice the time that its steps take, so that the exports of one owner leave
/// most of the processors to others. A step is slower while they are busy, and the rest is then longer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// The time of the steps since the last rest.
    worked: Duration,
}

impl Pace {
    /// Runs the next step, after a rest if one is due.
    pub async fn step<T>(&mut self, step: impl Future<Output = T>) -> T {
        if self.worked >= limits::EXPORT_WORKS_FOR {
            let rest = self.worked.saturating_mul(2).min(limits::EXPORT_RESTS_AT_MOST);
            self.worked = Duration::ZERO;
            sleep(rest).await;
        }
        let begun = Instant::now();
        let done = step.await;
        self.worked = self.worked.saturating_add(begun.elapsed());
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_rests_for_twice_its_time_but_not_for_longer_than_the_limit() {
        let millis = Duration::from_millis;
        let mut pace = Pace::default();
        let begun = Instant::now();
        pace.step(sleep(millis(2))).await;
        pace.step(sleep(millis(30))).await;
        let worked = begun.elapsed();
        assert!(worked < millis(40), "{worked:?}");
        pace.step(std::future::ready(())).await;
        assert!(begun.elapsed() >= worked.saturating_mul(3), "{:?}", begun.elapsed());
        pace.step(sleep(Duration::from_secs(5))).await;
        let worked = Instant::now();
        pace.step(std::future::ready(())).await;
        assert!(worked.elapsed() <= limits::EXPORT_RESTS_AT_MOST + millis(2), "{:?}", worked.elapsed());
    }
}
