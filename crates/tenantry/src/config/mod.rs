//! The options in force: the command line wins over the environment, the environment over the configuration
//! file, the file over the default.
//!
//! All sources are parsed by clap: the values of files become the defaults of the options. An environment variable that
//! is empty counts as not set, and so does `off` for a switch that has no value on the command line. For a variable that
//! can contain a secret, `NAME_FILE` names a file with its value.

mod file;
mod in_force;
mod secret_files;
mod server;

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use crate::cli::{Arguments, nearest, switch};
use crate::error::CommandError;
use file::File;
use secret_files::SecretFiles;

pub(crate) use in_force::{OptionInForce, options_in_force};
pub(crate) use server::{MailSettings, ServerSettings, migrate};

/// The file that is read without `--config`, if it exists.
const DEFAULT_FILE: &str = "tenantry.toml";

/// Why the options are not valid.
pub(crate) enum OptionsError {
    /// An error of the command line or the environment, or a request for help.
    CommandLine(clap::Error),
    /// An error of a file with values.
    File(CommandError),
}

/// Resolves the options of a command line.
pub(crate) fn resolve(line: &[OsString]) -> Result<Arguments, OptionsError> {
    let command = without_overridden_variables(without_empty_variables(Arguments::command()), line);
    let secrets = SecretFiles::read(&command).map_err(OptionsError::File)?;
    let arguments = parse(secrets.set(command.clone()), line).map_err(OptionsError::CommandLine)?;
    let Some((path, file)) = read(arguments.global.config.as_deref()).map_err(OptionsError::File)? else {
        return Ok(arguments);
    };
    // The command line alone was valid, so that an error is one of the file.
    parse(secrets.set(with_defaults(command, &file)), line).map_err(|error| {
        OptionsError::File(CommandError::Options(format!("{}: {}", path.display(), first_paragraph(&error))))
    })
}

