//! People. A user is one person across all organizations, found by e-mail.

use serde::Serialize;

use crate::Timestamp;
use crate::ids::UserId;
use crate::values::{EmailAddress, PersonName};

/// A person who runs organizations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// When the person was first seen.
    pub created_at: Timestamp,
    /// Address; its key is unique.
    pub email: EmailAddress,
    /// Display name.
    pub name: Option<PersonName>,
}
