//! `--metrics-listen` and `--log-slow-ms`.

use std::fs;
use std::net::TcpListener;

use crate::first_start::{end, get, log_of, start_with};
use crate::program::Site;

/// The address that the log names for the metrics.
fn metrics_address(site: &Site) -> String {
    let log = log_of(site);
    let (_, rest) = log.split_once("metrics listening url=http://").unwrap();
    rest.split_once("/metrics").unwrap().0.to_owned()
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let site = Site::new();
    let (server, _, address) = start_with(&site, &["--metrics-listen", "127.0.0.1:0"]);
    let token = fs::read_to_string(site.path().join("tenantry.db.first-token")).unwrap();
    assert!(get(&address, "/metrics", token.trim()).starts_with("HTTP/1.1 404"));
    let scrape = get(&metrics_address(&site), "/metrics", "");
    end(server);
    assert!(scrape.starts_with("HTTP/1.1 200"), "{scrape}");
    let expected = r#"tenantry_requests_total{operation="unknown",outcome="client_error"} 1"#;
    assert!(scrape.contains(expected), "{scrape}");
    assert!(!log_of(&site).contains("beyond this machine"), "{}", log_of(&site));
}

#[test]
fn metrics_are_off_by_default_and_a_warning_beyond_this_machine() {
    let site = Site::new();
    let (server, ..) = start_with(&site, &[]);
    end(server);
    assert!(!log_of(&site).contains("metrics"), "{}", log_of(&site));
    let (server, ..) = start_with(&site, &["--metrics-listen", "0.0.0.0:0"]);
    end(server);
    let warning = "metrics are served without TLS beyond this machine";
    assert!(log_of(&site).contains(warning), "{}", log_of(&site));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let message = site.fail(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", &taken]);
    assert!(message.contains(&format!("--metrics-listen: cannot listen on {taken}")), "{message}");
    let message = site.fail(&["serve", "--metrics-listen", "9464"]);
    assert!(message.contains("HOST:PORT"), "{message}");
}

#[test]
fn a_slow_request_is_a_warning() {
    let site = Site::new();
    let (server, _, address) = start_with(&site, &["--log-slow-ms", "1", "--rate-limit", "off"]);
    let is_slow =
        |line: &str| line.contains("WARN") && line.contains("request finished") && line.contains("/readyz");
    let mut requests = 0;
    // Each answer may be a fresh write, which seldom takes less than a millisecond.
    while !log_of(&site).lines().any(is_slow) {
        requests += 1;
        assert!(requests < 5_000, "{}", log_of(&site));
        get(&address, "/readyz", "");
    }
    end(server);
}
