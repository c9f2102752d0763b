//! `POST /v1/customers`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use tenantry_testkit::{Acme, World};

const PATH: &str = "/v1/customers";

#[tokio::test]
async fn an_individual_with_everything() {
    let acme = Acme::new().await;
    let body = json!({
        "email": "Jane.Doe@Example.com", "external_id": " usr_1 ", "name": " Jane ", "locale": "en_us",
        "billing_address": {"country": "fr", "line1": " 1 rue ", "line2": "", "city": "Paris"},
        "tax_id": "FR 61 954506077", "metadata": {"plan": "pro", "seats": 3, "rate": 1.5, "trial": true},
        "billing_name": "ignored", "unknown": [1]
    });
    let created = acme.client().post(PATH, body).await;
    assert_snapshot!(created.transcript(), @r#"
    201
    {
      "id": "<id 1>",
      "created_at": "<time>",
      "modified_at": null,
      "metadata": {
        "plan": "pro",
        "seats": 3,
        "rate": 1.5,
        "trial": true
      },
      "external_id": "usr_1",
      "email": "Jane.Doe@example.com",
      "email_verified": false,
      "type": "individual",
      "name": "Jane",
      "billing_name": "Jane",
      "billing_address": {
        "line1": "1 rue",
        "line2": null,
        "postal_code": null,
        "city": "Paris",
        "state": null,
        "country": "FR"
      },
      "tax_id": [
        "FR61954506077",
        "eu_vat"
      ],
      "locale": "en-US",
      "organization_id": "<id 2>",
      "default_payment_method_id": null,
      "deleted_at": null,
      "first_user_event_at": null,
      "avatar_url": "https://www.gravatar.com/avatar/86e0b9e56c17cc4d12387e1949b85053fbe73bc3ce5a1188713a9d300cc6133d?d=404"
    }
    "#);
    let seen = acme.client().get(&format!("{PATH}/{}", created.id())).await.expect(200);
    assert_eq!(seen.body, created.body);
    assert_eq!(acme.client().get("/v1/customers/external/usr_1").await.body, created.body);
}

#[tokio::test]
async fn a_customer_is_created_with_its_owner() {
    let acme = Acme::new().await;
    let client = acme.client();
    let owner = async |body: Value| {
        let customer = client.post(PATH, body).await.expect(201);
        let members = client.get(&format!("/v1/members?customer_id={}", customer.id())).await;
        assert_eq!(members["pagination"]["total_count"], json!(1));
        let owner = members["items"][0].clone();
        assert_eq!((&owner["role"], &owner["created_at"]), (&json!("owner"), &customer["created_at"]));
        (customer, owner)
    };
    let (customer, same) = owner(json!({"email": "a@example.com", "name": "A", "external_id": "a"})).await;
    assert_eq!(customer["type"], json!("individual"));
    for field in ["email", "name", "external_id"] {
        assert_eq!(same[field], customer[field]);
    }
    let named = json!({"email": "o@example.com", "name": "O", "external_id": "o"});
    let (customer, other) = owner(json!({"type": "team", "email": "b@example.com", "owner": named})).await;
    assert_eq!(
        (&customer["email"], &other["email"], &other["name"]),
        (&json!("b@example.com"), &json!("o@example.com"), &json!("O"))
    );
    let (customer, _) = owner(json!({"type": "team", "owner": {"email": "only@example.com"}})).await;
    assert_eq!(customer["email"], json!(null));
    assert!(customer["avatar_url"].is_string(), "the picture is the owner's");
    let nulls = json!({
        "type": "team", "email": "n@example.com", "external_id": null, "name": null, "billing_address": null,
        "tax_id": null, "locale": null, "owner": null, "organization_id": null
    });
    owner(nulls).await;
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let acme = Acme::new().await;
    let faults = async |body: Value| acme.client().post(PATH, body).await.violations();
    assert_eq!(faults(json!({})).await, ["missing body.individual.email"]);
    assert_eq!(faults(json!({"type": "team"})).await, ["value_error body.team"]);
    for kind in [json!(null), json!("king"), json!(1)] {
        assert_eq!(faults(json!({"type": kind, "email": "a@example.com"})).await, ["union_tag_invalid body"]);
    }
    assert_eq!(faults(json!([])).await, ["model_attributes_type body"]);
    let with = |field: &str, value: Value| json!({"email": "a@example.com", field: value});
    for (field, value, fault) in [
        ("email", json!(null), "string_type body.individual.email"),
        ("metadata", json!(null), "dict_type body.individual.metadata"),
        ("metadata", json!("x"), "dict_type body.individual.metadata"),
        ("name", json!("x".repeat(257)), "string_too_long body.individual.name"),
        ("locale", json!("x-klingon"), "value_error body.individual.locale"),
        ("locale", json!(""), "value_error body.individual.locale"),
        ("billing_address", json!({}), "missing body.individual.billing_address.country"),
        ("billing_address", json!({"country": "KP"}), "enum body.individual.billing_address.country"),
        (
            "billing_address",
            json!({"country": "US", "state": "XX"}),
            "value_error body.individual.billing_address",
        ),
        ("owner", json!({}), "missing body.individual.owner.email"),
        ("organization_id", json!("x"), "uuid_parsing body.individual.organization_id"),
        ("tax_id", json!("FR1"), "missing body.billing_address"),
    ] {
        assert_eq!(faults(with(field, value.clone())).await, [fault], "{field}: {value}");
    }
    let body = json!({"email": "a@example.com", "billing_address": {"country": "FR"}, "tax_id": "nonsense"});
    assert_eq!(faults(body).await, ["invalid body.tax_id"]);
}

#[tokio::test]
async fn metadata_has_bounds() {
    let acme = Acme::new().await;
    let post = async |metadata: Value| {
        acme.client()
            .post(PATH, json!({"type": "team", "owner": {"email": "o@example.com"}, "metadata": metadata}))
            .await
    };
    let keys = |count: usize| -> Value {
        (0..count).map(|key| (key.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into()
    };
    post(keys(50)).await.expect(201);
    assert_eq!(post(keys(51)).await.violations(), ["too_long body.team.metadata"]);
    post(json!({"k".repeat(40): "v".repeat(500)})).await.expect(201);
    for bad in [
        json!({"": 1}),
        json!({"k".repeat(41): 1}),
        json!({"k": ""}),
        json!({"k": "v".repeat(501)}),
        json!({"k": null}),
        json!({"k": [1]}),
        json!({"k": {}}),
    ] {
        let faults = post(bad.clone()).await.violations();
        assert!(faults.iter().all(|fault| fault.contains(" body.team.metadata.")), "{bad}: {faults:?}");
    }
    let out_of_range = post(json!({"k": 1e20})).await.expect(422);
    let violations: Vec<(&Value, &Value)> =
        out_of_range["detail"].as_array().unwrap().iter().map(|each| (&each["type"], &each["msg"])).collect();
    assert_eq!(
        violations[1..3],
        [
            (&json!("less_than_equal"), &json!("Input should be less than or equal to 18446744073709551615")),
            (&json!("less_than"), &json!("Input should be less than 1.8e19")),
        ]
    );
    let kept = json!({"text": "true", "truth": true, "one": 1, "float": 1.0});
    assert_eq!(post(kept.clone()).await.expect(201)["metadata"].to_string(), kept.to_string());
}

#[tokio::test]
async fn address_and_external_id_are_unique_until_freed() {
    let acme = Acme::new().await;
    let client = acme.client();
    let first =
        client.post(PATH, json!({"email": "a@example.com", "external_id": "x"})).await.expect(201).id();
    let both = client.post(PATH, json!({"email": "A@Example.com", "external_id": "x"})).await;
    assert_eq!(both.violations(), ["value_error body.email", "value_error body.external_id"]);
    assert_eq!(both["error"], json!("PolarRequestValidationError"));
    client.post(PATH, json!({"email": "b@example.com", "external_id": "X"})).await.expect(201);
    client.delete(&format!("{PATH}/{first}")).await.expect(204);
    client.post(PATH, json!({"email": "a@example.com", "external_id": "x"})).await.expect(201);
}

#[tokio::test]
async fn concurrent_duplicates_end_with_one() {
    let acme = Acme::new().await;
    let client = acme.client();
    let body = || json!({"email": "same@example.com"});
    let (a, b) = tokio::join!(client.post(PATH, body()), client.post(PATH, body()));
    let mut statuses = [a.status, b.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 422]);
}

#[tokio::test]
async fn a_person_names_the_organization_and_a_token_must_not() {
    let world = World::new();
    let (first, second) = (world.organization("first").await, world.organization("second").await);
    let body = |organization: &dyn ToString| json!({"email": "c@example.com", "organization_id": organization.to_string()});
    let token = world.token(&first, "*").await;
    assert_eq!(
        token.post(PATH, body(&first.id)).await.violations(),
        ["organization_token body.organization_id"]
    );
    let user = world.user(&first.owner, "*").await;
    assert_eq!(user.post(PATH, body(&second.id)).await.violations(), ["value_error body.organization_id"]);
    assert_eq!(
        user.post(PATH, json!({"email": "c@example.com"})).await.violations(),
        ["missing body.organization_id"]
    );
    let created = user.post(PATH, body(&first.id)).await.expect(201);
    assert_eq!(created["organization_id"], json!(first.id));
}
