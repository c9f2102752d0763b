//! Values that go into a query and rows that come out of it, the same for every engine.

use std::fmt::Display;

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use tenantry_core::Timestamp;
use tenantry_core::values::EmailAddress;
use uuid::Uuid;

use crate::StoreError;

/// A parameter of a query.
#[derive(Debug, Clone)]
pub(crate) enum Param<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    OwnedText(String),
    Bytes(&'a [u8]),
    Id(Uuid),
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
            Self::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::OwnedText(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
            Self::Id(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.as_bytes())),
        })
    }
}

macro_rules! param_from {
    ($($type:ty => |$value:ident| $param:expr),+ $(,)?) => {$(
        impl<'a> From<$type> for Param<'a> {
            fn from($value: $type) -> Self {
                $param
            }
        }
    )+};
}

param_from! {
    bool => |value| Self::Bool(value),
    i64 => |value| Self::Int(value),
    &'a str => |value| Self::Text(value),
    String => |value| Self::OwnedText(value),
    &'a [u8] => |value| Self::Bytes(value),
    Uuid => |value| Self::Id(value),
    Timestamp => |value| Self::Int(value.as_micros()),
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
pub(crate) struct Row<'a>(pub(crate) &'a rusqlite::Row<'a>);

impl Row<'_> {
    /// The value of column `index`, counted from 0.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        let value = self.0.get_ref(index).map_err(unexpected)?;
        T::read(value).ok_or_else(|| unexpected(format!("column {index} holds {:?}", value.data_type())))
    }

    /// The text of column `index`, made into a `T` by `parse`.
    pub(crate) fn parse<T, E: Display>(
        &self,
        index: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, StoreError> {
        parse(&self.get::<String>(index)?).map_err(|error| unexpected(format!("column {index}: {error}")))
    }

    /// The same for a column that may be null.
    pub(crate) fn parse_optional<T, E: Display>(
        &self,
        index: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError> {
        let Some(text) = self.get::<Option<String>>(index)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| unexpected(format!("column {index}: {error}")))
    }

    /// The address in column `index`, with its key in column `key`.
    pub(crate) fn email(&self, index: usize, key: usize) -> Result<Option<EmailAddress>, StoreError> {
        let (text, key) = (self.get::<Option<String>>(index)?, self.get::<Option<String>>(key)?);
        Ok(text.zip(key).map(|(text, key)| EmailAddress::stored(text, key)))
    }

    /// The name in column `index`, made into a `T` by `from_name`.
    pub(crate) fn named<T>(
        &self,
        index: usize,
        from_name: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StoreError> {
        let name: String = self.get(index)?;
        from_name(&name).ok_or_else(|| unexpected(format!("column {index} holds {name:?}")))
    }
}

/// A type that a column can be read as.
pub(crate) trait Column: Sized {
    fn read(value: ValueRef<'_>) -> Option<Self>;
}

impl Column for i64 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok()
    }
}

impl Column for bool {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_i64().ok().map(|value| value != 0)
    }
}

impl Column for String {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_str().ok().map(str::to_owned)
    }
}

impl Column for Vec<u8> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl Column for Uuid {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        value.as_blob().ok().and_then(|bytes| Self::from_slice(bytes).ok())
    }
}

impl Column for Timestamp {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        i64::read(value).map(Self::from_micros)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::read(value).map(Some),
        }
    }
}

/// Ids go into a query and come out of a row as their UUID.
macro_rules! ids {
    ($($id:ident),+) => {$(
        impl From<tenantry_core::ids::$id> for Param<'_> {
            fn from(value: tenantry_core::ids::$id) -> Self {
                Self::Id(value.uuid())
            }
        }

        impl Column for tenantry_core::ids::$id {
            fn read(value: ValueRef<'_>) -> Option<Self> {
                Uuid::read(value).map(Self::new)
            }
        }
    )+};
}

ids!(
    OrganizationId,
    UserId,
    CustomerId,
    MemberId,
    TokenId,
    UserTokenId,
    AuditId,
    WebhookEndpointId,
    WebhookEventId,
    WebhookDeliveryId,
    SessionId,
    EmailUpdateId,
    MailId
);

pub(crate) fn unexpected(error: impl Display) -> StoreError {
    StoreError::Unexpected(error.to_string())
}
