//! `--metrics-listen`: the listener of the metrics, beside that of the API.

use std::future::Future;
use std::sync::Arc;

use tenantry_http::Gateway;
use tenantry_metrics::{Bounds, Metrics};
use tenantry_worker::WorkerMeters;
use tokio::net::TcpListener;

use crate::error::CommandError;
use crate::serve::listen_on;

/// The listener of the metrics, if there is to be one.
pub(crate) struct MetricsListener(Option<TcpListener>);

impl MetricsListener {
    /// Listens on `address`, if one is given. Warns where other machines can read the metrics on their way.
    pub(crate) async fn open(address: Option<&str>) -> Result<Self, CommandError> {
        let Some(address) = address else { return Ok(Self(None)) };
        let listener = listen_on("--metrics-listen", address).await?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}/metrics");
        tracing::info!(%url, "metrics listening");
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "metrics are served without TLS beyond this machine");
        }
        Ok(Self(Some(listener)))
    }

    /// Serves the metrics of `gateway` and `workers` until `stop` completes.
    pub(crate) async fn serve(
        self,
        gateway: Gateway,
        workers: Arc<WorkerMeters>,
        stop: impl Future<Output = ()>,
    ) {
        if let Some(listener) = self.0 {
            let metrics = Metrics::new(gateway, workers, env!("CARGO_PKG_VERSION"));
            tenantry_metrics::serve(listener, Arc::new(metrics), Bounds::default(), stop).await;
        }
    }
}
