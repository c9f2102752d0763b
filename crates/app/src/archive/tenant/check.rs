//! Checks the rows of a file: the values of each before it is stored, and what holds between rows before any is shown.

use std::io::BufRead;

use tenantry_core::ids::OrganizationId;
use tenantry_store::{ColumnValue, RowValues, Store, Table, doctor};

use super::file::Reader;
use super::people::People;
use super::tables::{self, person_columns};
use crate::HashKey;
use crate::archive::ArchiveError;

/// Checks that the file declares the people whom a row of the file makes owners or members of a team, with their addresses.
pub(super) fn check_people<R: BufRead>(
    reader: &Reader<R>,
    people: &People,
    table: &Table,
    row: &RowValues,
) -> Result<(), ArchiveError> {
    for person in person_columns(table).filter(|person| person.is_declared) {
        let id = tables::id(table, row, person.column);
        if id.is_none_or(|id| !people.are_declared(id)) {
            let what = "the file does not declare this person";
            return Err(invalid(reader, table, person.column, what));
        }
    }
    // Most people are created after the checks of the doctor.
    let member = tables::id(table, row, "user_id").filter(|_| table.name == "team_members");
    if member.is_some_and(|id| people.email_key(id) != tables::text(table, row, "email_key")) {
        return Err(invalid(reader, table, "email", "it is not the address of this person"));
    }
    Ok(())
}

/// Checks the values of a row as it is to be stored, by the rules of the doctor. `key` opens its sealed values.
pub(super) fn check_values<R: BufRead>(
    reader: &Reader<R>,
    key: &HashKey,
    table: &Table,
    row: &RowValues,
) -> Result<(), ArchiveError> {
    if let Some(fault) = doctor::value_fault(table, row, key) {
        return Err(invalid(reader, table, fault.column, fault.description));
    }
    let purge = tables::value(table, row, "purge_began_at");
    if purge.is_some_and(|began| *began != ColumnValue::Null) {
        return Err(invalid(reader, table, "purge_began_at", "the organization is being purged"));
    }
    Ok(())
}

fn invalid<R: BufRead>(reader: &Reader<R>, table: &Table, column: &str, what: &str) -> ArchiveError {
    reader.damaged(format!("table {}, column {column}: {what}", table.name))
}

/// Checks what must hold between the stored rows of the organizations, by the rules of the doctor.
pub(super) async fn check_stored(
    store: &Store,
    organizations: impl Iterator<Item = OrganizationId>,
) -> Result<(), ArchiveError> {
    for organization in organizations {
        let mut first = None;
        let mut snapshot = store.snapshot().await?;
        doctor::inspect_import(&mut snapshot.tx()?, organization, |finding| {
            first.get_or_insert(finding);
        })
        .await?;
        if let Some(finding) = first {
            return Err(ArchiveError::RuleBroken(finding.to_string()));
        }
    }
    Ok(())
}
