//! `ETag`, `If-Match` and `If-None-Match` over the rows of both dialects.

use serde_json::{Value, json};
use tenantry_testkit::{Acme, Client, Response, TRUSTED_ORIGIN};

/// A row: the path of its GET, where it has one, and two changes of it.
struct Row {
    path: String,
    verb: &'static str,
    changes: [Value; 2],
}

fn etag(response: &Response) -> String {
    response.header("etag").unwrap_or_else(|| panic!("no ETag: {response}")).to_owned()
}

/// One row of each kind, and the response to the POST that created it where that shows the row.
async fn rows(acme: &Acme) -> Vec<(Row, Option<Response>)> {
    let client = acme.client();
    let names =
        |verb, path: String| Row { path, verb, changes: [json!({"name": "One"}), json!({"name": "Two"})] };
    let customer =
        json!({"email": "c@example.com", "external_id": "c", "type": "team", "metadata": {"a": 1.5, "b": 2}});
    let customer = client.post("/v1/customers", customer).await.expect(201);
    let member = json!({"email": "m@example.com", "external_id": "m", "customer_id": customer.id()});
    let member = client.post("/v1/members", member).await.expect(201);
    let endpoint =
        json!({"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]});
    let endpoint = client.post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    let token = json!({"comment": "t", "scopes": ["customers:read"]});
    let token = client.post("/v1/organization-access-tokens", token).await.expect(201);
    assert_eq!(token.header("etag"), None, "a response with a secret shows more than the row");
    let token = token["organization_access_token"]["id"].as_str().unwrap().to_owned();
    let (key, _) = acme.create_api_key(&["accounts:read"]).await;
    let invited =
        client.post(&format!("{}/members", acme.path_v1()), json!({"email": "p@example.com"})).await;
    let person = invited.clone().expect(201)["user_id"].as_str().unwrap().to_owned();
    let child = json!({"name": "Child", "website": "child.example.com"});
    let child = client.post(&format!("{}/sub-accounts", acme.path_v2()), child).await.expect(201);
    let websites = [json!({"website": "https://one.example"}), json!({"website": "https://two.example"})];
    vec![
        (names("PATCH", acme.path_v1()), None),
        (Row { path: acme.path_v2(), verb: "PUT", changes: websites }, None),
        (names("PATCH", format!("/v1/customers/{}", customer.id())), Some(customer)),
        (names("PATCH", "/v1/customers/external/c".to_owned()), None),
        (names("PATCH", format!("/v1/members/{}", member.id())), Some(member)),
        (names("PATCH", "/v1/customers/external/c/members/m".to_owned()), None),
        (names("PATCH", format!("/v1/webhooks/endpoints/{}", endpoint.id())), Some(endpoint)),
        (
            Row {
                path: format!("/v1/organization-access-tokens/{token}"),
                verb: "PATCH",
                changes: [json!({"comment": "One"}), json!({"comment": "Two"})],
            },
            None,
        ),
        (
            Row {
                path: format!("{}/{key}", acme.api_keys()),
                verb: "PUT",
                changes: [json!({"label": "One"}), json!({"label": "Two"})],
            },
            None,
        ),
        (
            Row {
                path: format!("{}/members/{person}", acme.path_v1()),
                verb: "PATCH",
                changes: [json!({"role": "admin"}), json!({"role": "finance"})],
            },
            Some(invited),
        ),
        (names("PUT", format!("{}/sub-accounts/{}", acme.path_v2(), child.id())), Some(child)),
    ]
}

#[tokio::test]
async fn every_row_has_an_etag_that_follows_it() {
    let acme = Acme::new().await;
    let client = acme.client();
    for (Row { path, verb, changes: [one, two] }, created) in rows(&acme).await {
        let shown = client.get(&path).await.expect(200);
        let first = etag(&shown);
        assert_eq!(
            created.map_or(first.clone(), |created| etag(&created)),
            first,
            "{path}: creation shows the row"
        );
        assert_eq!(etag(&client.get(&path).await), first, "{path}: the same row");
        let known = client.with("if-none-match", &first).get(&path).await.expect(304);
        assert_eq!((known.text.as_str(), etag(&known)), ("", first.clone()), "{path}");
        assert_eq!(known.header("content-type"), None);
        client.with("if-match", &first).get(&path).await.expect(200);

        let changed = client.with("if-match", &first).json(verb, &path, &one).await.expect(200);
        let second = etag(&changed);
        assert_ne!(second, first, "{path}");
        assert_eq!(etag(&client.get(&path).await), second, "{path}: the response shows what was stored");
        client.with("if-none-match", &first).get(&path).await.expect(200);
        client.with("if-match", &first).get(&path).await.expect(412);

        // An outdated change changes nothing.
        client.with("if-match", &first).json(verb, &path, &two).await.expect(412);
        assert_eq!(etag(&client.get(&path).await), second, "{path}");
        client.with("if-none-match", &second).json(verb, &path, &two).await.expect(412);
        client.with("if-match", format!("\"x\", {second}")).json(verb, &path, &two).await.expect(200);
        client.json(verb, &path, &one).await.expect(200);
        let last = etag(&client.with("if-match", "*").json(verb, &path, &two).await.expect(200));
        client.with("if-match", format!("W/{last}")).json(verb, &path, &one).await.expect(412);
        client.with("if-none-match", format!("W/{last}")).get(&path).await.expect(304);
    }
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn an_outdated_deletion_deletes_nothing() {
    let acme = Acme::new().await;
    let client = acme.client();
    let rows = rows(&acme).await;
    // A customer takes its members with it.
    for (Row { path, verb, changes: [one, _] }, _) in rows.into_iter().rev() {
        if path == acme.path_v1() || path == acme.path_v2() || path.contains("external") {
            continue;
        }
        let first = etag(&client.get(&path).await.expect(200));
        let second = etag(&client.json(verb, &path, &one).await.expect(200));
        client.with("if-match", &first).delete(&path).await.expect(412);
        assert_eq!(etag(&client.get(&path).await.expect(200)), second, "{path}");
        let deleted = client.with("if-match", &second).delete(&path).await;
        assert!([200, 204].contains(&deleted.status), "{deleted}");
        assert_eq!(deleted.header("etag"), None);
        client.with("if-match", &second).delete(&path).await.expect(404);
        client.with("if-match", "*").get(&path).await.expect(404);
    }
    assert!(acme.world.findings().await.is_empty());
}

#[tokio::test]
async fn malformed_conditions_are_400_and_change_nothing() {
    let acme = Acme::new().await;
    let client = acme.client();
    let before = acme.world.audit(&acme.organization).await.len();
    for text in ["abc", "", "\"abc", "*, \"abc\"", "\"a\" \"b\"", "w/\"a\"", "\"a b\""] {
        let refused = client.with("if-match", text).patch(&acme.path_v1(), json!({"name": "X"})).await;
        refused.assert_error(400, "ConditionInvalid");
        assert!(refused["detail"].as_str().unwrap().starts_with("If-Match is neither"));
        let refused = client.with("if-none-match", text).get(&acme.path_v2()).await.expect(400);
        assert!(refused.message().starts_with("If-None-Match is neither"));
    }
    // Where there is no row to compare, the headers mean nothing.
    client.with("if-match", "abc").get("/v1/organizations").await.expect(200);
    client
        .with("if-match", "\"x\"")
        .post("/v1/customers", json!({"email": "c@example.com"}))
        .await
        .expect(201);
    let entries = acme.world.audit(&acme.organization).await;
    assert!(entries[before..].iter().all(|entry| entry.action != "organization.updated"));
}

#[tokio::test]
async fn a_condition_tells_nothing_about_another_tenant() {
    let acme = Acme::new().await;
    let client = acme.client();
    let customer = client.post("/v1/customers", json!({"email": "c@example.com"})).await.expect(201);
    let other = acme.world.organization("other").await;
    let stranger = acme.world.token(&other, "*").await;
    let path = format!("/v1/customers/{}", customer.id());
    let unknown = "/v1/customers/00000000-0000-4000-8000-000000000000";
    for tag in ["*", "\"x\"", &etag(&customer)] {
        for header in ["if-match", "if-none-match"] {
            let stranger = stranger.with(header, tag);
            for method in ["GET", "PATCH", "DELETE"] {
                let body = (method == "PATCH").then(|| json!({}));
                let foreign = stranger.call(method, &path, body.clone()).await.expect(404);
                assert_eq!(foreign.text, stranger.call(method, unknown, body).await.expect(404).text);
            }
        }
    }
}

#[tokio::test]
async fn a_replay_has_the_etag_of_the_first_response() {
    let acme = Acme::new().await;
    let client = acme.client().key("once");
    let body = json!({"email": "c@example.com"});
    let first = client.post("/v1/customers", body.clone()).await.expect(201);
    acme.client().patch(&format!("/v1/customers/{}", first.id()), json!({"name": "N"})).await.expect(200);
    let again = client.post("/v1/customers", body).await.expect(201);
    assert_eq!((again.replayed().0, etag(&again)), (Some("true"), etag(&first)));
}

#[tokio::test]
async fn a_masked_secret_has_an_etag_of_its_own() {
    let acme = Acme::new().await;
    let endpoint =
        json!({"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]});
    let endpoint = acme.client().post("/v1/webhooks/endpoints", endpoint).await.expect(201);
    let path = format!("/v1/webhooks/endpoints/{}", endpoint.id());
    let reader = acme.world.token(&acme.organization, "webhooks:read").await;
    let masked = etag(&reader.get(&path).await.expect(200));
    assert_ne!(masked, etag(&endpoint));
    acme.client().patch(&format!("{path}/secret"), json!({})).await.expect(200);
    reader.with("if-none-match", &masked).get(&path).await.expect(200);
}

#[tokio::test]
async fn browsers_send_conditions_and_see_the_etag() {
    let acme = Acme::new().await;
    let page = acme.world.anonymous().with("origin", "https://shop.example");
    let asked = page
        .with("access-control-request-method", "PATCH")
        .with("access-control-request-headers", "authorization, if-match, if-none-match");
    asked.send("OPTIONS", "/v1/customers/x", None, "").await.expect(200);
    for origin in ["https://shop.example", TRUSTED_ORIGIN] {
        let shown = acme.client().with("origin", origin).get(&acme.path_v1()).await.expect(200);
        let exposed = shown.header("access-control-expose-headers").unwrap();
        assert!(exposed.split(", ").any(|name| name == "ETag"), "{exposed}");
    }
}

/// Changes with one tag at the same time, by two nodes where the engine has them. Exactly one succeeds.
async fn race(clients: [&Client<'_>; 2], path: &str, verb: &str, change: impl Fn(usize) -> Value) {
    let tag = etag(&clients[0].get(path).await.expect(200));
    let send = async |number: usize| {
        clients[number % 2].with("if-match", &tag).json(verb, path, &change(number)).await
    };
    let (a, b, c, d) = tokio::join!(send(0), send(1), send(2), send(3));
    let answers = [a, b, c, d];
    let winners: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(winners.len(), 1, "{path}: {answers:?}");
    assert!(answers.iter().all(|answer| [200, 412].contains(&answer.status)), "{path}");
    assert_eq!(etag(&clients[1].get(path).await), etag(winners[0]), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_concurrent_changes_with_one_etag_exactly_one_succeeds() {
    let acme = Acme::new().await;
    let other = acme.world.other_node();
    let clients = [acme.client(), other.bearer(&acme.client().secret())];
    for (round, (Row { path, verb, changes: [one, _] }, _)) in rows(&acme).await.into_iter().enumerate() {
        let (field, _) = one.as_object().unwrap().iter().next().unwrap();
        // There are few roles, and a website is a URL.
        let change = |number: usize| match field.as_str() {
            "role" => json!({"role": (["admin", "finance"][number % 2])}),
            "website" => json!({"website": format!("https://w{number}.example")}),
            // A change to the same name is none, and keeps the ETag.
            field => json!({field: format!("Name {round} {number}")}),
        };
        race([&clients[0], &clients[1]], &path, verb, change).await;
    }
    assert!(acme.world.findings().await.is_empty());
}
