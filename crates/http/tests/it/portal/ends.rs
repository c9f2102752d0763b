//! The end of sessions of the portal, by their person and by the organization.

use serde_json::{Value, json};
use tenantry_app::portal_sign_in::PortalEntered;
use tenantry_core::ids::CustomerId;
use tenantry_testkit::World;

use super::sign_in::{choose_in, code, enter, enter_in, flow, refused};
use super::tenant::{Tenant, both, seats_only, tenant};

const ME: &str = "/v1/customer-portal/customers/me";
const OWN: &str = "/v1/customer-portal/sessions";

fn ids(list: &Value) -> Vec<String> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_person_sees_and_ends_their_own_sessions_alone() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    let foreign = acme.member_session(&team, &owner).await;
    let first = acme.member_session(&team, &member).await;
    let second = acme.member_session(&team, &member).await;
    let listed = world.bearer(&second).get(OWN).await.expect(200).body;
    let own = ids(&listed);
    assert_eq!(own.len(), 2);
    assert_eq!([&listed["items"][0]["is_current"], &listed["items"][1]["is_current"]], [true, false]);
    let others = ids(&world.bearer(&foreign).get(OWN).await.expect(200).body);
    let end = async |id: &str| world.bearer(&second).delete(&format!("{OWN}/{id}")).await;
    end(&others[0]).await.assert_error(404, "ResourceNotFound");
    end(&own[1]).await.expect(204);
    end(&own[1]).await.assert_error(404, "ResourceNotFound");
    world.bearer(&first).get(ME).await.assert_error(401, "invalid_token");
    world.bearer(&second).delete("/v1/customer-portal/customer-session").await.expect(204);
    world.bearer(&second).get(ME).await.assert_error(401, "invalid_token");
    world.bearer(&foreign).get(ME).await.expect(200);
    let log =
        world.bearer(&acme.token).get("/v1/audit-log?action=customer_session.deleted").await.expect(200);
    for entry in log["items"].as_array().unwrap() {
        assert_eq!((&entry["actor"]["type"], &entry["actor"]["id"]), (&json!("member"), &json!(member)));
    }
    assert_eq!(log["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_organization_ends_the_sessions_of_a_customer_or_of_a_member() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    let path = format!("/v1/customers/{}/sessions", team["id"].as_str().unwrap());
    let client = world.bearer(&acme.token);
    let of_owner = acme.member_session(&team, &owner).await;
    let of_member = [acme.member_session(&team, &member).await, acme.member_session(&team, &member).await];
    let listed = client.get(&path).await.expect(200).body;
    assert_eq!(ids(&listed).len(), 3);
    assert_eq!(listed["items"][0]["member_id"], json!(member));

    client.delete(&format!("{path}/{}", ids(&listed)[0])).await.expect(204);
    client.delete(&format!("{path}/{}", ids(&listed)[0])).await.assert_error(404, "ResourceNotFound");
    world.bearer(&of_member[1]).get(ME).await.assert_error(401, "invalid_token");
    world.bearer(&of_member[0]).get(ME).await.expect(200);

    client.delete(&format!("{path}?member_id={member}")).await.expect(204);
    world.bearer(&of_member[0]).get(ME).await.assert_error(401, "invalid_token");
    world.bearer(&of_owner).get(ME).await.expect(200);
    let stranger = acme.individual("bob@x.dev").await;
    let stranger = acme.owner(&stranger).await;
    client.delete(&format!("{path}?member_id={stranger}")).await.expect(404);

    client.delete(&path).await.expect(204);
    world.bearer(&of_owner).get(ME).await.assert_error(401, "invalid_token");
    client.delete(&path).await.expect(204);
    assert_eq!(ids(&client.get(&path).await.expect(200).body), Vec::<String>::new());
    let log = client.get("/v1/audit-log?action=customer_sessions.deleted").await.expect(200).body;
    let log = log["items"].as_array().unwrap();
    assert_eq!(log.len(), 2, "nothing was left to end the third time");
    assert_eq!((&log[0]["before"]["sessions"], &log[0]["before"]["member"]), (&json!(1), &Value::Null));
    assert_eq!((&log[1]["before"]["sessions"], &log[1]["before"]["member"]), (&json!(1), &json!(member)));
    assert!(log.iter().all(|entry| entry["subject_id"] == team["id"]));
}

/// Asks for a code by the API, and on a page. Returns both; the second with its flow.
async fn codes(acme: &Tenant<'_>, email: &str) -> (String, (String, String)) {
    let alone = code(acme, email, Value::Null).await.unwrap();
    let (flow, code) = flow(acme.world, acme.id, email).await;
    (alone, (flow, code.unwrap()))
}

#[tokio::test]
async fn codes_end_with_the_sessions_that_the_organization_ends() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    acme.member(&team, "bob@x.dev", "member").await;
    let path = format!("/v1/customers/{}/sessions", team["id"].as_str().unwrap());
    let client = world.bearer(&acme.token);
    let (of_ada, of_bob) = (codes(&acme, "ada@x.dev").await, codes(&acme, "bob@x.dev").await);
    // There is no session yet, and the codes end nevertheless: those of the member, and not those of the other one.
    client.delete(&format!("{path}?member_id={member}")).await.expect(204);
    refused(&enter(&world, &of_ada.0).await);
    let (flow, code_of_flow) = &of_ada.1;
    assert!(matches!(enter_in(&world, acme.id, (flow, code_of_flow)).await, PortalEntered::Over));
    enter(&world, &of_bob.0).await.expect(200);

    world.advance_s(1);
    let next = codes(&acme, "ada@x.dev").await;
    enter(&world, &next.0).await.expect(200);
    client.delete(&path).await.expect(204);
    for (flow, code) in [&next.1, &of_bob.1] {
        assert!(matches!(enter_in(&world, acme.id, (flow, code)).await, PortalEntered::Over));
    }
    world.advance_s(1);
    let last = code(&acme, "ada@x.dev", Value::Null).await.unwrap();
    enter(&world, &last).await.expect(200);
}

