//! The values that go into a query and come out of a row, the same for both engines.

use tenantry_core::Timestamp;
use uuid::Uuid;

/// The type of a parameter. A null has one as well: PostgreSQL plans a query before it has the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamType {
    Bool,
    Int,
    Text,
    Bytes,
    Id,
}

/// A Rust type that can be bound as a parameter.
pub(crate) trait HasParamType {
    const PARAM_TYPE: ParamType;
}

/// A parameter of a query.
#[derive(Debug, Clone)]
pub(crate) enum Param<'a> {
    Null(ParamType),
    Bool(bool),
    Int(i64),
    Text(&'a str),
    OwnedText(String),
    Bytes(&'a [u8]),
    OwnedBytes(Vec<u8>),
    Id(Uuid),
}

impl PartialEq for Param<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null(one), Self::Null(other)) => one == other,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Int(one), Self::Int(other)) => one == other,
            (Self::Id(one), Self::Id(other)) => one == other,
            _ => match (self.text(), other.text(), self.bytes(), other.bytes()) {
                (Some(one), Some(other), ..) => one == other,
                (.., Some(one), Some(other)) => one == other,
                _ => false,
            },
        }
    }
}

impl Param<'_> {
    pub(crate) const fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::OwnedText(text) => Some(text.as_str()),
            _ => None,
        }
    }

    const fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::OwnedBytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        }
    }

    /// A copy that owns its value.
    pub(crate) fn to_owned(&self) -> Param<'static> {
        match self {
            Self::Null(param_type) => Param::Null(*param_type),
            Self::Bool(value) => Param::Bool(*value),
            Self::Int(value) => Param::Int(*value),
            Self::Text(text) => Param::OwnedText((*text).to_owned()),
            Self::OwnedText(text) => Param::OwnedText(text.clone()),
            Self::Bytes(bytes) => Param::OwnedBytes(bytes.to_vec()),
            Self::OwnedBytes(bytes) => Param::OwnedBytes(bytes.clone()),
            Self::Id(id) => Param::Id(*id),
        }
    }

    pub(crate) const fn param_type(&self) -> ParamType {
        match self {
            Self::Null(param_type) => *param_type,
            Self::Bool(_) => ParamType::Bool,
            Self::Int(_) => ParamType::Int,
            Self::Text(_) | Self::OwnedText(_) => ParamType::Text,
            Self::Bytes(_) | Self::OwnedBytes(_) => ParamType::Bytes,
            Self::Id(_) => ParamType::Id,
        }
    }
}

macro_rules! param_from {
    ($($type:ty => $param_type:ident |$value:ident| $param:expr),+ $(,)?) => {$(
        impl<'a> HasParamType for $type {
            const PARAM_TYPE: ParamType = ParamType::$param_type;
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

impl<'a, T: Into<Param<'a>> + HasParamType> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null(T::PARAM_TYPE), Into::into)
    }
}

/// A value of a row, in the form that both engines have: a boolean is a number, an id its 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// A Rust type that a value can be read as.
pub(crate) trait FromValue: Sized {
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Int(value) = value { Some(value) } else { None }
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).map(|value| value != 0)
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes.to_vec()) } else { None }
    }
}

impl FromValue for Uuid {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Self::from_slice(bytes).ok() } else { None }
    }
}

impl FromValue for Timestamp {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).map(Self::from_micros)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// Binds an id as its UUID, and reads it from one.
macro_rules! ids {
    ($($id:ident),+) => {$(
        impl From<tenantry_core::ids::$id> for Param<'_> {
            fn from(value: tenantry_core::ids::$id) -> Self {
                Self::Id(value.uuid())
            }
        }

        impl HasParamType for tenantry_core::ids::$id {
            const PARAM_TYPE: ParamType = ParamType::Id;
        }

        impl FromValue for tenantry_core::ids::$id {
            fn from_value(value: Value<'_>) -> Option<Self> {
                Uuid::from_value(value).map(Self::new)
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
    PasskeyId,
    AuditId,
    WebhookEndpointId,
    WebhookEventId,
    WebhookDeliveryId,
    SessionId,
    EmailUpdateId,
    ImportId,
    InvitationId,
    MailId
);
