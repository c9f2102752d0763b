//! The configuration file: TOML, whose keys are the names of options without the leading hyphens.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use tenantry_store::read_limited;
use toml::{Table, Value};

use crate::cli::nearest;
use crate::error::CommandError;

/// The values of a configuration file by option, as the command line would give them.
pub(super) struct File(HashMap<String, Vec<String>>);

impl File {
    /// Reads the file, or returns `None` if it does not exist. `names` are the options that it can set.
    ///
    /// Error messages repeat no value of the file, because the database URL contains a password.
    pub(super) fn read(path: &Path, names: &[String]) -> Result<Option<Self>, CommandError> {
        let about = |message: String| CommandError::Options(format!("{}: {message}", path.display()));
        let content = match read_limited(path) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(about(error.to_string())),
        };
        let text = String::from_utf8(content).map_err(|_| about("the file is not UTF-8 text".to_owned()))?;
        let table: Table = text.parse().map_err(|error| about(position(&text, &error)))?;
        let mut values = HashMap::new();
        for (name, value) in table {
            if !names.contains(&name) {
                let suggestion = match nearest(&name, names.iter().map(String::as_str)) {
                    Some(nearest) => format!(": did you mean {nearest}?"),
                    None => format!("; the options: {}", names.join(", ")),
                };
                return Err(about(format!("there is no option {name}{suggestion}")));
            }
            let texts = texts(&value).ok_or_else(|| {
                about(format!("{name}: use a text, a whole number, true, false, or a list of texts"))
            })?;
            values.insert(name, texts);
        }
        Ok(Some(Self(values)))
    }

    /// The values of an option.
    pub(super) fn values(&self, name: &str) -> Option<Vec<String>> {
        self.0.get(name).cloned()
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().map(ToOwned::to_owned)).collect(),
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Boolean(is_on) => Some(vec![if *is_on { "on" } else { "off" }.to_owned()]),
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

/// The line and column of a syntax error. Its own message could repeat a value.
fn position(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!(
        "line {line}, column {column} is not valid TOML: use NAME = 'TEXT', a whole number, true or false"
    )
}
