//! The page of the console that sets the portal up.

use super::People;
use crate::browser::{Browser, attribute, world};

#[tokio::test]
async fn the_portal_is_set_up_in_the_console() {
    let world = world();
    let people = People::of(&world).await;
    let mut hidden = super::portal(true);
    hidden["usage"]["show"] = false.into();
    let token = world.token(&people.acme, "*").await;
    super::set(&token, &people.acme, serde_json::json!({"customer_portal_settings": hidden})).await;
    let mut owner = Browser::signed_in(&world, &people.acme.owner).await;
    let setup = "/console/organizations/acme/portal";
    assert!(
        owner.get("/console/organizations/acme/settings").await.text.contains(&format!("href=\"{setup}\""))
    );
    let page = owner.get(setup).await.expect(200);
    for switch in ["sign_in", "billing_details", "email_change", "team", "add_members", "sessions"] {
        assert!(page.text.contains(&format!("value=\"{switch}\" checked")), "{switch}: {page}");
    }
    let faulty =
        [("avatar_url", "x"), ("color", "blue"), ("embed_hosts", "https://a.example\n"), ("switch", "team")];
    for path in [setup.to_owned(), format!("{setup}/preview")] {
        let page = owner.post(&path, &faulty).await.expect(422);
        for field in ["avatar_url", "color", "embed_hosts"] {
            assert!(page.text.contains(&format!("id=\"{field}-wrong\"")), "{field}: {page}");
        }
        assert!(
            page.text.contains("value=\"team\" checked") && page.text.contains("value=\"blue\""),
            "{page}"
        );
    }
    let long = (0..100).map(|number| format!("host-{number:03}.example.dev\n")).collect::<String>();
    let faulty =
        [("avatar_url", "https://user:secret@cdn.acme.dev/logo.png"), ("embed_hosts", long.as_str())];
    let page = owner.post(setup, &faulty).await.expect(422);
    for fault in ["without a user name and password", "at most 2,000 characters together"] {
        assert!(page.text.contains(fault), "{fault}: {page}");
    }
    let fields = [
        ("avatar_url", "https://cdn.acme.dev/logo.png"),
        ("color", "#7a1fa2"),
        ("sender_name", "Acme Support"),
        ("embed_hosts", "app.acme.dev\n\n *.acme.dev "),
        ("switch", "team"),
        ("switch", "billing_details"),
    ];
    // A preview saves nothing.
    let shown = owner.post(&format!("{setup}/preview"), &fields).await.expect(200);
    assert!(attribute(&shown, "href", "/brand/7a1fa2.css").starts_with("/console/assets/"), "{shown}");
    assert!(shown.header("content-security-policy").unwrap().contains("https://cdn.acme.dev"), "{shown}");
    assert!(!owner.get(setup).await.text.contains("7a1fa2"));
    owner.post(setup, &fields).await.expect(303);
    let page = owner.get(setup).await.expect(200);
    for kept in ["#7a1fa2", "https://cdn.acme.dev/logo.png", "Acme Support", "app.acme.dev\n*.acme.dev"] {
        assert!(page.text.contains(kept), "{kept}: {page}");
    }
    assert!(
        page.text.contains("value=\"team\" checked") && !page.text.contains("value=\"sessions\" checked")
    );
    // What the form does not show stays.
    let kept = token.get(&format!("/v1/organizations/{}", people.acme.id)).await.expect(200);
    let mut expected = super::portal(false);
    expected["usage"]["show"] = false.into();
    assert_eq!(kept["customer_portal_settings"], expected);
    let mut portal = people.browser(&world, "owner").await;
    let page = portal.get("/acme/portal").await.expect(200);
    assert!(page.text.contains("/brand/7a1fa2.css") && !page.text.contains("/portal/sessions\""), "{page}");
    // Empty fields take colour, logo and hosts away.
    owner.post(setup, &[("switch", "")]).await.expect(303);
    let page = portal.get("/acme/portal").await.expect(200);
    assert!(!page.text.contains("/brand/") && page.text.contains("Nothing to do here"), "{page}");
    assert!(page.header("content-security-policy").unwrap().ends_with("frame-ancestors 'none'"));
}
