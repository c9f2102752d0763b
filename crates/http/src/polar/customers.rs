//! Customers (docs/contracts/polar/customers.md, 5).

use std::borrow::Cow;
use std::fmt::Write;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tenantry_app::TeamPermission;
use tenantry_app::customers::{CustomerCreate, CustomerDelete, CustomerUpdate};
use tenantry_app::members::CustomerName;
use tenantry_core::customer::{self, CustomerChange, CustomerKind, NewCustomer, NewOwner};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::values::{Address, EmailAddress, Metadata, TaxId, email_key, one_of};
use tenantry_core::{Patch, Timestamp};
use tenantry_store::{CustomerFilter, CustomerKey, Paged};

use super::error::ErrorResponse;
use super::inputs::{AddressObject, ExternalIdText, LocaleText, MetadataObject, NameText, TaxIdText};
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::{At, Email, Field, Given, Three, Uuid4, Wire, name_list, object_of, wire_object};

const KINDS: &[&str] = &["individual", "team"];

name_list! {
    /// A kind of customer.
    KindName(CustomerKind) as "enum" of KINDS, by CustomerKind::from_name
}

wire_object! {
    /// The person who will own a new customer.
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
        /// The customer's id in your system, unique within the organization; written once.
        external_id: Option<ExternalIdText>,
        /// The customer's name.
        name: Option<NameText>,
        /// Address on invoices.
        billing_address: Option<AddressObject>,
        /// Tax number, checked by the country of the billing address.
        tax_id: Option<TaxIdText>,
        /// Language.
        locale: Option<LocaleText>,
        /// Your own notes.
        metadata: Given<MetadataObject>,
        /// The organization; for tokens of a person alone.
        organization_id: Option<Uuid4>,
        /// The owner, where it is not the customer.
        owner: Option<OwnerCreate>,
    }
}

wire_object! {
    /// A new customer that is several people.
    #[schemars(transform = |schema: &mut Schema| tag(schema, "team", true))]
    TeamCreate {
        /// The customer's address, unique within the organization; without one, `owner` is needed.
        email: Option<Email>,
        /// The customer's id in your system, unique within the organization; written once.
        external_id: Option<ExternalIdText>,
        /// The customer's name.
        name: Option<NameText>,
        /// Address on invoices.
        billing_address: Option<AddressObject>,
        /// Tax number, checked by the country of the billing address.
        tax_id: Option<TaxIdText>,
        /// Language.
        locale: Option<LocaleText>,
        /// Your own notes.
        metadata: Given<MetadataObject>,
        /// The organization; for tokens of a person alone.
        organization_id: Option<Uuid4>,
        /// The owner, where it is not the customer.
        owner: Option<OwnerCreate>,
    }
}

/// Documents the field that says which kind of customer it is; it is read before the others.
fn tag(schema: &mut Schema, kind: &str, needed: bool) {
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert("type".to_owned(), json!({"type": "string", "const": kind}));
    }
    if needed {
        schema.insert("required".to_owned(), json!(["type"]));
    }
}

/// A new customer: `type` says which of the two it is, and is `individual` when absent.
#[derive(Debug, Clone, JsonSchema)]
#[serde(untagged)]
pub(crate) enum CustomerCreateBody {
    /// One person.
    Individual(IndividualCreate),
    /// Several people.
    Team(TeamCreate),
}

impl Wire for CustomerCreateBody {
    fn read(value: &Value, at: &mut At) -> Option<Self> {
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
                let tag = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                let expected = one_of(KINDS);
                let msg =
                    format!("Input tag '{tag}' found using 'type' is none of the expected tags: {expected}");
                let ctx = json!({"discriminator": "'type'", "tag": tag, "expected_tags": expected});
                at.violate("union_tag_invalid", msg, value, Some(ctx));
                None
            }
        }
    }
}

impl CustomerCreateBody {
    fn split(self) -> (Option<OrganizationId>, NewCustomer) {
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
    /// A partial update of a customer; an absent field stays as it is.
    CustomerUpdateBody {
        /// New address; `null` leaves it.
        email: Three<Email>,
        /// New name.
        name: Three<NameText>,
        /// New address on invoices; cannot be removed.
        billing_address: Three<AddressObject>,
        /// New tax number.
        tax_id: Three<TaxIdText>,
        /// New language.
        locale: Three<LocaleText>,
        /// New notes, in place of all of the old.
        metadata: Given<MetadataObject>,
        /// The customer's id in your system; can be set once.
        external_id: Three<ExternalIdText>,
        /// New kind: `team` alone.
        #[serde(rename = "type")]
        kind: KindPatch,
    }
}

/// The field `type` of an update.
#[derive(Debug, Clone)]
pub(crate) struct KindPatch(Three<KindName>);

impl JsonSchema for KindPatch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Three::<KindName>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Three::<KindName>::json_schema(generator)
    }

    fn _schemars_private_is_option() -> bool {
        true
    }
}

impl Field for KindPatch {
    fn read_field(object: &serde_json::Map<String, Value>, _: &'static str, at: &mut At) -> Option<Self> {
        Three::read_field(object, "type", at).map(Self)
    }
}

