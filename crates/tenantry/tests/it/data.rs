//! Commands that move and check data.

use std::fs::{self, File};
use std::process::Stdio;

use crate::program::{Outcome, Site, finished};

#[test]
fn restore_reads_standard_input() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    let backup = site.succeed(&["backup", "-"]);
    fs::write(site.path().join("backup.jsonl"), backup).unwrap();
    let restore = ["restore", "-", "--database", "sqlite:new.db", "--secret-key-file", "tenantry.db.key"];
    let input = File::open(site.path().join("backup.jsonl")).unwrap();
    let outcome = finished(site.command(&restore).stdin(input));
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let list =
        ["organization", "list", "--database", "sqlite:new.db", "--secret-key-file", "tenantry.db.key"];
    assert!(site.succeed(&list).contains("acme"));
    let again = site.fail(&[
        "restore",
        "backup.jsonl",
        "--database",
        "sqlite:new.db",
        "--secret-key-file",
        "tenantry.db.key",
    ]);
    assert!(again.contains("is not empty") && again.contains("name a new one"), "{again}");
    let nothing = finished(&mut site.command(&["restore", "-", "--database", "sqlite:other.db"]));
    assert!(nothing.err.contains("standard input: "), "{}", nothing.err);
}

#[test]
fn an_import_prints_the_failed_rows_and_can_be_resumed() {
    let site = Site::new();
    site.succeed(&[
        "organization",
        "create",
        "--name",
        "Acme",
        "--slug",
        "acme",
        "--feature",
        "member_model_enabled",
    ]);
    fs::write(site.path().join("good.csv"), "email,name\na@example.com,A\nb@example.com,B\n").unwrap();
    let import = |arguments: &[&str]| {
        site.run(&[&["import", "customers", "--organization", "acme"], arguments].concat())
    };
    let dry = import(&["good.csv", "--dry-run"]);
    assert_eq!(dry.status, 0, "{}", dry.err);
    assert!(dry.out.starts_with("dry run: 2 of 2 rows: 2 created, "), "{}", dry.out);
    let done = import(&["good.csv", "--json"]);
    assert_eq!(done.status, 0, "{}", done.err);
    let done: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&done["created"], &done["failed"]), (&2.into(), &0.into()));
    let resumed = import(&["--resume", done["id"].as_str().unwrap()]);
    assert!(resumed.out.contains("2 of 2 rows: 2 created"), "{} {}", resumed.out, resumed.err);

    let lines = "{\"email\":\"c@example.com\"}\n{\"email\":\"A@example.com\"}\n{\"email\":\"x\"}\n";
    fs::write(site.path().join("some.jsonl"), lines).unwrap();
    let outcome = import(&["some.jsonl"]);
    assert_eq!(outcome.status, 3, "{}", outcome.err);
    assert!(
        outcome.out.contains("row 2: email: the e-mail address is taken\nrow 3: email: "),
        "{}",
        outcome.out
    );
    assert!(outcome.err.contains("2 rows failed") && outcome.err.contains("--resume"), "{}", outcome.err);
    assert_eq!(outcome.err.matches("importing: 100%").count(), 1, "{}", outcome.err);
    fs::write(site.path().join("one.jsonl"), "{\"email\":\"x\"}\n").unwrap();
    assert!(import(&["one.jsonl"]).err.ends_with("tenantry: 1 row failed\n"));
    assert!(
        import(&["some.jsonl", "--on-match", "skip"])
            .out
            .contains("0 created, 0 updated, 0 unchanged, 2 skipped, 1 failed")
    );
    fs::write(site.path().join("bad.csv"), "email,phone\na,b\n").unwrap();
    assert!(import(&["bad.csv"]).err.contains("bad.csv: unknown column \"phone\""));
    assert!(import(&["none.csv"]).err.contains("none.csv: "));
    assert!(import(&["--resume", "00000000-0000-4000-8000-000000000000"]).err.contains("has no import"));
    assert_eq!(import(&[]).status, 2);
    site.succeed(&["doctor"]);
}

#[test]
fn doctor_prints_a_line_for_each_invariant() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    let report = site.succeed(&["doctor"]);
    let (last, rules) = report.trim_end().rsplit_once('\n').map(|(rules, last)| (last, rules)).unwrap();
    assert!(rules.lines().count() > 10, "{report}");
    assert!(rules.lines().all(|line| line.starts_with("ok  ") && line.contains(" check")), "{report}");
    assert!(rules.contains("ok  audited ("), "{report}");
    assert!(last.starts_with("no findings: "), "{report}");
}

/// Runs a command whose output nobody reads any more.
fn with_closed_output(site: &Site, arguments: &[&str]) -> Outcome {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = site.command(arguments).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Outcome { status: output.status.code().unwrap(), out: String::new(), err }
}

#[test]
fn a_closed_output_is_an_error_where_something_is_lost() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    for arguments in [
        vec!["backup", "-"],
        vec!["token", "create", "--organization", "acme", "--all-scopes"],
        vec!["organization", "create", "--name", "Beta", "--slug", "beta"],
    ] {
        let outcome = with_closed_output(&site, &arguments);
        assert_eq!(outcome.status, 1, "{arguments:?}: {}", outcome.err);
        assert!(outcome.err.contains("the output was closed"), "{arguments:?}: {}", outcome.err);
    }
    for arguments in [vec!["organization", "list"], vec!["openapi", "polar"], vec!["doctor"], vec!["--help"]]
    {
        let outcome = with_closed_output(&site, &arguments);
        assert_eq!((outcome.status, outcome.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_backup_replaces_a_backup_and_nothing_else() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    let files = ["tenantry.db", "tenantry.db.key", "notes.txt"];
    fs::write(site.path().join("notes.txt"), "{}").unwrap();
    for file in files {
        let before = fs::read(site.path().join(file)).unwrap();
        let message = site.fail(&["backup", file]);
        assert!(message.contains("not a backup or an export"), "{message}");
        assert_eq!(fs::read(site.path().join(file)).unwrap(), before);
    }
    fs::write(site.path().join("backup.jsonl"), "").unwrap();
    for _ in 0..2 {
        site.succeed(&["backup", "backup.jsonl"]);
    }
    assert!(site.succeed(&["organization", "list"]).contains("acme"));
}

#[test]
fn a_compressed_or_edited_backup_gets_a_hint() {
    let site = Site::new();
    for (bytes, expected) in
        [(&b"\x1f\x8b\x08\x00abc"[..], "compressed by gzip"), (b"\xef\xbb\xbf{}\n", "byte order mark")]
    {
        fs::write(site.path().join("file"), bytes).unwrap();
        let message = site.fail(&["restore", "file", "--database", "sqlite:new.db"]);
        assert!(message.contains(expected), "{message}");
    }
}
