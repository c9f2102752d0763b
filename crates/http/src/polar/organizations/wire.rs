//! Request types of organizations. They have the fields of 2025 (docs/contracts/founding-operations.md, 3) and of
//! 2026-04, so that clients of both versions work.

use serde_json::{Map, Value};
use tenantry_core::Patch;
use tenantry_core::organization::{
    CustomerEmailSettings, CustomerPortalSettings, Details, FeatureSettingsChange, LegacyChange,
    OrganizationChange, PortalCustomer, PortalSubscription, PortalUsage, ProfileSettingsChange,
    ProfileSubscribe, ProrationBehavior, SocialLink, SubscriptionSettingsChange, SwitchingFrom, TaxBehavior,
    TeamAdmission,
};
use tenantry_core::portal::PortalSettingsChange;
use tenantry_core::values::{EmbedHost, HttpUrl, OrganizationName, Slug, SocialPlatform};

use crate::limits;
use crate::polar::organizations::legal_entity::LegalEntityObject;
use crate::polar::values::{CountryText, CurrencyText};
use crate::wire::{
    Between, BoundedText, Email, Field, HttpUrlText, List, Optional, PatchField, PlainText, Uuid4,
    Validation, Wire, choice, inline_schema, name_list, object_of, wire_object,
};

name_list! {
    /// Effect of a changed subscription on the amount due.
    ProrationName(ProrationBehavior) as "literal_error" of ProrationBehavior::NAMES, by ProrationBehavior::from_name
}

name_list! {
    /// Whether prices include tax.
    TaxBehaviorName(TaxBehavior) as "enum" of TaxBehavior::NAMES, by TaxBehavior::from_name
}

name_list! {
    /// The way in which people join the team: added directly, or by accepting an invitation alone.
    TeamAdmissionName(TeamAdmission) as "enum" of TeamAdmission::NAMES, by TeamAdmission::from_name
}

name_list! {
    /// The product that a business used before.
    SwitchingFromName(SwitchingFrom) as "literal_error" of SwitchingFrom::NAMES, by SwitchingFrom::from_name
}

/// A name of an organization, here with at least three characters.
#[derive(Debug, Clone)]
pub(crate) struct OrganizationNameText(pub(super) OrganizationName);

impl Wire for OrganizationNameText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let BoundedText(text) = BoundedText::<3, 0>::read(value, at)?;
        at.accept(OrganizationName::parse(&text), value).map(Self)
    }
}

/// The name of a new organization. Some words are refused.
#[derive(Debug, Clone)]
pub(crate) struct NewNameText(pub(super) OrganizationName);

impl Wire for NewNameText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let BoundedText(text) = BoundedText::<3, 0>::read(value, at)?;
        at.accept(OrganizationName::parse_new(&text), value).map(Self)
    }
}

/// A slug.
#[derive(Debug, Clone)]
pub(crate) struct SlugText(pub(super) Slug);

impl Wire for SlugText {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = PlainText::read(value, at)?;
        at.accept(Slug::parse(&text), value).map(Self)
    }
}

/// The URL of a picture. A URL of the logo service means no picture, because the original generates those.
#[derive(Debug, Clone)]
pub(crate) struct AvatarUrl(pub(super) Option<HttpUrl>);

impl Wire for AvatarUrl {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let HttpUrlText(url) = HttpUrlText::read(value, at)?;
        let url = at.accept(url.without_credentials(), value)?;
        let host = url.host();
        let generated = host == "logo.dev" || host.ends_with(".logo.dev");
        Some(Self((!generated).then_some(url)))
    }
}

/// A link to a profile in a social network. Where there is a URL, it determines the platform, not the platform sent.
#[derive(Debug, Clone)]
pub(crate) struct SocialLinkObject(pub(super) SocialLink);

impl Wire for SocialLinkObject {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        let has_url = object.get("url").and_then(Value::as_str).is_some_and(|url| !url.is_empty());
        if !has_url {
            let sent = object.get("platform").cloned().unwrap_or_default();
            at.within("platform", |at| {
                choice("enum", PLATFORMS, |name| SocialPlatform::parse(name).ok(), &sent, at)
            });
        }
        let url = HttpUrlText::read_field(object, "url", at)?.0;
        Some(Self(SocialLink { platform: SocialPlatform::of(&url), url }))
    }
}

