//! Customers: state, payment methods, export, anonymization, and callers with several organizations.

use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_testkit::{Organization, World};

const OWNER: &str = "owner@example.com";
const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

struct Shop {
    world: World,
    organization: Organization,
    token: String,
}

async fn shop() -> Shop {
    let world = World::new();
    let organization = world.organization_owned_by("acme-team", OWNER).await;
    let token = world.token(&organization, "*").await.secret();
    Shop { world, organization, token }
}

impl Shop {
    async fn customer(&self, body: Value) -> Value {
        self.world.bearer(&self.token).post("/v1/customers/", body).await.expect(201).body
    }

    async fn named(&self, name: &str) -> Value {
        self.customer(json!({"email": format!("{name}@example.com"), "name": name, "external_id": name}))
            .await
    }

    /// Adds a person to the team with this role. Returns a token of the person.
    async fn person(&self, email: &str, role: &str) -> String {
        let path = format!("/v1/organizations/{}/members", self.organization.id);
        self.world.bearer(&self.token).post(&path, json!({"email": email, "role": role})).await.expect(201);
        self.world.user(email, "*").await.secret()
    }

    async fn export(&self) -> Vec<String> {
        let answer = self.world.bearer(&self.token).get("/v1/customers/export").await;
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
        let state = shop.world.bearer(&shop.token).get(&state).await.expect(200).body;
        let mut expected = customer.clone();
        for list in ["active_subscriptions", "granted_benefits", "active_meters"] {
            expected[list] = json!([]);
        }
        assert_eq!(state.to_string(), expected.to_string());
    }
    // The response after a write shows the new state.
    shop.world.bearer(&shop.token).patch(&path, json!({"name": "Ada L."})).await.expect(200);
    let state = shop.world.bearer(&shop.token).get(&format!("{path}/state")).await.expect(200).body;
    assert_eq!(state["name"], "Ada L.");
    for path in [format!("/v1/customers/{NOBODY}/state"), "/v1/customers/external/nobody/state".to_owned()] {
        shop.world.bearer(&shop.token).get(&path).await.expect(404);
        shop.world.anonymous().get(&path).await.expect(401);
    }
    shop.world.bearer(&shop.token).get("/v1/customers/nope/state").await.expect(422);
    let narrow = shop.world.token(&shop.organization, "members:read").await.secret();
    assert_eq!(
        shop.world.bearer(&narrow).get(&format!("{path}/state")).await.expect(403)["error"],
        "insufficient_scope"
    );
}

#[tokio::test]
async fn there_are_no_payment_methods() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let by_id = format!("/v1/customers/{}/payment-methods", text(&customer["id"]));
    for path in [&by_id, "/v1/customers/external/ada/payment-methods"] {
        let listed = shop.world.bearer(&shop.token).get(path).await.expect(200).body;
        assert_eq!(listed, json!({"items": [], "pagination": {"total_count": 0, "max_page": 0}}));
        shop.world.anonymous().get(path).await.expect(401);
    }
    shop.world.bearer(&shop.token).get(&format!("{by_id}?page=0")).await.expect(422);
    shop.world.bearer(&shop.token).get(&format!("/v1/customers/{NOBODY}/payment-methods")).await.expect(404);
    shop.world.bearer(&shop.token).get("/v1/customers/external/nobody/payment-methods").await.expect(404);
    let other = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let other = shop.world.token(&other, "*").await.secret();
    shop.world.bearer(&other).get(&by_id).await.expect(404);
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
    let answer = shop.world.bearer(&shop.token).get("/v1/customers/export").await;
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
async fn an_owner_runs_two_exports_at_once_over_all_organizations() {
    let shop = shop().await;
    let second = shop.world.organization_owned_by("second-team", OWNER).await;
    let second = shop.world.token(&second, "*").await.secret();
    let stranger = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let stranger = shop.world.token(&stranger, "*").await.secret();
    let caller = Arc::new(shop.world.app.authenticate(&shop.token).await.unwrap());
    let by = Requester::caller(&caller, None);
    let running = [shop.world.app.begin_export(&by).unwrap(), shop.world.app.begin_export(&by).unwrap()];
    for token in [&shop.token, &second] {
        let refused = shop.world.bearer(token).get("/v1/customers/export").await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    }
    shop.world.bearer(&stranger).get("/v1/customers/export").await.expect(200);
    drop(running);
    for _ in 0..3 {
        shop.world.bearer(&second).get("/v1/customers/export").await.expect(200);
    }
}

