//! Entries of the audit log. Every change appends one: actor, action, the changed row before and after, and the
//! request that caused it.
//!
//! Invariant: an entry is appended in the transaction of the change it describes. It is never changed, except
//! that anonymizing a customer replaces personal data in its images.

use serde::Serialize;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Timestamp;
use crate::customer::AnonymousIdentity;
use crate::ids::{AuditId, CustomerId, MemberId, OrganizationId, TokenId, UserId, UserTokenId};

/// The party that made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// An access token of an organization.
    Token(TokenId),
    /// A user, authenticated by one of their personal tokens.
    User(UserId, UserTokenId),
    /// A customer, in the portal.
    Customer(CustomerId),
    /// A member of a customer, in the portal.
    Member(MemberId),
    /// The operator, at the command line.
    Operator,
    /// The server itself, for example the first start or the sweep of expired rows.
    System,
}

impl Actor {
    /// Name of the actor's kind in storage.
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

    /// Id of the actor; the operator and the server have none.
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

/// One entry of the audit log (table `audit_entries`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Id of the entry.
    pub id: AuditId,
    /// The organization whose data changed.
    pub organization: OrganizationId,
    /// Time of the change.
    pub at: Timestamp,
    /// The party that made the change.
    pub actor: Actor,
    /// The action, as noun and past participle: `member.created`.
    pub action: &'static str,
    /// Id of the changed row.
    pub subject: Uuid,
    /// The row before the change, as JSON without secrets; none for a creation.
    pub before: Option<String>,
    /// The row after the change, as JSON without secrets; none for a deletion.
    pub after: Option<String>,
    /// Id of the HTTP request that caused the change; none for the command line and the server itself.
    pub request_id: Option<String>,
}

/// The JSON image of a row for the audit log. Types that hold secrets omit them when serialized.
///
/// # Errors
/// When the row cannot be serialized as JSON.
pub fn image<T: Serialize>(row: &T) -> Result<String, serde_json::Error> {
    serde_json::to_string(row)
}

/// The image of a customer or a member without personal data. Address and names are replaced by those of
/// `identity`, as in the anonymized row itself. The name of a customer with a tax number stays: it is the name
/// of a company, which the organization's books must keep.
///
/// # Errors
/// When the image is not a JSON object.
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
    fn an_anonymized_image_holds_no_personal_data() {
        let identity =
            AnonymousIdentity::generate(&mut ExecutionContext::new(Timestamp::from_micros(1), [3; 32]));
        let image = r#"{"id":"x","email":"ada@example.com","name":"Ada","owner_email":"ada@home.example","billing_name":"Ada L",
            "billing_address":{"line1":"1 Street"},"external_id":"a-1","tax_id":null}"#;
        let text = anonymize_image(image, &identity).unwrap();
        for personal in ["ada", "Ada", "Street"] {
            assert!(!text.contains(personal), "{text}");
        }
        assert!(text.contains("a-1") && text.contains("@anonymized.invalid"), "{text}");
        let company =
            anonymize_image(r#"{"email":null,"name":"Acme","tax_id":["FR1","eu_vat"]}"#, &identity).unwrap();
        assert_eq!(company, r#"{"email":null,"name":"Acme","tax_id":["FR1","eu_vat"]}"#);
    }
}
