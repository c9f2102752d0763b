//! The portal of a customer: read and update the customer's own data (docs/contracts/polar/portal.md, 8.1 to
//! 8.5 and 8.7, and docs/contracts/polar/cases.md, 11.5).

use std::num::NonZeroU32;

use serde_json::{Value, json};
use tenantry_core::mail::{MailContent, MailLimits, QueuedMail};
use tenantry_testkit::contract::assert_schema;
use tenantry_testkit::{Settings, World};

use super::tenant::{both, seats_only, tenant};

const ME: &str = "/v1/customer-portal/customers/me";
const REQUEST: &str = "/v1/customer-portal/customers/me/email-update/request";
const CHECK: &str = "/v1/customer-portal/customers/me/email-update/check";
const VERIFY: &str = "/v1/customer-portal/customers/me/email-update/verify";

#[tokio::test]
async fn both_kinds_of_session_see_the_customer() {
    let world = World::new();
    for (slug, features, kind) in [("acme", both(), "member"), ("seats", seats_only(), "customer")] {
        let tenant = tenant(&world, slug, features).await;
        let customer = tenant.individual("ada@x.dev").await;
        let token = tenant.session(json!({"customer_id": customer["id"]})).await;
        let me = world.bearer(&token).get(ME).await.expect(200).body;
        assert_schema("CustomerPortalCustomer", &me);
        assert_eq!((&me["id"], &me["email"]), (&customer["id"], &json!("ada@x.dev")));
        let user =
            world.bearer(&token).get("/v1/customer-portal/customer-session/user").await.expect(200).body;
        assert_schema("PortalAuthenticatedUser", &user);
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
        let methods = world.bearer(&token).get(&format!("{ME}/payment-methods")).await.expect(200).body;
        assert_eq!(methods, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
        // Deleting the customer ends it at once.
        let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
        world.bearer(&tenant.token).delete(&path).await.expect(204);
        world.bearer(&token).get(ME).await.assert_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn portal_sessions_and_other_tokens_are_not_interchangeable() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let person = world.user("owner@acme.example.com", "*").await.secret();
    let customer = acme.individual("ada@x.dev").await;
    let session = acme.session(json!({"customer_id": customer["id"]})).await;
    let account = format!("/v2/accounts/{}", acme.id);
    for path in ["/v1/customers", "/v1/members", "/v1/organizations"] {
        world.bearer(&session).get(path).await.assert_error(401, "Unauthorized");
    }
    for path in [account.as_str(), "/v2/ping"] {
        assert_eq!(world.bearer(&session).get(path).await.status, 401, "{path}");
    }
    world.bearer(&session).post("/v1/organizations", json!({})).await.assert_error(401, "Unauthorized");
    world.bearer(&session).post("/v1/customer-sessions", json!({})).await.assert_error(401, "Unauthorized");
    for path in [ME, "/v1/customer-portal/members", "/v1/customer-portal/customer-session/introspect"] {
        for token in [acme.token.as_str(), &person, ""] {
            world.bearer(token).get(path).await.assert_error(401, "Unauthorized");
        }
        world.bearer("tenantry_mst_nonsense").get(path).await.assert_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn only_billing_roles_manage_billing() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let member = acme.member(&team, "jo@x.dev", "member").await;
    let manager = acme.member(&team, "kim@x.dev", "billing_manager").await;
    let member = acme.member_session(&team, &member).await;
    let manager = acme.member_session(&team, &manager).await;
    world.bearer(&member).get(ME).await.expect(200);
    world.bearer(&member).patch(ME, json!({"billing_name": 1})).await.assert_error(403, "NotPermitted");
    world.bearer(&member).get(&format!("{ME}/payment-methods")).await.assert_error(403, "NotPermitted");
    world.bearer(&member).post(REQUEST, json!({})).await.assert_error(403, "NotPermitted");
    let changed =
        world.bearer(&manager).patch(ME, json!({"billing_name": "Acme Ltd"})).await.expect(200).body;
    assert_eq!((&changed["billing_name"], &changed["name"]), (&json!("Acme Ltd"), &json!("A team")));
}

#[tokio::test]
async fn what_invoices_need_can_be_changed() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token = &acme.session(json!({"customer_id": customer["id"]})).await;
    world.anonymous().patch(ME, json!({})).await.assert_error(401, "Unauthorized");
    world
        .bearer(token)
        .patch(ME, json!({"tax_id": "FR61954506077"}))
        .await
        .assert_violations(&["missing body.billing_address"]);
    let france = json!({"country": "FR"});
    let set = json!({"billing_address": france, "tax_id": "FR 61954506077", "billing_name": " Ada SARL "});
    let me = world.bearer(token).patch(ME, set).await.expect(200).body;
    assert_schema("CustomerPortalCustomer", &me);
    assert_eq!(me["tax_id"], json!(["FR61954506077", "eu_vat"]));
    assert_eq!(me["billing_name"], "Ada SARL");
    assert_eq!(me["billing_address"]["country"], "FR");
    // Address and tax id must match, whichever of the two is sent.
    world
        .bearer(token)
        .patch(ME, json!({"tax_id": "nonsense"}))
        .await
        .assert_violations(&["invalid body.tax_id"]);
    world
        .bearer(token)
        .patch(ME, json!({"billing_address": {"country": "DE"}}))
        .await
        .assert_violations(&["invalid body.tax_id"]);
    let kept = world.bearer(token).patch(ME, json!({"billing_name": "Ada"})).await.expect(200).body;
    assert_eq!(kept["tax_id"], me["tax_id"]);
    let moved = json!({"billing_address": {"country": "FR", "city": "Paris"}});
    assert_eq!(world.bearer(token).patch(ME, moved).await.expect(200)["tax_id"], me["tax_id"]);
    world
        .bearer(token)
        .patch(ME, json!({"billing_address": null}))
        .await
        .assert_violations(&["missing body.billing_address"]);
    for blank in [json!(""), Value::Null] {
        world.bearer(token).patch(ME, json!({"tax_id": "FR61954506077"})).await.expect(200);
        assert_eq!(
            world.bearer(token).patch(ME, json!({"tax_id": blank})).await.expect(200)["tax_id"],
            Value::Null
        );
        world.bearer(token).patch(ME, json!({"billing_name": "Acme"})).await.expect(200);
        let cleared = world.bearer(token).patch(ME, json!({"billing_name": blank})).await.expect(200).body;
        assert_eq!(cleared["billing_name"], "Ada");
    }
    for (method, kind) in [(Value::Null, "missing"), (customer["id"].clone(), "invalid")] {
        let refused = world.bearer(token).patch(ME, json!({"default_payment_method_id": method})).await;
        refused.assert_violations(&[&format!("{kind} body.default_payment_method_id")]);
    }
    // This endpoint does not change the name and the e-mail address.
    let same =
        world.bearer(token).patch(ME, json!({"name": "Eve", "email": "eve@x.dev"})).await.expect(200).body;
    assert_eq!((&same["name"], &same["email"]), (&json!("Ada"), &json!("ada@x.dev")));
}

#[tokio::test]
async fn a_change_of_address_is_requested() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token = &acme.session(json!({"customer_id": customer["id"]})).await;
    let new = json!({"email": "new@x.dev"});
    world.anonymous().post(REQUEST, new.clone()).await.assert_error(401, "Unauthorized");
    world.bearer(token).post(REQUEST, new.clone()).await.assert_error(403, "NotPermitted");
    acme.allow_email_change().await;
    world
        .bearer(token)
        .post(REQUEST, json!({"email": "ADA@x.dev"}))
        .await
        .assert_violations(&["value_error body.email"]);
    world
        .bearer(token)
        .post(REQUEST, json!({"email": "nope"}))
        .await
        .assert_violations(&["value_error body.email"]);
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let owner = acme.member_session(&team, &owner).await;
    world.bearer(&owner).post(REQUEST, new.clone()).await.assert_violations(&["value_error body.email"]);
    assert!(world.mail().await.is_empty());
    assert_eq!(world.bearer(token).post(REQUEST, new).await.expect(202).body, Value::Null);
    let mails = world.mail().await;
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.to.as_str(), "new@x.dev");
    assert!(matches!(&mail.content, MailContent::EmailChangeRequest { minutes: 30, .. }));
    let secret = world.app.mail_secret(mail).unwrap();
    assert!(secret.starts_with("tenantry_cev_"), "{secret}");
    // The secret authorizes no other endpoint, and is nowhere stored in clear.
    world.bearer(&secret).get(ME).await.assert_error(401, "invalid_token");
    assert!(!format!("{mail:?}").contains(&secret));
    assert!(!mail.sealed.as_ref().unwrap().windows(8).any(|part| part == &secret.as_bytes()[..8]));
}

