//! Wire types of sub-accounts.

use crate::ahasend::accounts::wire::AccountName;
use crate::api::response;
use crate::api::response::to_stored;
use crate::wire::{AnyUuid, Between, PlainText, Strict, Validation, Wire, inline_schema, wire_object};
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tenantry_app::Error;
use tenantry_app::sub_accounts::{SubAccount, Usage};
use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::organization::{NewSubAccount, SubAccountChange, sub_account_website};
use tenantry_core::values::{self, SuspensionReason};
use tenantry_store::StoredResponse;

/// A host, or an `http` or `https` URL.
#[derive(Debug, Clone)]
pub(crate) struct Website(values::Website);

impl Wire for Website {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = PlainText::read(value, at)?;
        at.accept(values::Website::parse(&text), value).map(Self)
    }
}

/// The reason for a suspension.
#[derive(Debug, Clone)]
pub(crate) struct Reason(pub(super) SuspensionReason);

impl Wire for Reason {
    fn read(value: &Value, at: &mut Validation) -> Option<Self> {
        let text = PlainText::read(value, at)?;
        at.accept(SuspensionReason::parse(&text), value).map(Self)
    }
}

inline_schema! {
    Website => {"type": "string", "minLength": 1, "maxLength": 255},
    Reason => {"type": "string", "minLength": 1, "maxLength": 500},
}

/// The monthly limit of messages; 0 means no limit.
pub(super) type MonthlyCredit = Strict<Between<0, 1_000_000_000>>;

wire_object! {
    /// A new sub-account.
    CreateSubAccountRequest {
        /// Display name.
        name: AccountName,
        /// Home page: a full domain name, or an http or https URL.
        website: Website,
        /// Limit of messages a month; 0 means no limit.
        monthly_credit: Option<MonthlyCredit>,
    }
}

wire_object! {
    /// A partial update of a sub-account. An absent field keeps its value. At least one value must be given and
    /// differ from the current one.
    UpdateSubAccountRequest {
        /// Display name.
        name: Option<AccountName>,
        /// Home page: a full domain name, or an http or https URL.
        website: Option<Website>,
        /// Limit of messages a month; 0 means no limit.
        monthly_credit: Option<MonthlyCredit>,
    }
}

wire_object! {
    /// A suspension.
    SuspendSubAccountRequest {
        /// The reason, shown to the parent.
        reason: Reason,
    }
}

impl From<CreateSubAccountRequest> for NewSubAccount {
    fn from(request: CreateSubAccountRequest) -> Self {
        let CreateSubAccountRequest { name, website, monthly_credit } = request;
        Self {
            name: name.0,
            website: website.0,
            monthly_credit: monthly_credit.map_or(0, |credit| credit.0.0),
        }
    }
}

impl From<UpdateSubAccountRequest> for SubAccountChange {
    fn from(request: UpdateSubAccountRequest) -> Self {
        let UpdateSubAccountRequest { name, website, monthly_credit } = request;
        Self {
            name: name.map(|name| name.0),
            website: website.map(|website| website.0),
            monthly_credit: monthly_credit.map(|credit| credit.0.0),
        }
    }
}

/// A sub-account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SubAccount", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct SubAccountView {
    /// Always `sub_account`.
    pub(super) object: &'static str,
    /// Its id, as an account and as an organization.
    #[schemars(with = "AnyUuid")]
    pub(super) id: OrganizationId,
    /// The account that administers it.
    #[schemars(with = "Option<AnyUuid>")]
    pub(super) parent_account_id: Option<OrganizationId>,
    /// When it was created.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) created_at: Timestamp,
    /// Display name.
    pub(super) name: String,
    /// Home page, as it was sent; empty when there is none.
    pub(super) website: String,
    /// `active`, `suspended`, or `parent-suspended`.
    pub(super) status: &'static str,
    /// Limit of messages a month; 0 means no limit.
    pub(super) monthly_credit: i64,
    /// Always 0: Tenantry has no domains.
    pub(super) domain_count: i64,
    /// People in its team.
    pub(super) member_count: u64,
    /// Always `null`: Tenantry sends no messages.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub(super) last_activity_at: Option<Timestamp>,
}

impl From<&SubAccount> for SubAccountView {
    fn from(sub_account: &SubAccount) -> Self {
        let SubAccount { organization, status, members } = sub_account;
        Self {
            object: "sub_account",
            id: organization.id,
            parent_account_id: organization.parent,
            created_at: organization.created_at,
            name: organization.name.to_string(),
            website: sub_account_website(organization).to_owned(),
            status: status.as_str(),
            monthly_credit: organization.profile.account.monthly_credit,
            domain_count: 0,
            member_count: *members,
            last_activity_at: None,
        }
    }
}

/// A span of time.
#[derive(Serialize, JsonSchema)]
pub(crate) struct BillingPeriod {
    /// Its start.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) start: Timestamp,
    /// The start of the next one.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(super) end: Timestamp,
}

/// Usage of an account.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SubAccountUsageBreakdown")]
pub(crate) struct Used {
    /// The account. Absent in sums over several accounts.
    #[schemars(with = "Option<AnyUuid>")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) account_id: Option<OrganizationId>,
    /// The sub-account's name. Absent for the parent and in sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// Messages received.
    pub(super) reception_count: i64,
    /// Share of the cost.
    pub(super) allocated_cost: f64,
}

impl Used {
    const fn nothing(account_id: Option<OrganizationId>, name: Option<String>) -> Self {
        Self { account_id, name, reception_count: 0, allocated_cost: 0.0 }
    }
}

/// Usage of an account and its sub-accounts this month.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SubAccountUsageResponse", transform = crate::api::openapi::all_fields_required)]
pub(crate) struct UsageView {
    /// The calendar month, in UTC.
    pub(super) billing_period: BillingPeriod,
    /// Currency of the costs.
    pub(super) currency: &'static str,
    /// Always `proportional`.
    pub(super) allocation_method: &'static str,
    /// Explains the costs.
    pub(super) allocation_note: &'static str,
    /// The account itself.
    pub(super) parent: Used,
    /// One entry for each sub-account.
    pub(super) sub_accounts: Vec<Used>,
    /// The sum of the sub-accounts deleted this month.
    pub(super) removed_sub_accounts: Used,
    /// The sum of everything.
    pub(super) total: Used,
}

impl UsageView {
    pub(super) fn of(parent: OrganizationId, usage: Usage) -> Self {
        let Usage { period: (start, end), sub_accounts } = usage;
        let each = sub_accounts.into_iter().map(|(id, name)| Used::nothing(Some(id), Some(name)));
        Self {
            billing_period: BillingPeriod { start, end },
            currency: "usd",
            allocation_method: "proportional",
            allocation_note: "Tenantry sends no messages, so every figure is 0.",
            parent: Used::nothing(Some(parent), None),
            sub_accounts: each.collect(),
            removed_sub_accounts: Used::nothing(None, None),
            total: Used::nothing(None, None),
        }
    }
}

/// The response with a sub-account.
pub(super) fn view(sub_account: &SubAccount) -> Response {
    response::json(StatusCode::OK, &SubAccountView::from(sub_account))
}

/// The same response, to be stored for an idempotency key.
pub(super) fn stored(sub_account: &SubAccount) -> Result<StoredResponse, Error> {
    to_stored(StatusCode::OK, &SubAccountView::from(sub_account))
}