const PLATFORMS: &[&str] =
    &["x", "github", "facebook", "instagram", "youtube", "tiktok", "linkedin", "threads", "discord", "other"];

wire_object! {
    /// Details about a business. They are stored, and no endpoint shows them.
    DetailsObject {
        /// About the business.
        about: Option<PlainText>,
        /// About the product.
        product_description: Option<PlainText>,
        /// Products and services that are sold.
        selling_categories: Optional<List<PlainText, { limits::LIST }>>,
        /// Pricing models.
        pricing_models: Optional<List<PlainText, { limits::LIST }>>,
        /// The label, for people.
        intended_use: Option<PlainText>,
        /// Channels of customer acquisition.
        customer_acquisition: Optional<List<PlainText, { limits::LIST }>>,
        /// Expected revenue of a year.
        future_annual_revenue: Option<Between<0, { i64::MAX }>>,
        /// Whether the business moves from another product.
        switching: Optional<bool>,
        /// The other product.
        switching_from: Option<SwitchingFromName>,
        /// Revenue of the last year.
        previous_annual_revenue: Option<Between<0, { i64::MAX }>>,
    }
}

impl From<DetailsObject> for Details {
    fn from(object: DetailsObject) -> Self {
        let texts =
            |list: Optional<List<PlainText, { limits::LIST }>>| list.0.map(|list| list.0).unwrap_or_default();
        Self {
            about: object.about,
            product_description: object.product_description,
            selling_categories: texts(object.selling_categories),
            pricing_models: texts(object.pricing_models),
            intended_use: object.intended_use,
            customer_acquisition: texts(object.customer_acquisition),
            future_annual_revenue: object.future_annual_revenue.map(|revenue| revenue.0),
            switching: object.switching.0.unwrap_or_default(),
            switching_from: object.switching_from.map(|name| name.0),
            previous_annual_revenue: object.previous_annual_revenue.map(|revenue| revenue.0),
        }
    }
}

/// A list of names of metrics. A boolean, which older clients send, means none.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(pub(super) Option<Vec<String>>);

impl Wire for Metrics {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        if value.is_boolean() {
            return Some(Self(None));
        }
        List::<PlainText, { limits::LIST }>::read(value, at).map(|list| Self(Some(list.0)))
    }
}

wire_object! {
    /// The features that an organization can change itself. An absent or `null` one keeps its value.
    FeatureSettingsObject {
        /// Funding of issues, from the document of 2024.
        issue_funding_enabled: Option<bool>,
        /// Seat-based pricing. It cannot be disabled again.
        seat_based_pricing_enabled: Option<bool>,
        /// Members of customers.
        member_model_enabled: Option<bool>,
        /// Checkout in the buyer's language.
        checkout_localization_enabled: Option<bool>,
        /// Metrics on the overview page.
        overview_metrics: Option<Metrics>,
    }
}

impl From<FeatureSettingsObject> for FeatureSettingsChange {
    fn from(object: FeatureSettingsObject) -> Self {
        Self {
            issue_funding_enabled: object.issue_funding_enabled,
            seat_based_pricing_enabled: object.seat_based_pricing_enabled,
            member_model_enabled: object.member_model_enabled,
            checkout_localization_enabled: object.checkout_localization_enabled,
            overview_metrics: object.overview_metrics.and_then(|metrics| metrics.0),
        }
    }
}

/// Settings of subscriptions. All five fields are required, except that clients of 2025 send only the three that they
/// know.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionSettingsObject(pub(super) SubscriptionSettingsChange);

