//! Wire types of the customer portal.

use crate::polar::errors::ErrorResponse;
use crate::polar::organizations::wire::{CustomerPortalSettingsObject, ProrationName};
use crate::polar::values::{AddressObject, NameText, TaxIdText};
use crate::wire::{PatchField, Uuid4, Violation, wire_object};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::organization::{CustomerPortalSettings, Organization, ProrationBehavior};
use tenantry_core::values::{Address, EmailAddress, HttpUrl, TaxId};
use tenantry_core::{Patch, Timestamp};

/// A customer in its own portal.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerPortalCustomer", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalCustomerView<'a> {
    /// When the customer was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When the customer last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// The customer's id.
    #[schemars(with = "Uuid4")]
    pub(super) id: CustomerId,
    /// The customer's address.
    pub(super) email: Option<&'a str>,
    /// Whether the customer has verified this address.
    pub(super) email_verified: bool,
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
    /// Always empty: Tenantry links no accounts of other services.
    #[schemars(with = "BTreeMap<String, Value>")]
    pub(super) oauth_accounts: BTreeMap<&'static str, ()>,
    /// Always `null`: Tenantry holds no payments.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) default_payment_method_id: (),
    /// One person or several.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Language.
    pub(super) locale: Option<&'a str>,
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
    /// A change of a customer's billing details. An absent field keeps its value.
    PortalCustomerUpdateBody {
        /// Name on invoices. `null` or blank means the customer's name.
        billing_name: PatchField<NameText>,
        /// Address on invoices; cannot be removed.
        billing_address: PatchField<AddressObject>,
        /// Tax number. `null` or blank removes it.
        tax_id: PatchField<TaxIdText>,
        /// Refused: Tenantry holds no payments.
        default_payment_method_id: PatchField<Uuid4>,
    }
}

/// Tenantry holds no payment methods, so none can be the default.
pub(super) fn check_payment_method(given: Patch<Uuid4>) -> Result<(), ErrorResponse> {
    let (kind, msg, input) = match given {
        Patch::Absent => return Ok(()),
        Patch::Null => {
            ("missing", "The default payment method can be replaced, but not removed.", Value::Null)
        }
        Patch::Value(id) => ("invalid", "Payment method not found.", Value::from(id.0.to_string())),
    };
    Err(ErrorResponse::Rules(vec![Violation::rule(kind, &["body", "default_payment_method_id"], msg, input)]))
}

/// The session itself.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerCustomerSession", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct SessionView<'a> {
    /// When it ends.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) expires_at: Timestamp,
    /// Target of the portal's back link.
    pub(super) return_url: Option<&'a str>,
}

/// The authenticated customer or member.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PortalAuthenticatedUser", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PortalUserView<'a> {
    /// `member` or `customer`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// Their name.
    pub(super) name: Option<&'a str>,
    /// Their address.
    pub(super) email: &'a str,
    /// The customer.
    #[schemars(with = "Uuid4")]
    pub(super) customer_id: CustomerId,
    /// The member.
    #[schemars(with = "Option<Uuid4>")]
    pub(super) member_id: Option<MemberId>,
    /// The member's role.
    pub(super) role: Option<&'static str>,
}

/// Features that change the portal's appearance.
#[derive(Serialize, JsonSchema)]
pub(super) struct PublicFeatures {
    /// Whether customers have members.
    pub(super) member_model_enabled: bool,
    /// Whether checkouts use the customer's language.
    pub(super) checkout_localization_enabled: bool,
}

/// The public view of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerOrganization", transform = crate::api::openapi::all_fields_required)]
pub(super) struct PublicOrganization<'a> {
    /// When the organization was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) modified_at: Option<Timestamp>,
    /// Its id.
    #[schemars(with = "Uuid4")]
    pub(super) id: OrganizationId,
    /// Display name.
    pub(super) name: &'a str,
    /// Name in URLs.
    pub(super) slug: &'a str,
    /// Picture.
    #[schemars(with = "Option<String>")]
    pub(super) avatar_url: Option<&'a HttpUrl>,
    /// Effect of a changed plan on the amount due.
    #[schemars(with = "ProrationName")]
    pub(super) proration_behavior: ProrationBehavior,
    /// Whether customers may change their plan.
    pub(super) allow_customer_updates: bool,
    /// Settings of the customer portal.
    #[schemars(with = "CustomerPortalSettingsObject")]
    pub(super) customer_portal_settings: &'a CustomerPortalSettings,
    /// Features that change the portal's appearance.
    pub(super) organization_features: PublicFeatures,
}

/// The public page of an organization.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CustomerOrganizationData", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct PublicOrganizationData<'a> {
    /// The organization.
    pub(super) organization: PublicOrganization<'a>,
    /// Always empty: Tenantry holds no products.
    #[schemars(with = "Vec<Value>")]
    pub(super) products: [(); 0],
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
