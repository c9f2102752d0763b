//! The retry schedule of webhooks: a pure function of the attempts made and a random number.
//!
//! Attempt `n` is followed by a pause between `2 s * 2^n` and twice that, with an upper bound of 20 minutes: 4
//! to 8 s after the first attempt, 10 to 20 min after the ninth (docs/contracts/polar/webhooks.md, 9.5). The
//! jitter stays half of the upper bound even at the cap, so that retries do not arrive together.

use std::time::Duration;

/// The attempts of an event in all, redeliveries included.
pub const MAX_ATTEMPTS: u32 = 10;
/// The longest pause, in milliseconds.
const CAP_MS: u64 = 20 * 60 * 1000;
/// The upper bound of the pause before the first doubling, in milliseconds.
const BASE_MS: u64 = 4000;

/// The pause after `attempts_made` failed attempts, or `None` after the last attempt.
#[must_use]
pub fn delay(attempts_made: u32, random: u64) -> Option<Duration> {
    if attempts_made >= MAX_ATTEMPTS {
        return None;
    }
    if attempts_made == 0 {
        return Some(Duration::ZERO);
    }
    let longest = (BASE_MS << attempts_made).min(CAP_MS);
    let half = longest / 2;
    Some(Duration::from_millis(half + random % (half + 1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pauses_grow_from_seconds_to_minutes_and_end() {
        let range = |n| {
            let half = delay(n, 0).unwrap().as_secs();
            (half, delay(n, half * 1000).unwrap().as_secs())
        };
        let expected = [
            (4, 8),
            (8, 16),
            (16, 32),
            (32, 64),
            (64, 128),
            (128, 256),
            (256, 512),
            (512, 1024),
            (600, 1200),
        ];
        assert_eq!((1..MAX_ATTEMPTS).map(range).collect::<Vec<_>>(), expected);
        assert_eq!(delay(0, 7), Some(Duration::ZERO));
        assert_eq!(delay(MAX_ATTEMPTS, 0), None);
        assert_eq!(delay(u32::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn a_pause_is_between_once_and_twice_the_doubled_base(n in 1..MAX_ATTEMPTS, random in any::<u64>()) {
            let base = Duration::from_secs(2 << n);
            let cap = Duration::from_secs(1200);
            let pause = delay(n, random).unwrap();
            prop_assert!(pause >= base.min(cap / 2));
            prop_assert!(pause <= (base * 2).min(cap));
        }

        #[test]
        fn there_is_no_attempt_after_the_last(n in MAX_ATTEMPTS.., random in any::<u64>()) {
            prop_assert_eq!(delay(n, random), None);
        }
    }
}