impl CustomerUpdateBody {
    fn change(self) -> CustomerChange {
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
#[schemars(rename = "Customer", transform = crate::openapi::always_whole)]
pub(crate) struct CustomerView<'a> {
    /// The customer's id.
    #[schemars(with = "Uuid4")]
    id: CustomerId,
    /// When the customer was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the customer last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// Your own notes.
    #[schemars(with = "MetadataObject")]
    metadata: &'a Metadata,
    /// The customer's id in your system.
    external_id: Option<&'a str>,
    /// The customer's address.
    email: Option<&'a str>,
    /// Whether the customer has shown that they read mail there.
    email_verified: bool,
    /// One person or several.
    #[serde(rename = "type")]
    #[schemars(with = "KindName")]
    kind: &'static str,
    /// The customer's name.
    name: Option<&'a str>,
    /// The name on invoices.
    billing_name: Option<&'a str>,
    /// The address on invoices.
    #[schemars(with = "Option<AddressObject>")]
    billing_address: Option<&'a Address>,
    /// The tax number and its format.
    #[schemars(with = "Option<(String, String)>")]
    tax_id: Option<&'a TaxId>,
    /// Language.
    locale: Option<&'a str>,
    /// The organization.
    #[schemars(with = "Uuid4")]
    organization_id: OrganizationId,
    /// Always `null`: Tenantry holds no payments.
    #[schemars(with = "Option<Uuid4>")]
    default_payment_method_id: (),
    /// When the customer was deleted; set in webhooks alone.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    deleted_at: Option<Timestamp>,
    /// Always `null`: Tenantry holds no usage events.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    first_user_event_at: (),
    /// Picture, by the address of the customer or its owner.
    avatar_url: Option<String>,
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

/// The picture that stands for an address: SHA-256 of its lower-case form.
fn avatar_url(email: &EmailAddress) -> String {
    let digest = Sha256::digest(email.as_str().to_lowercase().as_bytes());
    let mut url = String::from("https://www.gravatar.com/avatar/");
    for byte in digest {
        // Writing to a string cannot fail.
        let _ = write!(url, "{byte:02x}");
    }
    url.push_str("?d=404");
    url
}

/// How the path names a customer.
pub(super) fn named(call: &Call) -> Result<CustomerName, ErrorResponse> {
    if call.params.iter().any(|(key, _)| key == "external_id") {
        return Ok(CustomerName::External(call.param("external_id").to_owned()));
    }
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    Ok(CustomerName::Id(CustomerId::new(input.finish(id)?.0)))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body::<CustomerCreateBody>();
    let (organization, new) = input.finish(body)?.split();
    let operation = CustomerCreate { by: call.by(), organization, new };
    let created = |customer: &customer::Customer| written(StatusCode::CREATED, &CustomerView::from(customer));
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let name = named(&call)?;
    let customer = call.app.customer(&call.by(), &name).await?;
    Ok(call::json(StatusCode::OK, &CustomerView::from(&customer)))
}

/// The parameters `metadata[key]=value`: values of one key are alternatives.
fn metadata_filter(call: &Call) -> Vec<(String, Vec<String>)> {
    let mut filter: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in &call.query {
        let key = name.strip_prefix("metadata[").and_then(|rest| rest.split_once(']'));
        let Some((key, _)) = key else { continue };
        match filter.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.clone()),
            None => filter.push((key.to_owned(), vec![value.clone()])),
        }
    }
    filter
}

/// The organizations whose customers the caller may see; with `wanted`, of these alone.
pub(super) fn readable(call: &Call, wanted: &[Uuid4]) -> Vec<OrganizationId> {
    let visible =
        |id: &OrganizationId| wanted.is_empty() || wanted.iter().any(|wanted| wanted.0 == id.uuid());
    call.by().organizations_with(TeamPermission::ReadCustomers).filter(visible).collect()
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, CustomerKey)] =
        &[("created_at", CustomerKey::CreatedAt), ("email", CustomerKey::Email), ("name", CustomerKey::Name)];
    let mut input = call.input();
    let wanted = input.query_each::<Uuid4>("organization_id");
    let active = input.query::<bool>("active");
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let (((wanted, active), page), order) = input.finish(wanted.zip(active).zip(page).zip(order))?;
    // Nobody has a subscription here: no customer is active, and every one is inactive.
    if active == Some(true) {
        return Ok(page::answer(&Paged { items: Vec::new(), total: 0 }, page, CustomerView::from));
    }
    let filter = CustomerFilter {
        organizations: readable(&call, &wanted),
        email_key: call.last("email").map(email_key),
        query: call.last("query").filter(|query| !query.is_empty()).map(str::to_owned),
        metadata: metadata_filter(&call),
        order,
    };
    let customers = call.app.customers(&filter, page).await?;
    Ok(page::answer(&customers, page, CustomerView::from))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let by_id = call.params.iter().any(|(key, _)| key == "id");
    let id = if by_id { input.path::<Uuid4>("id").map(Some) } else { Some(None) };
    let body = input.body::<CustomerUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let mut change = body.change();
    let customer = match id {
        Some(id) => CustomerName::Id(CustomerId::new(id.0)),
        None => {
            // By external id, neither it nor the kind can be changed.
            change.external_id = Patch::Absent;
            change.kind = Patch::Absent;
            CustomerName::External(call.param("external_id").to_owned())
        }
    };
    let customer = call.app.write(CustomerUpdate { by: call.by(), customer, change }).await?;
    Ok(call::json(StatusCode::OK, &CustomerView::from(&customer)))
}

pub(super) async fn delete(call: Call) -> Result<Response, ErrorResponse> {
    let customer = named(&call)?;
    let mut input = call.input();
    let anonymize = input.query::<bool>("anonymize");
    let anonymize = input.finish(anonymize)?.unwrap_or(false);
    call.app.write(CustomerDelete { by: call.by(), customer, anonymize }).await?;
    Ok(call::empty(StatusCode::NO_CONTENT))
}
