//! The help of commands.

use std::io::Read;
use std::process::Stdio;

use crate::program::Site;

#[test]
fn the_options_of_a_command_come_before_the_global_ones() {
    let site = Site::new();
    for command in [vec!["token", "create"], vec!["serve"], vec!["restore"], vec!["migrate"]] {
        let help = site.succeed(&[command.as_slice(), &["--help"]].concat());
        let place = |heading: &str| help.find(heading).unwrap_or_else(|| panic!("{heading} in {help}"));
        assert!(place("\nOptions:") < place("\nDatabase options:"), "{help}");
        assert!(place("\nDatabase options:") < place("\nGlobal options:"), "{help}");
        assert!(place("--log-level") > place("\nGlobal options:"), "{help}");
    }
    let help = site.succeed(&["migrate", "--help"]);
    assert!(help.find("--distribute").unwrap() < help.find("\nDatabase options:").unwrap(), "{help}");
}

#[test]
fn commands_without_a_database_list_no_database_options() {
    let site = Site::new();
    for command in [vec!["key", "generate"], vec!["openapi"], vec!["copy"], vec!["mail", "preview"]] {
        let help = site.succeed(&[command.as_slice(), &["--help"]].concat());
        assert!(!help.contains("--database") && !help.contains("--secret-key-file"), "{help}");
    }
    for command in ["migrate", "backup", "doctor"] {
        let help = site.succeed(&[command, "--help"]);
        assert!(help.contains("--database") && help.contains("--secret-key-file"), "{help}");
    }
}

#[test]
fn the_help_names_all_scopes_and_features() {
    let site = Site::new();
    let help = site.succeed(&["token", "create", "--help"]);
    assert!(help.contains("members:read") && help.contains("messages:send:all"), "{help}");
    let help = site.succeed(&["organization", "create", "--help"]);
    assert!(help.contains("member_model_enabled") && help.contains("sso_enabled"), "{help}");
}

#[test]
fn a_reader_that_closes_the_output_causes_no_error() {
    let site = Site::new();
    let mut command = site.command(&["openapi", "polar"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