/// Customers ask for proofs as often as they like. A notice protects their merchant.
#[tokio::test]
async fn proofs_that_customers_ask_for_keep_back_no_notice() {
    let mail_limits = MailLimits { of_account: NonZeroU32::MIN, ..MailLimits::default() };
    let world = World::with(Settings { mail_limits, ..Settings::default() });
    let acme = tenant(&world, "acme", both()).await;
    let customer = acme.individual("ada@x.dev").await;
    let token = &acme.session(json!({"customer_id": customer["id"]})).await;
    acme.allow_email_change().await;
    for number in 0..4 {
        let new = json!({"email": format!("new{number}@x.dev")});
        world.bearer(token).post(REQUEST, new).await.expect(202);
    }
    let keys = format!("/v2/accounts/{}/api-keys", acme.id);
    let owner = world.bearer(&acme.token);
    let key = owner.post(&keys, json!({"label": "key", "scopes": ["accounts:read"]})).await.expect(201);
    let path = format!("{keys}/{}", key.id());
    owner.put(&path, json!({"ip_allow_list": ["203.0.113.1"]})).await.expect(200);
    let mails = world.mail().await;
    let is_notice = |mail: &&QueuedMail| matches!(mail.content, MailContent::ApiKeyAllowList { .. });
    assert_eq!((mails.len(), mails.iter().filter(is_notice).count()), (2, 1), "{mails:?}");
}

