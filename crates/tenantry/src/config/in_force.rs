//! The options in force, for a report that leaves the installation.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory};

use super::{
    OptionsError, SecretFiles, read, with_defaults, without_empty_variables, without_overridden_variables,
};
use crate::cli::Arguments;

/// An option of the command line, the environment or the file, or its default.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct OptionInForce {
    pub(crate) name: String,
    /// The values, without the passwords that they may contain.
    pub(crate) values: Vec<String>,
    pub(crate) source: &'static str,
}

/// The options of the command on this command line, which is valid.
pub(crate) fn options_in_force(line: &[OsString]) -> Result<Vec<OptionInForce>, OptionsError> {
    let command = without_overridden_variables(without_empty_variables(Arguments::command()), line);
    let secrets = SecretFiles::read(&command).map_err(OptionsError::File)?;
    let matches =
        secrets.set(command.clone()).try_get_matches_from(line).map_err(OptionsError::CommandLine)?;
    let config = matches.subcommand().and_then(|(_, matches)| matches.get_one::<PathBuf>("config").cloned());
    let file = read(config.as_deref()).map_err(OptionsError::File)?;
    let command = match &file {
        Some((_, file)) => with_defaults(command, file),
        None => command,
    };
    let mut command = secrets.set(command);
    let matches = command.try_get_matches_from_mut(line).map_err(OptionsError::CommandLine)?;
    let Some((name, matches)) = matches.subcommand() else { return Ok(Vec::new()) };
    let options = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    Ok(options.filter_map(|option| in_force(option, matches)).collect())
}

/// None for an option that has no value.
fn in_force(option: &Arg, matches: &ArgMatches) -> Option<OptionInForce> {
    let (name, id) = (option.get_long()?, option.get_id().as_str());
    let values = matches.try_get_raw(id).ok()??;
    let shown = |value: &OsStr| match option.is_hide_env_values_set() {
        true => without_password(&value.to_string_lossy()),
        false => value.to_string_lossy().into_owned(),
    };
    let source = match matches.value_source(id)? {
        ValueSource::CommandLine => "command line",
        ValueSource::EnvVariable => "environment",
        _ => "file or default",
    };
    Some(OptionInForce { name: name.to_owned(), values: values.map(shown).collect(), source })
}

/// A URL without user name, password and parameters.
fn without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (rest, parameters) = rest.split_at(end);
    match rest.rsplit_once('@') {
        Some((_, host)) => scheme + host,
        // The end of a password, perhaps, that should have been written with percent signs.
        None if parameters.contains('@') => scheme + "(hidden)",
        None => scheme + rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_each_source_are_in_force_and_passwords_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, "mail = 'smtp://name:hunter2@mail.example?tls=required'\nrate-burst = 7\n")
            .unwrap();
        let path = path.to_string_lossy();
        let database = "postgres://u:hunter3@db.example/tenantry?password=hunter4";
        let line = ["tenantry", "serve", "--config", &path, "--database", database].map(OsString::from);
        let Ok(options) = options_in_force(&line) else { panic!() };
        let of = |name: &str| options.iter().find(|option| option.name == name).unwrap();
        assert_eq!(of("mail").values, ["smtp://mail.example"]);
        assert_eq!(of("database").values, ["postgres://db.example/tenantry"]);
        assert_eq!(of("database").source, "command line");
        assert_eq!(
            (of("rate-burst").values.as_slice(), of("rate-burst").source),
            (&["7".to_owned()][..], "file or default")
        );
        assert_eq!(of("max-in-flight").values, ["1024"]);
        assert!(!options.iter().any(|option| option.name == "mail-from"));
        assert!(!format!("{options:?}").contains("hunter"));
    }

    #[test]
    fn every_kind_of_url_loses_its_password() {
        for (url, shown) in [
            ("sqlite:tenantry.db", "sqlite:tenantry.db"),
            ("log", "log"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://u:p@1@h/d", "postgres://h/d"),
            ("postgres://h/d?password=p@1", "postgres://(hidden)"),
            ("smtps://u:p?#@h", "smtps://(hidden)"),
            ("smtp://u:p@h:25?tls=required", "smtp://h:25"),
        ] {
            assert_eq!(without_password(url), shown, "{url}");
        }
    }
}
