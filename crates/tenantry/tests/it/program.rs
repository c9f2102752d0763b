//! Runs the program in a directory of its own, without the variables of the environment.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The outcome of a command.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A directory in which commands run.
pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A command that has not started yet.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TENANTRY_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        finished(&mut self.command(arguments))
    }

    /// Runs a command that must succeed, and returns its output.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let Outcome { status, out, err } = self.run(arguments);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        out
    }

    /// Runs a command that must fail, and returns its message.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let Outcome { status, err, .. } = self.run(arguments);
        assert_ne!(status, 0, "{arguments:?}");
        assert!(!err.contains("Value error") && !err.contains("Some("), "{err}");
        err
    }
}

pub(crate) fn finished(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Outcome { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}
