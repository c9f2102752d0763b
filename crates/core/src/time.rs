//! Points in time, to the microsecond, in UTC.

use std::fmt;

use jiff::fmt::temporal::DateTimePrinter;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

static WHOLE_SECONDS: DateTimePrinter = DateTimePrinter::new();
static MICROSECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(6));

/// Microseconds since the Unix epoch. Written as RFC 3339 in UTC with six fractional digits, or none
/// when the fraction is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The latest supported instant: 26 hours before the end of the year 9999 in UTC, so that the year has four
    /// digits at every UTC offset.
    pub const LAST: Self = Self(253_402_207_199_999_999);

    /// The instant `micros` microseconds after the Unix epoch, from the epoch to [`Self::LAST`].
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < 0 {
            Self(0)
        } else if micros > Self::LAST.0 {
            Self::LAST
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This instant plus `seconds`, limited to the range from the epoch to [`Self::LAST`].
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_micros(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }

    /// The start of the calendar month that contains this instant, and the start of the next month, in UTC.
    #[must_use]
    pub fn month(self) -> (Self, Self) {
        let begins = |date: jiff::civil::Date| {
            let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
            Some(Self::from_micros(zoned.timestamp().as_microsecond()))
        };
        let date = jiff::Timestamp::from_microsecond(self.0)
            .map(|instant| instant.to_zoned(jiff::tz::TimeZone::UTC).date());
        let Ok(date) = date else { return (self, Self::LAST) };
        let next = date.last_of_month().tomorrow().ok().and_then(begins);
        (begins(date.first_of_month()).unwrap_or(self), next.unwrap_or(Self::LAST))
    }

    /// Seconds from this instant until `later`, rounded up to a whole number; 0 when `later` is not later.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u64 {
        let micros = later.0.saturating_sub(self.0).max(0);
        u64::try_from(micros).unwrap_or(0).div_ceil(1_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let instant = jiff::Timestamp::from_microsecond(self.0).map_err(|_| fmt::Error)?;
        let printer = if self.0.rem_euclid(1_000_000) == 0 { &WHOLE_SECONDS } else { &MICROSECONDS };
        printer.print_timestamp(&instant, jiff::fmt::StdFmtWrite(f)).map_err(|_| fmt::Error)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self::from_micros(instant.as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_has_six_fractional_digits_or_none() {
        assert_eq!(Timestamp::from_micros(1_795_277_994_956_590).to_string(), "2026-11-21T16:19:54.956590Z");
        assert_eq!(Timestamp::from_micros(1_795_277_994_000_000).to_string(), "2026-11-21T16:19:54Z");
    }

    #[test]
    fn month_returns_its_start_and_the_start_of_the_next() {
        let month = |text: &str| {
            let at: Timestamp = serde_json::from_value(text.into()).unwrap();
            let (start, end) = at.month();
            (start.to_string(), end.to_string())
        };
        let november = ("2026-11-01T00:00:00Z".to_owned(), "2026-12-01T00:00:00Z".to_owned());
        assert_eq!(month("2026-11-01T00:00:00Z"), november);
        assert_eq!(month("2026-11-30T23:59:59.999999Z"), november);
        assert_eq!(month("2026-12-31T00:00:00Z").1, "2027-01-01T00:00:00Z");
        assert_eq!(Timestamp::LAST.month().1, Timestamp::LAST);
        assert_eq!(Timestamp::from_micros(0).month().0, Timestamp::from_micros(0));
    }

    #[test]
    fn seconds_until_rounds_up_and_sums_stay_in_range() {
        let now = Timestamp::from_micros(5);
        assert_eq!(now.seconds_until(now.plus_seconds(3)), 3);
        assert_eq!(now.seconds_until(Timestamp::from_micros(6)), 1);
        assert_eq!(now.seconds_until(Timestamp::from_micros(0)), 0);
        assert_eq!(now.plus_seconds(i64::MAX), Timestamp::LAST);
        assert_eq!(Timestamp::LAST.to_string(), "9999-12-30T21:59:59.999999Z");
    }
}
