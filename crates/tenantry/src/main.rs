//! Tenantry: the tenant layer of a SaaS business in one binary.

mod cli;
mod commands;
mod config;
mod data;
mod data_cli;
mod installation;
mod progress;
mod serve;
mod stop;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    match commands::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tenantry: {error}");
            error.status()
        }
    }
}
