//! Long changes of a person: others write between their parts, and they survive a crash.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use serde_json::json;
use tenantry_app::organizations::OwnerRef;
use tenantry_app::ownership::OrganizationTransfer;
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::{Error, Requester};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::user::UserError;
use tenantry_core::values::EmailAddress;
use tenantry_testkit::{Acme, World};

const OLD: &str = "ada@example.com";
const NEW: &str = "lovelace@example.com";
/// Teams of the person: more than two parts.
const TEAMS: usize = 60;

async fn user(world: &World, email: &str) -> UserId {
    let email = EmailAddress::parse(email).unwrap();
    world.app.store().reader().unwrap().tx().unwrap().user_by_email(&email).await.unwrap().unwrap().id
}

async fn join(world: &World, organization: OrganizationId, email: &str) -> Result<(), Error> {
    let new = NewTeamMember { email: email.parse().unwrap(), name: None, role: TeamRole::Developer };
    world.app.write(TeamMemberAdd { by: Requester::operator(), organization, new }).await.map(|_| ())
}

/// The person, in this many teams of different owners.
async fn person(world: &World, teams: usize) -> UserId {
    join_teams(world, teams, OLD).await;
    user(world, OLD).await
}

/// Adds a person to this many teams of different owners.
async fn join_teams(world: &World, teams: usize, email: &str) {
    for number in 0..teams {
        let organization = world.organization(&format!("team-{number}")).await;
        join(world, organization.id, email).await.unwrap();
    }
}

/// The memberships of this address.
fn memberships(world: &World, email: &str) -> usize {
    world.database().texts(&format!("SELECT email FROM team_members WHERE email_key = '{email}'")).len()
}

/// Lets a future go on until it waits, again and again, with a write of another tenant each time. Returns the outcome,
/// and what `seen` returned after each of these writes.
async fn between_writes<F: Future, S>(
    acme: &Acme,
    future: F,
    mut seen: impl FnMut() -> S,
) -> (F::Output, Vec<S>) {
    let mut future = pin!(future);
    let mut states = Vec::new();
    loop {
        if let Poll::Ready(outcome) = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await {
            return (outcome, states);
        }
        let email = format!("c{}@customers.example", states.len());
        let body = json!({"type": "individual", "email": email});
        acme.client().post("/v1/customers/", body).await.expect(201);
        states.push(seen());
    }
}

