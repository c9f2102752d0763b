//! Organizations (docs/contracts/founding-operations.md, 3, and docs/contracts/polar/organizations.md, 2).

use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::Principal;
use tenantry_app::organizations::{OrganizationCreate, OrganizationUpdate, Owner};
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{
    self, CustomerEmailSettings, CustomerPortalSettings, DisputeSettings, FeatureSettings, InitialState,
    Organization, OrganizationStatus, ProfileSettings, ProrationBehavior, SocialLink, SubscriptionSettings,
    TaxBehavior,
};
use tenantry_core::values::{Country, Currency, EmailAddress, EmbedHost, HttpUrl};
use tenantry_store::{OrganizationFilter, OrganizationKey};

use super::error::ErrorResponse;
use super::organizations_input::{
    CustomerEmailSettingsObject, CustomerPortalSettingsObject, FeatureSettingsObject, OrganizationCreateBody,
    OrganizationUpdateBody, ProrationName, SocialLinkObject, SubscriptionSettingsObject, TaxBehaviorName,
};
use super::page;
use crate::call::{self, Call};
use crate::idempotency::written;
use crate::wire::Uuid4;

/// What the organization may do.
#[derive(Serialize, JsonSchema)]
struct Capabilities {
    checkout_payments: bool,
    subscription_renewals: bool,
    payouts: bool,
    refunds: bool,
    api_access: bool,
    dashboard_access: bool,
}

impl From<OrganizationStatus> for Capabilities {
    fn from(status: OrganizationStatus) -> Self {
        let (payments, access) = match status {
            OrganizationStatus::Created => (false, true),
            OrganizationStatus::Active => (true, true),
            OrganizationStatus::Blocked => (false, false),
        };
        Self {
            checkout_payments: payments,
            subscription_renewals: payments,
            payouts: payments,
            refunds: payments,
            api_access: access,
            dashboard_access: access,
        }
    }
}

/// Which notices the team gets; deprecated, and the same for everyone.
#[derive(Serialize, JsonSchema)]
struct NotificationSettings {
    new_order: bool,
    new_subscription: bool,
    chargeback_prevention: bool,
    subscription_renewal: bool,
}

/// An organization: the fields of the 2026-04 document, and those of 2025 beside them.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Organization", transform = crate::openapi::always_whole)]
pub(crate) struct OrganizationView<'a> {
    /// When the organization was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    created_at: Timestamp,
    /// When it last changed.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    modified_at: Option<Timestamp>,
    /// Its id; also AhaSend's account id.
    #[schemars(with = "Uuid4")]
    id: OrganizationId,
    /// Display name.
    name: &'a str,
    /// Name in URLs.
    slug: &'a str,
    /// Picture.
    #[schemars(with = "Option<String>")]
    avatar_url: Option<&'a HttpUrl>,
    /// The same as in the settings of subscriptions.
    #[schemars(with = "ProrationName")]
    proration_behavior: ProrationBehavior,
    /// Whether customers may change their plan in the portal.
    allow_customer_updates: bool,
    #[schemars(extend("deprecated" = true))]
    bio: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    company: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    blog: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    location: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    twitter_username: Option<&'a str>,
    #[schemars(extend("deprecated" = true))]
    pledge_minimum_amount: i64,
    #[schemars(extend("deprecated" = true))]
    pledge_badge_show_amount: bool,
    #[schemars(extend("deprecated" = true))]
    default_upfront_split_to_contributors: Option<i64>,
    /// Address for support.
    #[schemars(with = "Option<String>")]
    email: Option<&'a EmailAddress>,
    /// Home page.
    #[schemars(with = "Option<String>")]
    website: Option<&'a HttpUrl>,
    /// Profiles elsewhere.
    #[schemars(with = "Vec<SocialLinkObject>")]
    socials: &'a [SocialLink],
    /// How far the organization has come.
    status: &'static str,
    /// When the details were first given.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    details_submitted_at: Option<Timestamp>,
    /// Always `null`.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    onboarding_resubmission_requested_at: (),
    /// Whether people must sign in through the organization's own identity provider.
    sso_enforced: bool,
    /// Currency that prices are shown in.
    #[schemars(with = "String")]
    default_presentment_currency: Currency,
    /// Whether prices include tax.
    #[schemars(with = "TaxBehaviorName")]
    default_tax_behavior: TaxBehavior,
    /// What is switched on.
    #[schemars(with = "Option<FeatureSettingsObject>")]
    feature_settings: &'a FeatureSettings,
    /// How subscriptions behave.
    #[schemars(with = "SubscriptionSettingsObject")]
    subscription_settings: &'a SubscriptionSettings,
    /// Which mails customers get.
    #[schemars(with = "CustomerEmailSettingsObject")]
    customer_email_settings: &'a CustomerEmailSettings,
    /// What customers may do for themselves.
    #[schemars(with = "CustomerPortalSettingsObject")]
    customer_portal_settings: &'a CustomerPortalSettings,
    /// How disputes are met.
    #[schemars(with = "Value")]
    dispute_settings: &'a DisputeSettings,
    /// Where checkouts may be embedded.
    #[schemars(with = "Vec<String>")]
    embed_hosts: &'a [EmbedHost],
    /// Always true.
    embed_hosts_enforced: bool,
    /// Where the business is.
    #[schemars(with = "Option<String>")]
    country: Option<Country>,
    /// The same as `id`: Tenantry holds no payment accounts.
    #[schemars(with = "Uuid4")]
    account_id: OrganizationId,
    /// Always `null`.
    #[schemars(with = "Option<Uuid4>")]
    payout_account_id: (),
    /// What the organization may do.
    capabilities: Capabilities,
    /// Which notices the team gets.
    notification_settings: NotificationSettings,
    /// The public profile page.
    #[schemars(with = "Option<Value>", extend("deprecated" = true))]
    profile_settings: Option<&'a ProfileSettings>,
}

