//! Currencies in which an organization can present prices, by lower-case ISO 4217 code.
//!
//! The list of accepted codes is that of docs/contracts/polar/organizations.md, 2.2. Upper case is refused.

use super::InvalidValue;

/// The accepted codes, sorted for the binary search.
const CODES: [&str; 126] = [
    "aed", "all", "amd", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bif", "bmd", "bnd", "bob",
    "brl", "bsd", "bwp", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop", "crc", "cve", "czk", "djf", "dkk",
    "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip", "gmd", "gnf", "gtq", "gyd", "hkd",
    "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jpy", "kes", "kgs", "khr", "kmf", "krw", "kyd",
    "kzt", "lak", "lkr", "lrd", "lsl", "mad", "mdl", "mga", "mkd", "mnt", "mop", "mur", "mvr", "mwk", "mxn",
    "myr", "mzn", "nad", "ngn", "nio", "nok", "npr", "nzd", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg",
    "qar", "ron", "rsd", "rwf", "sar", "sbd", "scr", "sek", "sgd", "shp", "sos", "srd", "szl", "thb", "tjs",
    "top", "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd",
    "xcg", "xof", "xpf", "yer", "zar", "zmw",
];

/// A currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static str);

impl Currency {
    /// Parses a lower-case code.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let refusal = || InvalidValue::not_one_of(&CODES);
        let index = CODES.binary_search(&text).map_err(|_| refusal())?;
        CODES.get(index).map(|code| Self(code)).ok_or_else(refusal)
    }

    /// The three-letter code, lower case.
    pub fn as_str(&self) -> &'static str {
        self.0
    }
}

/// The US dollar: the currency of an organization that has not chosen one.
impl Default for Currency {
    fn default() -> Self {
        Self("usd")
    }
}

text_value!(Currency, Currency::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_parses() {
        assert!(CODES.is_sorted_by(|a, b| a < b));
        for code in CODES {
            assert_eq!(Currency::parse(code).unwrap().as_str(), code);
        }
    }

    #[test]
    fn the_error_for_another_code_lists_the_accepted_ones() {
        for bad in ["xyz", "USD", "", " usd"] {
            let refusal = Currency::parse(bad).unwrap_err();
            assert_eq!(refusal.kind, "enum");
            assert!(refusal.message.starts_with("Input should be 'aed', 'all'"));
            assert!(refusal.message.ends_with("'zar' or 'zmw'"));
        }
    }
}
