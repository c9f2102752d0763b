//! Parsing of UUIDs that callers send, and construction of new ones.
//!
//! New ids carry the version and variant bits of UUID version 4, because published clients check them. Their
//! first bits are the time, so that rows created together are neighbours in an index. Parsing accepts every
//! common spelling (docs/contracts/polar/http.md, 1.13). Output is always lower case with hyphens.

use uuid::Uuid;

use super::InvalidValue;

/// Parses a UUID of any version: with hyphens, as 32 hexadecimal digits, in braces, or as `urn:uuid:`.
pub fn parse_uuid(text: &str) -> Result<Uuid, InvalidValue> {
    Uuid::parse_str(text).map_err(|error| {
        let reason = reason(&error.to_string());
        let message = format!("Input should be a valid UUID, {reason}");
        InvalidValue::with("uuid_parsing", message, "error", reason)
    })
}

/// Parses a UUID of version 4.
pub fn parse_uuid4(text: &str) -> Result<Uuid, InvalidValue> {
    let id = parse_uuid(text)?;
    if id.get_version_num() != 4 {
        let message = "UUID version 4 expected".to_owned();
        return Err(InvalidValue::with("uuid_version", message, "expected_version", "4".to_owned()));
    }
    Ok(id)
}

/// The reason in the wording that Polar's clients know. It differs from the parser's own in two cases: a wrong
/// length is shown with the expected one, and positions count from one.
fn reason(display: &str) -> String {
    if let Some(found) = display.strip_prefix("invalid length: found ") {
        return format!("invalid length: expected length 32 for simple format, found {found}");
    }
    let position = display.strip_prefix("invalid character: ").and_then(|text| text.rsplit_once(" at "));
    match position.and_then(|(found, index)| Some((found, index.parse::<usize>().ok()?))) {
        Some((found, index)) => format!("invalid character: {found} at {}", index.saturating_add(1)),
        None => display.to_owned(),
    }
}

/// A UUID that sorts by time of creation.
///
/// | bits | content |
/// |---|---|
/// | 48 | milliseconds since 1970 |
/// | 4 | version 4 |
/// | 10 | microseconds within the millisecond |
/// | 2 | random: the first two bits of `random` |
/// | 2 | RFC 9562 variant |
/// | 62 | random: the other bits of `random` |
///
/// A negative `unix_micros`, a time before 1970, counts as 0.
pub fn time_ordered_uuid(unix_micros: i64, random: [u8; 8]) -> Uuid {
    let micros = u64::try_from(unix_micros).unwrap_or(0);
    let random = u64::from_be_bytes(random);
    let milliseconds = (micros / 1000) & 0xFFFF_FFFF_FFFF;
    let below_millisecond = (micros % 1000) * 4 + (random >> 62);
    let high = (milliseconds << 16) | 0x4000 | below_millisecond;
    let low = (random & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000;
    Uuid::from_u64_pair(high, low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_common_spelling_is_parsed() {
        let expected = "e243e0a6-25d3-43d8-a75e-f6551a69f46e";
        for text in [
            expected,
            "E243E0A6-25D3-43D8-A75E-F6551A69F46E",
            "e243e0a625d343d8a75ef6551a69f46e",
            "{e243e0a6-25d3-43d8-a75e-f6551a69f46e}",
            "urn:uuid:e243e0a6-25d3-43d8-a75e-f6551a69f46e",
        ] {
            assert_eq!(parse_uuid4(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn an_invalid_uuid_is_refused_with_a_reason() {
        let message = |text: &str| parse_uuid(text).expect_err(text).message;
        for (text, reason) in [
            ("abc", "invalid length: expected length 32 for simple format, found 3"),
            ("", "invalid length: expected length 32 for simple format, found 0"),
            ("not-a-uuid", "invalid character: found `n` at 1"),
            ("e243e0a6-25d3-43d8-a75e", "invalid group count: expected 5, found 4"),
            ("e243e0a-625d3-43d8-a75e-f6551a69f46e", "invalid group length in group 0: expected 8, found 7"),
        ] {
            assert_eq!(message(text), format!("Input should be a valid UUID, {reason}"));
        }
        let refusal = parse_uuid4("00000000-0000-0000-0000-000000000000").unwrap_err();
        assert_eq!((refusal.kind, refusal.context), ("uuid_version", Some(("expected_version", "4".into()))));
    }

    proptest! {
        #[test]
        fn new_ids_are_version_4_and_sort_by_time(
            a in 0i64..4_000_000_000_000_000, step in 1i64..3_000, r: [u8; 8], s: [u8; 8],
        ) {
            let (first, second) = (time_ordered_uuid(a, r), time_ordered_uuid(a + step, s));
            prop_assert_eq!(first.get_version_num(), 4);
            prop_assert_eq!(first.get_variant(), uuid::Variant::RFC4122);
            prop_assert!(first < second);
            prop_assert!(first.to_string() < second.to_string());
            prop_assert_eq!(parse_uuid4(&first.to_string()).unwrap(), first);
        }

        #[test]
        fn every_random_bit_is_kept(a in 0i64..4_000_000_000_000_000, r: [u8; 8], s: [u8; 8]) {
            prop_assert_eq!(time_ordered_uuid(a, r) == time_ordered_uuid(a, s), r == s);
        }

        #[test]
        fn no_text_panics(
            s in "\\PC{0,50}|\\{?[0-9a-f-]{0,45}\\}?|(urn:uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){0,5}",
        ) {
            let _ = parse_uuid4(&s);
        }
    }
}
