//! `/v1/audit-log`: the entries of an organization, by filters and pages, one by one and as a file.

use std::num::NonZeroU32;

use serde_json::{Value, json};
use tenantry_app::{Requester, Retention};
use tenantry_core::ids::UserId;
use tenantry_testkit::{Acme, Client, Settings, World, portal_session};

const AGENT: &str = "curl/8.5";

/// The values of one field of the listed entries.
fn fields<'a>(page: &'a Value, field: &str) -> Vec<&'a str> {
    page["items"].as_array().unwrap().iter().map(|entry| entry[field].as_str().unwrap()).collect()
}

async fn list(client: &Client<'_>, query: &str) -> Value {
    client.get(&format!("/v1/audit-log?limit=100{query}")).await.expect(200).body
}

/// A person of the team, with a token of every scope.
async fn teammate<'a>(acme: &'a Acme, email: &str, role: &str) -> Client<'a> {
    let members = format!("{}/members", acme.path_v2());
    acme.client().post(&members, json!({"email": email, "role": role})).await.expect(201);
    acme.world.user(email, "*").await
}

#[tokio::test]
async fn an_entry_shows_who_changed_what_from_where() {
    let acme = Acme::new().await;
    let client = acme.client().at("198.51.100.7").with("user-agent", AGENT);
    let created = client.post("/v1/customers", json!({"email": "a@example.com", "name": "Ada"})).await;
    let customer = created.expect(201).id();
    let renamed = client.patch(&format!("/v1/customers/{customer}"), json!({"name": "Bea"})).await;
    let log = list(&client, &format!("&subject_id={customer}")).await;
    assert_eq!(fields(&log, "action"), ["customer.updated", "customer.created"]);
    let entry = &log["items"][0];
    assert_eq!(entry["before"]["name"], "Ada");
    assert_eq!(entry["after"]["name"], "Bea");
    assert_eq!(entry["organization_id"], json!(acme.organization.id));
    assert_eq!(entry["actor"]["type"], "access_token");
    assert_eq!(entry["credential_id"], entry["actor"]["id"]);
    assert_eq!(entry["client_address"], "198.51.100.7");
    assert_eq!(entry["user_agent"], AGENT);
    assert_eq!(entry["request_id"], renamed.request_id());
    assert_eq!(entry["created_at"], renamed["modified_at"]);
    assert_eq!(log["items"][1]["before"], Value::Null);
    let path = format!("/v1/audit-log/{}", entry["id"].as_str().unwrap());
    assert_eq!(client.get(&path).await.expect(200).body, *entry);
    // A person acts with a token of their own.
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    owner.patch(&format!("/v1/customers/{customer}"), json!({"name": "Cleo"})).await.expect(200);
    let entry = list(&client, &format!("&actor_id={}", owner.actor())).await["items"][0].clone();
    assert_eq!(entry["actor"], json!({"type": "user", "id": owner.actor()}));
    assert_ne!(entry["credential_id"], entry["actor"]["id"]);
    assert_eq!(entry["user_agent"], Value::Null);
}

/// Otherwise the log would tell whether others know a person whom the organization adds.
#[tokio::test]
async fn a_new_account_is_no_entry_that_an_organization_reads() {
    let acme = Acme::new().await;
    teammate(&acme, "new@example.com", "Developer").await;
    let log = acme.world.audit(&acme.organization).await;
    let created = log.iter().find(|entry| entry.action == "user.created").unwrap();
    let client = acme.client();
    let shown = list(&client, "").await;
    let actions = fields(&shown, "action");
    assert!(actions.contains(&"team_member.created") && !actions.contains(&"user.created"), "{actions:?}");
    assert_eq!(fields(&list(&client, "&action=user.created").await, "id"), [""; 0]);
    client.get(&format!("/v1/audit-log/{}", created.id)).await.expect(404);
    let file = client.get("/v1/audit-log/export").await.expect(200);
    assert!(file.text.contains("team_member.created") && !file.text.contains("user.created"), "{file}");
}