#[tokio::test]
async fn the_export_is_as_long_as_the_list_and_ordered() {
    let shop = shop().await;
    // Two full batches of the export and a partial one.
    for number in 0..1_003 {
        shop.customer(json!({"email": format!("c{number}@example.com")})).await;
    }
    let lines = shop.export().await;
    assert_eq!(lines.len(), 1_004);
    for (number, line) in lines.iter().skip(1).enumerate() {
        assert_eq!(line.split(',').nth(3), Some(format!("c{number}@example.com").as_str()));
    }
    shop.world.anonymous().get("/v1/customers/export").await.expect(401);
    let narrow = shop.world.token(&shop.organization, "members:read").await.secret();
    shop.world.bearer(&narrow).get("/v1/customers/export").await.expect(403);
}

#[tokio::test]
async fn a_person_exports_what_they_may_see() {
    let shop = shop().await;
    shop.named("ada").await;
    let other = shop.world.organization_owned_by("other-team", OWNER).await;
    let other_token = shop.world.token(&other, "*").await.secret();
    shop.world
        .bearer(&other_token)
        .post("/v1/customers/", json!({"email": "bob@example.com"}))
        .await
        .expect(201);
    let person = shop.world.user(OWNER, "*").await.secret();
    let lines = |query: String| {
        let (world, person) = (&shop.world, &person);
        async move { world.bearer(person).get(&format!("/v1/customers/export{query}")).await.text.lines().count() }
    };
    assert_eq!(lines(String::new()).await, 3);
    assert_eq!(lines(format!("?organization_id={}", other.id)).await, 2);
    assert_eq!(lines(format!("?organization_id={NOBODY}")).await, 1);
    let finance = shop.person("f@example.com", "finance").await;
    assert_eq!(shop.world.bearer(&finance).get("/v1/customers/export").await.text.lines().count(), 2);
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
    let member = shop.world.bearer(&shop.token).post(&members, member).await.expect(201).body;
    let member = format!("{members}/{}", text(&member["id"]));
    shop.world.bearer(&shop.token).patch(&member, json!({"name": "Hidden Robert"})).await.expect(200);
    let gone = shop
        .world
        .bearer(&shop.token)
        .post(&members, json!({"email": "hidden.cy@example.com"}))
        .await
        .expect(201)
        .body;
    shop.world.bearer(&shop.token).delete(&format!("{members}/{}", text(&gone["id"]))).await.expect(204);
    shop.world.bearer(&shop.token).patch(&path, json!({"email": "hidden.new@example.com"})).await.expect(200);
    assert!(stored(shop, "hidden"));
    (path, customer)
}

#[tokio::test]
async fn anonymization_removes_all_personal_data() {
    let shop = shop().await;
    let (path, customer) = secretive(&shop).await;
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=perhaps")).await.expect(422);
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "kept-1") && stored(&shop, "kept-2"));
    // The customer is not found, and a second anonymization changes nothing.
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(404);
    shop.world.bearer(&shop.token).get(&path).await.expect(404);
    let mut reader = shop.world.app.store().reader().unwrap();
    let subject = text(&customer["id"]).parse().unwrap();
    let count =
        reader.tx().unwrap().audit_count(shop.organization.id, "customer.anonymized", subject).await.unwrap();
    assert_eq!(count, 1);
    // A new customer can use the address and the external id.
    let again = json!({"email": "hidden.new@example.com", "external_id": "kept-1"});
    shop.customer(again).await;
}

