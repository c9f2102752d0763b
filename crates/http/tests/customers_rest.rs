//! What surrounds customers: state, payment methods, export, forgetting, and several organizations at once.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by a panic")]

mod team_support;

use serde_json::{Value, json};
use team_support::World;
use tenantry_core::ids::OrganizationId;

const OWNER: &str = "owner@example.com";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

struct Shop {
    world: World,
    id: OrganizationId,
    token: String,
}

async fn shop() -> Shop {
    let world = World::new();
    let id = world.organization("acme-team", OWNER).await;
    let token = world.token(id, &["*"]).await;
    Shop { world, id, token }
}

impl Shop {
    async fn customer(&self, body: Value) -> Value {
        self.world.post(&self.token, "/v1/customers/", body).await.is(201)
    }

    async fn named(&self, name: &str) -> Value {
        self.customer(json!({"email": format!("{name}@example.com"), "name": name, "external_id": name}))
            .await
    }

    /// A person's token, in this team with a role.
    async fn person(&self, email: &str, role: &str) -> String {
        let path = format!("/v1/organizations/{}/members", self.id);
        self.world.post(&self.token, &path, json!({"email": email, "role": role})).await.is(201);
        self.world.person(email, &["*"]).await
    }

    async fn export(&self) -> Vec<String> {
        let answer = self.world.get(&self.token, "/v1/customers/export").await;
        assert_eq!(answer.status, 200);
        answer.text.split_terminator("\r\n").map(str::to_owned).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn the_state_is_the_customer_and_three_empty_lists() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    for state in [format!("{path}/state"), "/v1/customers/external/ada/state".to_owned()] {
        let state = shop.world.get(&shop.token, &state).await.is(200);
        let mut expected = customer.clone();
        for list in ["active_subscriptions", "granted_benefits", "active_meters"] {
            expected[list] = json!([]);
        }
        assert_eq!(state.to_string(), expected.to_string());
    }
    // Fresh right after a write.
    shop.world.patch(&shop.token, &path, json!({"name": "Ada L."})).await.is(200);
    let state = shop.world.get(&shop.token, &format!("{path}/state")).await.is(200);
    assert_eq!(state["name"], "Ada L.");
    for path in [format!("/v1/customers/{NOBODY}/state"), "/v1/customers/external/nobody/state".to_owned()] {
        shop.world.get(&shop.token, &path).await.is(404);
        shop.world.get("", &path).await.is(401);
    }
    shop.world.get(&shop.token, "/v1/customers/nope/state").await.is(422);
    let narrow = shop.world.token(shop.id, &["members:read"]).await;
    assert_eq!(shop.world.get(&narrow, &format!("{path}/state")).await.error(403), "insufficient_scope");
}

#[tokio::test]
async fn there_are_no_payment_methods() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let by_id = format!("/v1/customers/{}/payment-methods", text(&customer["id"]));
    for path in [&by_id, "/v1/customers/external/ada/payment-methods"] {
        let listed = shop.world.get(&shop.token, path).await.is(200);
        assert_eq!(listed, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
        shop.world.get("", path).await.is(401);
    }
    shop.world.get(&shop.token, &format!("{by_id}?page=0")).await.is(422);
    shop.world.get(&shop.token, &format!("/v1/customers/{NOBODY}/payment-methods")).await.is(404);
    shop.world.get(&shop.token, "/v1/customers/external/nobody/payment-methods").await.is(404);
    let other = shop.world.organization("other-team", "other@example.com").await;
    let other = shop.world.token(other, &["*"]).await;
    shop.world.get(&other, &by_id).await.is(404);
}

#[tokio::test]
async fn the_export_holds_plain_values() {
    let shop = shop().await;
    let ada = shop.customer(json!({
        "email": "ada@example.com", "name": "Ada, \"Countess\"", "external_id": "=1+1",
        "billing_address": {"country": "FR", "line1": "1 Rue", "line2": "B", "city": "Paris", "postal_code": "75001"},
        "tax_id": "FR61954506077", "metadata": {"plan": "pro", "seats": 3},
    })).await;
    let team =
        shop.customer(json!({"type": "team", "owner": {"email": "o@example.com"}, "name": "@team"})).await;
    let answer = shop.world.get(&shop.token, "/v1/customers/export").await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"polar-customers.csv\"");
    let created = |customer: &Value| text(&customer["created_at"]).replace('Z', "+00:00");
    let expected = [
        "ID,External ID,Created At,Email,Name,Tax ID,Billing Address Line 1,Billing Address Line 2,\
         Billing Address City,Billing Address State,Billing Address Zip,Billing Address Country,Metadata"
            .to_owned(),
        format!(
            "{},'=1+1,{},ada@example.com,\"Ada, \"\"Countess\"\"\",FR61954506077,1 Rue,B,Paris,,75001,FR,\
             \"{{\"\"plan\"\":\"\"pro\"\",\"\"seats\"\":3}}\"",
            text(&ada["id"]),
            created(&ada)
        ),
        format!("{},,{},,'@team,,,,,,,,", text(&team["id"]), created(&team)),
    ];
    assert_eq!(shop.export().await, expected);
}

