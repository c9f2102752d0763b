//! The language of a page: the chosen one, or the first that the browser prefers and the console has.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::cookies;
use crate::texts::{ENGLISH, GERMAN, Texts};

/// The texts of a tag such as `de` or `de-AT`.
pub(crate) fn of_tag(tag: &str) -> Option<&'static Texts> {
    match tag.split('-').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "en" => Some(&ENGLISH),
        "de" => Some(&GERMAN),
        _ => None,
    }
}

/// The texts for a request.
pub(crate) fn of_request(headers: &HeaderMap) -> &'static Texts {
    let chosen = [cookies::LANGUAGE, cookies::LANGUAGE_FRAMED];
    let chosen = chosen.iter().find_map(|name| cookies::value(headers, name)).and_then(of_tag);
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    chosen.or_else(|| preferred(accepted)).unwrap_or(&ENGLISH)
}

/// The best language of an `Accept-Language` header (RFC 9110, 12.5.4).
fn preferred(accepted: &str) -> Option<&'static Texts> {
    let ranges = accepted.split(',').take(20).filter_map(|range| {
        let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
        let quality: f32 = quality.trim().strip_prefix("q=")?.parse().ok()?;
        Some((quality, of_tag(tag)?)).filter(|(quality, _)| *quality > 0.0)
    });
    // Of equal ones the first.
    let better = |best: (f32, _), next: (f32, _)| if next.0 > best.0 { next } else { best };
    ranges.reduce(better).map(|(_, texts)| texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_known_language_wins() {
        for (accepted, expected) in [
            ("de-AT,en;q=0.9", Some("de")),
            ("fr, en;q=0.5, de;q=0.8", Some("de")),
            ("en, de", Some("en")),
            ("de;q=0, en;q=0.1", Some("en")),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(preferred(accepted).map(|texts| texts.language), expected, "{accepted}");
        }
    }
}
