//! The first start of the server, and the one after it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::program::Site;

/// A running server, which ends with the test.
pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server and returns the text on standard output up to its address, and the address.
fn start(site: &Site) -> (Server, String, String) {
    start_with(site, &[])
}

/// The same with further options.
pub(crate) fn start_with(site: &Site, options: &[&str]) -> (Server, String, String) {
    let mut command: Command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    start_as(site, command.args(options))
}

/// Starts the server by this command.
fn start_as(site: &Site, command: &mut Command) -> (Server, String, String) {
    let log = File::create(site.path().join("log")).unwrap();
    let mut server = Server(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
    let mut text = String::new();
    for line in BufReader::new(server.0.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(url) = line.strip_prefix("listening on http://") {
            return (server, text, url.to_owned());
        }
        text = text + &line + "\n";
    }
    panic!("{text}{}", log_of(site));
}

pub(crate) fn log_of(site: &Site) -> String {
    fs::read_to_string(site.path().join("log")).unwrap()
}

/// The path of the site as the program sees it.
fn root_of(site: &Site) -> String {
    fs::canonicalize(site.path()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_owner_of_the_first_organization_can_be_named() {
    let site = Site::new();
    let (server, text, _) = start_with(&site, &["--bootstrap-owner", "ada@example.com"]);
    assert!(text.contains("ada@example.com") && !text.contains("owner@"), "{text}");
    drop(server);
    assert!(site.succeed(&["organization", "list"]).contains("owner ada@example.com"));
    site.succeed(&["user-token", "create", "--email", "ada@example.com"]);
}

/// Ends a server in order, so that everything that it prints and logs is there.
pub(crate) fn end(mut server: Server) {
    let pid = server.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(server.0.wait().unwrap().success());
}

/// The response to a GET request.
pub(crate) fn get(address: &str, path: &str, token: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    write!(stream, "{head}Authorization: Bearer {token}\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn the_first_token_goes_to_a_private_file_when_the_output_is_no_terminal() {
    let site = Site::new();
    let (server, text, address) = start(&site);
    let path = site.path().join("tenantry.db.first-token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = fs::read_to_string(&path).unwrap().trim().to_owned();
    assert!(get(&address, "/v1/organizations/", &token).starts_with("HTTP/1.1 200"), "{token}");
    assert!(!text.contains(&token) && !log_of(&site).contains(&token), "{text}");
    let options =
        format!("--database sqlite:{0}/tenantry.db --secret-key-file {0}/tenantry.db.key", root_of(&site));
    let command = format!("{} token create --organization my-organization", env!("CARGO_BIN_EXE_tenantry"));
    for expected in [
        "The token is in /",
        "tenantry.db.first-token",
        "/docs",
        &format!("backup FILE {options}"),
        "owner@my-organization.invalid",
        &options,
        &command,
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
    end(server);
    assert_eq!(log_of(&site).matches("server listening").count(), 1);
    // The second start says how to create another token.
    let (server, text, address) = start(&site);
    assert_eq!(text, "");
    let root = get(&address, "/", &token);
    end(server);
    assert!(log_of(&site).contains("tenantry token create --organization"), "{}", log_of(&site));
    assert!(log_of(&site).contains(&options), "{}", log_of(&site));
    assert!(log_of(&site).contains("set --portal-url"), "{}", log_of(&site));
    assert!(root.starts_with("HTTP/1.1 200") && root.contains("/docs") && root.contains("/v2"), "{root}");
}

#[test]
fn each_request_is_logged_with_its_fields_and_without_secrets() {
    let site = Site::new();
    let (server, _, address) = start_with(&site, &["--log-format", "json", "--log-level", "debug"]);
    let token = fs::read_to_string(site.path().join("tenantry.db.first-token")).unwrap().trim().to_owned();
    let answer = get(&address, "/v1/organizations/?limit=1&email=ada%40example.com", &token);
    let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap();
    end(server);
    let log = log_of(&site);
    let line = log.lines().find(|line| line.contains("request finished")).unwrap();
    let fields: Value = serde_json::from_str(line).unwrap();
    for (name, value) in [
        ("message", "request finished"),
        ("method", "GET"),
        ("route", "/v1/organizations"),
        ("operation", "organizations:list"),
        ("caller", "organization"),
        ("request_id", id),
        ("client_address", "127.0.0.1"),
    ] {
        assert_eq!(fields[name], value, "{line}");
    }
    assert_eq!(fields["status"], 200);
    assert!(fields["duration_ms"].is_f64() && fields["organization_id"].is_string(), "{line}");
    assert!(fields["credential_id"].is_string(), "{line}");
    let key = fs::read_to_string(site.path().join("tenantry.db.key")).unwrap();
    for secret in [token.as_str(), key.trim(), "ada"] {
        assert!(!log.contains(secret), "{log}");
    }
}

/// Otherwise a stranger could fill the disk with log lines, or write addresses of people into them.
#[test]
fn a_request_writes_neither_its_path_nor_its_method_into_the_log() {
    let site = Site::new();
    let (server, _, address) = start_with(&site, &["--log-format", "json"]);
    let long = "x".repeat(30_000);
    let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n";
    for (line, more) in [
        (format!("OPTIONS /v1/customers/external/jo@x.dev{long}"), preflight),
        (format!("GET /v1/{long}"), "Host: second\r\n"),
        (format!("GET /docs/{long}"), ""),
        (format!("{} /v1/customers", long.to_uppercase()), ""),
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        write!(stream, "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n").unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    end(server);
    let log = log_of(&site);
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("request finished")).collect();
    assert_eq!(lines.len(), 4, "{log}");
    assert!(lines.iter().all(|line| line.len() < 1_000 && !line.contains("jo@x.dev")), "{lines:?}");
}

#[test]
fn the_address_is_printed_once_when_output_and_log_are_the_same() {
    let site = Site::new();
    let both = File::create(site.path().join("log")).unwrap();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0", "--bootstrap", "off"]);
    let mut server = Server(command.stdout(both.try_clone().unwrap()).stderr(both).spawn().unwrap());
    while !log_of(&site).contains("server listening") {
        assert!(server.0.try_wait().unwrap().is_none(), "{}", log_of(&site));
        std::thread::yield_now();
    }
    end(server);
    assert!(!log_of(&site).contains("listening on"), "{}", log_of(&site));
}

#[test]
fn the_first_entry_goes_to_a_private_file_until_it_is_taken() {
    let site = Site::new();
    let (server, text, address) = start_with(&site, &["--public-url", "https://t.example"]);
    let path = site.path().join("tenantry.db.first-entry");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let entry = fs::read_to_string(&path).unwrap().trim().to_owned();
    let secret = entry.strip_prefix("https://t.example/console/claim#").unwrap();
    assert!(get(&address, "/console/claim", "").starts_with("HTTP/1.1 200"));
    end(server);
    let log = log_of(&site);
    assert!(!text.contains(secret) && !log.contains(secret), "{text}{log}");
    assert!(log.contains("first entry is open") && log.contains("https://t.example/console"), "{log}");
    // The next start makes another one. Without the console there is none, and no page.
    let (server, _, _) = start(&site);
    assert!(!fs::read_to_string(&path).unwrap().contains(secret));
    end(server);
    let (server, _, address) = start_with(&site, &["--console", "off"]);
    assert!(get(&address, "/console", "").starts_with("HTTP/1.1 404"));
    drop(server);
    let printed = site.succeed(&["user", "recover", "owner@my-organization.invalid"]);
    assert!(printed.starts_with("http://localhost:8080/console/recover#tenantry_sin_"), "{printed}");
}

/// The next report to a supervisor that is one of these.
fn next_report(supervisor: &UnixDatagram, wanted: &[&str]) -> String {
    let mut report = [0; 256];
    for _ in 0..1_000 {
        let length = supervisor.recv(&mut report).unwrap();
        let text = std::str::from_utf8(report.get(..length).unwrap()).unwrap().trim();
        if wanted.contains(&text) {
            return text.to_owned();
        }
    }
    panic!("none of {wanted:?} was reported");
}

#[test]
fn the_supervisor_learns_that_the_server_is_ready_and_alive_and_stops() {
    let site = Site::new();
    let path = site.path().join("supervisor");
    let supervisor = UnixDatagram::bind(&path).unwrap();
    supervisor.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = site.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "20000");
    let (server, ..) = start_as(&site, &mut command);
    let each = ["READY=1", "WATCHDOG=1", "STOPPING=1"];
    assert_eq!(next_report(&supervisor, &each), "READY=1");
    for _ in 0..3 {
        assert_eq!(next_report(&supervisor, &each), "WATCHDOG=1");
    }
    end(server);
    assert_eq!(next_report(&supervisor, &["STOPPING=1"]), "STOPPING=1");
}
