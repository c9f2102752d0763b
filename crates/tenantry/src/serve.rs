//! `tenantry serve`: from an open database to the last answer.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tenantry_app::App;
use tenantry_app::bootstrap::{Bootstrap, Bootstrapped};
use tenantry_core::values::{EmailAddress, InvalidValue, OrganizationName, Slug};
use tenantry_http::{Gateway, server, webhook_payload};
use tenantry_outbound::webhook::{Policy, Sender};
use tenantry_worker::mail::MailWorker;
use tenantry_worker::webhooks::Webhooks;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::commands::CommandError;
use crate::config::Serving;
use crate::stop::{Signals, told};

/// How often what has expired is deleted.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How often the clock is compared with the database's.
const CLOCK_EVERY: Duration = Duration::from_secs(10);
/// How far they may be apart before that is told.
const CLOCK_WARNING: Duration = Duration::from_secs(1);

/// Serves until the process is told to stop, then closes the database.
pub(crate) async fn serve(app: App, serving: Serving) -> Result<(), CommandError> {
    let Serving { listen, bootstrap, mut http, portal, mail, webhook_http_hosts, migrate: _ } = serving;
    let app = Arc::new(app.with_plain_http_hosts(&webhook_http_hosts));
    let sender = Sender::new(Policy { plain_http_hosts: webhook_http_hosts, ..Policy::default() })?;
    let webhooks = Arc::new(Webhooks::new(Arc::clone(&app), sender, webhook_payload));
    let listener = TcpListener::bind(&listen)
        .await
        .map_err(|error| CommandError::Config(format!("cannot listen on {listen}: {error}")))?;
    let address = listener.local_addr()?;
    let url = format!("http://{address}");
    if portal.is_none() && address.ip().is_unspecified() {
        tracing::warn!(%url, "links to the customer portal begin with this, which leads nowhere: give --portal-url");
    }
    http.portal_url = portal.as_ref().map_or_else(|| url.clone(), ToString::to_string);
    if bootstrap
        && let Some(first) = first_start(&app).await?
        && let Err(error) = print_first_calls(&url, &first)
    {
        tracing::warn!(%error, "the first token could not be shown: make one with `tenantry token create`");
    }
    // Before anybody can know that it is there, and tell it to stop.
    let mut signals = Signals::new()?;
    if let Err(error) = writeln!(io::stdout(), "listening on {url}").and_then(|()| io::stdout().flush()) {
        tracing::warn!(%error, "nobody reads what is printed");
    }
    tracing::info!(%url, "listening");

    let (stop, stopped) = watch::channel(false);
    let gateway = Gateway::new(Arc::clone(&app), http);
    let draining = gateway.clone();
    let wait = async move {
        signals.next().await;
        tracing::info!("stopping");
        draining.drain();
        // Whoever is in a hurry asks twice.
        let _ = tokio::time::timeout(draining.limits().drain_delay, signals.next()).await;
        stop.send_replace(true);
    };
    let mail = MailWorker::new(Arc::clone(&app), mail.mailer, &mail.from, portal);
    let (drained, (), (), (), (), ()) = tokio::join!(
        server::serve(listener, gateway.clone(), wait),
        sweep(&app, &gateway, stopped.clone()),
        watch_clock(&app, stopped.clone()),
        gateway.share_budgets(told(stopped.clone())),
        webhooks.run(told(stopped.clone())),
        mail.run(stopped)
    );
    if !drained {
        tracing::warn!("some requests were cut off");
    }
    app.store().close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Deletes what has expired and stores when tokens were used, now and then.
async fn sweep(app: &App, gateway: &Gateway, stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    let sweeping = async {
        loop {
            every.tick().await;
            gateway.sweep();
            if let Err(error) = app.sweep().await {
                tracing::warn!(%error, "expired records stay for now");
            }
        }
    };
    // What has expired may be much: the rest of it waits for the next start.
    tokio::select! {
        () = told(stopped.clone()) => {}
        () = sweeping => {}
    }
    if let Err(error) = app.store_token_uses().await {
        tracing::warn!(%error, "the last uses of some tokens were not stored");
    }
}

/// Compares the clock with the database's, now and then.
async fn watch_clock(app: &App, mut stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(CLOCK_EVERY);
    loop {
        tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            _ = every.tick() => {}
        }
        match app.check_clock().await {
            Ok(off) if off > CLOCK_WARNING => {
                tracing::warn!(?off, "the clock differs from the database's: is it kept by NTP, on both?");
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the database does not tell its time"),
        }
    }
}

async fn first_start(app: &App) -> Result<Option<Bootstrapped>, CommandError> {
    let fixed = |refusal: InvalidValue| CommandError::Config(refusal.to_string());
    let bootstrap = Bootstrap {
        name: OrganizationName::parse("My Organization").map_err(fixed)?,
        slug: Slug::parse("my-organization").map_err(fixed)?,
        owner_email: EmailAddress::parse("owner@example.com").map_err(fixed)?,
        customer_email: EmailAddress::parse("team@example.com").map_err(fixed)?,
        hash_key: app.hash_key().clone(),
    };
    Ok(app.bootstrap(bootstrap).await?)
}

/// Shows the first token, once, in calls that can be pasted.
fn print_first_calls(url: &str, first: &Bootstrapped) -> io::Result<()> {
    let (organization, customer) = (first.organization.id, first.customer.id);
    let token = first.issued.secret.expose();
    writeln!(
        io::stdout(),
        "An empty database: organization {organization} was created, with a team customer and a token.
The token is shown here and never again.

export TOKEN={token}

curl -X POST {url}/v1/members/ -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\
  -d '{{\"customer_id\": \"{customer}\", \"email\": \"member@example.com\", \"name\": \"Jane Doe\"}}'

curl -X POST {url}/v2/accounts/{organization}/members -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -H 'Idempotency-Key: add-teammate-1' \\
  -d '{{\"email\": \"teammate@example.com\", \"name\": \"Jordan Lee\", \"role\": \"Developer\"}}'

curl -X PATCH {url}/v1/organizations/{organization} -H \"Authorization: Bearer $TOKEN\" \\
  -H 'Content-Type: application/json' -d '{{\"name\": \"Acme\", \"website\": \"https://example.com\"}}'
"
    )
}