#[tokio::test]
async fn the_export_is_as_long_as_the_list_and_ordered() {
    let shop = shop().await;
    // Two whole parts and a rest.
    for number in 0..1_003 {
        shop.customer(json!({"email": format!("c{number}@example.com")})).await;
    }
    let lines = shop.export().await;
    assert_eq!(lines.len(), 1_004);
    for (number, line) in lines.iter().skip(1).enumerate() {
        assert_eq!(line.split(',').nth(3), Some(format!("c{number}@example.com").as_str()));
    }
    shop.world.get("", "/v1/customers/export").await.is(401);
    let narrow = shop.world.token(shop.id, &["members:read"]).await;
    shop.world.get(&narrow, "/v1/customers/export").await.is(403);
}

#[tokio::test]
async fn a_person_exports_what_they_may_see() {
    let shop = shop().await;
    shop.named("ada").await;
    let other = shop.world.organization("other-team", OWNER).await;
    let other_token = shop.world.token(other, &["*"]).await;
    shop.world.post(&other_token, "/v1/customers/", json!({"email": "bob@example.com"})).await.is(201);
    let person = shop.world.person(OWNER, &["*"]).await;
    let lines = |query: String| {
        let (world, person) = (&shop.world, &person);
        async move { world.get(person, &format!("/v1/customers/export{query}")).await.text.lines().count() }
    };
    assert_eq!(lines(String::new()).await, 3);
    assert_eq!(lines(format!("?organization_id={other}")).await, 2);
    assert_eq!(lines(format!("?organization_id={NOBODY}")).await, 1);
    let finance = shop.person("f@example.com", "finance").await;
    assert_eq!(shop.world.get(&finance, "/v1/customers/export").await.text.lines().count(), 2);
}

fn stored(shop: &Shop, needle: &str) -> bool {
    shop.world.database().holds(needle)
}

async fn secretive(shop: &Shop) -> (String, Value) {
    let customer = shop
        .customer(json!({
            "type": "team", "email": "hidden.ada@example.com", "name": "Hidden Ada", "external_id": "kept-1",
            "billing_address": {"country": "FR", "line1": "9 Hidden Street"},
            "owner": {"email": "hidden.owner@example.com", "name": "Hidden Owner"},
        }))
        .await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    let members = format!("{path}/members");
    let member = json!({"email": "hidden.bob@example.com", "name": "Hidden Bob", "external_id": "kept-2"});
    let member = shop.world.post(&shop.token, &members, member).await.is(201);
    let member = format!("{members}/{}", text(&member["id"]));
    shop.world.patch(&shop.token, &member, json!({"name": "Hidden Robert"})).await.is(200);
    let gone =
        shop.world.post(&shop.token, &members, json!({"email": "hidden.cy@example.com"})).await.is(201);
    shop.world.delete(&shop.token, &format!("{members}/{}", text(&gone["id"]))).await.is(204);
    shop.world.patch(&shop.token, &path, json!({"email": "hidden.new@example.com"})).await.is(200);
    assert!(stored(shop, "hidden"));
    (path, customer)
}

#[tokio::test]
async fn forgetting_leaves_nothing_of_the_people() {
    let shop = shop().await;
    let (path, customer) = secretive(&shop).await;
    shop.world.delete(&shop.token, &format!("{path}?anonymize=perhaps")).await.is(422);
    shop.world.delete(&shop.token, &format!("{path}?anonymize=true")).await.is(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "kept-1") && stored(&shop, "kept-2"));
    // It is gone, and asked for again it still is.
    shop.world.delete(&shop.token, &format!("{path}?anonymize=true")).await.is(404);
    shop.world.get(&shop.token, &path).await.is(404);
    let mut reader = shop.world.app.store().reader().unwrap();
    let subject = text(&customer["id"]).parse().unwrap();
    let count = reader.tx().unwrap().audit_count(shop.id, "customer.anonymized", subject).await.unwrap();
    assert_eq!(count, 1);
    // Address and external id are free for somebody else.
    let again = json!({"email": "hidden.new@example.com", "external_id": "kept-1"});
    shop.customer(again).await;
}

