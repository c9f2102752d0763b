//! `cargo xtask COMMAND`: the commands of everyday work. Each prints the commands that it runs.
//!
//! Every cargo command selects the whole workspace. A build of one package would give its dependencies other
//! features, and so compile most of them a second time.

mod command;
mod dependencies;
mod tasks;

use std::process::ExitCode;

use tasks::{TASKS, Task};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.is_empty() || is_help(&arguments) {
        println!("{}", overview());
        return ExitCode::SUCCESS;
    }
    let name = arguments.remove(0);
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        eprintln!("xtask: unknown command {name}\n\n{}", overview());
        return ExitCode::from(2);
    };
    if is_help(&arguments) {
        println!("{}", help(task));
        return ExitCode::SUCCESS;
    }
    match task.steps(&arguments) {
        Ok(steps) => command::run_all(&steps),
        Err(error) => {
            eprintln!("xtask: {error}\n\n{}", help(task));
            ExitCode::from(2)
        }
    }
}

fn is_help(arguments: &[String]) -> bool {
    matches!(arguments.first().map(String::as_str), Some("-h" | "--help" | "help"))
}

/// All commands, one line each.
fn overview() -> String {
    let mut text = String::from("usage: cargo xtask COMMAND [--help]\n");
    for Task { name, parameters, duration, summary, .. } in TASKS {
        text.push_str(&format!("\n  {:<18} {summary} ({duration})", format!("{name} {parameters}").trim()));
    }
    text
}

/// One command with its details.
fn help(task: &Task) -> String {
    let Task { name, parameters, duration, summary, details, .. } = task;
    let usage = format!("usage: cargo xtask {name} {parameters}");
    format!("{}\n\n{summary}. Takes {duration}.\n\n{details}", usage.trim_end())
}
