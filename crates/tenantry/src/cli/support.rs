//! The command line of `tenantry support`.

use std::path::PathBuf;

use clap::Args;

use super::Serve;

#[derive(Debug, Args)]
pub(crate) struct Support {
    /// The log of the server, whose last warnings and errors are included; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Leave out the doctor, which reads all data
    #[arg(long)]
    pub(crate) without_doctor: bool,
    #[command(flatten)]
    pub(crate) serve: Serve,
}
