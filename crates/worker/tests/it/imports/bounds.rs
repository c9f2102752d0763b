//! The bounds of what imports store, and of their parts.

use serde_json::{Value, json};
use tenantry_app::imports::{ImportBegin, ImportReceive, ImportSettings, ImportStart};
use tenantry_app::limits::IMPORT_SILENCE_S;
use tenantry_app::{Error, Requester};
use tenantry_core::customer::{ImportFormat, OnMatch};
use tenantry_testkit::Acme;

use super::{
    CSV, LINES, carry_out_due, chunks, counts, import, lines, one_part, progress, send, states, subscribe,
    total,
};

#[tokio::test]
async fn an_owner_has_two_unfinished_imports_over_all_organizations() {
    let acme = Acme::new().await;
    let second = acme.world.organization_owned_by("second", &acme.organization.owner).await;
    let second = acme.world.token(&second, "*").await;
    send(&acme.client(), "", LINES, &lines(0..2)).await.expect(202);
    send(&second, "", LINES, &lines(0..2)).await.expect(202);
    let refused = send(&acme.client(), "", LINES, &lines(2..4)).await;
    refused.assert_error(429, "TooManyRequests");
    assert!(refused.header("retry-after").is_some());
    let other = acme.world.organization("other").await;
    send(&acme.world.token(&other, "*").await, "", LINES, &lines(0..2)).await.expect(202);
    carry_out_due(&acme.world).await;
    send(&second, "", LINES, &lines(2..4)).await.expect(202);
}

#[tokio::test]
async fn a_finished_import_is_deleted_after_its_retention() {
    let acme = Acme::new().await;
    let file = format!("{}{{}}\n", lines(0..2));
    for query in ["", "?dry_run=true"] {
        import(&acme, query, LINES, &file).await;
    }
    acme.world.app.sweep().await.unwrap();
    assert_eq!(acme.world.database().texts("SELECT state FROM customer_imports").len(), 2);
    acme.world.advance_s(8 * 24 * 60 * 60);
    acme.world.app.sweep().await.unwrap();
    for (table, column) in [
        ("customer_imports", "state"),
        ("customer_import_failures", "faults"),
        ("customer_import_keys", "row_key"),
    ] {
        let left = acme.world.database().texts(&format!("SELECT {column} FROM {table}"));
        assert_eq!(left, Vec::<String>::new(), "{table}");
    }
    assert_eq!(total(&acme.client(), "customers").await, 2);
}

