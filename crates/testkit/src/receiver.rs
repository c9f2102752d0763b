//! A receiver of webhooks on the loopback address.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// One request that arrived.
pub struct ReceivedWebhook {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl ReceivedWebhook {
    /// Its body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// A header, which it must have.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    /// The event's type, and the id of the row that it is about.
    #[must_use]
    pub fn about(&self) -> (String, String) {
        let json = self.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&json["type"]), text(&json["data"]["id"]))
    }

    /// The event's type.
    #[must_use]
    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// A receiver of webhooks on a free port of the loopback address. It keeps every request and answers 200.
pub struct WebhookReceiver {
    /// `ADDRESS:PORT`.
    pub host: String,
    requests: mpsc::UnboundedReceiver<ReceivedWebhook>,
    status: Arc<AtomicU16>,
    held: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

impl WebhookReceiver {
    /// Starts one.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (arrived, requests) = mpsc::unbounded_channel();
        let status = Arc::new(AtomicU16::new(200));
        let (held, watched) = watch::channel(false);
        let answer = Arc::clone(&status);
        let router = Router::new().fallback(move |headers: HeaderMap, text: String| {
            let (arrived, answer, mut held) = (arrived.clone(), Arc::clone(&answer), watched.clone());
            async move {
                let _ = arrived.send(ReceivedWebhook { headers, text });
                let _ = held.wait_for(|held| !held).await;
                (StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap(), "noted")
            }
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, requests, status, held, _serving: serving }
    }

    /// The URL for an endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.host)
    }

    /// Answers with this status from now on.
    pub fn answer_with(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Holds every response back while `held` is true.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Waits for the next request.
    pub async fn next(&mut self) -> ReceivedWebhook {
        self.requests.recv().await.unwrap()
    }

    /// The requests that have arrived since.
    pub fn all(&mut self) -> Vec<ReceivedWebhook> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// The event types of the requests that have arrived since.
    pub fn kinds(&mut self) -> Vec<String> {
        self.all().iter().map(ReceivedWebhook::kind).collect()
    }
}
