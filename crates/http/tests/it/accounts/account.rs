//! `/v2/ping` and `GET`, `PUT /v2/accounts/{account_id}`.

use insta::assert_snapshot;
use serde_json::{Value, json};

use tenantry_testkit::{Acme, World, changed_fields};

#[tokio::test]
async fn ping_answers_any_live_key() {
    let acme = Acme::new().await;
    let client = acme.world.token(&acme.organization, "openid").await;
    assert_eq!(client.get("/v2/ping").await.expect(200).body, json!({"message": "pong"}));
    let refused = acme.world.anonymous().get("/v2/ping").await.expect(401);
    assert_eq!(refused.body, json!({"message": "missing or malformed bearer token"}));
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    let unknown = acme.world.bearer("nope").get("/v2/ping").await.expect(401);
    assert_eq!(unknown.body, json!({"message": "invalid API key"}));
}

#[tokio::test]
async fn a_new_account() {
    let acme = Acme::new().await;
    let seen = acme.client().get(&acme.path_v2()).await;
    assert_snapshot!(seen.transcript(), @r#"
    200
    {
      "object": "account",
      "id": "<id 1>",
      "parent_account_id": null,
      "created_at": "<time>",
      "updated_at": "<time>",
      "name": "acme",
      "website": "",
      "about": "",
      "track_opens": true,
      "track_clicks": true,
      "reject_bad_recipients": true,
      "reject_mistyped_recipients": true,
      "message_metadata_retention": 30,
      "message_data_retention": 7,
      "owner_id": "<id 2>"
    }
    "#);
    assert_eq!(seen.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn each_field_is_kept_and_the_rest_stays() {
    let acme = Acme::new().await;
    let client = acme.client();
    for (field, sent, kept) in [
        ("name", json!(" Acme "), json!("Acme")),
        ("name", json!("é".repeat(255)), json!("é".repeat(255))),
        ("website", json!("https://Go.example.com"), json!("https://Go.example.com")),
        ("website", json!("http://acme.example/a?b#c"), json!("http://acme.example/a?b#c")),
        ("website", json!(""), json!("")),
        ("about", json!("We make anvils."), json!("We make anvils.")),
        ("track_opens", json!(false), json!(false)),
        ("track_clicks", json!(false), json!(false)),
        ("reject_bad_recipients", json!(false), json!(false)),
        ("reject_mistyped_recipients", json!(false), json!(false)),
        ("message_metadata_retention", json!(1), json!(1)),
        ("message_data_retention", json!(0), json!(0)),
        ("message_data_retention", json!(30), json!(30)),
    ] {
        let before = client.get(&acme.path_v2()).await;
        let after = client.put(&acme.path_v2(), json!({field: sent})).await.expect(200);
        let mut changed = changed_fields(&before.body, &after.body);
        assert!(changed.as_object_mut().unwrap().remove("updated_at").is_some());
        assert_eq!(changed, json!({field: kept}));
        assert_eq!(client.get(&acme.path_v2()).await.body, after.body);
    }
    let before = client.get(&acme.path_v2()).await;
    for nothing in [
        json!({}),
        json!({"name": null, "website": null, "track_opens": null}),
        json!({"owner_id": 1, "id": 2, "x": 3}),
    ] {
        assert_eq!(client.put(&acme.path_v2(), nothing).await.expect(200).body, before.body);
    }
}

#[tokio::test]
async fn a_refusal_names_the_field_and_its_bound() {
    let acme = Acme::new().await;
    let put =
        async |body: Value| acme.client().put(&acme.path_v2(), body).await.expect(400).message().to_owned();
    for (field, value, bound) in [
        ("name", json!("n".repeat(256)), "255"),
        ("name", json!(""), "1"),
        ("name", json!(" "), "name: "),
        ("name", json!(7), "string"),
        ("website", json!("acme"), "URL"),
        ("website", json!("ftp://acme.example"), "http"),
        ("about", json!([]), "string"),
        ("track_opens", json!("true"), "boolean"),
        ("track_clicks", json!(1), "boolean"),
        ("reject_bad_recipients", json!("no"), "boolean"),
        ("reject_mistyped_recipients", json!({}), "boolean"),
        ("message_metadata_retention", json!(0), "1"),
        ("message_metadata_retention", json!(31), "30"),
        ("message_metadata_retention", json!("7"), "integer"),
        ("message_data_retention", json!(-1), "0"),
        ("message_data_retention", json!(31), "30"),
        ("message_data_retention", json!(1.5), "integer"),
    ] {
        let message = put(json!({field: value})).await;
        assert!(
            message.starts_with(&format!("{field}: ")) && message.contains(bound),
            "{field}: {value}: {message}"
        );
    }
    for body in [json!([]), json!("x"), json!(null)] {
        assert!(put(body).await.starts_with("invalid request body"));
    }
    for raw in ["", "{", "{\"name\": }"] {
        let answer = acme.client().raw("PUT", &acme.path_v2(), raw).await.expect(400);
        assert!(answer.message().starts_with("invalid request body"), "{answer}");
    }
}

#[tokio::test]
async fn the_path_must_name_an_account_of_the_caller() {
    let world = World::new();
    let (mine, other) = (world.organization("mine").await, world.organization("other").await);
    let client = world.token(&mine, "accounts:read").await;
    assert_eq!(client.get("/v2/accounts/nope").await.expect(400).message(), "invalid account_id");
    for id in [other.id.to_string(), "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e".to_owned()] {
        assert_eq!(client.get(&format!("/v2/accounts/{id}")).await.expect(401).message(), "invalid API key");
    }
    let path = format!("/v2/accounts/{}", mine.id);
    client.get(&path).await.expect(200);
    let refused = client.put(&path, json!({"name": "x"})).await.expect(403);
    assert_eq!(refused.message(), "insufficient permissions for the required scope");
}
