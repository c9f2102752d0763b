//! Customers and their members.

use serde_json::json;

use crate::browser::{Browser, attribute, member, world};

const CUSTOMERS: &str = "/console/organizations/acme/customers";

#[tokio::test]
async fn a_customer_is_made_found_changed_and_removed() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let empty = browser.get(CUSTOMERS).await.expect(200);
    assert!(empty.text.contains("No customers yet") && !empty.text.contains("type=\"search\""), "{empty}");
    let faulty = [("kind", "team"), ("email", "x"), ("name", "Jane"), ("metadata", "no equals sign")];
    let refused = browser.post(&format!("{CUSTOMERS}/new"), &faulty).await.expect(422);
    assert!(refused.text.contains("href=\"#email\"") && refused.text.contains("value=\"Jane\""), "{refused}");
    let fields = [
        ("kind", "team"),
        ("email", "jane@x.example"),
        ("name", "Jane Doe"),
        ("external_id", "crm-1"),
        ("locale", "de"),
        ("metadata", "plan = pro\nseats = 12"),
    ];
    let made = browser.post(&format!("{CUSTOMERS}/new"), &fields).await.expect(303);
    let path = made.header("location").unwrap().split('?').next().unwrap().to_owned();
    let page = browser.get(made.header("location").unwrap()).await.expect(200);
    for shown in ["Created.", "Jane Doe", "crm-1", "plan = pro", "seats = 12", "1 member", "curl"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    let token = world.token(&acme, "*").await;
    let id = path.rsplit('/').next().unwrap();
    let row = token.get(&format!("/v1/customers/{id}")).await.expect(200);
    assert_eq!(row["metadata"], json!({"plan": "pro", "seats": 12}));
    let again = browser.post(&format!("{CUSTOMERS}/new"), &fields).await.expect(422);
    for fault in ["Another customer has this address.", "Another one has this external id."] {
        assert!(again.text.contains(fault), "{again}");
    }
    let change = [("email", "jane@y.example"), ("name", "Jane"), ("external_id", "other"), ("metadata", "")];
    let refused = browser.post(&format!("{path}/edit"), &change).await.expect(422);
    assert!(refused.text.contains("is set and cannot change"), "{refused}");
    let change =
        [("email", "jane@y.example"), ("name", "Jane"), ("external_id", "crm-1"), ("metadata", "a = b")];
    browser.post(&format!("{path}/edit"), &change).await.expect(303);
    let row = token.get(&format!("/v1/customers/{id}")).await.expect(200);
    assert_eq!((&row["email"], &row["metadata"]), (&json!("jane@y.example"), &json!({"a": "b"})));
    // A deletion asks for the name, and can be undone.
    let refused = browser.post(&format!("{path}/delete"), &[("confirm", "John")]).await.expect(422);
    assert!(refused.text.contains("This is not the name above."), "{refused}");
    let gone = browser.post(&format!("{path}/delete"), &[("confirm", " JANE ")]).await.expect(303);
    browser.get(&path).await.expect(404);
    let list = browser.get(gone.header("location").unwrap()).await.expect(200);
    let restore = attribute(&list, "action", "/restore").to_owned();
    browser.post(&restore, &[]).await.expect(303);
    browser.get(&path).await.expect(200);
    browser.post(&format!("{path}/forget"), &[("confirm", "Jane")]).await.expect(303);
    browser.get(&path).await.expect(404);
    browser.post(&restore, &[]).await.expect(404);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_list_is_searched_ordered_and_has_pages() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    for number in 0..60 {
        let new = json!({"email": format!("c{number:02}@x.example"), "name": format!("Company {number:02}")});
        token.post("/v1/customers", new).await.expect(201);
    }
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let first = browser.get(CUSTOMERS).await.expect(200);
    assert!(first.text.contains("60 customers") && first.text.contains("Company 59"), "{first}");
    assert_eq!(first.text.matches("<tr>").count(), 51, "{first}");
    let next = attribute(&first, "href", "page=2").replace("&#38;", "&").replace("&amp;", "&");
    let second = browser.get(&next).await.expect(200);
    assert_eq!(second.text.matches("<tr>").count(), 11, "{second}");
    let by_name = browser.get(&format!("{CUSTOMERS}?sorting=name")).await.expect(200);
    assert!(by_name.text.contains("Company 00") && !by_name.text.contains("Company 59"), "{by_name}");
    for (query, found) in [
        ("company%205", "10 customers"),
        ("c07%40x.example", "1 customer"),
        ("07%40x.example", "1 customer"),
        ("nobody", "No customer matches"),
        ("0d8f4b0e-0000-4000-8000-000000000000", "No customer matches"),
    ] {
        let page = browser.get(&format!("{CUSTOMERS}?query={query}")).await.expect(200);
        assert!(page.text.contains(found), "{query}: {page}");
    }
    let id = token.get("/v1/customers?limit=1").await.expect(200);
    let id = id["items"][0]["id"].as_str().unwrap().to_owned();
    let page = browser.get(&format!("{CUSTOMERS}?query={id}")).await.expect(200);
    assert!(page.text.contains("1 customer") && page.text.contains("Company 59"), "{page}");
}

