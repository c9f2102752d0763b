//! The first entry by the secret that the server prints.

use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::console::UserRecover;
use tenantry_core::values::{EmailAddress, OrganizationName, Slug};
use tenantry_testkit::World;

use crate::browser::{Browser, world};

/// The secret that the first start prints.
async fn first_start(world: &World) -> String {
    let address = |name: &str| EmailAddress::parse(&format!("{name}@my-organization.invalid")).unwrap();
    let first = Bootstrap {
        name: OrganizationName::parse("My Organization").unwrap(),
        slug: Slug::parse("my-organization").unwrap(),
        owner_email: address("owner"),
        customer_email: address("team"),
        hash_key: world.app.hash_key().clone(),
    };
    world.app.bootstrap(first).await.unwrap().unwrap();
    world.app.open_first_entry().await.unwrap().unwrap().expose().to_owned()
}

fn form(secret: &str) -> [(&str, &str); 4] {
    [("token", secret), ("organization", "Acme <GmbH>"), ("name", "Jane Doe"), ("email", "jane@acme.example")]
}

#[tokio::test]
async fn the_operator_takes_over_the_first_organization_once() {
    let world = world();
    let secret = first_start(&world).await;
    let mut browser = Browser::new(&world);
    browser.get("/console/claim").await.expect(200);
    let taken = browser.post("/console/claim", &form(&secret)).await.expect(303);
    assert_eq!(taken.header("location"), Some("/console"));
    let home = browser.get("/console").await.expect(303);
    assert_eq!(home.header("location"), Some("/console/organizations/my-organization"));
    let page = browser.get("/console/organizations/my-organization").await.expect(200);
    assert!(page.text.contains("Acme &#60;GmbH&#62;") && !page.text.contains("<GmbH>"), "{page}");
    let team = browser.get("/console/organizations/my-organization/team").await.expect(200);
    for shown in ["Jane Doe", "jane@acme.example", "Owner", "1 person"] {
        assert!(team.text.contains(shown), "{shown}: {team}");
    }
    assert!(!team.text.contains("my-organization.invalid"), "{team}");
    // The person is an operator as well.
    assert!(team.text.contains("/console/operator/organizations"), "{team}");
    browser.get("/console/operator/health").await.expect(200);
    assert_eq!(world.app.open_first_entry().await.unwrap().map(|_| ()), None);
    let late = Browser::new(&world).post("/console/claim", &form(&secret)).await.expect(422);
    assert!(late.text.contains("used up or too old"), "{late}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn each_start_opens_the_entry_anew_for_fifteen_minutes() {
    let world = world();
    let old = first_start(&world).await;
    let new = world.app.open_first_entry().await.unwrap().unwrap();
    Browser::new(&world).post("/console/claim", &form(&old)).await.expect(422);
    Browser::new(&world).post("/console/claim", &form("tenantry_own_x")).await.expect(422);
    world.advance_s(15 * 60);
    Browser::new(&world).post("/console/claim", &form(new.expose())).await.expect(422);
    let newest = world.app.open_first_entry().await.unwrap().unwrap();
    Browser::new(&world).post("/console/claim", &form(newest.expose())).await.expect(303);
}

#[tokio::test]
async fn a_faulty_form_uses_nothing_up() {
    let world = world();
    let secret = first_start(&world).await;
    let mut browser = Browser::new(&world);
    let fields = [("token", secret.as_str()), ("organization", ""), ("name", " "), ("email", "x")];
    let refused = browser.post("/console/claim", &fields).await.expect(422);
    for shown in ["href=\"#organization\"", "Enter your name.", "Enter an e-mail address", &secret] {
        assert!(refused.text.contains(shown), "{shown}: {refused}");
    }
    browser.post("/console/claim", &form(&secret)).await.expect(303);
}

#[tokio::test]
async fn without_a_first_start_nothing_is_offered() {
    let world = world();
    world.organization("acme").await;
    assert_eq!(world.app.open_first_entry().await.unwrap().map(|_| ()), None);
    Browser::new(&world).post("/console/claim", &form("")).await.expect(422);
}

#[tokio::test]
async fn the_operator_lets_a_person_in_again_once() {
    let world = world();
    let acme = world.organization("acme").await;
    let email = EmailAddress::parse(&acme.owner).unwrap();
    let owner =
        world.app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap().unwrap();
    let recover = || UserRecover { user: owner.id, hash_key: world.app.hash_key().clone() };
    let secret = world.app.write(recover()).await.unwrap();
    let mut browser = Browser::new(&world);
    browser.get("/console/recover").await.expect(200);
    let refused = browser.post("/console/recover", &[("token", "tenantry_sin_x")]).await.expect(422);
    assert!(refused.text.contains("used up or too old"), "{refused}");
    browser.post("/console/recover", &[("token", secret.expose())]).await.expect(303);
    browser.get("/console/organizations/acme").await.expect(200);
    Browser::new(&world).post("/console/recover", &[("token", secret.expose())]).await.expect(422);
    let late = world.app.write(recover()).await.unwrap();
    world.advance_s(15 * 60);
    Browser::new(&world).post("/console/recover", &[("token", late.expose())]).await.expect(422);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_secret_of_a_mailed_code_is_no_entry_by_itself() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut browser = Browser::new(&world);
    browser.ask(&acme.owner).await;
    let secret = browser.cookies["__Host-tenantry_sign_in"].clone();
    browser.post("/console/recover", &[("token", &secret)]).await.expect(422);
    browser.enter("").await.expect(422);
}
