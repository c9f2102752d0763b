//! Reports to the supervisor that started the program, by systemd's protocol (`Type=notify`, `WatchdogSec=`). Without a
//! supervisor that asks for them, nothing is reported.

use std::pin::pin;
use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The shortest pause between two reports that the program is alive.
const SHORTEST: Duration = Duration::from_millis(10);

/// Reports that the server accepts connections.
pub(crate) fn ready() {
    report(NotifyState::Ready);
}

/// Reports that the server stops.
pub(crate) fn stopping() {
    report(NotifyState::Stopping);
}

/// Runs `work`. Meanwhile the program reports that it is alive, twice in each interval of the supervisor's watchdog. A
/// program whose tasks no longer run does not report, and is restarted.
pub(crate) async fn report_alive_during<T>(work: impl Future<Output = T>) -> T {
    let Some(interval) = watchdog_enabled() else { return work.await };
    let mut every = tokio::time::interval((interval / 2).max(SHORTEST));
    let mut work = pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = every.tick() => report(NotifyState::Watchdog),
        }
    }
}

fn report(state: NotifyState<'_>) {
    if let Err(error) = notify(&[state]) {
        tracing::warn!(%error, "supervisor not reached");
    }
}
