//! `organization export` and `organization import`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::program::{Site, finished};

const TARGET: [&str; 4] = ["--database", "sqlite:new.db", "--secret-key-file", "tenantry.db.key"];

fn import<'a>(file: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["organization", "import", file], more].concat()
}

fn acme() -> Site {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    site.succeed(&["token", "create", "--organization", "acme", "--all-scopes"]);
    site
}

#[test]
fn an_organization_is_exported_and_imported() {
    let site = acme();
    site.succeed(&["organization", "export", "acme", "acme.jsonl"]);
    let mode = fs::metadata(site.path().join("acme.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let printed = site.succeed(&import("acme.jsonl", &TARGET));
    assert!(printed.contains("imported and verified") && printed.contains("of acme"), "{printed}");
    assert!(!printed.contains("token rotate"), "{printed}");
    let list = [&["organization", "list"][..], &TARGET].concat();
    assert!(site.succeed(&list).contains("acme"));
    assert!(site.succeed(&import("acme.jsonl", &TARGET)).contains("imported before, nothing was changed"));
    site.succeed(&[&["doctor"][..], &TARGET].concat());
}

#[test]
fn a_pipe_needs_no_file() {
    let site = acme();
    let mut export = site.command(&["organization", "export", "acme", "-"]);
    let mut export = export.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let target = [&TARGET[..], &["--json"]].concat();
    let outcome = finished(site.command(&import("-", &target)).stdin(export.stdout.take().unwrap()));
    assert!(export.wait().unwrap().success());
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert!(outcome.out.contains("\"slug\":\"acme\""), "{}", outcome.out);
}

#[test]
fn another_key_lists_the_tokens_to_be_made_anew() {
    let site = acme();
    site.succeed(&["organization", "export", "acme", "acme.jsonl"]);
    // The target makes a key of its own.
    let target = ["--database", "sqlite:other.db"];
    let printed = site.succeed(&import("acme.jsonl", &target));
    assert!(printed.contains("the secrets of 1 tokens do not work"), "{printed}");
    // The printed command works as it is: it names the database.
    let command = printed.lines().find_map(|line| line.trim().strip_prefix("tenantry ")).unwrap();
    assert!(command.starts_with("token rotate ") && command.contains("other.db"), "{command}");
    site.succeed(&command.split(' ').collect::<Vec<_>>());
    site.succeed(&[&["doctor"][..], &target].concat());
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let site = acme();
    assert!(site.fail(&["organization", "export", "nobody", "x.jsonl"]).contains("nobody"));
    site.succeed(&["backup", "backup.jsonl"]);
    let message = site.fail(&import("backup.jsonl", &TARGET));
    assert!(message.contains("not an export of an organization"), "{message}");
    site.succeed(&["organization", "export", "acme", "acme.jsonl"]);
    let message = site.fail(&["restore", "acme.jsonl", "--database", "sqlite:third.db"]);
    assert!(message.contains("not a Tenantry backup"), "{message}");
    let message = site.fail(&import("acme.jsonl", &[]));
    assert!(message.contains("exists here"), "{message}");
    let text = fs::read_to_string(site.path().join("acme.jsonl")).unwrap();
    fs::write(site.path().join("cut.jsonl"), &text[..text.len() / 2]).unwrap();
    let input = File::open(site.path().join("cut.jsonl")).unwrap();
    let outcome = finished(site.command(&import("-", &TARGET)).stdin(input));
    assert_eq!(outcome.status, 1, "{}", outcome.err);
    assert!(site.fail(&import("cut.jsonl", &TARGET)).contains("the file ends"));
    let list = [&["organization", "list"][..], &TARGET].concat();
    assert_eq!(site.succeed(&list).trim(), "");
    assert!(site.fail(&["organization", "export", "acme", "/dev"]).contains("not a regular file"));
}
