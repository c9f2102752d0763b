//! The metrics of requests, writes and work that waits.

use serde_json::json;
use tenantry_metrics::Format;
use tenantry_testkit::{Acme, Database};

use crate::{Scrape, metrics};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_counts_by_operation_and_outcome() {
    let acme = Acme::new().await;
    acme.client().get("/v2/ping").await.expect(200);
    acme.client().get("/v2/ping").await.expect(200);
    acme.world.anonymous().get("/v2/ping").await.expect(401);
    acme.world.anonymous().get("/v1/nothing").await.expect(404);
    acme.world.anonymous().get("/healthz").await.expect(200);
    let scrape = Scrape::of(&acme).await;
    for (sample, expected) in [
        (r#"tenantry_requests_total{operation="ping",outcome="success"}"#, 2.0),
        (r#"tenantry_requests_total{operation="ping",outcome="client_error"}"#, 1.0),
        (r#"tenantry_requests_total{operation="unknown",outcome="client_error"}"#, 1.0),
        (r#"tenantry_requests_total{operation="health",outcome="success"}"#, 1.0),
        (r#"tenantry_request_duration_seconds_count{operation="ping",outcome="success"}"#, 2.0),
        (r#"tenantry_request_duration_seconds_bucket{operation="ping",outcome="success",le="+Inf"}"#, 2.0),
        (r#"tenantry_requests_rejected_total{reason="unauthorized"}"#, 1.0),
        (r#"tenantry_requests_rejected_total{reason="busy"}"#, 0.0),
        ("tenantry_requests_in_flight", 0.0),
    ] {
        assert_eq!(scrape.value(sample), expected, "{sample}\n{}", scrape.0);
    }
    assert!(scrape.value(r#"tenantry_credential_cache_lookups_total{result="hit"}"#) >= 1.0);
    assert!(scrape.value(r#"tenantry_credential_cache_lookups_total{result="miss"}"#) >= 1.0);
    assert!(scrape.value("process_cpu_seconds_total") > 0.0);
    assert!(scrape.value("process_resident_memory_bytes") > 1e6);
    assert!(scrape.value("process_open_fds") > 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_metric_names_a_tenant_or_what_a_client_sent() {
    let acme = Acme::new().await;
    acme.client().get(&acme.path_v1()).await.expect(200);
    acme.client().get("/v1/a-path-of-a-client").await.expect(404);
    acme.client().call("BREW", "/v2/ping", None).await.expect(405);
    let scrape = Scrape::of(&acme).await;
    for text in
        [acme.organization.id.to_string().as_str(), &acme.organization.slug, "a-path", "BREW", "127.0.0.1"]
    {
        assert!(!scrape.0.contains(text), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_count_by_engine() {
    let acme = Acme::new().await;
    let before = Scrape::of(&acme).await.value("tenantry_commit_duration_seconds_count");
    acme.client().patch(&acme.path_v1(), json!({"name": "Other"})).await.expect(200);
    let scrape = Scrape::of(&acme).await;
    assert!(scrape.value("tenantry_commit_duration_seconds_count") > before);
    let is_sqlite = matches!(acme.world.database(), Database::Sqlite(_));
    for (family, is_shown) in [
        ("tenantry_writer_queue_length", is_sqlite),
        ("tenantry_writer_batch_size", is_sqlite),
        ("tenantry_wal_size_bytes", is_sqlite),
        ("tenantry_pool_places_used", !is_sqlite),
        ("tenantry_pool_waiting", !is_sqlite),
        ("tenantry_write_retries_total", !is_sqlite),
    ] {
        assert_eq!(scrape.has(family), is_shown, "{family}");
    }
    if is_sqlite {
        assert!(scrape.value("tenantry_writer_batch_size_count") > before);
        assert!(scrape.value("tenantry_wal_size_bytes") > 0.0);
    } else {
        assert_eq!(scrape.value(r#"tenantry_pool_places{lane="slow"}"#), 3.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_waits_shows_its_amount_and_age() {
    let acme = Acme::new().await;
    let endpoint = json!({
        "url": "https://hooks.example.com/", "format": "raw", "events": ["organization.updated"],
    });
    acme.client().post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    let metrics = metrics(&acme.world);
    let scrape = Scrape(metrics.render(Format::Prometheus).await);
    assert_eq!(scrape.value(r#"tenantry_backlog_queues{kind="webhooks"}"#), 0.0);
    assert!(scrape.0.contains(r#"tenantry_backlog_age_seconds{kind="webhooks"} 0"#), "{}", scrape.0);
    acme.client().patch(&acme.path_v1(), json!({"name": "Other"})).await.expect(200);
    acme.world.advance_s(90);
    // The same figures for some seconds, however often somebody asks.
    let again = Scrape(metrics.render(Format::Prometheus).await);
    assert_eq!(again.value(r#"tenantry_backlog_queues{kind="webhooks"}"#), 0.0);
    let scrape = Scrape::of(&acme).await;
    assert_eq!(scrape.value(r#"tenantry_backlog_queues{kind="webhooks"}"#), 1.0);
    let age = scrape.value(r#"tenantry_backlog_age_seconds{kind="webhooks"}"#);
    assert!((90.0..100.0).contains(&age), "{age}");
    assert_eq!(scrape.value("tenantry_backlog_reads_failed_total"), 0.0);
}

/// The name of a sample in one form: the formats order labels differently, and OpenMetrics writes the bound 1 as 1.0.
fn same_form(name: &str) -> String {
    let Some((metric, labels)) = name.trim_end_matches('}').split_once('{') else { return name.to_owned() };
    let mut labels: Vec<_> = labels.split(',').map(|label| label.replace(".0\"", "\"")).collect();
    labels.sort();
    format!("{metric}{{{}}}", labels.join(","))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_show_the_same_samples() {
    let acme = Acme::new().await;
    acme.client().get("/v2/ping").await.expect(200);
    let metrics = metrics(&acme.world);
    let open = metrics.render(Format::OpenMetrics).await;
    let plain = metrics.render(Format::Prometheus).await;
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
    assert!(open.contains("# TYPE tenantry_requests counter\n"));
    assert!(plain.contains("# TYPE tenantry_requests_total counter\n"));
    let names = |text: &str| {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let mut names: Vec<String> =
            samples.map(|line| same_form(line.rsplit_once(' ').unwrap().0)).collect();
        names.sort();
        names
    };
    assert_eq!(names(&open), names(&plain));
    assert!(open.contains(r#"version="1.2.3""#));
    for (accept, format) in [
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", Format::OpenMetrics),
        ("text/plain", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(Format::accepted(accept), format, "{accept}");
    }
}
