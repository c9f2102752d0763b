//! The steps of a task: print each, run it, and stop at the first that fails.

use std::fmt::{self, Display};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{self, ExitCode, Stdio};
use std::time::Instant;

/// A step of a task.
pub(crate) enum Step {
    Run(Command),
    /// A check of this crate, with the command that runs it alone.
    Check(&'static str, fn() -> Result<(), String>),
}

impl From<Command> for Step {
    fn from(command: Command) -> Self {
        Self::Run(command)
    }
}

impl Step {
    fn run(&self) -> Result<(), String> {
        match self {
            Self::Run(command) => command.run(),
            Self::Check(_, check) => check(),
        }
    }
}

impl Display for Step {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(command) => command.fmt(out),
            Self::Check(name, _) => out.write_str(name),
        }
    }
}

/// A program with its arguments, run in the root of the checkout.
#[derive(Debug)]
pub(crate) struct Command {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    counts_tests: bool,
}

impl Command {
    pub(crate) fn new<A: Into<String> + Clone>(program: &str, arguments: impl AsRef<[A]>) -> Self {
        let arguments = arguments.as_ref().iter().cloned().map(Into::into).collect();
        Self { program: program.to_owned(), arguments, variables: Vec::new(), counts_tests: false }
    }

    /// The command with an environment variable.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command as the arguments of `wrapper`.
    pub(crate) fn behind(mut self, wrapper: &str) -> Self {
        self.arguments.insert(0, std::mem::replace(&mut self.program, wrapper.to_owned()));
        self
    }

    /// The command without the output of test binaries that ran no test. If no test ran at all, the command fails,
    /// because the name may be misspelt.
    pub(crate) fn counting_tests(mut self) -> Self {
        self.counts_tests = true;
        self
    }

    /// Returns the standard output of the command.
    ///
    /// # Errors
    /// The reason why the command failed.
    pub(crate) fn output(&self) -> Result<String, String> {
        let output = self.process().stderr(Stdio::inherit()).output();
        let output = output.map_err(|error| format!("cannot start {}: {error}", self.program))?;
        if !output.status.success() {
            return Err(format!("{self} failed: {}", output.status));
        }
        String::from_utf8(output.stdout).map_err(|error| format!("{self} printed no text: {error}"))
    }

    fn process(&self) -> process::Command {
        let mut process = process::Command::new(&self.program);
        process.args(&self.arguments).current_dir(root()).envs(self.variables.iter().cloned());
        process
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// The reason why the command failed.
    fn run(&self) -> Result<(), String> {
        let mut command = self.process();
        if self.counts_tests {
            command.stdout(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| format!("cannot start {}: {error}", self.program))?;
        let ran = child.stdout.take().map(|output| print_tests(BufReader::new(output)));
        let status = child.wait().map_err(|error| format!("cannot wait for {}: {error}", self.program))?;
        match ran {
            _ if !status.success() => Err(format!("{self} failed: {status}")),
            Some(false) => Err("no test has that name".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Display for Command {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(out, "{name}={value} ")?;
        }
        out.write_str(&self.program)?;
        self.arguments.iter().try_for_each(|argument| write!(out, " {argument}"))
    }
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Prints the output of `cargo test` without the binaries that ran no test; returns whether any test ran.
fn print_tests(output: impl BufRead) -> bool {
    let mut any = false;
    let mut is_empty_run = false;
    for line in output.lines().map_while(Result::ok) {
        if line.starts_with("running ") {
            is_empty_run = line == "running 0 tests";
            any |= !is_empty_run;
        }
        if !is_empty_run {
            println!("{line}");
        }
    }
    any
}

/// Runs steps in order, printing each, until one fails; ends with the seconds that each took.
pub(crate) fn run_all(steps: &[Step]) -> ExitCode {
    let mut durations = Vec::new();
    for step in steps {
        eprintln!("$ {step}");
        let start = Instant::now();
        if let Err(error) = step.run() {
            eprintln!("xtask: {error}");
            return ExitCode::FAILURE;
        }
        durations.push(format!("{:>7.1} s  {step}", start.elapsed().as_secs_f64()));
    }
    eprintln!("\n{}", durations.join("\n"));
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let command =
            Command::new("cargo", ["test", "name"]).variable("ENGINE", "postgres").behind("with.sh");
        assert_eq!(command.to_string(), "ENGINE=postgres with.sh cargo test name");
    }

    #[test]
    fn a_run_without_tests_is_noticed() {
        assert!(!print_tests("running 0 tests\n\ntest result: ok.\n".as_bytes()));
        assert!(print_tests("running 0 tests\n\nrunning 1 test\ntest a ... ok\n".as_bytes()));
    }

    #[test]
    fn a_failure_stops_the_steps_behind_it() {
        let folder = std::env::temp_dir().join(format!("xtask-{}", process::id()));
        let mark = folder.to_string_lossy().into_owned();
        let steps = [Command::new("false", [""; 0]).into(), Command::new("mkdir", [mark]).into()];
        assert_eq!(run_all(&steps), ExitCode::FAILURE);
        assert!(!folder.exists());
    }
}
