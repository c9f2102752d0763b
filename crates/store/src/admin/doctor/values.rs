//! Invariants within one row that SQL cannot check: whether its values can be parsed, opened and derived again.

use std::fmt::Display;

use tenantry_core::Timestamp;
use tenantry_core::mail::MailContent;
use tenantry_core::organization::{OrganizationStatus, Profile};
use tenantry_core::team::TeamRole;
use tenantry_core::token::{ScopeGrants, Scopes, SecretKind};
use tenantry_core::values::{
    EmailAddress, ExternalId, HttpUrl, IpAllowList, Locale, Metadata, OrganizationName, PersonName,
    SuspensionReason, email_key,
};
use tenantry_core::webhook::{EventData, EventType};

use super::forgotten::row_says_who;
use super::{Finding, Parts};
use crate::admin::rows::ColumnValue;
use crate::queries::{billing_name, sealed_for, search_text};
use crate::schema::{Catalog, Table};
use crate::{StoreError, Tx, Vault};

/// A check of the values of `columns` in one row.
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    columns: &'static [&'static str],
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
    pub(super) says: &'static str,
}

const ADDRESS: &str = "its address has another key";
const SEALED: &str = "a secret in it cannot be opened with the key";
const UNREADABLE: &str = "a value of it is none that this program knows";

/// The JSON form of a row in an audit entry.
type Object = serde_json::Map<String, serde_json::Value>;

type Columns = &'static [&'static str];

const fn address(name: &'static str, table: &'static str, columns: Columns) -> Check {
    Check { name, table, columns, holds: keyed, says: ADDRESS }
}

const fn sealed(
    table: &'static str,
    columns: Columns,
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
) -> Check {
    Check { name: "sealed on the way", table, columns, holds, says: SEALED }
}

const fn readable(
    table: &'static str,
    columns: Columns,
    holds: fn(&[&ColumnValue], &dyn Vault) -> bool,
) -> Check {
    Check { name: "readable", table, columns, holds, says: UNREADABLE }
}

#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    address("one person", "users", &["email", "email_key"]),
    address("one address", "customers", &["email", "email_key"]),
    address("one address", "members", &["email", "email_key"]),
    address("one address", "email_updates", &["email", "email_key"]),
    address("one address", "mails", &["recipient", "recipient_key"]),
    sealed("webhook_endpoints", &["id", "secret"], opens),
    sealed("mails", &["id", "sealed_secret"], opens),
    sealed("idempotency_records",
        &["organization_id", "fingerprint", "idempotency_key", "response_expires_at", "body"], answer_opens),
    readable("organizations", &["status"], |row, _| text(row, |text| OrganizationStatus::from_name(text).is_some())),
    readable("organizations", &["profile"], |row, _| text(row, |text| reads(serde_json::from_str::<Profile>(text)))),
    readable("team_members", &["role"], |row, _| text(row, |text| TeamRole::from_name(text).is_some())),
    readable("credentials", &["kind"], |row, _| text(row, |text| SecretKind::from_name(text).is_some())),
    readable("access_tokens", &["scopes"],
        |row, _| text(row, |text| reads(ScopeGrants::from_stored(text, Timestamp::from_micros(0))))),
    readable("access_tokens", &["ip_allow_list"],
        |row, _| text(row, |text| reads(serde_json::from_str::<IpAllowList>(text)))),
    readable("user_tokens", &["scopes"], |row, _| text(row, |text| reads(serde_json::from_str::<Scopes>(text)))),
    readable("customers", &["metadata"], |row, _| text(row, |text| reads(serde_json::from_str::<Metadata>(text)))),
    readable("organizations", &["name"], |row, _| text(row, |text| reads(OrganizationName::parse_stored(text)))),
    readable("organizations", &["suspension_reason"],
        |row, _| text(row, |text| reads(SuspensionReason::parse(text)))),
    readable("users", &["name"], |row, _| text(row, |text| reads(PersonName::parse_stored(text)))),
    readable("customers", &["name"], |row, _| text(row, |text| reads(PersonName::parse_stored(text)))),
    readable("customers", &["external_id"], |row, _| text(row, |text| reads(ExternalId::parse(text)))),
    readable("customers", &["billing"], |row, _| text(row, |text| billing_name(text).is_ok())),
    readable("customers", &["locale"], |row, _| text(row, |text| reads(Locale::parse(text)))),
    readable("members", &["email"], |row, _| text(row, |text| reads(EmailAddress::parse(text)))),
    readable("members", &["name"], |row, _| text(row, |text| reads(PersonName::parse_stored(text)))),
    readable("members", &["external_id"], |row, _| text(row, |text| reads(ExternalId::parse(text)))),
    readable("customer_sessions", &["return_url"], |row, _| text(row, |text| reads(HttpUrl::parse(text)))),
    readable("audit_entries", &["before"], |row, _| text(row, |text| reads(serde_json::from_str::<Object>(text)))),
    readable("audit_entries", &["after"], |row, _| text(row, |text| reads(serde_json::from_str::<Object>(text)))),
    Check { name: "found by its names", table: "customers", columns: &["email", "name", "billing", "search_text"],
        holds: searched, says: "what it is looked for by is not what it is called" },
    Check { name: "forgotten", table: "customers", columns: &["anonymized_at", "email", "name", "billing"],
        holds: forgotten, says: "it is anonymized, and says who it was" },
    readable("webhook_endpoints", &["events"],
        |row, _| text(row, |text| reads(serde_json::from_str::<Vec<EventType>>(text)))),
    readable("webhook_events", &["type"], |row, _| text(row, |text| EventType::from_name(text).is_some())),
    readable("webhook_events", &["data"], |row, _| text(row, |text| reads(EventData::from_image(text)))),
    readable("mails", &["content"], |row, _| text(row, |text| reads(serde_json::from_str::<MailContent>(text)))),
];