#[tokio::test]
async fn a_plain_deletion_keeps_the_names_until_they_are_to_be_forgotten() {
    let shop = shop().await;
    let (path, _) = secretive(&shop).await;
    shop.world.delete(&shop.token, &path).await.is(204);
    assert!(stored(&shop, "hidden") && stored(&shop, "kept-1"));
    shop.world.delete(&shop.token, &path).await.is(404);
    let other = shop.world.organization("other-team", "other@example.com").await;
    let other = shop.world.token(other, &["*"]).await;
    shop.world.delete(&other, &format!("{path}?anonymize=true")).await.is(404);
    let finance = shop.person("f@example.com", "finance").await;
    shop.world.delete(&finance, &format!("{path}?anonymize=true")).await.is(403);
    assert!(stored(&shop, "hidden"));
    shop.world.delete(&shop.token, &format!("{path}?anonymize=true")).await.is(204);
    assert!(!stored(&shop, "hidden"));
    shop.world.delete(&shop.token, &format!("{path}?anonymize=true")).await.is(404);
}

#[tokio::test]
async fn a_company_keeps_its_name_and_tax_number() {
    let shop = shop().await;
    shop.customer(json!({
        "email": "hidden.ada@example.com", "name": "Visible Works", "external_id": "firm",
        "billing_address": {"country": "FR"}, "tax_id": "FR61954506077",
    }))
    .await;
    shop.world.delete(&shop.token, "/v1/customers/external/firm?anonymize=true").await.is(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "FR61954506077") && stored(&shop, "Visible Works"));
    // By external id, what is deleted is not found: the id may be another's by now.
    shop.world.delete(&shop.token, "/v1/customers/external/firm?anonymize=true").await.is(404);
}

#[tokio::test]
async fn an_external_id_of_two_organizations_is_ambiguous_everywhere() {
    let shop = shop().await;
    let other = shop.world.organization("other-team", OWNER).await;
    let other_token = shop.world.token(other, &["*"]).await;
    for (token, email) in [(&shop.token, "a@example.com"), (&other_token, "b@example.com")] {
        let body = json!({"type": "team", "email": email, "external_id": "same"});
        shop.world.post(token, "/v1/customers/", body).await.is(201);
    }
    let person = shop.world.person(OWNER, &["*"]).await;
    let member = json!({"email": "m@example.com"});
    for (method, path, body) in [
        ("GET", "", None),
        ("PATCH", "", Some(json!({"name": "x"}))),
        ("DELETE", "", None),
        ("DELETE", "?anonymize=true", None),
        ("GET", "/state", None),
        ("GET", "/payment-methods", None),
        ("POST", "/members", Some(member.clone())),
        ("GET", "/members/m", None),
        ("PATCH", "/members/m", Some(json!({}))),
        ("DELETE", "/members/m", None),
    ] {
        let path = format!("/v1/customers/external/same{path}");
        let answer = shop.world.send(&person, method, &path, body).await;
        assert_eq!(answer.error(409), "AmbiguousExternalCustomerID", "{method} {path}");
    }
    let deprecated = "/v1/members/external/m?external_customer_id=same";
    for method in ["GET", "DELETE"] {
        assert_eq!(shop.world.send(&person, method, deprecated, None).await.status, 409);
    }
    shop.world.get(&shop.token, "/v1/customers/external/same/state").await.is(200);
}

#[tokio::test]
async fn a_role_without_customers_only_looks() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    let finance = shop.person("f@example.com", "finance").await;
    for read in ["", "/state", "/payment-methods"] {
        shop.world.get(&finance, &format!("{path}{read}")).await.is(200);
    }
    assert_eq!(shop.world.get(&finance, "/v1/customers/").await.is(200)["pagination"]["total_count"], 1);
    let create = json!({"email": "b@example.com", "organization_id": shop.id});
    let members = format!("{path}/members");
    for (method, path, body) in [
        ("POST", "/v1/customers/", Some(create)),
        ("PATCH", path.as_str(), Some(json!({"name": "x"}))),
        ("DELETE", path.as_str(), None),
        ("POST", members.as_str(), Some(json!({"email": "m@example.com"}))),
    ] {
        let refused = shop.world.send(&finance, method, path, body).await.is(403);
        assert_eq!(refused["detail"], "You don't have permission to manage customers", "{method} {path}");
    }
    let member = shop.person("m@example.com", "member").await;
    shop.world.patch(&member, &path, json!({"name": "x"})).await.is(200);
}

