//! Invariants within one row that SQL cannot check: whether its values can be parsed, opened and derived again.

use std::fmt::Display;

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;
use tenantry_core::customer::CustomerKind;
use tenantry_core::mail::MailContent;
use tenantry_core::member::MemberRole;
use tenantry_core::organization::{OrganizationStatus, Profile};
use tenantry_core::team::TeamRole;
use tenantry_core::token::{ScopeGrants, Scopes, SecretKind};
use tenantry_core::user::{Language, NoticeTopic};
use tenantry_core::values::{
    EmailAddress, ExternalId, HttpUrl, IpAllowList, Locale, Metadata, OrganizationName, PersonName, Slug,
    SuspensionReason, email_key,
};
use tenantry_core::webhook::{EventData, EventState, EventType, WebhookFormat};

use super::anonymized::row_has_personal_data;
use super::{Batches, Finding, Rule, forms};
use crate::admin::rows::ColumnValue;
use crate::queries::{billing_name, organization_search_text, sealed_for, sealed_url_context, search_text};
use crate::schema::Table;
use crate::{StoreError, Tx, Vault};

/// A check of the values of `columns` in one row.
pub(super) struct Check {
    pub(super) rule: Rule,
    columns: &'static [&'static str],
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
}

const ADDRESS: &str = "its e-mail key does not match its address";
const SEALED: &str = "its secret cannot be opened with the key";
const UNREADABLE: &str = "one of its values does not parse";

/// The JSON form of a row in an audit entry.
type Object = serde_json::Map<String, serde_json::Value>;

type Columns = &'static [&'static str];

const fn address(invariant: &'static str, table: &'static str, columns: Columns) -> Check {
    Check { rule: Rule { invariant, table, description: ADDRESS }, columns, holds: keyed }
}

const fn sealed(
    table: &'static str,
    columns: Columns,
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
) -> Check {
    Check { rule: Rule { invariant: "readable values", table, description: SEALED }, columns, holds }
}

const fn readable(
    table: &'static str,
    columns: Columns,
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
) -> Check {
    Check { rule: Rule { invariant: "readable values", table, description: UNREADABLE }, columns, holds }
}