#[tokio::test]
async fn the_filters_apply_together() {
    let acme = Acme::new().await;
    let other = acme.world.token(&acme.organization, "*").await;
    let mut times = Vec::new();
    let mut customers = Vec::new();
    for client in [&acme.client(), &other] {
        for name in ["a", "b"] {
            let new = json!({"email": format!("{name}{}@example.com", customers.len())});
            let customer = client.post("/v1/customers", new).await.expect(201).id();
            acme.world.advance_s(60);
            let renamed = client.patch(&format!("/v1/customers/{customer}"), json!({"name": name})).await;
            times.push(renamed.expect(200)["modified_at"].as_str().unwrap().to_owned());
            customers.push(customer);
            acme.world.advance_s(60);
        }
    }
    let client = acme.client();
    let actor =
        list(&client, &format!("&subject_id={}", customers[2])).await["items"][0]["actor"]["id"].clone();
    let actor = actor.as_str().unwrap();
    let updated = "&action=customer.updated";
    let subjects = async |query: &str| -> Vec<usize> {
        let page = list(&client, query).await;
        let of = |id: &str| customers.iter().position(|customer| customer == id).unwrap();
        fields(&page, "subject_id").into_iter().map(of).collect()
    };
    assert_eq!(subjects(updated).await, [3, 2, 1, 0]);
    assert_eq!(subjects(&format!("{updated}&actor_id={actor}")).await, [3, 2]);
    assert_eq!(subjects(&format!("{updated}&actor_id={actor}&subject_id={}", customers[2])).await, [2]);
    assert_eq!(subjects(&format!("{updated}&actor_id={actor}&subject_id={}", customers[0])).await, [0; 0]);
    // The start is part of the range, the end is not.
    let range = format!("&start_timestamp={}&end_timestamp={}", times[1], times[3]);
    assert_eq!(subjects(&format!("{updated}{range}")).await, [2, 1]);
    assert_eq!(subjects(&format!("{updated}&actor_id={actor}{range}")).await, [2]);
    assert_eq!(fields(&list(&client, "&action=nothing.happened").await, "id"), [""; 0]);
}

#[tokio::test]
async fn pages_show_each_entry_once() {
    let acme = Acme::new().await;
    let client = acme.client();
    for number in 0..5 {
        client.post("/v1/customers", json!({"email": format!("c{number}@example.com")})).await.expect(201);
    }
    let all = list(&client, "").await;
    assert_eq!(all["pagination"], json!({"next_cursor": null, "previous_cursor": null}));
    let all: Vec<String> = fields(&all, "id").into_iter().map(str::to_owned).collect();
    assert!(all.len() >= 12, "{all:?}");
    let page =
        async |query: String| client.get(&format!("/v1/audit-log?limit=5{query}")).await.expect(200).body;
    let (mut found, mut query) = (Vec::new(), String::new());
    let last = loop {
        let one = page(query.clone()).await;
        found.extend(fields(&one, "id").into_iter().map(str::to_owned));
        // An entry that is appended meanwhile moves no other one to another page.
        client
            .post("/v1/customers", json!({"email": format!("x{}@example.com", found.len())}))
            .await
            .expect(201);
        match one["pagination"]["next_cursor"].as_str() {
            Some(cursor) => query = format!("&after={cursor}"),
            None => break one,
        }
    };
    assert_eq!(found, all);
    let back = page(format!("&before={}", last["pagination"]["previous_cursor"].as_str().unwrap())).await;
    let first_of_last = found.len() - fields(&last, "id").len();
    assert_eq!(fields(&back, "id"), found[first_of_last - 5..first_of_last]);
    assert_eq!(fields(&client.get("/v1/audit-log").await.expect(200).body, "id").len(), 10);
    assert!(fields(&client.get("/v1/audit-log?limit=1000").await.expect(200).body, "id").len() <= 100);
}

