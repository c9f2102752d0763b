//! Pages of the lists of `/v2` (docs/contracts/ahasend.md, 1.9), by the example of the API keys.

use serde_json::{Value, json};

use tenantry_testkit::{Acme, Response, World};

/// An account with keys `7`, .. `1` and its first one, newest first.
async fn seven() -> Acme {
    let acme = Acme::new().await;
    for number in 1..=7 {
        let body = json!({"label": number.to_string(), "scopes": ["accounts:read"]});
        acme.client().post(&acme.api_keys(), body).await.expect(201);
    }
    acme
}

const WHOLE: [&str; 8] = ["7", "6", "5", "4", "3", "2", "1", "test"];

fn next(part: &Response) -> Option<&str> {
    assert_eq!(part["pagination"]["has_more"], json!(part["pagination"]["next_cursor"].is_string()));
    part["pagination"]["next_cursor"].as_str()
}

fn previous(part: &Response) -> Option<&str> {
    part["pagination"]["previous_cursor"].as_str()
}

#[tokio::test]
async fn pages_forward_and_back_show_each_row_once() {
    let acme = seven().await;
    let (client, keys) = (acme.client(), acme.api_keys());
    let whole = client.get(&keys).await.expect(200);
    assert_eq!(whole.each("label"), WHOLE);
    assert_eq!(whole["pagination"], json!({"has_more": false}), "cursors are left out, not null");
    assert_eq!(whole["object"], json!("list"));
    for limit in [1, 3, 4, 8] {
        let mut parts = vec![client.get(&format!("{keys}?limit={limit}")).await.expect(200)];
        assert_eq!(previous(&parts[0]), None);
        while let Some(cursor) = next(parts.last().unwrap()) {
            let part = client.get(&format!("{keys}?limit={limit}&after={cursor}")).await.expect(200);
            // `cursor` is the former name of `after`.
            let same = client.get(&format!("{keys}?limit={limit}&cursor={cursor}")).await.expect(200);
            assert_eq!(same["data"], part["data"]);
            parts.push(part);
        }
        let walked: Vec<&str> = parts.iter().flat_map(|part| part.each("label")).collect();
        assert_eq!(walked, WHOLE, "{limit}");
        assert!(parts.iter().rev().skip(1).all(|part| part.each("label").len() == limit));
        let mut here = parts.pop().unwrap();
        while let Some(cursor) = previous(&here) {
            here = client.get(&format!("{keys}?limit={limit}&before={cursor}")).await.expect(200);
            assert_eq!(here["data"], parts.pop().unwrap()["data"], "{limit}");
            assert_eq!(here["pagination"]["has_more"], json!(true));
        }
        assert!(parts.is_empty(), "{limit}");
    }
}

#[tokio::test]
async fn created_and_deleted_rows_shift_no_page() {
    let acme = seven().await;
    let (client, keys) = (acme.client(), acme.api_keys());
    let first = client.get(&format!("{keys}?limit=3")).await.expect(200);
    // The last row of the page is deleted, and another row is created.
    let edge = first["data"][2]["id"].as_str().unwrap();
    client.delete(&format!("{keys}/{edge}")).await.expect(200);
    client.post(&keys, json!({"label": "8", "scopes": ["*"]})).await.expect(201);
    let second = client.get(&format!("{keys}?limit=3&after={}", next(&first).unwrap())).await.expect(200);
    assert_eq!(second.each("label"), ["4", "3", "2"]);
    let back = client.get(&format!("{keys}?limit=3&before={}", previous(&second).unwrap())).await;
    assert_eq!(back.each("label"), ["8", "7", "6"]);
    assert_eq!(previous(&back), None, "the beginning is reached");
}

#[tokio::test]
async fn invalid_limits_are_refused() {
    let acme = Acme::new().await;
    for limit in ["0", "101", "-1", "x", "", "1.0", "99999999999999999999"] {
        let refused = acme.client().get(&format!("{}?limit={limit}", acme.api_keys())).await.expect(400);
        assert_eq!(refused.message(), "limit must be between 1 and 100");
    }
    acme.client().get(&format!("{}?limit=100", acme.api_keys())).await.expect(200);
}

#[tokio::test]
async fn a_cursor_works_for_its_own_list_only() {
    let acme = seven().await;
    let (client, keys) = (acme.client(), acme.api_keys());
    let part = client.get(&format!("{keys}?limit=2")).await.expect(200);
    let cursor = next(&part).unwrap().to_owned();
    let both = client.get(&format!("{keys}?after={cursor}&before={cursor}")).await.expect(400);
    assert_eq!(both.message(), "after and before cannot be used together");
    let both = client.get(&format!("{keys}?cursor={cursor}&before={cursor}")).await.expect(400);
    assert_eq!(both.message(), "after and before cannot be used together");
    let id = part["data"][0]["id"].as_str().unwrap();
    for forged in ["", "x", id, "eyJpZCI6MTIzNH0=", &cursor[1..], &format!("{cursor}A")] {
        for name in ["after", "before", "cursor"] {
            let refused = client.get(&format!("{keys}?{name}={forged}")).await.expect(400);
            assert_eq!(refused.message(), format!("{name} is not a cursor of this list"));
        }
    }
    let other = acme.world.organization("other").await;
    let foreign = acme.world.token(&other, "*").await;
    let keys = format!("/v2/accounts/{}/api-keys", other.id);
    foreign.get(&format!("{keys}?after={cursor}")).await.expect(400);
}

#[tokio::test]
async fn a_cursor_reveals_nothing() {
    let world = World::new();
    let tenant = world.organization("acme").await;
    let client = world.token(&tenant, "*").await;
    let keys = format!("/v2/accounts/{}/api-keys", tenant.id);
    client.post(&keys, json!({"label": "x", "scopes": ["*"]})).await.expect(201);
    let cursors: Vec<Value> = [
        client.get(&format!("{keys}?limit=1")).await["pagination"]["next_cursor"].clone(),
        client.get(&format!("{keys}?limit=1")).await["pagination"]["next_cursor"].clone(),
    ]
    .to_vec();
    assert!(cursors.iter().all(Value::is_string));
    assert_ne!(cursors[0], cursors[1]);
}
