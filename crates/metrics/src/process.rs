//! The figures that Linux has about the process, by the names that all Prometheus clients use. Where `/proc` does not
//! exist, a figure is left out.

use std::fs;

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// The figures of the process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessReading {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) open_files_limit: Option<u64>,
    pub(crate) threads: Option<u64>,
}

/// The figures at this moment.
pub(crate) fn reading() -> ProcessReading {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let sizes = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(0);
    let mut sizes =
        sizes.split_whitespace().map(|pages| Some(pages.parse::<u64>().ok()?.saturating_mul(page)));
    let (virtual_bytes, resident_bytes) = (sizes.next().flatten(), sizes.next().flatten());
    ProcessReading {
        cpu_seconds: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
        resident_bytes,
        virtual_bytes,
        open_files: count_entries("/proc/self/fd"),
        open_files_limit: getrlimit(Resource::Nofile).current,
        threads: count_entries("/proc/self/task"),
    }
}

fn count_entries(folder: &str) -> Option<u64> {
    u64::try_from(fs::read_dir(folder).ok()?.count()).ok()
}
