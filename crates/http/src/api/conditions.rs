//! Conditional requests (RFC 9110, sections 8.8.3 and 13): the `ETag` of a row, `If-Match` and `If-None-Match`.
//!
//! An `ETag` is the hash of the body that shows the row, so it changes exactly when what the caller sees changes. A GET
//! is compared when its response is rendered. A change is compared in its transaction, on the locked row, which is
//! rendered as a GET would show it ([`Call::write_row`](super::call::Call::write_row)).

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use siphasher::sip128::SipHasher13;

use super::endpoint::{Endpoint, Method};
use super::rejection::Rejection;
use super::response;

/// The `ETag` of a row, in quotes. It is strong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    /// The tag of the row that this body shows.
    ///
    /// The hash only tells versions of one row from each other. It needs no secret and is the same on every node.
    pub(crate) fn of(body: &[u8]) -> Self {
        let hash = SipHasher13::new().hash(body).as_u128();
        Self(format!("\"{hash:032x}\""))
    }
}

/// A tag in a request.
#[derive(Debug, PartialEq, Eq)]
struct SentTag {
    is_weak: bool,
    /// With its quotes.
    quoted: Vec<u8>,
}

/// The tags of a header.
#[derive(Debug, PartialEq, Eq)]
enum SentTags {
    /// `*`: any row that exists.
    Any,
    Each(Vec<SentTag>),
}

/// The conditions of a request.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions(Option<Arc<Sent>>);

#[derive(Debug, Default)]
struct Sent {
    if_match: Option<SentTags>,
    if_none_match: Option<SentTags>,
}

/// The result of comparing conditions with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// All conditions hold.
    Holds,
    /// `If-None-Match` names the row's tag.
    Known,
    /// `If-Match` does not name the row's tag.
    Differs,
}

impl Conditions {
    /// The conditions of a request to this endpoint.
    pub(crate) fn read(endpoint: &Endpoint, headers: &HeaderMap) -> Result<Self, Rejection> {
        if !endpoint.takes_conditions() {
            return Ok(Self(None));
        }
        let malformed = "If-Match is neither * nor a list of entity tags such as \"abc\"";
        let if_match = tags(headers, &IF_MATCH).map_err(|()| Rejection::BadCondition(malformed))?;
        let malformed = "If-None-Match is neither * nor a list of entity tags such as \"abc\"";
        let if_none_match = tags(headers, &IF_NONE_MATCH).map_err(|()| Rejection::BadCondition(malformed))?;
        let is_given = if_match.is_some() || if_none_match.is_some();
        Ok(Self(is_given.then(|| Arc::new(Sent { if_match, if_none_match }))))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a row that this body shows may be changed.
    pub(crate) fn allow_change_of(&self, body: &[u8]) -> bool {
        self.0.is_none() || self.compare(&EntityTag::of(body)) == Outcome::Holds
    }

    fn compare(&self, tag: &EntityTag) -> Outcome {
        let Some(sent) = &self.0 else { return Outcome::Holds };
        let names = |tags: &SentTags, compares_weakly: bool| match tags {
            SentTags::Any => true,
            SentTags::Each(tags) => {
                tags.iter().any(|sent| (compares_weakly || !sent.is_weak) && sent.quoted == tag.0.as_bytes())
            }
        };
        if sent.if_match.as_ref().is_some_and(|tags| !names(tags, false)) {
            Outcome::Differs
        } else if sent.if_none_match.as_ref().is_some_and(|tags| names(tags, true)) {
            Outcome::Known
        } else {
            Outcome::Holds
        }
    }

    /// Adds the row's tag to a response that shows it. The response to a GET whose conditions do not hold is 304 or
    /// 412.
    pub(crate) async fn apply(&self, endpoint: &Endpoint, shown: Response) -> Result<Response, Rejection> {
        if !endpoint.shows_row() || !shown.status().is_success() {
            return Ok(shown);
        }
        let (mut parts, body) = shown.into_parts();
        // The body is complete in memory, so this does not wait.
        let Ok(body) = to_bytes(body, usize::MAX).await else { return Err(Rejection::BrokenBody) };
        let tag = EntityTag::of(&body);
        let outcome = if endpoint.method == Method::Get { self.compare(&tag) } else { Outcome::Holds };
        let body = match outcome {
            Outcome::Holds => Body::from(body),
            Outcome::Differs => return Err(Rejection::ConditionFailed),
            Outcome::Known => {
                parts.status = StatusCode::NOT_MODIFIED;
                parts.headers.remove(CONTENT_TYPE);
                Body::empty()
            }
        };
        let mut shown = Response::from_parts(parts, body);
        response::set(&mut shown, ETAG, &tag.0);
        Ok(shown)
    }
}

/// The tags of a header, which may be repeated. `None` without the header.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Result<Option<SentTags>, ()> {
    let mut values = headers.get_all(name).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    let (mut tags, mut is_any) = (Vec::new(), false);
    for value in values {
        let mut rest = value.as_bytes().trim_ascii();
        if rest == b"*" {
            is_any = true;
            continue;
        }
        while !rest.is_empty() {
            // A recipient ignores empty elements of a list.
            if let Some(after) = rest.strip_prefix(b",") {
                rest = after.trim_ascii_start();
                continue;
            }
            let (tag, after) = tag(rest).ok_or(())?;
            tags.push(tag);
            let after = after.trim_ascii_start();
            if !after.is_empty() && !after.starts_with(b",") {
                return Err(());
            }
            rest = after;
        }
    }
    match (is_any, tags.is_empty()) {
        (true, true) => Ok(Some(SentTags::Any)),
        (false, false) => Ok(Some(SentTags::Each(tags))),
        _ => Err(()),
    }
}

