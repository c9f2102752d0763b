//! The portal for customers themselves: who they are, what invoices need, their session, and the public
//! page of the organization (docs/contracts/polar/portal.md, 8.1, 8.2, 8.4, 8.7).

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::portal::BillingUpdate;
use tenantry_core::customer::{Customer, CustomerChange};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::organization::{CustomerPortalSettings, Organization, ProrationBehavior};
use tenantry_core::portal::PortalError;
use tenantry_core::values::{Address, EmailAddress, HttpUrl, TaxId};
use tenantry_core::{Patch, Timestamp};
use tenantry_store::Paged;

use super::error::ErrorResponse;
use super::inputs::{AddressObject, NameText, TaxIdText};
use super::organizations_input::{CustomerPortalSettingsObject, ProrationName};
use super::page;
use super::portal_error;
use crate::call::{self, Call};
use crate::wire::{Three, Uuid4, Violation, wire_object};

/// A customer, as they see themselves.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerPortalCustomer", transform = crate::openapi::always_whole)]
pub(crate) struct PortalCustomerView<'a> {
    /// When the customer was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When the customer last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// The customer's id.
    #[schemars(with = "Uuid4")]
    id: CustomerId,
    /// The customer's address.
    email: Option<&'a str>,
    /// Whether the customer has shown that they read mail there.
    email_verified: bool,
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
    /// Always empty: Tenantry links no accounts elsewhere.
    #[schemars(with = "BTreeMap<String, Value>")]
    oauth_accounts: BTreeMap<&'static str, ()>,
    /// Always `null`: Tenantry holds no payments.
    #[schemars(with = "Option<Uuid4>")]
    default_payment_method_id: (),
    /// One person or several.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Language.
    locale: Option<&'a str>,
}

impl<'a> From<&'a Customer> for PortalCustomerView<'a> {
    fn from(customer: &'a Customer) -> Self {
        let name = customer.name.as_ref().map(|name| name.as_str());
        Self {
            created_at: customer.created_at,
            modified_at: customer.modified_at,
            id: customer.id,
            email: customer.email.as_ref().map(EmailAddress::as_str),
            email_verified: customer.email_verified,
            name,
            billing_name: customer.billing_name.as_ref().map(|name| name.as_str()).or(name),
            billing_address: customer.billing_address.as_ref(),
            tax_id: customer.tax_id.as_ref(),
            oauth_accounts: BTreeMap::new(),
            default_payment_method_id: (),
            kind: customer.kind.as_str(),
            locale: customer.locale.as_ref().map(|locale| locale.as_str()),
        }
    }
}

wire_object! {
    /// What a customer changes for their invoices; an absent field stays as it is.
    PortalCustomerUpdateBody {
        /// Name on invoices; `null` or blank makes it the customer's name.
        billing_name: Three<NameText>,
        /// Address on invoices; cannot be removed.
        billing_address: Three<AddressObject>,
        /// Tax number; `null` or blank removes it.
        tax_id: Three<TaxIdText>,
        /// Refused: Tenantry holds no payments.
        default_payment_method_id: Three<Uuid4>,
    }
}

pub(super) async fn me(call: Call) -> Result<Response, ErrorResponse> {
    let visitor = call.app.visitor(&call.by()).await?;
    Ok(call::json(StatusCode::OK, &PortalCustomerView::from(&visitor.customer)))
}

pub(super) async fn update_me(call: Call) -> Result<Response, ErrorResponse> {
    call.app.visitor(&call.by()).await?.check_billing()?;
    let mut input = call.input();
    let body = input.body();
    let body: PortalCustomerUpdateBody = input.finish(body)?;
    let PortalCustomerUpdateBody { billing_name, billing_address, tax_id, default_payment_method_id } = body;
    check_payment_method(default_payment_method_id.0)?;
    let change = CustomerChange {
        billing_name: billing_name.0.map(|name| name.0).flatten(),
        billing_address: billing_address.0.map(|address| address.0),
        tax_id: tax_id.0.map(|typed| typed.0).flatten(),
        ..CustomerChange::default()
    };
    let changed = call.app.write(BillingUpdate { by: call.by(), change }).await;
    let customer = changed.map_err(portal_error::of_billing)?;
    Ok(call::json(StatusCode::OK, &PortalCustomerView::from(&customer)))
}

/// There is no payment method to make the default.
fn check_payment_method(given: Patch<Uuid4>) -> Result<(), ErrorResponse> {
    let (kind, msg, input) = match given {
        Patch::Absent => return Ok(()),
        Patch::Null => {
            ("missing", "The default payment method can be replaced, but not removed.", Value::Null)
        }
        Patch::Value(id) => ("invalid", "Payment method not found.", Value::from(id.0.to_string())),
    };
    Err(ErrorResponse::Rules(vec![Violation::rule(kind, &["body", "default_payment_method_id"], msg, input)]))
}