fn reads<T, E: Display>(parsed: Result<T, E>) -> bool {
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

fn keyed(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Null, ColumnValue::Null] => true,
        [ColumnValue::Text(address), ColumnValue::Text(key)] => email_key(address) == *key,
        _ => false,
    }
}

fn searched(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    let [email, name, ColumnValue::Null | ColumnValue::Text(_), ColumnValue::Text(found_by)] = row else {
        return false;
    };
    let known =
        |field: &ColumnValue| if let ColumnValue::Text(text) = field { Some(text.clone()) } else { None };
    let billing = match row {
        [_, _, ColumnValue::Text(billing), _] => billing_name(billing),
        _ => Ok(None),
    };
    // Billing data that cannot be parsed is a finding of its own check.
    billing.is_err()
        || billing.is_ok_and(|billing| {
            let (email, name) = (known(email), known(name));
            search_text(email.as_deref(), name.as_deref(), billing.as_deref()) == *found_by
        })
}

fn forgotten(row: &[&ColumnValue], _: &dyn Vault) -> bool {
    match row {
        [ColumnValue::Null, ..] => true,
        [_, email, name, billing] => !row_says_who(email, name, billing),
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

fn answer_opens(row: &[&ColumnValue], vault: &dyn Vault) -> bool {
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

pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    catalogue: &Catalog,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    let vault = tx.vault()?;
    for table in &catalogue.tables {
        let checks: Vec<&Check> = CHECKS.iter().filter(|check| check.table == table.name).collect();
        if checks.is_empty() {
            continue;
        }
        let mut parts = Parts::new(table, "1 = 1");
        while let Some(rows) = parts.next(tx).await? {
            for row in &rows {
                let broken = checks.iter().filter(|check| !check.holds_for(table, row, vault));
                broken.for_each(|check| found(Finding::new(check.name, table, row, check.says)));
            }
        }
    }
    Ok(())
}

impl Check {
    fn holds_for(&self, table: &Table, row: &[ColumnValue], vault: &dyn Vault) -> bool {
        let fields =
            self.columns.iter().map(|column| table.position(column).and_then(|place| row.get(place)));
        fields.collect::<Option<Vec<_>>>().is_some_and(|fields| (self.holds)(&fields, vault))
    }
}
