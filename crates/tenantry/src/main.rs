//! Tenantry: the tenant layer of a SaaS business in one binary.

#[allow(
    rustdoc::bare_urls,
    rustdoc::broken_intra_doc_links,
    rustdoc::invalid_html_tags,
    reason = "its comments are help texts, which clap shows as they are"
)]
mod cli;
mod commands;
mod config;
mod data;
mod draft;
mod error;
mod first_start;
mod installation;
mod jobs;
mod key;
mod listing;
mod log;
mod lookup;
mod metrics;
mod moving;
mod output;
mod progress;
mod scheduled_backups;
mod serve;
mod stop;
mod supervisor;
mod tls;

use std::process::ExitCode;

use config::OptionsError;
use error::CommandError;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let line: Vec<_> = std::env::args_os().collect();
    let mut only_shows = false;
    let outcome = match config::resolve(&line) {
        Ok(arguments) => {
            only_shows = arguments.command.only_shows();
            // Dropped before an error is reported, so that the report is the last line.
            let log = log::init(&arguments.global);
            log.map_err(CommandError::from).and_then(|_log| {
                config::warn_of_unknown_variables();
                commands::run(arguments.command)
            })
        }
        Err(OptionsError::CommandLine(error)) => error.exit(),
        Err(OptionsError::File(error)) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if only_shows && error.is_closed_output() => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            error.status()
        }
    }
}

/// Prints an error. A closed standard error is ignored, because there is no other place for the message.
fn report(error: &CommandError) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "tenantry: {error}");
}
