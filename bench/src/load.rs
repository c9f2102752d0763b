//! The load generator: a number of keep-alive HTTP/1.1 connections, each with one request under way,
//! driven from one thread. It does as little as it can, because it shares the processor with what it
//! measures. It talks to loopback addresses only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Stands in a request for a number that no other request has.
const NUMBER: &str = "{n}";
/// Digits of that number; always all of them, so that a request keeps its length.
const DIGITS: usize = 12;
const NUMBERS: u128 = 1_000_000_000_000;
/// Scatters the numbers without repeating one, as it has no divisor in common with how many there are:
/// real addresses do not come in order either, and an index is cheap to append to.
const SCATTER: u128 = 618_033_988_749;
/// How long a server may take for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that can be sent again and again, and to whom.
#[derive(Clone)]
pub struct Request {
    address: SocketAddr,
    bytes: Vec<u8>,
    numbers: Vec<usize>,
}

impl Request {
    /// `headers` are whole lines, such as `Accept: */*`. Path, headers and body may hold `{n}`.
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

    fn number(&mut self, numbers: &AtomicU64) {
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

/// How hard to press.
#[derive(Clone, Copy)]
pub struct Load {
    pub connections: usize,
    pub duration: Duration,
    /// Time before that, which is not counted.
    pub warm_up: Duration,
}

/// What came of it.
pub struct Measure {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Answers that were not 2xx, and connections that broke.
    pub failures: u64,
    pub first_failure: Option<String>,
}

/// Sends one request and fails unless the answer is a 2xx.
pub async fn probe(request: &Request, numbers: &AtomicU64) -> Result<(), Error> {
    let mut request = request.clone();
    request.number(numbers);
    let mut connection = Connection::open(request.address).await?;
    let status = tokio::time::timeout(PATIENCE, connection.exchange(&request.bytes)).await??;
    if is_success(status) { Ok(()) } else { Err(connection.answer().into()) }
}

/// Puts `load` on the server of `requests`, which are shared out among the connections, and measures it.
pub async fn measure(requests: &[Request], load: Load, numbers: &Arc<AtomicU64>) -> Result<Measure, Error> {
    let mut connections = Vec::with_capacity(load.connections);
    for request in requests.iter().cycle().take(load.connections) {
        connections.push((Connection::open(request.address).await?, request.clone()));
    }
    let from = Instant::now() + load.warm_up;
    let until = from + load.duration;
    let mut running = JoinSet::new();
    for (connection, request) in connections {
        running.spawn(press(connection, request, Arc::clone(numbers), from, until));
    }
    let all = async {
        let mut tallies = Vec::with_capacity(load.connections);
        while let Some(tally) = running.join_next().await {
            tallies.push(tally?);
        }
        Ok::<_, Error>(tallies)
    };
    let tallies = tokio::time::timeout(load.warm_up + load.duration + PATIENCE, all).await??;
    Ok(summary(tallies, load.duration))
}

#[derive(Default)]
struct Tally {
    micros: Vec<u32>,
    failures: u64,
    first_failure: Option<String>,
}

async fn press(
    mut connection: Connection,
    mut request: Request,
    numbers: Arc<AtomicU64>,
    from: Instant,
    until: Instant,
) -> Tally {
    let mut tally = Tally::default();
    let mut sent = Instant::now();
    while sent < until {
        request.number(&numbers);
        let outcome = connection.exchange(&request.bytes).await;
        let answered = Instant::now();
        match outcome {
            Ok(status) if is_success(status) => {
                if (from..until).contains(&answered) {
                    let micros = answered.duration_since(sent).as_micros();
                    tally.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
                }
            }
            Ok(_) => {
                tally.failures += 1;
                tally.first_failure.get_or_insert_with(|| connection.answer());
            }
            Err(error) => {
                tally.failures += 1;
                tally.first_failure.get_or_insert_with(|| error.to_string());
                break;
            }
        }
        sent = answered;
    }
    tally
}

fn summary(tallies: Vec<Tally>, duration: Duration) -> Measure {
    let failures = tallies.iter().map(|tally| tally.failures).sum();
    let first_failure = tallies.iter().find_map(|tally| tally.first_failure.clone());
    let mut micros: Vec<u32> = tallies.into_iter().flat_map(|tally| tally.micros).collect();
    micros.sort_unstable();
    let at = |percent: usize| {
        let index = (micros.len() * percent / 100).min(micros.len().saturating_sub(1));
        micros.get(index).map_or(f64::NAN, |micros| f64::from(*micros) / 1_000.0)
    };
    Measure {
        per_second: micros.len() as f64 / duration.as_secs_f64(),
        p50_ms: at(50),
        p99_ms: at(99),
        failures,
        first_failure,
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

struct Connection {
    stream: TcpStream,
    /// The last answer.
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request, reads the whole answer, tells its status.
    async fn exchange(&mut self, request: &[u8]) -> Result<u16, Error> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some((status, length)) = head(&self.buffer)?
                && self.buffer.len() >= length
            {
                return Ok(status);
            }
        }
    }

    fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).trim_end().to_owned()
    }
}

/// The status of an answer and the length of all of it, once its head is there.
fn head(answer: &[u8]) -> Result<Option<(u16, usize)>, Error> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..end).unwrap_or_default())?;
    let mut lines = text.split("\r\n");
    let status: u16 = lines.next().and_then(|line| line.get(9..12)).ok_or("no status line")?.parse()?;
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some((_, length)) => length.trim().parse()?,
        None if status == 204 => 0,
        None => return Err("an answer without Content-Length".into()),
    };
    Ok(Some((status, end + 4 + length)))
}
