//! The commands about mail.

use std::collections::BTreeSet;
use std::fs;

use tenantry_core::mail::MailContent;

use crate::program::Site;

#[test]
fn a_preview_writes_every_mail_in_each_language() {
    let site = Site::new();
    let out = site.succeed(&["mail", "preview", "new/mails", "--mail-from", "Acme Cloud <hi@acme.example>"]);
    let folder = site.path().join("new/mails");
    let files: BTreeSet<String> =
        fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    for kind in MailContent::KINDS {
        for name in ["-en", "-de", "-hostile-en", "-hostile-de"].map(|rest| format!("{kind}{rest}")) {
            for ending in ["eml", "txt", "html"] {
                assert!(files.contains(&format!("{name}.{ending}")), "{name}.{ending} in {files:?}");
            }
            assert!(out.contains(&format!("{name}: ")), "{out}");
        }
    }
    assert_eq!(files.len() % 3, 0, "{files:?}");
    assert!(
        out.ends_with(&format!(
            "wrote {} mails to new/mails, each as .eml, .txt and .html\n",
            files.len() / 3
        ))
    );
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let mail = read("sign_in_code-de.eml");
    assert!(
        mail.contains("From: \"Acme Cloud\" <hi@acme.example>")
            || mail.contains("From: Acme Cloud <hi@acme.example>")
    );
    assert!(
        mail.contains("multipart/alternative") && mail.contains("Subject: 4815 1623 ist Ihr Code"),
        "{mail}"
    );
    assert!(
        read("sign_in_code-de.txt").contains("Acme Cloud")
            && read("sign_in_code-de.html").contains("Acme Cloud")
    );
    // A second preview replaces the first.
    site.succeed(&["mail", "preview", "new/mails"]);
    assert!(read("sign_in_code-de.txt").contains("\nTenantry\n"));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len());
}

#[test]
fn a_preview_that_cannot_be_written_names_the_place() {
    let site = Site::new();
    fs::write(site.path().join("file"), "").unwrap();
    assert!(site.fail(&["mail", "preview", "file"]).contains("file: "));
    assert!(site.fail(&["mail", "preview"]).contains("<FOLDER>"));
    assert!(site.fail(&["mail", "preview", "x", "--mail-from", "nobody"]).contains("NAME <ADDRESS>"));
}
