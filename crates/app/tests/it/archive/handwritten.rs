//! Backup files written by hand, as the documented format says.

use sha2::{Digest, Sha256};
use tenantry_store::Catalog;

/// A row of `users`, and another with the same address.
pub(crate) const JANE: &str = r#"["01a20011-44c7-4f64-8000-21a102c19d44",1,"jane@example.com","jane@example.com",null,null,null,null,null]"#;
pub(crate) const JANET: &str = r#"["01a20011-44c7-4f64-8000-21a102c19d45",1,"jane@example.com","jane@example.com",null,null,null,null,null]"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The sum of the SHA-256 of each line.
pub(crate) fn sum(rows: &[&str]) -> String {
    let mut sum = [0_u8; 32];
    for row in rows {
        let mut carry = 0;
        for (to, from) in sum.iter_mut().zip(Sha256::digest(row)).rev() {
            let total = u16::from(*to) + u16::from(from) + carry;
            (*to, carry) = ((total & 255) as u8, total >> 8);
        }
    }
    hex(&sum)
}

/// A backup of schema `schema` with these rows of `users` alone.
pub(crate) fn backup_of_users(schema: i64, users: &[&str]) -> String {
    edited(schema, users, |_| {})
}

/// The same, with lines edited before the last line with the right checksum is added.
pub(crate) fn edited(schema: i64, users: &[&str], edit: impl FnOnce(&mut Vec<String>)) -> String {
    let mut lines = vec![format!(
        r#"{{"format":"tenantry-backup","version":1,"schema":{schema},"created_at":5,"program":"0"}}"#
    )];
    let tables = Catalog::at(schema).unwrap().tables;
    for table in &tables {
        let columns: Vec<String> =
            table.columns.iter().map(|one| format!(r#"["{}","{}"]"#, one.name, one.kind.as_str())).collect();
        lines.push(format!(r#"{{"table":"{}","columns":[{}]}}"#, table.name, columns.join(",")));
        let rows = if table.name == "users" { users } else { &[] };
        lines.extend(rows.iter().map(|row| (*row).to_owned()));
        let (name, count, sum) = (&table.name, rows.len(), sum(rows));
        lines.push(format!(r#"{{"end":"{name}","rows":{count},"sha256":"{sum}"}}"#));
    }
    edit(&mut lines);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let digest = hex(&Sha256::digest(&text));
    let (tables, rows) = (tables.len(), users.len());
    format!("{text}{{\"tables\":{tables},\"rows\":{rows},\"sha256\":\"{digest}\"}}\n")
}
