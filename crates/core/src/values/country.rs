//! Countries by their ISO 3166-1 alpha-2 code.
//!
//! Input from callers excludes the embargoed countries (docs/contracts/polar/http.md, 1.13). A stored country can
//! be any of the 249. Codes must be in upper case; billing addresses convert them first.

use super::InvalidValue;

/// All assigned codes, sorted for the binary search.
const CODES: [&str; 249] = [
    "AD", "AE", "AF", "AG", "AI", "AL", "AM", "AO", "AQ", "AR", "AS", "AT", "AU", "AW", "AX", "AZ", "BA",
    "BB", "BD", "BE", "BF", "BG", "BH", "BI", "BJ", "BL", "BM", "BN", "BO", "BQ", "BR", "BS", "BT", "BV",
    "BW", "BY", "BZ", "CA", "CC", "CD", "CF", "CG", "CH", "CI", "CK", "CL", "CM", "CN", "CO", "CR", "CU",
    "CV", "CW", "CX", "CY", "CZ", "DE", "DJ", "DK", "DM", "DO", "DZ", "EC", "EE", "EG", "EH", "ER", "ES",
    "ET", "FI", "FJ", "FK", "FM", "FO", "FR", "GA", "GB", "GD", "GE", "GF", "GG", "GH", "GI", "GL", "GM",
    "GN", "GP", "GQ", "GR", "GS", "GT", "GU", "GW", "GY", "HK", "HM", "HN", "HR", "HT", "HU", "ID", "IE",
    "IL", "IM", "IN", "IO", "IQ", "IR", "IS", "IT", "JE", "JM", "JO", "JP", "KE", "KG", "KH", "KI", "KM",
    "KN", "KP", "KR", "KW", "KY", "KZ", "LA", "LB", "LC", "LI", "LK", "LR", "LS", "LT", "LU", "LV", "LY",
    "MA", "MC", "MD", "ME", "MF", "MG", "MH", "MK", "ML", "MM", "MN", "MO", "MP", "MQ", "MR", "MS", "MT",
    "MU", "MV", "MW", "MX", "MY", "MZ", "NA", "NC", "NE", "NF", "NG", "NI", "NL", "NO", "NP", "NR", "NU",
    "NZ", "OM", "PA", "PE", "PF", "PG", "PH", "PK", "PL", "PM", "PN", "PR", "PS", "PT", "PW", "PY", "QA",
    "RE", "RO", "RS", "RU", "RW", "SA", "SB", "SC", "SD", "SE", "SG", "SH", "SI", "SJ", "SK", "SL", "SM",
    "SN", "SO", "SR", "SS", "ST", "SV", "SX", "SY", "SZ", "TC", "TD", "TF", "TG", "TH", "TJ", "TK", "TL",
    "TM", "TN", "TO", "TR", "TT", "TV", "TW", "TZ", "UA", "UG", "UM", "US", "UY", "UZ", "VA", "VC", "VE",
    "VG", "VI", "VN", "VU", "WF", "WS", "YE", "YT", "ZA", "ZM", "ZW",
];

/// Countries that are refused in requests, sorted.
const EMBARGOED: [&str; 5] = ["CU", "IR", "KP", "RU", "SY"];

/// A country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// Parses a code from a request: upper case, not embargoed.
    pub fn parse_input(text: &str) -> Result<Self, InvalidValue> {
        let allowed = Self::parse_stored(text).ok().filter(|country| !EMBARGOED.contains(&country.0));
        allowed.ok_or_else(Self::refusal)
    }

    /// Parses the code of any country, for values read from the database.
    pub fn parse_stored(text: &str) -> Result<Self, InvalidValue> {
        let index = CODES.binary_search(&text).map_err(|_| Self::refusal())?;
        CODES.get(index).map(|code| Self(code)).ok_or_else(Self::refusal)
    }

    /// The two-letter code.
    pub fn as_str(&self) -> &'static str {
        self.0
    }

    fn refusal() -> InvalidValue {
        let allowed: Vec<&str> = CODES.into_iter().filter(|code| !EMBARGOED.contains(code)).collect();
        InvalidValue::not_one_of(&allowed)
    }
}

text_value!(Country, Country::parse_stored);

/// Formats a list of choices for an error text: `'a', 'b' or 'c'`.
pub fn one_of(list: &[&str]) -> String {
    let quoted: Vec<String> = list.iter().map(|item| format!("'{item}'")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_sorted() {
        assert!(CODES.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn embargoed_countries_are_refused_as_input_only() {
        assert_eq!(Country::parse_input("FR").unwrap().as_str(), "FR");
        for code in EMBARGOED {
            assert!(Country::parse_input(code).is_err());
            assert_eq!(Country::parse_stored(code).unwrap().to_string(), code);
        }
        for bad in ["us", "ZZ", "", "USA", " US"] {
            assert!(Country::parse_stored(bad).is_err());
        }
        let stored = CODES.into_iter().filter(|code| Country::parse_input(code).is_ok()).count();
        assert_eq!(stored, 244);
    }

    #[test]
    fn the_error_lists_the_allowed_codes() {
        let refusal = Country::parse_input("RU").unwrap_err();
        assert_eq!(refusal.kind, "enum");
        assert!(refusal.message.starts_with("Input should be 'AD', 'AE', "));
        assert!(refusal.message.ends_with("'ZM' or 'ZW'"));
        assert!(!refusal.message.contains("'RU'"));
        assert_eq!(
            refusal.context.map(|(key, text)| (key, format!("Input should be {text}"))),
            Some(("expected", refusal.message))
        );
    }

    #[test]
    fn one_of_formats_a_list_of_choices() {
        assert_eq!(one_of(&[]), "");
        assert_eq!(one_of(&["a"]), "'a'");
        assert_eq!(one_of(&["a", "b"]), "'a' or 'b'");
        assert_eq!(one_of(&["a", "b", "c"]), "'a', 'b' or 'c'");
    }
}