/// The checks, in the order of the tables.
#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    address("one person", "users", &["email", "email_key"]),
    address("one person", "team_members", &["email", "email_key"]),
    address("one person", "user_email_changes", &["email", "email_key"]),
    address("one address", "customers", &["email", "email_key"]),
    address("one address", "members", &["email", "email_key"]),
    address("one address", "email_updates", &["email", "email_key"]),
    address("one pending invitation", "invitations", &["email", "email_key"]),
    address("one address", "mails", &["recipient", "recipient_key"]),
    sealed("webhook_endpoints", &["id", "secret"], opens),
    sealed("webhook_endpoints", &["id", "previous_secret"], opens),
    sealed("webhook_endpoints", &["id", "url_credentials"], url_opens),
    sealed("mails", &["id", "sealed_secret"], opens),
    sealed("idempotency_records",
        &["organization_id", "fingerprint", "idempotency_key", "response_expires_at", "body"], response_opens),
    readable("organizations", &["status"], |row, _| text(row, |text| OrganizationStatus::from_name(text).is_some())),
    readable("organizations", &["profile"], |row, _| text(row, |text| parses(serde_json::from_str::<Profile>(text)))),
    readable("user_email_changes", &["actor_kind", "actor_id"], names_actor),
    readable("user_deletions", &["actor_kind", "actor_id"], names_actor),
    readable("team_members", &["role"], |row, _| text(row, |text| TeamRole::from_name(text).is_some())),
    readable("invitations", &["role"], |row, _| text(row, |text| TeamRole::from_name(text).is_some())),
    readable("invitations", &["name"], |row, _| text(row, |text| parses(PersonName::parse_stored(text)))),
    readable("invitations", &["metadata"], |row, _| text(row, |text| parses(serde_json::from_str::<Metadata>(text)))),
    readable("credentials", &["kind"], |row, _| text(row, |text| SecretKind::from_name(text).is_some())),
    readable("access_tokens", &["scopes"],
        |row, _| text(row, |text| parses(ScopeGrants::from_stored(text, Timestamp::from_micros(0))))),
    readable("access_tokens", &["ip_allow_list"],
        |row, _| text(row, |text| parses(serde_json::from_str::<IpAllowList>(text)))),
    readable("user_tokens", &["scopes"], |row, _| text(row, |text| parses(serde_json::from_str::<Scopes>(text)))),
    readable("customers", &["metadata"], |row, _| text(row, |text| parses(serde_json::from_str::<Metadata>(text)))),
    readable("organizations", &["name"], |row, _| text(row, |text| parses(OrganizationName::parse_stored(text)))),
    readable("organizations", &["slug"], |row, _| text(row, |text| parses(text.parse::<Slug>()))),
    Check {
        rule: Rule { invariant: "searchable organizations", table: "organizations",
            description: "search_text does not match its name and slug" },
        columns: &["name", "slug", "search_text"], holds: organization_searched },
    readable("organizations", &["suspension_reason"],
        |row, _| text(row, |text| parses(SuspensionReason::parse(text)))),
    readable("users", &["email"], |row, _| text(row, |text| parses(EmailAddress::parse(text)))),
    readable("team_members", &["email"], |row, _| text(row, |text| parses(EmailAddress::parse(text)))),
    readable("team_members", &["name"], |row, _| text(row, |text| parses(PersonName::parse(text)))),
    readable("credentials", &["secret_hash"], hash),
    readable("access_tokens", &["secret_hash"], hash),
    readable("access_tokens", &["previous_secret_hash"], hash),
    readable("user_tokens", &["secret_hash"], hash),
    readable("user_tokens", &["previous_secret_hash"], hash),
    readable("customer_imports", &["secret_hash"], hash),
    readable("users", &["name"], |row, _| text(row, |text| parses(PersonName::parse_stored(text)))),
    readable("users", &["language"], |row, _| text(row, |text| Language::from_tag(text).is_some())),
    readable("users", &["muted_notices"],
        |row, _| text(row, |text| text.split(' ').all(|name| NoticeTopic::from_name(name).is_some()))),
    readable("passkeys", &["name"], |row, _| text(row, |text| parses(PersonName::parse_stored(text)))),
    readable("customers", &["kind"], |row, _| text(row, |text| CustomerKind::from_name(text).is_some())),
    readable("customers", &["email"], |row, _| text(row, |text| parses(EmailAddress::parse(text)))),
    readable("customers", &["name"], |row, _| text(row, |text| parses(PersonName::parse_stored(text)))),
    readable("customers", &["external_id"], |row, _| text(row, |text| parses(ExternalId::parse(text)))),
    readable("customers", &["billing"], |row, _| text(row, |text| billing_name(text).is_ok())),
    readable("customers", &["locale"], |row, _| text(row, |text| parses(Locale::parse(text)))),
    readable("members", &["role"], |row, _| text(row, |text| MemberRole::from_name(text).is_some())),
    readable("members", &["email"], |row, _| text(row, |text| parses(EmailAddress::parse(text)))),
    readable("members", &["name"], |row, _| text(row, |text| parses(PersonName::parse_stored(text)))),
    readable("members", &["external_id"], |row, _| text(row, |text| parses(ExternalId::parse(text)))),
    readable("customer_sessions", &["return_url"], |row, _| text(row, |text| parses(HttpUrl::parse(text)))),
    readable("audit_entries", &["before"], |row, _| text(row, |text| parses(serde_json::from_str::<Object>(text)))),
    readable("audit_entries", &["after"], |row, _| text(row, |text| parses(serde_json::from_str::<Object>(text)))),
    Check {
        rule: Rule { invariant: "searchable customers", table: "customers",
            description: "search_text does not match its address and names" },
        columns: &["email", "name", "billing", "search_text"], holds: searched },
    Check {
        rule: Rule { invariant: "anonymized", table: "customers",
            description: "it is anonymized and contains personal data" },
        columns: &["anonymized_at", "email", "name", "billing"], holds: anonymized },
    readable("webhook_endpoints", &["url"], |row, _| text(row, |text| parses(HttpUrl::parse(text)))),
    readable("webhook_endpoints", &["format"], |row, _| text(row, |text| WebhookFormat::from_name(text).is_some())),
    readable("webhook_endpoints", &["events"],
        |row, _| text(row, |text| parses(serde_json::from_str::<Vec<EventType>>(text)))),
    readable("webhook_events", &["type"], |row, _| text(row, |text| EventType::from_name(text).is_some())),
    readable("webhook_events", &["state"], |row, _| text(row, |text| EventState::from_name(text).is_some())),
    readable("webhook_events", &["data"], |row, _| text(row, |text| parses(EventData::from_image(text)))),
    readable("mails", &["content"], |row, _| text(row, |text| parses(serde_json::from_str::<MailContent>(text)))),
];

fn parses<T, E: Display>(parsed: Result<T, E>) -> bool {
    parsed.is_ok()
}

/// Checks one text with `holds`. `NULL` passes: the schema declares which columns can be null.
fn text(row: &[&ColumnValue], holds: impl FnOnce(&str) -> bool) -> bool {
    match row {
        [ColumnValue::Null] => true,
        [ColumnValue::Text(text)] => holds(text),
        _ => false,
    }
}

/// Checks that the bytes have the length of a hash.
fn hash(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Null] => true,
        [ColumnValue::Bytes(hash)] => hash.len() == 32,
        _ => false,
    }
}

