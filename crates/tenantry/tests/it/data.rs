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
    let nothing = finished(&mut site.command(&["restore", "-", "--database", "sqlite:other.db"]));
    assert!(nothing.err.contains("standard input: "), "{}", nothing.err);
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
