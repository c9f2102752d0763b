//! The table of tax identifier types behind [`super::TaxId`]: country, type, pattern, check digits.
//!
//! In a pattern `#` is a digit, `@` a letter, `?` a digit or a letter, and `&` a letter or an ampersand (Mexico).
//! Every other character stands for itself. Spaces separate alternatives. The rows of a country are tried in
//! order. A check function is called only with a text that fits a pattern.

/// A type of tax identifier in one country.
pub(super) struct Format {
    /// Name of the type on the wire.
    pub(super) name: &'static str,
    country: &'static str,
    patterns: &'static str,
    check: fn(&str) -> bool,
}

impl Format {
    /// Whether an identifier without separators fits a pattern and has correct check digits.
    pub(super) fn accepts(&self, value: &str, country: &str) -> bool {
        self.country == country
            && self.patterns.split(' ').any(|pattern| fits(pattern, value))
            && (self.check)(value)
    }
}

/// The types of a country, in the order in which they are tried.
pub(super) fn of_country(country: &str) -> impl Iterator<Item = &'static Format> {
    FORMATS.iter().filter(move |format| format.country == country)
}

/// The type name from the table that equals a stored one.
pub(super) fn by_name(name: &str) -> Option<&'static str> {
    FORMATS.iter().map(|format| format.name).find(|known| *known == name)
}

const fn row(
    country: &'static str,
    name: &'static str,
    patterns: &'static str,
    check: fn(&str) -> bool,
) -> Format {
    Format { name, country, patterns, check }
}

