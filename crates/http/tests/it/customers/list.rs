//! `GET /v1/customers`.

use serde_json::json;

use tenantry_testkit::Acme;

async fn three() -> Acme {
    let acme = Acme::new().await;
    for (email, name, external_id, metadata) in [
        ("b@example.com", "Bob 100%", "usr_1", json!({"plan": "pro", "seats": 1})),
        ("a@example.com", "ann", "usr_2", json!({"plan": "free", "trial": true})),
        ("c@other.org", "Zoë", "USR_3", json!({"plan": "pro", "rate": 1.0})),
    ] {
        let body = json!({"email": email, "name": name, "external_id": external_id, "metadata": metadata});
        acme.client().post("/v1/customers", body).await.expect(201);
    }
    acme
}

#[tokio::test]
async fn filters() {
    let acme = three().await;
    for (query, found) in [
        ("", vec!["USR_3", "usr_2", "usr_1"]),
        ("email=A@EXAMPLE.COM", vec!["usr_2"]),
        ("email=a@example", vec![]),
        ("query=EXAMPLE", vec!["usr_2", "usr_1"]),
        ("query=100%25", vec!["usr_1"]),
        ("query=%25", vec!["usr_1"]),
        ("query=_", vec!["USR_3", "usr_2", "usr_1"]),
        ("query=zo%C3%AB", vec!["USR_3"]),
        ("query=usr_2", vec!["usr_2"]),
        ("query=", vec!["USR_3", "usr_2", "usr_1"]),
        ("metadata[plan]=pro", vec!["USR_3", "usr_1"]),
        ("metadata[plan]=pro&metadata[plan]=free", vec!["USR_3", "usr_2", "usr_1"]),
        ("metadata[plan]=pro&metadata[seats]=1", vec!["usr_1"]),
        ("metadata[trial]=true", vec!["usr_2"]),
        ("metadata[rate]=1.0", vec!["USR_3"]),
        ("metadata[none]=1", vec![]),
        ("metadata=ignored", vec!["USR_3", "usr_2", "usr_1"]),
        ("active=true", vec![]),
        ("active=OFF", vec!["USR_3", "usr_2", "usr_1"]),
        ("unknown=1", vec!["USR_3", "usr_2", "usr_1"]),
        ("organization_id=0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e", vec![]),
    ] {
        // `_` is text, not a pattern. No address or name contains it, and no external id begins with it.
        let found = if query == "query=_" { vec![] } else { found };
        let answer = acme.client().get(&format!("/v1/customers?{query}")).await.expect(200);
        assert_eq!(answer.each("external_id"), found, "{query}");
        assert_eq!(answer["pagination"]["total_count"], json!(found.len()), "{query}");
    }
    let own = format!(
        "/v1/customers?organization_id={}&organization_id={}",
        acme.organization.id, acme.organization.id
    );
    assert_eq!(acme.client().get(&own).await.expect(200)["pagination"]["total_count"], json!(3));
}

#[tokio::test]
async fn sorting_and_pages() {
    let acme = three().await;
    for (query, found) in [
        ("sorting=email", ["usr_2", "usr_1", "USR_3"]),
        ("sorting=-email", ["USR_3", "usr_1", "usr_2"]),
        ("sorting=created_at", ["usr_1", "usr_2", "USR_3"]),
        ("sorting=-created_at&sorting=name", ["USR_3", "usr_2", "usr_1"]),
        ("limit=1000", ["USR_3", "usr_2", "usr_1"]),
        ("limit=1&limit=1.0&limit=3", ["USR_3", "usr_2", "usr_1"]),
    ] {
        let answer = acme.client().get(&format!("/v1/customers?{query}")).await.expect(200);
        assert_eq!(answer.each("external_id"), found, "{query}");
    }
    let page = acme.client().get("/v1/customers?limit=2&page=2").await.expect(200);
    assert_eq!(
        (page.each("external_id"), &page["pagination"]),
        (vec!["usr_1"], &json!({"total_count": 3, "max_page": 2}))
    );
}

#[tokio::test]
async fn invalid_queries_are_refused() {
    let acme = Acme::new().await;
    for (query, faults) in [
        ("page=0&limit=-1", vec!["greater_than query.page", "greater_than query.limit"]),
        ("page=&limit=x", vec!["int_parsing query.page", "int_parsing query.limit"]),
        ("sorting=created_at,email&sorting=-id", vec!["enum query.sorting.0", "enum query.sorting.1"]),
        ("active=", vec!["bool_parsing query.active"]),
        ("organization_id=a,b", vec!["uuid_parsing query.organization_id.0"]),
    ] {
        let answer = acme.client().get(&format!("/v1/customers?{query}")).await;
        assert_eq!(answer.violations(), faults, "{query}");
    }
}

#[tokio::test]
async fn a_page_far_beyond_the_end_is_empty() {
    let acme = three().await;
    for page in ["1000", "9223372036854775807"] {
        let answer = acme.client().get(&format!("/v1/customers?page={page}&limit=100")).await.expect(200);
        assert_eq!(answer["items"], json!([]));
        assert_eq!(answer["pagination"]["total_count"], json!(3));
    }
    for page in ["9223372036854775808", "1e3", "99999999999999999999999999"] {
        let answer = acme.client().get(&format!("/v1/customers?page={page}")).await;
        assert_eq!(answer.status, 422, "{answer}");
    }
}
