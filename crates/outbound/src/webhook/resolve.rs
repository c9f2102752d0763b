//! Looks up the addresses of a webhook host and checks that each of them is public.
//!
//! A delivery looks a name up once. If any address of the name is not public, the delivery is refused. The
//! request connects to the checked addresses, so a later DNS answer cannot redirect it to a private network
//! (DNS rebinding). An address written in the URL is checked in the same way.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tenantry_core::values::is_public;
use url::Host;

use super::error::{DeliveryError, with_causes};
use super::target::Target;

/// Looks up host names; tests replace it.
pub trait Resolve: Send + Sync {
    /// All addresses of a name, the preferred one first.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The time in which a name server must answer one query. With the second attempt a lookup takes at most twice
/// as long, which leaves the timeout of a delivery time for the request.
const QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// Queries that one connection to a name server carries at once: more than a node delivers.
const MAX_QUERIES: usize = 2048;
/// The longest time for which an answer is cached, whatever its own lifetime is.
const MAX_CACHED: Duration = Duration::from_secs(60);

/// Looks names up in `/etc/hosts` and at the name servers of `/etc/resolv.conf`.
///
/// The lookups are asynchronous. A slow name server of a webhook host thus occupies no thread that requests
/// share, and a lookup ends with the timeout of its delivery.
#[derive(Clone)]
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// Reads the system's configuration. Without a name server in it, the resolver asks one on this host.
    ///
    /// # Errors
    /// The resolver cannot be built.
    pub fn new() -> io::Result<Self> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "name servers not configured");
            let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            at_name_servers(vec![local])
        });
        Self::build(builder)
    }

    fn build(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> io::Result<Self> {
        let options = builder.options_mut();
        options.timeout = options.timeout.min(QUERY_TIMEOUT);
        options.attempts = options.attempts.min(2);
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.max_active_requests = MAX_QUERIES;
        options.positive_max_ttl = Some(MAX_CACHED);
        options.negative_max_ttl = Some(MAX_CACHED);
        builder.build().map(Self).map_err(io::Error::other)
    }
}

fn at_name_servers(servers: Vec<NameServerConfig>) -> ResolverBuilder<TokioRuntimeProvider> {
    let config = ResolverConfig::from_parts(None, Vec::new(), servers);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

impl std::fmt::Debug for SystemResolver {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SystemResolver")
    }
}

impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.lookup_ip(name).await.map_err(io::Error::other)?.iter().collect())
    }
}

/// The addresses that a request to the target may connect to.
pub(super) async fn addresses<R: Resolve>(
    target: &Target,
    resolver: &R,
) -> Result<Vec<SocketAddr>, DeliveryError> {
    let found = match &target.host {
        Host::Ipv4(ip) => vec![IpAddr::V4(*ip)],
        Host::Ipv6(ip) => vec![IpAddr::V6(*ip)],
        Host::Domain(name) => {
            let failed =
                |error| DeliveryError::Transport(format!("host lookup failed: {}", with_causes(&error)));
            resolver.resolve(name).await.map_err(failed)?
        }
    };
    if !target.trusted && !found.iter().all(|ip| is_public(*ip)) {
        return Err(DeliveryError::Refused("the host has an address that is not public".to_owned()));
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, target.port)).collect())
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use hickory_resolver::config::ConnectionConfig;

    use super::*;

    /// A resolver whose only name server receives queries and never answers.
    fn unanswered() -> (SystemResolver, UdpSocket) {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut server = NameServerConfig::udp(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let mut connection = ConnectionConfig::udp();
        connection.port = silent.local_addr().unwrap().port();
        server.connections = vec![connection];
        (SystemResolver::build(at_name_servers(vec![server])).unwrap(), silent)
    }

    #[test]
    fn lookups_without_an_answer_occupy_no_blocking_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(1)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (resolver, _silent) = unanswered();
            let mut lookups = tokio::task::JoinSet::new();
            for number in 0..64 {
                let resolver = resolver.clone();
                lookups.spawn(async move { resolver.resolve(&format!("host{number}.x.dev")).await.is_err() });
            }
            tokio::task::yield_now().await;
            let other = tokio::task::spawn_blocking(|| ());
            tokio::time::timeout(Duration::from_secs(2), other).await.unwrap().unwrap();
            assert!(lookups.try_join_next().is_none(), "the lookups have not ended");
            lookups.shutdown().await;
        });
    }

    #[tokio::test]
    async fn a_name_of_the_hosts_file_needs_no_name_server() {
        let (resolver, _silent) = unanswered();
        let found = resolver.resolve("localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
    }
}
