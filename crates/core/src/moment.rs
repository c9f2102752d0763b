//! The two things that a rule may not fetch for itself: the time, and randomness.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::Timestamp;
use crate::values::ids::time_ordered_uuid;

/// The time of one operation and its source of ids and secrets. Everything an operation makes has the
/// same time, so sorting by id is sorting by time of creation.
#[derive(Debug)]
pub struct Moment {
    now: Timestamp,
    random: StdRng,
    ids: u64,
}

impl Moment {
    /// The moment `now` with randomness from `seed`, which must come from the operating system.
    #[must_use]
    pub fn new(now: Timestamp, seed: [u8; 32]) -> Self {
        Self { now, random: StdRng::from_seed(seed), ids: 0 }
    }

    /// The time of the operation.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id: shaped like a UUID of version 4, ordered by the time of the operation, and within it by
    /// the order of the calls; 46 bits are random.
    pub fn uuid(&mut self) -> Uuid {
        const RANDOM_BITS: u32 = 46;
        let count = self.ids.min((1 << (u64::BITS - RANDOM_BITS)) - 1);
        self.ids += 1;
        let random = self.random.next_u64() & ((1 << RANDOM_BITS) - 1);
        time_ordered_uuid(self.now.as_micros(), (count << RANDOM_BITS | random).to_be_bytes())
    }

    /// `N` random octets, fit for a secret.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
    }

    /// 256 random bits in hexadecimal: a text that says nothing.
    pub fn hex(&mut self) -> String {
        (0..4).map(|_| format!("{:016x}", self.random.next_u64())).collect()
    }

    /// `N` characters drawn evenly from `alphabet`, fit for a secret.
    pub fn text<const N: usize>(&mut self, alphabet: &[u8; 62]) -> String {
        let mut text = String::with_capacity(N);
        while text.len() < N {
            // 248 is the largest multiple of 62 in a byte: beyond it, letters would not be equally likely.
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
    fn ids_of_one_moment_keep_the_order_they_were_made_in() {
        let mut moment = Moment::new(Timestamp::from_micros(1_795_277_994_956_590), [3; 32]);
        let made: Vec<Uuid> = (0..1_000).map(|_| moment.uuid()).collect();
        assert!(made.is_sorted_by(|a, b| a < b));
        let mut later = Moment::new(Timestamp::from_micros(1_795_277_994_956_591), [3; 32]);
        assert!(made.iter().all(|id| *id < later.uuid()));
    }
}
