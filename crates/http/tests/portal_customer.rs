//! What customers see and change of themselves (docs/contracts/polar/portal.md, 8.1 to 8.5 and 8.7,
//! and docs/contracts/polar/cases.md, 11.5).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

mod portal_support;

use portal_support::{World, both, conforms, seats_only};
use serde_json::{Value, json};
use tenantry_core::mail::MailContent;

const ME: &str = "/v1/customer-portal/customers/me";
const REQUEST: &str = "/v1/customer-portal/customers/me/email-update/request";
const CHECK: &str = "/v1/customer-portal/customers/me/email-update/check";
const VERIFY: &str = "/v1/customer-portal/customers/me/email-update/verify";

#[tokio::test]
async fn both_kinds_of_session_see_the_customer() {
    let world = World::new();
    for (slug, features, kind) in [("acme", both(), "member"), ("seats", seats_only(), "customer")] {
        let tenant = world.tenant(slug, features).await;
        let customer = tenant.individual("ada@x.dev").await;
        let token = tenant.session(json!({"customer_id": customer["id"]})).await;
        let me = world.get(ME, &token).await.expect(200);
        conforms("CustomerPortalCustomer", &me);
        assert_eq!((&me["id"], &me["email"]), (&customer["id"], &json!("ada@x.dev")));
        let user = world.get("/v1/customer-portal/customer-session/user", &token).await.expect(200);
        conforms("PortalAuthenticatedUser", &user);
        let owner = tenant.owner(&customer).await;
        let (member, role) =
            if kind == "member" { (json!(owner), json!("owner")) } else { (Value::Null, Value::Null) };
        assert_eq!(
            user,
            json!({
                "type": kind, "name": "Ada", "email": "ada@x.dev", "customer_id": customer["id"],
                "member_id": member, "role": role
            })
        );
        let methods = world.get(&format!("{ME}/payment-methods"), &token).await.expect(200);
        assert_eq!(methods, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
        // Deleting the customer ends it at once.
        let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
        world.delete(&path, &tenant.token).await.expect(204);
        world.get(ME, &token).await.fails(401, "invalid_token");
    }
}

#[tokio::test]
async fn neither_side_opens_the_other() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let person = world.person("owner@acme.example").await;
    let customer = acme.individual("ada@x.dev").await;
    let session = acme.session(json!({"customer_id": customer["id"]})).await;
    let account = format!("/v2/accounts/{}", acme.id);
    for path in ["/v1/customers", "/v1/members", "/v1/organizations"] {
        world.get(path, &session).await.fails(401, "Unauthorized");
    }
    for path in [account.as_str(), "/v2/ping"] {
        assert_eq!(world.get(path, &session).await.status, 401, "{path}");
    }
    world.post("/v1/organizations", &session, json!({})).await.fails(401, "Unauthorized");
    world.post("/v1/customer-sessions", &session, json!({})).await.fails(401, "Unauthorized");
    for path in [ME, "/v1/customer-portal/members", "/v1/customer-portal/customer-session/introspect"] {
        for token in [acme.token.as_str(), &person, ""] {
            world.get(path, token).await.fails(401, "Unauthorized");
        }
        world.get(path, "tenantry_mst_nonsense").await.fails(401, "invalid_token");
    }
}

#[tokio::test]
async fn billing_is_for_who_manages_it() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let member = acme.member(&team, "jo@x.dev", "member").await;
    let manager = acme.member(&team, "kim@x.dev", "billing_manager").await;
    let member = acme.member_session(&team, &member).await;
    let manager = acme.member_session(&team, &manager).await;
    world.get(ME, &member).await.expect(200);
    world.patch(ME, &member, json!({"billing_name": 1})).await.fails(403, "NotPermitted");
    world.get(&format!("{ME}/payment-methods"), &member).await.fails(403, "NotPermitted");
    world.post(REQUEST, &member, json!({})).await.fails(403, "NotPermitted");
    let changed = world.patch(ME, &manager, json!({"billing_name": "Acme Ltd"})).await.expect(200);
    assert_eq!((&changed["billing_name"], &changed["name"]), (&json!("Acme Ltd"), &json!("A team")));
}

