//! An organization adds or invites the address of somebody who has never signed in. Nothing of what it wrote, holds or
//! began before that becomes valid for the person.

use serde_json::json;

use crate::authenticator::Authenticator;
use crate::browser::{Browser, ORIGIN, code, codes, world};
use crate::passkeys::{SESSION, add, person, sign_in};

const VICTIM: &str = "victim@x.example";
const PLANTED: &str = "Planted Name";
/// The pages of the person alone.
const OWN: [&str; 6] = [
    "/console/organizations",
    "/console/invitations",
    "/console/profile",
    "/console/passkeys",
    "/console/sessions",
    "/console/notices",
];

#[tokio::test]
async fn what_an_organization_adds_before_the_first_sign_in_is_nothing_of_the_person() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let new = json!({"email": VICTIM, "name": PLANTED, "role": "Administrator"});
    token.post(&format!("/v2/accounts/{}/members", acme.id), new).await.expect(201);
    let invited = format!("/v1/organizations/{}/members/invite", acme.id);
    let owner = world.user(&acme.owner, "*").await;
    owner.post(&invited, json!({"email": VICTIM, "role": "member"})).await.expect(200);
    // The attacker has a passkey and a session of their own, and begins a sign-in with the address of the victim.
    let (mut attacker, mut device) = person(&world, &acme.owner).await;
    let mut begun = Browser::new(&world);
    begun.ask(VICTIM).await;
    let mailed = code(&world).await;
    begun.get("/console/profile").await.expect(303);
    begun.post("/console/passkeys/options", &[]).await.expect(303);

    // The code of the attacker's browser signs nobody in elsewhere; that of the victim's own browser does.
    let mut victim = Browser::new(&world);
    victim.headers.push(("accept-language", "de".to_owned()));
    victim.ask(VICTIM).await;
    let own = codes(&world).await.pop().unwrap();
    if own != mailed {
        victim.enter(&mailed).await.expect(422);
    }
    victim.enter(&own).await.expect(303);
    for page in OWN {
        let shown = victim.get(page).await.expect(200);
        assert!(!shown.text.contains(PLANTED) && shown.text.contains(VICTIM), "{page}: {shown}");
        assert!(shown.text.contains("<html lang=\"de\">"), "{page}: {shown}");
    }
    let profile = victim.get("/console/profile?lang=en").await.expect(200);
    assert!(profile.text.contains("name=\"name\" value=\"\""), "{profile}");
    let passkeys = victim.get("/console/passkeys?lang=en").await.expect(200);
    assert!(passkeys.text.contains("Add your first passkey"), "{passkeys}");
    let sessions = victim.get("/console/sessions?lang=en").await.expect(200);
    assert_eq!(sessions.text.matches("<li>").count(), 1, "{sessions}");
    assert!(sessions.text.contains("this browser"), "{sessions}");

    // What the attacker holds opens nothing of the person: the sign-in that was begun, the passkey, the session.
    begun.enter(&own).await.expect(422);
    assert!(!begun.cookies.contains_key(SESSION), "{:?}", begun.cookies);
    let mut other = Browser::new(&world);
    sign_in(&mut other, &mut device, "/console/profile").await.expect(303);
    for browser in [&mut other, &mut attacker] {
        let shown = browser.get("/console/profile").await.expect(200);
        assert!(shown.text.contains(&acme.owner) && !shown.text.contains(VICTIM), "{shown}");
    }
    // The name in the team stays the organization's, and the person's own one is never it.
    let team = victim.get("/console/organizations/acme/team?lang=en").await.expect(200);
    assert!(team.text.contains(PLANTED), "{team}");
    victim.post("/console/profile", &[("name", "Vic"), ("language", "en")]).await.expect(303);
    let shown = victim.get("/console/profile").await.expect(200);
    assert!(shown.text.contains("Vic") && !shown.text.contains(PLANTED), "{shown}");
    add(&mut victim, &mut Authenticator::at(ORIGIN)).await.expect(200);
    // Without the team, the account is as before.
    let leave = "/console/organizations/acme/leave";
    victim.post(leave, &[("confirm", "acme")]).await.expect(303);
    victim.get("/console/organizations/acme").await.expect(404);
    for page in OWN {
        let shown = victim.get(page).await.expect(200);
        assert!(!shown.text.contains(PLANTED), "{page}: {shown}");
    }
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_invitation_before_the_first_sign_in_is_nothing_of_the_person_either() {
    let world = world();
    let acme = world.organization("acme").await;
    let token = world.token(&acme, "*").await;
    let invitations = format!("/v1/organizations/{}/invitations", acme.id);
    let new = json!({"email": VICTIM, "name": PLANTED, "role": "admin", "send_email": false});
    let made = token.post(&invitations, new).await.expect(201);
    let secret = made["accept_url"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    // The organization holds the secret, and it makes nobody the invited person.
    let (mut attacker, _) = person(&world, &acme.owner).await;
    attacker.post("/console/invitation/accept", &[("token", &secret)]).await.expect(409);
    let by = world.proved_user(&acme.owner, "*").await;
    by.post("/v1/invitations/accept", json!({"token": secret})).await.assert_error(403, "AddressMismatch");
    let mut nobody = Browser::new(&world);
    nobody.post("/console/invitation/accept", &[("token", &secret)]).await.expect(303);
    assert!(!nobody.cookies.contains_key(SESSION), "{:?}", nobody.cookies);

    let mut victim = Browser::signed_in(&world, VICTIM).await;
    for page in OWN {
        let shown = victim.get(page).await.expect(200);
        assert!(!shown.text.contains(PLANTED) && shown.text.contains(VICTIM), "{page}: {shown}");
    }
    victim.get("/console/organizations/acme").await.expect(404);
    let waiting = victim.get("/console/invitations").await.expect(200);
    assert!(waiting.text.contains("as Administrator"), "{waiting}");
    victim.post("/console/invitation/accept", &[("token", &secret)]).await.expect(303);
    // The name is that of the membership alone.
    let team = victim.get("/console/organizations/acme/team").await.expect(200);
    assert!(team.text.contains(PLANTED), "{team}");
    for page in OWN {
        let shown = victim.get(page).await.expect(200);
        assert!(!shown.text.contains(PLANTED), "{page}: {shown}");
    }
    // Used up, it opens nothing for the organization.
    attacker.post("/console/invitation/accept", &[("token", &secret)]).await.expect(409);
    assert_eq!(world.findings().await, [""; 0]);
}