#[tokio::test]
async fn a_deleted_customer_keeps_its_names_until_it_is_anonymized() {
    let shop = shop().await;
    let (path, _) = secretive(&shop).await;
    shop.world.bearer(&shop.token).delete(&path).await.expect(204);
    assert!(stored(&shop, "hidden") && stored(&shop, "kept-1"));
    shop.world.bearer(&shop.token).delete(&path).await.expect(404);
    let other = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let other = shop.world.token(&other, "*").await.secret();
    shop.world.bearer(&other).delete(&format!("{path}?anonymize=true")).await.expect(404);
    let finance = shop.person("f@example.com", "finance").await;
    shop.world.bearer(&finance).delete(&format!("{path}?anonymize=true")).await.expect(403);
    assert!(stored(&shop, "hidden"));
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(204);
    assert!(!stored(&shop, "hidden"));
    shop.world.bearer(&shop.token).delete(&format!("{path}?anonymize=true")).await.expect(404);
}

#[tokio::test]
async fn a_company_keeps_its_name_and_tax_number() {
    let shop = shop().await;
    shop.customer(json!({
        "email": "hidden.ada@example.com", "name": "Visible Works", "external_id": "firm",
        "billing_address": {"country": "FR"}, "tax_id": "FR61954506077",
    }))
    .await;
    shop.world.bearer(&shop.token).delete("/v1/customers/external/firm?anonymize=true").await.expect(204);
    assert!(!stored(&shop, "hidden"));
    assert!(stored(&shop, "FR61954506077") && stored(&shop, "Visible Works"));
    // A deleted customer is not found by external id, because a new customer can have the same one.
    shop.world.bearer(&shop.token).delete("/v1/customers/external/firm?anonymize=true").await.expect(404);
}

#[tokio::test]
async fn an_external_id_of_two_organizations_is_ambiguous_everywhere() {
    let shop = shop().await;
    let other = shop.world.organization_owned_by("other-team", OWNER).await;
    let other_token = shop.world.token(&other, "*").await.secret();
    for (token, email) in [(&shop.token, "a@example.com"), (&other_token, "b@example.com")] {
        let body = json!({"type": "team", "email": email, "external_id": "same"});
        shop.world.bearer(token).post("/v1/customers/", body).await.expect(201);
    }
    let person = shop.world.user(OWNER, "*").await.secret();
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
        let answer = shop.world.bearer(&person).call(method, &path, body).await;
        assert_eq!(answer.expect(409)["error"], "AmbiguousExternalCustomerID", "{method} {path}");
    }
    let deprecated = "/v1/members/external/m?external_customer_id=same";
    for method in ["GET", "DELETE"] {
        assert_eq!(shop.world.bearer(&person).call(method, deprecated, None).await.status, 409);
    }
    shop.world.bearer(&shop.token).get("/v1/customers/external/same/state").await.expect(200);
}

#[tokio::test]
async fn a_role_without_the_permission_cannot_change_customers() {
    let shop = shop().await;
    let customer = shop.named("ada").await;
    let path = format!("/v1/customers/{}", text(&customer["id"]));
    let finance = shop.person("f@example.com", "finance").await;
    for read in ["", "/state", "/payment-methods"] {
        shop.world.bearer(&finance).get(&format!("{path}{read}")).await.expect(200);
    }
    assert_eq!(
        shop.world.bearer(&finance).get("/v1/customers/").await.expect(200)["pagination"]["total_count"],
        1
    );
    let create = json!({"email": "b@example.com", "organization_id": shop.organization.id});
    let members = format!("{path}/members");
    for (method, path, body) in [
        ("POST", "/v1/customers/", Some(create)),
        ("PATCH", path.as_str(), Some(json!({"name": "x"}))),
        ("DELETE", path.as_str(), None),
        ("POST", members.as_str(), Some(json!({"email": "m@example.com"}))),
    ] {
        let refused = shop.world.bearer(&finance).call(method, path, body).await.expect(403).body;
        assert_eq!(refused["detail"], "You don't have permission to manage customers", "{method} {path}");
    }
    let member = shop.person("m@example.com", "member").await;
    shop.world.bearer(&member).patch(&path, json!({"name": "x"})).await.expect(200);
}

