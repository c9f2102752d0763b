//! Exports of customers and members.

use std::net::Ipv4Addr;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::shop::{NOBODY, OWNER, shop, text};

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
    // An export runs until the client has read it.
    let begin = |path: &str, token: &str| {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        shop.world.gateway.answer(request.body(Body::empty()).unwrap(), Ipv4Addr::LOCALHOST.into())
    };
    let running =
        [begin("/v1/customers/export", &shop.token).await, begin("/v1/members/export", &second).await];
    assert!(running.iter().all(|answer| answer.status() == 200));
    for (token, noun) in [(&shop.token, "members"), (&second, "customers")] {
        let refused = shop.world.bearer(token).get(&format!("/v1/{noun}/export")).await;
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
async fn the_export_of_members_holds_plain_values_of_what_the_caller_sees() {
    let shop = shop().await;
    let team = shop
        .customer(
            json!({"type": "team", "owner": {"email": "o@example.com", "name": "Olga"}, "name": "Team"}),
        )
        .await;
    let path = format!("/v1/customers/{}/members", text(&team["id"]));
    let bob =
        json!({"email": "bob@example.com", "name": "=1+1", "external_id": "b,1", "role": "billing_manager"});
    let bob = shop.world.bearer(&shop.token).post(&path, bob).await.expect(201).body;
    let answer = shop.world.bearer(&shop.token).get("/v1/members/export?bom=true").await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"members.csv\"");
    let lines: Vec<&str> = answer.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0], "\u{feff}ID,Customer ID,External ID,Created At,Email,Name,Role");
    assert!(lines[1].ends_with(",o@example.com,Olga,owner"), "{}", lines[1]);
    let created = text(&bob["created_at"]).replace('Z', "+00:00");
    let expected = [text(&bob["id"]), text(&team["id"]), "\"b,1\"", &created, "bob@example.com", "'=1+1"];
    assert_eq!(lines[2], format!("{},billing_manager", expected.join(",")));

    let plain = shop.world.bearer(&shop.token).get("/v1/members/export").await;
    assert_eq!(answer.text.strip_prefix('\u{feff}'), Some(plain.text.as_str()));
    shop.world.bearer(&shop.token).get("/v1/members/export?bom=perhaps").await.expect(422);
    shop.world.anonymous().get("/v1/members/export").await.expect(401);
    let narrow = shop.world.token(&shop.organization, "customers:read").await;
    narrow.get("/v1/members/export").await.expect(403);
    let person = shop.world.user(OWNER, "*").await;
    let nobody = format!("/v1/members/export?organization_id={NOBODY}");
    assert_eq!(person.get(&nobody).await.text.lines().count(), 1);
    assert_eq!(person.get("/v1/members/export").await.text, plain.text);
    let other = shop.world.organization_owned_by("other-team", "other@example.com").await;
    let other = shop.world.token(&other, "*").await;
    assert_eq!(other.get("/v1/members/export").await.text.lines().count(), 1);
}

#[tokio::test]
async fn an_export_begins_with_a_byte_order_mark_on_request() {
    let shop = shop().await;
    shop.customer(json!({"email": "ada@example.com", "name": "Łucja"})).await;
    let client = shop.world.bearer(&shop.token);
    let plain = client.get("/v1/customers/export?bom=false").await;
    assert!(plain.text.starts_with("ID,"));
    assert_eq!(plain.headers["content-disposition"], "attachment; filename=\"polar-customers.csv\"");
    let marked = client.get("/v1/customers/export?bom=true").await;
    assert_eq!(marked.headers["content-disposition"], "attachment; filename=\"customers.csv\"");
    assert_eq!(marked.text, format!("\u{feff}{}", plain.text));
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
