//! Load at a fixed rate, and its latencies by windows of time.
//!
//! Requests are due at even intervals, whatever the server does. A request that is due while its connection still
//! waits for an earlier answer counts from the time at which it was due, so that a server that stops answering
//! cannot hide it. What could not be sent by the end of the last window is not sent, so a rate that no server
//! reaches measures the highest one.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::load::{Connection, Error, Request, is_success, percentile};

/// The parameters of a paced load.
#[derive(Clone, Copy)]
pub struct Pace {
    pub connections: u32,
    /// Requests per second on all connections together.
    pub rate: f64,
    pub windows: usize,
    pub window: Duration,
}

/// The answers of one window.
#[derive(Clone, Default)]
struct Window {
    micros: Vec<u32>,
    failures: u64,
    first_failure: Option<String>,
}

/// Sends `requests` in turn. Returns one JSON object for each window, by the time at which a request was due.
pub async fn run(requests: &[Request], pace: Pace) -> Result<Vec<Value>, Error> {
    let requests: Arc<[Request]> = requests.into();
    let numbers = Arc::new(AtomicU64::new(1));
    let start = Instant::now() + Duration::from_millis(100);
    let mut running = JoinSet::new();
    for first in 0..pace.connections {
        running.spawn(send(Arc::clone(&requests), Arc::clone(&numbers), pace, first, start));
    }
    let mut windows = vec![Window::default(); pace.windows];
    while let Some(sent) = running.join_next().await {
        for (window, of_one) in windows.iter_mut().zip(sent??) {
            window.micros.extend(of_one.micros);
            window.failures += of_one.failures;
            window.first_failure = window.first_failure.take().or(of_one.first_failure);
        }
    }
    Ok(windows.into_iter().map(|window| summary(window, pace.window)).collect())
}

/// Sends every request that falls to one connection: at the `first` time of all and each `pace.connections` after it.
/// The next request is a step away that has no factor in common with their number, so that each connection sends
/// all kinds, and none has more of the slow ones than others.
async fn send(
    requests: Arc<[Request]>,
    numbers: Arc<AtomicU64>,
    pace: Pace,
    first: u32,
    start: Instant,
) -> Result<Vec<Window>, Error> {
    let mut requests: Vec<Request> = requests.to_vec();
    let different = requests.len();
    let step = (pace.connections as usize..).find(|step| gcd(*step, different) == 1).unwrap_or(1);
    let end = start + pace.window * u32::try_from(pace.windows)?;
    let mut windows = vec![Window::default(); pace.windows];
    let mut kept = None;
    for (turn, at) in (first as usize..).step_by(pace.connections as usize).enumerate() {
        let due = start + Duration::from_secs_f64(at as f64 / pace.rate);
        let number = due.duration_since(start).as_nanos() / pace.window.as_nanos();
        let window = usize::try_from(number).ok().and_then(|number| windows.get_mut(number));
        let Some((window, request)) =
            window.zip(requests.get_mut((first as usize + turn * step) % different))
        else {
            break;
        };
        if Instant::now() >= end {
            break;
        }
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::to(request).await?,
        };
        let free_at = Instant::now();
        tokio::time::sleep_until(due.into()).await;
        let from = if free_at > due { due } else { Instant::now() };
        match connection.exchange(request.numbered(&numbers)).await {
            Ok(status) if is_success(status) => {
                window.micros.push(u32::try_from(from.elapsed().as_micros()).unwrap_or(u32::MAX));
                kept = Some(connection);
            }
            Ok(_) => {
                window.failures += 1;
                window.first_failure.get_or_insert_with(|| connection.answer());
                kept = Some(connection);
            }
            Err(error) => {
                window.failures += 1;
                window.first_failure.get_or_insert_with(|| error.to_string());
            }
        }
    }
    Ok(windows)
}

/// The greatest common divisor.
fn gcd(one: usize, other: usize) -> usize {
    if other == 0 { one } else { gcd(other, one % other) }
}

fn summary(mut window: Window, length: Duration) -> Value {
    window.micros.sort_unstable();
    json!({
        "per_second": window.micros.len() as f64 / length.as_secs_f64(),
        "p50_ms": percentile(&window.micros, 500),
        "p99_ms": percentile(&window.micros, 990),
        "p999_ms": percentile(&window.micros, 999),
        "failures": window.failures,
        "first_failure": window.first_failure,
    })
}