#[tokio::test]
async fn an_organization_is_made_by_a_person_with_its_legal_entity() {
    let shop = shop().await;
    let person = shop.world.user("new@example.com", "organizations:write organizations:read").await.secret();
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
        shop.world
            .bearer(&person)
            .post("/v1/organizations/", body(entity, "new-firm"))
            .await
            .assert_violations(&[&format!("{kind} {loc}")]);
    }
    let company = json!({"type": "company", "registered_name": "New Firm Holding Ltd"});
    let made = shop
        .world
        .bearer(&person)
        .post("/v1/organizations/", body(company, "new-firm"))
        .await
        .expect(201)
        .body;
    assert!(made.get("legal_entity").is_none() && stored(&shop, "New Firm Holding Ltd"));
    for (slug, entity) in [("new-firm-2", json!({"type": "individual"})), ("new-firm-3", json!(null))] {
        shop.world.bearer(&person).post("/v1/organizations/", body(entity, slug)).await.expect(201);
    }
    // The creator is the owner.
    let team = format!("/v1/organizations/{}/members", text(&made["id"]));
    assert_eq!(shop.world.bearer(&person).get(&team).await.expect(200)["items"][0]["role"], "owner");
    // An update does not change the owner.
    let path = format!("/v1/organizations/{}", text(&made["id"]));
    shop.world.bearer(&person).patch(&path, json!({"legal_entity": {"type": "club"}})).await.expect(200);
    assert!(stored(&shop, "New Firm Holding Ltd"));
    for slug in ["legal", "backoffice", "new-firm", "porn-shop", "a", "two--hyphens"] {
        let response = shop.world.bearer(&person).post("/v1/organizations/", body(json!(null), slug)).await;
        let violations = response.violations();
        assert!(violations.len() == 1 && violations[0].ends_with(" body.slug"), "{slug}: {violations:?}");
    }
    shop.world
        .bearer(&shop.token)
        .post("/v1/organizations/", body(json!(null), "by-token"))
        .await
        .expect(401);
}

#[tokio::test]
async fn organizations_are_those_of_the_caller() {
    let shop = shop().await;
    shop.world.organization_owned_by("other-team", "other@example.com").await;
    let (owner, stranger) =
        (shop.world.user(OWNER, "*").await.secret(), shop.world.user("s@example.com", "*").await.secret());
    let path = format!("/v1/organizations/{}", shop.organization.id);
    shop.world.anonymous().get("/v1/organizations/").await.expect(401);
    shop.world.anonymous().get(&path).await.expect(401);
    assert_eq!(
        shop.world.bearer(&stranger).get("/v1/organizations/").await.expect(200)["pagination"]["total_count"],
        0
    );
    for token in [&owner, &shop.token] {
        let listed = shop.world.bearer(token).get("/v1/organizations/").await.expect(200).body;
        assert_eq!(listed["pagination"]["total_count"], 1);
        assert_eq!(listed["items"][0]["id"], json!(shop.organization.id));
        shop.world.bearer(token).get(&path).await.expect(200);
        shop.world.bearer(token).get(&format!("/v1/organizations/{NOBODY}")).await.expect(404);
        shop.world.bearer(token).patch(&format!("/v1/organizations/{NOBODY}"), json!({})).await.expect(404);
    }
    shop.world.bearer(&stranger).get(&path).await.expect(404);
    shop.world.bearer(&stranger).patch(&path, json!({"name": "Mine"})).await.expect(404);
    let member = shop.person("m@example.com", "member").await;
    let refused = shop.world.bearer(&member).patch(&path, json!({"name": "Mine"})).await.expect(403).body;
    assert_eq!(refused["detail"], "You don't have permission to manage the organization");
    let admin = shop.person("a@example.com", "admin").await;
    assert_eq!(
        shop.world.bearer(&admin).patch(&path, json!({"name": "Ours"})).await.expect(200)["name"],
        "Ours"
    );
}