fn keyed(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Null, ColumnValue::Null] => true,
        [ColumnValue::Text(address), ColumnValue::Text(key)] => email_key(address) == *key,
        _ => false,
    }
}

fn names_actor(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Text(kind), ColumnValue::Null] => Actor::from_stored(kind, None).is_some(),
        [ColumnValue::Text(kind), ColumnValue::Id(id)] => Actor::from_stored(kind, Some(*id)).is_some(),
        _ => false,
    }
}

fn organization_searched(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Text(name), ColumnValue::Text(slug), ColumnValue::Text(stored)] => {
            organization_search_text(name, slug) == *stored
        }
        _ => false,
    }
}

fn searched(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    let [email, name, ColumnValue::Null | ColumnValue::Text(_), ColumnValue::Text(stored)] = row else {
        return false;
    };
    let text_of =
        |field: &ColumnValue| if let ColumnValue::Text(text) = field { Some(text.clone()) } else { None };
    let billing = match row {
        [_, _, ColumnValue::Text(billing), _] => billing_name(billing),
        _ => Ok(None),
    };
    // Billing data that cannot be parsed is a finding of its own check.
    billing.is_err()
        || billing.is_ok_and(|billing| {
            let (email, name) = (text_of(email), text_of(name));
            search_text(email.as_deref(), name.as_deref(), billing.as_deref()) == *stored
        })
}

fn anonymized(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Null, ..] => true,
        [_, email, name, billing] => !row_has_personal_data(email, name, billing),
        _ => false,
    }
}

fn opens(row: &[&ColumnValue], vault: &dyn Vault) -> bool {
    match row {
        [_, ColumnValue::Null] => true,
        [ColumnValue::Id(id), ColumnValue::Bytes(sealed)] => vault.open(id.as_bytes(), sealed).is_some(),
        _ => false,
    }
}

fn url_opens(row: &[&ColumnValue], vault: &dyn Vault) -> bool {
    match row {
        [_, ColumnValue::Null] => true,
        [ColumnValue::Id(id), ColumnValue::Bytes(sealed)] => {
            vault.open(&sealed_url_context(*id), sealed).is_some()
        }
        _ => false,
    }
}

fn response_opens(row: &[&ColumnValue], vault: &dyn Vault) -> bool {
    match row {
        [_, _, _, ColumnValue::Null, _] => true,
        [
            ColumnValue::Id(space),
            ColumnValue::Bytes(fingerprint),
            ColumnValue::Text(key),
            _,
            ColumnValue::Bytes(body),
        ] => vault.open(&sealed_for(*space, fingerprint, key), body).is_some(),
        _ => false,
    }
}

/// The checks of the values of a table.
pub(super) fn checks_of(table: &str) -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().filter(move |check| check.rule.table == table)
}

/// Checks the values of all rows of a table.
pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    table: &Table,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    let vault = tx.vault()?;
    let checks: Vec<&Check> = checks_of(&table.name).collect();
    let mut batches = Batches::new(table, "1 = 1");
    while let Some(rows) = batches.next(tx).await? {
        for row in &rows {
            let broken = checks.iter().filter(|check| !check.holds_for(table, row, vault));
            broken.for_each(|check| found(Finding::new(&check.rule, table, row)));
        }
    }
    Ok(())
}

/// A fault of the values of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueFault<'a> {
    /// The column, or the first of several.
    pub column: &'a str,
    /// The description of the fault, as shown to the operator.
    pub description: &'static str,
}

/// The first fault of the values of a row that is to be stored: in the form of a value, or by a check of this row alone.
/// `vault` has the key that sealed values are opened with.
#[must_use]
pub fn value_fault<'a>(table: &'a Table, row: &[ColumnValue], vault: &dyn Vault) -> Option<ValueFault<'a>> {
    let values = table.columns.iter().zip(row).enumerate();
    let mut forms = values.filter_map(|(place, (column, value))| {
        let description = forms::fault(table, place, column, value)?;
        Some(ValueFault { column: &column.name, description })
    });
    forms.next().or_else(|| {
        let mut checks = checks_of(&table.name);
        let broken = checks.find(|check| !check.holds_for(table, row, vault))?;
        let column = broken.columns.iter().find_map(|name| {
            let place = table.position(name)?;
            table.columns.get(place)
        });
        Some(ValueFault { column: &column?.name, description: broken.rule.description })
    })
}

impl Check {
    fn holds_for(&self, table: &Table, row: &[ColumnValue], vault: &dyn Vault) -> bool {
        let fields =
            self.columns.iter().map(|column| table.position(column).and_then(|position| row.get(position)));
        fields.collect::<Option<Vec<_>>>().is_some_and(|fields| (self.holds)(&fields, vault))
    }
}
