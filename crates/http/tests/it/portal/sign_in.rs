//! Signing in by a mailed code (docs/contracts/polar/portal.md, 8.3).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::{Value, json};
use tenantry_app::Error;
use tenantry_app::portal_sign_in::{PortalChoose, PortalCodeEntry, PortalCodeRequest, PortalEntered};
use tenantry_core::audit::Client;
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::portal::{CHOICES, CODE_S, CODE_TRIES, CODES_PER_HOUR};
use tenantry_core::token::Secret;
use tenantry_core::user::Language;
use tenantry_core::values::EmailAddress;
use tenantry_testkit::{Response, World};
use tokio::task::JoinSet;

use super::tenant::{Tenant, both, seats_only, tenant};

const REQUEST: &str = "/v1/customer-portal/customer-session/request";
pub(super) const AUTHENTICATE: &str = "/v1/customer-portal/customer-session/authenticate";

/// Asks for a code. Returns it, or `None` when it was mailed to nobody.
pub(super) async fn code(acme: &Tenant<'_>, email: &str, customer: Value) -> Option<String> {
    let body = json!({"email": email, "organization_id": acme.id, "customer_id": customer});
    let answer = ask(acme.world, body).await.expect(202);
    assert_eq!(answer.text, "null");
    mailed(acme.world).await
}

/// Asks for a code from a site of its own, because a site gets few codes.
async fn ask(world: &World, body: Value) -> Response {
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let [high, low] = ASKED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    ask_from(world, &format!("10.{high}.{low}.1"), body).await
}

/// Asks for a code from an address.
pub(super) async fn ask_from(world: &World, from: &str, body: Value) -> Response {
    world.anonymous().at(from).post(REQUEST, body).await
}

/// The code of the mail that waits.
pub(super) async fn mailed(world: &World) -> Option<String> {
    let mails = world.mail().await;
    let [mail] = mails.as_slice() else { panic!("{} mails", mails.len()) };
    assert_eq!(mail.content.kind(), "portal_sign_in_code");
    let code = world.app.mail_secret(mail).unwrap();
    assert_eq!(code.len(), 6);
    (!mail.content.is_blank()).then_some(code)
}

pub(super) async fn enter(world: &World, code: &str) -> Response {
    world.anonymous().post(AUTHENTICATE, json!({"code": code})).await
}

pub(super) async fn me(world: &World, token: &str) -> Value {
    world.bearer(token).get("/v1/customer-portal/customer-session/user").await.expect(200).body
}

pub(super) fn refused(answer: &Response) {
    answer.assert_error(401, "CustomerSessionCodeInvalidOrExpired");
}

#[tokio::test]
async fn a_code_signs_in_once_and_proves_the_address() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let ada = acme.individual("ada@x.dev").await;
    let code = code(&acme, "Ada@X.dev", Value::Null).await.unwrap();
    let token = enter(&world, &code).await.expect(200)["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("tenantry_mst_"), "{token}");
    refused(&enter(&world, &code).await);
    let user = me(&world, &token).await;
    assert_eq!((&user["customer_id"], &user["role"]), (&ada["id"], &json!("owner")));
    let seen = world.bearer(&token).get("/v1/customer-portal/customers/me").await.expect(200);
    assert_eq!(seen["email_verified"], true);
    let log = world.bearer(&acme.token).get("/v1/audit-log?limit=10").await.expect(200).body;
    let entries: Vec<_> = log["items"].as_array().unwrap().iter().collect();
    let begun = entries.iter().find(|entry| entry["action"] == "customer_session.created").unwrap();
    assert_eq!((&begun["actor"]["type"], &begun["actor"]["id"]), (&json!("member"), &user["member_id"]));
    assert_eq!(begun["subject_id"], ada["id"]);
    assert!(begun["request_id"].is_string());
    assert!(
        entries
            .iter()
            .any(|entry| entry["action"] == "customer.updated" && entry["actor"]["id"] == user["member_id"])
    );
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn without_members_it_is_the_session_of_the_customer() {
    let world = World::new();
    let acme = tenant(&world, "acme", seats_only()).await;
    let ada = acme.individual("ada@x.dev").await;
    // The customer that a request names does not matter here.
    let nobody = json!("0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e");
    let code = code(&acme, "ada@x.dev", nobody).await.unwrap();
    let token = enter(&world, &code).await.expect(200)["token"].as_str().unwrap().to_owned();
    assert!(token.starts_with("tenantry_cst_"), "{token}");
    assert_eq!(me(&world, &token).await["customer_id"], ada["id"]);
}

#[tokio::test]
async fn nobody_learns_who_is_known() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = json!({"type": "team", "email": "team@x.dev", "owner": {"email": "boss@x.dev"}});
    let team = world.bearer(&acme.token).post("/v1/customers", team).await.expect(201).body;
    acme.member(&team, "ada@x.dev", "member").await;
    // The address of a team with an owner of another address is that of no person.
    for email in ["nobody@x.dev", "team@x.dev"] {
        let body = json!({"email": email, "organization_id": acme.id});
        let answer = ask(&world, body).await.expect(202);
        assert_eq!(answer.text, "null", "{email}");
        let [mail] = &world.mail().await[..] else { panic!("one mail") };
        assert!(mail.content.is_blank(), "{email}");
        refused(&enter(&world, &world.app.mail_secret(mail).unwrap()).await);
    }
    let unmatched = json!("0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e");
    assert_eq!(code(&acme, "ada@x.dev", unmatched.clone()).await, None);
    let elsewhere = json!({"email": "ada@x.dev", "organization_id": unmatched});
    assert_eq!(ask(&world, elsewhere).await.expect(202).text, "null");
    assert_eq!(world.mail().await.len(), 0);
    assert!(code(&acme, "ada@x.dev", Value::Null).await.is_some());
}

