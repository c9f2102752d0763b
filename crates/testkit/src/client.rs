//! A caller of the API. Tests read like a transcript: `client.post("/v1/members", body).await.expect(201)`.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use uuid::Uuid;

use crate::contract::Contract;
use crate::{Response, World};

/// The address that requests come from, unless [`Client::at`] names another.
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A caller: its credentials, address and headers. Each response is validated against the published contracts.
#[derive(Clone)]
pub struct Client<'a> {
    world: &'a World,
    bearer: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    actor: Uuid,
    peer: IpAddr,
}

impl<'a> Client<'a> {
    pub(crate) fn new(world: &'a World, bearer: Option<String>) -> Self {
        Self { world, bearer, headers: Vec::new(), actor: Uuid::nil(), peer: PEER }
    }

    pub(crate) fn known_as(self, actor: Uuid) -> Self {
        Self { actor, ..self }
    }

    /// The id of the token, or of the user that it belongs to, as audit entries show it.
    #[must_use]
    pub const fn actor(&self) -> Uuid {
        self.actor
    }

    /// The bearer token.
    #[must_use]
    pub fn secret(&self) -> String {
        self.bearer.clone().unwrap()
    }

    /// The same client at another address.
    #[must_use]
    pub fn at(&self, peer: &str) -> Self {
        Self { peer: peer.parse().unwrap(), ..self.clone() }
    }

    /// The same client with one more header.
    #[must_use]
    pub fn with(&self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        client.headers.push((name.to_owned(), value.as_ref().to_owned()));
        client
    }

    /// The same client with an idempotency key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with("idempotency-key", key)
    }

    /// Sends `GET`.
    pub async fn get(&self, path: &str) -> Response {
        self.send("GET", path, None, Vec::new()).await
    }

    /// Sends `DELETE`.
    pub async fn delete(&self, path: &str) -> Response {
        self.send("DELETE", path, None, Vec::new()).await
    }

    /// Sends `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: Value) -> Response {
        self.json("POST", path, &body).await
    }

    /// Sends `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: Value) -> Response {
        self.json("PATCH", path, &body).await
    }

    /// Sends `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: Value) -> Response {
        self.json("PUT", path, &body).await
    }

    /// Sends a request with a JSON body or without one.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Response {
        match body {
            Some(body) => self.json(method, path, &body).await,
            None => self.send(method, path, None, Vec::new()).await,
        }
    }

    /// Sends a JSON body.
    pub async fn json(&self, method: &str, path: &str, body: &Value) -> Response {
        self.send(method, path, Some("application/json"), body.to_string()).await
    }

    /// Sends a body that need not be JSON, as `application/json`.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Vec<u8>>) -> Response {
        self.send(method, path, Some("application/json"), body).await
    }

    /// Sends a request.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        content_type: Option<&str>,
        body: impl Into<Vec<u8>>,
    ) -> Response {
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
        let (parts, body) = self.world.gateway.answer(request, self.peer).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let response = Response {
            request: format!("{method} {path}"),
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
            text: String::from_utf8(bytes.to_vec()).expect("a response in UTF-8"),
        };
        Contract::get().check(method, path, &response);
        response
    }
}

/// Begins a portal session with this request body. Returns its token.
pub async fn portal_session(client: &Client<'_>, body: &Value) -> String {
    let begun = client.json("POST", "/v1/customer-sessions", body).await.expect(201);
    begun["token"].as_str().unwrap().to_owned()
}
