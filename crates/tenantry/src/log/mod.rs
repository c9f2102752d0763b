//! The log of the program, on standard error.

mod writer;

use std::io;

use tracing_subscriber::fmt::format;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

use crate::cli::{Global, LogFormat};
use crate::installation::now;
use writer::LogWriter;

/// The time of a line. It is written in a quarter of the instructions that the library's own needs.
struct LineTime;

impl FormatTime for LineTime {
    fn format_time(&self, line: &mut format::Writer<'_>) -> std::fmt::Result {
        write!(line, "{}", now())
    }
}

/// Installs the log, which is complete when the result is dropped. Events go to standard error, because standard output
/// belongs to the command's result.
pub(crate) fn init(global: &Global) -> io::Result<impl Drop> {
    let (writer, flush) = LogWriter::start(io::stderr())?;
    flush.at_each_panic();
    let registry = registry().with(global.log_level.0.clone());
    let layer = fmt::layer().with_timer(LineTime).with_writer(writer);
    match global.log_format {
        LogFormat::Text => registry.with(layer).init(),
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).init(),
    }
    Ok(flush)
}