#[tokio::test]
async fn a_choice_ends_with_the_sessions_of_the_customer() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let (one, two) = (acme.team("one@x.dev").await, acme.team("two@x.dev").await);
    for team in [&one, &two] {
        acme.member(team, "ada@x.dev", "member").await;
    }
    let id = |team: &Value| CustomerId::new(team["id"].as_str().unwrap().parse().unwrap());
    let mut flows = Vec::new();
    for _ in 0..2 {
        let (flow, code) = flow(&world, acme.id, "ada@x.dev").await;
        let entered = enter_in(&world, acme.id, (&flow, &code.unwrap())).await;
        assert!(matches!(entered, PortalEntered::Choose(_)), "{entered:?}");
        flows.push(flow);
    }
    let path = format!("/v1/customers/{}/sessions", one["id"].as_str().unwrap());
    world.bearer(&acme.token).delete(&path).await.expect(204);
    assert!(matches!(choose_in(&world, acme.id, &flows[0], id(&one)).await, PortalEntered::Over));
    assert!(matches!(choose_in(&world, acme.id, &flows[1], id(&two)).await, PortalEntered::SignedIn(_)));
}

#[tokio::test]
async fn the_sessions_of_a_member_end_with_the_address() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let owner = acme.owner(&team).await;
    let member = acme.member(&team, "ada@x.dev", "member").await;
    let of_owner = acme.member_session(&team, &owner).await;
    let sessions = [acme.member_session(&team, &member).await, acme.member_session(&team, &member).await];
    let client = world.bearer(&acme.token);
    let path = format!("/v1/members/{member}");
    // Another spelling is the same mailbox.
    for change in [json!({"name": "Ada"}), json!({"email": "ADA@x.dev"}), json!({"role": "billing_manager"})]
    {
        client.patch(&path, change).await.expect(200);
    }
    for session in &sessions {
        world.bearer(session).get(ME).await.expect(200);
    }
    client.patch(&path, json!({"email": "bea@x.dev"})).await.expect(200);
    for session in &sessions {
        world.bearer(session).get(ME).await.assert_error(401, "invalid_token");
    }
    world.bearer(&of_owner).get(ME).await.expect(200);
    assert_eq!(world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_change_of_address_by_the_organization_ends_the_sessions_and_the_customers_own_change() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    acme.allow_email_change().await;
    let ada = acme.individual("ada@x.dev").await;
    let owner = acme.owner(&ada).await;
    let session = acme.member_session(&ada, &owner).await;
    let request = format!("{ME}/email-update/request");
    world.bearer(&session).post(&request, json!({"email": "thief@x.dev"})).await.expect(202);
    let secret = world.app.mail_secret(world.mail().await.last().unwrap()).unwrap();
    let client = world.bearer(&acme.token);
    let path = format!("/v1/customers/{}", ada["id"].as_str().unwrap());
    client.patch(&path, json!({"email": "new@x.dev"})).await.expect(200);
    world.bearer(&session).get(ME).await.assert_error(401, "invalid_token");
    let verify = world.anonymous().post(&format!("{ME}/email-update/verify"), json!({"token": secret})).await;
    verify.assert_error(401, "InvalidCustomerEmailUpdate");
}

#[tokio::test]
async fn no_session_crosses_a_switch_of_the_member_model() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let seats = tenant(&world, "seats", seats_only()).await;
    let paths = [
        ME,
        OWN,
        "/v1/customer-portal/customer-session/introspect",
        "/v1/customer-portal/customer-session/user",
    ];
    for (tenant, before) in [(&acme, true), (&seats, false)] {
        let ada = tenant.individual("ada@x.dev").await;
        let old = tenant.session(json!({"customer_id": ada["id"]})).await;
        world.bearer(&old).get(ME).await.expect(200);
        tenant.set(json!({"feature_settings": {"member_model_enabled": !before}})).await;
        for path in paths {
            world.bearer(&old).get(path).await.assert_error(401, "invalid_token");
        }
        let change = world.bearer(&old).patch(ME, json!({"billing_name": "Mallory"})).await;
        change.assert_error(401, "invalid_token");
        let new = tenant.session(json!({"customer_id": ada["id"]})).await;
        for path in paths {
            world.bearer(&new).get(path).await.expect(200);
        }
    }
}

#[tokio::test]
async fn ending_sessions_needs_the_right_to_manage_customers() {
    let world = World::new();
    let acme = tenant(&world, "acme", both()).await;
    let team = acme.team("team@x.dev").await;
    let path = format!("/v1/customers/{}/sessions", team["id"].as_str().unwrap());
    let body = json!({"email": "analyst@x.dev", "role": "Analyst"});
    let members = format!("/v2/accounts/{}/members", acme.id);
    world.bearer(&acme.token).post(&members, body).await.expect(201);
    let analyst = world.user("analyst@x.dev", "*").await;
    analyst.delete(&path).await.assert_error(403, "NotPermitted");
    analyst.get(&path).await.assert_error(403, "NotPermitted");
}
