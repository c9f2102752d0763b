//! The channel between nodes: one connection with `LISTEN` and `NOTIFY`.
//!
//! It carries two kinds of notices: that credentials may have lost a right, and the texts of [`crate::PeerChannel`].
//! Correctness does not depend on it. A node trusts its cache of credentials for at most 500 ms, so a lost notice only
//! delays a revocation up to that limit.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Notification};

use super::limits;
use super::limits::LISTEN_AGAIN;
use super::reach::{Carrier, Connected};
use super::shared::Shared;
use super::target::{Target, described};
use crate::StoreError;

/// The channel for revocations. The payload is the name of the sending node.
pub(super) const CHANNEL: &str = "tenantry_credentials";
/// The channel for the texts of [`crate::PeerChannel`]. The payload is the name of the sending node, then the text.
const TALK: &str = "tenantry_talk";

/// Starts the listener, which runs until the store is dropped. Returns after its first attempt to connect.
pub(super) async fn start(shared: &Arc<Shared>, told: mpsc::Receiver<String>) -> JoinHandle<()> {
    let (ready, begun) = oneshot::channel();
    let (target, node) = (shared.target.clone(), shared.node.clone());
    let listener = Listener { shared: Arc::downgrade(shared), target, node, told, ready: Some(ready) };
    let listener = shared.runtime.spawn(listener.listen_always());
    drop(begun.await);
    listener
}

struct Listener {
    shared: Weak<Shared>,
    target: Target,
    node: String,
    told: mpsc::Receiver<String>,
    ready: Option<oneshot::Sender<()>>,
}

impl Listener {
    async fn listen_always(mut self) {
        loop {
            if let Err(error) = self.listen().await {
                tracing::debug!(%error, "the channel between nodes is down");
            }
            drop(self.ready.take());
            tokio::time::sleep(LISTEN_AGAIN).await;
            if self.shared.strong_count() == 0 {
                return;
            }
        }
    }

    async fn listen(&mut self) -> Result<(), StoreError> {
        let Connected { client, carrier: mut connection, .. } = self.target.connect().await?;
        // Texts that were queued while the channel was down are outdated.
        while self.told.try_recv().is_ok() {}
        let (shared, node) = (self.shared.clone(), self.node.clone());
        tokio::select! {
            ended = hear_all(&mut connection, &shared, &node) => ended.map_err(unavailable),
            ended = self.talk(client) => ended,
        }
    }

    /// Begins to listen, then publishes the queued texts until the store is dropped.
    async fn talk(&mut self, client: Client) -> Result<(), StoreError> {
        say(&client, &format!("LISTEN {CHANNEL}; LISTEN {TALK}")).await?;
        match self.ready.take() {
            Some(ready) => drop(ready.send(())),
            // Notices were lost while the channel was down, so this node's caches are invalidated.
            None => drop(self.shared.upgrade().map(|shared| shared.signals.generation.advance())),
        }
        while let Some(text) = self.told.recv().await {
            // The text has no quotes: `PeerChannel::tell` sees to it.
            say(&client, &format!("NOTIFY {TALK}, '{}{text}'", self.node)).await?;
        }
        Ok(())
    }
}

/// Runs a statement. Fails after [`limits::ANSWER`].
async fn say(client: &Client, sql: &str) -> Result<(), StoreError> {
    let said = tokio::time::timeout(limits::ANSWER, client.batch_execute(sql)).await;
    said.map_err(unavailable)?.map_err(unavailable)
}

fn unavailable(error: impl std::error::Error) -> StoreError {
    StoreError::Unavailable(described(&error))
}

/// Receives notices until the connection is closed or the store is dropped.
async fn hear_all(
    connection: &mut Carrier,
    shared: &Weak<Shared>,
    node: &str,
) -> Result<(), tokio_postgres::Error> {
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        if let AsyncMessage::Notification(notice) = message? {
            let Some(shared) = shared.upgrade() else { return Ok(()) };
            hear(&shared, node, &notice);
        }
    }
    Ok(())
}

fn hear(shared: &Shared, node: &str, notice: &Notification) {
    let payload = notice.payload();
    if payload.starts_with(node) {
        return;
    }
    if notice.channel() == CHANNEL {
        shared.signals.generation.advance();
    } else if let Some((_, text)) = payload.split_at_checked(node.len()) {
        shared.gossip.deliver(text);
    }
}
