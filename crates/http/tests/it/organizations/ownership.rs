//! The transfer of an organization's ownership.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tenantry_app::organizations::OwnerRef;
use tenantry_app::ownership::{OrganizationTransfer, OwnershipAccept, OwnershipOffer};
use tenantry_app::team::{TeamMemberLeave, TeamMemberRemove, TeamMemberSetRole};
use tenantry_app::{App, Error, Requester};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::team::{RoleChange, TeamRole};
use tenantry_testkit::{Acme, Client};
use tokio::task::JoinSet;

/// A person in the team.
struct Person {
    id: UserId,
    email: String,
    token: String,
}

/// Adds a person with a role of `/v2`.
async fn join(acme: &Acme, name: &str, role: &str) -> Person {
    let email = format!("{name}@example.com");
    let body = json!({"email": email, "role": role});
    let added = acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
    let id = UserId::new(added["user_id"].as_str().unwrap().parse().unwrap());
    let token = acme.world.user(&email, "*").await.secret();
    Person { id, email, token }
}

async fn offer(acme: &Acme, by: &Client<'_>, to: UserId) -> tenantry_testkit::Response {
    by.post(&format!("{}/transfer", acme.path_v1()), json!({"user_id": to})).await
}

async fn accept(acme: &Acme, by: &Client<'_>) -> tenantry_testkit::Response {
    by.post(&format!("{}/transfer/accept", acme.path_v1()), json!({})).await
}

/// Each address in the team with its role of `/v1`, and the owner's id of `/v2`.
async fn team(acme: &Acme) -> (Vec<(String, String)>, Value) {
    let listed = acme.client().get(&format!("{}/members", acme.path_v1())).await.expect(200).body;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = listed["items"].as_array().unwrap().iter();
    let roles = items.map(|item| (text(&item["email"]), text(&item["role"]))).collect();
    (roles, acme.client().get(&acme.path_v2()).await.expect(200)["owner_id"].clone())
}

#[tokio::test]
async fn the_owner_offers_and_another_person_accepts() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let hook =
        json!({"url": "https://hooks.example.com", "format": "raw", "events": ["organization.updated"]});
    acme.client().post("/v1/webhooks/endpoints", hook).await.expect(201);
    let ada = join(&acme, "ada", "Analyst").await;
    let by_ada = world.bearer(&ada.token);
    let owner = world.user(&acme.organization.owner, "*").await;
    let own = UserId::new(owner.actor());
    let counted = async |secret: &str| world.app.authenticate(secret).await.unwrap().limited_as();
    drop(world.mail().await);

    // The offer changes nothing: a person's limits do not count the organizations of others.
    let offered = offer(&acme, &owner.key("k"), ada.id).await.expect(202).body;
    assert_eq!(
        (&offered["user_id"], &offered["organization_id"]),
        (&json!(ada.id), &json!(acme.organization.id))
    );
    assert!(offered["expires_at"].is_string());
    let shown = by_ada.get(&format!("{}/transfer", acme.path_v1())).await.expect(200);
    assert_eq!(shown.body, offered);
    assert_eq!(team(&acme).await.1, json!(own));
    assert_eq!(counted(&acme.client().secret()).await, own.uuid());
    let mails = world.mail().await;
    assert!(
        matches!(&mails[..], [mail] if matches!(mail.content, MailContent::OwnershipOffered { days: 7, .. }))
    );
    let replay = offer(&acme, &owner.key("k"), ada.id).await.expect(202);
    assert_eq!((&replay.body, replay.header("idempotent-replayed")), (&offered, Some("true")));

    let first = accept(&acme, &by_ada.key("a")).await.expect(200).body;
    let moved = |mail: QueuedMail| match mail.content {
        MailContent::OwnershipMoved { is_owner, .. } => Some((mail.to.to_string(), is_owner)),
        _ => None,
    };
    let told: BTreeSet<_> = world.mail().await.into_iter().filter_map(moved).collect();
    let expected = [(acme.organization.owner.clone(), false), (ada.email.to_lowercase(), true)];
    assert_eq!(told, expected.into(), "both owners are told");
    assert_eq!((&first["role"], &first["email"]), (&json!("owner"), &json!(ada.email)));
    let roles =
        [(acme.organization.owner.clone(), "admin".to_owned()), (ada.email.clone(), "owner".to_owned())];
    assert_eq!(team(&acme).await, (roles.to_vec(), json!(ada.id)));
    // The limits of the new owner count at once, also for webhooks.
    assert_eq!(counted(&acme.client().secret()).await, ada.id.uuid());
    assert_eq!(world.findings().await, [""; 0]);
    let event = "SELECT type FROM webhook_events";
    assert_eq!(world.database().texts(event), ["organization.updated"]);

    // A repetition changes nothing, with and without the key.
    let replay = accept(&acme, &by_ada.key("a")).await.expect(200);
    assert_eq!((&replay.body, replay.header("idempotent-replayed")), (&first, Some("true")));
    let log = world.audit(&acme.organization).await;
    accept(&acme, &by_ada).await.expect(200);
    assert_eq!(world.audit(&acme.organization).await, log);
    let mut actions: Vec<&str> = log.iter().rev().take(3).map(|entry| entry.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["organization.updated", "team_member.updated", "team_member.updated"]);
    // The ownership is gone.
    let refused = offer(&acme, &owner, own).await.expect(403);
    assert_eq!(refused["detail"], "Only the owner can transfer the organization");
    offer(&acme, &by_ada, own).await.expect(202);
    accept(&acme, &owner).await.expect(200);
}

