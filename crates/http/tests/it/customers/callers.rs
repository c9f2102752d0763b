//! Callers with several organizations, and the rules of what they make.

use serde_json::{Value, json};

use super::shop::{NOBODY, OWNER, shop, text};

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
    assert!(made.get("legal_entity").is_none() && shop.world.database().holds("New Firm Holding Ltd"));
    for (slug, entity) in [("new-firm-2", json!({"type": "individual"})), ("new-firm-3", json!(null))] {
        shop.world.bearer(&person).post("/v1/organizations/", body(entity, slug)).await.expect(201);
    }
    // The creator is the owner.
    let team = format!("/v1/organizations/{}/members", text(&made["id"]));
    assert_eq!(shop.world.bearer(&person).get(&team).await.expect(200)["items"][0]["role"], "owner");
    // An update does not change the owner.
    let path = format!("/v1/organizations/{}", text(&made["id"]));
    shop.world.bearer(&person).patch(&path, json!({"legal_entity": {"type": "club"}})).await.expect(200);
    assert!(shop.world.database().holds("New Firm Holding Ltd"));
    for slug in
        ["legal", "backoffice", "console", "portal-assets", "new-firm", "porn-shop", "a", "two--hyphens"]
    {
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