/// Checks that a state was seen in which some of the work is done. Of three parts, two can end between two looks.
fn assert_in_parts(states: &[usize], all: usize) {
    assert!(states.iter().any(|left| (1..all).contains(left)), "{states:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_while_the_teams_take_over_an_address() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let ada = person(world, TEAMS).await;
    let by = Requester::operator();
    let change = world.app.set_user_email(&by, ada, NEW.parse().unwrap());
    let (outcome, states) = between_writes(&acme, change, || memberships(world, OLD)).await;
    assert_eq!(outcome.unwrap().email.as_str(), NEW);
    assert_in_parts(&states, TEAMS);
    assert_eq!((memberships(world, OLD), memberships(world, NEW)), (0, TEAMS));
    let entries = "SELECT actor_kind FROM audit_entries WHERE action = 'team_member.updated'";
    assert_eq!(world.database().texts(entries), vec!["operator"; TEAMS]);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn others_write_while_a_person_is_deleted() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let ada = person(world, TEAMS).await;
    let token = world.user(OLD, "*").await;
    token.get("/v1/organizations/").await.expect(200);
    let by = Requester::operator();
    let deletion = world.app.delete_user(&by, ada);
    let (outcome, states) = between_writes(&acme, deletion, || memberships(world, OLD)).await;
    outcome.unwrap();
    assert_in_parts(&states, TEAMS);
    assert_eq!(memberships(world, OLD), 0);
    let entries = "SELECT actor_kind FROM audit_entries WHERE action = 'team_member.deleted'";
    assert_eq!(world.database().texts(entries), vec!["operator"; TEAMS]);
    token.get("/v1/organizations/").await.expect(401);
    assert_eq!(world.findings().await, [""; 0]);
}

/// Polls a future until its first transaction is committed, as `is_begun` sees it, and drops it: the process is killed.
async fn killed<F: Future>(future: F, is_begun: impl Fn() -> bool) {
    let mut future = Box::pin(future);
    while !is_begun() {
        let poll = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        assert!(poll.is_pending(), "it ended at once");
        tokio::task::yield_now().await;
    }
}

/// Begins to give a person the new address, kills the process when `is_begun` holds, and starts another one.
async fn killed_email_change(world: World, user: UserId, is_begun: impl Fn(&World) -> bool) -> World {
    let by = Requester::operator();
    killed(world.app.set_user_email(&by, user, NEW.parse().unwrap()), || is_begun(&world)).await;
    world.restart().await
}

/// The people whose address is being changed.
fn email_changes(world: &World) -> usize {
    world.database().texts("SELECT email FROM user_email_changes").len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_address_continues_after_a_crash() {
    let acme = Acme::new().await;
    let world = acme.world;
    let ada = person(&world, TEAMS).await;
    let world = killed_email_change(world, ada, |world| email_changes(world) > 0).await;
    // Whoever joins a team meanwhile has the new address, and the old one is free.
    let late = world.organization("late").await;
    join(&world, late.id, NEW).await.unwrap();
    join(&world, late.id, OLD).await.unwrap();
    assert_ne!(user(&world, OLD).await, ada);
    assert_eq!(world.findings().await, [""; 0]);
    world.app.sweep().await.unwrap();
    assert_eq!(email_changes(&world), 0);
    assert_eq!((memberships(&world, OLD), memberships(&world, NEW)), (1, TEAMS + 1));
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_change_of_an_address_replaces_one_that_is_under_way() {
    let acme = Acme::new().await;
    let world = acme.world;
    let ada = person(&world, TEAMS).await;
    let by = Requester::operator();
    let world = killed_email_change(world, ada, |world| memberships(world, NEW) > 0).await;
    let third = "countess@example.com";
    world.app.set_user_email(&by, ada, third.parse().unwrap()).await.unwrap();
    assert_eq!(memberships(&world, third), TEAMS);
    world.app.sweep().await.unwrap();
    assert_eq!(memberships(&world, third), TEAMS);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_sub_account_has_the_new_address_of_its_owner() {
    let acme = Acme::new().await;
    let world = acme.world;
    // So many that the change is not at its end when it is killed.
    join_teams(&world, TEAMS, &acme.organization.owner).await;
    let owner = user(&world, &acme.organization.owner).await;
    let world = killed_email_change(world, owner, |world| email_changes(world) > 0).await;
    world.sub_account(&acme.organization, "Child").await;
    world.app.sweep().await.unwrap();
    assert_eq!(memberships(&world, NEW), TEAMS + 2);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_of_a_person_continues_after_a_crash() {
    let acme = Acme::new().await;
    let world = acme.world;
    let ada = person(&world, TEAMS).await;
    let token = world.user(OLD, "*").await;
    let secret = token.secret();
    let by = Requester::operator();
    let rows = "SELECT actor_kind FROM user_deletions";
    killed(world.app.delete_user(&by, ada), || !world.database().texts(rows).is_empty()).await;
    let world = world.restart().await;
    assert_eq!(world.findings().await, [""; 0]);
    // The person is shut out at once, is deleted once, and becomes no owner through a membership that is left.
    world.bearer(&secret).get("/v1/organizations/").await.expect(401);
    let again = world.app.delete_user(&by, ada).await;
    assert!(matches!(again, Err(Error::User(UserError::NotFound))), "{again:?}");
    let left = "SELECT organizations.slug FROM organizations JOIN team_members ON organization_id = id
        WHERE email_key = 'ada@example.com' ORDER BY slug";
    let slug = world.database().texts(left).pop().unwrap();
    let organization = {
        let mut reader = world.app.store().reader().unwrap();
        reader.tx().unwrap().organization_by_slug(&slug).await.unwrap().unwrap()
    };
    let to = OwnerRef::User(ada);
    world.app.write(OrganizationTransfer { organization, to }).await.unwrap_err();
    // The address is free: somebody else joins the same team.
    join(&world, organization, OLD).await.unwrap();
    let other = user(&world, OLD).await;
    assert_ne!(other, ada);
    world.app.sweep().await.unwrap();
    assert_eq!(world.database().texts(rows).len(), 0);
    assert_eq!(memberships(&world, OLD), 1);
    assert_eq!(user(&world, OLD).await, other);
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_ends_a_change_of_the_address() {
    let acme = Acme::new().await;
    let world = acme.world;
    let ada = person(&world, TEAMS).await;
    let by = Requester::operator();
    let world = killed_email_change(world, ada, |world| memberships(world, NEW) > 0).await;
    world.app.delete_user(&by, ada).await.unwrap();
    world.app.sweep().await.unwrap();
    assert_eq!((memberships(&world, OLD), memberships(&world, NEW)), (0, 0));
    assert_eq!(email_changes(&world), 0);
    let images = "SELECT coalesce(before, '') || coalesce(after, '') FROM audit_entries";
    let text = world.database().texts(images).join("\n");
    assert!(!text.contains(OLD) && !text.contains(NEW), "{text}");
    assert_eq!(world.findings().await, [""; 0]);
}

#[tokio::test]
async fn a_person_changes_no_other_person() {
    let acme = Acme::new().await;
    let world = &acme.world;
    person(world, 1).await;
    let token = world.user(OLD, "*").await;
    let by = Requester::caller(&world.app.authenticate(&token.secret()).await.unwrap(), None);
    let owner = user(world, &acme.organization.owner).await;
    let refused = world.app.set_user_email(&by, owner, NEW.parse().unwrap()).await;
    assert!(matches!(refused, Err(Error::User(UserError::NotFound))), "{refused:?}");
    let refused = world.app.delete_user(&by, owner).await;
    assert!(matches!(refused, Err(Error::User(UserError::NotFound))), "{refused:?}");
    // Oneself is another matter.
    let ada = user(world, OLD).await;
    world.app.delete_user(&by, ada).await.unwrap();
    assert_eq!(memberships(world, OLD), 0);
    assert_eq!(world.findings().await, [""; 0]);
}
