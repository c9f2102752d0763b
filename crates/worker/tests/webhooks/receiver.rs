//! Somebody who is told of events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// One request.
pub struct Received {
    pub headers: HeaderMap,
    pub text: String,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap().to_str().unwrap()
    }

    /// The event's type, and the id of what it is about.
    pub fn about(&self) -> (String, String) {
        let json = self.json();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&json["type"]), text(&json["data"]["id"]))
    }

    pub fn kind(&self) -> String {
        self.about().0
    }
}

pub struct Receiver {
    pub host: String,
    requests: mpsc::UnboundedReceiver<Received>,
    status: Arc<AtomicU16>,
    held: watch::Sender<bool>,
    _serving: JoinSet<()>,
}

impl Receiver {
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
                let _ = arrived.send(Received { headers, text });
                let _ = held.wait_for(|held| !held).await;
                (StatusCode::from_u16(answer.load(Ordering::SeqCst)).unwrap(), "noted")
            }
        });
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, requests, status, held, _serving: serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.host)
    }

    /// Every answer from now on has this status.
    pub fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// Whether answers wait.
    pub fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// The next request, once it is there.
    pub async fn next(&mut self) -> Received {
        self.requests.recv().await.unwrap()
    }

    /// Every request that is there.
    pub fn all(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).collect()
    }

    /// The types of every request that is there.
    pub fn kinds(&mut self) -> Vec<String> {
        self.all().iter().map(Received::kind).collect()
    }
}
