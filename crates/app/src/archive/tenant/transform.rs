//! Changes the rows of a file into those of this installation: the ids of people, sealed secrets, and the state of
//! queues.

use tenantry_core::webhook::SigningSecret;
use tenantry_store::{ColumnValue, HIDDEN_AT, RowValues, Table, Vault};
use uuid::Uuid;

use super::people::People;
use super::tables::{self, SealedColumn, person_columns};
use crate::archive::ArchiveError;
use crate::{HashKey, secrets};

/// The treatment of the secrets of webhook endpoints.
pub(super) enum Seals {
    /// This installation has the key of the file.
    Same,
    /// They are sealed by the transfer key.
    Transfer(HashKey),
    /// Each endpoint gets a new secret.
    New,
    /// The import is refused when the file contains such a secret.
    Refuse,
}

/// The changes of one import.
pub(super) struct Transform {
    pub(super) hash_key: HashKey,
    /// Whether this installation has the key of the source.
    pub(super) has_key: bool,
    pub(super) seals: Seals,
    /// The endpoints that got a new secret.
    pub(super) new_secrets: Vec<Uuid>,
    /// The tokens whose secret does not work here.
    pub(super) lost_tokens: Vec<Uuid>,
}

impl Transform {
    /// Changes a row.
    pub(super) fn apply(
        &mut self,
        people: &People,
        table: &Table,
        row: &mut RowValues,
    ) -> Result<(), ArchiveError> {
        for person in person_columns(table) {
            replace_person(people, table, row, person.column);
        }
        match table.name.as_str() {
            "organizations" => {
                tables::set(table, row, "deleted_at", ColumnValue::Int(HIDDEN_AT.as_micros()));
                // Passkeys stay in the source: nobody of the team could sign in here.
                tables::set(table, row, "passkey_required_at", ColumnValue::Null);
            }
            "access_tokens" if !self.has_key => self.note_token(table, row),
            "webhook_queues" => {
                // The import marks pending events as failed before its end, because the source sends them.
                tables::set(table, row, "due_at", ColumnValue::Null);
                tables::set(table, row, "leased_until", ColumnValue::Null);
            }
            "idempotency_records" if !self.has_key => drop_sealed_response(table, row),
            "audit_entries" => change_audit_entry(people, table, row),
            "webhook_events" => replace_ids(people, table, row, "data"),
            _ => {}
        }
        for sealed in tables::sealed_columns(table) {
            self.reseal(table, row, sealed)?;
        }
        Ok(())
    }

    fn note_token(&mut self, table: &Table, row: &RowValues) {
        if let Some(id) = tables::id(table, row, "id") {
            self.lost_tokens.retain(|lost| *lost != id);
            if matches!(tables::value(table, row, "deleted_at"), Some(ColumnValue::Null)) {
                self.lost_tokens.push(id);
            }
        }
    }

    fn reseal(
        &mut self,
        table: &Table,
        row: &mut RowValues,
        column: &SealedColumn,
    ) -> Result<(), ArchiveError> {
        let (Some(id), Some(ColumnValue::Bytes(sealed))) =
            (tables::id(table, row, "id"), tables::value(table, row, column.column))
        else {
            return Ok(());
        };
        let context = (column.context)(id);
        let text = match &self.seals {
            Seals::Same => Vault::open(&self.hash_key, &context, sealed),
            Seals::Transfer(key) => Vault::open(key, &context, sealed),
            Seals::New => {
                if !self.new_secrets.contains(&id) {
                    self.new_secrets.push(id);
                }
                if !column.is_renewable {
                    for column in [Some(column.column), column.companion].into_iter().flatten() {
                        tables::set(table, row, column, ColumnValue::Null);
                    }
                    return Ok(());
                }
                Some(SigningSecret::from_random(secrets::random()).as_str().as_bytes().to_vec())
            }
            Seals::Refuse => {
                return Err(ArchiveError::Conflict(
                    "the secrets of webhook endpoints are sealed by the key of the source: export with \
                     --transfer-key-file, or import with --new-webhook-secrets"
                        .to_owned(),
                ));
            }
        };
        let text = text.ok_or_else(|| {
            ArchiveError::Conflict(format!("the secret of {} {id} cannot be opened with the key", table.name))
        })?;
        if !matches!(self.seals, Seals::Same) {
            let sealed = Vault::seal(&self.hash_key, &context, &text).unwrap_or_default();
            tables::set(table, row, column.column, ColumnValue::Bytes(sealed));
        }
        Ok(())
    }
}

/// Changes the primary key of a row.
pub(super) fn change_key(people: &People, table: &Table, key: &mut RowValues) {
    for person in person_columns(table) {
        replace_person(people, &tables::keys_of(table), key, person.column);
    }
}

/// The ids of people that a row names beside those that the file must declare.
pub(super) fn named_people(table: &Table, row: &RowValues) -> Vec<Uuid> {
    let columns: Vec<&str> = match table.name.as_str() {
        "audit_entries" => people_of_entry(table, row),
        _ => person_columns(table).map(|person| person.column).collect(),
    };
    columns.into_iter().filter_map(|column| tables::id(table, row, column)).collect()
}

/// The columns of an audit entry that name people.
fn people_of_entry(table: &Table, row: &RowValues) -> Vec<&'static str> {
    let is_by_person = tables::text(table, row, "actor_kind") == Some("user");
    let is_about_person = tables::text(table, row, "action")
        .is_some_and(|action| action.starts_with("team_member.") || action.starts_with("user."));
    let columns = [("actor_id", is_by_person), ("subject_id", is_about_person)];
    columns.into_iter().filter(|(_, is_person)| *is_person).map(|(column, _)| column).collect()
}

fn replace_person(people: &People, table: &Table, row: &mut RowValues, column: &str) {
    if let Some(id) = tables::id(table, row, column) {
        tables::set(table, row, column, ColumnValue::Id(people.id(id)));
    }
}

fn replace_ids(people: &People, table: &Table, row: &mut RowValues, column: &str) {
    if let Some(ColumnValue::Text(text)) = table.position(column).and_then(|place| row.get_mut(place)) {
        people.replace_ids(text);
    }
}

/// Replaces the ids of people among actor, subject and images. The client of a person whom the file does not declare, and
/// who was therefore deleted, is removed.
fn change_audit_entry(people: &People, table: &Table, row: &mut RowValues) {
    let is_by_person = tables::text(table, row, "actor_kind") == Some("user");
    if is_by_person && tables::id(table, row, "actor_id").is_some_and(|actor| !people.are_declared(actor)) {
        for column in ["client_address", "user_agent"] {
            tables::set(table, row, column, ColumnValue::Null);
        }
    }
    for column in people_of_entry(table, row) {
        replace_person(people, table, row, column);
    }
    for column in ["before", "after"] {
        replace_ids(people, table, row, column);
    }
}

/// Removes the response stored for an idempotency key if the key of the source seals it.
fn drop_sealed_response(table: &Table, row: &mut RowValues) {
    if matches!(tables::value(table, row, "response_expires_at"), Some(ColumnValue::Int(_))) {
        tables::set(table, row, "status", ColumnValue::Int(0));
        tables::set(table, row, "body", ColumnValue::Bytes(Vec::new()));
        tables::set(table, row, "response_expires_at", ColumnValue::Null);
    }
}
