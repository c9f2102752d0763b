//! Counts of requests that nodes publish to each other.
//!
//! A report is `rates` and one entry for each bucket: a letter for its kind, its key and the number of requests, such as
//! `rates k0190..=12 u192.0.2.1=3 mk0190..=1`. An entry that this version cannot read is skipped.

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

    /// Adds requests, up to `at_most` for the bucket. Once [`limits::SHARED_CALLERS`] buckets are counted, requests of
    /// others are not.
    pub(crate) fn add(&self, kind: BucketKind, key: RateLimitKey, more: u32, at_most: u32) {
        let mut counts = self.lock();
        let room = counts.len() < limits::SHARED_CALLERS;
        if let Some(count) = counts.get_mut(&(kind, key)) {
            *count = count.saturating_add(more).min(at_most);
        } else if room && more > 0 {
            counts.insert((kind, key), more.min(at_most));
        }
    }

    /// Lowers a count by the number that `pay` returns for it. Returns the rest.
    pub(crate) fn pay(&self, kind: BucketKind, key: RateLimitKey, pay: impl FnOnce(u32) -> u32) -> u32 {
        let mut counts = self.lock();
        let Some(count) = counts.get_mut(&(kind, key)) else { return 0 };
        let left = count.saturating_sub(pay(*count));
        *count = left;
        if left == 0 {
            counts.remove(&(kind, key));
        }
        left
    }

    /// Lowers every count by the number that `pay` returns for it.
    pub(crate) fn pay_all(&self, mut pay: impl FnMut(BucketKind, RateLimitKey, u32) -> u32) {
        self.lock().retain(|(kind, key), count| {
            *count = count.saturating_sub(pay(*kind, *key, *count));
            *count > 0
        });
    }

    /// Takes all counts, as reports of at most `bytes` bytes. The highest counts come first, and the lowest are dropped
    /// when there would be more than [`limits::SHARE_REPORTS`].
    pub(crate) fn reports(&self, bytes: usize) -> Vec<String> {
        let mut counts: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        counts.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut reports: Vec<String> = Vec::new();
        for ((kind, key), count) in counts {
            let entry = entry(kind, key, count);
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

fn entry(kind: BucketKind, key: RateLimitKey, count: u32) -> String {
    let is_mail = matches!(kind, BucketKind::Mail | BucketKind::PortalMail);
    let mut text = String::from(if is_mail { " m" } else { " " });
    // Writing to a string cannot fail.
    let _ = match key {
        RateLimitKey::Known(id) => write!(text, "k{}={count}", id.simple()),
        RateLimitKey::Portal(owner) => write!(text, "p{}={count}", owner.simple()),
        RateLimitKey::Customer { customer, owner } => {
            write!(text, "c{}.{}={count}", customer.simple(), owner.simple())
        }
        RateLimitKey::Unknown(address) => write!(text, "u{address}={count}"),
        RateLimitKey::Unidentified => write!(text, "x={count}"),
        RateLimitKey::Strangers => write!(text, "s={count}"),
    };
    text
}

/// The entries of a report that can be read.
pub(super) fn read_report(text: &str) -> impl Iterator<Item = (BucketKind, RateLimitKey, u32)> {
    let entries = text.strip_prefix(SUBJECT).filter(|entries| entries.starts_with(' ')).unwrap_or_default();
    entries.split_ascii_whitespace().filter_map(read_entry)
}

fn read_entry(entry: &str) -> Option<(BucketKind, RateLimitKey, u32)> {
    let (bucket, count) = entry.split_once('=')?;
    let mail = bucket.strip_prefix('m');
    let key = mail.unwrap_or(bucket);
    let key = if let Some(id) = key.strip_prefix('k') {
        RateLimitKey::Known(Uuid::try_parse(id).ok()?)
    } else if let Some(owner) = key.strip_prefix('p') {
        RateLimitKey::Portal(Uuid::try_parse(owner).ok()?)
    } else if let Some(ids) = key.strip_prefix('c') {
        let (customer, owner) = ids.split_once('.')?;
        RateLimitKey::Customer {
            customer: Uuid::try_parse(customer).ok()?,
            owner: Uuid::try_parse(owner).ok()?,
        }
    } else if key == "x" {
        RateLimitKey::Unidentified
    } else if key == "s" {
        RateLimitKey::Strangers
    } else {
        RateLimitKey::Unknown(key.strip_prefix('u')?.parse::<IpAddr>().ok()?)
    };
    let kind = if mail.is_some() { BucketKind::of_mail(key) } else { BucketKind::of(key) };
    Some((kind, key, count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_counted_since_the_last() {
        let counts = Counts::default();
        let (known, unknown) =
            (RateLimitKey::Known(Uuid::from_u128(7)), RateLimitKey::at("2001:db8::1".parse().ok()));
        for (kind, key) in [
            (BucketKind::Known, known),
            (BucketKind::Unknown, unknown),
            (BucketKind::Mail, known),
            (BucketKind::Known, known),
        ] {
            counts.add(kind, key, 1, u32::MAX);
        }
        let reports = counts.reports(7_000);
        assert_eq!(reports.len(), 1);
        let mut entries: Vec<_> = read_report(&reports[0]).collect();
        entries.sort_unstable_by_key(|(kind, ..)| *kind as u8);
        assert_eq!(
            entries,
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
        let strange = format!("rates k1=1 {one} {one}=-1 y=1 m=1 ux=1 {one}=99999999999 {one}=3");
        assert_eq!(read_report(&strange).map(|(.., count)| count).collect::<Vec<_>>(), [3]);
    }
}