pub(super) async fn payment_methods(call: Call) -> Result<Response, ErrorResponse> {
    call.app.visitor(&call.by()).await?.check_billing()?;
    let mut input = call.input();
    let page = page::read(&mut input);
    let page = input.finish(page)?;
    Ok(page::answer(&Paged::<()> { items: Vec::new(), total: 0 }, page, |()| ()))
}

/// The session itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerCustomerSession", transform = crate::openapi::always_whole)]
pub(crate) struct SessionView<'a> {
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
    /// Where the portal's way back leads.
    return_url: Option<&'a str>,
}

pub(super) async fn introspect(call: Call) -> Result<Response, ErrorResponse> {
    let session = call.app.visitor(&call.by()).await?.session;
    let return_url = session.return_url.as_ref().map(HttpUrl::as_str);
    Ok(call::json(StatusCode::OK, &SessionView { expires_at: session.expires_at, return_url }))
}

/// Who is in the portal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PortalAuthenticatedUser", transform = crate::openapi::always_whole)]
pub(crate) struct PortalUserView<'a> {
    /// `member` or `customer`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Their name.
    name: Option<&'a str>,
    /// Their address.
    email: &'a str,
    /// The customer.
    #[schemars(with = "Uuid4")]
    customer_id: CustomerId,
    /// The member.
    #[schemars(with = "Option<Uuid4>")]
    member_id: Option<MemberId>,
    /// The member's role.
    role: Option<&'static str>,
}

pub(super) async fn user(call: Call) -> Result<Response, ErrorResponse> {
    let visitor = call.app.visitor(&call.by()).await?;
    let customer = &visitor.customer;
    let view = match &visitor.member {
        Some(member) => PortalUserView {
            kind: "member",
            name: member.name.as_ref().map(|name| name.as_str()),
            email: member.email.as_str(),
            customer_id: customer.id,
            member_id: Some(member.id),
            role: Some(member.role.as_str()),
        },
        None => PortalUserView {
            kind: "customer",
            name: customer.name.as_ref().map(|name| name.as_str()),
            email: customer.email.as_ref().ok_or(PortalError::MemberSessionRequired)?.as_str(),
            customer_id: customer.id,
            member_id: None,
            role: None,
        },
    };
    Ok(call::json(StatusCode::OK, &view))
}

/// What is switched on that the portal looks different with.
#[derive(Serialize, JsonSchema)]
struct PublicFeatures {
    /// Whether customers have members.
    member_model_enabled: bool,
    /// Whether checkouts speak the customer's language.
    checkout_localization_enabled: bool,
}

/// An organization, as anybody may see it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerOrganization", transform = crate::openapi::always_whole)]
struct PublicOrganization<'a> {
    /// When the organization was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// Its id.
    #[schemars(with = "Uuid4")]
    id: OrganizationId,
    /// Display name.
    name: &'a str,
    /// Name in URLs.
    slug: &'a str,
    /// Picture.
    #[schemars(with = "Option<String>")]
    avatar_url: Option<&'a HttpUrl>,
    /// How a changed plan is charged.
    #[schemars(with = "ProrationName")]
    proration_behavior: ProrationBehavior,
    /// Whether customers may change their plan.
    allow_customer_updates: bool,
    /// What customers may do for themselves.
    #[schemars(with = "CustomerPortalSettingsObject")]
    customer_portal_settings: &'a CustomerPortalSettings,
    /// What the portal looks different with.
    organization_features: PublicFeatures,
}

/// An organization's public page.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerOrganizationData", transform = crate::openapi::always_whole)]
pub(crate) struct PublicOrganizationData<'a> {
    /// The organization.
    organization: PublicOrganization<'a>,
    /// Always empty: Tenantry holds no products.
    #[schemars(with = "Vec<Value>")]
    products: [(); 0],
}

impl<'a> From<&'a Organization> for PublicOrganizationData<'a> {
    fn from(organization: &'a Organization) -> Self {
        let Organization { id, created_at, modified_at, name, slug, profile, .. } = organization;
        let features = &profile.feature_settings;
        let organization = PublicOrganization {
            created_at: *created_at,
            modified_at: *modified_at,
            id: *id,
            name: name.as_str(),
            slug: slug.as_str(),
            avatar_url: profile.avatar_url.as_ref(),
            proration_behavior: profile.subscription_settings.proration_behavior,
            allow_customer_updates: profile.customer_portal_settings.subscription.update_plan,
            customer_portal_settings: &profile.customer_portal_settings,
            organization_features: PublicFeatures {
                member_model_enabled: features.member_model_enabled,
                checkout_localization_enabled: features.checkout_localization_enabled,
            },
        };
        Self { organization, products: [] }
    }
}

pub(super) async fn organization(call: Call) -> Result<Response, ErrorResponse> {
    let organization = call.app.public_organization(call.param("slug")).await?;
    Ok(call::json(StatusCode::OK, &PublicOrganizationData::from(&organization)))
}
