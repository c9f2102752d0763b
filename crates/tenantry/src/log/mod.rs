//! The log of the program, on standard error.

mod writer;

use std::io;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::cli::{Global, LogFormat};
use writer::LogWriter;

/// Installs the log, which is complete when the result is dropped. Events go to standard error, because standard output
/// belongs to the command's result.
pub(crate) fn init(global: &Global) -> io::Result<impl Drop> {
    let (writer, flush) = LogWriter::start(io::stderr())?;
    flush.at_each_panic();
    let registry = registry().with(global.log_level.0.clone());
    match global.log_format {
        LogFormat::Text => registry.with(fmt::layer().with_writer(writer)).init(),
        LogFormat::Json => {
            registry.with(fmt::layer().with_writer(writer).json().flatten_event(true)).init();
        }
    }
    Ok(flush)
}