/// Requests a change to this address. Returns the secret from the mail.
async fn ask(world: &World, token: &str, email: &str) -> String {
    world.bearer(token).post(REQUEST, json!({"email": email})).await.expect(202);
    let mail = world.mail().await;
    world.app.mail_secret(mail.last().unwrap()).unwrap()
}

#[tokio::test]
async fn a_proved_address_replaces_the_old_one() {
    let world = World::new();
    for (slug, features, prefix) in
        [("acme", both(), "tenantry_mst_"), ("seats", seats_only(), "tenantry_cst_")]
    {
        let tenant = tenant(&world, slug, features).await;
        tenant.allow_email_change().await;
        let customer = tenant.individual("ada@x.dev").await;
        let old = [
            tenant.session(json!({"customer_id": customer["id"]})).await,
            tenant.session(json!({"customer_id": customer["id"]})).await,
        ];
        let replaced = ask(&world, &old[0], "first@x.dev").await;
        let secret = ask(&world, &old[0], "New@x.dev").await;
        let check = |secret: &str| format!("{CHECK}?token={secret}");
        world.anonymous().get(&check(&replaced)).await.assert_error(401, "InvalidCustomerEmailUpdate");
        world.anonymous().get(&check(&secret)).await.expect(204);
        world.bearer("an invalid bearer is ignored here").get(&check(&secret)).await.expect(204);
        let verified = world.bearer("nonsense").post(VERIFY, json!({"token": secret})).await.expect(200).body;
        assert_schema("CustomerEmailUpdateVerifyResponse", &verified);
        let token = verified["token"].as_str().unwrap();
        assert!(token.starts_with(prefix), "{token}");
        let me = world.bearer(token).get(ME).await.expect(200).body;
        assert_eq!((&me["email"], &me["email_verified"]), (&json!("New@x.dev"), &json!(true)));
        let owner = tenant.owner(&customer).await;
        let owner = world.bearer(&tenant.token).get(&format!("/v1/members/{owner}")).await.expect(200).body;
        assert_eq!(owner["email"], "New@x.dev");
        for old in &old {
            world.bearer(old).get(ME).await.assert_error(401, "invalid_token");
        }
        let mails = world.mail().await;
        let [notice] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!(notice.to.as_str(), "ada@x.dev");
        assert!(matches!(&notice.content, MailContent::EmailChanged { .. }));
        assert_eq!(notice.sealed, None);
        // The secret works once.
        world.anonymous().get(&check(&secret)).await.assert_error(401, "InvalidCustomerEmailUpdate");
        world
            .anonymous()
            .post(VERIFY, json!({"token": secret}))
            .await
            .assert_error(401, "InvalidCustomerEmailUpdate");
    }
}

