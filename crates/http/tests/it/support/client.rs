//! A client that reads like a transcript, and checks each answer against the contract.

use std::net::{IpAddr, Ipv4Addr};

use std::fmt;
use std::ops::Index;

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{App, Contract};

/// Where requests come from unless a client is elsewhere.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Somebody who sends requests.
#[derive(Clone)]
pub(crate) struct Client<'a> {
    app: &'a App,
    bearer: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    actor: Uuid,
    peer: IpAddr,
}

impl<'a> Client<'a> {
    pub(crate) fn new(app: &'a App, bearer: Option<String>) -> Self {
        Self { app, bearer, headers: Vec::new(), actor: Uuid::nil(), peer: PEER }
    }

    pub(super) fn known_as(self, actor: Uuid) -> Self {
        Self { actor, ..self }
    }

    /// The token's or the person's id.
    pub(crate) fn actor(&self) -> Uuid {
        self.actor
    }

    pub(crate) fn secret(&self) -> String {
        self.bearer.clone().unwrap()
    }

    /// The same client, elsewhere.
    pub(crate) fn at(&self, peer: &str) -> Self {
        Self { peer: peer.parse().unwrap(), ..self.clone() }
    }

    /// The same client, sending one more header.
    pub(crate) fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.as_ref().to_owned()));
        client
    }

    /// The same client, naming the request.
    pub(crate) fn key(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, Vec::new()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.json("POST", path, &body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Answer {
        self.json("PATCH", path, &body).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.json("PUT", path, &body).await
    }

    pub(crate) async fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.send(method, path, Some("application/json"), body.to_string()).await
    }

    /// A body that may be anything.
    pub(crate) async fn raw(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(method, path, Some("application/json"), body).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(bearer) = &self.bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value.as_slice());
        }
        let request = request.body(Body::from(body.into())).unwrap();
        let (parts, body) = self.app.gateway.answer(request, self.peer).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            request: format!("{method} {path}"),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            text: String::from_utf8(bytes.to_vec()).expect("an answer is UTF-8"),
        };
        Contract::get().check(method, path, &answer);
        answer
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    request: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    /// The same answer, when its status is the expected one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// The field `id`.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self["id"].as_str().unwrap_or_else(|| panic!("no id in {self}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// What the answer says of its key: whether it was given before, and when to try again.
    pub(crate) fn replayed(&self) -> (Option<&str>, Option<&str>) {
        (self.header("idempotent-replayed"), self.header("retry-after"))
    }

    /// The request id that the answer shows.
    pub(crate) fn request_id(&self) -> &str {
        self.header("x-request-id").unwrap()
    }

    /// The field `field` of each item of a list of either dialect.
    #[track_caller]
    pub(crate) fn each(&self, field: &str) -> Vec<&str> {
        let items = self.body["items"].as_array().or_else(|| self.body["data"].as_array());
        let items = items.unwrap_or_else(|| panic!("not a list: {self}"));
        items.iter().map(|item| item[field].as_str().unwrap_or("null")).collect()
    }

    /// What was wrong, as `type at.the.place`, for the answer 422 of `/v1`.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<String> {
        assert_eq!(self.status, 422, "{self}");
        let name = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
        let place =
            |fault: &Value| fault["loc"].as_array().unwrap().iter().map(name).collect::<Vec<_>>().join(".");
        let faults = self["detail"].as_array().unwrap().iter();
        faults.map(|fault| format!("{} {}", fault["type"].as_str().unwrap(), place(fault))).collect()
    }

    /// The message of the answer, in `/v2`.
    #[track_caller]
    pub(crate) fn message(&self) -> &str {
        self["message"].as_str().unwrap_or_else(|| panic!("no message in {self}"))
    }

    /// Status and body, without the ids and times that another run would have otherwise.
    pub(crate) fn transcript(&self) -> String {
        let mut ids = Vec::new();
        let body = scrubbed(&self.body, &mut ids);
        if self.body.is_null() {
            return format!("{} {}", self.status, self.text).trim().to_owned();
        }
        format!("{}\n{}", self.status, serde_json::to_string_pretty(&body).unwrap())
    }
}

/// Ids become `<id 1>`, `<id 2>`; times become `<time>`.
fn scrubbed(value: &Value, ids: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) if text.len() >= 20 && text.starts_with("2026-01-01T") => json!("<time>"),
        Value::String(text) if Uuid::parse_str(text).is_ok() => {
            let known = ids.iter().position(|id| id == text).unwrap_or_else(|| {
                ids.push(text.clone());
                ids.len() - 1
            });
            json!(format!("<id {}>", known + 1))
        }
        Value::Array(values) => values.iter().map(|value| scrubbed(value, ids)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), scrubbed(value, ids)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.body[name]
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {}", self.request, self.status, self.text)
    }
}