#[tokio::test]
async fn an_address_of_two_customers_names_one() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let (one, two) = (acme.team("one@x.dev").await, acme.team("two@x.dev").await);
    let member = acme.member(&one, "ada@x.dev", "billing_manager").await;
    acme.member(&two, "ada@x.dev", "member").await;
    let body = json!({"email": "ada@x.dev", "organization_id": acme.id});
    let answer = ask(&world, body).await;
    answer.assert_error(409, "customer_selection_required");
    let mut expected = [&one, &two].map(|team| json!({"id": team["id"], "name": "A team"}));
    expected.sort_by_key(|choice| choice["id"].as_str().unwrap().to_owned());
    assert_eq!(answer["customers"], json!(expected));
    assert_eq!(world.mail().await.len(), 0);
    let code = code(&acme, "ada@x.dev", one["id"].clone()).await.unwrap();
    let token = enter(&world, &code).await.expect(200)["token"].as_str().unwrap().to_owned();
    assert_eq!(me(&world, &token).await["member_id"], json!(member));
    // The list counts as a mail to the address, so that nobody asks for it often.
    for _ in 2..CODES_PER_HOUR {
        let body = json!({"email": "ada@x.dev", "organization_id": acme.id});
        ask(&world, body).await.expect(409);
    }
    assert_eq!(self::code(&acme, "ada@x.dev", Value::Null).await, None);
}

#[tokio::test]
async fn a_code_ends_after_thirty_minutes_and_with_its_person() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let ada = acme.individual("ada@x.dev").await;
    let first = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    let second = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    world.advance_s(30 * 60 - 1);
    enter(&world, &first).await.expect(200);
    world.advance_s(1);
    refused(&enter(&world, &second).await);
    let third = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    let path = format!("/v1/customers/{}", ada["id"].as_str().unwrap());
    world.bearer(&acme.token).patch(&path, json!({"email": "ada@y.dev"})).await.expect(200);
    refused(&enter(&world, &third).await);
    world.advance_s(3_600);
    world.app.sweep().await.unwrap();
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_code_and_the_choice_of_a_flow_end_after_thirty_minutes() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let (one, two) = (acme.team("one@x.dev").await, acme.team("two@x.dev").await);
    acme.member(&one, "ada@x.dev", "member").await;
    acme.member(&two, "ada@x.dev", "member").await;
    acme.individual("bob@x.dev").await;
    let (late, code_of_late) = flow(&world, acme.id, "bob@x.dev").await;
    let (choosing, code) = flow(&world, acme.id, "ada@x.dev").await;
    world.advance_s(CODE_S - 1);
    let entered = enter_in(&world, acme.id, (&choosing, &code.unwrap())).await;
    assert!(matches!(entered, PortalEntered::Choose(_)), "{entered:?}");
    assert_eq!(world.app.portal_choices(acme.id, &choosing).await.unwrap().len(), 2);
    world.advance_s(1);
    assert!(world.app.portal_choices(acme.id, &choosing).await.unwrap().is_empty());
    let customer = CustomerId::new(one["id"].as_str().unwrap().parse().unwrap());
    assert!(matches!(choose_in(&world, acme.id, &choosing, customer).await, PortalEntered::Over));
    let entered = enter_in(&world, acme.id, (&late, &code_of_late.unwrap())).await;
    assert!(matches!(entered, PortalEntered::Over), "{entered:?}");
}

