//! The progress of a long command on standard error: a bar on a terminal, lines elsewhere.

use std::io::{self, IsTerminal, Stderr, Write};
use std::time::{Duration, Instant};

use tenantry_app::archive::Progress;

/// The pause between two updates of the bar.
const BAR_INTERVAL: Duration = Duration::from_millis(100);
/// The pause between two lines.
const LINE_INTERVAL: Duration = Duration::from_secs(10);
/// Clears the line and switches line wrapping off.
const LINE_BEGIN: &str = "\r\x1b[2K\x1b[?7l";
/// Switches line wrapping on again.
const LINE_END: &str = "\x1b[?7h";
/// The width of the bar in characters.
const WIDTH: u64 = 30;

/// Prints the progress.
pub(crate) struct ProgressPrinter {
    out: Stderr,
    is_terminal: bool,
    last: Option<(&'static str, Instant)>,
    /// Whether the end of the phase was printed. The number of rows can grow until then.
    is_at_end: bool,
}

impl ProgressPrinter {
    pub(crate) fn new() -> Self {
        let out = io::stderr();
        Self { is_terminal: out.is_terminal(), out, last: None, is_at_end: false }
    }

    /// Prints the progress, unless the last output is more recent than the interval.
    pub(crate) fn show(&mut self, progress: Progress<'_>) {
        let every = if self.is_terminal { BAR_INTERVAL } else { LINE_INTERVAL };
        let begins = self.last.is_none_or(|(phase, _)| phase != progress.phase);
        let is_last = progress.total_rows.is_some_and(|of| progress.rows >= of);
        let is_due = self.last.is_none_or(|(_, at)| at.elapsed() >= every);
        let ends = is_last && (begins || !self.is_at_end);
        if !(begins || ends || is_due) {
            return;
        }
        self.is_at_end = is_last;
        let at =
            if begins || is_due { Instant::now() } else { self.last.map_or_else(Instant::now, |(_, at)| at) };
        self.last = Some((progress.phase, at));
        let line = line(progress, self.is_terminal);
        // A failure to print the progress does not stop the command.
        let _ = if self.is_terminal {
            write!(self.out, "{LINE_BEGIN}{line}{LINE_END}")
        } else {
            writeln!(self.out, "{line}")
        };
    }

    /// Clears the bar, so that the next output starts on an empty line.
    pub(crate) fn clear(&mut self) {
        if self.is_terminal && self.last.is_some() {
            let _ = write!(self.out, "{LINE_BEGIN}{LINE_END}");
        }
    }
}

fn line(Progress { phase, table, rows, total_rows }: Progress<'_>, with_bar: bool) -> String {
    match total_rows {
        None => format!("{phase}: {rows} rows, {table}"),
        Some(of) if with_bar => {
            let full = rows.saturating_mul(WIDTH).checked_div(of).unwrap_or(WIDTH).min(WIDTH);
            let bar: String = (0..WIDTH).map(|place| if place < full { '#' } else { '.' }).collect();
            format!("{phase} [{bar}] {}% {rows} of {of} rows, {table}", percent(rows, of))
        }
        Some(of) => format!("{phase}: {}%, {rows} of {of} rows, {table}", percent(rows, of)),
    }
}

fn percent(rows: u64, of: u64) -> u64 {
    rows.saturating_mul(100).checked_div(of).unwrap_or(100).min(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_shows_the_share_of_rows_that_are_done() {
        let bar = |rows, of| {
            line(Progress { phase: "copying", table: "users", rows, total_rows: Some(of) }, true)
                .matches('#')
                .count()
        };
        assert_eq!([bar(0, 10), bar(5, 10), bar(10, 10), bar(11, 10), bar(0, 0)], [0, 15, 30, 30, 30]);
        let shown = |with_bar| {
            line(Progress { phase: "copying", table: "users", rows: 2, total_rows: Some(8) }, with_bar)
        };
        assert!(shown(true).contains("] 25% 2 of 8 rows"));
        assert_eq!(shown(false), "copying: 25%, 2 of 8 rows, users");
    }
}