#[tokio::test]
async fn an_organization_is_made_by_a_person_with_its_legal_entity() {
    let shop = shop().await;
    let person = shop.world.person("new@example.com", &["organizations:write", "organizations:read"]).await;
    let body = |entity: Value, slug: &str| json!({"name": "New Firm", "slug": slug, "legal_entity": entity});
    for (entity, kind, loc) in [
        (json!({"type": "company"}), "missing", "body.legal_entity.company.registered_name"),
        (
            json!({"type": "company", "registered_name": 5}),
            "string_type",
            "body.legal_entity.company.registered_name",
        ),
        (json!({"type": "club"}), "union_tag_invalid", "body.legal_entity"),
        (json!({}), "union_tag_not_found", "body.legal_entity"),
        (json!("x"), "model_attributes_type", "body.legal_entity"),
    ] {
        let fault = shop.world.post(&person, "/v1/organizations/", body(entity, "new-firm")).await.fault();
        assert_eq!(fault, (kind.to_owned(), loc.to_owned()));
    }
    let company = json!({"type": "company", "registered_name": "New Firm Holding Ltd"});
    let made = shop.world.post(&person, "/v1/organizations/", body(company, "new-firm")).await.is(201);
    assert!(made.get("legal_entity").is_none() && stored(&shop, "New Firm Holding Ltd"));
    for (slug, entity) in [("new-firm-2", json!({"type": "individual"})), ("new-firm-3", json!(null))] {
        shop.world.post(&person, "/v1/organizations/", body(entity, slug)).await.is(201);
    }
    // The maker owns it.
    let team = format!("/v1/organizations/{}/members", text(&made["id"]));
    assert_eq!(shop.world.get(&person, &team).await.is(200)["items"][0]["role"], "owner");
    // A change does not touch it.
    let path = format!("/v1/organizations/{}", text(&made["id"]));
    shop.world.patch(&person, &path, json!({"legal_entity": {"type": "club"}})).await.is(200);
    assert!(stored(&shop, "New Firm Holding Ltd"));
    for slug in ["legal", "backoffice", "new-firm", "porn-shop", "a", "two--hyphens"] {
        let fault = shop.world.post(&person, "/v1/organizations/", body(json!(null), slug)).await.fault();
        assert_eq!(fault.1, "body.slug", "{slug}");
    }
    shop.world.post(&shop.token, "/v1/organizations/", body(json!(null), "by-token")).await.is(401);
}

#[tokio::test]
async fn organizations_are_those_of_the_caller() {
    let shop = shop().await;
    shop.world.organization("other-team", "other@example.com").await;
    let (owner, stranger) =
        (shop.world.person(OWNER, &["*"]).await, shop.world.person("s@example.com", &["*"]).await);
    let path = format!("/v1/organizations/{}", shop.id);
    shop.world.get("", "/v1/organizations/").await.is(401);
    shop.world.get("", &path).await.is(401);
    assert_eq!(shop.world.get(&stranger, "/v1/organizations/").await.is(200)["pagination"]["total_count"], 0);
    for token in [&owner, &shop.token] {
        let listed = shop.world.get(token, "/v1/organizations/").await.is(200);
        assert_eq!(listed["pagination"]["total_count"], 1);
        assert_eq!(listed["items"][0]["id"], json!(shop.id));
        shop.world.get(token, &path).await.is(200);
        shop.world.get(token, &format!("/v1/organizations/{NOBODY}")).await.is(404);
        shop.world.patch(token, &format!("/v1/organizations/{NOBODY}"), json!({})).await.is(404);
    }
    shop.world.get(&stranger, &path).await.is(404);
    shop.world.patch(&stranger, &path, json!({"name": "Mine"})).await.is(404);
    let member = shop.person("m@example.com", "member").await;
    let refused = shop.world.patch(&member, &path, json!({"name": "Mine"})).await.is(403);
    assert_eq!(refused["detail"], "You don't have permission to manage the organization");
    let admin = shop.person("a@example.com", "admin").await;
    assert_eq!(shop.world.patch(&admin, &path, json!({"name": "Ours"})).await.is(200)["name"], "Ours");
}

