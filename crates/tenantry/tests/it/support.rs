//! `tenantry support`.

use std::fs;

use serde_json::Value;

use crate::program::{Site, finished};

#[test]
fn a_report_has_options_database_findings_and_problems_and_no_secrets() {
    let site = Site::new();
    let new = site.succeed(&[
        "organization",
        "create",
        "--name",
        "Acme",
        "--slug",
        "acme",
        "--owner-email",
        "ada@example.com",
    ]);
    assert!(!new.is_empty());
    let log = "2030-01-01T00:00:00Z  WARN tenantry: mail attempt failed to=ada@example.com\n";
    fs::write(site.path().join("log"), log).unwrap();
    let mut command = site.command(&["support", "--log-file", "log", "--max-in-flight", "7"]);
    command.env("TENANTRY_MAIL", "smtp://name:hunter2@mail.example");
    command.env("TENANTRY_MAIL_FROM", "Acme <no-reply@example.com>");
    let outcome = finished(&mut command);
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    let report: Value = serde_json::from_str(&outcome.out).unwrap();
    assert_eq!(report["options"]["max-in-flight"]["values"][0], "7");
    assert_eq!(report["options"]["mail"]["values"][0], "smtp://mail.example");
    assert_eq!(report["options"]["mail"]["from"], "environment");
    assert_eq!(report["database"]["engine"]["name"], "SQLite");
    assert_eq!(report["database"]["doctor"]["findings"], 0, "{report:#}");
    assert_eq!(report["database"]["backlogs"]["due"]["webhooks"]["queues"], 0);
    assert!(report["last_warnings_and_errors"][0].as_str().unwrap().contains("mail attempt failed"));
    let key = fs::read_to_string(site.path().join("tenantry.db.key")).unwrap();
    for secret in ["hunter2", "ada@", "no-reply@", key.trim()] {
        assert!(!outcome.out.contains(secret), "{secret}: {}", outcome.out);
    }
}

#[test]
fn a_database_that_cannot_be_opened_is_an_error_in_its_place() {
    let site = Site::new();
    let out = site.succeed(&["support", "--log-file", "none"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert!(report["database"]["error"].as_str().unwrap().contains("does not exist"), "{out}");
    assert!(report["last_warnings_and_errors"]["error"].is_string(), "{out}");
    assert_eq!(report["options"]["listen"]["values"][0], "127.0.0.1:8080");
}
