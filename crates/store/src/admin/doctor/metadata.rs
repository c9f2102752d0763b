//! Checks that both copies of a customer's metadata agree. One is the JSON that responses show, the other has a row
//! for each key, for filters.

use std::collections::{BTreeMap, HashMap};

use tenantry_core::ids::OrganizationId;
use tenantry_core::values::Metadata;
use uuid::Uuid;

use super::{Batches, Finding, Rule};
use crate::admin::rows::ColumnValue;
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{StoreError, Tx};

pub(super) const RULE: Rule = Rule {
    invariant: "searchable customers",
    table: "customers",
    description: "customer_metadata differ from its metadata",
};

type Pairs = BTreeMap<String, String>;
/// Organization and id of a customer.
type CustomerRowKey = (Uuid, Uuid);

pub(super) async fn inspect(
    tx: &mut Tx<'_>,
    catalog: &Catalog,
    only: Option<OrganizationId>,
    found: &mut impl FnMut(Finding),
) -> Result<(), StoreError> {
    let table = catalog.table("customers").ok_or_else(|| unexpected("no table customers"))?;
    let [organization, id, metadata] = ["organization_id", "id", "metadata"].map(|name| table.position(name));
    let mut batches = Batches::new(table, "t.deleted_at IS NULL").of(only);
    while let Some(rows) = batches.next(tx).await? {
        let key_of = |row: &[ColumnValue]| match (field(row, organization), field(row, id)) {
            (Some(ColumnValue::Id(organization)), Some(ColumnValue::Id(id))) => Some((*organization, *id)),
            _ => None,
        };
        let ends = rows.first().and_then(|row| key_of(row)).zip(rows.last().and_then(|row| key_of(row)));
        let Some((first, last)) = ends else { continue };
        let mut stored = tx.customer_metadata_between(first, last).await?;
        for row in &rows {
            let indexed = key_of(row).and_then(|key| stored.remove(&key)).unwrap_or_default();
            // Metadata that cannot be parsed is a finding of `values`.
            let shown = field(row, metadata).and_then(shown);
            if shown.is_some_and(|shown| shown != indexed) {
                found(Finding::new(&RULE, table, row));
            }
        }
    }
    Ok(())
}

fn field(row: &[ColumnValue], position: Option<usize>) -> Option<&ColumnValue> {
    row.get(position?)
}

fn shown(field: &ColumnValue) -> Option<Pairs> {
    let ColumnValue::Text(text) = field else { return None };
    let metadata: Metadata = serde_json::from_str(text).ok()?;
    Some(metadata.iter().map(|(key, value)| (key.to_owned(), value.to_text())).collect())
}

impl Tx<'_> {
    /// The metadata rows of the customers from `first` to `last` in the order of their primary keys.
    async fn customer_metadata_between(
        &mut self,
        first: CustomerRowKey,
        last: CustomerRowKey,
    ) -> Result<HashMap<CustomerRowKey, Pairs>, StoreError> {
        let rows = self
            .all(
                "SELECT organization_id, customer_id, key, value FROM customer_metadata
                 WHERE (organization_id, customer_id) >= (?1, ?2) AND (organization_id, customer_id) <= (?3, ?4)",
                &[first.0.into(), first.1.into(), last.0.into(), last.1.into()],
                |row| Ok(((row.get(0)?, row.get(1)?), row.get::<String>(2)?, row.get::<String>(3)?)),
            )
            .await?;
        let mut found: HashMap<CustomerRowKey, Pairs> = HashMap::new();
        for (customer, key, value) in rows {
            found.entry(customer).or_default().insert(key, value);
        }
        Ok(found)
    }
}
