//! The errors of commands, as they are printed.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use tenantry_app::Error;
use tenantry_app::archive::ArchiveError;
use tenantry_core::values::InvalidValue;
use tenantry_outbound::webhook::SetupError;
use tenantry_store::StoreError;

use crate::cli::reason;
use crate::output::counted;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A complete message.
    #[error("{0}")]
    Message(String),
    /// An option or argument, as it is written in the help, and what is wrong with it.
    #[error("{0}: {1}")]
    Argument(&'static str, String),
    /// A complete message about the options.
    #[error("{0}")]
    Options(String),
    #[error("{}", use_case_message(.0))]
    App(#[from] Error),
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{}", archive_message(.0))]
    Archive(#[from] ArchiveError),
    #[error("{}", counted(*.0, "finding"))]
    Findings(u64),
    #[error("{} failed", counted(*.0, "row"))]
    FailedRows(i64),
    #[error("{0}")]
    Webhooks(#[from] SetupError),
    #[error("{}", io_message(.0))]
    Io(#[from] io::Error),
}

impl CommandError {
    /// The exit status. clap exits with 2 too when the arguments are wrong.
    pub(crate) fn status(&self) -> ExitCode {
        match self {
            Self::Argument(..) | Self::Options(_) => ExitCode::from(2),
            Self::Findings(_) | Self::FailedRows(_) => ExitCode::from(3),
            _ => ExitCode::FAILURE,
        }
    }

    /// Whether the reader of the output closed it, as `head` does. That is not an error of a command that only shows
    /// something.
    pub(crate) fn is_closed_output(&self) -> bool {
        let (Self::Io(error) | Self::Archive(ArchiveError::Io(error))) = self else { return false };
        error.kind() == io::ErrorKind::BrokenPipe
    }

    /// An error about a file.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self::Message(format!("{}: {error}", path.display()))
    }

    /// An argument that does not parse.
    pub(crate) fn invalid(name: &'static str, value: &InvalidValue) -> Self {
        Self::Argument(name, reason(value).to_owned())
    }
}

fn archive_message(error: &ArchiveError) -> String {
    match error {
        ArchiveError::Io(error) => io_message(error),
        other => other.to_string(),
    }
}

fn io_message(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::BrokenPipe => "the output was closed before all of it was written".to_owned(),
        _ => error.to_string(),
    }
}

/// The violated rules of an organization, or the error's own message.
fn use_case_message(error: &Error) -> String {
    match error {
        Error::OrganizationInvalid(violations) => {
            violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}
