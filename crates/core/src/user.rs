//! Users: people who administer organizations. One person is one user in all organizations.

use serde::Serialize;

use crate::Timestamp;
use crate::ids::UserId;
use crate::values::{EmailAddress, PersonName};

/// A person who administers organizations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// When the user was created: at the first use of the address.
    pub created_at: Timestamp,
    /// E-mail address. Its key ([`EmailAddress::key`]) identifies the user.
    pub email: EmailAddress,
    /// Display name, once the person has proved the address. Organizations name their members themselves.
    pub name: Option<PersonName>,
}

/// A refused change of a user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    /// No user has this id or address.
    #[error("user not found")]
    NotFound,
    /// Another user has the new address.
    #[error("another user has this address")]
    AddressTaken,
    /// The user owns the organizations with these slugs.
    #[error(
        "the user owns {}: make another person the owner with `tenantry organization transfer` first",
        .0.join(", ")
    )]
    OwnsOrganizations(Vec<String>),
}
