//! The commands of `cargo xtask`, as data.

use crate::command::{Command, Step};
use crate::dependencies;

/// A command of `cargo xtask`.
pub(crate) struct Task {
    pub(crate) name: &'static str,
    /// The parameters, as the help text shows them.
    pub(crate) parameters: &'static str,
    /// The usual duration on two cores when dependencies are built.
    pub(crate) duration: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) details: &'static str,
    plan: fn(&[String]) -> Result<Vec<Step>, String>,
}

impl Task {
    /// The steps to run, in order.
    ///
    /// # Errors
    /// The arguments are not the ones that the task takes.
    pub(crate) fn steps(&self, arguments: &[String]) -> Result<Vec<Step>, String> {
        (self.plan)(arguments)
    }
}

/// Every command, in the order of the help text.
pub(crate) const TASKS: &[Task] = &[
    Task {
        name: "check",
        parameters: "",
        duration: "up to 90 s",
        summary: "Check format, dependencies and lints, and run all Rust tests on SQLite",
        details: "The inner loop: run it before each commit. Needs no PostgreSQL and no built program.",
        plan: |arguments| {
            no_arguments(arguments)?;
            let lint = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
            Ok(vec![
                Command::new("cargo", ["fmt", "--all", "--check"]).into(),
                DEPENDENCIES,
                Command::new("cargo", lint).into(),
                rust_tests(&[], "sqlite").into(),
            ])
        },
    },
    Task {
        name: "test",
        parameters: "NAME...",
        duration: "seconds, plus the build",
        summary: "Run the Rust tests with NAME in their path, on SQLite",
        details: "NAME is part of a test's path, such as `members::` or `the_owner_stays`.",
        plan: |arguments| Ok(vec![rust_tests(names(arguments)?, "sqlite").into()]),
    },
    Task {
        name: "pg",
        parameters: "NAME...",
        duration: "seconds, plus the build",
        summary: "Run the Rust tests with NAME in their path, on PostgreSQL",
        details: "A throw-away server is started by tests/postgres.sh. Needs PostgreSQL's programs.",
        plan: |arguments| Ok(vec![rust_tests(names(arguments)?, "postgres").into()]),
    },
    Task {
        name: "clients",
        parameters: "",
        duration: "3 minutes, plus the release build",
        summary: "Run the published clients and the recorded exchanges against the release build",
        details: "Runs the suites of tests/run.sh that speak the two published APIs, on SQLite.\n\
                  TENANTRY_BIN names another program to test; nothing is built then.",
        plan: |arguments| {
            no_arguments(arguments)?;
            let suites = ["golden", "python", "python10", "node", "go", "schemathesis"];
            Ok(with_program(Command::new("tests/run.sh", suites)))
        },
    },
    Task {
        name: "cluster",
        parameters: "",
        duration: "3 minutes, plus the release build",
        summary: "Run several nodes on one PostgreSQL through failures and upgrades",
        details: "Needs PostgreSQL's programs, HAProxy and OpenSSL. TENANTRY_BIN names another program to test.",
        plan: |arguments| {
            no_arguments(arguments)?;
            Ok(with_program(Command::new("tests/run.sh", ["cluster"])))
        },
    },
    Task {
        name: "bench",
        parameters: "[OPTION...]",
        duration: "2 minutes, plus the release build",
        summary: "Measure the release build beside what the machine can do at best",
        details: "Options are those of bench/run: `bench/run --help`. Compare ratios of one run, never of two.",
        plan: |arguments| Ok(with_program(Command::new("bench/run", arguments))),
    },
    Task {
        name: "ci",
        parameters: "",
        duration: "40 minutes at most, with nothing built",
        summary: "Do everything that a change must pass",
        details: "Installs missing tools with apt-get where there is one, then runs every suite on both engines.",
        plan: |arguments| {
            no_arguments(arguments)?;
            Ok(vec![Command::new("./ci", [""; 0]).into()])
        },
    },
    Task {
        name: "dependencies",
        parameters: "",
        duration: "a second",
        summary: "Check licences and sources of dependencies by the rules of deny.toml",
        details: "Published advisories are not checked here: see SECURITY.md.",
        plan: |arguments| {
            no_arguments(arguments)?;
            Ok(vec![DEPENDENCIES])
        },
    },
];

const DEPENDENCIES: Step = Step::Check("cargo xtask dependencies", dependencies::check);

fn no_arguments(arguments: &[String]) -> Result<(), String> {
    arguments.first().map_or(Ok(()), |first| Err(format!("unexpected argument {first}")))
}

fn names(arguments: &[String]) -> Result<&[String], String> {
    if arguments.is_empty() { Err("NAME is missing".to_owned()) } else { Ok(arguments) }
}

/// The unit and integration tests: those with one of `names` in their path, or all without names.
fn rust_tests(names: &[String], engine: &str) -> Command {
    // Selected by kind, which leaves out doc tests: there are none, and looking for them takes seconds.
    let mut arguments = vec!["test", "--workspace", "--locked", "--lib", "--bins", "--tests"];
    if !names.is_empty() {
        arguments.push("--");
        arguments.extend(names.iter().map(String::as_str));
    }
    let tests = Command::new("cargo", arguments);
    let tests = if engine == "postgres" { tests.behind("tests/postgres.sh") } else { tests };
    tests.behind("tests/memory.sh").variable("TENANTRY_TEST_ENGINE", engine).counting_tests()
}

/// `command`, after a release build unless `TENANTRY_BIN` names a program.
fn with_program(command: Command) -> Vec<Step> {
    if std::env::var_os("TENANTRY_BIN").is_some() {
        return vec![command.into()];
    }
    let build = ["build", "--release", "--locked", "--package", "tenantry"];
    vec![Command::new("cargo", build).into(), command.into()]
}