#[tokio::test]
async fn customers_are_filtered_by_their_fields() {
    let shop = shop().await;
    let first = json!({"email": "one@example.com", "external_id": "ext-1", "metadata": {"user_id": "a"}});
    let second =
        json!({"email": "two@example.com", "name": "Two_%", "metadata": {"user_id": "b", "plan": "x"}});
    let (first, second) = (shop.customer(first).await, shop.customer(second).await);
    shop.customer(json!({"email": "three@example.com", "metadata": {"user_id": "c"}})).await;
    let found = |query: &'static str| {
        let shop = &shop;
        async move {
            let listed =
                shop.world.bearer(&shop.token).get(&format!("/v1/customers/?{query}")).await.expect(200).body;
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
    shop.world.anonymous().get("/v1/customers/").await.expect(401);
    let narrow = shop.world.token(&shop.organization, "members:read").await.secret();
    shop.world.bearer(&narrow).get("/v1/customers/").await.expect(403);
    shop.world.bearer(&narrow).get("/v1/customers/external/ext-1").await.expect(403);
    shop.world.bearer(&shop.token).get("/v1/customers/external/nobody").await.expect(404);
}

#[tokio::test]
async fn customers_are_made_and_changed_by_the_rules() {
    let shop = shop().await;
    let owner = shop.world.user(OWNER, "*").await.secret();
    let elsewhere = json!({"email": "a@example.com", "organization_id": NOBODY});
    shop.world
        .bearer(&owner)
        .post("/v1/customers/", elsewhere)
        .await
        .assert_violations(&["value_error body.organization_id"]);
    let blank =
        shop.customer(json!({"email": "a@example.com", "external_id": "", "metadata": {"k": 1}})).await;
    assert_eq!((&blank["external_id"], &blank["metadata"]), (&Value::Null, &json!({"k": 1})));
    let team = shop.customer(json!({"type": "team", "owner": {"email": "o@example.com"}})).await;
    assert!(team["email"].is_null() && team["avatar_url"].is_string());
    shop.named("taken").await;
    let path = format!("/v1/customers/{}", text(&blank["id"]));
    for (field, value) in [("email", "taken@example.com"), ("external_id", "taken")] {
        let response = shop.world.bearer(&shop.token).patch(&path, json!({field: value})).await;
        response.assert_violations(&[&format!("value_error body.{field}")]);
    }
    let changed = json!({"email": "new@example.com", "metadata": {"other": true}, "external_id": ""});
    let changed = shop.world.bearer(&shop.token).patch(&path, changed).await.expect(200).body;
    assert_eq!((&changed["email"], &changed["email_verified"]), (&json!("new@example.com"), &json!(false)));
    assert_eq!((&changed["metadata"], &changed["external_id"]), (&json!({"other": true}), &Value::Null));
    shop.world.anonymous().patch(&path, json!({})).await.expect(401);
    let narrow = shop.world.token(&shop.organization, "customers:read").await.secret();
    shop.world.bearer(&narrow).patch(&path, json!({})).await.expect(403);
    shop.world.bearer(&narrow).post("/v1/customers/", json!({"email": "z@example.com"})).await.expect(403);
    let reserved = json!({"metadata": {"__external_id": "x"}});
    let violations = shop.world.bearer(&shop.token).patch(&path, reserved).await.violations();
    assert!(violations.len() == 1 && violations[0].contains(" body.metadata"), "{violations:?}");
}