impl Wire for SubscriptionSettingsObject {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let object = object_of(value, at)?;
        let known_in_2025 = ["allow_multiple_subscriptions", "allow_customer_updates", "proration_behavior"];
        let of_2025 = known_in_2025.iter().all(|name| object.contains_key(*name));
        let multiple = bool::read_field(object, "allow_multiple_subscriptions", at);
        let proration = ProrationName::read_field(object, "proration_behavior", at);
        let grace = later::<Between<0, 36_500>>(object, "benefit_revocation_grace_period", of_2025, at);
        let abuse = later::<bool>(object, "prevent_trial_abuse", of_2025, at);
        let updates = bool::read_field(object, "allow_customer_updates", at);
        Some(Self(SubscriptionSettingsChange {
            allow_multiple_subscriptions: multiple?,
            proration_behavior: proration?.0,
            benefit_revocation_grace_period: grace?.map(|days| days.0),
            prevent_trial_abuse: abuse?,
            allow_customer_updates: updates?,
        }))
    }
}

/// A required field that clients of 2025 do not know and may leave out.
fn later<T: Wire>(
    object: &Map<String, Value>,
    name: &'static str,
    may_lack: bool,
    at: &mut Validation,
) -> Option<Option<T>> {
    if may_lack && !object.contains_key(name) {
        Some(None)
    } else {
        T::read_field(object, name, at).map(Some)
    }
}

wire_object! {
    /// The mails that customers get. Every one must be given.
    CustomerEmailSettingsObject {
        /// After an order.
        order_confirmation: bool,
        /// Before a card expires.
        payment_method_expiration_reminder: bool,
        /// After a cancellation.
        subscription_cancellation: bool,
        /// After a subscription begins.
        subscription_confirmation: bool,
        /// After a renewal.
        subscription_cycled: bool,
        /// After a trial turns into a subscription.
        subscription_cycled_after_trial: bool,
        /// After a failed payment.
        subscription_past_due: bool,
        /// After a pause.
        subscription_paused: bool,
        /// After a pause ends.
        subscription_resumed: bool,
        /// Before a renewal.
        subscription_renewal_reminder: bool,
        /// After the end.
        subscription_revoked: bool,
        /// Before a trial ends.
        subscription_trial_conversion_reminder: bool,
        /// After a cancellation is taken back.
        subscription_uncanceled: bool,
        /// After any other change.
        subscription_updated: bool,
    }
}

impl From<CustomerEmailSettingsObject> for CustomerEmailSettings {
    fn from(object: CustomerEmailSettingsObject) -> Self {
        Self {
            order_confirmation: object.order_confirmation,
            payment_method_expiration_reminder: object.payment_method_expiration_reminder,
            subscription_cancellation: object.subscription_cancellation,
            subscription_confirmation: object.subscription_confirmation,
            subscription_cycled: object.subscription_cycled,
            subscription_cycled_after_trial: object.subscription_cycled_after_trial,
            subscription_past_due: object.subscription_past_due,
            subscription_paused: object.subscription_paused,
            subscription_resumed: object.subscription_resumed,
            subscription_renewal_reminder: object.subscription_renewal_reminder,
            subscription_revoked: object.subscription_revoked,
            subscription_trial_conversion_reminder: object.subscription_trial_conversion_reminder,
            subscription_uncanceled: object.subscription_uncanceled,
            subscription_updated: object.subscription_updated,
        }
    }
}

wire_object! {
    /// Usage in the customer portal.
    PortalUsageObject {
        /// Whether it is shown.
        show: bool,
    }
}

wire_object! {
    /// Changes that customers may make to their subscription.
    PortalSubscriptionObject {
        /// The number of seats.
        update_seats: bool,
        /// The plan.
        update_plan: bool,
        /// Whether they can pause it.
        pause: Optional<bool>,
    }
}

wire_object! {
    /// Changes that customers may make to themselves.
    PortalCustomerObject {
        /// Their address.
        allow_email_change: Optional<bool>,
    }
}

wire_object! {
    /// Settings of the customer portal. They replace the old ones as a whole.
    CustomerPortalSettingsObject {
        /// Usage in the customer portal.
        usage: PortalUsageObject,
        /// Changes that customers may make to their subscription.
        subscription: PortalSubscriptionObject,
        /// Changes that customers may make to themselves.
        customer: Optional<PortalCustomerObject>,
    }
}

