//! Cancel requests: they stop the running statement of a connection.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_postgres::config::Host;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Config};

use super::limits::ADDRESS;
use super::tls::{Stream, Tls};

/// Sends cancel requests to the host of a connection. Unlike `tokio_postgres`, it waits until the host closes the
/// request's connection: a pooler drops the request of a client that disconnects first.
pub(super) struct Cancel {
    pub(super) host: Config,
    pub(super) token: CancelToken,
    pub(super) tls: Tls,
}

impl Cancel {
    /// Sends one cancel request. PostgreSQL does not report whether it stopped a statement.
    pub(super) async fn ask(&self) -> io::Result<()> {
        let port = self.host.get_ports().first().copied().unwrap_or(5432);
        let addresses: Vec<SocketAddr> =
            match (self.host.get_hostaddrs().first(), self.host.get_hosts().first()) {
                (Some(address), _) => vec![(*address, port).into()],
                (None, Some(Host::Unix(folder))) => {
                    return self
                        .tell(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?)
                        .await;
                }
                // The connection uses one of these addresses. A host at another address ignores the unknown key.
                (None, Some(Host::Tcp(name))) => lookup_host((name.as_str(), port)).await?.collect(),
                (None, None) => Vec::new(),
            };
        for address in addresses {
            if let Ok(Ok(stream)) = tokio::time::timeout(ADDRESS, TcpStream::connect(address)).await {
                drop(self.tell(stream).await);
            }
        }
        Ok(())
    }

    async fn tell<S>(&self, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let name = match self.host.get_hosts().first() {
            Some(Host::Tcp(name)) => name.as_str(),
            _ => "",
        };
        let tls = MakeTlsConnect::<Stream<S>>::make_tls_connect(&mut self.tls.patient(), name)?;
        self.token.cancel_query_raw(Stream::patient(stream), tls).await.map_err(io::Error::other)
    }
}
