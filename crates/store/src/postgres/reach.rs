//! Host selection and failover: connects to the host that accepts writes.
//!
//! The host of the last connection is tried first. The next host is tried as soon as one fails, or in parallel if one
//! does not respond within [`HOST_PAUSE`]. The first suitable connection is used. If every host fails, the error
//! names the reason of each.

use std::slice;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use tokio_postgres::{Client, Config, Connection, Socket};

use super::limits::{HOST, HOST_PAUSE};
use super::target::{Target, described, shown};
use super::tls::{Encrypted, Tls};
use crate::StoreError;

/// The future that drives a client's connection. Statements are sent and results arrive only while it is polled.
pub(super) type Carrier = Connection<Socket, Encrypted<Socket>>;

/// A new connection.
pub(super) struct Connected {
    pub(super) client: Client,
    /// The future that drives the connection.
    pub(super) carrier: Carrier,
    /// The [`Target::generation`] to which the connection belongs.
    pub(super) generation: u64,
}

/// One host's answer.
async fn ask(config: Config, tls: Tls) -> Result<(Client, Carrier), String> {
    let connected = tokio::time::timeout(HOST, config.connect(tls)).await;
    let connected = connected.map_err(|_| "no answer in time".to_owned());
    let connected = connected.and_then(|connected| connected.map_err(|error| described(&error)));
    connected.map_err(|why| format!("{}: {why}", shown(slice::from_ref(&config))))
}

impl Target {
    /// Connects to the first suitable host.
    pub(super) async fn connect(&self) -> Result<Connected, StoreError> {
        let generation = self.generation.load(Ordering::Acquire);
        let last = self.last.load(Ordering::Relaxed);
        let each = || self.hosts.iter().enumerate();
        let first = each().filter(|(index, _)| *index == last);
        let mut waiting = first.chain(each().filter(|(index, _)| *index != last));
        let (mut asked, mut reasons) = (JoinSet::new(), Vec::new());
        loop {
            match waiting.next() {
                Some((index, config)) => {
                    let asking = ask(config.clone(), Tls::new(&self.tls));
                    asked.spawn(async move { (index, asking.await) });
                }
                None if asked.is_empty() => return Err(StoreError::Unavailable(reasons.join("; "))),
                None => {}
            }
            match tokio::time::timeout(HOST_PAUSE, asked.join_next()).await {
                Ok(Some(Ok((index, Ok((client, carrier)))))) => {
                    let generation = self.arrived(index, generation);
                    return Ok(Connected { client, carrier, generation });
                }
                Ok(Some(Ok((_, Err(reason))))) => reasons.push(reason),
                Ok(Some(Err(error))) => reasons.push(error.to_string()),
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Records that a connection that was begun in `generation` led to a host. Returns the generation of the connection.
    fn arrived(&self, host: usize, generation: u64) -> u64 {
        let has_moved = self.last.swap(host, Ordering::AcqRel) != host;
        let is_current = has_moved && self.generation.fetch_add(1, Ordering::AcqRel) == generation;
        if is_current { generation + 1 } else { generation }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_to_another_host_ends_the_generation() {
        let target = Target::parse("postgres://a,b/t").unwrap();
        let now = || target.generation.load(Ordering::Acquire);
        assert_eq!((target.arrived(0, 0), now()), (0, 0));
        assert_eq!((target.arrived(1, 0), now()), (1, 1));
        assert_eq!((target.arrived(1, 1), now()), (1, 1));
        // A connection that was begun in an earlier generation stays in it.
        assert_eq!((target.arrived(0, 0), now()), (0, 2));
    }

    #[tokio::test]
    async fn each_host_says_why_it_will_not_do() {
        let gone = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (one, two) = (gone(), gone());
        let target = Target::parse(&format!("postgres://u:secret@{one},{two}/t")).unwrap();
        let refused = target.connect().await.map(|_| ()).unwrap_err().to_string();
        for address in [one, two] {
            assert!(refused.contains(&format!("postgres://{address}/t: ")), "{refused}");
        }
        assert!(!refused.contains("secret"), "{refused}");
    }
}
