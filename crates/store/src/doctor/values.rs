//! Invariants within a row that SQL cannot tell: what its values mean.

use std::fmt::Display;

use tenantry_core::mail::Letter;
use tenantry_core::organization::{OrganizationStatus, Profile};
use tenantry_core::team::TeamRole;
use tenantry_core::token::{Scopes, SecretKind};
use tenantry_core::values::{Metadata, email_key};
use tenantry_core::webhook::{EventData, EventType};

use super::{Finding, Parts};
use crate::catalogue::{Catalogue, Table};
use crate::rows::Field;
use crate::{StoreError, Tx, Vault};

/// A check of two values of a row: those of `columns`.
pub(super) struct Check {
    pub(super) name: &'static str,
    table: &'static str,
    columns: [&'static str; 2],
    holds: fn(&Field, &Field, &dyn Vault) -> bool,
    says: &'static str,
}

const ADDRESS: &str = "its address has another key";
const SEALED: &str = "a secret in it cannot be opened with the key";
const UNREADABLE: &str = "a value of it is none that this program knows";

const fn address(name: &'static str, table: &'static str, columns: [&'static str; 2]) -> Check {
    Check { name, table, columns, holds: keyed, says: ADDRESS }
}

const fn sealed(table: &'static str, column: &'static str) -> Check {
    Check { name: "sealed on the way", table, columns: ["id", column], holds: opens, says: SEALED }
}

const fn readable(
    table: &'static str,
    column: &'static str,
    holds: fn(&Field, &Field, &dyn Vault) -> bool,
) -> Check {
    Check { name: "readable", table, columns: [column, column], holds, says: UNREADABLE }
}

#[rustfmt::skip]
pub(super) const CHECKS: &[Check] = &[
    address("one person", "users", ["email", "email_key"]),
    address("one address", "customers", ["email", "email_key"]),
    address("one address", "members", ["email", "email_key"]),
    address("one address", "email_updates", ["email", "email_key"]),
    address("one address", "mails", ["recipient", "recipient_key"]),
    sealed("webhook_endpoints", "secret"),
    sealed("mails", "sealed_secret"),
    readable("organizations", "status", |f, _, _| text(f, |text| OrganizationStatus::from_name(text).is_some())),
    readable("organizations", "profile", |f, _, _| text(f, |text| reads(serde_json::from_str::<Profile>(text)))),
    readable("team_members", "role", |f, _, _| text(f, |text| TeamRole::from_name(text).is_some())),
    readable("credentials", "kind", |f, _, _| text(f, |text| SecretKind::from_name(text).is_some())),
    readable("access_tokens", "scopes", |f, _, _| text(f, |text| reads(serde_json::from_str::<Scopes>(text)))),
    readable("user_tokens", "scopes", |f, _, _| text(f, |text| reads(serde_json::from_str::<Scopes>(text)))),
    readable("customers", "metadata", |f, _, _| text(f, |text| reads(serde_json::from_str::<Metadata>(text)))),
    readable("webhook_endpoints", "events",
        |f, _, _| text(f, |text| reads(serde_json::from_str::<Vec<EventType>>(text)))),
    readable("webhook_events", "type", |f, _, _| text(f, |text| EventType::from_name(text).is_some())),
    readable("webhook_events", "data", |f, _, _| text(f, |text| reads(EventData::from_image(text)))),
    readable("mails", "letter", |f, _, _| text(f, |text| reads(serde_json::from_str::<Letter>(text)))),
];

fn reads<T, E: Display>(parsed: Result<T, E>) -> bool {
    parsed.is_ok()
}

/// Nothing is what any column may hold that may be null; the database sees to that.
fn text(field: &Field, holds: impl FnOnce(&str) -> bool) -> bool {
    match field {
        Field::Null => true,
        Field::Text(text) => holds(text),
        _ => false,
    }
}

fn keyed(address: &Field, key: &Field, _: &dyn Vault) -> bool {
    match (address, key) {
        (Field::Null, Field::Null) => true,
        (Field::Text(address), Field::Text(key)) => email_key(address) == *key,
        _ => false,
    }
}

fn opens(id: &Field, sealed: &Field, vault: &dyn Vault) -> bool {
    match (id, sealed) {
        (_, Field::Null) => true,
        (Field::Id(id), Field::Bytes(sealed)) => vault.open(id.as_bytes(), sealed).is_some(),
        _ => false,
    }
}

pub(super) async fn examine(
    tx: &mut Tx<'_>,
    catalogue: &Catalogue,
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
    fn holds_for(&self, table: &Table, row: &[Field], vault: &dyn Vault) -> bool {
        let [first, second] = self.columns.map(|column| table.place(column).and_then(|place| row.get(place)));
        first.zip(second).is_some_and(|(first, second)| (self.holds)(first, second, vault))
    }
}
