//! The conversion of values to and from PostgreSQL.

use std::error::Error;

use tokio_postgres::Row;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::target::described;
use crate::StoreError;
use crate::error::unexpected;
use crate::value::{Param, ParamType, Value};

/// The SQL expression for an id's hexadecimal digits in upper case.
pub(crate) fn id_digits(column: &str) -> String {
    format!("upper(replace(CAST({column} AS text), '-', ''))")
}

pub(super) fn type_of(param: &Param<'_>) -> Type {
    match param.param_type() {
        ParamType::Bool => Type::BOOL,
        ParamType::Int => Type::INT8,
        ParamType::Text => Type::TEXT,
        ParamType::Bytes => Type::BYTEA,
        ParamType::Id => Type::UUID,
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null(_) => return Ok(IsNull::Yes),
            Self::Bool(value) => out.extend_from_slice(&[u8::from(*value)]),
            Self::Int(value) => out.extend_from_slice(&value.to_be_bytes()),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::OwnedText(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
            Self::OwnedBytes(bytes) => out.extend_from_slice(bytes),
            Self::Id(id) => out.extend_from_slice(id.as_bytes()),
        }
        Ok(IsNull::No)
    }

    /// Accepts every type, because each statement is prepared with the types of its parameters.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(kind, raw)?.into()),
            Type::TEXT | Type::VARCHAR | Type::NAME => Self::Text(std::str::from_utf8(raw)?),
            Type::BYTEA | Type::UUID => Self::Bytes(raw),
            ref other => return Err(format!("a column of type {other}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The value of a column, counted from 0.
pub(crate) fn value(row: &Row, index: usize) -> Result<Value<'_>, StoreError> {
    row.try_get(index).map_err(|error| unexpected(described(&error)))
}
