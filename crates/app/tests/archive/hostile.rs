//! Files that somebody made to do harm: each is refused with a word about what is wrong, and leaves nothing.

use crate::by_hand::{JANE, JANET, edited, sum, written};
use crate::{Database, checked, restore, told};

/// Changes the first line that holds `from`.
fn exchange(lines: &mut [String], from: &str, to: &str) {
    let line = lines.iter_mut().find(|line| line.contains(from)).unwrap();
    *line = line.replace(from, to);
}

#[tokio::test]
async fn a_file_whose_sums_are_right_is_refused_for_what_is_in_it() {
    let database = Database::new();
    let users = r#"{"table":"users""#;
    let end = r#"{"end":"users","#;
    let place = |lines: &[String], what: &str| lines.iter().position(|line| line.starts_with(what)).unwrap();
    type Edit<'a> = Box<dyn FnOnce(&mut Vec<String>) + 'a>;
    let cases: Vec<(&str, &str, Edit<'_>)> = vec![
        (
            "a table twice",
            "not users",
            Box::new(|lines| {
                let (from, to) = (place(lines, users), place(lines, end));
                let again = lines[from..=to].to_vec();
                lines.splice(to + 1..to + 1, again);
            }),
        ),
        (
            "a table fewer",
            "expected, not user_tokens",
            Box::new(|lines| {
                let (from, to) = (place(lines, users), place(lines, end));
                lines.drain(from..=to);
            }),
        ),
        (
            "a table that is not known",
            "expected, not people",
            Box::new(|lines| {
                exchange(lines, users, r#"{"table":"people""#);
            }),
        ),
        (
            "a column that is not known",
            "with its columns",
            Box::new(|lines| {
                exchange(lines, r#"["email_key","text"]"#, r#"["password","text"]"#);
            }),
        ),
        (
            "a column of another kind",
            "with its columns",
            Box::new(|lines| {
                exchange(lines, r#"["email_key","text"]"#, r#"["email_key","int"]"#);
            }),
        ),
        (
            "a number of rows that is none",
            "users are not as they were",
            Box::new(|lines| {
                exchange(lines, r#""end":"users","rows":1"#, r#""end":"users","rows":1000000000000000000"#);
            }),
        ),
        (
            "a number of rows beyond all numbers",
            "not what must stand here",
            Box::new(|lines| {
                exchange(
                    lines,
                    r#""end":"users","rows":1"#,
                    r#""end":"users","rows":99999999999999999999999"#,
                );
            }),
        ),
        (
            "another sum",
            "users are not as they were",
            Box::new(|lines| {
                exchange(lines, &sum(&[JANE]), &sum(&[JANET]));
            }),
        ),
        (
            "something else",
            "not what must stand here",
            Box::new(|lines| {
                lines.insert(3, "{}".to_owned());
            }),
        ),
        ("nothing", "not what must stand here", Box::new(|lines| lines.insert(3, String::new()))),
        (
            "a deep line",
            "not what must stand here",
            Box::new(|lines| {
                lines.insert(3, "{\"a\":".repeat(100_000));
            }),
        ),
        (
            "a deep row",
            "no row of table",
            Box::new(|lines| {
                let at = place(lines, end);
                lines.insert(at, "[".repeat(100_000));
            }),
        ),
    ];
    for (name, says, edit) in cases {
        let message = told(checked(&database, edited(1, &[JANE], edit).as_bytes()));
        assert!(message.starts_with("line ") && message.contains(says), "{name}: {message}");
    }
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
    let mut foreign = whole.clone().into_bytes();
    let at = whole.find("jane@").unwrap();
    foreign[at] = 0xff;
    for (says, file) in [
        ("ends within a line", without("\n")),
        (
            "ends before its end",
            whole[..whole[..whole.len() - 1].rfind('\n').unwrap() + 1].as_bytes().to_vec(),
        ),
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
    let nameless = JANE.replacen("\"jane@example.com\"", "null", 1);
    for (says, users) in [
        ("a row of table users is refused: constraint users_pkey", [JANE, JANE].as_slice()),
        ("a row of table users is refused: constraint users_email", &[JANE, JANET]),
        ("a row of table users is refused", &[&nameless]),
    ] {
        let bad = checked(&database, written(1, users).as_bytes()).unwrap();
        let message = told(restore(&store, &bad, false).await);
        assert!(message.contains(says), "{message}");
        assert_eq!(database.dump(), Vec::<String>::new(), "{says}");
    }
}
