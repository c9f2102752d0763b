//! The end of sessions of the portal, by their person and by the organization.

use serde_json::{Value, json};
use tenantry_testkit::World;

use super::tenant::{both, tenant};

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