#[tokio::test]
async fn a_request_that_is_wrong_names_the_parameter() {
    let acme = Acme::new().await;
    let client = acme.client();
    let cursor = client.get("/v1/audit-log?limit=1").await.expect(200)["pagination"]["next_cursor"].clone();
    let cursor = cursor.as_str().unwrap();
    let both = format!("after={cursor}&before={cursor}");
    for (query, violation) in [
        ("actor_id=x", "uuid_parsing query.actor_id"),
        ("subject_id=x", "uuid_parsing query.subject_id"),
        ("action=", "value_error query.action"),
        ("action=Customer%20updated", "value_error query.action"),
        ("start_timestamp=yesterday", "datetime_from_date_parsing query.start_timestamp"),
        ("end_timestamp=2026-01-01T00:00:00", "timezone_aware query.end_timestamp"),
        ("limit=0", "greater_than query.limit"),
        ("after=x", "value_error query.after"),
        ("before=x", "value_error query.before"),
        (both.as_str(), "value_error query.before"),
    ] {
        client.get(&format!("/v1/audit-log?{query}")).await.assert_violations(&[violation]);
    }
    client.get("/v1/audit-log/export?format=xml").await.assert_violations(&["enum query.format"]);
    client.get("/v1/audit-log/export?actor_id=x").await.assert_violations(&["uuid_parsing query.actor_id"]);
    client.get("/v1/audit-log/x").await.expect(422);
    let unknown = "/v1/audit-log/0198a000-0000-4000-8000-000000000000";
    assert_eq!(client.get(unknown).await.expect(404)["error"], "ResourceNotFound");
    // A cursor of one organization is not one of another.
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await;
    let foreign = format!("/v1/audit-log?after={cursor}");
    other.get(&foreign).await.assert_violations(&["value_error query.after"]);
}

