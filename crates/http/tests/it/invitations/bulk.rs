//! Inviting many people at once.

use serde_json::json;

use super::{ADA, Inviting, lookup, token_of};

#[tokio::test]
async fn each_item_is_invited_or_refused_on_its_own() {
    let inviting = Inviting::new().await;
    let (pending, _) = inviting.link("bob@example.com").await;
    let path = format!("{}/bulk", inviting.path);
    let body = json!({"send_email": false, "items": [
        {"email": "zoe@example.com", "role": "admin", "metadata": {"n": 1}},
        {"email": "nobody"},
        {"email": ADA, "name": "Ada"},
        {"email": inviting.acme.organization.owner},
        {"email": "bob@example.com"},
        {"email": "BOB@example.com", "role": "admin"},
        {"email": "ADA@example.com"},
        {"email": "cy@example.com", "expires_in": "P60D"},
        7,
    ]});
    let made = inviting.owner().post(&path, body).await.expect(200);
    let results = made["results"].as_array().unwrap();
    let statuses: Vec<&str> = results.iter().map(|one| one["status"].as_str().unwrap()).collect();
    let expected =
        ["created", "invalid", "created", "member", "pending", "pending", "pending", "invalid", "invalid"];
    assert_eq!(statuses, expected, "{made}");
    let indexes: Vec<u64> = results.iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert_eq!(indexes, (0..9).collect::<Vec<_>>());
    assert!(results[1]["error"].as_str().unwrap().starts_with("email: "), "{made}");
    assert_eq!((&results[4]["invitation"]["id"], &results[4]["error"]), (&pending["id"], &json!(null)));
    assert_eq!(results[5]["invitation"]["id"], pending["id"]);
    assert!(results[5]["error"].as_str().unwrap().contains("another role"), "{made}");
    assert_eq!(results[6]["invitation"]["id"], results[2]["invitation"]["id"]);
    assert!(results[7]["error"].as_str().unwrap().contains("30 days"), "{made}");
    for created in [&results[0], &results[2]] {
        let token = token_of(&created["accept_url"]);
        assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "pending");
    }
    assert_eq!(inviting.actions().await, ["invitation.created"; 3]);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn a_hundred_people_are_invited_with_mails_once_for_a_key() {
    let inviting = Inviting::new().await;
    let path = format!("{}/bulk", inviting.path);
    let items = |number: usize| -> Vec<_> {
        (0..number).map(|number| json!({"email": format!("p{number}@example.com")})).collect()
    };
    let client = inviting.owner().key("k");
    let made = client.post(&path, json!({"items": items(100)})).await.expect(200);
    assert!(made["results"].as_array().unwrap().iter().all(|one| one["status"] == "created"), "{made}");
    let again = client.post(&path, json!({"items": items(100)})).await.expect(200);
    assert_eq!(again.body, made.body);
    assert_eq!(inviting.world().mail().await.len(), 100);
    let many = inviting.owner().post(&path, json!({"items": items(101)})).await;
    many.assert_violations(&["too_long body.items"]);
    inviting.assert_sound().await;
}
