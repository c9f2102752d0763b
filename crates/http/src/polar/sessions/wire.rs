//! Wire types of customer sessions.

use crate::polar::customers::wire::CustomerView;
use crate::wire::{Field, HttpUrlText, PlainText, Uuid4, Validation, Wire, inline_schema, object_of};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};
use tenantry_app::members::CustomerRef;
use tenantry_app::sessions::SessionCreated;
use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId, SessionId};
use tenantry_core::portal::MemberSelector;
use tenantry_core::values::HttpUrl;

/// A session to create, for a customer or for one of its members.
#[derive(Debug, Clone)]
pub(crate) struct SessionCreateBody {
    pub(super) customer: CustomerRef,
    pub(super) member: Option<MemberSelector>,
    pub(super) return_url: Option<HttpUrl>,
}

inline_schema! {
    SessionCreateBody => {
        "type": "object",
        "anyOf": [{"required": ["customer_id"]}, {"required": ["external_customer_id"]}],
        "properties": {
            "customer_id": {"type": "string", "format": "uuid4", "description": "The customer."},
            "external_customer_id": {
                "type": "string",
                "description": "The customer, by its id in your system. `customer_external_id` is another name of this field."
            },
            "member_id": {
                "type": ["string", "null"],
                "format": "uuid4",
                "description": "The member of the session. Required for a team customer."
            },
            "external_member_id": {
                "type": ["string", "null"],
                "description": "The member, by its id in your system."
            },
            "return_url": {
                "type": ["string", "null"],
                "format": "uri",
                "maxLength": 2083,
                "description": "Target of the portal's back link."
            }
        }
    }
}

impl Wire for SessionCreateBody {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        let customer = customer(object, at);
        let member_id = <Option<Uuid4>>::read_field(object, "member_id", at);
        let external = <Option<PlainText>>::read_field(object, "external_member_id", at);
        let return_url = <Option<HttpUrlText>>::read_field(object, "return_url", at);
        let member_id = member_id?.map(|id| MemberSelector::Id(MemberId::new(id.0)));
        Some(Self {
            customer: customer?,
            member: member_id.or(external?.map(MemberSelector::External)),
            return_url: return_url?.map(|url| url.0),
        })
    }
}

/// The customer, by the first valid id. `customer_id` takes precedence.
pub(super) fn customer(object: &Map<String, Value>, at: &mut Validation) -> Option<CustomerRef> {
    const ID: &str = "customer_id";
    const EXTERNAL: &str = "external_customer_id";
    let given = |name: &str| object.get(name).filter(|value| !value.is_null());
    let by_id = |value: &Value, at: &mut Validation| {
        at.within(ID, |at| Uuid4::read(value, at)).map(|id| CustomerRef::Id(CustomerId::new(id.0)))
    };
    let by_external = |value: &Value, at: &mut Validation| {
        at.within(EXTERNAL, |at| PlainText::read(value, at)).map(CustomerRef::External)
    };
    match (given(ID), given(EXTERNAL).or_else(|| given("customer_external_id"))) {
        (Some(id), None) => by_id(id, at),
        (None, Some(external)) => by_external(external, at),
        (Some(id), Some(external)) => {
            let mut unheard = Validation::default();
            let found = by_id(id, &mut unheard).or_else(|| by_external(external, &mut unheard));
            found.or_else(|| by_id(id, at))
        }
        (None, None) => {
            let enclosing = Value::Object(object.clone());
            at.within(ID, |at| at.missing(&enclosing));
            at.within(EXTERNAL, |at| at.missing(&enclosing));
            None
        }
    }
}

/// A customer session with its token, which no other response contains.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerSession", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct CustomerSessionView<'a> {
    /// When the session began.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// Always `null`: a session does not change.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: (),
    /// The session's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: SessionId,
    /// The bearer token of the session.
    pub(super) token: &'a str,
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) expires_at: Timestamp,
    /// Target of the portal's back link.
    pub(super) return_url: Option<&'a str>,
    /// The portal, opened with this session.
    pub(super) customer_portal_url: String,
    /// The customer.
    #[schemars(with = "Uuid4")]
    pub(super) customer_id: CustomerId,
    /// The customer.
    pub(super) customer: CustomerView<'a>,
}

impl<'a> CustomerSessionView<'a> {
    pub(super) fn new(created: &'a SessionCreated, portal_url: &str) -> Self {
        let SessionCreated { session, secret, customer, .. } = created;
        Self {
            created_at: session.created_at,
            modified_at: (),
            id: session.id,
            token: secret.expose(),
            expires_at: session.expires_at,
            return_url: session.return_url.as_ref().map(HttpUrl::as_str),
            customer_portal_url: page_url(created, portal_url),
            customer_id: customer.id,
            customer: CustomerView::from(customer),
        }
    }
}

/// The URL of the portal with the session's token, and with the e-mail address of the customer or member.
pub(super) fn page_url(created: &SessionCreated, portal_url: &str) -> String {
    let SessionCreated { secret, slug, email, .. } = created;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("customer_session_token", secret.expose());
    if let Some(email) = email {
        query.append_pair("email", email.as_str());
    }
    format!("{}/{slug}/portal?{}", portal_url.trim_end_matches('/'), query.finish())
}
