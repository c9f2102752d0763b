//! A row of a result, from either engine.

use std::fmt::Display;

use tenantry_core::values::EmailAddress;

use crate::error::unexpected;
use crate::value::{FromValue, Value};
use crate::{StoreError, postgres, sqlite};

/// A row of a result.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of column `index`, counted from 0.
    pub(crate) fn get<T: FromValue>(&self, index: usize) -> Result<T, StoreError> {
        let value = match self {
            Self::Sqlite(row) => sqlite::driver::value(row, index)?,
            Self::Postgres(row) => postgres::values::value(row, index)?,
        };
        let kind = match value {
            Value::Null => "nothing",
            Value::Int(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
        };
        T::from_value(value).ok_or_else(|| unexpected(format!("column {index} holds {kind}")))
    }

    /// The text of column `index`, parsed by `parse`.
    pub(crate) fn parse<T, E: Display>(
        &self,
        index: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        parse(&self.get::<String>(index)?).map_err(|error| unexpected(format!("column {index}: {error}")))
    }

    /// [`parse`](Self::parse) for a column that may be null.
    pub(crate) fn parse_optional<T, E: Display>(
        &self,
        index: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.get::<Option<String>>(index)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| unexpected(format!("column {index}: {error}")))
    }

    /// The e-mail address in column `index`, whose comparison key is in column `key`.
    pub(crate) fn email(&self, index: usize, key: usize) -> Result<Option<EmailAddress>, StoreError> {
        let (text, key) = (self.get::<Option<String>>(index)?, self.get::<Option<String>>(key)?);
        Ok(text.zip(key).map(|(text, key)| EmailAddress::from_stored(text, key)))
    }

    /// The variant of an enum whose name is in column `index`.
    pub(crate) fn named<T>(
        &self,
        index: usize,
        from_name: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let name: String = self.get(index)?;
        from_name(&name).ok_or_else(|| unexpected(format!("column {index} holds {name:?}")))
    }
}