#[tokio::test]
async fn a_flow_works_in_the_portal_where_it_began_alone() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let other = tenant(&world, "other", both()).await;
    let (one, two) = (acme.team("one@x.dev").await, acme.team("two@x.dev").await);
    acme.member(&one, "ada@x.dev", "member").await;
    acme.member(&two, "ada@x.dev", "member").await;
    other.individual("ada@x.dev").await;
    let (flow, code) = flow(&world, acme.id, "ada@x.dev").await;
    let code = code.unwrap();
    // The right code in another portal is no try either.
    for _ in 0..=CODE_TRIES {
        assert!(matches!(enter_in(&world, other.id, (&flow, &code)).await, PortalEntered::Over));
    }
    assert!(matches!(enter_in(&world, acme.id, (&flow, &code)).await, PortalEntered::Choose(_)));
    let customer = CustomerId::new(one["id"].as_str().unwrap().parse().unwrap());
    assert!(world.app.portal_choices(other.id, &flow).await.unwrap().is_empty());
    assert!(matches!(choose_in(&world, other.id, &flow, customer).await, PortalEntered::Over));
    assert!(matches!(choose_in(&world, acme.id, &flow, customer).await, PortalEntered::SignedIn(_)));
}

#[tokio::test]
async fn one_of_more_customers_than_a_page_offers_can_be_named() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let mut teams = Vec::new();
    for number in 0..=CHOICES {
        let team = acme.team(&format!("team{number}@x.dev")).await;
        acme.member(&team, "ada@x.dev", "member").await;
        teams.push(team);
    }
    // Whichever of them a list leaves out.
    for team in [teams.first().unwrap(), teams.last().unwrap()] {
        let code = code(&acme, "ada@x.dev", team["id"].clone()).await.unwrap();
        let token = enter(&world, &code).await.expect(200)["token"].as_str().unwrap().to_owned();
        assert_eq!(me(&world, &token).await["customer_id"], team["id"]);
    }
    // A customer without the person is none of theirs.
    let stranger = acme.individual("bob@x.dev").await;
    assert_eq!(code(&acme, "ada@x.dev", stranger["id"].clone()).await, None);
}

#[tokio::test]
async fn a_text_that_is_no_code_is_an_error() {
    let world = World::new();
    for text in ["", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", "\u{ff21}1B2C3", "A1B2C3D4", "A1B2C!"] {
        refused(&enter(&world, text).await);
    }
    for body in [json!({}), json!({"code": 123_456}), json!({"code": null}), json!({"code": "\0"})] {
        let answer = world.anonymous().post(AUTHENTICATE, body).await;
        assert_eq!(answer.status, 422, "{answer}");
    }
    let answer = world.anonymous().post(REQUEST, json!({"email": "x", "organization_id": "y"})).await;
    assert_eq!(answer.violations().len(), 2, "{answer}");
}

/// A host. Those of different numbers are of different providers, as far as there are so many.
pub(super) fn network(number: u32) -> Option<IpAddr> {
    Some(Ipv4Addr::from_bits(0x0a00_0000_u32.wrapping_add(number.reverse_bits())).into())
}

pub(super) async fn guess(world: &World, code: &str, from: Option<IpAddr>) -> Result<Secret, Error> {
    world.app.portal_authenticate(code.to_owned(), from, (None, Client::default())).await
}

/// Asks for a code as a page does. Returns the flow, and the code.
pub(super) async fn flow(
    world: &World,
    organization: OrganizationId,
    email: &str,
) -> (String, Option<String>) {
    flow_from(world, organization, email, network(0)).await
}

/// The same from an address.
pub(super) async fn flow_from(
    world: &World,
    organization: OrganizationId,
    email: &str,
    address: Option<IpAddr>,
) -> (String, Option<String>) {
    let email = EmailAddress::parse(email).unwrap();
    let request = PortalCodeRequest { organization, email, language: Some(Language::German), address };
    let flow = world.app.portal_request_code(request).await.unwrap();
    (flow.expose().to_owned(), mailed(world).await)
}

