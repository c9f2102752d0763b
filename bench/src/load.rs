//! The load generator: keep-alive HTTP/1.1 connections with one request in flight on each, in one thread.
//!
//! It does little work for each request, because it shares the processors with the server that it measures.
//! It connects to loopback addresses only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Placeholder in a request for a number that no other request has.
const NUMBER: &str = "{n}";
/// Digits of that number. It is padded with zeros, so that the length of a request does not change.
const DIGITS: usize = 12;
/// The number of different numbers: 10 to the power of `DIGITS`.
const NUMBERS: u128 = 1_000_000_000_000;
/// Factor that puts the numbers into a scattered order, because real e-mail addresses are not in ascending
/// order and inserts in ascending order are cheap. It is coprime with `NUMBERS`, so that no number repeats.
const SCATTER: u128 = 618_033_988_749;
/// The end of an answer in chunks.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// The longest time for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A request that can be sent repeatedly, and the address of its server.
#[derive(Clone)]
pub struct Request {
    address: SocketAddr,
    bytes: Vec<u8>,
    /// Offsets of the numbers in `bytes`.
    numbers: Vec<usize>,
}

impl Request {
    /// `headers` are whole lines, such as `Accept: */*`. Path, headers and body may contain `{n}`.
    pub fn new(method: &str, url: &str, body: &str, headers: &[&str]) -> Result<Self, Error> {
        let rest = url.strip_prefix("http://").ok_or_else(|| format!("{url}: not an http URL"))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| format!("{url}: no path"))?;
        let address: SocketAddr = host.parse()?;
        if !address.ip().is_loopback() {
            return Err(format!("{address}: not a loopback address").into());
        }
        let mut text = format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\n");
        for header in headers {
            text += &format!("{header}\r\n");
        }
        let zeros = "0".repeat(DIGITS);
        if !body.is_empty() {
            let length = body.replace(NUMBER, &zeros).len();
            text += &format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        }
        text += &format!("\r\n{body}");
        let shift = DIGITS - NUMBER.len();
        let found = text.match_indices(NUMBER).enumerate();
        let numbers = found.map(|(before, (at, _))| at + before * shift).collect();
        Ok(Self { address, bytes: text.replace(NUMBER, &zeros).into_bytes(), numbers })
    }

    /// The bytes to send, with the next number.
    pub fn numbered(&mut self, numbers: &AtomicU64) -> &[u8] {
        self.set_number(numbers);
        &self.bytes
    }

    /// Puts the next number into the request.
    fn set_number(&mut self, numbers: &AtomicU64) {
        if self.numbers.is_empty() {
            return;
        }
        let number = u128::from(numbers.fetch_add(1, Ordering::Relaxed)) * SCATTER % NUMBERS;
        let number = format!("{number:0DIGITS$}");
        for at in &self.numbers {
            if let Some(place) = self.bytes.get_mut(*at..*at + DIGITS) {
                place.copy_from_slice(number.as_bytes());
            }
        }
    }
}

/// The parameters of a measurement.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub duration: Duration,
    /// Time before `duration` whose answers are not counted.
    pub warm_up: Duration,
}

/// The result of a measurement.
pub struct Measurement {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Answers other than 2xx, and broken connections.
    pub failures: u64,
    pub first_failure: Option<String>,
}

/// Sends one request and fails unless the answer is a 2xx.
pub async fn probe(request: &Request, numbers: &AtomicU64) -> Result<(), Error> {
    let mut request = request.clone();
    let mut connection = Connection::to(&request).await?;
    let exchange = connection.exchange(request.numbered(numbers));
    let status = tokio::time::timeout(ANSWER_TIMEOUT, exchange).await??;
    if is_success(status) { Ok(()) } else { Err(connection.answer().into()) }
}

