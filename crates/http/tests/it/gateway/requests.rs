//! Health, documentation, API versions, CORS, paths and limits: everything that the gateway decides before routing.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use serde_json::json;
use tenantry_core::ExecutionContext;
use tenantry_core::token::{Secret, SecretKind};
use tenantry_http::Limits;
use tenantry_store::{ListQuery, StoreError, Tx, UseCase};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use tenantry_testkit::{Acme, BODY_LIMIT, Settings, TRUSTED_ORIGIN, World};

#[tokio::test]
async fn health_and_documents_need_no_token() {
    let world = World::new();
    for path in ["/healthz", "/readyz"] {
        assert_eq!(world.anonymous().get(path).await.expect(200).body, json!({"status": "ok"}));
    }
    for path in ["/v1/openapi.json", "/v2/openapi.json"] {
        let document = world.anonymous().get(path).await.expect(200);
        assert_eq!(
            (document.header("content-type"), &document["openapi"]),
            (Some("application/json"), &json!("3.1.0"))
        );
    }
}

/// Writes, signals that it has written, and then waits for the receiver before it commits.
struct Holding(Mutex<Receiver<()>>, Mutex<Option<Sender<()>>>);

impl UseCase for Holding {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.installation_write_heartbeat(context.now()).await?;
        // On PostgreSQL a write may be sent together with the next read, so this read makes sure that the row
        // is written.
        tx.any_organization().await?;
        drop(self.1.lock().unwrap().take());
        tokio::task::block_in_place(|| self.0.lock().unwrap().recv().unwrap());
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_writes_wait_serves_reads() {
    let world = World::new();
    let ((go, gone), (holds, held)) = (channel(), channel());
    let store = world.app.store().clone();
    let writing = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        runtime.block_on(store.write(Holding(Mutex::new(gone), Mutex::new(Some(holds)))))
    });
    assert!(held.recv().is_err(), "it says that it holds by letting go of the channel");
    let ready = world.anonymous().get("/readyz").await.expect(200);
    assert_eq!(ready.body, json!({"status": "degraded", "reason": "writes wait"}));
    world.bearer("dead").get("/v1/members").await.expect(401);
    go.send(()).unwrap();
    writing.await.unwrap().unwrap();
    assert_eq!(world.anonymous().get("/readyz").await.expect(200).body, json!({"status": "ok"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_write_is_not_ready_and_one_whose_clock_is_off_says_so() {
    let world = World::new();
    world.database().execute("ALTER TABLE installation RENAME TO mislaid");
    assert_eq!(world.anonymous().get("/readyz").await.expect(503).body, json!({"status": "unavailable"}));
    world.database().execute("ALTER TABLE mislaid RENAME TO installation");
    assert_eq!(world.anonymous().get("/readyz").await.expect(200).body, json!({"status": "ok"}));
    // The test clock differs from PostgreSQL's clock by years. SQLite has no clock of its own.
    let off = world.app.check_clock().await.unwrap();
    let is_off = off > Duration::from_secs(5);
    let ready = world.anonymous().get("/readyz").await.expect(200);
    assert_eq!(ready["status"], json!(if is_off { "degraded" } else { "ok" }));
    assert_eq!(is_off, ready["reason"].as_str().is_some_and(|reason| reason.contains("clock")), "{ready}");
    assert_eq!(is_off, std::env::var("TENANTRY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres"));
}

#[tokio::test]
async fn a_readiness_result_is_reused() {
    let world = World::with(Settings::with_limits(Limits {
        ready_kept: Duration::from_secs(3_600),
        ..Limits::default()
    }));
    world.anonymous().get("/readyz").await.expect(200);
    world.database().execute("ALTER TABLE installation RENAME TO mislaid");
    assert_eq!(world.anonymous().get("/readyz").await.expect(200).body, json!({"status": "ok"}));
    world.gateway.drain();
    world.anonymous().get("/readyz").await.expect(503);
}

#[tokio::test]
async fn a_server_about_to_stop_is_not_ready_and_answers_all_the_same() {
    let world = World::new();
    assert_eq!(world.anonymous().get("/healthz").await.expect(200).header("connection"), None);
    world.gateway.drain();
    assert_eq!(world.anonymous().get("/readyz").await.expect(503).body, json!({"status": "draining"}));
    let alive = world.anonymous().get("/healthz").await.expect(200);
    assert_eq!(alive.header("connection"), Some("close"));
    world.anonymous().get("/v2/ping").await.expect(401);
}

#[tokio::test]
async fn the_page_of_documentation_refers_to_nothing_outside() {
    let page = World::new().anonymous().get("/docs").await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("connect-src 'self'"));
    for outside in ["http://", "https://", "//cdn", "src=\"/", "href=\"/", "@import"] {
        assert!(!page.text.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn every_answer_names_its_request() {
    let world = World::new();
    let mut ids = Vec::new();
    for path in ["/healthz", "/v1/members", "/v2/ping", "/nowhere"] {
        ids.push(world.anonymous().get(path).await.request_id().to_owned());
    }
    assert!(ids.iter().all(|id| id.starts_with("req_") && id.len() == 24), "{ids:?}");
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn api_versions() {
    let acme = Acme::new().await;
    let path = acme.path_v1();
    for (asked, version) in [("", "2026-04"), ("2026-04", "2026-04"), ("2026-10", "2026-10")] {
        let answer = acme.client().with("polar-version", asked).get(&path).await.expect(200);
        assert_eq!(answer.header("polar-version"), Some(version));
    }
    assert_eq!(acme.client().get(&path).await.header("polar-version"), Some("2026-04"));
    for unknown in ["2024-01", "2026-4", "garbage", "2026-04 ", "\u{fc}"] {
        let client =
            acme.world.bearer("dead").with("polar-version", unknown).with("origin", "https://a.example");
        let answer = client.get(&path).await.expect(404);
        let detail = "Unknown Polar-Version. This server serves 2026-04 and 2026-10.";
        assert_eq!(answer.body, json!({"detail": detail}), "{unknown}");
        for absent in ["polar-version", "cache-control", "access-control-allow-origin"] {
            assert_eq!(answer.header(absent), None, "{absent}");
        }
    }
    let elsewhere = acme.client().with("polar-version", "garbage").get("/v2/ping").await.expect(200);
    assert_eq!(elsewhere.header("polar-version"), None);
}

#[tokio::test]
async fn response_headers() {
    let acme = Acme::new().await;
    let scopeless = acme.world.token(&acme.organization, "openid").await;
    for (answer, cache) in [
        (acme.client().get(&acme.path_v1()).await.expect(200), "private, no-store"),
        (acme.client().get("/v1/nowhere").await.expect(404), "private, no-store"),
        (acme.world.anonymous().get("/v1/members").await.expect(401), "private, no-store"),
        (acme.world.bearer("dead").get("/v1/members").await.expect(401), "no-store"),
        (scopeless.get("/v1/members").await.expect(403), "no-store"),
    ] {
        assert_eq!(
            (answer.header("cache-control"), answer.header("polar-version")),
            (Some(cache), Some("2026-04")),
            "{answer}"
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn refused_tokens() {
    let acme = Acme::new().await;
    let path = "/v1/members";
    let none = acme.world.anonymous().get(path).await.expect(401);
    assert_eq!(none.body, json!({"error": "Unauthorized", "detail": "Unauthorized"}));
    assert!(none.header("www-authenticate").unwrap().starts_with("Bearer realm="));
    for header in ["Basic abc", "Bearer", "Bearer ", "x", "Bearer \u{fc}"] {
        let answer = acme.world.anonymous().with("authorization", header).get(path).await.expect(401);
        assert_eq!(answer.body, none.body, "{header}");
    }
    let dead = acme.world.bearer("polar_oat_dead").get(path).await.expect(401);
    assert_eq!(dead["error"], json!("invalid_token"));
    assert_eq!(
        acme.world.expired_token(&acme.organization).await.get(path).await.expect(401).body,
        dead.body
    );
    let lower = format!("bEARER {}", acme.client().secret());
    acme.world.anonymous().with("authorization", lower).get(path).await.expect(200);
    let scopeless = acme.world.token(&acme.organization, "openid").await.get(path).await.expect(403);
    assert_eq!(scopeless["error"], json!("insufficient_scope"));
    assert!(scopeless.header("www-authenticate").unwrap().contains("scope=\"members:read members:write\""));
}

#[tokio::test]
async fn cors_headers_by_origin() {
    let acme = Acme::new().await;
    let anywhere = acme.client().with("origin", "https://a.example").get("/v1/members").await.expect(200);
    assert_eq!(anywhere.header("access-control-allow-origin"), Some("*"));
    assert_eq!(anywhere.header("access-control-allow-credentials"), None);
    let exposed =
        "Polar-Version, Retry-After, RateLimit, RateLimit-Policy, X-Request-Id, Idempotent-Replayed, ETag";
    assert_eq!(anywhere.header("access-control-expose-headers"), Some(exposed));
    let trusted = acme.client().with("origin", TRUSTED_ORIGIN).get("/v1/members").await.expect(200);
    assert_eq!(trusted.header("access-control-allow-origin"), Some(TRUSTED_ORIGIN));
    assert_eq!(trusted.header("access-control-allow-credentials"), Some("true"));
    for response in [&anywhere, &trusted, &acme.client().get("/v1/members").await] {
        assert_eq!(response.header("vary"), Some("Origin"), "it depends on the origin");
    }
    assert_eq!(acme.client().get("/v1/members").await.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn cors_preflights() {
    let world = World::new();
    let ask = async |origin: &str, headers: &str| {
        let client = world.anonymous().with("origin", origin).with("access-control-request-method", "PATCH");
        client
            .with("access-control-request-headers", headers)
            .send("OPTIONS", "/v1/anything/at/all", None, "")
            .await
    };
    let allowed = ask("https://a.example", "authorization, Content-Type,polar-version,Polar-Organization")
        .await
        .expect(200);
    assert_eq!((allowed.text.as_str(), allowed.header("access-control-max-age")), ("OK", Some("600")));
    assert!(allowed.header("access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(allowed.header("content-type").unwrap().starts_with("text/plain"));
    let refused = ask("https://a.example", "x-other").await.expect(400);
    assert_eq!(refused.text, "Disallowed CORS headers");
    let trusted = ask(TRUSTED_ORIGIN, "x-other").await.expect(200);
    assert_eq!(trusted.header("access-control-allow-headers"), Some("x-other"));
    world.anonymous().send("OPTIONS", "/v1/members", None, "").await.expect(405);
}

#[tokio::test]
async fn a_slash_at_the_end_means_nothing() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    for path in [
        "/v1/members",
        "/v1/customers",
        "/v1/organizations",
        &acme.path_v1(),
        &acme.path_v2(),
        "/v2/ping",
        "/healthz",
    ] {
        let (bare, slashed) = (acme.client().get(path).await, acme.client().get(&format!("{path}/")).await);
        assert_eq!((bare.status, slashed.status), (200, 200), "{path}");
        assert_eq!(bare.body, slashed.body);
    }
    let body = json!({"email": "m@example.com", "customer_id": customer});
    acme.client().post("/v1/members/", body).await.expect(201);
    assert_eq!(
        acme.client().get("/v1/members/?limit=1").await.expect(200)["items"].as_array().unwrap().len(),
        1
    );
    acme.client().get("/v1/members//").await.expect(404);
}

#[tokio::test]
async fn the_old_root_of_the_api() {
    let acme = Acme::new().await;
    let moved = acme.client().get("/api/v1/members/?limit=1").await.expect(200);
    assert!(moved.header("x-polar-deprecation-notice").unwrap().contains("/v1"));
    assert_eq!(moved.body, acme.client().get("/v1/members?limit=1").await.body);
    assert_eq!(acme.client().get("/v1/members").await.header("x-polar-deprecation-notice"), None);
    acme.client().get("/api/v2/ping").await.expect(404);
    acme.client().get("/api/v1x/members").await.expect(404);
    let keyed = acme.client().get("/api/api/v1/members").await;
    assert_eq!(keyed.status, 404, "{keyed}");
}

#[tokio::test]
async fn unknown_paths() {
    let acme = Acme::new().await;
    for path in
        ["/nowhere", "/v1", "/v1/", "/v1/nowhere", "/v3/ping", "/V1/members", "/v1/customers/external"]
    {
        let answer = acme.client().get(path).await;
        let expected = if path == "/v1/customers/external" { 422 } else { 404 };
        assert_eq!(answer.status, expected, "{answer}");
        if expected == 404 {
            assert_eq!(answer.body, json!({"detail": "Not Found"}), "{path}");
        }
    }
    assert_eq!(acme.client().get("/v2/nowhere").await.expect(404).body, json!({"message": "not found"}));
}

#[tokio::test]
async fn unknown_methods() {
    let acme = Acme::new().await;
    for (method, path, allowed) in [
        ("PUT", "/v1/customers", "GET,POST"),
        ("DELETE", "/v1/members/", "GET,POST"),
        ("GET", "/v1/customers/x/members", "POST"),
        ("HEAD", "/v1/customers/x/members", "POST"),
        ("POST", "/v1/organizations/x", "DELETE,GET,PATCH"),
    ] {
        let answer = acme.client().json(method, path, &json!({})).await.expect(405);
        let mut allow: Vec<&str> = answer
            .header("allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .filter(|name| *name != "HEAD")
            .collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
        assert!(method == "HEAD" || answer.body == json!({"detail": "Method Not Allowed"}), "{answer}");
    }
    let answer = acme.client().delete("/v2/ping").await.expect(405);
    assert_eq!(answer.body, json!({"message": "method not allowed"}));
}

#[tokio::test]
async fn a_body_over_the_limit() {
    let acme = Acme::new().await;
    let body = |length: usize| format!("{{\"name\": \"Acme\", \"x\": \"{}\"}}", "x".repeat(length));
    let largest = BODY_LIMIT - body(0).len();
    acme.client().raw("PATCH", &acme.path_v1(), body(largest)).await.expect(200);
    let large = acme.client().raw("PATCH", &acme.path_v1(), body(largest + 1)).await.expect(413);
    assert_eq!(large["error"], json!("RequestBodyTooLarge"));
    let large = acme.client().raw("PUT", &acme.path_v2(), body(largest + 1)).await.expect(413);
    assert!(large.message().contains(&BODY_LIMIT.to_string()));
    let stranger = acme.world.anonymous().raw("PATCH", &acme.path_v1(), body(largest + 1)).await;
    assert_eq!(stranger.status, 401, "who is unknown is told nothing else");
}

#[tokio::test]
async fn a_server_that_is_full_says_when_to_come_back() {
    let world = World::with(Settings::with_limits(Limits { in_flight: 0, ..Limits::default() }));
    for path in ["/v1/members", "/v2/ping"] {
        let answer = world.anonymous().get(path).await.expect(503);
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    world.anonymous().get("/healthz").await.expect(200);
    world.anonymous().get("/readyz").await.expect(200);
}

#[tokio::test]
async fn a_database_that_takes_nothing_is_no_fault_of_the_client() {
    let acme = Acme::new().await;
    let customer = acme.create_team("t").await;
    acme.world.app.store().close().await;
    for answer in [
        acme.client().patch(&acme.path_v1(), json!({"name": "Acme"})).await,
        acme.client().post("/v1/members", json!({"customer_id": customer, "email": "a@example.com"})).await,
        acme.client().put(&acme.path_v2(), json!({"name": "Acme"})).await,
        acme.client()
            .key("k")
            .post(
                &format!("{}/members", acme.path_v2()),
                json!({"email": "a@example.com", "role": "Analyst"}),
            )
            .await,
    ] {
        assert_eq!(answer.status, 503, "{answer}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
}

/// A long read of the database that ends when the sender is dropped.
struct Held(Mutex<Receiver<()>>, UnboundedSender<()>);

impl ListQuery for Held {
    type Output = ();

    async fn run(&self, _: &mut Tx<'_>) -> Result<(), StoreError> {
        self.1.send(()).unwrap();
        // It blocks its own thread, as a long query of SQLite does.
        let _ = self.0.lock().unwrap().recv();
        Ok(())
    }
}

/// Otherwise a stranger who invents tokens of persons would keep persons from signing in.
#[tokio::test]
async fn an_unknown_personal_token_waits_for_no_long_read() {
    // PostgreSQL has no places for long reads: they wait for the database on a shared connection.
    if std::env::var("TENANTRY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres") {
        return;
    }
    let world = World::new();
    let store = world.app.store();
    let (mut ends, mut reads) = (Vec::new(), JoinSet::new());
    let (begun, mut begins) = unbounded_channel();
    for _ in 0..8 {
        let (end, held) = channel();
        ends.push(end);
        let (store, held) = (store.clone(), Held(Mutex::new(held), begun.clone()));
        reads.spawn(async move { store.run_large_read(held).await });
    }
    for _ in 0..8 {
        begins.recv().await.unwrap();
    }
    let secret =
        Secret::generate(SecretKind::UserToken, &mut ExecutionContext::new(world.app.now(), [1; 32]));
    world.bearer(secret.expose()).get("/v1/organizations").await.expect(401);
    drop(ends);
    assert!(reads.join_all().await.into_iter().all(|read| read.is_ok()));
}
