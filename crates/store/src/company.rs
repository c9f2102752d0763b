//! The other processes on the same database, as far as they can be told things.
//!
//! What is told may get lost: while the channel is down, or when somebody listens too slowly. It is for what
//! makes nodes agree sooner, never for what they must know.

use std::sync::Arc;

use tokio::sync::{broadcast, mpsc};

/// Texts that may wait to be told, and to be heard; more are lost.
const WAITING: usize = 256;

/// A way to the other nodes, and from them.
pub struct PeerChannel {
    tell: mpsc::Sender<String>,
    heard: broadcast::Receiver<Arc<str>>,
}

impl PeerChannel {
    /// Bytes of a text at the most.
    pub const BYTES: usize = 7_000;

    /// Tells the others; answers whether the text is on its way. It is ASCII without quotes and control
    /// characters.
    pub fn tell(&self, text: String) -> bool {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'\\');
        text.len() <= Self::BYTES && text.bytes().all(plain) && self.tell.try_send(text).is_ok()
    }

    /// What another node told next; nothing once the store is closed. May be given up and asked again.
    pub async fn hear(&mut self) -> Option<Arc<str>> {
        loop {
            match self.heard.recv().await {
                Ok(text) => return Some(text),
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Where what is told and heard passes through the engine.
pub(crate) struct PeerBroadcast {
    tell: mpsc::Sender<String>,
    heard: broadcast::Sender<Arc<str>>,
}

impl PeerBroadcast {
    /// With what is to be told.
    pub(crate) fn new() -> (Self, mpsc::Receiver<String>) {
        let (tell, told) = mpsc::channel(WAITING);
        (Self { tell, heard: broadcast::Sender::new(WAITING) }, told)
    }

    pub(crate) fn company(&self) -> PeerChannel {
        PeerChannel { tell: self.tell.clone(), heard: self.heard.subscribe() }
    }

    /// Passes on what another node told.
    pub(crate) fn hear(&self, text: &str) {
        // An error means that nobody listens.
        let _ = self.heard.send(text.into());
    }
}