#[tokio::test]
async fn what_invoices_need_can_be_changed() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token = &acme.session(json!({"customer_id": customer["id"]})).await;
    world.patch(ME, "", json!({})).await.fails(401, "Unauthorized");
    world
        .patch(ME, token, json!({"tax_id": "FR61954506077"}))
        .await
        .refuses(&["missing body.billing_address"]);
    let france = json!({"country": "FR"});
    let set = json!({"billing_address": france, "tax_id": "FR 61954506077", "billing_name": " Ada SARL "});
    let me = world.patch(ME, token, set).await.expect(200);
    conforms("CustomerPortalCustomer", &me);
    assert_eq!(me["tax_id"], json!(["FR61954506077", "eu_vat"]));
    assert_eq!(me["billing_name"], "Ada SARL");
    assert_eq!(me["billing_address"]["country"], "FR");
    // The two must fit each other, whichever is sent.
    world.patch(ME, token, json!({"tax_id": "nonsense"})).await.refuses(&["invalid body.tax_id"]);
    world
        .patch(ME, token, json!({"billing_address": {"country": "DE"}}))
        .await
        .refuses(&["invalid body.tax_id"]);
    let kept = world.patch(ME, token, json!({"billing_name": "Ada"})).await.expect(200);
    assert_eq!(kept["tax_id"], me["tax_id"]);
    let moved = json!({"billing_address": {"country": "FR", "city": "Paris"}});
    assert_eq!(world.patch(ME, token, moved).await.expect(200)["tax_id"], me["tax_id"]);
    world.patch(ME, token, json!({"billing_address": null})).await.refuses(&["missing body.billing_address"]);
    for blank in [json!(""), Value::Null] {
        world.patch(ME, token, json!({"tax_id": "FR61954506077"})).await.expect(200);
        assert_eq!(world.patch(ME, token, json!({"tax_id": blank})).await.expect(200)["tax_id"], Value::Null);
        world.patch(ME, token, json!({"billing_name": "Acme"})).await.expect(200);
        let cleared = world.patch(ME, token, json!({"billing_name": blank})).await.expect(200);
        assert_eq!(cleared["billing_name"], "Ada");
    }
    for (method, kind) in [(Value::Null, "missing"), (customer["id"].clone(), "invalid")] {
        let refused = world.patch(ME, token, json!({"default_payment_method_id": method})).await;
        refused.refuses(&[&format!("{kind} body.default_payment_method_id")]);
    }
    // Name and address are not the customer's to change here.
    let same = world.patch(ME, token, json!({"name": "Eve", "email": "eve@x.dev"})).await.expect(200);
    assert_eq!((&same["name"], &same["email"]), (&json!("Ada"), &json!("ada@x.dev")));
}

#[tokio::test]
async fn a_change_of_address_is_asked_for() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token = &acme.session(json!({"customer_id": customer["id"]})).await;
    let new = json!({"email": "new@x.dev"});
    world.post(REQUEST, "", new.clone()).await.fails(401, "Unauthorized");
    world.post(REQUEST, token, new.clone()).await.fails(403, "NotPermitted");
    acme.allow_email_change().await;
    world.post(REQUEST, token, json!({"email": "ADA@x.dev"})).await.refuses(&["value_error body.email"]);
    world.post(REQUEST, token, json!({"email": "nope"})).await.refuses(&["value_error body.email"]);
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let owner = acme.member_session(&team, &owner).await;
    world.post(REQUEST, &owner, new.clone()).await.refuses(&["value_error body.email"]);
    assert!(world.mail().await.is_empty());
    assert_eq!(world.post(REQUEST, token, new).await.expect(202), Value::Null);
    let mails = world.mail().await;
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.to.as_str(), "new@x.dev");
    assert!(matches!(&mail.content, MailContent::EmailChangeRequest { minutes: 30, .. }));
    let secret = world.app.mail_secret(mail).unwrap();
    assert!(secret.starts_with("tenantry_cev_"), "{secret}");
    // It opens nothing but this door, and stands nowhere in clear.
    world.get(ME, &secret).await.fails(401, "invalid_token");
    assert!(!format!("{mail:?}").contains(&secret));
    assert!(!mail.sealed.as_ref().unwrap().windows(8).any(|part| part == &secret.as_bytes()[..8]));
}

/// Asks for an address; the secret that is mailed there.
async fn ask(world: &World, token: &str, email: &str) -> String {
    world.post(REQUEST, token, json!({"email": email})).await.expect(202);
    let mail = world.mail().await;
    world.app.mail_secret(mail.last().unwrap()).unwrap()
}

#[tokio::test]
async fn a_proved_address_replaces_the_old_one() {
    let world = World::new();
    for (slug, features, prefix) in
        [("acme", both(), "tenantry_mst_"), ("seats", seats_only(), "tenantry_cst_")]
    {
        let tenant = world.tenant(slug, features).await;
        tenant.allow_email_change().await;
        let customer = tenant.individual("ada@x.dev").await;
        let old = [
            tenant.session(json!({"customer_id": customer["id"]})).await,
            tenant.session(json!({"customer_id": customer["id"]})).await,
        ];
        let replaced = ask(&world, &old[0], "first@x.dev").await;
        let secret = ask(&world, &old[0], "New@x.dev").await;
        let check = |secret: &str| format!("{CHECK}?token={secret}");
        world.get(&check(&replaced), "").await.fails(401, "InvalidCustomerEmailUpdate");
        world.get(&check(&secret), "").await.expect(204);
        world.get(&check(&secret), "an invalid bearer is ignored here").await.expect(204);
        let verified = world.post(VERIFY, "nonsense", json!({"token": secret})).await.expect(200);
        conforms("CustomerEmailUpdateVerifyResponse", &verified);
        let token = verified["token"].as_str().unwrap();
        assert!(token.starts_with(prefix), "{token}");
        let me = world.get(ME, token).await.expect(200);
        assert_eq!((&me["email"], &me["email_verified"]), (&json!("New@x.dev"), &json!(true)));
        let owner = tenant.owner(&customer).await;
        let owner = world.get(&format!("/v1/members/{owner}"), &tenant.token).await.expect(200);
        assert_eq!(owner["email"], "New@x.dev");
        for old in &old {
            world.get(ME, old).await.fails(401, "invalid_token");
        }
        let mails = world.mail().await;
        let [notice] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!(notice.to.as_str(), "ada@x.dev");
        assert!(matches!(&notice.content, MailContent::EmailChanged { .. }));
        assert_eq!(notice.sealed, None);
        // Once is all.
        world.get(&check(&secret), "").await.fails(401, "InvalidCustomerEmailUpdate");
        world.post(VERIFY, "", json!({"token": secret})).await.fails(401, "InvalidCustomerEmailUpdate");
    }
}