impl From<CustomerPortalSettingsObject> for CustomerPortalSettings {
    fn from(object: CustomerPortalSettingsObject) -> Self {
        let PortalSubscriptionObject { update_seats, update_plan, pause } = object.subscription;
        let customer = object.customer.0;
        Self {
            usage: PortalUsage { show: object.usage.show },
            subscription: PortalSubscription { update_seats, update_plan, pause: pause.0 },
            customer: customer
                .map(|customer| PortalCustomer { allow_email_change: customer.allow_email_change.0 }),
        }
    }
}

wire_object! {
    /// Settings of disputes. They are merged with the old ones.
    DisputeSettingsObject {
        /// Disputes below this amount in US cents are accepted automatically; `null` disables this.
        auto_accept_below_amount: PatchField<Between<1, 10_000>>,
    }
}

/// Hosts that may embed checkouts.
#[derive(Debug, Clone)]
pub(crate) struct EmbedHostList(pub(super) Vec<EmbedHost>);

impl Wire for EmbedHostList {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let texts = List::<PlainText, { limits::LIST }>::read(value, at)?.0;
        at.accept(EmbedHost::parse_list(texts.iter().map(String::as_str)), value).map(Self)
    }
}

wire_object! {
    /// The subscription box of a profile page.
    ProfileSubscribeObject {
        /// Whether it is promoted.
        promote: Optional<bool>,
        /// Whether the number of subscribers is shown.
        show_count: Optional<bool>,
        /// Whether subscribers who do not pay are counted.
        count_free: Optional<bool>,
    }
}

wire_object! {
    /// The public profile page. It is merged with the old one.
    ProfileSettingsObject {
        /// Whether the page is public.
        enabled: PatchField<bool>,
        /// Text.
        description: PatchField<BoundedText<0, 160>>,
        /// Ids of the projects on the page.
        featured_projects: PatchField<List<Uuid4, { limits::LIST }>>,
        /// Ids of the organizations on the page.
        featured_organizations: PatchField<List<Uuid4, { limits::LIST }>>,
        /// Links on the page.
        links: PatchField<List<HttpUrlText, { limits::LIST }>>,
        /// The subscription box.
        subscribe: PatchField<ProfileSubscribeObject>,
        /// Accent colour.
        accent_color: PatchField<BoundedText<0, 64>>,
    }
}

impl From<ProfileSettingsObject> for ProfileSettingsChange {
    fn from(object: ProfileSettingsObject) -> Self {
        let ids = |list: PatchField<List<Uuid4, { limits::LIST }>>| {
            list.0.map(|list| list.0.into_iter().map(|id| id.0).collect())
        };
        let text = |text: String| (!text.trim().is_empty()).then_some(text);
        Self {
            enabled: object.enabled.0,
            description: object.description.0.map(|description| text(description.0)).flatten(),
            featured_projects: ids(object.featured_projects),
            featured_organizations: ids(object.featured_organizations),
            links: object.links.0.map(|list| list.0.into_iter().map(|link| link.0).collect()),
            subscribe: object.subscribe.0.map(|subscribe| ProfileSubscribe {
                promote: subscribe.promote.0.unwrap_or(true),
                show_count: subscribe.show_count.0.unwrap_or(true),
                count_free: subscribe.count_free.0.unwrap_or(true),
            }),
            accent_color: object.accent_color.0.map(|colour| colour.0),
        }
    }
}

wire_object! {
    /// A new organization.
    OrganizationCreateBody {
        /// Display name.
        name: NewNameText,
        /// Name in URLs. It cannot change.
        slug: SlugText,
        /// Picture.
        avatar_url: Option<AvatarUrl>,
        /// The legal entity. It is stored, and no endpoint shows it.
        legal_entity: Option<LegalEntityObject>,
        /// Address for support.
        email: Option<Email>,
        /// Home page.
        website: Option<HttpUrlText>,
        /// Profiles in social networks.
        socials: Option<List<SocialLinkObject, { limits::LIST }>>,
        /// Details about the business.
        details: Option<DetailsObject>,
        /// Country of the business.
        country: Option<CountryText>,
        /// Features. Members and seats are enabled from the start.
        feature_settings: Option<FeatureSettingsObject>,
        /// Settings of subscriptions.
        subscription_settings: Option<SubscriptionSettingsObject>,
        /// Mails that customers get.
        customer_email_settings: Option<CustomerEmailSettingsObject>,
        /// Settings of the customer portal.
        customer_portal_settings: Option<CustomerPortalSettingsObject>,
        /// Currency that prices are shown in.
        default_presentment_currency: Option<CurrencyText>,
        /// Whether prices include tax.
        default_tax_behavior: Option<TaxBehaviorName>,
    }
}