#[tokio::test]
async fn uploads_that_are_refused_or_replayed_leave_nothing() {
    let acme = Acme::new().await;
    let large = |end: &str| format!("email,name\n{}{end}\n", "a@example.com,Ada\n".repeat(40_000));
    send(&acme.client(), "", CSV, &large("\"")).await.assert_violations(&["value_error body"]);
    assert_eq!((states(&acme.world).len(), chunks(&acme.world)), (0, 0));
    let client = acme.client().key("one");
    let first = send(&client, "", CSV, &large("")).await.expect(202);
    let stored = chunks(&acme.world);
    assert!(stored > 1, "{stored}");
    assert_eq!(send(&client, "", CSV, &large("")).await.expect(202).text, first.text);
    send(&client, "", CSV, &large("b")).await.expect(422);
    assert_eq!((states(&acme.world).len(), chunks(&acme.world)), (1, stored));
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_that_goes_on_at_the_last_moment_is_not_swept() {
    let acme = Acme::new().await;
    let by = Requester::caller(&acme.world.app.authenticate(&acme.client().secret()).await.unwrap(), None);
    let (format, columns) = (ImportFormat::JsonLines, String::new());
    let settings = ImportSettings { format, columns, on_match: OnMatch::Fail, is_dry_run: false };
    let begin = ImportBegin { by: by.clone(), organization: None, settings };
    let begun = acme.world.app.write(begin.clone()).await.unwrap();
    let import = (begun.organization, begun.id);
    let receive = |numbers: std::ops::Range<usize>| {
        let content = lines(numbers).into_bytes().into();
        acme.world.app.write(ImportReceive { by: by.clone(), import, rows: 10, content })
    };
    receive(0..10).await.unwrap();
    acme.world.advance_s(IMPORT_SILENCE_S - 1);
    receive(10..20).await.unwrap();
    acme.world.advance_s(IMPORT_SILENCE_S - 1);
    acme.world.app.sweep().await.unwrap();
    acme.world.app.write(ImportStart { by: by.clone(), import }).await.unwrap();
    carry_out_due(&acme.world).await;
    assert_eq!(total(&acme.client(), "customers").await, 20);
    // One without progress is gone, and takes no chunk any more.
    let begun = acme.world.app.write(begin).await.unwrap();
    acme.world.advance_s(IMPORT_SILENCE_S);
    let late = ImportReceive {
        by,
        import: (begun.organization, begun.id),
        rows: 1,
        content: lines(30..31).into_bytes().into(),
    };
    assert!(matches!(acme.world.app.write(late).await, Err(Error::ImportNotFound)));
    acme.world.app.sweep().await.unwrap();
    assert_eq!(states(&acme.world), ["completed"]);
}

#[tokio::test]
async fn what_the_imports_of_an_owner_store_is_bounded() {
    let acme = Acme::new().await;
    let second = acme.world.organization_owned_by("second", &acme.organization.owner).await;
    let second = acme.world.token(&second, "*").await;
    let done = import(&acme, "", LINES, "{}\n{}\n").await;
    let stored = acme.world.database().texts("SELECT CAST(stored_bytes AS text) FROM customer_imports");
    assert!(stored[0].parse::<i64>().unwrap() > 128, "failed rows count: {stored:?}");
    acme.world.database().execute(&format!("UPDATE customer_imports SET stored_bytes = {}", 600 << 20));
    for client in [&acme.client(), &second] {
        let refused = send(client, "", LINES, &lines(0..2)).await;
        refused.assert_error(429, "TooManyRequests");
        assert!(refused.text.contains("store too much"), "{refused}");
    }
    let other = acme.world.organization("other").await;
    send(&acme.world.token(&other, "*").await, "", LINES, &lines(0..2)).await.expect(202);
    // They count until they are deleted.
    acme.world.advance_s(8 * 24 * 60 * 60);
    acme.world.app.sweep().await.unwrap();
    acme.client().get(&format!("/v1/customers/import/{}", done["id"].as_str().unwrap())).await.expect(404);
    send(&second, "", LINES, &lines(0..2)).await.expect(202);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_dry_run_whose_keys_have_no_room_fails() {
    let acme = Acme::new().await;
    let id = send(&acme.client(), "?dry_run=true", LINES, &lines(0..2_000)).await.expect(202).id();
    one_part(&acme.world).await;
    acme.world.database().execute(&format!("UPDATE customer_imports SET stored_bytes = {}", 600 << 20));
    carry_out_due(&acme.world).await;
    let failed = progress(&acme.client(), &id).await;
    assert_eq!(failed["state"], "failed");
    assert!(failed["stop_reason"].as_str().unwrap().contains("in several files"), "{failed}");
    assert_eq!(chunks(&acme.world), 0);
}

#[tokio::test]
async fn the_last_finished_imports_of_an_owner_are_kept() {
    let acme = Acme::new().await;
    let client = acme.client();
    let first = send(&client, "", CSV, "email\n").await.expect(202).id();
    for _ in 0..202 {
        send(&client, "", CSV, "email\n").await.expect(202);
    }
    acme.world.app.sweep().await.unwrap();
    assert_eq!(states(&acme.world).len(), 201);
    client.get(&format!("/v1/customers/import/{first}")).await.expect(404);
}

#[tokio::test]
async fn a_part_is_as_short_with_rows_that_are_refused_at_their_last_member() {
    let acme = Acme::new().await;
    subscribe(&acme, 50).await;
    let member = |number: usize, external_id: usize| json!({"email": format!("m{number}@example.com"), "external_id": format!("m-{external_id}")});
    let row = |customer: usize| {
        let mut members: Vec<Value> = (0..19).map(|number| member(number, number)).collect();
        members.push(member(19, 0));
        format!(
            "{}\n",
            json!({"email": format!("c{customer}@example.com"), "type": "team", "members": members})
        )
    };
    let file: String = (0..4).map(row).collect();
    for query in ["?on_match=skip", "?on_match=fail", "?on_match=update"] {
        let id = send(&acme.client(), query, LINES, &file).await.expect(202).id();
        for done in 1..=4 {
            one_part(&acme.world).await;
            assert_eq!(progress(&acme.client(), &id).await["done"], done, "{query}");
        }
        assert_eq!(counts(&progress(&acme.client(), &id).await), [0, 0, 0, 0, 4]);
    }
    assert_eq!(total(&acme.client(), "customers").await, 0);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}