#[tokio::test]
async fn a_proof_is_used_up_when_it_fails() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    acme.allow_email_change().await;
    let customer = acme.individual("ada@x.dev").await;
    let token = acme.session(json!({"customer_id": customer["id"]})).await;
    let secret = ask(&world, &token, "taken@x.dev").await;
    acme.individual("TAKEN@x.dev").await;
    world.get(&format!("{CHECK}?token={secret}"), "").await.expect(204);
    world.post(VERIFY, "", json!({"token": secret})).await.refuses(&["value_error body.token"]);
    world.post(VERIFY, "", json!({"token": secret})).await.fails(401, "InvalidCustomerEmailUpdate");
    // The address stays, and so does the session.
    assert_eq!(world.get(ME, &token).await.expect(200)["email"], "ada@x.dev");
}

#[tokio::test]
async fn a_proof_lapses() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    acme.allow_email_change().await;
    let customer = acme.individual("ada@x.dev").await;
    let token = acme.session(json!({"customer_id": customer["id"]})).await;
    let secret = ask(&world, &token, "new@x.dev").await;
    world.advance(30 * 60);
    world.get(&format!("{CHECK}?token={secret}"), "").await.fails(401, "InvalidCustomerEmailUpdate");
    world.post(VERIFY, "", json!({"token": secret})).await.fails(401, "InvalidCustomerEmailUpdate");
}

#[tokio::test]
async fn what_is_no_proof_is_said_so() {
    let world = World::new();
    world.get(CHECK, "").await.refuses(&["missing query.token"]);
    world.get(&format!("{CHECK}?token=x"), "").await.fails(401, "InvalidCustomerEmailUpdate");
    world.get(&format!("{CHECK}?token=%C3%A9"), "").await.refuses(&["value_error query.token"]);
    world.post(VERIFY, "", json!({})).await.refuses(&["missing body.token"]);
    world.post(VERIFY, "", json!({"token": "x"})).await.fails(401, "InvalidCustomerEmailUpdate");
    world.post(VERIFY, "", json!({"token": "é"})).await.refuses(&["value_error body.token"]);
}

#[tokio::test]
async fn the_public_page_shows_what_it_needs() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    for (slug, token) in [("acme", ""), ("ACME", "tenantry_oat_nonsense")] {
        let page = world.get(&format!("/v1/customer-portal/organizations/{slug}"), token).await.expect(200);
        conforms("CustomerOrganizationData", &page);
        let organization = &page["organization"];
        assert_eq!(organization["id"], json!(acme.id));
        assert_eq!(
            organization["organization_features"],
            json!({"member_model_enabled": true, "checkout_localization_enabled": false})
        );
        for hidden in ["feature_settings", "status", "email", "details_submitted_at"] {
            assert!(organization.get(hidden).is_none(), "{hidden}");
        }
    }
    world.get("/v1/customer-portal/organizations/nobody", "").await.fails(404, "ResourceNotFound");
}

#[tokio::test]
async fn changes_in_the_portal_are_written_down() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let token = acme.member_session(&team, &owner).await;
    let added = world.post("/v1/customer-portal/members", &token, json!({"email": "jo@x.dev"})).await;
    let id = added.expect(201)["id"].as_str().unwrap().to_owned();
    world.patch(ME, &token, json!({"billing_name": "Acme Ltd"})).await.expect(200);
    for (action, subject) in
        [("member.created", id.as_str()), ("customer.updated", team["id"].as_str().unwrap())]
    {
        let subject = subject.parse().unwrap();
        let mut reader = world.app.store().reader().unwrap();
        let count = reader.tx().unwrap().audit_count(acme.id, action, subject).await.unwrap();
        assert_eq!(count, 1, "{action}");
    }
}

#[tokio::test]
async fn a_new_teammate_is_written_to_once() {
    let world = World::new();
    let acme = world.tenant("acme", both()).await;
    let path = format!("/v2/accounts/{}/members", acme.id);
    let new = json!({"email": "jo@x.dev", "role": "Billing Manager"});
    world.post(&path, &acme.token, new.clone()).await.expect(201);
    assert_eq!(world.post(&path, &acme.token, new).await.status, 409);
    let mails = world.mail().await;
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.to.as_str(), "jo@x.dev");
    assert!(matches!(&mail.content, MailContent::TeamMemberAdded { inviter: None, .. }));
}