impl OrganizationCreateBody {
    /// Name, slug, and the other fields as a change of an organization without them.
    pub(super) fn split(self) -> (OrganizationName, Slug, OrganizationChange) {
        fn given<T, U>(value: Option<T>, into: impl FnOnce(T) -> U) -> Patch<U> {
            value.map_or(Patch::Absent, |value| Patch::Value(into(value)))
        }
        let change = OrganizationChange {
            avatar_url: given(self.avatar_url, |url| url.0).flatten(),
            legal_entity: given(self.legal_entity, |entity| entity.0),
            email: given(self.email, |email| email.0),
            website: given(self.website, |url| url.0),
            socials: given(self.socials, |list| list.0.into_iter().map(|link| link.0).collect()),
            details: given(self.details, Into::into),
            country: given(self.country, |country| country.0),
            feature_settings: given(self.feature_settings, Into::into),
            subscription_settings: given(self.subscription_settings, |settings| settings.0),
            customer_email_settings: given(self.customer_email_settings, Into::into),
            customer_portal_settings: given(self.customer_portal_settings, Into::into),
            default_presentment_currency: given(self.default_presentment_currency, |currency| currency.0),
            default_tax_behavior: given(self.default_tax_behavior, |behaviour| behaviour.0),
            ..OrganizationChange::default()
        };
        (self.name.0, self.slug.0, change)
    }
}

wire_object! {
    /// A partial update of an organization. An absent field keeps its value. `null` clears a field that can be
    /// cleared, and keeps the others.
    OrganizationUpdateBody {
        /// Display name.
        name: PatchField<OrganizationNameText>,
        /// Picture.
        avatar_url: PatchField<AvatarUrl>,
        /// Address for support.
        email: PatchField<Email>,
        /// Home page.
        website: PatchField<HttpUrlText>,
        /// Profiles in social networks.
        socials: PatchField<List<SocialLinkObject, { limits::LIST }>>,
        /// Details about the business.
        details: PatchField<DetailsObject>,
        /// Country of the business.
        country: PatchField<CountryText>,
        /// Features.
        feature_settings: PatchField<FeatureSettingsObject>,
        /// Settings of subscriptions.
        subscription_settings: PatchField<SubscriptionSettingsObject>,
        /// Mails that customers get.
        customer_email_settings: PatchField<CustomerEmailSettingsObject>,
        /// Settings of the customer portal.
        customer_portal_settings: PatchField<CustomerPortalSettingsObject>,
        /// Settings of disputes.
        dispute_settings: Option<DisputeSettingsObject>,
        /// Hosts that may embed checkouts.
        embed_hosts: PatchField<EmbedHostList>,
        /// Currency that prices are shown in.
        default_presentment_currency: PatchField<CurrencyText>,
        /// Whether prices include tax.
        default_tax_behavior: PatchField<TaxBehaviorName>,
        /// Whether people must sign in through the organization's own identity provider.
        sso_enforced: PatchField<bool>,
        /// The way in which people join the team.
        team_admission: PatchField<TeamAdmissionName>,
        /// Minimum pledge in US cents; deprecated.
        pledge_minimum_amount: PatchField<i64>,
        /// Whether the badge shows the sum pledged; deprecated.
        pledge_badge_show_amount: PatchField<bool>,
        /// Contributors' share in per cent; deprecated.
        default_upfront_split_to_contributors: PatchField<Between<0, 100>>,
        /// E-mail address for invoices, not validated; deprecated.
        billing_email: PatchField<BoundedText<0, 120>>,
        /// Text of the badge; deprecated.
        default_badge_custom_content: PatchField<PlainText>,
        /// US cents a month; deprecated.
        total_monthly_spending_limit: PatchField<i64>,
        /// US cents a month for each user, at most the total limit; deprecated.
        per_user_monthly_spending_limit: PatchField<i64>,
        /// The public profile page; deprecated.
        profile_settings: PatchField<ProfileSettingsObject>,
    }
}

