//! Malformed input: each request is refused with the right violation, and none causes a 5xx.

use serde_json::{Value, json};

use tenantry_testkit::Acme;

/// A request of each dialect with a body, and the name of a text field in it.
async fn writable(acme: &Acme) -> Vec<(&'static str, String, &'static str)> {
    let customer = acme.create_team("t").await;
    let member = acme.create_member(&customer, "m").await;
    vec![
        ("POST", "/v1/members".to_owned(), "name"),
        ("PATCH", format!("/v1/members/{member}"), "name"),
        ("POST", "/v1/customers".to_owned(), "name"),
        ("PATCH", format!("/v1/customers/{customer}"), "name"),
        ("PATCH", format!("/v1/customers/{customer}"), "external_id"),
        ("PATCH", acme.path_v1(), "name"),
        ("PATCH", acme.path_v1(), "billing_email"),
        ("PUT", acme.path_v2(), "about"),
        ("PUT", acme.path_v2(), "name"),
        ("POST", format!("{}/members", acme.path_v2()), "name"),
    ]
}

#[tokio::test]
async fn json_errors_name_their_position() {
    let acme = Acme::new().await;
    for (body, position) in [
        ("{", 1),
        ("{\"name\": ", 9),
        ("{\"name\": \"Acme\",}", 15),
        ("{\"name\": \"Acme\"", 15),
        ("[1, 2,]", 5),
        ("nope", 0),
        ("{} {}", 3),
        ("{\"a\" 1}", 5),
        ("{'a': 1}", 1),
        ("{\"ü\": }", 6),
        ("\"a", 0),
        ("{\"a\": 01}", 7),
        ("{\"a\": \"\n\"}", 7),
        ("{\"a\": \"\\x\"}", 7),
    ] {
        let answer = acme.client().raw("PATCH", &acme.path_v1(), body).await;
        assert_eq!(answer.violations(), [format!("json_invalid body.{position}")], "{body}");
        let fault = &answer["detail"][0];
        assert_eq!((&fault["msg"], &fault["input"]), (&json!("JSON decode error"), &json!({})));
        assert!(fault["ctx"]["error"].is_string());
    }
}

#[tokio::test]
async fn a_body_that_is_no_object_is_refused() {
    let acme = Acme::new().await;
    let patch =
        async |kind: Option<&str>, body: &str| acme.client().send("PATCH", &acme.path_v1(), kind, body).await;
    let json = Some("application/json");
    for (kind, body, fault) in [
        (json, "", "missing body"),
        (json, "null", "missing body"),
        (None, "", "missing body"),
        (json, "[]", "model_attributes_type body"),
        (json, "\"x\"", "model_attributes_type body"),
        (json, "1", "model_attributes_type body"),
        (Some("text/plain"), "{\"name\": \"Acme\"}", "model_attributes_type body"),
        (None, "{\"name\": \"Acme\"}", "model_attributes_type body"),
        (Some("application/x-www-form-urlencoded"), "name=Acme", "model_attributes_type body"),
    ] {
        assert_eq!(patch(kind, body).await.violations(), [fault], "{kind:?} {body}");
    }
    for kind in ["application/json; charset=utf-8", "APPLICATION/JSON", "application/merge-patch+json"] {
        patch(Some(kind), "{\"name\": \"Acme\"}").await.expect(200);
    }
    let echoed = patch(Some("text/plain"), "hello").await;
    assert_eq!(echoed["detail"][0]["input"], json!("hello"));
    acme.client().send("PUT", &acme.path_v2(), Some("text/plain"), "{\"name\": \"Acme\"}").await.expect(200);
}

