//! The console: pages under `/console` for the people who run organizations. The portal: pages under `/SLUG/portal` for
//! the customers of an organization.
//!
//! Pages are askama templates in `templates/`, actions are plain forms: POST, redirect, GET. Everything works without
//! script; htmx swaps lists while somebody types. A page calls the same use cases as the API, as the person of the
//! session, and decides nothing itself.
//!
//! | module | does |
//! |---|---|
//! | [`router`] | the routes |
//! | `guard` | refuses forms of other sites, sets the headers of every page |
//! | `visitor` | finds language, session and person of a request |
//! | `visit` | what the handler of a signed-in person's page gets |
//! | `pages` | one handler for each page and form |
//! | `portal` | the pages of the portal, with headers, cookies and visitors of their own |
//! | `screen` | the parts of pages: lists, forms, confirmations |
//! | `view` | what templates show around them: frame, navigation |
//! | `faults` | refusals of use cases in the words of a form |
//! | `texts` | the words, in each language |

mod assets;
mod cookies;
mod faults;
mod guard;
mod language;
mod pages;
mod portal;
mod respond;
mod screen;
mod texts;
mod time;
mod view;
mod visit;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use tenantry_app::App;
use tenantry_app::console::RelyingParty;

use visit::{Visit, page};

/// The path of every page.
pub const ROOT: &str = "/console";
/// The path of every style sheet and script of the console.
const ROOT_OF_ASSETS: &str = "/console/assets";

/// Settings of the pages.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address at which people reach the server, such as `https://tenantry.example.com`. Without one, the address
    /// of the request counts.
    pub public_url: Option<String>,
    /// Whether mails are only written to the log, so that pages show links which mails would carry.
    pub has_no_mail_server: bool,
    /// Whether the console is served.
    pub console: bool,
    /// Whether the portal is served.
    pub portal: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { public_url: None, has_no_mail_server: false, console: true, portal: true }
    }
}

/// State that every page shares.
pub(crate) struct Console {
    pub(crate) app: Arc<App>,
    pub(crate) public_url: Option<String>,
    /// Whether mails reach people.
    pub(crate) sends_mail: bool,
    /// The relying party of passkeys; none where browsers have no passkeys.
    pub(crate) relying_party: Option<Arc<RelyingParty>>,
    /// The folder of the console's assets, with their hash.
    pub(crate) assets: String,
    /// The folder of the portal's assets, with their hash.
    pub(crate) portal_assets: String,
    /// The exports that run.
    pub(crate) exports: pages::export::Running,
}

/// The pages of an application.
pub fn router(app: Arc<App>, settings: Settings) -> Router {
    let Settings { public_url, has_no_mail_server, console: has_console, portal: has_portal } = settings;
    let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
    let relying_party = public_url.as_deref().and_then(RelyingParty::new).map(Arc::new);
    let console = Arc::new(Console {
        app,
        public_url,
        sends_mail: !has_no_mail_server,
        relying_party,
        assets: assets::folder(ROOT_OF_ASSETS),
        portal_assets: assets::folder(portal::ROOT_OF_ASSETS),
        exports: pages::export::Running::default(),
    });
    let mut router = Router::new();
    if has_console {
        let pages = console_pages().layer(from_fn_with_state(Arc::clone(&console), guard::protect));
        router = assets::routes(router.merge(pages), &console.assets);
    }
    if has_portal {
        let pages = portal::routes().layer(from_fn_with_state(Arc::clone(&console), portal::protect));
        router = assets::routes(router.merge(pages), &console.portal_assets);
    }
    router.with_state(console)
}

/// The routes of the console.
fn console_pages() -> Router<Arc<Console>> {
    pages::identity::routes()
        .route("/console", get(page!(Visit, pages::home)))
        .route("/console/sign-in", get(pages::sign_in::ask).post(pages::sign_in::send))
        .route("/console/sign-in/code", get(pages::sign_in::code).post(pages::sign_in::enter))
        .route("/console/sign-out", post(pages::sign_in::out))
        .route("/console/claim", get(pages::claim::ask).post(pages::claim::take))
        .route("/console/recover", get(pages::sign_in::recover).post(pages::sign_in::recovered))
        .merge(pages::organizations::routes())
        .merge(pages::operator::routes())
        .merge(pages::audit_log::routes())
        .merge(pages::team::routes())
        .merge(pages::invitations::routes())
        .merge(pages::customers::routes())
        .merge(pages::tokens::routes())
        .merge(pages::webhooks::routes())
        .merge(pages::settings::routes())
        .merge(pages::portal::routes())
        .merge(pages::sessions::routes())
        .merge(pages::notices::routes())
        .route("/console/{*rest}", any(pages::not_found))
}
