//! Budgets that several nodes share: what callers took here, for the others to hear, and what they took
//! there, to be taken out of the buckets here.
//!
//! A report is `rates` and, for each bucket, a letter for its kind, the caller
//! and the number of requests: `rates k0190..=12 u192.0.2.1=3 mk0190..=1`. What this version cannot read in
//! it is passed over.

use std::collections::HashMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::key::{BucketKind, RateLimitKey};
use crate::limits;

const SUBJECT: &str = "rates";

/// Requests by bucket.
#[derive(Default)]
pub(crate) struct Counts(Mutex<HashMap<(BucketKind, RateLimitKey), u32>>);

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<(BucketKind, RateLimitKey), u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts requests, up to so many; those of a caller too many are not counted.
    pub(crate) fn add(&self, kind: BucketKind, who: RateLimitKey, more: u32, at_most: u32) {
        let mut counts = self.lock();
        let room = counts.len() < limits::SHARED_CALLERS;
        if let Some(count) = counts.get_mut(&(kind, who)) {
            *count = count.saturating_add(more).min(at_most);
        } else if room && more > 0 {
            counts.insert((kind, who), more.min(at_most));
        }
    }

    /// Lowers a count by what `pay` makes of it; what is left.
    pub(crate) fn settle(&self, kind: BucketKind, who: RateLimitKey, pay: impl FnOnce(u32) -> u32) -> u32 {
        let mut counts = self.lock();
        let Some(count) = counts.get_mut(&(kind, who)) else { return 0 };
        let left = count.saturating_sub(pay(*count));
        *count = left;
        if left == 0 {
            counts.remove(&(kind, who));
        }
        left
    }

    /// Lowers every count in the same way.
    pub(crate) fn settle_all(&self, mut pay: impl FnMut(BucketKind, RateLimitKey, u32) -> u32) {
        self.lock().retain(|(kind, who), count| {
            *count = count.saturating_sub(pay(*kind, *who, *count));
            *count > 0
        });
    }

    /// What was counted since this was asked last, in texts of at most so many bytes; the highest counts
    /// when that would be too many texts.
    pub(crate) fn reports(&self, bytes: usize) -> Vec<String> {
        let mut counts: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        counts.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut reports: Vec<String> = Vec::new();
        for ((kind, who), count) in counts {
            let entry = entry(kind, who, count);
            let is_full = reports.last().is_none_or(|report| report.len() + entry.len() > bytes);
            if is_full && reports.len() == limits::SHARE_REPORTS {
                break;
            }
            if is_full {
                reports.push(SUBJECT.to_owned());
            }
            if let Some(report) = reports.last_mut() {
                report.push_str(&entry);
            }
        }
        reports
    }
}

fn entry(kind: BucketKind, who: RateLimitKey, count: u32) -> String {
    let mut text = String::from(if kind == BucketKind::Mail { " m" } else { " " });
    // Writing to a text cannot fail.
    let _ = match who {
        RateLimitKey::Known(id) => write!(text, "k{}={count}", id.simple()),
        RateLimitKey::Unknown(address) => write!(text, "u{address}={count}"),
    };
    text
}

/// What a report says, as far as it can be read; nothing for a text that is no report.
pub(super) fn read_report(text: &str) -> impl Iterator<Item = (BucketKind, RateLimitKey, u32)> {
    let entries = text.strip_prefix(SUBJECT).filter(|entries| entries.starts_with(' ')).unwrap_or_default();
    entries.split_ascii_whitespace().filter_map(read_entry)
}

fn read_entry(entry: &str) -> Option<(BucketKind, RateLimitKey, u32)> {
    let (bucket, count) = entry.split_once('=')?;
    let mailed = bucket.strip_prefix('m');
    let who = mailed.unwrap_or(bucket);
    let who = if let Some(id) = who.strip_prefix('k') {
        RateLimitKey::Known(Uuid::try_parse(id).ok()?)
    } else {
        RateLimitKey::Unknown(who.strip_prefix('u')?.parse::<IpAddr>().ok()?)
    };
    let kind = if mailed.is_some() { BucketKind::Mail } else { BucketKind::of(who) };
    Some((kind, who, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_counted_since_the_last() {
        let counts = Counts::default();
        let (known, unknown) =
            (RateLimitKey::Known(Uuid::from_u128(7)), RateLimitKey::at("2001:db8::1".parse().unwrap()));
        for (kind, who) in [
            (BucketKind::Known, known),
            (BucketKind::Unknown, unknown),
            (BucketKind::Mail, known),
            (BucketKind::Known, known),
        ] {
            counts.add(kind, who, 1, u32::MAX);
        }
        let reports = counts.reports(7_000);
        assert_eq!(reports.len(), 1);
        let mut said: Vec<_> = read_report(&reports[0]).collect();
        said.sort_unstable_by_key(|(kind, ..)| *kind as u8);
        assert_eq!(
            said,
            [(BucketKind::Known, known, 2), (BucketKind::Unknown, unknown, 1), (BucketKind::Mail, known, 1)]
        );
        assert!(counts.reports(7_000).is_empty());
    }

    #[test]
    fn reports_are_short_and_few() {
        let counts = Counts::default();
        let callers = u32::try_from(limits::SHARED_CALLERS).unwrap();
        for number in 1..=callers + 5 {
            counts.add(
                BucketKind::Known,
                RateLimitKey::Known(Uuid::from_u128(number.into())),
                number,
                u32::MAX,
            );
        }
        let reports = counts.reports(7_000);
        assert_eq!(reports.len(), limits::SHARE_REPORTS);
        assert!(reports.iter().all(|report| report.len() <= 7_000));
        assert_eq!(read_report(&reports[0]).next().map(|(.., count)| count), Some(callers));
    }

    #[test]
    fn what_is_no_report_says_nothing() {
        for text in ["", "rates", "ratesk1=1", "hello k00000000000000000000000000000001=1"] {
            assert_eq!(read_report(text).count(), 0, "{text}");
        }
        let one = "k00000000000000000000000000000001";
        let strange = format!("rates k1=1 {one} {one}=-1 x=1 m=1 ux=1 {one}=99999999999 {one}=3");
        assert_eq!(read_report(&strange).map(|(.., count)| count).collect::<Vec<_>>(), [3]);
    }
}
