//! Counters and histograms of the running process.
//!
//! The crates that do the work record into these. `tenantry-metrics` reads them when the server is scraped, so no other
//! crate knows the format of metrics. Recording is one or two relaxed atomic additions: it takes no lock and allocates
//! nothing. Readers can see a value in one field before the matching value in another one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds for durations of requests and commits, in microseconds: 250 µs to 30 s.
pub const DURATIONS_US: &[u64] = &[
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000,
];
/// Upper bounds for the number of things in a batch.
pub const BATCHES: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds one.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The current count.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts recorded values by size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// The values up to each bound and above the one before it.
    buckets: Box<[Counter]>,
    /// The values above all bounds.
    beyond: Counter,
    sum: AtomicU64,
}

/// The values that a [`Histogram`] has recorded, in its unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistogramReading {
    /// Each upper bound, with the number of values up to it and above the bound before it.
    pub buckets: Vec<(u64, u64)>,
    /// The number of values above all bounds.
    pub beyond: u64,
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// An empty histogram with these upper bounds, in ascending order.
    #[must_use]
    pub fn new(bounds: &'static [u64]) -> Self {
        let buckets = bounds.iter().map(|_| Counter::new()).collect();
        Self { bounds, buckets, beyond: Counter::new(), sum: AtomicU64::new(0) }
    }

    /// Records a value.
    pub fn record(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.buckets.get(bucket).unwrap_or(&self.beyond).increment();
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Records a duration in microseconds.
    pub fn record_duration(&self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// The values that were recorded until now.
    #[must_use]
    pub fn reading(&self) -> HistogramReading {
        let buckets = self.bounds.iter().copied().zip(self.buckets.iter().map(Counter::value)).collect();
        HistogramReading { buckets, beyond: self.beyond.value(), sum: self.sum.load(Ordering::Relaxed) }
    }
}

impl HistogramReading {
    /// The number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(self.beyond, |sum, (_, count)| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_below_the_first_bound_that_is_not_smaller() {
        let histogram = Histogram::new(&[1, 10, 100]);
        for value in [0, 1, 2, 10, 11, 100, 101, 5_000] {
            histogram.record(value);
        }
        let reading = histogram.reading();
        assert_eq!(reading.buckets, [(1, 2), (10, 2), (100, 2)]);
        assert_eq!((reading.beyond, reading.sum, reading.count()), (2, 5_225, 8));
    }

    #[test]
    fn a_duration_is_recorded_in_microseconds() {
        let histogram = Histogram::new(DURATIONS_US);
        histogram.record_duration(Duration::from_micros(999));
        histogram.record_duration(Duration::from_secs(31));
        let reading = histogram.reading();
        assert_eq!(reading.buckets.iter().find(|(_, count)| *count > 0), Some(&(1_000, 1)));
        assert_eq!((reading.beyond, reading.sum), (1, 31_000_999));
    }
}