/// Otherwise a person who was shut out could still take over the customer's address.
#[tokio::test]
async fn a_requested_change_ends_with_the_rights_of_its_session() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.allow_email_change().await;
    let merchant = world.bearer(&acme.token);
    for (end, number) in ["session", "address", "address by external id", "customer"].into_iter().zip(0..) {
        let customer = acme.individual(&format!("ada{number}@x.dev")).await;
        let path = format!("/v1/customers/{}", customer["id"].as_str().unwrap());
        merchant.patch(&path, json!({"external_id": number.to_string()})).await.expect(200);
        let by_external_id = format!("/v1/customers/external/{number}");
        let session = acme.session(json!({"customer_id": customer["id"]})).await;
        let secret = ask(&world, &session, &format!("eve{number}@x.dev")).await;
        let corrected = json!({"email": format!("bob{number}@x.dev")});
        match end {
            "session" => {
                world.anonymous().post("/v1/tokens/revoke", json!({"token": session})).await.expect(200)
            }
            "address" => merchant.patch(&path, corrected).await.expect(200),
            "address by external id" => merchant.patch(&by_external_id, corrected).await.expect(200),
            _ => merchant.delete(&path).await.expect(204),
        };
        world.bearer(&session).get(ME).await.assert_error(401, "invalid_token");
        let verified = world.anonymous().post(VERIFY, json!({"token": secret})).await;
        verified.assert_error(401, "InvalidCustomerEmailUpdate");
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_proof_is_used_up_when_it_fails() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.allow_email_change().await;
    let customer = acme.individual("ada@x.dev").await;
    let token = acme.session(json!({"customer_id": customer["id"]})).await;
    let secret = ask(&world, &token, "taken@x.dev").await;
    acme.individual("TAKEN@x.dev").await;
    world.anonymous().get(&format!("{CHECK}?token={secret}")).await.expect(204);
    world
        .anonymous()
        .post(VERIFY, json!({"token": secret}))
        .await
        .assert_violations(&["value_error body.token"]);
    world
        .anonymous()
        .post(VERIFY, json!({"token": secret}))
        .await
        .assert_error(401, "InvalidCustomerEmailUpdate");
    // The address stays, and so does the session.
    assert_eq!(world.bearer(&token).get(ME).await.expect(200)["email"], "ada@x.dev");
}

#[tokio::test]
async fn a_proof_lapses() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.allow_email_change().await;
    let customer = acme.individual("ada@x.dev").await;
    let token = acme.session(json!({"customer_id": customer["id"]})).await;
    let secret = ask(&world, &token, "new@x.dev").await;
    world.advance_s(30 * 60);
    world
        .anonymous()
        .get(&format!("{CHECK}?token={secret}"))
        .await
        .assert_error(401, "InvalidCustomerEmailUpdate");
    world
        .anonymous()
        .post(VERIFY, json!({"token": secret}))
        .await
        .assert_error(401, "InvalidCustomerEmailUpdate");
}

#[tokio::test]
async fn an_invalid_proof_is_refused() {
    let world = World::new();
    world.anonymous().get(CHECK).await.assert_violations(&["missing query.token"]);
    world.anonymous().get(&format!("{CHECK}?token=x")).await.assert_error(401, "InvalidCustomerEmailUpdate");
    world
        .anonymous()
        .get(&format!("{CHECK}?token=%C3%A9"))
        .await
        .assert_violations(&["value_error query.token"]);
    world.anonymous().post(VERIFY, json!({})).await.assert_violations(&["missing body.token"]);
    world
        .anonymous()
        .post(VERIFY, json!({"token": "x"}))
        .await
        .assert_error(401, "InvalidCustomerEmailUpdate");
    world
        .anonymous()
        .post(VERIFY, json!({"token": "é"}))
        .await
        .assert_violations(&["value_error body.token"]);
}

#[tokio::test]
async fn the_public_page_shows_what_it_needs() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    for (slug, token) in [("acme", ""), ("ACME", "tenantry_oat_nonsense")] {
        let page = world
            .bearer(token)
            .get(&format!("/v1/customer-portal/organizations/{slug}"))
            .await
            .expect(200)
            .body;
        assert_schema("CustomerOrganizationData", &page);
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
    world
        .anonymous()
        .get("/v1/customer-portal/organizations/nobody")
        .await
        .assert_error(404, "ResourceNotFound");
}

#[tokio::test]
async fn changes_in_the_portal_are_written_down() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let token = acme.member_session(&team, &owner).await;
    let added = world.bearer(&token).post("/v1/customer-portal/members", json!({"email": "jo@x.dev"})).await;
    let id = added.expect(201)["id"].as_str().unwrap().to_owned();
    world.bearer(&token).patch(ME, json!({"billing_name": "Acme Ltd"})).await.expect(200);
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
    let acme = tenant(&world, "acme", both()).await;
    let path = format!("/v2/accounts/{}/members", acme.id);
    let new = json!({"email": "jo@x.dev", "role": "Billing Manager"});
    world.bearer(&acme.token).post(&path, new.clone()).await.expect(201);
    assert_eq!(world.bearer(&acme.token).post(&path, new).await.status, 409);
    let mails = world.mail().await;
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    assert_eq!(mail.to.as_str(), "jo@x.dev");
    assert!(matches!(&mail.content, MailContent::TeamMemberAdded { inviter: None, .. }));
}
