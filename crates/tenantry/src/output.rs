//! The output of commands.

use std::fmt::Display;
use std::io::{self, Write};

use serde_json::Value;

use crate::error::CommandError;

/// Prints a JSON object, or lines for people.
pub(crate) fn print(json: bool, object: &Value, lines: &[String]) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{object}")?;
    } else {
        for line in lines {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// A number with its noun: `1 row`, `2 rows`.
pub(crate) fn counted<N: Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    let plural = if number == N::from(1) { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// A JSON object with the fields of another one too.
pub(crate) fn with_fields(mut object: Value, more: Value) -> Value {
    if let (Some(fields), Value::Object(more)) = (object.as_object_mut(), more) {
        fields.extend(more);
    }
    object
}