const FORMATS: [Format; 140] = [
    row("AT", "eu_vat", "ATU########", any),
    row("BE", "eu_vat", "BE0######### BE1#########", belgian),
    row("BG", "eu_vat", "BG######### BG##########", any),
    row("CY", "eu_vat", "CY########@", any),
    row("CZ", "eu_vat", "CZ######## CZ######### CZ##########", any),
    row("DE", "eu_vat", "DE#########", german),
    row("DK", "eu_vat", "DK########", any),
    row("EE", "eu_vat", "EE#########", any),
    row("ES", "eu_vat", "ES?#######?", any),
    row("FI", "eu_vat", "FI########", any),
    row("FR", "eu_vat", "FR??#########", french),
    row("GR", "eu_vat", "EL#########", any),
    row("HR", "eu_vat", "HR###########", croatian),
    row("HU", "eu_vat", "HU########", any),
    row("IE", "eu_vat", "IE#######@ IE#######@@ IE#?#####@", any),
    row("IT", "eu_vat", "IT###########", italian),
    row("LT", "eu_vat", "LT######### LT############", any),
    row("LU", "eu_vat", "LU########", luxembourgish),
    row("LV", "eu_vat", "LV###########", any),
    row("MC", "eu_vat", "FR??#########", french),
    row("MT", "eu_vat", "MT########", any),
    row("NL", "eu_vat", "NL#########B##", any),
    row("PL", "eu_vat", "PL##########", polish),
    row("PT", "eu_vat", "PT#########", portuguese),
    row(
        "RO",
        "eu_vat",
        "RO## RO### RO#### RO##### RO###### RO####### RO######## RO######### RO##########",
        any,
    ),
    row("SE", "eu_vat", "SE############", any),
    row("SI", "eu_vat", "SI########", any),
    row("SK", "eu_vat", "SK##########", any),
    row("AD", "ad_nrt", "@######@", any),
    row("AE", "ae_trn", "###############", any),
    row("AL", "al_tin", "@########@", any),
    row("AM", "am_tin", "########", any),
    row("AO", "ao_tin", "##########", any),
    row("AR", "ar_cuit", "###########", any),
    row("AU", "au_abn", "###########", australian),
    row("AU", "au_arn", "############", any),
    row("AW", "aw_tin", "########", any),
    row("AZ", "az_tin", "##########", any),
    row("BA", "ba_tin", "############", any),
    row("BB", "bb_tin", "#############", any),
    row("BD", "bd_bin", "#############", any),
    row("BF", "bf_ifu", "########@", any),
    row("BG", "bg_uic", "#########", any),
    row("BH", "bh_vat", "###############", any),
    row("BJ", "bj_ifu", "#############", any),
    row("BO", "bo_tin", "########## #########", any),
    row("BR", "br_cnpj", "????????????##", brazilian_company),
    row("BR", "br_cpf", "###########", brazilian_person),
    row("BS", "bs_tin", "#########", any),
    row("BY", "by_tin", "#########", any),
    row("CA", "ca_gst_hst", "#########RT####", canadian),
    row("CA", "ca_bn", "#########", canadian),
    row("CA", "ca_qst", "##########TQ####", any),
    row("CA", "ca_pst_bc", "PST########", any),
    row("CA", "ca_pst_mb", "#######", any),
    row("CA", "ca_pst_sk", "#######", any),
    row("CD", "cd_nif", "@#######@", any),
    row("CH", "ch_vat", "CHE#########MWST CHE#########TVA CHE#########IVA CHE#########VAT", swiss),
    row("CH", "ch_uid", "CHE#########", swiss),
    row("CL", "cl_tin", "######## ######### ########K #######K", any),
    row("CM", "cm_niu", "@############@", any),
    row("CN", "cn_tin", "?????????????????? ###############", any),
    row("CO", "co_nit", "########## #########", any),
    row("CR", "cr_tin", "########## ######### ###########", any),
    row("CV", "cv_nif", "#########", any),
    row("DE", "de_stn", "########## ########### #############", any),
    row("DO", "do_rcn", "######### ###########", any),
    row("EC", "ec_ruc", "#############", any),
    row("EG", "eg_tin", "#########", any),
    row("ES", "es_cif", "@#######?", any),
    row("ET", "et_tin", "##########", any),
    row("GB", "gb_vat", "GB######### GB############", british),
    row("GB", "gb_vat", "GBGD### GBHA###", any),
    row("GB", "eu_vat", "XI######### XI############", british),
    row("IM", "gb_vat", "GB######### GB############", british),
    row("GE", "ge_vat", "#########", any),
    row("GN", "gn_nif", "#########", any),
    row("HK", "hk_br", "########", any),
    row("HR", "hr_oib", "###########", croatian),
    row("HU", "hu_tin", "###########", any),
    row("ID", "id_npwp", "############### ################", any),
    row("IL", "il_vat", "#########", any),
    row("IN", "in_gst", "##@@@@@####@?Z?", any),
    row("IS", "is_vat", "##### ######", any),
    row("JP", "jp_cn", "#############", any),
    row("JP", "jp_trn", "T#############", any),
    row("JP", "jp_rn", "#####", any),
    row("KE", "ke_pin", "@#########@", any),
    row("KG", "kg_tin", "##############", any),
    row("KH", "kh_tin", "#############", any),
    row("KR", "kr_brn", "##########", korean),
    row("KZ", "kz_bin", "############", any),
    row("LA", "la_tin", "############", any),
    row("LI", "li_uid", "CHE#########", swiss),
    row("LI", "li_vat", "#####", any),
    row("MA", "ma_vat", "########", any),
    row("MD", "md_vat", "#######", any),
    row("ME", "me_pib", "########", any),
    row("MK", "mk_vat", "MK#############", any),
    row("MR", "mr_nif", "########", any),
    row("MU", "mu_tan", "########", any),
    row("MX", "mx_rfc", "&&&######??? &&&&######???", any),
    row("MY", "my_sst", "@############## @################", any),
    row("MY", "my_itn", "@########## @@########## @@###########", any),
    row("MY", "my_frp", "########", any),
    row("NG", "ng_tin", "############", any),
    row("NO", "no_vat", "#########MVA", norwegian),
    row("NO", "no_voec", "VOEC#######", any),
    row("NP", "np_pan", "#########", any),
    row("NZ", "nz_gst", "######### ########", any),
    row("OM", "om_vat", "OM##########", any),
    row("PE", "pe_ruc", "###########", any),
    row("PH", "ph_tin", "############ #########", any),
    row("RO", "ro_tin", "########## #############", any),
    row("RS", "rs_pib", "#########", any),
    row("RU", "ru_inn", "########## ############", any),
    row("RU", "ru_kpp", "#########", any),
    row("SA", "sa_vat", "###############", any),
    row("SG", "sg_gst", "@########@", any),
    row("SG", "sg_uen", "########@ #########@ @##@@####@", any),
    row("SI", "si_tin", "########", any),
    row("SN", "sn_ninea", "#######?#?", any),
    row("SR", "sr_fin", "##########", any),
    row("SV", "sv_nit", "##############", any),
    row("TH", "th_vat", "#############", any),
    row("TJ", "tj_tin", "#########", any),
    row("TR", "tr_tin", "##########", any),
    row("TW", "tw_vat", "########", any),
    row("TZ", "tz_vat", "########@", any),
    row("UA", "ua_vat", "######### ############", any),
    row("UG", "ug_tin", "##########", any),
    row("US", "us_ein", "#########", any),
    row("UY", "uy_ruc", "############", any),
    row("UZ", "uz_tin", "#########", any),
    row("UZ", "uz_vat", "############", any),
    row("VE", "ve_rif", "@#########", any),
    row("VN", "vn_tin", "########## #############", any),
    row("ZA", "za_vat", "4#########", any),
    row("ZM", "zm_tin", "##########", any),
    row("ZW", "zw_tin", "##########", any),
];