#[tokio::test]
async fn customers_are_listed_by_what_is_known_of_them() {
    let shop = shop().await;
    let first = json!({"email": "one@example.com", "external_id": "ext-1", "metadata": {"user_id": "a"}});
    let second =
        json!({"email": "two@example.com", "name": "Two_%", "metadata": {"user_id": "b", "plan": "x"}});
    let (first, second) = (shop.customer(first).await, shop.customer(second).await);
    shop.customer(json!({"email": "three@example.com", "metadata": {"user_id": "c"}})).await;
    let found = |query: &'static str| {
        let shop = &shop;
        async move {
            let listed = shop.world.get(&shop.token, &format!("/v1/customers/?{query}")).await.is(200);
            let items = listed["items"].as_array().unwrap();
            items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>()
        }
    };
    let (one, two) = (&first["id"], &second["id"]);
    assert_eq!(
        found("metadata[user_id]=a&metadata[user_id]=b&sorting=created_at").await,
        [one.clone(), two.clone()]
    );
    assert_eq!(found("metadata[user_id]=b&metadata[plan]=x").await, std::slice::from_ref(two));
    assert_eq!(found("metadata[user_id]=a&metadata[plan]=x").await, [] as [Value; 0]);
    assert_eq!(found("query=ext-1").await, std::slice::from_ref(one));
    assert_eq!(found("query=xt-1").await, [] as [Value; 0]);
    assert_eq!(found("query=WO_%25").await, std::slice::from_ref(two));
    assert_eq!(found("email=ONE@example.com").await, std::slice::from_ref(one));
    assert_eq!(found("active=true").await, [] as [Value; 0]);
    assert_eq!(found("active=false").await.len(), 3);
    shop.world.get("", "/v1/customers/").await.is(401);
    let narrow = shop.world.token(shop.id, &["members:read"]).await;
    shop.world.get(&narrow, "/v1/customers/").await.is(403);
    shop.world.get(&narrow, "/v1/customers/external/ext-1").await.is(403);
    shop.world.get(&shop.token, "/v1/customers/external/nobody").await.is(404);
}

#[tokio::test]
async fn customers_are_made_and_changed_by_the_rules() {
    let shop = shop().await;
    let owner = shop.world.person(OWNER, &["*"]).await;
    let elsewhere = json!({"email": "a@example.com", "organization_id": NOBODY});
    let fault = shop.world.post(&owner, "/v1/customers/", elsewhere).await.fault();
    assert_eq!(fault, ("value_error".to_owned(), "body.organization_id".to_owned()));
    let blank =
        shop.customer(json!({"email": "a@example.com", "external_id": "", "metadata": {"k": 1}})).await;
    assert_eq!((&blank["external_id"], &blank["metadata"]), (&Value::Null, &json!({"k": 1})));
    let team = shop.customer(json!({"type": "team", "owner": {"email": "o@example.com"}})).await;
    assert!(team["email"].is_null() && team["avatar_url"].is_string());
    shop.named("taken").await;
    let path = format!("/v1/customers/{}", text(&blank["id"]));
    for (field, value) in [("email", "taken@example.com"), ("external_id", "taken")] {
        let fault = shop.world.patch(&shop.token, &path, json!({field: value})).await.fault();
        assert_eq!(fault, ("value_error".to_owned(), format!("body.{field}")));
    }
    let changed = json!({"email": "new@example.com", "metadata": {"other": true}, "external_id": ""});
    let changed = shop.world.patch(&shop.token, &path, changed).await.is(200);
    assert_eq!((&changed["email"], &changed["email_verified"]), (&json!("new@example.com"), &json!(false)));
    assert_eq!((&changed["metadata"], &changed["external_id"]), (&json!({"other": true}), &Value::Null));
    shop.world.patch("", &path, json!({})).await.is(401);
    let narrow = shop.world.token(shop.id, &["customers:read"]).await;
    shop.world.patch(&narrow, &path, json!({})).await.is(403);
    shop.world.post(&narrow, "/v1/customers/", json!({"email": "z@example.com"})).await.is(403);
    let reserved = json!({"metadata": {"__external_id": "x"}});
    assert!(shop.world.patch(&shop.token, &path, reserved).await.fault().1.starts_with("body.metadata"));
}
