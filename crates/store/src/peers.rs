//! Messages between the nodes on one database.
//!
//! A message may be lost while the connection is down, or when a receiver is too slow. Use messages only to
//! make nodes agree sooner (rate limits). State that every node needs, such as revocations, is polled as
//! well.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

/// Messages that wait to be sent, and messages that wait to be received. Further messages are lost.
const CAPACITY: usize = 256;

/// Sends messages to the other nodes, and receives theirs.
pub struct PeerChannel {
    outgoing: mpsc::Sender<String>,
    incoming: broadcast::Receiver<Arc<str>>,
}

impl PeerChannel {
    /// The longest message, in bytes.
    pub const BYTES: usize = 7_000;

    /// Queues a message for the other nodes; returns whether it was queued. A message is printable ASCII without
    /// quotes and backslashes.
    pub fn publish(&self, text: String) -> bool {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
        text.len() <= Self::BYTES && text.bytes().all(plain) && self.outgoing.try_send(text).is_ok()
    }

    /// The next message of another node; nothing once the store is closed. Dropping the future loses no message.
    pub async fn receive(&mut self) -> Option<Arc<str>> {
        loop {
            match self.incoming.recv().await {
                Ok(text) => return Some(text),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// The engine's end of every [`PeerChannel`].
pub(crate) struct PeerBroadcast {
    outgoing: mpsc::Sender<String>,
    incoming: broadcast::Sender<Arc<str>>,
}

impl PeerBroadcast {
    /// Returns the broadcast and the queue of messages to send.
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (outgoing, queued) = mpsc::channel(CAPACITY);
        (Self { outgoing, incoming: broadcast::Sender::new(CAPACITY) }, queued)
    }

    pub(crate) fn channel(&self) -> PeerChannel {
        PeerChannel { outgoing: self.outgoing.clone(), incoming: self.incoming.subscribe() }
    }

    /// Hands a message of another node to every channel.
    pub(crate) fn deliver(&self, text: &str) {
        // An error means that there is no receiver.
        let _ = self.incoming.send(text.into());
    }
}
