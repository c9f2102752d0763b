//! Files that somebody made to do harm: each is refused with a word about what is wrong, and leaves nothing.

use crate::by_hand::{JANE, JANET, edited, sum, written};
use crate::{Database, checked, restore, told};

/// Changes the first line that holds `from`.
fn exchange(lines: &mut [String], from: &str, to: &str) {
    let line = lines.iter_mut().find(|line| line.contains(from)).unwrap();
    *line = line.replace(from, to);
}

const USERS: &str = r#"{"table":"users""#;
const END: &str = r#"{"end":"users","#;

fn place(lines: &[String], what: &str) -> usize {
    lines.iter().position(|line| line.starts_with(what)).unwrap()
}

/// That a file with right sums, its lines edited so, is refused with these words.
fn refused(says: &str, edit: impl FnOnce(&mut Vec<String>)) {
    let message = told(checked(&Database::new(), edited(1, &[JANE], edit).as_bytes()));
    assert!(message.starts_with("line ") && message.contains(says), "{says}: {message}");
}

#[tokio::test]
async fn lines_that_say_something_else_are_refused() {
    let (sum, another) = (sum(&[JANE]), sum(&[JANET]));
    for (says, from, to) in [
        ("expected, not people", USERS, r#"{"table":"people""#),
        ("with its columns", r#"["email_key","text"]"#, r#"["password","text"]"#),
        ("with its columns", r#"["email_key","text"]"#, r#"["email_key","int"]"#),
        ("users are not as they were", r#""users","rows":1"#, r#""users","rows":1000000000000000000"#),
        ("not what must stand here", r#""users","rows":1"#, r#""users","rows":99999999999999999999999"#),
        ("users are not as they were", &sum, &another),
    ] {
        refused(says, |lines| exchange(lines, from, to));
    }
}

#[tokio::test]
async fn lines_that_are_too_many_or_too_few_are_refused() {
    // A table twice, and a table fewer.
    refused("not users", |lines| {
        let (from, to) = (place(lines, USERS), place(lines, END));
        let again = lines[from..=to].to_vec();
        lines.splice(to + 1..to + 1, again);
    });
    refused("expected, not user_tokens", |lines| drop(lines.drain(place(lines, USERS)..=place(lines, END))));
    for more in ["{}".to_owned(), String::new(), "{\"a\":".repeat(100_000)] {
        refused("not what must stand here", |lines| lines.insert(3, more));
    }
    refused("no row of table", |lines| lines.insert(place(lines, END), "[".repeat(100_000)));
}

#[tokio::test]
async fn a_row_that_is_none_of_its_table_is_refused() {
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
        let message = told(checked(&database, written(1, &[&row]).as_bytes()));
        assert!(message.contains("no row of table users"), "{row}: {message}");
    }
}

#[tokio::test]
async fn a_file_that_is_cut_or_goes_on_is_refused() {
    let database = Database::new();
    let whole = written(1, &[JANE]);
    let without = |end: &str| whole.strip_suffix(end).unwrap().as_bytes().to_vec();
    let and = |more: &[u8]| [whole.as_bytes(), more].concat();
    let last = whole[..whole.len() - 1].rfind('\n').unwrap() + 1;
    let mut foreign = whole.clone().into_bytes();
    let at = whole.find("jane@").unwrap();
    foreign[at] = 0xff;
    for (says, file) in [
        ("ends within a line", without("\n")),
        ("ends before its end", whole.as_bytes()[..last].to_vec()),
        ("goes on after its end", and(b"\n")),
        ("goes on after its end", and(whole.as_bytes())),
        ("ends within a line", and(b"garbage")),
        ("not UTF-8", foreign),
        ("not as it was written", whole.replace("\"created_at\":5", "\"created_at\":6").into_bytes()),
    ] {
        let message = told(checked(&database, &file));
        assert!(message.contains(says), "{says}: {message}");
    }
    for (from, to, says) in [
        ("\"version\":1", "\"version\":1.5", "version 1.5"),
        ("\"schema\":1", "\"schema\":0", "never was"),
        ("\"schema\":1", "\"schema\":-1", "never was"),
        ("\"schema\":1", "\"schema\":\"1\"", "not what must stand here"),
        ("\"schema\":1", "\"schema\":9223372036854775807", "use a newer one"),
    ] {
        let message = told(checked(&database, whole.replacen(from, to, 1).as_bytes()));
        assert!(message.contains(says), "{to}: {message}");
    }
}

#[tokio::test]
async fn rows_that_the_database_refuses_leave_it_empty() {
    let database = Database::new();
    let store = database.open();
    let same_id = JANE.replace("jane@", "june@");
    let nameless = JANE.replacen("\"jane@example.com\"", "null", 1);
    for (says, users) in [
        ("a row of table users is refused: constraint users_pkey", [JANE, &same_id].as_slice()),
        ("a row of table users is refused: constraint users_email", &[JANE, JANET]),
        ("a row of table users is refused", &[&nameless]),
    ] {
        let bad = checked(&database, written(1, users).as_bytes()).unwrap();
        let message = told(restore(&store, &bad, false).await);
        assert!(message.contains(says), "{message}");
        assert_eq!(database.dump(), Vec::<String>::new(), "{says}");
    }
}
