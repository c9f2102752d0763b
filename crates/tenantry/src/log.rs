//! The log of the program, on standard error.

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::cli::{Global, LogFormat};

/// Installs the log. Events go to standard error, because standard output belongs to the command's result.
pub(crate) fn init(global: &Global) {
    let registry = registry().with(global.log_level.0.clone());
    match global.log_format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(io::stderr)).init(),
        LogFormat::Json => {
            registry.with(fmt::layer().with_writer(io::stderr).json().flatten_event(true)).init();
        }
    }
}