fn fits(pattern: &str, value: &str) -> bool {
    pattern.len() == value.len()
        && pattern.bytes().zip(value.bytes()).all(|(form, byte)| match form {
            b'#' => byte.is_ascii_digit(),
            b'@' => byte.is_ascii_uppercase(),
            b'?' => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            b'&' => byte.is_ascii_uppercase() || byte == b'&',
            literal => byte == literal,
        })
}

/// Accepts every identifier: the check digits are not published, or their rule is too uncertain to refuse an
/// identifier by it.
fn any(_: &str) -> bool {
    true
}

/// The digits of an identifier without its letters.
fn digits(value: &str) -> Vec<u32> {
    value.chars().filter_map(|c| c.to_digit(10)).collect()
}

fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(*digit))
}

fn weighted(digits: &[u32], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| digit * weight).sum()
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(i, d)| if i % 2 == 1 { doubled(*d) } else { *d }).sum();
    sum.is_multiple_of(10)
}

/// ISO 7064, MOD 11,10.
fn mod_11_10(digits: &[u32]) -> bool {
    let Some((last, body)) = digits.split_last() else { return false };
    let product = body.iter().fold(10, |product, digit| {
        let sum = (product + digit) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (product + last) % 10 == 1
}

/// The last two digits complement the first eight to a multiple of 97.
fn belgian(value: &str) -> bool {
    let all = digits(value);
    all.split_at_checked(8).is_some_and(|(body, check)| (number(body) + number(check)).is_multiple_of(97))
}

fn german(value: &str) -> bool {
    mod_11_10(&digits(value))
}

fn croatian(value: &str) -> bool {
    mod_11_10(&digits(value))
}

fn italian(value: &str) -> bool {
    luhn(&digits(value))
}

/// A key of two digits is computed from the nine-digit SIREN. A key with letters is not verified.
fn french(value: &str) -> bool {
    let all = digits(value);
    if all.len() != 11 {
        return true;
    }
    all.split_at_checked(2).is_some_and(|(key, siren)| number(key) == (12 + 3 * (number(siren) % 97)) % 97)
}

fn luxembourgish(value: &str) -> bool {
    let all = digits(value);
    all.split_at_checked(6).is_some_and(|(body, check)| number(body) % 89 == number(check))
}

/// The last digit is the weighted sum modulo 11. Identifiers with a remainder of 10 are never issued.
fn polish(value: &str) -> bool {
    let all = digits(value);
    all.last() == Some(&(weighted(&all, &[6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11))
}

/// The last digit complements the weighted sum to a multiple of 11; 10 and 11 are written as 0.
fn portuguese(value: &str) -> bool {
    let all = digits(value);
    let rest = 11 - weighted(&all, &[9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    all.last() == Some(&(if rest > 9 { 0 } else { rest }))
}

/// Two check digits modulo 97, in the older series or in the newer one, which is shifted by 55. Three digits of
/// a branch can follow.
fn british(value: &str) -> bool {
    let all = digits(value);
    let Some((main, _branch)) = all.split_at_checked(9) else { return true };
    let (body, check) = main.split_at_checked(7).unwrap_or((&[], &[]));
    let sum = u64::from(weighted(body, &[8, 7, 6, 5, 4, 3, 2])) + number(check);
    sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97)
}

/// The last digit complements the weighted sum to a multiple of 11. Identifiers with 10 are never issued.
fn swiss(value: &str) -> bool {
    let all = digits(value);
    all.last() == Some(&((11 - weighted(&all, &[5, 4, 3, 2, 7, 6, 5, 4]) % 11) % 11))
}

fn norwegian(value: &str) -> bool {
    let all = digits(value);
    all.last() == Some(&((11 - weighted(&all, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) % 11))
}

/// The first digit is reduced by one; then the weighted sum is a multiple of 89.
fn australian(value: &str) -> bool {
    let sum = weighted(&digits(value), &[10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
    sum > 10 && (sum - 10).is_multiple_of(89)
}

/// The first nine digits, the business number, satisfy the Luhn check. The account that follows is not checked.
fn canadian(value: &str) -> bool {
    let all = digits(value);
    all.split_at_checked(9).is_some_and(|(business, _)| luhn(business))
}

/// Two check digits over the characters, each with the value of its ASCII code minus 48: since 2026 identifiers
/// can contain letters.
fn brazilian_company(value: &str) -> bool {
    let codes: Vec<u32> = value.bytes().map(|b| u32::from(b) - u32::from(b'0')).collect();
    let first = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    let second = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    brazilian(&codes, &first, &second)
}

fn brazilian_person(value: &str) -> bool {
    let first = [10, 9, 8, 7, 6, 5, 4, 3, 2];
    let second = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    brazilian(&digits(value), &first, &second)
}

/// Verifies two check digits, each computed from the characters before it. An identifier of one repeated digit
/// is never issued.
fn brazilian(codes: &[u32], first: &[u32], second: &[u32]) -> bool {
    let digit = |weights: &[u32]| match weighted(codes, weights) % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    let varies = codes.iter().any(|code| Some(code) != codes.first());
    varies && codes.get(first.len()) == Some(&digit(first)) && codes.get(second.len()) == Some(&digit(second))
}

fn korean(value: &str) -> bool {
    let all = digits(value);
    let ninth = all.get(8).map_or(0, |digit| digit * 5 / 10);
    let sum = weighted(&all, &[1, 3, 7, 1, 3, 7, 1, 3, 5]) + ninth;
    all.last() == Some(&((10 - sum % 10) % 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Country;

    #[test]
    fn every_row_has_a_known_country_and_patterns() {
        for format in &FORMATS {
            assert!(Country::parse_stored(format.country).is_ok(), "{}", format.country);
            for pattern in format.patterns.split(' ') {
                assert!(!pattern.is_empty() && pattern.is_ascii(), "{}", format.name);
            }
        }
        assert_eq!(of_country("AQ").count(), 0);
        assert_eq!(by_name("eu_vat"), Some("eu_vat"));
    }

    #[test]
    fn a_pattern_matches_character_by_character() {
        assert!(fits("CHE##MWST", "CHE12MWST"));
        assert!(!fits("##", "1A") && !fits("##", "123") && fits("@?&", "A1&"));
    }
}
