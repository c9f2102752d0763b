//! The channel on which nodes tell each other that a credential may have lost a right.
//!
//! A node that hears nothing believes what it remembers for half a second only, so that the channel makes a
//! revocation faster and never decides it.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::AsyncMessage;

use super::limits::LISTEN_AGAIN;
use super::target::{Target, described};
use super::tls::Tls;
use super::{Shared, limits};

/// The channel's name.
pub(super) const CHANNEL: &str = "tenantry_credentials";

/// Listens until the store is dropped. Answers once the first attempt to connect has ended.
pub(super) async fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    let (ready, begun) = oneshot::channel();
    let (target, node, runtime) = (shared.target.clone(), shared.node.clone(), shared.runtime.clone());
    let listener = runtime.spawn(listen_always(Arc::downgrade(shared), target, node, ready));
    drop(begun.await);
    listener
}

async fn listen_always(shared: Weak<Shared>, target: Target, node: String, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    let advance = || shared.upgrade().map(|shared| shared.generation.advance()).is_some();
    loop {
        if let Err(error) = listen(&target, &node, &mut ready, &advance).await {
            tracing::debug!(error = described(&error), "the channel between nodes is down");
        }
        drop(ready.take());
        tokio::time::sleep(LISTEN_AGAIN).await;
        if shared.strong_count() == 0 {
            return;
        }
    }
}

async fn listen(
    target: &Target,
    node: &str,
    ready: &mut Option<oneshot::Sender<()>>,
    advance: &(dyn Fn() -> bool + Sync),
) -> Result<(), tokio_postgres::Error> {
    let connecting =
        tokio::time::timeout(limits::CONNECT * 2, target.config.connect(Tls(target.tls.clone())));
    let Ok(connected) = connecting.await else { return Ok(()) };
    let (client, mut connection) = connected?;
    let mut listening = std::pin::pin!(client.batch_execute("LISTEN tenantry_credentials"));
    let mut is_listening = false;
    loop {
        let message = tokio::select! {
            outcome = &mut listening, if !is_listening => {
                outcome?;
                is_listening = true;
                match ready.take() {
                    Some(ready) => drop(ready.send(())),
                    // What was said while the channel was down was not heard.
                    None => { advance(); }
                }
                continue;
            }
            message = poll_fn(|cx| connection.poll_message(cx)) => message,
        };
        match message {
            None => return Ok(()),
            Some(Ok(AsyncMessage::Notification(notice))) if notice.payload() != node => {
                if !advance() {
                    return Ok(());
                }
            }
            Some(message) => drop(message?),
        }
    }
}