#[tokio::test]
async fn characters_that_no_text_has() {
    let acme = Acme::new().await;
    for (method, path, field) in writable(&acme).await {
        for text in ["a\\u0000b", "\\ud800", "\\udc00\\ud800", "\u{202e}abc", "\\uffff\\ufffe", "🦀"] {
            let body = format!(
                "{{\"{field}\": \"{text}\", \"email\": \"a@example.com\", \"role\": \"x\", \"customer_id\": \"x\"}}"
            );
            let answer = acme.client().raw(method, &path, body).await;
            let nul = text.contains("u0000") || text.contains("ud800");
            assert!(!nul || matches!(answer.status, 400 | 422), "{text}: {answer}");
        }
        let answer = acme.client().raw(method, &path, b"{\"name\": \"\xff\xfe\"}".to_vec()).await;
        assert!(matches!(answer.status, 400 | 422), "{answer}");
    }
    let nested = json!({"email": "n@example.com", "metadata": {"a": "x\0"}});
    acme.client().post("/v1/customers", nested).await.expect(422);
    let key = json!({"email": "n@example.com", "metadata": {"a\0": "x"}});
    acme.client().post("/v1/customers", key).await.expect(422);
}

#[tokio::test]
async fn numbers_that_no_column_holds() {
    let acme = Acme::new().await;
    for number in [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "9223372036854775808",
        "1e19",
        "123456789012345678901234567890",
        "0.1",
        "1E+2",
        "-0",
        "1e-400",
    ] {
        for (method, path, field) in [
            ("PATCH", acme.path_v1(), "pledge_minimum_amount"),
            ("PATCH", acme.path_v1(), "default_upfront_split_to_contributors"),
            ("PATCH", acme.path_v1(), "total_monthly_spending_limit"),
            ("PUT", acme.path_v2(), "message_data_retention"),
        ] {
            let answer = acme.client().raw(method, &path, format!("{{\"{field}\": {number}}}")).await;
            assert!(matches!(answer.status, 200 | 400 | 422), "{number}: {answer}");
        }
        let email = format!("n{}@example.com", number.len());
        let body = format!("{{\"email\": \"{email}\", \"metadata\": {{\"n\": {number}}}}}");
        let answer = acme.client().raw("POST", "/v1/customers", body).await;
        assert!(matches!(answer.status, 201 | 422), "{number}: {answer}");
        if answer.status == 201 {
            let seen = acme.client().get(&format!("/v1/customers/{}", answer.id())).await.expect(200);
            assert_eq!(seen.text, answer.text, "{number}");
        }
    }
    for limit in [i64::MAX, i64::MIN] {
        acme.client().patch(&acme.path_v1(), json!({"pledge_minimum_amount": limit})).await.expect(200);
    }
}

