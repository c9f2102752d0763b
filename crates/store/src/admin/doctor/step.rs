//! The doctor's work in steps. A command runs all of them in one snapshot. A server that answers requests meanwhile runs
//! each as a list query of its own, which ends when it takes too long.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::ids::OrganizationId;
use uuid::Uuid;

use super::check::Check;
use super::{Finding, Rule, anonymized, audit, metadata, queries, values};
use crate::error::unexpected;
use crate::schema::Catalog;
use crate::{ListQuery, StoreError, Tx};

/// Findings of one step that a report names.
const NAMED: usize = 10;

#[derive(Clone, Copy)]
enum Work {
    /// SQLite's own check of its file, because damage need not show in the rows.
    File,
    /// A condition on rows.
    Query(&'static Check),
    /// The values of a table's rows.
    Values(&'static str),
    Metadata,
    Anonymized,
}

/// A part of the doctor's work.
#[derive(Clone, Copy)]
pub struct Step(Work);

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepReport {
    /// The number of findings of each invariant that is broken.
    pub counts: BTreeMap<&'static str, u64>,
    /// Some of the findings, one a line.
    pub named: Vec<String>,
}

/// All steps.
#[must_use]
pub fn steps(catalog: &Catalog) -> Vec<Step> {
    let conditions = queries::CHECKS.iter().chain(audit::CHECKS).map(Work::Query);
    // Each name is that of a check, which lives as long as the program.
    let tables = catalog.tables.iter().filter_map(|table| values::checks_of(&table.name).next());
    let tables = tables.map(|check| Work::Values(check.rule.table));
    let last = [Work::Metadata, Work::Anonymized];
    [Work::File].into_iter().chain(conditions).chain(tables).chain(last).map(Step).collect()
}

impl Step {
    /// The invariants that the step checks, and how many checks it has of each.
    #[must_use]
    pub fn checks(self) -> BTreeMap<&'static str, usize> {
        let mut found = BTreeMap::new();
        let mut add = |rule: Rule| *found.entry(rule.invariant).or_default() += 1_usize;
        match self.0 {
            Work::File => {
                found.insert("intact file", 1);
            }
            Work::Query(check) => add(check.rule),
            Work::Values(table) => values::checks_of(table).for_each(|check| add(check.rule)),
            Work::Metadata => add(metadata::RULE),
            Work::Anonymized => anonymized::rules().for_each(add),
        }
        found
    }

    pub(super) async fn inspect(
        self,
        tx: &mut Tx<'_>,
        catalog: &Catalog,
        found: &mut impl FnMut(Finding),
    ) -> Result<(), StoreError> {
        match self.0 {
            Work::File => {
                for description in tx.file_faults().await? {
                    let (invariant, table) = ("intact file", "the file".to_owned());
                    found(Finding { invariant, table, key: Vec::new(), description });
                }
                Ok(())
            }
            Work::Query(check) => queries::inspect(tx, catalog, check, found).await,
            Work::Values(table) => {
                let table = catalog.table(table).ok_or_else(|| unexpected(format!("no table {table}")))?;
                values::inspect(tx, table, found).await
            }
            Work::Metadata => metadata::inspect(tx, catalog, None, found).await,
            Work::Anonymized => anonymized::inspect(tx, catalog, None, found).await,
        }
    }
}

impl ListQuery for Step {
    type Output = StepReport;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<StepReport, StoreError> {
        let catalog = Catalog::now()?;
        let in_purge: BTreeSet<Uuid> =
            tx.organizations_in_purge().await?.into_iter().map(OrganizationId::uuid).collect();
        let mut report = StepReport::default();
        let mut note = |finding: Finding| {
            if finding.is_about_any(&in_purge) {
                return;
            }
            *report.counts.entry(finding.invariant).or_default() += 1;
            if report.named.len() < NAMED {
                report.named.push(finding.to_string());
            }
        };
        self.inspect(tx, &catalog, &mut note).await?;
        Ok(report)
    }
}
