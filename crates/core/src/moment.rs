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
}

impl Moment {
    /// The moment `now` with randomness from `seed`, which must come from the operating system.
    #[must_use]
    pub fn new(now: Timestamp, seed: [u8; 32]) -> Self {
        Self { now, random: StdRng::from_seed(seed) }
    }

    /// The time of the operation.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// A new id: shaped like a UUID of version 4, ordered by the time of the operation.
    pub fn uuid(&mut self) -> Uuid {
        time_ordered_uuid(self.now.as_micros(), self.random.next_u64().to_be_bytes())
    }

    /// `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill_bytes(&mut bytes);
        bytes
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
