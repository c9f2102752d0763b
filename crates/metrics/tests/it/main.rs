//! The metrics of a server with a database of its own, and their listener over a socket.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod listener;
mod values;

use std::sync::Arc;

use tenantry_metrics::{Format, Metrics};
use tenantry_testkit::{Acme, World};

/// The metrics of a server.
fn metrics(world: &World) -> Metrics {
    Metrics::new(world.gateway.clone(), Arc::default(), "1.2.3")
}

/// The samples of a scrape in the format of Prometheus.
struct Scrape(String);

impl Scrape {
    async fn of(acme: &Acme) -> Self {
        Self(metrics(&acme.world).render(Format::Prometheus).await)
    }

    /// The value of the sample with this name and these labels. 0 where there is none.
    fn value(&self, sample: &str) -> f64 {
        let line = self.0.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Whether a family has this name.
    fn has(&self, family: &str) -> bool {
        self.0.contains(&format!("# TYPE {family} "))
    }
}
