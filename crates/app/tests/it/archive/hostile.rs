//! Malicious backup files: each is refused with a message about the problem, and the database stays empty.

use super::handwritten::{JANE, JANET, backup_of_users, edited, sum};
use super::{Database, message, restore, verified};

/// Replaces `from` in the first line that contains it.
fn replace_first(lines: &mut [String], from: &str, to: &str) {
    let line = lines.iter_mut().find(|line| line.contains(from)).unwrap();
    *line = line.replace(from, to);
}

const USERS: &str = r#"{"table":"users""#;
const END: &str = r#"{"end":"users","#;

fn place(lines: &[String], what: &str) -> usize {
    lines.iter().position(|line| line.starts_with(what)).unwrap()
}

/// Asserts that a file with edited lines and a right last line is refused with this message.
fn refused(expected: &str, edit: impl FnOnce(&mut Vec<String>)) {
    let text = message(verified(&Database::new(), edited(1, &[JANE], edit).as_bytes()));
    assert!(text.starts_with("line ") && text.contains(expected), "{expected}: {text}");
}

#[tokio::test]
async fn lines_with_other_content_are_refused() {
    let (sum, another) = (sum(&[JANE]), sum(&[JANET]));
    for (expected, from, to) in [
        ("expected, not people", USERS, r#"{"table":"people""#),
        ("with its columns", r#"["email_key","text"]"#, r#"["password","text"]"#),
        ("with its columns", r#"["email_key","text"]"#, r#"["email_key","int"]"#),
        ("users do not match", r#""users","rows":1"#, r#""users","rows":1000000000000000000"#),
        ("not of the expected kind", r#""users","rows":1"#, r#""users","rows":99999999999999999999999"#),
        ("users do not match", &sum, &another),
    ] {
        refused(expected, |lines| replace_first(lines, from, to));
    }
}

#[tokio::test]
async fn surplus_and_missing_lines_are_refused() {
    // A table twice, and a table fewer.
    refused("not users", |lines| {
        let (from, to) = (place(lines, USERS), place(lines, END));
        let again = lines[from..=to].to_vec();
        lines.splice(to + 1..to + 1, again);
    });
    refused("expected, not user_tokens", |lines| drop(lines.drain(place(lines, USERS)..=place(lines, END))));
    for more in ["{}".to_owned(), String::new(), "{\"a\":".repeat(100_000)] {
        refused("not of the expected kind", |lines| lines.insert(3, more));
    }
    refused("not a row of table", |lines| lines.insert(place(lines, END), "[".repeat(100_000)));
}

#[tokio::test]
async fn a_row_that_does_not_fit_its_table_is_refused() {
    let database = Database::new();
    for (from, to) in [
        ("1,", "\"1\","),
        ("1,", "1.0,"),
        ("1,", "true,"),
        ("1,", "18446744073709551616,"),
        ("01a20011-44c7-4f64-8000-21a102c19d44", "jane"),
        ("01a20011-44c7-4f64-8000-21a102c19d44", "01a2001144c74f64800021a102c19d44"),
        ("01a20011-44c7-4f64-8000-21a102c19d44", "01A20011-44C7-4F64-8000-21A102C19D44"),
        ("null", "null,null"),
        (",null", ""),
        ("null", "\"a\\u0000b\""),
        ("null", "\"\\ud800\""),
        ("null]", "null] "),
    ] {
        let row = JANE.replacen(from, to, 1);
        let text = message(verified(&database, backup_of_users(1, &[&row]).as_bytes()));
        assert!(text.contains("not a row of table users"), "{row}: {text}");
    }
}

#[tokio::test]
async fn a_truncated_or_extended_file_is_refused() {
    let database = Database::new();
    let whole = backup_of_users(1, &[JANE]);
    let without = |end: &str| whole.strip_suffix(end).unwrap().as_bytes().to_vec();
    let and = |more: &[u8]| [whole.as_bytes(), more].concat();
    let last = whole[..whole.len() - 1].rfind('\n').unwrap() + 1;
    let mut foreign = whole.clone().into_bytes();
    let at = whole.find("jane@").unwrap();
    foreign[at] = 0xff;
    for (expected, file) in [
        ("ends within a line", without("\n")),
        ("ends before its last line", whole.as_bytes()[..last].to_vec()),
        ("continues after its last line", and(b"\n")),
        ("continues after its last line", and(whole.as_bytes())),
        ("ends within a line", and(b"garbage")),
        ("not UTF-8", foreign),
        ("does not match its checksum", whole.replace("\"created_at\":5", "\"created_at\":6").into_bytes()),
    ] {
        let text = message(verified(&database, &file));
        assert!(text.contains(expected), "{expected}: {text}");
    }
    for (from, to, expected) in [
        ("\"version\":1", "\"version\":1.5", "version 1.5"),
        ("\"schema\":1", "\"schema\":0", "does not exist"),
        ("\"schema\":1", "\"schema\":-1", "does not exist"),
        ("\"schema\":1", "\"schema\":\"1\"", "not of the expected kind"),
        ("\"schema\":1", "\"schema\":9223372036854775807", "use a newer program"),
    ] {
        let text = message(verified(&database, whole.replacen(from, to, 1).as_bytes()));
        assert!(text.contains(expected), "{to}: {text}");
    }
}

#[tokio::test]
async fn rows_that_the_database_refuses_leave_it_empty() {
    let database = Database::new();
    let store = database.open();
    let same_id = JANE.replace("jane@", "june@");
    let nameless = JANE.replacen("\"jane@example.com\"", "null", 1);
    for (expected, users) in [
        ("the database refuses a row of table users: constraint users_pkey", [JANE, &same_id].as_slice()),
        ("the database refuses a row of table users: constraint users_email", &[JANE, JANET]),
        ("the database refuses a row of table users", &[&nameless]),
    ] {
        let bad = verified(&database, backup_of_users(1, users).as_bytes()).unwrap();
        let text = message(restore(&store, &bad, false).await);
        assert!(text.contains(expected), "{text}");
        assert_eq!(database.dump(), Vec::<String>::new(), "{expected}");
    }
}
