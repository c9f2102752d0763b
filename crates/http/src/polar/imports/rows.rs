//! Reads the rows of an imported file. A row has the fields of the body that creates a customer, and `members`.

use std::ops::Range;

use serde_json::Value;
use tenantry_app::imports::{Fault, ImportFields, ImportRow, ImportSettings};
use tenantry_core::customer::{ImportFormat, NewCustomer, OnMatch};
use tenantry_core::member::NewMember;

use super::{file, table};
use crate::limits;
use crate::polar::customers::wire::{CustomerCreateBody, CustomerUpdateBody};
use crate::polar::members::wire::{CustomerMemberCreateBody, new_member};
use crate::wire::{List, Validation, Violation, Wire};

/// The rows of a chunk of a file that have these numbers, from 0, and whether the chunk ends with them.
#[must_use]
pub fn read_import_rows(
    settings: &ImportSettings,
    content: &[u8],
    wanted: Range<usize>,
) -> (Vec<ImportRow>, bool) {
    let separators = (settings.format == ImportFormat::Csv).then(|| table::separator(&settings.columns));
    let rows = file::rows(content, file::Scanner::new(separators));
    let mut rows = rows.skip(wanted.start);
    let read = rows.by_ref().take(wanted.len());
    let read = read.map(|row| ImportRow { content: fields(settings, row) }).collect();
    (read, rows.next().is_none())
}

fn fields(settings: &ImportSettings, row: &[u8]) -> Result<ImportFields, Vec<Fault>> {
    let fault = |message: &str| vec![Fault::new("", message)];
    let text = str::from_utf8(row).map_err(|_| fault("the row is not UTF-8"))?;
    let value = match settings.format {
        ImportFormat::Csv => table::object(&settings.columns, text)?,
        ImportFormat::JsonLines => serde_json::from_str(text).map_err(|_| fault("the row is not JSON"))?,
    };
    let Some(object) = value.as_object() else { return Err(fault("the row is not a JSON object")) };
    if object.get("organization_id").is_some_and(|id| !id.is_null()) {
        return Err(vec![Fault::new("organization_id", "a row names no organization")]);
    }
    let members = members(object.get("members"))?;
    let change = match settings.on_match {
        OnMatch::Update => Some(read::<CustomerUpdateBody>(&value)?.change()),
        OnMatch::Skip | OnMatch::Fail => None,
    };
    let new = new(&value);
    match (new, &change) {
        (Err(faults), None) => Err(faults),
        (new, _) => Ok(ImportFields { new, change, members }),
    }
}

fn new(value: &Value) -> Result<NewCustomer, Vec<Fault>> {
    let (_, new) = read::<CustomerCreateBody>(value)?.split();
    Ok(new)
}

fn members(value: Option<&Value>) -> Result<Vec<NewMember>, Vec<Fault>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Ok(Vec::new()) };
    let mut at = Validation::default();
    let read = at.within("members", |at| {
        List::<CustomerMemberCreateBody, { limits::IMPORT_MEMBERS }>::read(value, at)
    });
    let List(members) = valid(read, at)?;
    let member = |CustomerMemberCreateBody { email, name, external_id, role }| {
        new_member(email, name, external_id, role)
    };
    Ok(members.into_iter().map(member).collect())
}

fn read<T: Wire>(value: &Value) -> Result<T, Vec<Fault>> {
    let mut at = Validation::default();
    let read = T::read(value, &mut at);
    valid(read, at)
}

fn valid<T>(read: Option<T>, at: Validation) -> Result<T, Vec<Fault>> {
    match read {
        Some(read) if at.is_clean() => Ok(read),
        _ => Err(at.into_found().into_iter().map(fault).collect()),
    }
}

fn fault(violation: Violation) -> Fault {
    let steps: Vec<String> = violation.loc.iter().map(String::from).collect();
    // The kind of the customer is no field.
    let steps = match steps.split_first() {
        Some((first, rest)) if first == "individual" || first == "team" => rest,
        _ => steps.as_slice(),
    };
    let message = violation.msg.strip_prefix("Value error, ").unwrap_or(&violation.msg);
    Fault::new(steps.join("."), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(on_match: OnMatch, text: &str, wanted: Range<usize>) -> (Vec<ImportRow>, bool) {
        let (format, columns) = (ImportFormat::JsonLines, String::new());
        let settings = ImportSettings { format, columns, on_match, is_dry_run: false };
        read_import_rows(&settings, text.as_bytes(), wanted)
    }

    fn rows(on_match: OnMatch, text: &str) -> Vec<ImportRow> {
        read(on_match, text, 0..100).0
    }

    #[test]
    fn some_rows_of_a_chunk_are_read() {
        let text = "{}\n\n{\"email\":\"a@example.com\"}\n{}\n";
        let read = |wanted| {
            let (rows, is_end) = read(OnMatch::Fail, text, wanted);
            (rows.iter().map(|row| row.content.is_ok()).collect::<Vec<_>>(), is_end)
        };
        assert_eq!(read(0..1), (vec![false], false));
        assert_eq!(read(1..2), (vec![true], false));
        assert_eq!(read(1..3), (vec![true, false], true));
        assert_eq!(read(3..9), (vec![], true));
    }

    #[test]
    fn a_row_is_read_as_a_single_creation_is() {
        let text = "{\"email\":\"Ada@Example.com\",\"name\":\" Ada \",\"members\":[{\"email\":\"b@example.com\"}]}\n\n[]\n{\"email\":1}\nx\n";
        let rows = rows(OnMatch::Fail, text);
        assert_eq!(rows.len(), 4);
        let first = rows[0].content.as_ref().unwrap();
        let new = first.new.as_ref().unwrap();
        assert_eq!(new.name.as_ref().unwrap().as_str(), "Ada");
        assert_eq!(first.members.len(), 1);
        let fields: Vec<&str> =
            rows[1..].iter().map(|row| row.content.as_ref().unwrap_err()[0].field.as_str()).collect();
        assert_eq!(fields, ["", "email", ""]);
    }

    #[test]
    fn a_row_that_creates_nothing_can_change_a_customer() {
        let text = "{\"external_id\":\"a\",\"name\":null}\n{\"email\":\"x\"}\n";
        let rows = rows(OnMatch::Update, text);
        let first = rows[0].content.as_ref().unwrap();
        assert!(first.new.is_err() && first.change.is_some());
        assert!(rows[1].content.is_err());
    }
}
