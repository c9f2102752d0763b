//! The connection on which nodes hear each other: that a credential may have lost a right, and what
//! [`crate::PeerChannel`] tells.
//!
//! A node that hears nothing believes what it remembers for half a second only, so that the channel makes a
//! revocation faster and never decides it.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_postgres::{AsyncMessage, Client, Notification};

use super::limits;
use super::limits::LISTEN_AGAIN;
use super::reach::Carrier;
use super::shared::Shared;
use super::target::{Target, described};
use crate::StoreError;

/// Tells that a credential may have lost a right; the payload is the name of the node that took it away.
pub(super) const CHANNEL: &str = "tenantry_credentials";
/// Tells other things; the payload is a node's name and what it says.
const TALK: &str = "tenantry_talk";

/// Listens until the store is dropped. Answers once the first attempt to connect has ended.
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
        let (client, mut connection, _) = self.target.connect().await?;
        // What could not be told while the channel was down is old news.
        while self.told.try_recv().is_ok() {}
        let (shared, node) = (self.shared.clone(), self.node.clone());
        tokio::select! {
            ended = hear_all(&mut connection, &shared, &node) => ended.map_err(unavailable),
            ended = self.talk(client) => ended,
        }
    }

    /// Begins to listen, and tells the others what is to be told.
    async fn talk(&mut self, client: Client) -> Result<(), StoreError> {
        say(&client, &format!("LISTEN {CHANNEL}; LISTEN {TALK}")).await?;
        match self.ready.take() {
            Some(ready) => drop(ready.send(())),
            // What was said while the channel was down was not heard.
            None => drop(self.shared.upgrade().map(|shared| shared.signals.generation.advance())),
        }
        while let Some(text) = self.told.recv().await {
            // The text has no quotes: `PeerChannel::tell` sees to it.
            say(&client, &format!("NOTIFY {TALK}, '{}{text}'", self.node)).await?;
        }
        Ok(())
    }
}

/// Says something to the database, which answers in time or is given up.
async fn say(client: &Client, sql: &str) -> Result<(), StoreError> {
    let said = tokio::time::timeout(limits::ANSWER, client.batch_execute(sql)).await;
    said.map_err(unavailable)?.map_err(unavailable)
}

fn unavailable(error: impl std::error::Error) -> StoreError {
    StoreError::Unavailable(described(&error))
}

/// Hears what comes until the connection, or the store, is gone.
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
