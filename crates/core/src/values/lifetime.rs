//! Lifetimes of tokens and sessions: a positive whole number of seconds.

use super::InvalidValue;

/// The longest lifetime: one hundred years.
const MAX_S: i64 = 100 * 365 * DAY_S;
const DAY_S: i64 = 24 * 60 * 60;

/// A duration from one second to one hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime(i64);

impl Lifetime {
    /// A lifetime of `seconds`.
    ///
    /// # Errors
    /// When `seconds` is not positive or longer than one hundred years.
    pub fn from_seconds(seconds: i64) -> Result<Self, InvalidValue> {
        if seconds <= 0 {
            let message = "Input should be greater than 0".to_owned();
            return Err(InvalidValue::with("greater_than", message, "gt", "0".to_owned()));
        }
        if seconds > MAX_S {
            let message = format!("Input should be less than or equal to {MAX_S}");
            return Err(InvalidValue::with("less_than_equal", message, "le", MAX_S.to_string()));
        }
        Ok(Self(seconds))
    }

    /// Parses an ISO 8601 duration such as `P30D`. A year counts as 365 days, a month as 30 days. A fraction of
    /// a second is rounded up.
    ///
    /// # Errors
    /// When the text is not a duration, or the duration is outside the range of [`Lifetime::from_seconds`].
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let text = text.trim();
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let span = text.parse::<jiff::Span>().ok().filter(|_| unsigned.starts_with(['P', 'p']));
        let span = span.ok_or_else(|| {
            let reason = "it is not an ISO 8601 duration".to_owned();
            let message = format!("Input should be a valid timedelta, {reason}");
            InvalidValue::with("time_delta_parsing", message, "error", reason)
        })?;
        let days = i64::from(span.get_years()) * 365
            + i64::from(span.get_months()) * 30
            + i64::from(span.get_weeks()) * 7
            + i64::from(span.get_days());
        let minutes = i64::from(span.get_hours()) * 60 + span.get_minutes();
        let below =
            span.get_milliseconds() != 0 || span.get_microseconds() != 0 || span.get_nanoseconds() != 0;
        let seconds = days * DAY_S + minutes * 60 + span.get_seconds();
        Self::from_seconds(seconds + i64::from(below && !span.is_negative()))
    }

    /// The lifetime in seconds.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn iso_8601_durations_are_parsed() {
        for (text, seconds) in [
            ("P30D", 30 * DAY_S),
            ("p1w", 7 * DAY_S),
            ("PT1H30M", 5_400),
            ("P1Y2M", 425 * DAY_S),
            ("PT0.5S", 1),
            (" +P1DT1S ", DAY_S + 1),
        ] {
            assert_eq!(Lifetime::parse(text).map(Lifetime::seconds), Ok(seconds), "{text}");
        }
    }

    #[test]
    fn durations_outside_the_range_are_refused() {
        for (text, kind) in [
            ("P0D", "greater_than"),
            ("-P1D", "greater_than"),
            ("PT-1S", "time_delta_parsing"),
            ("P101Y", "less_than_equal"),
            ("30 days", "time_delta_parsing"),
            ("", "time_delta_parsing"),
            ("P", "time_delta_parsing"),
        ] {
            assert_eq!(Lifetime::parse(text).map_err(|refusal| refusal.kind), Err(kind), "{text}");
        }
        assert_eq!(Lifetime::from_seconds(0).map_err(|refusal| refusal.kind), Err("greater_than"));
    }

    proptest! {
        #[test]
        fn a_parsed_lifetime_is_in_range(text in "[-+]?[Pp]?[0-9YMWDTHS.,-]{0,24}") {
            if let Ok(lifetime) = Lifetime::parse(&text) {
                prop_assert!((1..=MAX_S).contains(&lifetime.seconds()));
            }
        }
    }
}
