//! Values that go into a query and rows that come out of it, the same for every engine.

use std::fmt::Display;

use tenantry_core::Timestamp;
use tenantry_core::values::EmailAddress;
use uuid::Uuid;

use crate::{StoreError, postgres, sqlite};

/// What kind of value a parameter is, told even of one that is null: an engine that plans a query before it
/// sees the values must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int,
    Text,
    Bytes,
    Id,
}

/// A type that can be a parameter.
pub(crate) trait Typed {
    const KIND: Kind;
}

/// A parameter of a query.
#[derive(Debug, Clone)]
pub(crate) enum Param<'a> {
    Null(Kind),
    Bool(bool),
    Int(i64),
    Text(&'a str),
    OwnedText(String),
    Bytes(&'a [u8]),
    OwnedBytes(Vec<u8>),
    Id(Uuid),
}

impl Param<'_> {
    /// The same, for longer than what it was made from.
    pub(crate) fn to_owned(&self) -> Param<'static> {
        match self {
            Self::Null(kind) => Param::Null(*kind),
            Self::Bool(value) => Param::Bool(*value),
            Self::Int(value) => Param::Int(*value),
            Self::Text(text) => Param::OwnedText((*text).to_owned()),
            Self::OwnedText(text) => Param::OwnedText(text.clone()),
            Self::Bytes(bytes) => Param::OwnedBytes(bytes.to_vec()),
            Self::OwnedBytes(bytes) => Param::OwnedBytes(bytes.clone()),
            Self::Id(id) => Param::Id(*id),
        }
    }

    pub(crate) const fn kind(&self) -> Kind {
        match self {
            Self::Null(kind) => *kind,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int,
            Self::Text(_) | Self::OwnedText(_) => Kind::Text,
            Self::Bytes(_) | Self::OwnedBytes(_) => Kind::Bytes,
            Self::Id(_) => Kind::Id,
        }
    }
}

macro_rules! param_from {
    ($($type:ty => $kind:ident |$value:ident| $param:expr),+ $(,)?) => {$(
        impl<'a> Typed for $type {
            const KIND: Kind = Kind::$kind;
        }

        impl<'a> From<$type> for Param<'a> {
            fn from($value: $type) -> Self {
                $param
            }
        }
    )+};
}

param_from! {
    bool => Bool |value| Self::Bool(value),
    i64 => Int |value| Self::Int(value),
    &'a str => Text |value| Self::Text(value),
    String => Text |value| Self::OwnedText(value),
    &'a [u8] => Bytes |value| Self::Bytes(value),
    Uuid => Id |value| Self::Id(value),
    Timestamp => Int |value| Self::Int(value.as_micros()),
}

impl<'a, T: Into<Param<'a>> + Typed> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::KIND), Into::into)
    }
}

/// A value of a row, as every engine shows it. Truth may be a number, and an id its 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A row of an answer.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of column `index`, counted from 0.
    pub(crate) fn get<T: Column>(&self, index: usize) -> Result<T, StoreError> {
        let value = match self {
            Self::Sqlite(row) => sqlite::value(row, index)?,
            Self::Postgres(row) => postgres::value(row, index)?,
        };
        let kind = match value {
            Value::Null => "nothing",
            Value::Int(_) => "a number",
            Value::Text(_) => "text",
            Value::Bytes(_) => "bytes",
        };
        T::read(value).ok_or_else(|| unexpected(format!("column {index} holds {kind}")))
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
        Ok(text.zip(key).map(|(text, key)| EmailAddress::from_stored(text, key)))
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
    fn read(value: Value<'_>) -> Option<Self>;
}

impl Column for i64 {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Int(value) = value { Some(value) } else { None }
    }
}

impl Column for bool {
    fn read(value: Value<'_>) -> Option<Self> {
        i64::read(value).map(|value| value != 0)
    }
}

impl Column for String {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl Column for Vec<u8> {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.to_vec()) } else { None }
    }
}

impl Column for Uuid {
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Self::from_slice(bytes).ok() } else { None }
    }
}

impl Column for Timestamp {
    fn read(value: Value<'_>) -> Option<Self> {
        i64::read(value).map(Self::from_micros)
    }
}

impl<T: Column> Column for Option<T> {
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
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

        impl Typed for tenantry_core::ids::$id {
            const KIND: Kind = Kind::Id;
        }

        impl Column for tenantry_core::ids::$id {
            fn read(value: Value<'_>) -> Option<Self> {
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
