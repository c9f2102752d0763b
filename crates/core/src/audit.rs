//! What is written down of every change: who, what, to what, before and after, in which request.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::customer::AnonymousIdentity;
use crate::ids::{AuditId, CustomerId, MemberId, OrganizationId, TokenId, UserId, UserTokenId};

/// Who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An access token of an organization.
    Token(TokenId),
    /// A person, by one of their own tokens.
    User(UserId, UserTokenId),
    /// A customer, in the portal.
    Customer(CustomerId),
    /// A member of a customer, in the portal.
    Member(MemberId),
    /// The operator, at the command line.
    Operator,
    /// The server itself: the first start, expiry, clean-up.
    System,
}

impl Actor {
    /// The kind of actor, as stored.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Token(_) => "access_token",
            Self::User(..) => "user",
            Self::Customer(_) => "customer",
            Self::Member(_) => "member",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The actor's id, where it has one.
    #[must_use]
    pub const fn id(self) -> Option<Uuid> {
        match self {
            Self::Token(id) => Some(id.uuid()),
            Self::User(id, _) => Some(id.uuid()),
            Self::Customer(id) => Some(id.uuid()),
            Self::Member(id) => Some(id.uuid()),
            Self::Operator | Self::System => None,
        }
    }
}

/// One entry of the audit log, as appended in the transaction of the change it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its own id.
    pub id: AuditId,
    /// The organization whose data changed.
    pub organization: OrganizationId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What was done, as `noun.verb` in the past: `member.created`.
    pub action: &'static str,
    /// The row that changed.
    pub subject: Uuid,
    /// The row before, as JSON without secrets; nothing for a creation.
    pub before: Option<String>,
    /// The row after, as JSON without secrets; nothing for a deletion.
    pub after: Option<String>,
    /// The request that asked for it.
    pub request_id: Option<String>,
}

/// A row as the audit log shows it. Types that hold secrets leave them out of their `Serialize`.
///
/// # Errors
/// When the row cannot be written as JSON.
pub fn image<T: Serialize>(row: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(row)
}

/// The image of a customer or a member that no longer says who it was: what names a person is replaced as
/// in the row itself. The name of a customer with a tax number is a company's and stays.
///
/// # Errors
/// When the image is no JSON object.
pub fn anonymize_image(image: &str, identity: &AnonymousIdentity) -> Result<String, serde_json::Error> {
    let mut image: Map<String, Value> = serde_json::from_str(image)?;
    let is_company = image.get("tax_id").is_some_and(|tax_id| !tax_id.is_null());
    let name = identity.name().map_or(Value::Null, |name| Value::from(name.as_str()));
    for (key, value) in image.iter_mut().filter(|(_, value)| !value.is_null()) {
        match key.as_str() {
            "email" => *value = Value::from(identity.email().as_str()),
            "name" if !is_company => *value = name.clone(),
            "billing_name" => *value = name.clone(),
            "billing_address" | "owner_email" => *value = Value::Null,
            _ => {}
        }
    }
    serde_json::to_string(&image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ExecutionContext;

    #[test]
    fn a_scrubbed_image_names_nobody() {
        let identity =
            AnonymousIdentity::generate(&mut ExecutionContext::new(Timestamp::from_micros(1), [3; 32]));
        let image = r#"{"id":"x","email":"ada@example.com","name":"Ada","owner_email":"ada@home.example","billing_name":"Ada L",
            "billing_address":{"line1":"1 Street"},"external_id":"a-1","tax_id":null}"#;
        let text = anonymize_image(image, &identity).unwrap();
        for gone in ["ada", "Ada", "Street"] {
            assert!(!text.contains(gone), "{text}");
        }
        assert!(text.contains("a-1") && text.contains("@anonymized.invalid"), "{text}");
        let company =
            anonymize_image(r#"{"email":null,"name":"Acme","tax_id":["FR1","eu_vat"]}"#, &identity).unwrap();
        assert_eq!(company, r#"{"email":null,"name":"Acme","tax_id":["FR1","eu_vat"]}"#);
    }
}
