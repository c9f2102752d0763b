//! Invitations: from the form to the team.

use tenantry_core::mail::MailContent;
use tenantry_testkit::{Response, World};

use crate::browser::{Browser, attribute, member, world, world_without_mail};

const INVITE: &str = "/console/organizations/acme/team/invite";
const LIST: &str = "/console/organizations/acme/team/invitations";

/// The secret of the only link that a page shows.
fn secret(page: &Response) -> String {
    attribute(page, "data-copy", "/console/invitation#").split_once('#').unwrap().1.to_owned()
}

/// The secret of the only mail with an invitation that is due.
async fn mailed(world: &World) -> String {
    let mails = world.mail().await;
    let is_invitation = |content: &MailContent| matches!(content, MailContent::TeamInvitation { .. });
    let mut secrets = mails.iter().filter(|mail| is_invitation(&mail.content));
    world.app.mail_secret(secrets.next().unwrap()).unwrap()
}

#[tokio::test]
async fn people_are_invited_by_mail_and_join() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    assert!(owner.get(LIST).await.expect(200).text.contains("Nobody is invited"));
    let refused = owner.post(INVITE, &[("addresses", " ,\n"), ("role", "owner")]).await.expect(422);
    assert!(refused.text.contains("#addresses") && refused.text.contains("#role"), "{refused}");
    let addresses = format!("kim@x.example\nnonsense, {}", acme.owner);
    let fields = [("addresses", addresses.as_str()), ("role", "analyst"), ("expires_in", "604800")];
    let page = owner.post(INVITE, &fields).await.expect(200);
    for shown in ["1 person is invited", "Not invited", "In the team already"] {
        assert!(page.text.contains(shown), "{shown}: {page}");
    }
    assert!(!page.text.contains("data-copy=\"https://t.example/console/invitation"), "{page}");
    let secret = mailed(&world).await;
    // Looking uses nothing up, and needs no session.
    let mut kim = Browser::new(&world);
    kim.get("/console/invitation").await.expect(200);
    for _ in 0..2 {
        let gate = kim.post("/console/invitation", &[("token", &secret)]).await.expect(200);
        assert!(gate.text.contains("Join acme") && gate.text.contains("Sign in to accept"), "{gate}");
        assert!(!gate.text.contains("kim@x.example"), "{gate}");
    }
    let unknown = kim.post("/console/invitation", &[("token", "tenantry_x")]).await.expect(422);
    assert!(unknown.text.contains("There is no such invitation."), "{unknown}");
    // Another person cannot accept it.
    let mut other = member(&world, &acme, "Developer").await;
    let gate = other.post("/console/invitation", &[("token", &secret)]).await.expect(200);
    assert!(gate.text.contains("for another address"), "{gate}");
    other.post("/console/invitation/accept", &[("token", &secret)]).await.expect(409);
    let mut kim = Browser::signed_in(&world, "kim@x.example").await;
    let waiting = kim.get("/console/invitations").await.expect(200);
    assert!(waiting.text.contains("acme") && waiting.text.contains("as Analyst"), "{waiting}");
    let gate = kim.post("/console/invitation", &[("token", &secret)]).await.expect(200);
    assert!(gate.text.contains("/console/invitation/accept"), "{gate}");
    kim.post("/console/invitation/accept", &[("token", &secret)]).await.expect(303);
    kim.get("/console/organizations/acme/team").await.expect(200);
    assert!(kim.get("/console/invitations").await.expect(200).text.contains("Nothing waits for you"));
    let gate = kim.post("/console/invitation", &[("token", &secret)]).await.expect(200);
    assert!(gate.text.contains("This invitation is accepted"), "{gate}");
    assert!(owner.get(&format!("{LIST}?status=accepted")).await.expect(200).text.contains("1 invitation"));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn without_a_mail_server_links_are_shown_once() {
    let world = world_without_mail();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    assert!(owner.get(INVITE).await.expect(200).text.contains("There is no mail server"));
    let fields = [("addresses", "kim@x.example"), ("role", "developer")];
    let first = secret(&owner.post(INVITE, &fields).await.expect(200));
    let list = owner.get(LIST).await.expect(200);
    assert!(!list.text.contains(&first), "{list}");
    let resend = attribute(&list, "action", "/resend").to_owned();
    owner.post(&resend, &[]).await.expect(409);
    world.advance_s(61);
    let second = secret(&owner.post(&resend, &[]).await.expect(200));
    assert_ne!(first, second);
    let mut kim = Browser::new(&world);
    kim.post("/console/invitation", &[("token", &first)]).await.expect(422);
    kim.post("/console/invitation", &[("token", &second)]).await.expect(200);
    owner.post(&resend.replace("/resend", "/revoke"), &[]).await.expect(303);
    let gate = kim.post("/console/invitation", &[("token", &second)]).await.expect(200);
    assert!(gate.text.contains("was revoked"), "{gate}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn an_invitation_is_declined_with_and_without_a_session_and_expires() {
    let world = world_without_mail();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let mut invited = Vec::new();
    for email in ["a@x.example", "b@x.example", "c@x.example"] {
        let page = owner.post(INVITE, &[("addresses", email), ("role", "analyst")]).await.expect(200);
        invited.push(secret(&page));
    }
    let mut anybody = Browser::new(&world);
    let page = anybody.post("/console/invitation/decline", &[("token", &invited[0])]).await.expect(200);
    assert!(page.text.contains("This invitation is declined"), "{page}");
    let mut b = Browser::signed_in(&world, "b@x.example").await;
    let waiting = b.get("/console/invitations").await.expect(200);
    let decline = attribute(&waiting, "action", "/decline").to_owned();
    b.post(&decline, &[]).await.expect(303);
    let mut c = Browser::signed_in(&world, "c@x.example").await;
    let waiting = c.get("/console/invitations").await.expect(200);
    let accept = attribute(&waiting, "action", "/accept").to_owned();
    b.post(&accept, &[]).await.expect(404);
    world.advance_s(7 * 24 * 60 * 60);
    let gate = Browser::new(&world).post("/console/invitation", &[("token", &invited[2])]).await.expect(200);
    assert!(gate.text.contains("has expired"), "{gate}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_team_can_take_people_by_invitation_only() {
    let world = world();
    let acme = world.organization("acme").await;
    let mut owner = Browser::signed_in(&world, &acme.owner).await;
    let fields = [("name", "acme"), ("switch", "members"), ("switch", "invitation")];
    owner.post("/console/organizations/acme/settings", &fields).await.expect(303);
    let team = owner.get("/console/organizations/acme/team").await.expect(200);
    assert!(!team.text.contains("/team/add") && team.text.contains("/team/invite"), "{team}");
    let add = [("email", "dev@x.example"), ("role", "developer")];
    let refused = owner.post("/console/organizations/acme/team/add", &add).await.expect(422);
    assert!(refused.text.contains("by invitation only"), "{refused}");
}
