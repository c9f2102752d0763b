//! Files with the values of variables that can contain a secret, as container platforms mount them: `TENANTRY_MAIL_FILE`
//! names the file for `TENANTRY_MAIL`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command};
use tenantry_store::read_limited;

use crate::error::CommandError;

/// The values of the files by option.
pub(super) struct SecretFiles(HashMap<String, String>);

impl SecretFiles {
    /// Reads the files that the environment names. Messages do not repeat their content.
    pub(super) fn read(command: &Command) -> Result<Self, CommandError> {
        Self::read_from(command, |name| std::env::var_os(name))
    }

    fn read_from(
        command: &Command,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, CommandError> {
        let is_set = |name: &str| variable(name).filter(|value| !value.to_string_lossy().trim().is_empty());
        let mut values = HashMap::new();
        for (option, name) in secrets(command) {
            let file = file_variable(&name);
            let Some(path) = is_set(&file).filter(|_| !values.contains_key(&option)) else { continue };
            let wrong = |why: String| CommandError::Options(format!("{file}: {why}"));
            if is_set(&name).is_some() {
                return Err(wrong(format!("{name} is set as well: keep one of them")));
            }
            let path = Path::new(&path);
            let content = read_limited(path);
            let content = content.map_err(|error| wrong(format!("{}: {error}", path.display())))?;
            let text = String::from_utf8(content)
                .map_err(|_| wrong(format!("{}: is not UTF-8 text", path.display())))?;
            let text = text.trim_end_matches(['\r', '\n']);
            if text.trim().is_empty() {
                return Err(wrong(format!("{} is empty", path.display())));
            }
            values.insert(option, text.to_owned());
        }
        Ok(Self(values))
    }

    /// Makes the values the defaults of their options, before those of the configuration file.
    pub(super) fn set(&self, command: Command) -> Command {
        let with_default = |arg: Arg| match self.0.get(arg.get_id().as_str()) {
            Some(value) => arg.default_value(value.clone()),
            None => arg,
        };
        command.mut_subcommands(|command| self.set(command)).mut_args(with_default)
    }
}

/// The variables that name a file.
pub(super) fn variables(command: &Command) -> Vec<String> {
    secrets(command).map(|(_, name)| file_variable(&name)).collect()
}

fn file_variable(name: &str) -> String {
    format!("{name}_FILE")
}

/// The options of a command and its subcommands whose value is hidden in the help, each with its variable.
fn secrets(command: &Command) -> Box<dyn Iterator<Item = (String, String)> + '_> {
    let own = command.get_arguments().filter(|arg| arg.is_hide_env_values_set());
    let own = own.filter_map(|arg| Some((arg.get_id().to_string(), arg.get_env()?.to_str()?.to_owned())));
    Box::new(own.chain(command.get_subcommands().flat_map(secrets)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Arguments;

    fn read(variables: &[(&str, &str)]) -> Result<SecretFiles, String> {
        let variable =
            |name: &str| variables.iter().find(|known| known.0 == name).map(|known| known.1.into());
        SecretFiles::read_from(&Arguments::command(), variable).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_has_the_value_of_a_variable_that_can_contain_a_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        std::fs::write(&path, "postgres://u:hunter2@h/t\n").unwrap();
        let path = path.to_str().unwrap();
        let files = read(&[("TENANTRY_DATABASE_FILE", path), ("TENANTRY_MAIL_FILE", " ")]).unwrap();
        let command = files.set(Arguments::command());
        let line = ["tenantry", "organization", "list"];
        let matches = command.clone().try_get_matches_from(line).unwrap();
        let list = matches.subcommand().and_then(|(_, organization)| organization.subcommand()).unwrap().1;
        assert_eq!(list.get_one::<String>("database").unwrap(), "postgres://u:hunter2@h/t");
        // A flag wins.
        let line = ["tenantry", "organization", "list", "--database", "sqlite:a.db"];
        let matches = command.try_get_matches_from(line).unwrap();
        let list = matches.subcommand().and_then(|(_, organization)| organization.subcommand()).unwrap().1;
        assert_eq!(list.get_one::<String>("database").unwrap(), "sqlite:a.db");
    }

    #[test]
    fn a_file_that_cannot_be_read_names_the_variable() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        for (variables, expected) in [
            (vec![("TENANTRY_MAIL_FILE", "/no/such")], "TENANTRY_MAIL_FILE: /no/such: No such file"),
            (vec![("TENANTRY_MAIL_FILE", empty.to_str().unwrap())], "is empty"),
            (
                vec![("TENANTRY_MAIL_FILE", "/no/such"), ("TENANTRY_MAIL", "log")],
                "TENANTRY_MAIL is set as well: keep one of them",
            ),
        ] {
            let message = read(&variables).err().unwrap();
            assert!(message.contains(expected), "{message}");
        }
    }
}
