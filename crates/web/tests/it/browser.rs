//! A browser: it keeps cookies and says where a form comes from.

use std::collections::BTreeMap;
use std::sync::Arc;

use tenantry_app::{App, Requester};
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::values::EmailAddress;
use tenantry_testkit::{Organization, Response, Settings, World};

/// A world with the console.
pub(crate) fn world() -> World {
    World::with(Settings { pages: Some(pages), ..Settings::default() })
}

/// The address of the console.
pub(crate) const ORIGIN: &str = "https://t.example";

fn pages(app: Arc<App>) -> axum::Router {
    let public_url = Some(ORIGIN.to_owned());
    tenantry_web::router(app, tenantry_web::Settings { public_url, ..tenantry_web::Settings::default() })
}

/// A world with the console, which may send webhooks to these hosts.
pub(crate) fn world_sending_to(plain_http_hosts: Vec<String>) -> World {
    World::with(Settings { pages: Some(pages), plain_http_hosts, ..Settings::default() })
}

/// A world whose console has no mail server.
pub(crate) fn world_without_mail() -> World {
    World::with(Settings { pages: Some(pages_without_mail), ..Settings::default() })
}

fn pages_without_mail(app: Arc<App>) -> axum::Router {
    let settings = tenantry_web::Settings { has_no_mail_server: true, ..tenantry_web::Settings::default() };
    tenantry_web::router(app, settings)
}

/// Adds a person with a role to the team of an organization, and signs them in.
pub(crate) async fn member<'a>(world: &'a World, of: &Organization, role: &str) -> Browser<'a> {
    let email = format!("{}@x.example", role.replace(' ', "-").to_lowercase());
    let new = serde_json::json!({"email": email, "name": format!("The {role}"), "role": role});
    let token = world.token(of, "*").await;
    token.post(&format!("/v2/accounts/{}/members", of.id), new).await.expect(201);
    Browser::signed_in(world, &email).await
}

/// The attribute of the first tag of a page that has it after `mark`.
pub(crate) fn attribute<'a>(page: &'a Response, name: &str, mark: &str) -> &'a str {
    let begin = format!("{name}=\"");
    let found = page.text.split(&begin).skip(1).map(|part| part.split('"').next().unwrap());
    found.into_iter().find(|value| value.contains(mark)).unwrap_or_else(|| panic!("{name} {mark}: {page}"))
}

/// A browser.
pub(crate) struct Browser<'a> {
    pub(crate) world: &'a World,
    pub(crate) cookies: BTreeMap<String, String>,
    /// Headers of every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let headers = vec![("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0".to_owned())];
        Self { world, cookies: BTreeMap::new(), headers }
    }

    /// A browser in which this person has signed in by a mailed code.
    pub(crate) async fn signed_in(world: &'a World, email: &str) -> Self {
        let mut browser = Self::new(world);
        browser.ask(email).await;
        let code = code(world).await;
        browser.enter(&code).await.expect(303);
        browser
    }

    /// Sends the form for the address.
    pub(crate) async fn ask(&mut self, email: &str) -> Response {
        self.post("/console/sign-in", &[("email", email)]).await.expect(303)
    }

    /// Sends the form for the code.
    pub(crate) async fn enter(&mut self, code: &str) -> Response {
        self.post("/console/sign-in/code", &[("code", code)]).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, String::new()).await
    }

    /// Sends a form of a page of this server.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.headers.push(("sec-fetch-site", "same-origin".to_owned()));
        let response = self.post_from_anywhere(path, fields).await;
        self.headers.pop();
        response
    }

    /// Sends a form without a word about its origin.
    pub(crate) async fn post_from_anywhere(&mut self, path: &str, fields: &[(&str, &str)]) -> Response {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", path, body).await
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> Response {
        let mut client = self.world.anonymous().with("host", "t.example");
        for (name, value) in &self.headers {
            client = client.with(name, value);
        }
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            client = client.with("cookie", cookies.join("; "));
        }
        let kind = (method == "POST").then_some("application/x-www-form-urlencoded");
        let response = client.send(method, path, kind, body).await;
        for set in response.headers.get_all("set-cookie") {
            let set = set.to_str().unwrap();
            for attribute in ["Secure", "HttpOnly", "Path=/"] {
                assert!(set.contains(attribute), "{set}");
            }
            let is_partitioned = set.ends_with("SameSite=None; Partitioned");
            assert!(set.ends_with("SameSite=Lax") || is_partitioned, "{set}");
            let (name, rest) = set.split_once('=').unwrap();
            assert!(name.starts_with("__Host-"), "{set}");
            let value = rest.split(';').next().unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        response
    }
}

/// Gives a person another address, as the operator does.
pub(crate) async fn set_email(world: &World, from: &str, to: &str) {
    let parse = |address: &str| EmailAddress::parse(address).unwrap();
    let found = world.app.store().reader().unwrap().tx().unwrap().user_by_email(&parse(from)).await.unwrap();
    world.app.set_user_email(&Requester::operator(), found.unwrap().id, parse(to)).await.unwrap();
}

/// The code of the only mail for signing in that is due.
pub(crate) async fn code(world: &World) -> String {
    let mails = codes(world).await;
    assert_eq!(mails.len(), 1);
    mails[0].clone()
}

/// The mails that are due, without those about a new browser.
pub(crate) async fn due_mails(world: &World) -> Vec<QueuedMail> {
    let mut mails = world.mail().await;
    mails.retain(|mail| !matches!(mail.content, MailContent::NewSignIn { .. }));
    mails
}

/// The codes of all mails for signing in that are due.
pub(crate) async fn codes(world: &World) -> Vec<String> {
    let is_code = |mail: &QueuedMail| {
        matches!(mail.content, MailContent::SignInCode { .. } | MailContent::NewAddressCode { .. })
    };
    let mails = world.mail().await;
    mails.iter().filter(|mail| is_code(mail)).map(|mail| world.app.mail_secret(mail).unwrap()).collect()
}

/// A code that is not this one.
pub(crate) fn other_than(code: &str) -> String {
    let first = if code.starts_with('1') { '2' } else { '1' };
    format!("{first}{}", &code[1..])
}