impl<'a> From<&'a Organization> for OrganizationView<'a> {
    fn from(organization: &'a Organization) -> Self {
        let Organization { id, created_at, modified_at, name, slug, status, profile, .. } = organization;
        let organization::Profile { legacy, .. } = profile;
        Self {
            created_at: *created_at,
            modified_at: *modified_at,
            id: *id,
            name: name.as_str(),
            slug: slug.as_str(),
            avatar_url: profile.avatar_url.as_ref(),
            proration_behavior: profile.subscription_settings.proration_behavior,
            allow_customer_updates: profile.customer_portal_settings.subscription.update_plan,
            bio: legacy.bio.as_deref(),
            company: legacy.company.as_deref(),
            blog: legacy.blog.as_deref(),
            location: legacy.location.as_deref(),
            twitter_username: legacy.twitter_username.as_deref(),
            pledge_minimum_amount: legacy.pledge_minimum_amount,
            pledge_badge_show_amount: legacy.pledge_badge_show_amount,
            default_upfront_split_to_contributors: legacy.default_upfront_split_to_contributors,
            email: profile.email.as_ref(),
            website: profile.website.as_ref(),
            socials: &profile.socials,
            status: status.as_str(),
            details_submitted_at: profile.details_submitted_at,
            onboarding_resubmission_requested_at: (),
            sso_enforced: profile.sso_enforced,
            default_presentment_currency: profile.default_presentment_currency,
            default_tax_behavior: profile.default_tax_behavior,
            feature_settings: &profile.feature_settings,
            subscription_settings: &profile.subscription_settings,
            customer_email_settings: &profile.customer_email_settings,
            customer_portal_settings: &profile.customer_portal_settings,
            dispute_settings: &profile.dispute_settings,
            embed_hosts: &profile.embed_hosts,
            embed_hosts_enforced: true,
            country: profile.country,
            account_id: *id,
            payout_account_id: (),
            capabilities: (*status).into(),
            notification_settings: NotificationSettings {
                new_order: true,
                new_subscription: true,
                chargeback_prevention: true,
                subscription_renewal: false,
            },
            profile_settings: legacy.profile_settings.as_ref(),
        }
    }
}

pub(super) async fn list(call: Call) -> Result<Response, ErrorResponse> {
    const KEYS: &[(&str, OrganizationKey)] = &[
        ("created_at", OrganizationKey::CreatedAt),
        ("slug", OrganizationKey::Slug),
        ("name", OrganizationKey::Name),
        // The original's reviews do not exist here: these two keys order by age.
        ("next_review_threshold", OrganizationKey::CreatedAt),
        ("days_in_status", OrganizationKey::CreatedAt),
    ];
    let mut input = call.input();
    let page = page::read(&mut input);
    let order = page::sorting(&mut input, KEYS);
    let (page, order) = input.finish(page.zip(order))?;
    let filter = OrganizationFilter {
        visible: Some(call.by().organizations().to_vec()),
        slug: call.last("slug").map(str::to_owned),
        order,
    };
    let organizations = call.app.organizations(&filter, page).await?;
    Ok(page::answer(&organizations, page, OrganizationView::from))
}

pub(super) async fn create(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let body = input.body::<OrganizationCreateBody>();
    let (name, slug, change) = input.finish(body)?.split();
    let by = call.by();
    let owner = match call.caller.as_ref().map(|caller| &caller.subject) {
        Some(Principal::User { user, .. }) => Owner::User(*user),
        _ => return Err(crate::route::Rejection::Unauthorized.into()),
    };
    let new = organization::NewOrganization { name, slug, change };
    let operation = OrganizationCreate { by, owner, new, initial: InitialState::for_person() };
    let created = |made: &Organization| written(StatusCode::CREATED, &OrganizationView::from(made));
    Ok(call.write_once(operation, created).await?)
}

pub(super) async fn get(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let id = OrganizationId::new(input.finish(id)?.0);
    let organization = call.app.organization(&call.by(), id).await?;
    Ok(call::json(StatusCode::OK, &OrganizationView::from(&organization)))
}

pub(super) async fn update(call: Call) -> Result<Response, ErrorResponse> {
    let mut input = call.input();
    let id = input.path::<Uuid4>("id");
    let body = input.body::<OrganizationUpdateBody>();
    let (id, body) = input.finish(id.zip(body))?;
    let id = OrganizationId::new(id.0);
    let organization = call.app.write(OrganizationUpdate { by: call.by(), id, change: body.into() }).await?;
    Ok(call::json(StatusCode::OK, &OrganizationView::from(&organization)))
}
