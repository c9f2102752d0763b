//! The results of the rows of a file.

use std::collections::BTreeSet;

use serde_json::json;
use tenantry_testkit::Acme;

use super::{
    CSV, LINES, carry_out_due, counts, failures, import, lines, progress, send, total, with_large_events,
};

#[tokio::test]
async fn rows_become_customers_with_their_members_as_single_requests_make_them() {
    let acme = Acme::new().await;
    let file = "Email,External ID,Name,Type,Billing Address Country,Tax ID,Metadata,Owner Email,Members\r\n\
        Ada@Example.com,a-1, Ada ,,FR,FR61954506077,\"{\"\"plan\"\":\"\"pro\"\"}\",,\r\n\
        ,t-1,Team,team,,,,olga@example.com,\"[{\"\"email\"\":\"\"bob@example.com\"\",\"\"role\"\":\"\"billing_manager\"\"}]\"\r\n\
        \r\n\
        nobody,,,,,,,,\r\n\
        ada@example.com,,,,,,,,\r\n\
        x@example.com,,,,DE,nonsense,,,\r\n\
        y@example.com,,,,,,,,\"[{\"\"email\"\":\"\"bob@example.com\"\"}]\"\r\n\
        z@example.com,,,,,,{,,\r\n";
    let begun = send(&acme.client(), "", CSV, file).await.expect(202);
    assert_eq!((&begun["state"], &begun["rows"], &begun["done"]), (&json!("running"), &json!(7), &json!(0)));
    carry_out_due(&acme.world).await;
    let done = progress(&acme.client(), &begun.id()).await;
    assert_eq!((&done["state"], counts(&done)), (&json!("completed"), [2, 0, 0, 0, 5]));
    assert_eq!(failures(&done), ["3 email", "4 email", "5 tax_id", "6 members", "7 metadata"]);
    assert!(!done.to_string().contains("ada@example.com"), "failed rows repeat nothing of the file");

    let ada = acme.client().get("/v1/customers/external/a-1").await.expect(200);
    assert_eq!((&ada["email"], &ada["name"]), (&json!("Ada@example.com"), &json!("Ada")));
    assert_eq!((&ada["metadata"]["plan"], &ada["tax_id"][0]), (&json!("pro"), &json!("FR61954506077")));
    let members =
        acme.client().get("/v1/members?external_customer_id=t-1&sorting=created_at").await.expect(200);
    assert_eq!(members.each("email"), ["olga@example.com", "bob@example.com"]);
    assert_eq!(members.each("role"), ["owner", "billing_manager"]);
    assert_eq!((total(&acme.client(), "customers").await, total(&acme.client(), "members").await), (2, 3));
    let entries = acme.world.audit(&acme.organization).await;
    let created: Vec<_> = entries.iter().filter(|entry| entry.action == "customer.created").collect();
    assert_eq!(created.len(), 2);
    let by_request =
        |entry: &&tenantry_store::AuditRecord| entry.request_id.as_deref() == Some(begun.request_id());
    assert!(created.iter().all(by_request));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_export_can_be_imported_elsewhere() {
    let acme = Acme::new().await;
    let new = json!({"email": "ada@example.com", "name": "=1+1", "external_id": "a", "metadata": {"n": 3},
        "billing_address": {"country": "FR", "line1": "1, Rue"}});
    acme.client().post("/v1/customers", new).await.expect(201);
    let export = acme.client().get("/v1/customers/export?bom=true").await.expect(200).text;
    let other = acme.world.organization("other").await;
    let other = acme.world.token(&other, "*").await;
    let id = send(&other, "", CSV, &export).await.expect(202).id();
    carry_out_due(&acme.world).await;
    assert_eq!(counts(&progress(&other, &id).await), [1, 0, 0, 0, 0]);
    let copy = other.get("/v1/customers/external/a").await.expect(200);
    let original = acme.client().get("/v1/customers/external/a").await.expect(200);
    for field in ["email", "name", "metadata", "billing_address"] {
        assert_eq!(copy[field], original[field]);
    }
}

#[tokio::test]
async fn a_row_that_matches_a_customer_is_skipped_changed_or_refused() {
    let acme = Acme::new().await;
    let first =
        "{\"email\":\"a@example.com\",\"external_id\":\"a\",\"name\":\"A\"}\n{\"email\":\"b@example.com\"}\n";
    assert_eq!(counts(&import(&acme, "?on_match=skip", LINES, first).await), [2, 0, 0, 0, 0]);
    assert_eq!(counts(&import(&acme, "?on_match=skip", LINES, first).await), [0, 0, 0, 2, 0]);
    let refused = import(&acme, "", LINES, first).await;
    assert_eq!(
        (counts(&refused), failures(&refused)),
        ([0, 0, 0, 0, 2], vec!["1 email".into(), "2 email".into()])
    );
    let entries = acme.world.audit(&acme.organization).await.len();
    assert_eq!(counts(&import(&acme, "?on_match=update", LINES, first).await), [0, 0, 2, 0, 0]);
    assert_eq!(acme.world.audit(&acme.organization).await.len(), entries, "a no-op leaves no trace");

    let second = "{\"external_id\":\"a\",\"name\":\"Other\"}\n\
        {\"email\":\"B@example.com\",\"external_id\":\"b\",\"type\":\"team\",\"members\":[{\"email\":\"m@example.com\"}]}\n\
        {\"external_id\":\"a\",\"email\":\"b@example.com\"}\n{\"external_id\":\"new\"}\n{\"email\":\"c@example.com\"}\n";
    let changed = import(&acme, "?on_match=update", LINES, second).await;
    assert_eq!(
        (counts(&changed), failures(&changed)),
        ([1, 2, 0, 0, 2], vec!["3 email".into(), "4 email".into()])
    );
    let a = acme.client().get("/v1/customers/external/a").await.expect(200);
    assert_eq!((&a["name"], &a["email"]), (&json!("Other"), &json!("a@example.com")));
    let members = acme.client().get("/v1/members?external_customer_id=b").await.expect(200);
    assert_eq!(members.body["items"].as_array().unwrap().len(), 2);
    // An empty cell keeps what is there.
    assert_eq!(
        counts(&import(&acme, "?on_match=update", CSV, "external_id,name\na,\n").await),
        [0, 0, 1, 0, 0]
    );
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_counts_as_the_import_does_and_changes_nothing() {
    let acme = Acme::new().await;
    acme.client()
        .post("/v1/customers", json!({"email": "old@example.com", "external_id": "o"}))
        .await
        .expect(201);
    let file = "{\"email\":\"a@example.com\"}\n{\"email\":\"A@example.com\"}\n{\"email\":\"old@example.com\"}\n\
        {\"email\":\"b@example.com\",\"external_id\":\"b\"}\n{\"email\":\"c@example.com\",\"external_id\":\"b\"}\n{}\n";
    let entries = acme.world.audit(&acme.organization).await.len();
    let mut checked = Vec::new();
    for on_match in ["skip", "fail"] {
        let dry = import(&acme, &format!("?dry_run=true&on_match={on_match}"), LINES, file).await;
        assert_eq!((&dry["state"], &dry["dry_run"]), (&json!("completed"), &json!(true)));
        checked.push((counts(&dry), failures(&dry)));
    }
    assert_eq!(total(&acme.client(), "customers").await, 1);
    assert_eq!(acme.world.audit(&acme.organization).await.len(), entries);
    let real = import(&acme, "?on_match=fail", LINES, file).await;
    assert_eq!(checked[1], (counts(&real), failures(&real)));
    assert_eq!(checked[0].0, [2, 0, 0, 3, 1]);
    assert_eq!(total(&acme.client(), "customers").await, 3);
}

#[tokio::test]
async fn a_dry_run_makes_no_events_and_uses_no_budget_of_them() {
    let acme = Acme::new().await;
    let file = with_large_events(&acme).await;
    let dry = import(&acme, "?dry_run=true", LINES, &file).await;
    assert_eq!((&dry["state"], counts(&dry)), (&json!("completed"), [100, 0, 0, 0, 0]));
    let budgets = acme.world.database().texts("SELECT CAST(full_at AS text) FROM webhook_budgets");
    assert_eq!(budgets, Vec::<String>::new());
    assert_eq!(total(&acme.client(), "customers").await, 0);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn pages_of_failed_rows_are_in_the_order_of_the_file() {
    let acme = Acme::new().await;
    let file = format!("{}{}", "{}\n".repeat(25), lines(0..1));
    let done = import(&acme, "", LINES, &file).await;
    assert_eq!(done["failed_rows"]["pagination"], json!({"total_count": 25, "max_page": 1}));
    let mut seen = BTreeSet::new();
    for page in 1..=3 {
        let path = format!("/v1/customers/import/{}?page={page}&limit=10", done["id"].as_str().unwrap());
        let answer = acme.client().get(&path).await.expect(200).body;
        seen.extend(
            answer["failed_rows"]["items"].as_array().unwrap().iter().map(|row| row["row"].as_u64().unwrap()),
        );
    }
    assert_eq!(seen, (1..=25).collect());
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_as_a_whole() {
    let acme = Acme::new().await;
    let client = acme.client();
    for (query, content_type, file, place) in [
        ("", "application/json", "{}", "header.Content-Type"),
        ("?on_match=perhaps", CSV, "email\n", "query.on_match"),
        ("?dryrun=true", CSV, "email\n", "query.dryrun"),
        ("", CSV, "", "body"),
        ("", CSV, "email,phone\na@example.com,1\n", "body"),
        ("", CSV, "name\nAda\n", "body"),
        ("", CSV, "email\n\"a@example.com\n", "body"),
    ] {
        let refused = send(&client, query, content_type, file).await;
        let violations = refused.violations();
        assert!(violations.len() == 1 && violations[0].ends_with(&format!(" {place}")), "{refused}");
    }
    let long = format!("email\na@example.com\n{}\n", "x".repeat(300_000));
    send(&client, "", CSV, &long).await.assert_violations(&["value_error body"]);
    let empty = import(&acme, "", CSV, "email\n").await;
    assert_eq!((&empty["state"], &empty["rows"]), (&json!("completed"), &json!(0)));
    // Nothing that was refused is left.
    acme.world.app.sweep().await.unwrap();
    assert_eq!(total(&client, "customers").await, 0);
    assert_eq!(acme.world.database().texts("SELECT state FROM customer_imports"), ["completed"]);
    acme.world.anonymous().send("POST", "/v1/customers/import", Some(CSV), "email\n").await.expect(401);
}