impl From<OrganizationUpdateBody> for OrganizationChange {
    fn from(body: OrganizationUpdateBody) -> Self {
        Self {
            name: body.name.0.map(|name| name.0),
            avatar_url: body.avatar_url.0.map(|url| url.0).flatten(),
            email: body.email.0.map(|email| email.0),
            website: body.website.0.map(|url| url.0),
            socials: body.socials.0.map(|list| list.0.into_iter().map(|link| link.0).collect()),
            details: body.details.0.map(Into::into),
            country: body.country.0.map(|country| country.0),
            legal_entity: Patch::Absent,
            feature_settings: body.feature_settings.0.map(Into::into),
            subscription_settings: body.subscription_settings.0.map(|settings| settings.0),
            customer_email_settings: body.customer_email_settings.0.map(Into::into),
            customer_portal_settings: body.customer_portal_settings.0.map(Into::into),
            allow_email_change: None,
            dispute_auto_accept_below: body
                .dispute_settings
                .map_or(Patch::Absent, |settings| settings.auto_accept_below_amount.0.map(|amount| amount.0)),
            embed_hosts: body.embed_hosts.0.map(|list| list.0),
            default_presentment_currency: body.default_presentment_currency.0.map(|currency| currency.0),
            default_tax_behavior: body.default_tax_behavior.0.map(|behaviour| behaviour.0),
            sso_enforced: body.sso_enforced.0,
            team_admission: body.team_admission.0.map(|admission| admission.0),
            portal: PortalSettingsChange::default(),
            legacy: LegacyChange {
                pledge_minimum_amount: body.pledge_minimum_amount.0,
                pledge_badge_show_amount: body.pledge_badge_show_amount.0,
                default_upfront_split_to_contributors: body
                    .default_upfront_split_to_contributors
                    .0
                    .map(|share| share.0),
                billing_email: body.billing_email.0.map(|email| email.0),
                default_badge_custom_content: body.default_badge_custom_content.0,
                total_monthly_spending_limit: body.total_monthly_spending_limit.0,
                per_user_monthly_spending_limit: body.per_user_monthly_spending_limit.0,
                profile_settings: body.profile_settings.0.map(Into::into),
            },
            account: Default::default(),
        }
    }
}

inline_schema! {
    OrganizationNameText => {"type": "string", "minLength": 3, "maxLength": 1000},
    NewNameText => {"type": "string", "minLength": 3, "maxLength": 1000},
    SlugText => {"type": "string", "minLength": 3, "maxLength": 64, "pattern": "^[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*$"},
    AvatarUrl => {"type": "string", "format": "uri", "minLength": 1, "maxLength": 2083},
    SocialLinkObject => {
        "type": "object",
        "required": ["platform", "url"],
        "properties": {
            "platform": {"type": "string", "description": "Determined by the URL's host."},
            "url": {"type": "string", "format": "uri", "maxLength": 2083}
        }
    },
    Metrics => {"type": ["array", "null"], "items": {"type": "string"}},
    SubscriptionSettingsObject => {
        "type": "object",
        "required": ["allow_multiple_subscriptions", "proration_behavior", "allow_customer_updates"],
        "properties": {
            "allow_multiple_subscriptions": {"type": "boolean"},
            "proration_behavior": {"type": "string", "enum": ["invoice", "prorate", "next_period", "reset"]},
            "benefit_revocation_grace_period": {"type": "integer", "minimum": 0},
            "prevent_trial_abuse": {"type": "boolean"},
            "allow_customer_updates": {"type": "boolean"}
        }
    },
    EmbedHostList => {"type": "array", "items": {"type": "string"}, "maxItems": 100},
}
