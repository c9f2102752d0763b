//! The body of a request, as JSON.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Validation;

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// No body, or `null`.
    Nothing,
    /// JSON.
    Json(Value),
    /// A body with another content type.
    Text(String),
}

/// Reads a body according to its content type. Records a violation if its JSON is malformed.
pub(crate) fn read_json(content_type: Option<&str>, body: &[u8], at: &mut Validation) -> Option<Body> {
    if body.is_empty() {
        return Some(Body::Nothing);
    }
    if !content_type.is_some_and(is_json) {
        return Some(Body::Text(String::from_utf8_lossy(body).into_owned()));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Null) => Some(Body::Nothing),
        Ok(value) => Some(Body::Json(value)),
        Err(error) => {
            let (position, reason) =
                fault(&String::from_utf8_lossy(body)).unwrap_or_else(|| (0, error.to_string()));
            at.within(position, |at| {
                at.violate("json_invalid", "JSON decode error", &json!({}), Some(json!({"error": reason})));
            });
            None
        }
    }
}

/// The body as UTF-8. As in the original, JSON may begin with a byte order mark and may be UTF-16.
pub(crate) fn to_utf8(body: &[u8]) -> Cow<'_, [u8]> {
    let (order, text): (fn([u8; 2]) -> u16, _) = match body {
        [0xef, 0xbb, 0xbf, text @ ..] => return Cow::Borrowed(text),
        [0xff, 0xfe, text @ ..] => (u16::from_le_bytes, text),
        [0xfe, 0xff, text @ ..] => (u16::from_be_bytes, text),
        [0, other, ..] if *other != 0 => (u16::from_be_bytes, body),
        [other, 0, ..] if *other != 0 => (u16::from_le_bytes, body),
        _ => return Cow::Borrowed(body),
    };
    let (units, rest) = text.as_chunks::<2>();
    let decoded: Result<String, _> = char::decode_utf16(units.iter().map(|unit| order(*unit))).collect();
    match decoded {
        Ok(decoded) if rest.is_empty() => Cow::Owned(decoded.into_bytes()),
        _ => Cow::Borrowed(body),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.strip_prefix("application/").is_some_and(|kind| kind == "json" || kind.ends_with("+json"))
}

/// The position of a syntax error, in characters from the start, and its message. Both are those of the original's
/// parser, which differ from those of `serde_json`.
fn fault(text: &str) -> Option<(usize, String)> {
    let mut scanner = Scanner { text: text.chars().collect(), position: 0, depth: 0 };
    let fault = scanner.document().err()?;
    Some((fault.0, fault.1.to_owned()))
}

/// Maximum nesting of a document.
const DEPTH: usize = 128;

struct Scanner {
    text: Vec<char>,
    position: usize,
    depth: usize,
}

type Fault = (usize, &'static str);

impl Scanner {
    fn peek(&self) -> Option<char> {
        self.text.get(self.position).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let taken = self.peek() == Some(wanted);
        self.position += usize::from(taken);
        taken
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r')) {
            self.position += 1;
        }
    }

    fn document(&mut self) -> Result<(), Fault> {
        self.skip_space();
        self.value()?;
        self.skip_space();
        if self.peek().is_some() { Err((self.position, "Extra data")) } else { Ok(()) }
    }

    fn value(&mut self) -> Result<(), Fault> {
        let start = self.position;
        self.depth += 1;
        if self.depth > DEPTH {
            return Err((start, "Nested too deeply"));
        }
        match self.peek() {
            Some('"') => self.string()?,
            Some('{') => self.object()?,
            Some('[') => self.array()?,
            Some('-' | '0'..='9') => self.number()?,
            _ => self.word()?,
        }
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self) -> Result<(), Fault> {
        let rest = self.text.get(self.position..).unwrap_or_default();
        let word = ["null", "true", "false"].into_iter().find(|word| {
            rest.len() >= word.len() && word.chars().zip(rest).all(|(wanted, found)| wanted == *found)
        });
        let word = word.ok_or((self.position, "Expecting value"))?;
        self.position += word.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.position;
        while self.peek().is_some_and(|letter| letter.is_ascii_digit()) {
            self.position += 1;
        }
        self.position - start
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.position;
        self.take('-');
        if !self.take('0') && self.digits() == 0 {
            return Err((start, "Expecting value"));
        }
        let whole = self.position;
        if self.take('.') && self.digits() == 0 {
            self.position = whole;
            return Ok(());
        }
        let mantissa = self.position;
        if self.take('e') || self.take('E') {
            let _signed = self.take('-') || self.take('+');
            if self.digits() == 0 {
                self.position = mantissa;
            }
        }
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        let start = self.position;
        self.position += 1;
        loop {
            let at = self.position;
            match self.peek() {
                None => return Err((start, "Unterminated string starting at")),
                Some('"') => {
                    self.position += 1;
                    return Ok(());
                }
                Some(letter) if letter < ' ' => return Err((at, "Invalid control character at")),
                Some('\\') => self.escape(start)?,
                Some(_) => self.position += 1,
            }
        }
    }

    fn escape(&mut self, start: usize) -> Result<(), Fault> {
        let at = self.position;
        self.position += 1;
        match self.peek() {
            None => Err((start, "Unterminated string starting at")),
            Some('u') => {
                self.position += 1;
                let digits = self.text.get(self.position..self.position + 4).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(char::is_ascii_hexdigit) {
                    return Err((at + 1, "Invalid \\uXXXX escape"));
                }
                self.position += 4;
                Ok(())
            }
            Some('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't') => {
                self.position += 1;
                Ok(())
            }
            Some(_) => Err((at, "Invalid \\escape")),
        }
    }

    fn object(&mut self) -> Result<(), Fault> {
        const NAME: &str = "Expecting property name enclosed in double quotes";
        self.position += 1;
        self.skip_space();
        if self.take('}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some('"') {
                return Err((self.position, NAME));
            }
            self.string()?;
            self.skip_space();
            if !self.take(':') {
                return Err((self.position, "Expecting ':' delimiter"));
            }
            self.skip_space();
            self.value()?;
            self.skip_space();
            if self.take('}') {
                return Ok(());
            }
            let comma = self.position;
            if !self.take(',') {
                return Err((comma, "Expecting ',' delimiter"));
            }
            self.skip_space();
            if self.peek() == Some('}') {
                return Err((comma, "Illegal trailing comma before end of object"));
            }
        }
    }

    fn array(&mut self) -> Result<(), Fault> {
        self.position += 1;
        self.skip_space();
        if self.take(']') {
            return Ok(());
        }
        loop {
            self.value()?;
            self.skip_space();
            if self.take(']') {
                return Ok(());
            }
            let comma = self.position;
            if !self.take(',') {
                return Err((comma, "Expecting ',' delimiter"));
            }
            self.skip_space();
            if self.peek() == Some(']') {
                return Err((comma, "Illegal trailing comma before end of array"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn positions_are_the_recorded_ones() {
        // tests/golden/recording.jsonl, exchanges 78, 189 and 256.
        for (text, position) in [("{\"email\": ", 10), ("{\"email\": \"a@b.dev\",}", 19), ("{", 1)] {
            assert_eq!(fault(text).map(|fault| fault.0), Some(position), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_parser_takes_has_no_fault(text in "[\\[\\]{}\",:0-9a-f.\\\\eu -]{0,24}") {
            if serde_json::from_str::<Value>(&text).is_ok() {
                prop_assert_eq!(fault(&text), None);
            }
        }
    }
}
