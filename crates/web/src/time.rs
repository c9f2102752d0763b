//! Times as people read them: how long ago, and the exact one in UTC.

use tenantry_core::Timestamp;

use crate::texts::Texts;
use crate::view::filled;

/// A time as a page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) iso: String,
    /// Day and time in UTC.
    pub(crate) exact: String,
    /// The time that has passed, or the day.
    pub(crate) relative: String,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The age from which the day is shown.
const OLD: i64 = 30 * DAY;

/// A time, seen from `now`.
pub(crate) fn moment(t: &Texts, at: Timestamp, now: Timestamp) -> Moment {
    let iso = Timestamp::from_micros(at.as_seconds().saturating_mul(1_000_000)).to_string();
    let day = day(t, &iso);
    let clock = iso.get(11..16).unwrap_or_default();
    Moment { exact: format!("{day}, {clock} UTC"), relative: relative(t, at, now).unwrap_or(day), iso }
}

/// The day of a time in RFC 3339: `2 Sep 2026`.
fn day(t: &Texts, iso: &str) -> String {
    let part = |range| iso.get(range).unwrap_or_default();
    let month = part(5..7)
        .parse::<usize>()
        .ok()
        .and_then(|month| t.time.months.split(' ').nth(month.wrapping_sub(1)));
    let day = part(8..10).trim_start_matches('0');
    filled(&filled(&filled(t.time.day, day), month.unwrap_or_default()), part(0..4))
}

fn relative(t: &Texts, at: Timestamp, now: Timestamp) -> Option<String> {
    let age = now.as_seconds().saturating_sub(at.as_seconds());
    let words = |number: i64, one: &str, many: &str| match number {
        1 => one.to_owned(),
        number => filled(many, &number.to_string()),
    };
    let ahead = |text: &str, number: i64| Some(filled(text, &number.to_string()));
    match -age {
        // One minute, hour or day ahead is named by the smaller unit, so no text has a singular.
        ahead_s @ 120..7_200 => return ahead(t.time.in_minutes, ahead_s / MINUTE),
        ahead_s @ 7_200..172_800 => return ahead(t.time.in_hours, ahead_s / HOUR),
        ahead_s @ 172_800..=OLD => return ahead(t.time.in_days, ahead_s / DAY),
        ahead_s if ahead_s > OLD => return None,
        _ => {}
    }
    match age {
        ..MINUTE => Some(t.time.now.to_owned()),
        MINUTE..HOUR => Some(words(age / MINUTE, t.time.one_minute, t.time.minutes)),
        HOUR..DAY => Some(words(age / HOUR, t.time.one_hour, t.time.hours)),
        DAY..OLD => Some(words(age / DAY, t.time.yesterday, t.time.days)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{ENGLISH, GERMAN};

    #[test]
    fn a_time_is_shown_by_its_age() {
        let now = Timestamp::from_micros(1_796_033_100_000_000);
        for (age, english, german) in [
            (-400 * DAY, "4 Jan 2028", "4. Jan. 2028"),
            (-3 * DAY, "in 3 days", "in 3 Tagen"),
            (-DAY, "in 24 hours", "in 24 Stunden"),
            (-120, "in 2 minutes", "in 2 Minuten"),
            (-5, "now", "jetzt"),
            (59, "now", "jetzt"),
            (60, "1 minute ago", "vor 1 Minute"),
            (7_199, "1 hour ago", "vor 1 Stunde"),
            (7_200, "2 hours ago", "vor 2 Stunden"),
            (DAY, "yesterday", "gestern"),
            (29 * DAY, "29 days ago", "vor 29 Tagen"),
            (OLD, "31 Oct 2026", "31. Okt. 2026"),
        ] {
            let at = now.plus_seconds(-age);
            assert_eq!(moment(&ENGLISH, at, now).relative, english);
            assert_eq!(moment(&GERMAN, at, now).relative, german);
        }
        assert_eq!(moment(&ENGLISH, now, now).exact, "30 Nov 2026, 10:05 UTC");
        assert_eq!(moment(&ENGLISH, now, now).iso, "2026-11-30T10:05:00Z");
    }
}
