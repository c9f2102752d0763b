//! Commands that move and check data.

use std::fs::{self, File};

use crate::program::{Site, finished};

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
