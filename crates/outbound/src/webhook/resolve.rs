//! From a host to the addresses that a request may connect to.
//!
//! A name is looked up once per delivery and *every* address it has must be public: a name that also
//! points inside is refused, and the request connects to the very addresses judged here, so a second
//! answer of the name server changes nothing. A literal address is judged alike.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};

use tenantry_core::values::is_public;
use url::Host;

use super::sender::{DeliveryError, described};
use super::target::Target;

/// Looks names up; replaced in tests.
pub trait Resolve: Send + Sync {
    /// Every address of a name, the preferred one first.
    fn resolve(&self, name: &str) -> impl Future<Output = io::Result<Vec<IpAddr>>> + Send;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// The addresses that may be connected to, each one judged.
pub(super) async fn addresses<R: Resolve>(
    target: &Target,
    resolver: &R,
) -> Result<Vec<SocketAddr>, DeliveryError> {
    let found = match &target.host {
        Host::Ipv4(ip) => vec![IpAddr::V4(*ip)],
        Host::Ipv6(ip) => vec![IpAddr::V6(*ip)],
        Host::Domain(name) => {
            let unknown =
                |error| DeliveryError::Transport(format!("the host is unknown: {}", described(&error)));
            resolver.resolve(name).await.map_err(unknown)?
        }
    };
    if !target.trusted && !found.iter().all(|ip| is_public(*ip)) {
        return Err(DeliveryError::Refused("the host has an address that is not public".to_owned()));
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, target.port)).collect())
}