#[tokio::test]
async fn the_log_is_for_those_who_manage_the_organization() {
    let acme = Acme::new().await;
    let entry = list(&acme.client(), "").await["items"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("/v1/audit-log/{entry}");
    let without = acme.world.token(&acme.organization, "organizations:write members:read").await;
    for path in ["/v1/audit-log", "/v1/audit-log/export", &one] {
        without.get(path).await.expect(403);
    }
    let with = acme.world.token(&acme.organization, "audit:read").await;
    for path in ["/v1/audit-log", "/v1/audit-log/export", &one] {
        with.get(path).await.expect(200);
    }
    for (role, may) in
        [("Administrator", true), ("Developer", false), ("Analyst", false), ("Billing Manager", false)]
    {
        let email = format!("{}@example.com", role.replace(' ', "").to_lowercase());
        let person = teammate(&acme, &email, role).await;
        let listed = person.get("/v1/audit-log").await;
        let found = person.get(&one).await;
        let export = person.get("/v1/audit-log/export?format=csv").await.expect(200);
        if may {
            listed.expect(200);
            found.expect(200);
            assert!(export.text.contains(&entry));
        } else {
            assert_eq!(listed.expect(403)["error"], "NotPermitted", "{role}");
            assert_eq!(found.expect(404)["error"], "ResourceNotFound", "{role}");
            assert_eq!(export.text.lines().count(), 1, "{role}");
        }
    }
}

#[tokio::test]
async fn a_person_of_several_teams_names_one() {
    let acme = Acme::new().await;
    let owner = acme.organization.owner.clone();
    let other = acme.world.organization_owned_by("other", &owner).await;
    let foreign = acme.world.organization("foreign").await;
    let person = acme.world.user(&owner, "*").await;
    person.get("/v1/audit-log").await.assert_violations(&["missing query.organization_id"]);
    for id in [acme.organization.id, other.id] {
        let named = list(&person, &format!("&organization_id={id}")).await;
        assert!(fields(&named, "organization_id").iter().all(|of| *of == id.to_string()));
        assert!(!fields(&named, "id").is_empty());
        let restricted = list(&person.with("polar-organization", id.to_string()), "").await;
        assert_eq!(restricted, named);
    }
    let of_foreign = format!("/v1/audit-log?organization_id={}", foreign.id);
    person.get(&of_foreign).await.assert_violations(&["value_error query.organization_id"]);
    let entry = list(&person, &format!("&organization_id={}", other.id)).await["items"][0].clone();
    let path = format!("/v1/audit-log/{}", entry["id"].as_str().unwrap());
    assert_eq!(person.get(&path).await.expect(200).body, entry);
    acme.client().get(&path).await.expect(404);
    let export = person.get("/v1/audit-log/export").await.expect(200);
    let of: Vec<String> = export
        .text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["organization_id"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(of.contains(&other.id.to_string()) && of.contains(&acme.organization.id.to_string()));
    assert!(of.is_sorted(), "one organization after another");
}

#[tokio::test]
async fn an_export_has_every_entry_and_no_formula() {
    let acme = Acme::new().await;
    let client = acme.client().with("user-agent", "=HYPERLINK(\"x\")");
    // More entries than one chunk.
    for number in 0..30 {
        client.post("/v1/customers", json!({"email": format!("c{number}@example.com")})).await.expect(201);
    }
    let mut listed = list(&client, "").await["items"].as_array().unwrap().clone();
    listed.reverse();
    let export = client.get("/v1/audit-log/export").await.expect(200);
    assert_eq!(export.header("content-type"), Some("application/jsonl"));
    assert_eq!(export.header("content-disposition"), Some("attachment; filename=\"audit-log.jsonl\""));
    let lines: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, listed);
    let export = client.get("/v1/audit-log/export?format=csv&bom=true").await.expect(200);
    assert_eq!(export.header("content-type"), Some("text/csv; charset=utf-8"));
    let table = export.text.strip_prefix('\u{feff}').unwrap();
    assert!(table.starts_with("ID,Created At,Organization ID,Action,Actor Type,"), "{table}");
    assert_eq!(table.lines().count(), listed.len() + 1);
    assert!(table.contains("\"'=HYPERLINK(\"\"x\"\")\"\r\n") && !table.contains(",\"=HYPER"), "{table}");
    let of_action = client.get("/v1/audit-log/export?action=customer.created").await.expect(200);
    assert_eq!(of_action.text.lines().count(), 30);
    let nothing = client.get("/v1/audit-log/export?action=nothing.happened").await.expect(200);
    assert_eq!(nothing.text, "");
}

#[tokio::test]
async fn the_client_of_a_person_goes_with_the_person() {
    const ADDRESS: &str = "198.51.100.9";
    let acme = Acme::new().await;
    let clients = async || -> Vec<String> {
        let log = list(&acme.client(), "").await;
        let of = |entry: &Value| entry["client_address"].as_str() == Some(ADDRESS);
        let shown = log["items"].as_array().unwrap().iter().filter(|entry| of(entry));
        shown.map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
    };
    let person = teammate(&acme, "p@example.com", "Administrator").await;
    let person = person.at(ADDRESS).with("user-agent", AGENT);
    person.patch(&acme.path_v1(), json!({"name": "Acme"})).await.expect(200);
    assert_eq!(clients().await, ["organization.updated"]);
    let (by, user) = (Requester::operator(), UserId::new(person.actor()));
    acme.world.app.delete_user(&by, user).await.unwrap();
    assert_eq!(clients().await, [""; 0]);
    assert!(!acme.world.database().holds(AGENT) && !acme.world.database().holds(ADDRESS));

    let solo = json!({"email": "solo@example.com"});
    let customer = acme.client().post("/v1/customers", solo).await.expect(201).id();
    let session = portal_session(&acme.client(), &json!({"customer_id": customer})).await;
    let portal = acme.world.bearer(&session).at(ADDRESS).with("user-agent", AGENT);
    let change = json!({"billing_name": "Crew Ltd"});
    portal.patch("/v1/customer-portal/customers/me", change).await.expect(200);
    assert_eq!(clients().await, ["customer.updated"]);
    acme.client().delete(&format!("/v1/customers/{customer}?anonymize=true")).await.expect(204);
    assert_eq!(clients().await, [""; 0]);
    assert_eq!(acme.world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_organization_keeps_its_log_for_the_days_that_it_sets() {
    const DAY_S: i64 = 24 * 60 * 60;
    const PATH: &str = "/v1/audit-log/retention";
    let acme = Acme::new().await;
    let other = acme.world.organization("other").await;
    let id = json!(acme.organization.id);
    let unset = json!({"organization_id": id, "days": null, "server_days": null});
    assert_eq!(acme.client().get(PATH).await.expect(200).body, unset);
    let set = acme.client().put(PATH, json!({"days": 30})).await.expect(200);
    assert_eq!(set.body, json!({"organization_id": id, "days": 30, "server_days": null}));
    acme.client().put(PATH, json!({"days": 30})).await.expect(200);
    let log = list(&acme.client(), "&action=audit_log.retention_updated").await;
    assert_eq!(
        fields(&log, "subject_id"),
        [acme.organization.id.to_string()],
        "a repetition changes nothing"
    );
    assert_eq!(log["items"][0]["after"], json!({"audit_log_retention_days": 30}));
    let customer = acme.create_team("crew").await;
    let rename = async |name: &str| {
        let path = format!("/v1/customers/{customer}");
        acme.client().with("user-agent", AGENT).patch(&path, json!({"name": name})).await.expect(200)
    };
    // More entries than one transaction deletes.
    for number in 0..600 {
        rename(&format!("Name {number}")).await;
    }
    acme.world.advance_s(29 * DAY_S);
    rename("Kept").await;
    let others = acme.world.audit(&other).await;
    acme.world.app.sweep().await.unwrap();
    assert!(acme.world.audit(&acme.organization).await.len() > 600, "29 days are kept");
    acme.world.advance_s(2 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    let kept = acme.world.audit(&acme.organization).await;
    let (last, created) = kept.split_last().unwrap();
    assert!(last.after.as_ref().unwrap().contains("Kept"), "{last:?}");
    assert!(
        created.iter().all(|entry| entry.action.ends_with(".created") && entry.after.is_none()),
        "{created:?}"
    );
    assert_eq!(acme.world.audit(&other).await, others);
    assert_eq!(acme.world.findings().await, [""; 0]);
    // The entries of later days are swept in their turn.
    acme.client().put(PATH, json!({"days": null})).await.expect(200);
    acme.world.advance_s(100 * DAY_S);
    acme.world.app.sweep().await.unwrap();
    assert!(!list(&acme.client(), "&action=customer.updated").await["items"].as_array().unwrap().is_empty());
    acme.client().put(PATH, json!({"days": 31})).await.expect(200);
    acme.world.app.sweep().await.unwrap();
    assert_eq!(fields(&list(&acme.client(), "&action=customer.updated").await, "id"), [""; 0]);
}

#[tokio::test]
async fn the_days_of_the_operator_and_the_last_month_bound_the_setting() {
    const PATH: &str = "/v1/audit-log/retention";
    let retention = Retention { audit_days: NonZeroU32::new(60), ..Retention::default() };
    let acme = Acme::within(World::with(Settings { retention, ..Settings::default() })).await;
    let client = acme.client();
    for (body, violation) in [
        (json!({"days": 29}), "greater_than_equal body.days"),
        (json!({"days": 61}), "less_than_equal body.days"),
        (json!({"days": 36_501}), "less_than_equal body.days"),
        (json!({"days": "long"}), "int_type body.days"),
        (json!({}), "missing body.days"),
    ] {
        client.put(PATH, body).await.assert_violations(&[violation]);
    }
    assert_eq!(client.put(PATH, json!({"days": 60})).await.expect(200)["server_days"], 60);
    let reader = acme.world.token(&acme.organization, "audit:read").await;
    reader.get(PATH).await.expect(200);
    reader.put(PATH, json!({"days": 30})).await.expect(403);
    let developer = teammate(&acme, "d@example.com", "Developer").await;
    developer.get(PATH).await.expect(403);
    assert_eq!(developer.put(PATH, json!({"days": 30})).await.expect(403)["error"], "NotPermitted");
    let administrator = teammate(&acme, "a@example.com", "Administrator").await;
    assert_eq!(administrator.put(PATH, json!({"days": 45})).await.expect(200)["days"], 45);
}