/// Sends `requests`, which are distributed over the connections, for the time that `load` says.
pub async fn measure(
    requests: &[Request],
    load: Load,
    numbers: &Arc<AtomicU64>,
) -> Result<Measurement, Error> {
    let mut connections = Vec::with_capacity(load.connections);
    for request in requests.iter().cycle().take(load.connections) {
        connections.push((Connection::open(request.address).await?, request.clone()));
    }
    let from = Instant::now() + load.warm_up;
    let until = from + load.duration;
    let mut running = JoinSet::new();
    for (connection, request) in connections {
        running.spawn(send_repeatedly(connection, request, Arc::clone(numbers), from, until));
    }
    let all = async {
        let mut results = Vec::with_capacity(load.connections);
        while let Some(result) = running.join_next().await {
            results.push(result?);
        }
        Ok::<_, Error>(results)
    };
    let results = tokio::time::timeout(load.warm_up + load.duration + ANSWER_TIMEOUT, all).await??;
    Ok(summary(results, load.duration))
}

/// The measurements of one connection.
#[derive(Default)]
struct ConnectionResult {
    /// Durations of the counted answers, in microseconds.
    micros: Vec<u32>,
    failures: u64,
    first_failure: Option<String>,
}

/// Sends a request on one connection, again as soon as it is answered, until `until`. Counts from `from`.
async fn send_repeatedly(
    mut connection: Connection,
    mut request: Request,
    numbers: Arc<AtomicU64>,
    from: Instant,
    until: Instant,
) -> ConnectionResult {
    let mut result = ConnectionResult::default();
    let mut sent = Instant::now();
    while sent < until {
        let outcome = connection.exchange(request.numbered(&numbers)).await;
        let answered = Instant::now();
        match outcome {
            Ok(status) if is_success(status) => {
                if (from..until).contains(&answered) {
                    let micros = answered.duration_since(sent).as_micros();
                    result.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
            }
            Ok(_) => {
                result.failures += 1;
                result.first_failure.get_or_insert_with(|| connection.answer());
            }
            Err(error) => {
                result.failures += 1;
                result.first_failure.get_or_insert_with(|| error.to_string());
                break;
            }
        }
        sent = answered;
    }
    result
}

fn summary(results: Vec<ConnectionResult>, duration: Duration) -> Measurement {
    let failures = results.iter().map(|result| result.failures).sum();
    let first_failure = results.iter().find_map(|result| result.first_failure.clone());
    let mut micros: Vec<u32> = results.into_iter().flat_map(|result| result.micros).collect();
    micros.sort_unstable();
    Measurement {
        per_second: micros.len() as f64 / duration.as_secs_f64(),
        p50_ms: percentile(&micros, 500),
        p99_ms: percentile(&micros, 990),
        failures,
        first_failure,
    }
}

/// The duration in milliseconds below which `per_mille` of the sorted durations in microseconds are.
pub fn percentile(micros: &[u32], per_mille: usize) -> f64 {
    let index = (micros.len() * per_mille / 1_000).min(micros.len().saturating_sub(1));
    micros.get(index).map_or(f64::NAN, |micros| f64::from(*micros) / 1_000.0)
}

pub fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// A connection to a server, with one request at a time.
pub struct Connection {
    stream: TcpStream,
    /// The bytes of the last answer.
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// A connection to the server of a request.
    pub async fn to(request: &Request) -> Result<Self, Error> {
        Self::open(request.address).await
    }

    /// Sends a request, reads the whole answer, and returns its status.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<u16, Error> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some((status, length)) = parse_head(&self.buffer)?
                && length
                    .map_or_else(|| self.buffer.ends_with(LAST_CHUNK), |length| self.buffer.len() >= length)
            {
                return Ok(status);
            }
        }
    }

    /// The text of the last answer.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).trim_end().to_owned()
    }
}

/// The status and the total length of an answer, or `None` while its head is incomplete. An answer in chunks has no
/// length.
fn parse_head(answer: &[u8]) -> Result<Option<(u16, Option<usize>)>, Error> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let mut lines = text.split("\r\n");
    let status: u16 =
        lines.next().and_then(|line| line.get(9..12)).ok_or("the answer has no status line")?.parse()?;
    let framing = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    });
    let length = match framing {
        Some((name, length)) if name.eq_ignore_ascii_case("content-length") => length.trim().parse()?,
        Some(_) => return Ok(Some((status, None))),
        None if status == 204 => 0,
        None => return Err("the answer has neither a Content-Length nor chunks".into()),
    };
    Ok(Some((status, Some(end + 4 + length))))
}