fn parse(mut command: Command, line: &[OsString]) -> Result<Arguments, clap::Error> {
    let matches = command.try_get_matches_from_mut(line)?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn read(config: Option<&Path>) -> Result<Option<(PathBuf, File)>, CommandError> {
    let path = config.unwrap_or(Path::new(DEFAULT_FILE));
    if config.is_none() && is_out_of_reach(&path.metadata()) {
        return Ok(None);
    }
    match File::read(path, &option_names())? {
        Some(file) => Ok(Some((path.to_owned(), file))),
        None if config.is_none() => Ok(None),
        None => Err(CommandError::Options(format!("--config: {} does not exist", path.display()))),
    }
}

/// Whether the user may not even look for the file. `runuser` leaves the user of a service in the folder of the person
/// who started it, so this is no file that is meant for the command.
fn is_out_of_reach<T>(found: &io::Result<T>) -> bool {
    found.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The options that the file can set: those of `serve`, and the global ones.
fn option_names() -> Vec<String> {
    let mut command = Arguments::command();
    command.build();
    let serve = command.find_subcommand("serve");
    let names = serve.into_iter().flat_map(Command::get_arguments).filter_map(clap::Arg::get_long);
    names.filter(|name| !["config", "help", "version"].contains(name)).map(ToOwned::to_owned).collect()
}

fn without_empty_variables(command: Command) -> Command {
    command.mut_subcommands(without_empty_variables).mut_args(|arg| {
        let value = arg.get_env().and_then(std::env::var_os);
        if value.is_some_and(|value| is_unset(&arg, &value.to_string_lossy())) {
            arg.env(None::<&'static str>)
        } else {
            arg
        }
    })
}

/// Whether the value of a variable means the same as no variable. clap would count a switch that is off as given, and
/// let it stand for an option that is required.
fn is_unset(arg: &Arg, value: &str) -> bool {
    value.trim().is_empty() || (matches!(arg.get_action(), ArgAction::SetTrue) && switch(value) == Ok(false))
}

/// Ignores the variable of an option that excludes one on the command line: a flag wins over the environment.
fn without_overridden_variables(command: Command, line: &[OsString]) -> Command {
    let is_given = |name: &str| {
        line.iter()
            .filter_map(|word| word.to_str()?.strip_prefix("--"))
            .any(|word| word == name || word.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')))
    };
    let excluded = match (is_given("scope"), is_given("all-scopes")) {
        (true, false) => "all-scopes",
        (false, true) => "scope",
        _ => return command,
    };
    command.mut_subcommand("token", |token| {
        token.mut_subcommand("create", |create| {
            create.mut_args(|arg| match arg.get_long() {
                Some(name) if name == excluded => arg.env(None::<&'static str>),
                _ => arg,
            })
        })
    })
}

/// Warns of each variable `TENANTRY_...` that sets no option. It is no error, because orchestrators set such variables
/// for a service of this name.
pub(crate) fn warn_of_unknown_variables() {
    let mut known = HashSet::new();
    add_variables(&Arguments::command(), &mut known);
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TENANTRY_")) else { continue };
        // The variables of the test suites, which start the program.
        if known.contains(name) || name == "TENANTRY_BIN" || name.starts_with("TENANTRY_TEST_") {
            continue;
        }
        let nearest = nearest(without_prefix(name), known.iter().map(|name| without_prefix(name)));
        let nearest = nearest.map(|name| format!("TENANTRY_{name}"));
        tracing::warn!(variable = name, nearest, "environment variable sets no option");
    }
}

fn without_prefix(name: &str) -> &str {
    name.strip_prefix("TENANTRY_").unwrap_or(name)
}

fn add_variables(command: &Command, to: &mut HashSet<String>) {
    let names = command.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    to.extend(names.map(ToOwned::to_owned));
    to.extend(secret_files::variables(command));
    command.get_subcommands().for_each(|command| add_variables(command, to));
}

fn with_defaults(command: Command, file: &File) -> Command {
    let with_default = |arg: clap::Arg| match arg.get_long().and_then(|name| file.values(name)) {
        Some(values) => arg.default_values(values),
        None => arg,
    };
    command.mut_subcommands(|command| with_defaults(command, file)).mut_args(with_default)
}

/// The message of a clap error without its label and the hint to the help.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    text.split("\n\n").next().unwrap_or(text).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command as Subcommand, List};

    fn line(arguments: &[&str]) -> Vec<OsString> {
        std::iter::once("tenantry").chain(arguments.iter().copied()).map(OsString::from).collect()
    }

    fn written(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path.to_string_lossy().into_owned())
    }

    fn refused(text: &str) -> String {
        let (_folder, path) = written(text);
        match resolve(&line(&["serve", "--config", &path])) {
            Err(OptionsError::File(error)) => error.to_string(),
            Err(OptionsError::CommandLine(error)) => panic!("{error}"),
            Ok(_) => panic!("{text} was accepted"),
        }
    }

    #[test]
    fn the_file_sets_options_and_the_command_line_wins() {
        let (_folder, path) = written(
            "database = 'sqlite:a.db'\nlog-level = 'debug'\nrate-burst = 7\nbootstrap = false\n\
             trusted-origin = ['https://a.example', 'https://b.example/']\nmax-in-flight = 3\n",
        );
        let arguments = resolve(&line(&["serve", "--config", &path, "--max-in-flight", "4"]));
        let Ok(Arguments { command: Subcommand::Serve(serve), global }) = arguments else { panic!() };
        assert_eq!(serve.database.database, "sqlite:a.db");
        assert_eq!(global.log_level.0.default_level(), Some(tracing::level_filters::LevelFilter::DEBUG));
        assert_eq!((serve.rate_burst.get(), serve.bootstrap, serve.max_in_flight), (7, false, 4));
        assert_eq!(List::joined(&serve.trusted_origins), ["https://a.example", "https://b.example"]);
        // A command takes the options of the file that it has.
        let arguments = resolve(&line(&["backup", "-", "--config", &path]));
        let Ok(Arguments { command: Subcommand::Backup(backup), .. }) = arguments else { panic!() };
        assert_eq!(backup.database.database, "sqlite:a.db");
    }

    #[test]
    fn the_file_takes_every_option_of_the_server() {
        let names = option_names();
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            // A date is a value of no option: the value is refused, not the name.
            let message = refused(&format!("{name} = 1970-01-01\n"));
            assert!(message.contains(&format!("{name}: use a text")), "{message}");
        }
    }

    #[test]
    fn an_error_in_the_file_names_the_place_and_never_repeats_the_line() {
        for (text, expected) in [
            ("database = 'sqlite:a.db'\ndatabase = postgres://u:hunter2@h/t\n", "line 2"),
            ("databse = 'postgres://u:hunter2@h/t'\n", "there is no option databse: did you mean database?"),
            ("database = ['postgres://u:hunter2@h/t', 7]\n", "database: use a text"),
            ("database = { url = 'postgres://u:hunter2@h/t' }\n", "database: use a text"),
            ("mail = '''smtp://u:hunter2@h\n", "line"),
            ("rate-burst = 0\n", "--rate-burst"),
            ("log-level = 'inof'\n", "use error, warn"),
        ] {
            let message = refused(text);
            assert!(message.contains(expected) && message.contains("t.toml"), "{message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_folder_that_the_user_may_not_enter_has_no_file() {
        let found = |kind: io::ErrorKind| is_out_of_reach::<()>(&Err(kind.into()));
        assert!(found(io::ErrorKind::PermissionDenied));
        // The first is no error, and the second is reported as one when the file is read.
        assert!(!found(io::ErrorKind::NotFound) && !found(io::ErrorKind::InvalidInput));
        assert!(!is_out_of_reach(&Ok(())));
    }

    #[test]
    fn a_missing_file_is_an_error_when_it_was_named() {
        assert!(matches!(resolve(&line(&["serve", "--config", "/no/such"])), Err(OptionsError::File(_))));
    }
}