#[tokio::test]
async fn nesting_without_end() {
    let acme = Acme::new().await;
    for depth in [100, 127, 128, 129, 10_000] {
        let deep = |open: &str, close: &str| {
            format!("{{\"metadata\": {}1{}}}", open.repeat(depth), close.repeat(depth))
        };
        for body in [deep("[", "]"), deep("{\"a\":", "}"), "[".repeat(depth), "{\"a\":".repeat(depth)] {
            for (method, path) in
                [("POST", "/v1/customers".to_owned()), ("PATCH", acme.path_v1()), ("PUT", acme.path_v2())]
            {
                let answer = acme.client().raw(method, &path, body.clone()).await;
                assert!(matches!(answer.status, 200 | 400 | 422), "{depth}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn the_last_of_two_fields_counts() {
    let acme = Acme::new().await;
    let answer =
        acme.client().raw("PATCH", &acme.path_v1(), "{\"name\": \"First\", \"name\": \"Second\"}").await;
    assert_eq!(answer.expect(200)["name"], json!("Second"));
    let answer = acme.client().raw("PUT", &acme.path_v2(), "{\"name\": 1, \"name\": \"Third\"}").await;
    assert_eq!(answer.expect(200)["name"], json!("Third"));
}

#[tokio::test]
async fn queries_of_every_kind() {
    let acme = Acme::new().await;
    acme.create_team("t").await;
    for query in [
        "page=1&page=2",
        "limit=%00",
        "page=%FF%FE",
        "sorting=%00",
        "query=%00",
        "email=%FF",
        "metadata[%00]=%00",
        "metadata[",
        "metadata[]=",
        "metadata[a",
        "metadata[a]b]=c",
        "metadata[a]=%FF",
        "query=%25%5F%5C",
        "&&&=&=",
        "a=b;c=d",
        "page=+1",
        "page=%201",
        "page=1.0",
        "limit=0x10",
        "external_customer_id=%00",
        "customer_id=%00",
        "role=%00",
        "slug=%00",
        "organization_id=%00",
        "active=%00",
        "email=",
        "query=%22'--",
        "sorting=",
    ] {
        for path in ["/v1/customers", "/v1/members", "/v1/organizations"] {
            let answer = acme.client().get(&format!("{path}?{query}")).await;
            assert!(matches!(answer.status, 200 | 404 | 422), "{answer}");
        }
    }
    let many: String = (0..100).map(|number| format!("metadata[k{number}]=v&sorting=name&")).collect();
    acme.client().get(&format!("/v1/customers?{many}")).await.expect(200);
}

#[tokio::test]
async fn paths_of_every_kind() {
    let acme = Acme::new().await;
    let long = "x".repeat(10_000);
    for id in [
        "%00",
        "%FF",
        "%2F",
        "a%2Fb",
        "%2e%2e",
        "..",
        "'",
        "%25",
        "%",
        "%zz",
        "+",
        "%20",
        long.as_str(),
        "%F0%9F%A6%80",
    ] {
        for path in [
            format!("/v1/customers/{id}"),
            format!("/v1/customers/external/{id}"),
            format!("/v1/customers/external/{id}/members/{id}"),
            format!("/v1/members/{id}"),
            format!("/v1/members/external/{id}?external_customer_id={id}"),
            format!("/v1/organizations/{id}"),
            format!("/v2/accounts/{id}"),
            format!("/v2/accounts/{}/members/{id}", acme.organization.id),
        ] {
            let Ok(_) = path.parse::<axum::http::Uri>() else { continue };
            for answer in [
                acme.client().get(&path).await,
                acme.client().delete(&path).await,
                acme.client().patch(&path, json!({})).await,
            ] {
                assert!(matches!(answer.status, 400 | 401 | 404 | 405 | 422), "{answer}");
            }
        }
    }
}

#[tokio::test]
async fn an_external_id_may_be_anything_that_text_can_be() {
    let acme = Acme::new().await;
    for (number, (external_id, path)) in [
        ("a/b", "a%2Fb"),
        ("..", "%2e%2e"),
        ("a?b#c", "a%3Fb%23c"),
        ("100%", "100%25"),
        ("a+b", "a+b"),
        ("ü🦀", "%C3%BC%F0%9F%A6%80"),
        ("%2F", "%252F"),
    ]
    .into_iter()
    .enumerate()
    {
        let body =
            json!({"type": "team", "email": format!("c{number}@example.com"), "external_id": external_id});
        let created = acme.client().post("/v1/customers", body).await.expect(201);
        let seen = acme.client().get(&format!("/v1/customers/external/{path}")).await.expect(200);
        assert_eq!(seen.body, created.body, "{external_id}");
        let member =
            acme.client().get(&format!("/v1/customers/external/{path}/members/{path}")).await.expect(200);
        assert_eq!(member["external_id"], json!(external_id));
    }
}

#[tokio::test]
async fn headers_that_are_no_text() {
    let acme = Acme::new().await;
    for name in [
        "polar-version",
        "origin",
        "content-type",
        "idempotency-key",
        "accept",
        "access-control-request-method",
    ] {
        let members = format!("{}/members", acme.path_v2());
        let client = acme.client().with(name, [0xff, 0xfe]);
        for answer in [client.get("/v1/members").await, client.send("POST", &members, None, "{}").await] {
            assert!(matches!(answer.status, 200 | 400 | 404), "{answer}");
        }
    }
    let body: Value = json!({"name": "Acme"});
    acme.client().with("content-length", "nonsense").patch(&acme.path_v1(), body).await.expect(200);
}
