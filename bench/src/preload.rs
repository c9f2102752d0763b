//! Adds members to tenantry's SQLite database with SQL, which is faster than through its API.
//!
//! It depends on the schema of the members and of the two places where they are counted. The server must be
//! stopped.

use rusqlite::params;

use crate::Error;
use crate::prototype::connect;

/// Copies the newest plain member `count` times and updates the member counts. The copies have the external ids
/// `preloaded-1` and so on.
pub fn members(path: &str, count: u64) -> Result<(), Error> {
    let mut connection = connect(path)?;
    let transaction = connection.transaction()?;
    let (row, id): (i64, [u8; 16]) = transaction.query_row(
        "SELECT rowid, id FROM members WHERE role = 'member' AND deleted_at IS NULL ORDER BY id DESC LIMIT 1",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let mut copy = transaction.prepare(
        "INSERT INTO members (organization_id, id, customer_id, created_at, email, email_key, external_id, role,
            is_of_individual)
         SELECT organization_id, ?2, customer_id, created_at, ?3 || '@example.com', ?3 || '@example.com', ?3, role,
            is_of_individual
         FROM members WHERE rowid = ?1",
    )?;
    for number in 1..=count {
        let earlier = u128::from_be_bytes(id) - (u128::from(number) << 80);
        copy.execute(params![row, earlier.to_be_bytes(), format!("preloaded-{number}")])?;
    }
    drop(copy);
    let counters = [
        "UPDATE row_counters SET row_count = row_count + ?2
         WHERE counter = 'customer_members' AND bucket = 0
             AND (organization_id, subject_id) = (SELECT organization_id, customer_id FROM members WHERE rowid = ?1)",
        "UPDATE row_counters SET row_count = row_count + ?2
         WHERE counter = 'members' AND bucket = 0
             AND organization_id = (SELECT organization_id FROM members WHERE rowid = ?1)",
    ];
    for sql in counters {
        if transaction.execute(sql, params![row, i64::try_from(count)?])? != 1 {
            return Err(
                "a member count was not found: the schema has changed since this preload was written".into(),
            );
        }
    }
    Ok(transaction.commit()?)
}
