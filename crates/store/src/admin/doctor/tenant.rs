//! The checks of one organization that an import has filled and not revealed yet.

use tenantry_core::ids::OrganizationId;

use super::{Finding, anonymized, audit, metadata, queries};
use crate::error::unexpected;
use crate::schema::{Catalog, TENANT_TABLES};
use crate::{StoreError, Tx};

/// Checks that cannot hold before the last transaction of the import, by table and description, and why.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("team_members", "its user does not exist", "people are created last"),
    ("former_team_members", "its user does not exist", "people are created last"),
    ("audit_entries", "it is about a deleted user and contains personal data", "people are created last"),
    ("audit_entries", "it is by a deleted user and has a client", "people are created last"),
    (
        "organizations",
        "sub_account_count differs from the number of its sub-accounts",
        "sub-accounts are hidden",
    ),
    ("idempotency_records", "the owner of its key does not exist", "the owner is the organization"),
];

/// Runs every check between rows on the rows of one organization, and passes the first finding of each to `found`. The
/// values of the rows are not checked: see [`value_fault`](super::value_fault).
///
/// # Errors
/// When the database fails.
pub async fn inspect_import(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    mut found: impl FnMut(Finding),
) -> Result<(), StoreError> {
    let catalog = Catalog::now()?;
    for check in queries::CHECKS.iter().chain(audit::CHECKS) {
        let (name, description) = (check.rule.table, check.rule.description);
        let is_imported = TENANT_TABLES.iter().any(|table| table.name == name && table.is_exported());
        if !is_imported || NOT_YET.iter().any(|(table, of, _)| (*table, *of) == (name, description)) {
            continue;
        }
        let table = catalog.table(name).ok_or_else(|| unexpected(format!("no table {name}")))?;
        let fault = narrowed(check.fault, &catalog);
        let rows = tx.tenant_rows_where(table, (&fault, organization), None, 1).await?;
        rows.iter().for_each(|row| found(Finding::new(&check.rule, table, row)));
    }
    metadata::inspect(tx, &catalog, Some(organization), &mut found).await?;
    anonymized::inspect(tx, &catalog, Some(organization), &mut found).await
}

/// The condition with subqueries that read the rows of the organization alone, so that memory does not grow with the rows
/// of others. [`Tx::tenant_rows_where`] has the organization as `?2`. The table `organizations` stays, because a row names
/// its parent.
fn narrowed(fault: &str, catalog: &Catalog) -> String {
    let mut narrowed = fault.to_owned();
    for table in catalog.tables.iter().filter(|table| table.name != "organizations") {
        let Some(column) = table.tenant_column() else { continue };
        for word in ["FROM", "JOIN"] {
            let rows = format!("{word} (SELECT * FROM {} WHERE {} = ?2) AS ", table.name, column.name);
            narrowed = narrowed.replace(&format!("{word} {} AS ", table.name), &rows);
        }
    }
    narrowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subquery_reads_the_rows_of_one_organization() {
        let catalog = Catalog::now().unwrap();
        let whole = "t.id IN (SELECT c.id FROM credentials AS c EXCEPT SELECT u.id FROM users AS u)";
        let narrow = "t.id IN (SELECT c.id FROM (SELECT * FROM credentials WHERE organization_id = ?2) AS c \
            EXCEPT SELECT u.id FROM users AS u)";
        assert_eq!(narrowed(whole, &catalog), narrow);
        // A table without a name in the condition could be read whole.
        for check in queries::CHECKS.iter().chain(audit::CHECKS) {
            let words: Vec<&str> = check.fault.split_whitespace().collect();
            let tables = words.windows(3).filter(|words| ["FROM", "JOIN"].contains(&words[0]));
            let mut named = tables.filter(|words| catalog.table(words[1]).is_some());
            assert!(named.all(|words| words[2] == "AS"), "{}", check.fault);
        }
    }

    #[test]
    fn each_check_that_is_left_out_exists() {
        for (table, description, _) in NOT_YET {
            let is_known =
                super::super::rules().any(|rule| (rule.table, rule.description) == (*table, *description));
            assert!(is_known, "{table}: {description}");
        }
    }
}
