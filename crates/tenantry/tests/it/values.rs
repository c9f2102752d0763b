//! Values that cannot work are refused, with the values that would be accepted.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;

use crate::program::{Site, finished};

#[test]
fn values_that_cannot_work_are_refused_at_start() {
    let site = Site::new();
    for (option, value, expected) in [
        ("--log-level", "inof", "use error, warn, info, debug, trace or off"),
        ("--trusted-origin", "a.example.com", "use https://a.example.com"),
        ("--trusted-origin", "https://a.example/app", "use https://HOST"),
        ("--webhook-http-host", "http://x", "use x"),
        ("--webhook-http-host", "10.0.0.0/8", "list each host"),
        ("--trusted-proxy", "proxy.internal", "use 10.0.0.10 or 10.0.0.0/8"),
        ("--listen", "8080", "use HOST:PORT"),
        ("--portal-url", "portal.example.com", "use https://portal.example.com"),
        ("--mail", "sendmail", "use log, dir:PATH, smtp://HOST or smtps://HOST"),
        ("--mail", "smtp://mail.example.com", "--mail-from"),
        ("--mail-from", "nobody", "use ADDRESS or NAME <ADDRESS>"),
        ("--mail-language", "fr", "use en or de"),
        ("--mail-ehlo", "[127.0.0.1]", "use a host name"),
        ("--bootstrap", "maybe", "use on or off"),
        ("--rate-burst", "0", "use a whole number of requests from 1 to 4294967295"),
        ("--drain-timeout-s", "0", "use a whole number of seconds from 1 to 86400"),
        ("--max-body-bytes", "0", "use a whole number of bytes from 1 to"),
        ("--trusted-origin", "https://*.example.com", "no wildcards"),
        ("--trusted-origin", "", "the list is empty"),
        ("--trusted-proxy", "0.0.0.0/0", "covers every address"),
        ("--portal-url", "https://u:p@example.com", "without a user name"),
        ("--bootstrap-owner", "nobody", "--bootstrap-owner"),
        ("--database", "sqlite:t.db?mode=ro", "no parameters"),
        ("--database", "tenantry.db", "use sqlite:PATH or postgres://HOST/DATABASE"),
        ("--ca-file", "none.pem", "none.pem"),
    ] {
        let message = site.fail(&["serve", option, value]);
        assert!(message.contains(expected), "{option} {value}: {message}");
    }
    assert_eq!(fs::read_dir(site.path()).unwrap().count(), 0, "nothing was created");
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let site = Site::new();
    let mut command = site.command(&["migrate"]);
    let outcome = finished(command.env("TENANTRY_DATABASE", "").env("TENANTRY_LOG_LEVEL", " "));
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert!(site.path().join("tenantry.db").exists());
}

#[test]
fn a_switch_is_on_or_off_in_the_environment_too() {
    let site = Site::new();
    site.succeed(&["migrate"]);
    for (value, is_json) in [("on", true), ("1", true), ("off", false)] {
        let mut command = site.command(&["organization", "list"]);
        let outcome = finished(command.env("TENANTRY_JSON", value));
        assert_eq!((outcome.status, outcome.out.starts_with('{')), (0, is_json), "{value}: {}", outcome.err);
    }
}

/// Otherwise clap takes the switch as given, and the token would have no scope at all.
#[test]
fn a_switch_that_is_off_stands_for_no_required_option() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    let create = ["token", "create", "--organization", "acme", "--json"];
    let outcome = finished(site.command(&create).env("TENANTRY_ALL_SCOPES", "off"));
    assert_eq!(outcome.status, 2, "{}", outcome.out);
    assert!(outcome.err.contains("--scope <SCOPE>|--all-scopes"), "{}", outcome.err);
    let scopes = [("TENANTRY_ALL_SCOPES", "off"), ("TENANTRY_SCOPES", "members:read")];
    let outcome = finished(site.command(&create).envs(scopes));
    assert!(outcome.out.contains("[\"members:read\"]"), "{} {}", outcome.out, outcome.err);
}