#[tokio::test]
async fn only_the_owner_offers_and_only_to_the_team() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let owner = world.user(&acme.organization.owner, "*").await;
    let own = UserId::new(owner.actor());
    let (mut team_tokens, mut to) = (Vec::new(), own);
    for (name, role) in
        [("a", "Administrator"), ("b", "Developer"), ("c", "Analyst"), ("d", "Billing Manager")]
    {
        let person = join(&acme, name, role).await;
        team_tokens.push(person.token);
        to = person.id;
    }
    for token in &team_tokens {
        offer(&acme, &world.bearer(token), to).await.expect(403);
        accept(&acme, &world.bearer(token)).await.expect(403);
        world.bearer(token).delete(&format!("{}/transfer", acme.path_v1())).await.expect(403);
    }
    offer(&acme, &acme.client(), to).await.expect(401);
    accept(&acme, &acme.client()).await.expect(401);
    let stranger = world.user("eve@example.com", "*").await;
    offer(&acme, &stranger, to).await.expect(404);
    accept(&acme, &stranger).await.expect(404);
    stranger.get(&format!("{}/transfer", acme.path_v1())).await.expect(404);
    offer(&acme, &owner, UserId::new(stranger.actor())).await.expect(404);
    offer(&acme, &owner, own).await.expect(409);
    let narrow = world.user(&acme.organization.owner, "organizations:read members:write").await;
    offer(&acme, &narrow, to).await.expect(403);
    owner.post(&format!("{}/transfer", acme.path_v1()), json!({"user_id": "x"})).await.expect(422);
    assert_eq!(team(&acme).await.1, json!(own));
}

#[tokio::test]
async fn an_offer_ends() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let owner = world.user(&acme.organization.owner, "*").await;
    let path = format!("{}/transfer", acme.path_v1());
    let (ada, bob) = (join(&acme, "ada", "Developer").await, join(&acme, "bob", "Developer").await);
    let (by_ada, by_bob) = (world.bearer(&ada.token), world.bearer(&bob.token));
    let members = format!("{}/members", acme.path_v1());
    for end in ["withdrawn", "declined", "another offer", "expired", "left", "removed", "transferred"] {
        offer(&acme, &owner, ada.id).await.expect(202);
        match end {
            "withdrawn" => drop(owner.delete(&path).await.expect(204)),
            "declined" => drop(by_ada.delete(&path).await.expect(204)),
            "another offer" => {
                offer(&acme, &owner, bob.id).await.expect(202);
                by_ada.delete(&path).await.expect(403);
                owner.delete(&path).await.expect(204);
            }
            "expired" => world.advance_s(7 * 24 * 60 * 60),
            "left" | "removed" => {
                match end {
                    "left" => by_ada.delete(&format!("{members}/leave")).await.expect(204),
                    _ => owner.delete(&format!("{members}/{}", ada.id)).await.expect(204),
                };
                owner.post(&members, json!({"email": ada.email})).await.expect(201);
            }
            _ => {
                let to = OwnerRef::User(bob.id);
                let transfer = OrganizationTransfer { organization: acme.organization.id, to };
                assert_eq!(world.app.write(transfer).await.unwrap().role, TeamRole::Owner);
            }
        }
        accept(&acme, &by_ada).await.expect(403);
        owner.get(&path).await.expect(404);
        assert_eq!(world.findings().await, [""; 0], "{end}");
    }
    accept(&acme, &by_bob).await.expect(200);
    assert_eq!(team(&acme).await.1, json!(bob.id));
}