#[tokio::test]
async fn members_are_added_changed_and_removed() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let new = json!({"type": "team", "email": "jane@x.example", "name": "Jane"});
    let id = token.post("/v1/customers", new).await.expect(201).id();
    let mut browser = member(&world, &acme, "Developer").await;
    let path = format!("{CUSTOMERS}/{id}");
    let refused = browser.post(&format!("{path}/members/new"), &[("email", "x")]).await.expect(422);
    assert!(refused.text.contains("Enter an e-mail address"), "{refused}");
    let fields = [("email", "jordan@x.example"), ("name", "Jordan"), ("role", "billing_manager")];
    browser.post(&format!("{path}/members/new"), &fields).await.expect(303);
    let page = browser.get(&path).await.expect(200);
    for shown in ["2 members", "Jordan", "Billing manager", "Owner"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    let remove = attribute(&page, "href", "/remove").to_owned();
    let edit = remove.strip_suffix("/remove").unwrap();
    let taken = [("email", "jane@x.example"), ("name", "Jordan"), ("role", "member")];
    let refused = browser.post(edit, &taken).await.expect(422);
    assert!(refused.text.contains("Another member has this address."), "{refused}");
    browser.post(edit, &[("email", "jo@x.example"), ("role", "owner")]).await.expect(303);
    // Jordan owns the customer now, so Jane can go and Jordan cannot.
    let refused = browser.post(&remove, &[("confirm", "jo@x.example")]).await.expect(422);
    assert!(refused.text.contains("exactly one owner"), "{refused}");
    let page = browser.get(&path).await.expect(200);
    let remove = attribute(&page, "href", "/remove").to_owned();
    browser.post(&remove, &[("confirm", "jane@x.example")]).await.expect(303);
    assert!(browser.get(&path).await.expect(200).text.contains("1 member"));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_portal_session_is_shown_once_and_works() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for kind in ["individual", "team"] {
        let new = json!({"type": kind, "email": format!("{kind}@x.example"), "name": "Jane"});
        let id = token.post("/v1/customers", new).await.expect(201).id();
        let page = browser.post(&format!("{CUSTOMERS}/{id}/session"), &[]).await.expect(200);
        let secret =
            page.text.split("<div class=\"secret\"><code>").nth(1).unwrap().split('<').next().unwrap();
        world.bearer(secret).get("/v1/customer-portal/customers/me").await.expect(200);
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn the_export_has_every_customer_and_no_formula() {
    let world = world();
    let (acme, other) = (world.organization("acme").await, world.organization("other").await);
    let token = world.token(&acme, "*").await;
    for number in 0..30 {
        let new = json!({"email": format!("c{number}@x.example"), "name": "=1+1"});
        token.post("/v1/customers", new).await.expect(201);
    }
    let new = json!({"email": "secret@other.example"});
    world.token(&other, "*").await.post("/v1/customers", new).await.expect(201);
    let mut browser = member(&world, &acme, "Analyst").await;
    let file = browser.get(&format!("{CUSTOMERS}/export.csv")).await.expect(200);
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"customers.csv\""));
    assert!(file.text.starts_with("\u{feff}ID,External ID,"), "{file}");
    assert_eq!(file.text.lines().count(), 31, "{file}");
    assert_eq!(file.text.matches(",'=1+1,").count(), 30, "{file}");
    assert!(!file.text.contains("other.example"), "{file}");
    // The one before has ended, so another one begins.
    browser.get(&format!("{CUSTOMERS}/export.csv")).await.expect(200);
}

#[tokio::test]
async fn customers_are_filtered_by_kind() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    for (kind, name) in [("team", "Globex"), ("individual", "Jane Doe")] {
        let email = format!("{kind}@x.example");
        token.post("/v1/customers", json!({"type": kind, "email": email, "name": name})).await.expect(201);
    }
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    for (query, shown) in [
        ("", "Globex Jane Doe"),
        ("kind=team", "Globex"),
        ("kind=individual", "Jane Doe"),
        ("kind=team&query=jane", ""),
        ("kind=individual&query=individual%40x.example", "Jane Doe"),
        ("kind=nonsense", "Globex Jane Doe"),
    ] {
        let page = browser.get(&format!("{CUSTOMERS}?{query}")).await.expect(200);
        for name in ["Globex", "Jane Doe"] {
            assert_eq!(page.text.contains(name), shown.contains(name), "{query} {name}: {page}");
        }
    }
}

#[tokio::test]
async fn sessions_of_the_portal_are_listed_and_ended() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let new = json!({"type": "team", "email": "jane@x.example", "name": "Globex"});
    let customer = token.post("/v1/customers", new).await.expect(201).id();
    let other = json!({"type": "team", "email": "other@x.example", "name": "Other"});
    let other = token.post("/v1/customers", other).await.expect(201).id();
    let members = token.get(&format!("/v1/members?customer_id={customer}")).await.expect(200);
    let owner = members["items"][0]["id"].as_str().unwrap().to_owned();
    let of_owner = json!({"customer_id": customer, "member_id": owner});
    let session = tenantry_testkit::portal_session(&token, &of_owner).await;
    let portal = world.bearer(&session);
    portal.get("/v1/customer-portal/customers/me").await.expect(200);
    let mut browser = Browser::signed_in(&world, &acme.owner).await;
    let path = format!("{CUSTOMERS}/{customer}");
    let page = browser.get(&path).await.expect(200);
    assert!(page.text.contains("Sessions of the portal") && !page.text.contains(&session), "{page}");
    let end = attribute(&page, "action", "/sessions/").to_owned();
    // Of another customer it is unknown.
    browser.post(&end.replace(&customer, &other), &[]).await.expect(404);
    portal.get("/v1/customer-portal/customers/me").await.expect(200);
    browser.post(&end, &[]).await.expect(303);
    portal.get("/v1/customer-portal/customers/me").await.expect(401);
    browser.post(&end, &[]).await.expect(404);
    let page = browser.get(&format!("{path}?done=ended")).await.expect(200);
    assert!(page.text.contains("The session has ended.") && !page.text.contains("/sessions/"), "{page}");
    assert!(page.text.contains("customer_session.deleted"), "the history shows it: {page}");
    assert_eq!(world.findings().await, [""; 0]);
}
