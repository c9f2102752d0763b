//! Wire types of customers.

use crate::polar::values::{AddressObject, ExternalIdText, LocaleText, MetadataObject, NameText, TaxIdText};
use crate::wire::{
    Email, Field, Optional, PatchField, Uuid4, Validation, Wire, name_list, object_of, wire_object,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write;
use tenantry_core::customer::{self, CustomerChange, CustomerKind, NewCustomer, NewOwner};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::values::{Address, EmailAddress, Metadata, TaxId};
use tenantry_core::{Patch, Timestamp};

pub(super) const KINDS: &[&str] = &["individual", "team"];

name_list! {
    /// A kind of customer.
    KindName(CustomerKind) as "enum" of KINDS, by CustomerKind::from_name
}

wire_object! {
    /// The owner of a new customer.
    OwnerCreate {
        /// The owner's address.
        email: Email,
        /// The owner's name.
        name: Option<NameText>,
        /// The owner's id in your system.
        external_id: Option<ExternalIdText>,
    }
}

wire_object! {
    /// A new customer that is one person.
    #[schemars(transform = |schema: &mut Schema| tag(schema, "individual", false))]
    IndividualCreate {
        /// The customer's address, unique within the organization.
        email: Email,
        /// The customer's id in your system, unique within the organization. It can be set once.
        external_id: Option<ExternalIdText>,
        /// The customer's name.
        name: Option<NameText>,
        /// Address on invoices.
        billing_address: Option<AddressObject>,
        /// Tax number, checked by the country of the billing address.
        tax_id: Option<TaxIdText>,
        /// Language.
        locale: Option<LocaleText>,
        /// Your own metadata.
        metadata: Optional<MetadataObject>,
        /// The organization. Only for tokens of users.
        organization_id: Option<Uuid4>,
        /// The owner, if it differs from the customer.
        owner: Option<OwnerCreate>,
    }
}

wire_object! {
    /// A new customer that is several people.
    #[schemars(transform = |schema: &mut Schema| tag(schema, "team", true))]
    TeamCreate {
        /// The customer's address, unique within the organization. Without it, `owner` is needed.
        email: Option<Email>,
        /// The customer's id in your system, unique within the organization. It can be set once.
        external_id: Option<ExternalIdText>,
        /// The customer's name.
        name: Option<NameText>,
        /// Address on invoices.
        billing_address: Option<AddressObject>,
        /// Tax number, checked by the country of the billing address.
        tax_id: Option<TaxIdText>,
        /// Language.
        locale: Option<LocaleText>,
        /// Your own metadata.
        metadata: Optional<MetadataObject>,
        /// The organization. Only for tokens of users.
        organization_id: Option<Uuid4>,
        /// The owner, if it differs from the customer.
        owner: Option<OwnerCreate>,
    }
}

/// Documents the field that names the kind of a customer. It is read before the other fields.
pub(super) fn tag(schema: &mut Schema, kind: &str, needed: bool) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".to_owned(), json!({"type": "string", "const": kind}));
    }
    if needed {
        schema.insert("required".to_owned(), json!(["type"]));
    }
}

/// A new customer. `type` names its kind, which is `individual` when absent.
#[derive(Debug, Clone, JsonSchema)]
#[serde(untagged)]
pub(crate) enum CustomerCreateBody {
    /// One person.
    Individual(IndividualCreate),
    /// Several people.
    Team(TeamCreate),
}

impl Wire for CustomerCreateBody {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        match object_of(value, at)?.get("type") {
            None => at.within("individual", |at| IndividualCreate::read(value, at)).map(Self::Individual),
            Some(Value::String(kind)) if kind == "individual" => {
                at.within("individual", |at| IndividualCreate::read(value, at)).map(Self::Individual)
            }
            Some(Value::String(kind)) if kind == "team" => {
                let team = at.within("team", |at| TeamCreate::read(value, at))?;
                if team.email.is_none() && team.owner.is_none() {
                    let msg = "Value error, a team customer without an email needs an owner with one";
                    at.within("team", |at| at.violate("value_error", msg, value, Some(json!({"error": {}}))));
                }
                Some(Self::Team(team))
            }
            Some(other) => {
                at.unknown_tag(other, KINDS, value);
                None
            }
        }
    }
}

impl CustomerCreateBody {
    pub(in crate::polar) fn split(self) -> (Option<OrganizationId>, NewCustomer) {
        let team = match self {
            Self::Team(team) => (CustomerKind::Team, team),
            Self::Individual(individual) => {
                let IndividualCreate {
                    email,
                    external_id,
                    name,
                    billing_address,
                    tax_id,
                    locale,
                    metadata,
                    organization_id,
                    owner,
                } = individual;
                let email = Some(email);
                let team = TeamCreate {
                    email,
                    external_id,
                    name,
                    billing_address,
                    tax_id,
                    locale,
                    metadata,
                    organization_id,
                    owner,
                };
                (CustomerKind::Individual, team)
            }
        };
        let (kind, new) = team;
        let customer = NewCustomer {
            kind,
            email: new.email.map(|email| email.0),
            name: new.name.and_then(|name| name.0),
            external_id: new.external_id.and_then(|id| id.0),
            metadata: new.metadata.0.map(|metadata| metadata.0).unwrap_or_default(),
            billing_address: new.billing_address.map(|address| address.0),
            tax_id: new.tax_id.and_then(|typed| typed.0),
            locale: new.locale.map(|locale| locale.0),
            owner: new.owner.map(|owner| NewOwner {
                email: owner.email.0,
                name: owner.name.and_then(|name| name.0),
                external_id: owner.external_id.and_then(|id| id.0),
            }),
        };
        (new.organization_id.map(|id| OrganizationId::new(id.0)), customer)
    }
}