#[tokio::test]
async fn everybody_but_the_owner_leaves() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let leave = format!("{}/members/leave", acme.path_v1());
    for (name, role) in
        [("a", "Administrator"), ("b", "Developer"), ("c", "Analyst"), ("d", "Billing Manager")]
    {
        let person = join(&acme, name, role).await;
        world.bearer(&person.token).delete(&leave).await.expect(204);
    }
    let owner = world.user(&acme.organization.owner, "*").await;
    owner.delete(&leave).await.expect(403);
    let ada = join(&acme, "ada", "Developer").await;
    offer(&acme, &owner, ada.id).await.expect(202);
    accept(&acme, &world.bearer(&ada.token)).await.expect(200);
    owner.delete(&leave).await.expect(204);
    world.bearer(&ada.token).delete(&leave).await.expect(403);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn the_operator_names_the_new_owner_by_address() {
    let acme = Acme::new().await;
    let organization = acme.organization.id;
    let to = OwnerRef::Email("New.Owner@example.com".parse().unwrap());
    let command = OrganizationTransfer { organization, to };
    let owner = acme.world.app.write(command.clone()).await.unwrap();
    assert_eq!(acme.world.app.write(command).await.unwrap(), owner, "a repetition changes nothing");
    let roles = [(acme.organization.owner.clone(), "admin"), ("New.Owner@example.com".to_owned(), "owner")];
    assert_eq!(
        team(&acme).await,
        (roles.map(|(email, role)| (email, role.to_owned())).to_vec(), json!(owner.user))
    );
    let told = acme.world.mail().await.into_iter();
    let told: BTreeSet<_> = told.map(|mail| (mail.to.to_string(), mail.content.kind())).collect();
    let expected = [
        ("new.owner@example.com", "team_member_added"),
        (acme.organization.owner.as_str(), "ownership_moved"),
    ];
    assert_eq!(told, expected.map(|(to, kind)| (to.to_owned(), kind)).into());
    assert_eq!(acme.world.findings().await, [""; 0]);
}

/// One of the requests that race, by a person or the operator.
async fn act(
    app: &App,
    by: Requester,
    organization: OrganizationId,
    number: usize,
    user: UserId,
) -> Result<(), Error> {
    let change = RoleChange { to: TeamRole::Developer, satisfied_by: &[] };
    match number % 8 {
        0 => app.write(TeamMemberRemove { by, organization, user, may_leave: true }).await,
        1 => app.write(TeamMemberSetRole { by, organization, user, change }).await.map(drop),
        2 => app.write(TeamMemberLeave { by, organization }).await,
        3 => app.write(OrganizationTransfer { organization, to: OwnerRef::User(user) }).await.map(drop),
        4 | 5 => app.write(OwnershipOffer { by, organization, to: user }).await.map(drop),
        _ => app.write(OwnershipAccept { by, organization }).await.map(drop),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_transfers_removals_and_changes_of_roles_leave_one_owner() {
    let acme = Acme::new().await;
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    let mut people = vec![(UserId::new(owner.actor()), owner.secret())];
    for number in 0..7 {
        let person = join(&acme, &format!("p{number}"), "Administrator").await;
        people.push((person.id, person.token));
    }
    for round in 0..4 {
        let mut running = JoinSet::new();
        for number in 0..64 {
            let app = Arc::clone(&acme.world.app);
            // Requests of persons who have left fail before they run.
            let Ok(caller) = app.authenticate(&people[number % people.len()].1).await else { continue };
            let by = if number % 7 == 0 { Requester::operator() } else { Requester::caller(&caller, None) };
            let (organization, user) = (acme.organization.id, people[(number * 5 + round) % people.len()].0);
            running.spawn(async move { act(&app, by, organization, number, user).await });
        }
        for outcome in running.join_all().await {
            let is_refused = matches!(
                outcome,
                Err(Error::Team(_)
                    | Error::NotPermitted(_)
                    | Error::OrganizationNotFound
                    | Error::CallerReduced
                    | Error::CallerUnknown)
            );
            assert!(outcome.is_ok() || is_refused, "{outcome:?}");
        }
        let (roles, owner) = team(&acme).await;
        assert_eq!(roles.iter().filter(|(_, role)| role == "owner").count(), 1, "{roles:?}");
        assert!(people.iter().any(|(id, _)| json!(id) == owner));
        assert_eq!(acme.world.findings().await, [""; 0]);
    }
}
