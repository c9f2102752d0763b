//! Entries of the audit log. Every change appends one: actor, action, the changed row before and after, and the
//! request that caused it.
//!
//! Invariant: an entry is appended in the transaction of the change it describes. It is never changed, except
//! that anonymizing a customer replaces personal data in its images.

use std::net::IpAddr;

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

    /// The actor of this kind and id, as stored. The token of a user is not stored, so it is the nil id.
    #[must_use]
    pub fn from_stored(kind: &str, id: Option<Uuid>) -> Option<Self> {
        Some(match (kind, id) {
            ("access_token", Some(id)) => Self::Token(TokenId::new(id)),
            ("user", Some(id)) => Self::User(UserId::new(id), UserTokenId::new(Uuid::nil())),
            ("customer", Some(id)) => Self::Customer(CustomerId::new(id)),
            ("member", Some(id)) => Self::Member(MemberId::new(id)),
            ("operator", None) => Self::Operator,
            ("system", None) => Self::System,
            _ => return None,
        })
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

/// Bytes of a user agent that an entry keeps.
pub const USER_AGENT_BYTES: usize = 200;

/// The program that sent a request, as far as it is known. It is personal data.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// Its address.
    pub address: Option<IpAddr>,
    /// Its `User-Agent`, cut to [`USER_AGENT_BYTES`].
    pub user_agent: Option<String>,
}

impl Client {
    /// A client with this address and `User-Agent`. Control characters are left out.
    #[must_use]
    pub fn new(address: Option<IpAddr>, user_agent: Option<&str>) -> Self {
        let mut kept = String::new();
        for letter in user_agent.unwrap_or_default().chars().filter(|letter| !letter.is_control()) {
            if kept.len() + letter.len_utf8() > USER_AGENT_BYTES {
                break;
            }
            kept.push(letter);
        }
        Self { address, user_agent: Some(kept).filter(|kept| !kept.is_empty()) }
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
    /// Id of the token or session with which the actor proved to be itself; none for the command line and the server.
    pub credential: Option<Uuid>,
    /// The client that sent the request.
    pub client: Client,
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
    fn a_stored_actor_is_read_back() {
        let id = Uuid::from_u128(1);
        let actors = [
            Actor::Token(TokenId::new(id)),
            Actor::User(UserId::new(id), UserTokenId::new(Uuid::nil())),
            Actor::Customer(CustomerId::new(id)),
            Actor::Member(MemberId::new(id)),
            Actor::Operator,
            Actor::System,
        ];
        for actor in actors {
            assert_eq!(Actor::from_stored(actor.kind(), actor.id()), Some(actor));
        }
        assert_eq!(Actor::from_stored("operator", Some(id)), None);
        assert_eq!(Actor::from_stored("user", None), None);
    }

    #[test]
    fn a_user_agent_is_cut_between_two_characters() {
        let kept = |text: &str| Client::new(None, Some(text)).user_agent;
        assert_eq!(kept("curl/8\r\n\t.1").as_deref(), Some("curl/8.1"));
        assert_eq!(kept("\n"), None);
        assert_eq!(Client::new(None, None), Client::default());
        let long = format!("{}\u{e9}\u{e9}", "a".repeat(USER_AGENT_BYTES - 1));
        assert_eq!(kept(&long), Some("a".repeat(USER_AGENT_BYTES - 1)));
        assert_eq!(kept(&"\u{e9}".repeat(USER_AGENT_BYTES)).map(|kept| kept.len()), Some(USER_AGENT_BYTES));
    }

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