/// Enters a code in its flow, in the portal of an organization.
pub(super) async fn enter_in(
    world: &World,
    organization: OrganizationId,
    (flow, code): (&str, &str),
) -> PortalEntered {
    let (flow, code) = (flow.to_owned(), code.to_owned());
    let entry = PortalCodeEntry { organization, flow, code, request_id: None, client: Client::default() };
    world.app.portal_enter_code(entry).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_enter_one_code_one_signs_in() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    let alone = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    let (flow, in_flow) = flow(&world, acme.id, "ada@x.dev").await;
    let in_flow = in_flow.unwrap();
    let other = world.other_node();
    let nodes = [&world, &other];
    let attempts: JoinSet<bool> = (0..16_u32)
        .map(|number| {
            let (app, code) = (Arc::clone(&nodes[number as usize % 2].app), alone.clone());
            async move {
                let entered = app.portal_authenticate(code, network(number), (None, Client::default()));
                entered.await.is_ok()
            }
        })
        .collect();
    assert_eq!(attempts.join_all().await.into_iter().filter(|is_in| *is_in).count(), 1);
    let attempts: JoinSet<bool> = (0..4)
        .map(|number| {
            let app = Arc::clone(&nodes[number % 2].app);
            let (flow, code) = (flow.clone(), in_flow.clone());
            let organization = acme.id;
            let entry =
                PortalCodeEntry { organization, flow, code, request_id: None, client: Client::default() };
            async move {
                let entered = app.portal_enter_code(entry).await;
                matches!(entered.unwrap(), PortalEntered::SignedIn(_))
            }
        })
        .collect();
    assert_eq!(attempts.join_all().await.into_iter().filter(|is_in| *is_in).count(), 1);
    let sessions = world.bearer(&acme.token).get("/v1/audit-log?action=customer_session.created").await;
    assert_eq!(sessions.expect(200)["items"].as_array().unwrap().len(), 2);
}

pub(super) async fn choose_in(
    world: &World,
    organization: OrganizationId,
    flow: &str,
    customer: CustomerId,
) -> PortalEntered {
    let (flow, client) = (flow.to_owned(), Client::default());
    let choose = PortalChoose { organization, flow, customer, request_id: None, client };
    world.app.portal_choose(choose).await.unwrap()
}

#[tokio::test]
async fn a_flow_has_five_tries_and_chooses_among_customers() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let (one, two) = (acme.team("one@x.dev").await, acme.team("two@x.dev").await);
    acme.member(&one, "ada@x.dev", "billing_manager").await;
    acme.member(&two, "ada@x.dev", "member").await;
    let (tried, right) = flow(&world, acme.id, "ada@x.dev").await;
    for _ in 1..CODE_TRIES {
        assert!(matches!(enter_in(&world, acme.id, (&tried, "WRONG1")).await, PortalEntered::Wrong));
    }
    assert!(matches!(enter_in(&world, acme.id, (&tried, "WRONG1")).await, PortalEntered::Over));
    assert!(matches!(enter_in(&world, acme.id, (&tried, &right.unwrap())).await, PortalEntered::Over));

    let (flow, right) = self::flow(&world, acme.id, "ada@x.dev").await;
    let right = right.unwrap();
    let choose = async |customer: &Value| {
        let customer = CustomerId::new(customer["id"].as_str().unwrap().parse().unwrap());
        choose_in(&world, acme.id, &flow, customer).await
    };
    assert!(matches!(choose(&one).await, PortalEntered::Over), "before the code");
    assert!(world.app.portal_choices(acme.id, &flow).await.unwrap().is_empty());
    let PortalEntered::Choose(choices) = enter_in(&world, acme.id, (&flow, &right)).await else {
        panic!("no choice")
    };
    assert_eq!(choices.len(), 2);
    assert!(
        matches!(enter_in(&world, acme.id, (&flow, &right)).await, PortalEntered::Over),
        "a code works once"
    );
    assert_eq!(world.app.portal_choices(acme.id, &flow).await.unwrap(), choices);
    let stranger = acme.individual("bob@x.dev").await;
    assert!(matches!(choose(&stranger).await, PortalEntered::Over));
    let PortalEntered::SignedIn(begun) = choose(&two).await else { panic!("not signed in") };
    let user = me(&world, begun.secret.expose()).await;
    assert_eq!((&user["customer_id"], &user["role"]), (&two["id"], &json!("member")));
    assert!(matches!(choose(&two).await, PortalEntered::Over), "a choice is made once");
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_unknown_address_has_a_flow_like_any_other() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let (flow, code) = flow(&world, acme.id, "nobody@x.dev").await;
    assert_eq!(code, None);
    assert!(matches!(enter_in(&world, acme.id, (&flow, "WRONG1")).await, PortalEntered::Wrong));
    assert!(matches!(enter_in(&world, acme.id, ("nonsense", "WRONG1")).await, PortalEntered::Over));
}

#[tokio::test]
async fn an_organization_that_does_not_offer_codes_signs_nobody_in() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.individual("ada@x.dev").await;
    let code = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    let path = format!("/v1/organizations/{}/portal-settings", acme.id);
    let off = json!({"sections": {"sign_in": false}});
    world.bearer(&acme.token).patch(&path, off).await.expect(200);
    for email in ["ada@x.dev", "nobody@x.dev"] {
        let body = json!({"email": email, "organization_id": acme.id});
        ask(&world, body).await.assert_error(403, "NotPermitted");
    }
    refused(&enter(&world, &code).await);
}