wire_object! {
    /// A partial update of a customer. An absent field keeps its value.
    CustomerUpdateBody {
        /// New address; `null` keeps the old one.
        email: PatchField<Email>,
        /// New name.
        name: PatchField<NameText>,
        /// New address on invoices. It cannot be removed.
        billing_address: PatchField<AddressObject>,
        /// New tax number.
        tax_id: PatchField<TaxIdText>,
        /// New language.
        locale: PatchField<LocaleText>,
        /// New metadata. It replaces the old metadata as a whole.
        metadata: Optional<MetadataObject>,
        /// The customer's id in your system; can be set once.
        external_id: PatchField<ExternalIdText>,
        /// New kind. Only `team` is accepted.
        #[serde(rename = "type")]
        kind: KindPatch,
    }
}

/// The field `type` of an update.
#[derive(Debug, Clone)]
pub(crate) struct KindPatch(pub(super) PatchField<KindName>);

impl JsonSchema for KindPatch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        PatchField::<KindName>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        PatchField::<KindName>::json_schema(generator)
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}

impl Field for KindPatch {
    fn read_field(
        object: &serde_json::Map<String, Value>,
        _: &'static str,
        at: &mut Validation,
    ) -> Option<Self> {
        PatchField::read_field(object, "type", at).map(Self)
    }
}

impl CustomerUpdateBody {
    pub(in crate::polar) fn change(self) -> CustomerChange {
        let Self { email, name, billing_address, tax_id, locale, metadata, external_id, kind } = self;
        CustomerChange {
            email: email.0.map(|email| email.0),
            name: name.0.map(|name| name.0).flatten(),
            billing_address: billing_address.0.map(|address| address.0),
            tax_id: tax_id.0.map(|typed| typed.0).flatten(),
            locale: locale.0.map(|locale| locale.0),
            metadata: metadata.0.map(|metadata| metadata.0),
            external_id: external_id.0.map(|id| id.0).flatten(),
            kind: kind.0.0.map(|kind| kind.0),
            billing_name: Patch::Absent,
        }
    }
}

/// A customer.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Customer", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct CustomerView<'a> {
    /// The customer's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: CustomerId,
    /// When the customer was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When the customer last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// Your own metadata.
    #[schemars(with = "MetadataObject")]
    pub(super) metadata: &'a Metadata,
    /// The customer's id in your system.
    pub(super) external_id: Option<&'a str>,
    /// The customer's address.
    pub(super) email: Option<&'a str>,
    /// Whether the customer has verified this address.
    pub(super) email_verified: bool,
    /// One person or several.
    #[serde(rename = "type")]
    #[schemars(with = "KindName")]
    pub(super) kind: &'static str,
    /// The customer's name.
    pub(super) name: Option<&'a str>,
    /// The name on invoices.
    pub(super) billing_name: Option<&'a str>,
    /// The address on invoices.
    #[schemars(with = "Option<AddressObject>")]
    pub(super) billing_address: Option<&'a Address>,
    /// The tax number and its format.
    #[schemars(with = "Option<(String, String)>")]
    pub(super) tax_id: Option<&'a TaxId>,
    /// Language.
    pub(super) locale: Option<&'a str>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    pub(super) organization_id: OrganizationId,
    /// Always `null`: Tenantry holds no payments.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) default_payment_method_id: (),
    /// When the customer was deleted. Set in webhooks only.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) deleted_at: Option<Timestamp>,
    /// Always `null`: Tenantry holds no usage events.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) first_user_event_at: (),
    /// Picture for the address of the customer or its owner.
    pub(super) avatar_url: Option<String>,
}

impl<'a> From<&'a customer::Customer> for CustomerView<'a> {
    fn from(customer: &'a customer::Customer) -> Self {
        let name = customer.name.as_ref().map(|name| name.as_str());
        Self {
            id: customer.id,
            created_at: customer.created_at,
            modified_at: customer.modified_at,
            metadata: &customer.metadata,
            external_id: customer.external_id.as_ref().map(|id| id.as_str()),
            email: customer.email.as_ref().map(EmailAddress::as_str),
            email_verified: customer.email_verified,
            kind: customer.kind.as_str(),
            name,
            billing_name: customer.billing_name.as_ref().map(|name| name.as_str()).or(name),
            billing_address: customer.billing_address.as_ref(),
            tax_id: customer.tax_id.as_ref(),
            locale: customer.locale.as_ref().map(|locale| locale.as_str()),
            organization_id: customer.organization,
            default_payment_method_id: (),
            deleted_at: customer.deleted_at,
            first_user_event_at: (),
            avatar_url: customer.contact().map(avatar_url),
        }
    }
}

/// The picture of an address. Its name is the SHA-256 of the address in lower case.
pub(super) fn avatar_url(email: &EmailAddress) -> String {
    let digest = Sha256::digest(email.as_str().to_lowercase().as_bytes());
    let mut url = String::from("https://www.gravatar.com/avatar/");
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(url, "{byte:02x}");
    }
    url.push_str("?d=404");
    url
}
