//! `tenantry serve`: runs the HTTP server, the workers and the periodic jobs until a stop signal.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::pki_types::CertificateDer;
use tenantry_app::App;
use tenantry_app::console::RelyingParty;
use tenantry_core::values::{EmailAddress, HttpUrl};
use tenantry_http::{Config, Gateway, read_import_rows, server, webhook_payload};
use tenantry_outbound::mail::Mailer;
use tenantry_outbound::mail::letters::Stationery;
use tenantry_outbound::webhook::{Policy, Sender, SetupError, SystemResolver};
use tenantry_web::Settings;
use tenantry_worker::WorkerMeters;
use tenantry_worker::imports::ImportWorker;
use tenantry_worker::mail::MailWorker;
use tenantry_worker::webhooks::WebhookWorker;
use tokio::net::TcpListener;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

use crate::config::{MailSettings, ServerSettings};
use crate::error::CommandError;
use crate::first_start::{self, Files};
use crate::installation::{Database, absolute};
use crate::jobs;
use crate::metrics::MetricsListener;
use crate::stop::{StopSignals, until_stopped};
use crate::supervisor;
use crate::tls::{self, Certificate};

/// Open files that the process needs besides those of connections.
const OTHER_FILES: u64 = 1000;

/// Serves until a stop signal, then closes the database. `roots` are additional certificate authorities.
pub(crate) async fn serve(
    app: App,
    settings: ServerSettings,
    roots: &[CertificateDer<'static>],
    files: &Files,
    database: Arc<Database>,
) -> Result<(), CommandError> {
    let (listener, address) = open_listener(&settings).await?;
    let metrics = MetricsListener::open(settings.metrics_listen.as_deref()).await?;
    let ServerSettings {
        certificate,
        bootstrap,
        bootstrap_owner,
        http,
        portal_url,
        mail,
        webhook_http_hosts,
        retention,
        console,
        portal,
        public_url,
        replace_passkeys,
        backups,
        ..
    } = settings;
    let app = app.with_plain_http_hosts(&webhook_http_hosts).with_mail_limits(mail.limits);
    let app = Arc::new(app.with_retention(retention));
    let meters = Arc::new(WorkerMeters::default());
    let webhooks = webhook_worker(&app, webhook_http_hosts, roots, &meters)?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    if public_url.is_none() && (address.ip().is_unspecified() || address.ip().is_loopback()) {
        warn_of_links(&url, portal_url.is_none(), console && matches!(mail.mailer, Mailer::Smtp(..)));
    }
    check_open_files(http.limits.connections);
    if bootstrap {
        write_first_token(&app, bootstrap_owner, &url, files).await?;
    }
    let public_url = public_url.unwrap_or_else(|| own_url(scheme, address));
    if console {
        check_passkeys(&app, &public_url, replace_passkeys).await?;
        open_first_entry(&app, &public_url, files).await?;
    }
    let has_no_mail_server = matches!(mail.mailer, Mailer::Log);
    let pages = Settings { public_url: Some(public_url.clone()), has_no_mail_server, console, portal };
    let http = with_pages(http, &app, &public_url, portal_url.as_ref(), pages);
    // The signals are handled before the server is announced, so that a stop is never lost.
    let signals = StopSignals::new()?;
    let hangup = certificate.as_ref().map(|_| tls::hangup()).transpose()?;
    announce(&url, console.then_some(public_url.as_str()), files);

    let (stop, stopped) = watch::channel(false);
    let gateway = Gateway::new(Arc::clone(&app), http);
    let wait = drain_at_signal(signals, gateway.clone(), stop);
    let mail = mail_worker(&app, mail, &public_url, portal_url, (console, portal), &meters);
    let imports = Arc::new(ImportWorker::new(Arc::clone(&app), read_import_rows));
    let backups = backups.map(|backups| (backups, database));
    let serving = async {
        tokio::join!(
            serve_requests(listener, gateway.clone(), certificate.as_ref(), wait),
            watch_certificate(certificate.as_ref().zip(hangup), stopped.clone()),
            gateway.share_budgets(until_stopped(stopped.clone())),
            webhooks.run(until_stopped(stopped.clone())),
            imports.run(until_stopped(stopped.clone())),
            metrics.serve(gateway.clone(), meters, until_stopped(stopped.clone())),
            jobs::run(&app, &gateway, backups, stopped.clone()),
            mail.run(stopped)
        )
    };
    let (drained, (), (), (), (), (), (), ()) = supervisor::report_alive_during(serving).await;
    if !drained {
        tracing::warn!("server drain timed out");
    }
    app.store().close().await;
    tracing::info!("server stopped");
    Ok(())
}

/// The worker that sends mails, with the addresses of the pages that are served.
fn mail_worker(
    app: &Arc<App>,
    mail: MailSettings,
    public_url: &str,
    portal_url: Option<HttpUrl>,
    pages: (bool, bool),
    meters: &Arc<WorkerMeters>,
) -> MailWorker {
    let stationery = Stationery { language: mail.language, ..Stationery::of_sender(&mail.from) };
    let stationery = with_links(stationery, public_url, portal_url, pages);
    let worker = MailWorker::new(Arc::clone(app), mail.mailer, &mail.from, stationery);
    worker.with_meters(Arc::clone(meters))
}

/// Listens on the address of an option.
pub(crate) async fn listen_on(option: &str, address: &str) -> Result<TcpListener, CommandError> {
    let listening = server::listen(address).await;
    listening.map_err(|error| CommandError::Message(format!("{option}: cannot listen on {address}: {error}")))
}

fn webhook_worker(
    app: &Arc<App>,
    plain_http_hosts: Vec<String>,
    roots: &[CertificateDer<'static>],
    meters: &Arc<WorkerMeters>,
) -> Result<Arc<WebhookWorker>, CommandError> {
    let policy = Policy { plain_http_hosts, ..Policy::default() };
    let sender = Sender::with(policy, SystemResolver::new().map_err(SetupError::Resolver)?, roots)?;
    let worker = WebhookWorker::new(Arc::clone(app), sender, webhook_payload);
    Ok(Arc::new(worker.with_meters(Arc::clone(meters))))
}

/// The configuration with the pages and the addresses of the server.
fn with_pages(
    http: Config,
    app: &Arc<App>,
    public_url: &str,
    portal_url: Option<&HttpUrl>,
    pages: Settings,
) -> Config {
    let portal_url = portal_url.map_or_else(|| public_url.to_owned(), ToString::to_string);
    let pages = tenantry_web::router(Arc::clone(app), pages);
    Config { public_url: public_url.to_owned(), portal_url, pages, ..http }
}

/// Listens for requests. Warns when neither the server nor a proxy in front encrypts what goes over the network.
async fn open_listener(settings: &ServerSettings) -> Result<(TcpListener, SocketAddr), CommandError> {
    let is_protected = settings.certificate.is_some() || !settings.http.trusted_proxies.is_empty();
    let listener = listen_on("--listen", &settings.listen).await?;
    let address = listener.local_addr()?;
    if !is_protected && !address.ip().to_canonical().is_loopback() {
        tracing::warn!(
            %address,
            "plain HTTP is served beyond this machine: set --tls-cert and --tls-key, or put a proxy with TLS in front \
             and name it by --trusted-proxy"
        );
    }
    Ok((listener, address))
}

async fn serve_requests(
    listener: TcpListener,
    gateway: Gateway,
    certificate: Option<&Certificate>,
    stop: impl Future<Output = ()>,
) -> bool {
    match certificate {
        Some(certificate) => server::serve_tls(listener, gateway, certificate.tls(), stop).await,
        None => server::serve(listener, gateway, stop).await,
    }
}

async fn watch_certificate(certificate: Option<(&Certificate, Signal)>, stopped: watch::Receiver<bool>) {
    if let Some((certificate, hangup)) = certificate {
        certificate.watch(hangup, until_stopped(stopped)).await;
    }
}

/// The stationery with the addresses of the portal and the console. Pages that are not served have none.
fn with_links(
    stationery: Stationery,
    public_url: &str,
    portal_url: Option<HttpUrl>,
    (has_console, has_portal): (bool, bool),
) -> Stationery {
    let own = HttpUrl::parse(public_url).ok();
    let portal = portal_url.or_else(|| own.clone().filter(|_| has_portal));
    Stationery { portal, console: own.filter(|_| has_console), ..stationery }
}

/// Waits for a stop signal, and then as long as load balancers need to send no more requests.
async fn drain_at_signal(mut signals: StopSignals, gateway: Gateway, stop: watch::Sender<bool>) {
    signals.next().await;
    tracing::info!("server stopping");
    supervisor::stopping();
    gateway.drain();
    // A second signal ends the drain delay.
    let _ = tokio::time::timeout(gateway.limits().drain_delay, signals.next()).await;
    stop.send_replace(true);
}

/// The address of a server that has no other one. On this machine it has the name that browsers allow passkeys for.
fn own_url(scheme: &str, address: SocketAddr) -> String {
    match address.ip().is_loopback() {
        true => format!("{scheme}://localhost:{}", address.port()),
        false => format!("{scheme}://{address}"),
    }
}

/// Refuses to serve under another host name than that of the passkeys, which would silently stop working.
async fn check_passkeys(app: &App, public_url: &str, replaces: bool) -> Result<(), CommandError> {
    let party = RelyingParty::new(public_url);
    app.set_relying_party(party.as_ref().map(RelyingParty::id), replaces).await?.map_err(|change| {
        CommandError::Argument(
            "--public-url",
            format!("{change}: keep the address, or delete all passkeys with --replace-passkeys"),
        )
    })
}

/// Warns of links that begin with the address of a server that other machines cannot reach.
fn warn_of_links(url: &str, to_portal: bool, to_console: bool) {
    if to_portal {
        tracing::warn!(%url, "portal links are unreachable: set --portal-url or --public-url");
    }
    if to_console {
        tracing::warn!(%url, "links to the console in mails are unreachable: set --public-url");
    }
}

/// Creates the first organization in an empty database, and prints its token.
async fn write_first_token(
    app: &App,
    owner: Option<EmailAddress>,
    url: &str,
    files: &Files,
) -> Result<(), CommandError> {
    if let Some(first) = first_start::create(app, owner).await?
        && let Err(error) = first_start::print(url, files, &first)
    {
        tracing::warn!(%error, new_token = files.new_token("SLUG_OR_ID"), "first token not written");
    }
    Ok(())
}

/// Tells the operator how to take over the first organization, while nobody has.
async fn open_first_entry(app: &Arc<App>, public_url: &str, files: &Files) -> Result<(), CommandError> {
    let secret = app.open_first_entry().await?;
    if let Err(error) = first_start::print_entry(public_url, files, secret.as_ref()) {
        tracing::warn!(%error, "first entry not written");
    }
    Ok(())
}

/// Reports that the server accepts connections: as a log event, and on standard output for the program that
/// started the server. If both go to the same place, the log event alone is written.
fn announce(url: &str, console: Option<&str>, files: &Files) {
    let console = console.map(|url| format!("{url}{}", tenantry_web::ROOT));
    tracing::info!(
        %url, console, docs = %format!("{url}/docs"), database = files.database,
        key_file = %absolute(&files.key).display(), new_token = files.new_token("SLUG_OR_ID"), "server listening"
    );
    supervisor::ready();
    if is_same_output() {
        return;
    }
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "listening on {url}").and_then(|()| out.flush()) {
        tracing::warn!(%error, "standard output closed");
    }
}

/// Raises the limit of open files as far as the process may, and warns when it is less than the connections need.
fn check_open_files(connections: usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHER_FILES);
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let is_low = |limit: &Rlimit| limit.current.is_some_and(|current| current < needed);
    if is_low(&limit) && (setrlimit(Resource::Nofile, raised).is_err() || is_low(&raised)) {
        let limit = getrlimit(Resource::Nofile).current;
        tracing::warn!(limit, needed, "limit of open files is too low for --max-connections");
    }
}

/// Whether standard output and standard error are the same terminal, file or pipe.
fn is_same_output() -> bool {
    let place = |name: &str| fs::metadata(name).map(|found| (found.dev(), found.ino(), found.rdev())).ok();
    let (out, error) = (place("/dev/stdout"), place("/dev/stderr"));
    out.is_some() && out == error
}
