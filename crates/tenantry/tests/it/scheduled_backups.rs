//! Backups that the server makes by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::first_start::{end, log_of, start_with};
use crate::program::Site;

const OLD: [&str; 2] = ["tenantry-20200101T000000Z.jsonl", "tenantry-20200102T000000Z.jsonl"];

/// The backups in a directory, oldest first.
fn backups(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("tenantry-"))
        .collect();
    found.sort();
    found
}

/// Waits until the log has a text.
fn wait_for(site: &Site, text: &str) {
    let begun = Instant::now();
    while !log_of(site).contains(text) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", log_of(site));
        std::thread::yield_now();
    }
}

#[test]
fn a_due_backup_is_made_and_pushes_out_the_oldest() {
    let site = Site::new();
    let directory = site.path().join("backups");
    fs::create_dir(&directory).unwrap();
    for name in OLD {
        fs::write(directory.join(name), "").unwrap();
    }
    let options = ["--backup-to", "backups", "--backup-keep", "2"];
    let (server, ..) = start_with(&site, &options);
    wait_for(&site, "backup written and read back");
    end(server);
    let found = backups(&directory);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].ends_with(OLD[1]), "{found:?}");
    // Nothing is due at the next start.
    let (server, ..) = start_with(&site, &options);
    end(server);
    assert_eq!(backups(&directory), found);
    fs::copy(site.path().join("tenantry.db.key"), site.path().join("new.db.key")).unwrap();
    site.succeed(&["restore", found[1].to_str().unwrap(), "--database", "sqlite:new.db"]);
    assert!(site.succeed(&["doctor", "--database", "sqlite:new.db"]).contains("no findings"));
    assert_eq!(
        site.succeed(&["organization", "list", "--database", "sqlite:new.db"]),
        site.succeed(&["organization", "list"])
    );
}

#[test]
fn a_server_whose_backup_fails_serves_on_and_says_so() {
    let site = Site::new();
    let message = site.fail(&["serve", "--backup-to", "none"]);
    assert!(message.contains("--backup-to: none: the directory does not exist"), "{message}");
    let directory = site.path().join("backups");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join(OLD[0]), "").unwrap();
    // The oldest cannot be deleted: it is a directory that is not empty.
    fs::create_dir_all(directory.join(OLD[1]).join("x")).unwrap();
    let (server, ..) = start_with(&site, &["--backup-to", "backups", "--backup-keep", "1"]);
    wait_for(&site, "backup failed");
    assert!(site.succeed(&["organization", "list"]).contains("owner"));
    end(server);
}
