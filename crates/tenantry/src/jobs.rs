//! The periodic jobs of a server.

use std::sync::Arc;
use std::time::Duration;

use tenantry_app::App;
use tenantry_http::Gateway;
use tokio::sync::watch;

use crate::installation::Database;
use crate::scheduled_backups::{self, BackupSchedule};
use crate::stop::until_stopped;

/// The pause between two deletions of expired rows.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The pause between two comparisons of the clock with the database's.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(10);
/// The largest difference of the clocks without a warning.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// Runs the jobs until the server stops. `backups` are made of a database.
pub(crate) async fn run(
    app: &App,
    gateway: &Gateway,
    backups: Option<(BackupSchedule, Arc<Database>)>,
    stopped: watch::Receiver<bool>,
) {
    tokio::join!(
        sweep(app, gateway, stopped.clone()),
        watch_clock(app, stopped.clone()),
        run_doctor(app, stopped.clone()),
        scheduled_backups::run(backups, app, stopped),
    );
}

/// Deletes expired rows and stores the last uses of tokens, periodically.
async fn sweep(app: &App, gateway: &Gateway, stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(SWEEP_INTERVAL);
    let sweeping = async {
        loop {
            every.tick().await;
            gateway.sweep();
            if let Err(error) = app.sweep().await {
                tracing::warn!(%error, "sweep failed");
            }
        }
    };
    // A long sweep is cut off: the next start continues it.
    tokio::select! {
        () = until_stopped(stopped.clone()) => {}
        () = sweeping => {}
    }
    if let Err(error) = app.store_token_uses().await {
        tracing::warn!(%error, "token uses not stored");
    }
}

/// Runs the doctor whenever an operator has started it in the console.
async fn run_doctor(app: &App, stopped: watch::Receiver<bool>) {
    let running = async {
        loop {
            app.doctor_asked().await;
            if let Err(error) = app.run_doctor().await {
                tracing::warn!(%error, "report of the doctor not stored");
            }
        }
    };
    tokio::select! {
        () = until_stopped(stopped) => {}
        () = running => {}
    }
}

/// Compares the clock with the database's, periodically.
async fn watch_clock(app: &App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(CLOCK_CHECK_INTERVAL);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            _ = every.tick() => {}
        }
        match app.check_clock().await {
            Ok(difference) if difference > CLOCK_TOLERANCE => tracing::warn!(
                difference_ms = difference.as_millis(),
                "clock differs from the database's: synchronize both with NTP"
            ),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "clock check failed"),
        }
    }
}
