//! Checks that audit entries and webhook events contain no personal data of an anonymized customer.

use serde_json::{Map, Value};
use tenantry_core::customer::AnonymousIdentity;
use tenantry_core::ids::OrganizationId;

use super::{Batches, Finding, Rule};
use crate::admin::rows::ColumnValue;
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{StoreError, Tx};

/// A table with JSON texts that can describe an anonymized customer.
struct TextTable {
    rule: Rule,
    /// The SQL condition for a row `t` about an anonymized customer or one of its members.
    condition: &'static str,
    columns: [&'static str; 2],
    /// For each column, the key of the JSON object that holds the customer; `None` if the text is the customer.
    object_key: [Option<&'static str>; 2],
}

const TABLES: [TextTable; 2] = [
    TextTable {
        rule: Rule {
            invariant: "anonymized",
            table: "audit_entries",
            description: "it contains personal data of an anonymized customer",
        },
        condition: "EXISTS (SELECT 1 FROM customers AS c
                WHERE c.organization_id = t.organization_id AND c.id = t.subject_id
                    AND c.anonymized_at IS NOT NULL)
             OR EXISTS (SELECT 1 FROM members AS m JOIN customers AS c
                    ON c.organization_id = m.organization_id AND c.id = m.customer_id
                WHERE m.organization_id = t.organization_id AND m.id = t.subject_id
                    AND c.anonymized_at IS NOT NULL)",
        columns: ["before", "after"],
        object_key: [None, None],
    },
    TextTable {
        rule: Rule {
            invariant: "anonymized",
            table: "webhook_events",
            description: "it contains personal data of an anonymized customer",
        },
        condition: "(t.data IS NOT NULL OR t.payload IS NOT NULL) AND EXISTS (SELECT 1 FROM customers AS c
                WHERE c.organization_id = t.organization_id AND c.id = t.subject_id
                    AND c.anonymized_at IS NOT NULL)",
        columns: ["data", "payload"],
        object_key: [Some("row"), Some("data")],
    },
];

pub(super) fn rules() -> impl Iterator<Item = Rule> {
    TABLES.iter().map(|table| table.rule)
}

pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    catalog: &Catalog,
    only: Option<OrganizationId>,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    for TextTable { rule, condition, columns, object_key } in &TABLES {
        let table = catalog.table(rule.table).ok_or_else(|| unexpected("no such table"))?;
        let positions = columns.map(|column| table.position(column));
        let mut batches = Batches::new(table, condition).of(only);
        while let Some(rows) = batches.next(tx).await? {
            for row in rows {
                let texts = positions.iter().map(|position| position.and_then(|index| row.get(index)));
                if texts
                    .zip(object_key)
                    .any(|(text, object_key)| text.is_some_and(|text| is_personal(text, *object_key)))
                {
                    found(Finding::new(rule, table, &row));
                }
            }
        }
    }
    Ok(())
}

fn is_personal(field: &ColumnValue, object_key: Option<&str>) -> bool {
    let ColumnValue::Text(text) = field else { return false };
    // Only JSON objects are inspected. Payloads in other formats are plain messages for people.
    let Ok(Value::Object(whole)) = serde_json::from_str(text) else { return false };
    match object_key.map(|key| whole.get(key)) {
        None => has_personal_data(&whole),
        Some(Some(Value::Object(row))) => has_personal_data(row),
        Some(_) => false,
    }
}

/// Whether a customer or member, as JSON, contains personal data. The name of a company is not personal data.
fn has_personal_data(row: &Map<String, Value>) -> bool {
    let is_company = row.get("tax_id").is_some_and(|tax_id| !tax_id.is_null());
    row.iter().any(|(key, value)| match (key.as_str(), value) {
        (_, Value::Null) => false,
        ("email" | "owner_email", Value::String(text)) => !AnonymousIdentity::is_address(text),
        ("name", Value::String(text)) => !is_company && !AnonymousIdentity::is_name(text),
        ("billing_name", Value::String(text)) => !AnonymousIdentity::is_name(text),
        ("billing_address", _) => true,
        _ => false,
    })
}

/// Whether the row of an anonymized customer still contains personal data.
pub(super) fn row_has_personal_data(email: &ColumnValue, name: &ColumnValue, billing: &ColumnValue) -> bool {
    let mut row = match billing {
        ColumnValue::Text(text) => serde_json::from_str::<Map<String, Value>>(text).unwrap_or_default(),
        _ => Map::new(),
    };
    for (from, to) in [("name", "billing_name"), ("address", "billing_address")] {
        if let Some(value) = row.remove(from) {
            row.insert(to.to_owned(), value);
        }
    }
    for (key, field) in [("email", email), ("name", name)] {
        if let ColumnValue::Text(text) = field {
            row.insert(key.to_owned(), Value::from(text.as_str()));
        }
    }
    has_personal_data(&row)
}
