//! The two inputs that a rule must not obtain by itself: the current time and random numbers.
//!
//! The caller passes an [`ExecutionContext`] to every use case. Rules stay pure functions, and a test can
//! replay a use case with a fixed clock and seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::Timestamp;
use crate::values::ids::time_ordered_uuid;

/// The time of one use case, and its source of ids and secrets. Everything that a use case creates carries
/// the same time, so sorting by id is sorting by time of creation.
#[derive(Debug)]
pub struct ExecutionContext {
    now: Timestamp,
    random: StdRng,
    ids: u64,
}

impl ExecutionContext {
    /// A context at the time `now`. The `seed` must come from the operating system, because secrets are
    /// drawn from it.
    #[must_use]
    pub fn new(now: Timestamp, seed: [u8; 32]) -> Self {
        Self { now, random: StdRng::from_seed(seed), ids: 0 }
    }

    /// The time of the use case.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id in the form of a UUID version 4. Ids sort by the time of the use case, and within one use
    /// case by the order of the calls; 46 bits are random.
    pub fn uuid(&mut self) -> Uuid {
        const RANDOM_BITS: u32 = 46;
        let count = self.ids.min((1 << (u64::BITS - RANDOM_BITS)) - 1);
        self.ids += 1;
        let random = self.random.next_u64() & ((1 << RANDOM_BITS) - 1);
        time_ordered_uuid(self.now.as_micros(), (count << RANDOM_BITS | random).to_be_bytes())
    }

    /// `N` random bytes, suitable for a secret.
    pub fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// 256 random bits as 64 hexadecimal digits.
    pub fn random_hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.random.next_u64())).collect()
    }

    /// `N` characters drawn uniformly from `alphabet`, suitable for a secret.
    pub fn random_text<const N: usize>(&mut self, alphabet: &[u8; 62]) -> String {
        let mut text = String::with_capacity(N);
        while text.len() < N {
            // 248 is the largest multiple of 62 that fits into a byte. Larger bytes are dropped: they would
            // make the first characters of the alphabet more likely.
            let byte = self.random.next_u32().to_be_bytes();
            for drawn in byte.into_iter().filter(|drawn| *drawn < 248) {
                if let Some(letter) = alphabet.get(usize::from(drawn % 62)).filter(|_| text.len() < N) {
                    text.push(char::from(*letter));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_in_the_order_of_the_calls() {
        let mut context = ExecutionContext::new(Timestamp::from_micros(1_795_277_994_956_590), [3; 32]);
        let made: Vec<Uuid> = (0..1_000).map(|_| context.uuid()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let mut later = ExecutionContext::new(Timestamp::from_micros(1_795_277_994_956_591), [3; 32]);
        assert!(made.iter().all(|id| *id < later.uuid()));
    }
}
