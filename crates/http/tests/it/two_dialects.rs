//! One organization, seen through both dialects.

use serde_json::json;

use crate::support::{App, One};

#[tokio::test]
async fn a_name_and_a_website_are_the_same_in_both() {
    let one = One::new().await;
    let client = one.client();
    client
        .patch(&one.organization(), json!({"name": "Acme", "website": "https://acme.example"}))
        .await
        .expect(200);
    let account = client.get(&one.account()).await.expect(200);
    assert_eq!((&account["name"], &account["website"]), (&json!("Acme"), &json!("https://acme.example/")));
    client.put(&one.account(), json!({"name": "Acme Inc.", "website": ""})).await.expect(200);
    let organization = client.get(&one.organization()).await.expect(200);
    assert_eq!((&organization["name"], &organization["website"]), (&json!("Acme Inc."), &json!(null)));
    let account = client.get(&one.account()).await;
    assert_eq!(organization["modified_at"], account["updated_at"]);
    assert_eq!(organization["id"], account["id"]);
    assert_eq!(organization["created_at"], account["created_at"]);
}

#[tokio::test]
async fn a_person_added_in_one_acts_in_the_other_until_removed() {
    let one = One::new().await;
    let members = format!("{}/members", one.account());
    let user = one.app.user("jordan@example.com", "*").await;
    user.get(&one.organization()).await.expect(404);
    user.get(&one.account()).await.expect(401);
    let added =
        one.client().post(&members, json!({"email": "Jordan@Example.com", "role": "Administrator"})).await;
    assert_eq!(added.expect(201)["user_id"], json!(user.actor()));
    user.patch(&one.organization(), json!({"name": "By Jordan"})).await.expect(200);
    assert_eq!(user.get(&one.account()).await.expect(200)["name"], json!("By Jordan"));
    assert_eq!(user.get("/v1/organizations").await.each("name"), ["By Jordan"]);
    one.client().delete(&format!("{members}/{}", user.actor())).await.expect(200);
    user.get(&one.organization()).await.expect(404);
    user.get(&one.account()).await.expect(401);
}

#[tokio::test]
async fn an_organization_made_in_one_has_an_account_in_the_other() {
    let app = App::new();
    let user = app.user("jane@example.com", "*").await;
    let created = user.post("/v1/organizations", json!({"name": "Acme", "slug": "acme"})).await.expect(201);
    let account = user.get(&format!("/v2/accounts/{}", created.id())).await.expect(200);
    assert_eq!((&account["name"], &account["owner_id"]), (&json!("Acme"), &json!(user.actor())));
    assert_eq!(account["parent_account_id"], json!(null));
}