#[test]
fn an_error_in_the_configuration_file_does_not_print_the_password() {
    let site = Site::new();
    fs::write(site.path().join("tenantry.toml"), "database = postgres://u:hunter2@h/t\n").unwrap();
    let message = site.fail(&["serve"]);
    assert!(message.contains("tenantry.toml: line 1"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let site = Site::new();
    site.succeed(&["key", "generate", "tenantry.db.key"]);
    let key = site.path().join("tenantry.db.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let message = site.fail(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    assert!(message.contains("run chmod 600 tenantry.db.key"), "{message}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
}

/// An id of nothing.
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn messages_name_the_argument_and_what_would_be_accepted() {
    let site = Site::new();
    let organization = ["--organization", "acme"];
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    for (arguments, expected) in [
        (vec!["token", "revoke", "foo"], "leave the id out and enter the token on standard input"),
        (vec!["token", "revoke"], "standard input is empty"),
        (
            vec!["token", "revoke", UNKNOWN],
            "there is no token 00000000-0000-4000-8000-000000000000: `tenantry token",
        ),
        (
            vec!["token", "rotate", UNKNOWN],
            "there is no token 00000000-0000-4000-8000-000000000000: `tenantry token",
        ),
        (
            vec!["token", "rotate", "foo"],
            "ID: \"foo\" is not an id: use the UUID that `token create` printed\n",
        ),
        (vec!["user", "show", "foo"], "USER: \"foo\" is neither an e-mail address nor an id"),
        (vec!["organization", "undelete", "nobody"], "with `--deleted` the deleted ones"),
        (vec!["organization", "undelete", UNKNOWN], "with `--deleted` the deleted ones"),
        ([&["import", "customers", "--resume", "foo"], &organization[..]].concat(), "\"foo\" is not an id"),
        (vec!["copy", "--from", "sqlite:none.db", "--to", "sqlite:t.db"], "name it by --from sqlite:PATH"),
        (vec!["user-token", "list", "--email", "nobody@example.com"], "there is no user nobody@example.com"),
        (vec!["organization", "create", "--name", "A", "--slug", "no slug"], "--slug: "),
        (vec!["organization", "create", "--name", " ", "--slug", "abc"], "--name: "),
        (
            vec!["organization", "create", "--name", "A", "--slug", "01a20011-44c7-4f64-8000-21a102c19d44"],
            "form of an id",
        ),
        (vec!["user-token", "create", "--email", "nobody@example.com"], "--create-user creates one"),
        (vec!["key", "generate", "-"], "name a file"),
        ([&["token", "create"], &organization[..]].concat(), "--all-scopes"),
        ([&["token", "create", "--scope", ","], &organization[..]].concat(), "the list is empty"),
        (vec!["organization", "suspend", "nobody", "--reason", "x"], "tenantry organization list"),
        (vec!["user-token", "create", "--email", "nobody"], "--email <EMAIL>"),
        ([&["token", "create", "--scope", "members:raed"], &organization[..]].concat(), "members:read, "),
        ([&["token", "create", "--all-scopes", "--expires-in", "1w"], &organization[..]].concat(), "30d"),
        (vec!["organization", "create", "--name", "B", "--slug", "b", "--feature", "x"], "sso_enabled"),
        (vec!["backup", "none/b.jsonl"], "the directory does not exist: create it first"),
        (vec!["key", "generate", "none/t.key"], "the directory does not exist: create it first"),
        (
            vec!["migrate", "--database", "sqlite:none/t.db"],
            "the directory none does not exist: create it first",
        ),
        (vec!["doctor", "--database", "sqlite:none.db"], "none.db: the database does not exist"),
        (vec!["doctor", "--database", "postgres://h/t"], "tenantry key generate FILE"),
    ] {
        let message = site.fail(&arguments);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
    let transfer = ["organization", "transfer", "acme", "--to"];
    assert!(site.fail(&[&transfer[..], &["nobody"]].concat()).contains("--to: "));
    assert!(site.succeed(&[&transfer[..], &["ada@example.com"]].concat()).contains("ada@example.com owns"));
    assert!(site.succeed(&["organization", "suspend", "acme", "--reason", "x"]).contains("is suspended"));
    assert!(site.succeed(&["organization", "unsuspend", "acme"]).contains("is active"));
}

#[test]
fn an_organization_without_an_owners_address_warns_that_nobody_reads_notices() {
    let site = Site::new();
    let create = ["organization", "create", "--name", "Acme", "--slug"];
    let outcome = site.run(&[&create[..], &["acme", "--json"]].concat());
    assert!(outcome.status == 0 && outcome.out.starts_with('{'), "{}", outcome.out);
    assert!(outcome.err.contains("organization transfer acme --to EMAIL"), "{}", outcome.err);
    let outcome = site.run(&[&create[..], &["other", "--owner-email", "ada@example.com"]].concat());
    assert_eq!((outcome.status, outcome.err.as_str()), (0, ""));
}

#[test]
fn tokens_are_listed_rotated_and_revoked_by_their_secret() {
    let site = Site::new();
    let email = ["--owner-email", "ada@example.com"];
    site.succeed(&[&["organization", "create", "--name", "Acme", "--slug", "acme"][..], &email].concat());
    let create =
        ["token", "create", "--organization", "acme", "--scope", "members:read", "--expires-in", "20d"];
    let create = [&create[..], &["--label", "nightly export"]].concat();
    let made = site.succeed(&create);
    let (id, secret) = made.strip_prefix("token ").and_then(|made| made.trim().split_once('\n')).unwrap();
    let list = site.succeed(&["token", "list"]);
    assert!(list.contains(&format!("{id}  acme  members:read  created ")), "{list}");
    assert!(list.contains("  label nightly export\n"), "{list}");
    let unknown = site.path().join("unknown");
    fs::write(&unknown, "tenantry_oat_x\n").unwrap();
    let outcome = finished(site.command(&["token", "revoke"]).stdin(File::open(unknown).unwrap()));
    assert!(outcome.err.contains("standard input has no token that works here"), "{}", outcome.err);
    assert!(list.contains("used never") && !list.contains("old secret"), "{list}");
    assert_eq!(site.succeed(&["token", "list", "--organization", "acme", "--expires-within", "1d"]), "");
    let rotated = site.succeed(&["token", "rotate", id, "--overlap", "2h"]);
    assert!(rotated.contains("its old secret works until "), "{rotated}");
    assert!(site.succeed(&["token", "list", "--expires-within", "30d"]).contains("old secret until "));
    // The secret comes from standard input. The old one ends alone, the new one ends the token.
    for secret in [secret, rotated.trim().lines().last().unwrap()] {
        fs::write(site.path().join("secret"), format!("{secret}\n")).unwrap();
        let input = File::open(site.path().join("secret")).unwrap();
        let outcome = finished(site.command(&["token", "revoke"]).stdin(input));
        assert_eq!((outcome.status, outcome.out.trim()), (0, "the secret is revoked"), "{}", outcome.err);
    }
    assert_eq!(site.succeed(&["token", "list"]), "");
    site.succeed(&["user-token", "create", "--email", "ada@example.com"]);
    let list = site.succeed(&["user-token", "list", "--email", "ada@example.com", "--json"]);
    assert!(
        list.contains("\"email\":\"ada@example.com\"") && list.contains("\"last_used_at\":null"),
        "{list}"
    );
    assert!(site.succeed(&["doctor"]).contains("no findings"));
}

#[test]
fn a_deleted_organization_is_listed_and_comes_back_with_its_tokens() {
    let site = Site::new();
    let create = ["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email"];
    site.succeed(&[&create[..], &["ada@example.com"]].concat());
    site.succeed(&["token", "create", "--organization", "acme", "--scope", "members:read"]);
    let tokens = site.succeed(&["token", "list"]);
    let deleted = site.succeed(&["organization", "delete", "acme"]);
    assert!(deleted.contains("organization acme (") && deleted.contains(") is deleted"), "{deleted}");
    assert_eq!(site.succeed(&["organization", "list"]), "");
    assert!(site.succeed(&["organization", "list", "--deleted"]).contains("  acme  Acme  deleted "));
    assert!(site.succeed(&["organization", "list", "--deleted", "--json"]).contains("\"in_purge\":false"));
    let id = deleted.split(['(', ')']).nth(1).unwrap();
    for name in ["acme", id] {
        let again = site.fail(&["organization", "delete", name]);
        assert!(
            again.contains(&format!("`tenantry organization undelete {name}` brings it back")),
            "{again}"
        );
    }
    let owner = site.fail(&["user", "delete", "ada@example.com"]);
    assert!(owner.contains("the user owns acme"), "{owner}");
    assert!(site.succeed(&["organization", "undelete", "acme"]).contains(") is back"));
    assert_eq!(site.succeed(&["organization", "list", "--deleted"]), "");
    assert_eq!(site.succeed(&["token", "list"]), tokens);
    assert!(site.fail(&["organization", "undelete", "other"]).contains("there is no organization"));
    assert!(site.succeed(&["doctor"]).contains("no findings"));
}

#[test]
fn an_organization_requires_passkeys() {
    let site = Site::new();
    let create = ["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email"];
    site.succeed(&[&create[..], &["ada@example.com"]].concat());
    let on = site.succeed(&["organization", "require-passkey", "acme", "on"]);
    assert!(on.contains("organization acme (") && on.contains(") requires a passkey"), "{on}");
    let off = site.succeed(&["organization", "require-passkey", "acme", "off", "--json"]);
    assert!(off.contains("\"passkey_required\":false"), "{off}");
    assert!(site.fail(&["organization", "require-passkey", "other", "on"]).contains("no organization"));
    assert!(site.fail(&["organization", "require-passkey", "acme", "maybe"]).contains("maybe"));
    assert!(site.succeed(&["doctor"]).contains("no findings"));
}

#[test]
fn users_are_listed_shown_renamed_and_deleted() {
    let site = Site::new();
    let create = ["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email"];
    site.succeed(&[&create[..], &["ada@example.com"]].concat());
    assert!(site.succeed(&["user", "list"]).contains("ada@example.com  created "));
    site.succeed(&["user-token", "create", "--email", "ada@example.com"]);
    let shown = site.succeed(&["user", "show", "ada@example.com"]);
    assert!(shown.contains("team acme  owner  since ") && shown.contains("\ntoken "), "{shown}");
    let owner = site.fail(&["user", "delete", "ada@example.com"]);
    assert!(owner.contains("the user owns acme: make another person the owner"), "{owner}");
    site.succeed(&["organization", "transfer", "acme", "--to", "bob@example.com"]);
    let renamed = site.succeed(&["user", "set-email", "ada@example.com", "ada@new.example.com"]);
    assert!(renamed.contains("has the address ada@new.example.com"), "{renamed}");
    let taken = site.fail(&["user", "set-email", "bob@example.com", "ada@new.example.com"]);
    assert!(taken.contains("another user has this address"), "{taken}");
    assert!(site.succeed(&["user", "delete", "ada@new.example.com"]).contains("is deleted"));
    assert!(site.fail(&["user", "show", "ada@new.example.com"]).contains("`tenantry user list` shows all"));
    assert!(site.succeed(&["user", "list", "--json"]).matches("\"id\"").count() == 1);
    assert!(site.succeed(&["doctor"]).contains("no findings"));
}

#[test]
fn people_become_operators_and_stop_being_that() {
    let site = Site::new();
    let create = ["organization", "create", "--name", "Acme", "--slug", "acme", "--owner-email"];
    site.succeed(&[&create[..], &["ada@example.com"]].concat());
    assert!(!site.succeed(&["user", "list"]).contains("operator"));
    let on = site.succeed(&["user", "operator", "ada@example.com", "on"]);
    assert!(on.contains("has the rights of the operator in the console"), "{on}");
    assert!(site.succeed(&["user", "list"]).contains("1 team  operator"));
    assert!(site.succeed(&["user", "show", "ada@example.com"]).contains("operator  since "));
    let off = site.succeed(&["user", "operator", "ada@example.com", "off", "--json"]);
    assert!(off.contains("\"is_operator\":false"), "{off}");
    assert!(!site.succeed(&["user", "show", "ada@example.com"]).contains("operator"));
    assert!(site.fail(&["user", "operator", "nobody@example.com", "on"]).contains("there is no user"));
    assert!(site.fail(&["user", "operator", "ada@example.com", "maybe"]).contains("maybe"));
    assert!(site.succeed(&["doctor"]).contains("no findings"));
}

#[test]
fn a_password_is_not_sent_to_a_mail_server_without_tls() {
    let site = Site::new();
    for (url, expected) in [
        ("smtp://u:hunter2@mail.example.com?tsl=required", "only parameter is tls"),
        ("smtp://u:hunter2@mail.example.com", "without TLS"),
        ("smtp://u:hunter2@mail.example.com/x?tls=required", "--mail-ehlo"),
    ] {
        let message = site.fail(&["serve", "--mail", url, "--mail-from", "a@example.com"]);
        assert!(message.contains(expected) && !message.contains("hunter2"), "{url}: {message}");
    }
}

#[test]
fn wrong_options_have_one_exit_status() {
    let site = Site::new();
    fs::write(site.path().join("wrong.toml"), "databse = 'x'\n").unwrap();
    for arguments in [
        vec!["serve", "--listen", "8080"],
        vec!["serve", "--mail", "x"],
        vec!["serve", "--config", "none.toml"],
        vec!["serve", "--config", "wrong.toml"],
        vec!["user-token", "create", "--email", "nobody"],
    ] {
        assert_eq!(site.run(&arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn a_flag_wins_over_the_variable_of_an_option_that_it_excludes() {
    let site = Site::new();
    site.succeed(&["organization", "create", "--name", "Acme", "--slug", "acme"]);
    let create = ["token", "create", "--organization", " ACME ", "--json"];
    for (variable, value, flags, expected) in [
        ("TENANTRY_SCOPES", "members:read", vec!["--all-scopes"], "[\"*\"]"),
        ("TENANTRY_ALL_SCOPES", "on", vec!["--scope", "members:read"], "[\"members:read\"]"),
        ("TENANTRY_SCOPES", "members:read", vec![], "[\"members:read\"]"),
    ] {
        let arguments = [&create[..], &flags].concat();
        let outcome = finished(site.command(&arguments).env(variable, value));
        assert!(outcome.out.contains(expected), "{variable} {flags:?}: {} {}", outcome.out, outcome.err);
    }
    assert_ne!(site.run(&[&create[..], &["--scope", "*", "--all-scopes"]].concat()).status, 0);
}

#[test]
fn an_unknown_variable_is_a_warning_with_the_nearest_name() {
    let site = Site::new();
    let mut command = site.command(&["openapi", "Polar"]);
    let outcome = finished(command.env("TENANTRY_TRUSTED_PROXY", "10.0.0.1").env("TENANTRY_TEST_X", "1"));
    assert_eq!(outcome.status, 0, "{}", outcome.err);
    assert!(outcome.err.contains("TENANTRY_TRUSTED_PROXIES"), "{}", outcome.err);
    assert_eq!(outcome.err.matches("sets no option").count(), 1, "{}", outcome.err);
}

#[test]
fn a_command_does_not_create_a_database_in_a_wrong_directory() {
    let site = Site::new();
    for arguments in [
        vec!["token", "create", "--organization", "acme", "--all-scopes"],
        vec!["token", "revoke", "01a20011-44c7-4f64-8000-21a102c19d44"],
        vec!["user-token", "create", "--email", "a@example.com", "--create-user"],
        vec!["organization", "suspend", "acme", "--reason", "x"],
        vec!["organization", "unsuspend", "acme"],
        vec!["organization", "list"],
    ] {
        let message = site.fail(&arguments);
        assert!(message.contains("tenantry.db: the database does not exist"), "{arguments:?}: {message}");
        assert!(message.contains('/'), "the path from the root: {message}");
    }
    assert_eq!(fs::read_dir(site.path()).unwrap().count(), 0, "nothing was created");
    site.succeed(&["migrate"]);
    site.fail(&["user-token", "create", "--email", "a@example.com", "--create-user"]);
    assert!(!site.path().join("tenantry.db.key").exists());
}

#[test]
fn a_file_that_is_no_key_gets_no_advice_about_its_mode() {
    let site = Site::new();
    fs::create_dir(site.path().join("folder")).unwrap();
    fs::write(site.path().join("text"), "not a key").unwrap();
    fs::set_permissions(site.path().join("text"), fs::Permissions::from_mode(0o644)).unwrap();
    for (path, expected) in [("folder", "not a regular file"), ("text", "64 hexadecimal digits")] {
        let create =
            ["organization", "create", "--name", "Acme", "--slug", "acme", "--secret-key-file", path];
        let message = site.fail(&create);
        assert!(message.contains(expected) && !message.contains("chmod"), "{message}");
    }
}

#[test]
fn the_list_of_organizations_shows_owner_and_suspension() {
    let site = Site::new();
    site.succeed(&[
        "organization",
        "create",
        "--name",
        "Acme",
        "--slug",
        "acme",
        "--owner-email",
        "a@example.com",
    ]);
    site.succeed(&["organization", "suspend", "acme", "--reason", "unpaid"]);
    let again = site.succeed(&["organization", "suspend", "acme", "--reason", "spam"]);
    assert!(again.contains("keeps its reason: unpaid"), "{again}");
    let list = site.succeed(&["organization", "list"]);
    assert!(list.contains("owner a@example.com") && list.contains("suspended: unpaid"), "{list}");
    let json = site.succeed(&["organization", "list", "--json"]);
    for part in
        ["\"owner_email\":\"a@example.com\"", "\"suspension_reason\":\"unpaid\"", "\"parent_id\":null"]
    {
        assert!(json.contains(part), "{part} in {json}");
    }
}