/// The tag at the beginning of a text, and the rest.
fn tag(text: &[u8]) -> Option<(SentTag, &[u8])> {
    let (is_weak, text) = text.strip_prefix(b"W/").map_or((false, text), |text| (true, text));
    let opaque = text.strip_prefix(b"\"")?;
    let length = opaque.iter().position(|byte| *byte == b'"')?;
    let (quoted, rest) = text.split_at_checked(length + 2)?;
    let is_valid = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x7e | 0x80..);
    let quoted_well = opaque.iter().take(length).all(is_valid);
    quoted_well.then(|| (SentTag { is_weak, quoted: quoted.to_vec() }, rest))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&[u8]]) -> Result<Option<SentTags>, ()> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IF_MATCH, HeaderValue::from_bytes(value).unwrap());
        }
        tags(&headers, &IF_MATCH)
    }

    fn each(sent: &[(bool, &[u8])]) -> Result<Option<SentTags>, ()> {
        let tags =
            sent.iter().map(|(is_weak, quoted)| SentTag { is_weak: *is_weak, quoted: quoted.to_vec() });
        Ok(Some(SentTags::Each(tags.collect())))
    }

    #[test]
    fn lists_of_tags_are_read() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[b" * "]), Ok(Some(SentTags::Any)));
        assert_eq!(read(&[b"\"a\""]), each(&[(false, b"\"a\"")]));
        assert_eq!(
            read(&[b"W/\"a\" ,, \"b,\xff\"", b"\"\""]),
            each(&[(true, b"\"a\""), (false, b"\"b,\xff\""), (false, b"\"\""),])
        );
        let malformed: [&[&[u8]]; 12] = [
            &[b""],
            &[b","],
            &[b"a"],
            &[b"\"a"],
            &[b"a\""],
            &[b"w/\"a\""],
            &[b"W/a"],
            &[b"\"a\" \"b\""],
            &[b"\"a b\""],
            &[b"*, \"a\""],
            &[b"*", b"\"a\""],
            &[b"\"a\"*"],
        ];
        for values in malformed {
            assert_eq!(read(values), Err(()), "{values:?}");
        }
    }

    #[test]
    fn if_match_compares_strongly_and_if_none_match_weakly() {
        let tag = EntityTag::of(b"{}");
        let weak = || SentTags::Each(vec![SentTag { is_weak: true, quoted: tag.0.clone().into_bytes() }]);
        let of = |if_match, if_none_match| Conditions(Some(Arc::new(Sent { if_match, if_none_match })));
        assert_eq!(of(Some(weak()), None).compare(&tag), Outcome::Differs);
        assert_eq!(of(None, Some(weak())).compare(&tag), Outcome::Known);
        assert_eq!(of(Some(weak()), Some(weak())).compare(&tag), Outcome::Differs);
        assert_eq!(of(Some(SentTags::Any), None).compare(&tag), Outcome::Holds);
        assert_eq!(of(None, Some(SentTags::Any)).compare(&tag), Outcome::Known);
        assert_eq!(of(None, Some(weak())).compare(&EntityTag::of(b"[]")), Outcome::Holds);
    }
}
