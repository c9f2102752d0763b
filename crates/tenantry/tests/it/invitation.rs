//! The commands on invitations.

use serde_json::Value;

use crate::program::Site;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_invitation_is_made_listed_and_revoked() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email", "o@x.dev"]);
    let of_acme = ["--organization", "acme", "--json"];
    let create = ["invitation", "create", "--email", "ada@x.dev", "--role", "analyst", "--link"];
    let create = [create.as_slice(), &["--public-url", "https://t.example"], &of_acme].concat();
    let made = json(&site.succeed(&create));
    let link = made["accept_url"].as_str().unwrap();
    assert!(link.starts_with("https://t.example/console/invitation#tenantry_inv_"), "{link}");
    let again = json(&site.succeed(&create));
    assert_eq!((&again["id"], &again["accept_url"]), (&made["id"], &Value::Null));
    let list = |status: &'static str| {
        let list = ["invitation", "list", "--status", status];
        json(&site.succeed(&[list.as_slice(), &of_acme].concat()))["items"].clone()
    };
    assert_eq!(
        (&list("pending")[0]["email"], &list("pending")[0]["role"]),
        (&"ada@x.dev".into(), &"analyst".into())
    );
    let id = made["id"].as_str().unwrap();
    let shown = site.succeed(&["invitation", "revoke", id, "--organization", "acme"]);
    assert_eq!(shown, format!("invitation {id} is revoked\n"));
    assert_eq!(list("pending"), Value::Array(Vec::new()));
    assert_eq!(list("revoked")[0]["id"], made["id"]);
    let listed = site.succeed(&["invitation", "list", "--organization", "acme"]);
    assert!(listed.contains("ada@x.dev  analyst  revoked"), "{listed}");
    site.succeed(&["doctor"]);
}

#[test]
fn values_that_cannot_work_are_refused() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email", "o@x.dev"]);
    let create = ["invitation", "create", "--organization", "acme", "--email", "ada@x.dev"];
    let with = |more: &[&'static str]| site.fail(&[create.as_slice(), more].concat());
    assert!(with(&["--role", "owner"]).contains("use administrator, developer, analyst, billing_manager"));
    assert!(with(&["--expires-in", "60d"]).contains("at most 30 days"));
    assert!(site.fail(&["invitation", "list", "--organization", "other"]).contains("no organization"));
    let status = site.fail(&["invitation", "list", "--organization", "acme", "--status", "open"]);
    assert!(status.contains("use pending, accepted, declined, revoked, expired"), "{status}");
    assert!(site.fail(&["invitation", "revoke", "x", "--organization", "acme"]).contains("is not an id"));
    let unknown = "00000000-0000-4000-8000-000000000000";
    assert!(site.fail(&["invitation", "revoke", unknown, "--organization", "acme"]).contains("not found"));
}
