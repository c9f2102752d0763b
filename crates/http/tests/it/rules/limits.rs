//! Numbers of rows that a tenant can reach. Concurrent requests do not exceed them.

use std::sync::Arc;

use serde_json::json;
use tenantry_app::limits::{
    ORGANIZATIONS_PER_PERSON, ORGANIZATIONS_PER_PERSON_BY_ONE_OWNER, ORGANIZATIONS_PER_PERSON_BY_OTHERS,
    SESSIONS_PER_CUSTOMER, TEAM_MEMBERS_PER_ORGANIZATION, TOKENS_PER_ORGANIZATION,
};
use tenantry_app::members::CustomerRef;
use tenantry_app::sessions::SessionCreate;
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::tokens::TokenCreate;
use tenantry_app::{Error, LimitReached, Requester};
use tenantry_core::ids::{CustomerId, OrganizationId};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::token::Scopes;
use tenantry_store::UseCase;
use tenantry_testkit::{Acme, Client, World};
use tokio::task::JoinSet;

/// Runs use cases at the same time; answers how many succeeded. The others must be refused by a limit.
async fn all<U: UseCase<Error = Error>>(world: &World, use_cases: Vec<U>) -> u64 {
    let mut running = JoinSet::new();
    for use_case in use_cases {
        let app = Arc::clone(&world.app);
        running.spawn(async move { app.write(use_case).await.map(drop) });
    }
    let (mut succeeded, mut refused) = (0, 0);
    for outcome in running.join_all().await {
        match outcome {
            Ok(()) => succeeded += 1,
            Err(Error::LimitReached(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0);
    succeeded
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_has_a_largest_size() {
    let acme = Acme::new().await;
    let organization = acme.organization.id;
    let add = |number: u64| {
        let email = format!("person{number}@example.com").parse().unwrap();
        let new = NewTeamMember { email, name: None, role: TeamRole::Analyst };
        TeamMemberAdd { by: Requester::operator(), organization, new }
    };
    let people = (0..TEAM_MEMBERS_PER_ORGANIZATION + 20).map(add).collect();
    assert_eq!(all(&acme.world, people).await + 1, TEAM_MEMBERS_PER_ORGANIZATION, "with the owner");
    let another = json!({"email": "another@example.com"});
    acme.client().post(&format!("{}/members", acme.path_v1()), another).await.expect(403);
    let another = json!({"email": "another@example.com", "role": "Analyst"});
    let refused = acme.client().post(&format!("{}/members", acme.path_v2()), another).await.expect(403);
    assert_eq!(refused.message(), "an organization has at most 1000 people in its team");
    // Somebody who is in the team is found as ever, and leaving makes room.
    let present = json!({"email": "person1@example.com"});
    let listed = acme.client().get(&format!("{}/members", acme.path_v2())).await.expect(200);
    let user = listed["data"].as_array().unwrap().iter().find(|member| member["role"] == "Analyst").unwrap();
    let path = format!("{}/members/{}", acme.path_v2(), user["user_id"].as_str().unwrap());
    acme.client().delete(&path).await.expect(200);
    acme.client().post(&format!("{}/members", acme.path_v1()), present).await;
    acme.client().post(&format!("{}/members", acme.path_v1()), json!({"email": "late@example.com"})).await;
    let listed = acme.client().get(&format!("{}/members", acme.path_v2())).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len() as u64, TEAM_MEMBERS_PER_ORGANIZATION);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_has_a_largest_number_of_tokens() {
    let acme = Acme::new().await;
    let create = |_| TokenCreate {
        by: Requester::operator(),
        organization: acme.organization.id,
        label: "token".to_owned(),
        scopes: Scopes::default(),
        expires_in_s: Some(-1),
        hash_key: acme.world.app.hash_key().clone(),
    };
    let tokens = (0..TOKENS_PER_ORGANIZATION + 20).map(create).collect();
    assert_eq!(all(&acme.world, tokens).await + 1, TOKENS_PER_ORGANIZATION, "with the client's");
    let token = json!({"comment": "one more", "scopes": ["customers:read"]});
    acme.client().post("/v1/organization-access-tokens", token.clone()).await.expect(403);
    let key = json!({"label": "one more", "scopes": ["accounts:read"]});
    acme.client().post(&acme.api_keys(), key.clone()).await.expect(403);
    // A deleted token makes room, in either dialect.
    let listed = acme.client().get(&acme.api_keys()).await.expect(200);
    let unused = listed["data"].as_array().unwrap().iter().find(|key| key["label"] == "token").unwrap();
    let path = format!("{}/{}", acme.api_keys(), unused["id"].as_str().unwrap());
    acme.client().delete(&path).await.expect(200);
    acme.client().post(&acme.api_keys(), key).await.expect(201);
    acme.client().post("/v1/organization-access-tokens", token).await.expect(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_a_largest_number_of_sessions() {
    let acme = Acme::new().await;
    let customer = acme.create_team("crew").await;
    let owner = format!("/v1/members?customer_id={customer}&role=owner");
    let owner = acme.client().get(&owner).await.expect(200);
    let member: uuid::Uuid = owner["items"][0]["id"].as_str().unwrap().parse().unwrap();
    let by = Requester::caller(&acme.world.app.authenticate(&acme.client().secret()).await.unwrap(), None);
    let create = |_| SessionCreate {
        by: by.clone(),
        customer: CustomerRef::Id(CustomerId::new(customer.parse().unwrap())),
        member: Some(tenantry_core::portal::MemberSelector::Id(tenantry_core::ids::MemberId::new(member))),
        return_url: None,
        hash_key: acme.world.app.hash_key().clone(),
    };
    let sessions = (0..SESSIONS_PER_CUSTOMER + 20).map(create).collect();
    assert_eq!(all(&acme.world, sessions).await, SESSIONS_PER_CUSTOMER);
    // They end by themselves.
    acme.world.advance_s(60 * 60);
    acme.world.app.write(create(0)).await.unwrap();
}

/// Puts a person into this many organizations that do not exist.
fn join(world: &World, email: &str, organizations: u64) {
    let is_postgres = std::env::var("TENANTRY_TEST_ENGINE").is_ok_and(|engine| engine == "postgres");
    let id = if is_postgres { "gen_random_uuid()" } else { "randomblob(16)" };
    world.database().execute(&format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {organizations})
         INSERT INTO user_organizations (user_id, organization_id)
         SELECT users.id, {id} FROM users CROSS JOIN n WHERE users.email_key = '{email}'"
    ));
}

#[tokio::test]
async fn a_person_is_in_a_largest_number_of_organizations() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let busy = world.user("busy@example.com", "*").await;
    join(world, "busy@example.com", ORGANIZATIONS_PER_PERSON_BY_OTHERS - 1);
    let add = async |to: &Acme| {
        let new = json!({"email": "busy@example.com", "role": "Analyst"});
        to.client().post(&format!("{}/members", to.path_v2()), new).await
    };
    let user = add(&acme).await.expect(201)["user_id"].as_str().unwrap().to_owned();
    acme.client().delete(&format!("{}/members/{user}", acme.path_v2())).await.expect(200);
    join(world, "busy@example.com", 1);
    let refused = add(&acme).await.expect(403);
    assert_eq!(refused.message(), LimitReached::Organizations.to_string());
    // Others leave room for what the person creates.
    let create = async |slug: &str| busy.post("/v1/organizations", json!({"name": slug, "slug": slug})).await;
    create("own-one").await.expect(201);
    join(world, "busy@example.com", ORGANIZATIONS_PER_PERSON - ORGANIZATIONS_PER_PERSON_BY_OTHERS - 1);
    create("own-two").await.expect(403);
}

#[tokio::test]
async fn one_owner_uses_a_share_of_the_organizations_of_a_person() {
    let acme = Acme::new().await;
    let world = &acme.world;
    let add = async |to: OrganizationId, by: &Client<'_>| {
        let new = json!({"email": "target@example.com"});
        by.post(&format!("/v1/organizations/{to}/members"), new).await
    };
    let owner = world.user(&acme.organization.owner, "*").await;
    for number in 1..ORGANIZATIONS_PER_PERSON_BY_ONE_OWNER {
        let slug = format!("copy-{number}");
        let copy = world.organization_owned_by(&slug, &acme.organization.owner).await;
        let email = "target@example.com".parse().unwrap();
        let new = NewTeamMember { email, name: None, role: TeamRole::Analyst };
        let add = TeamMemberAdd { by: Requester::operator(), organization: copy.id, new };
        world.app.write(add).await.unwrap();
    }
    assert_eq!(add(acme.organization.id, &owner).await.status, 201);
    let one_more = world.organization_owned_by("one-more", &acme.organization.owner).await;
    let refused = add(one_more.id, &owner).await.expect(403);
    let text = "the organizations of one owner have the same person in at most 100 teams";
    assert_eq!(refused["detail"], text);
    // Another owner may add the person, who may also create an organization.
    let other = world.organization("other").await;
    let other_owner = world.user(&other.owner, "*").await;
    assert_eq!(add(other.id, &other_owner).await.status, 201);
    let target = world.user("target@example.com", "*").await;
    target.post("/v1/organizations", json!({"name": "Own", "slug": "own"})).await.expect(201);
}

#[tokio::test]
async fn a_deleted_sub_account_is_an_organization_of_its_people_until_its_purge() {
    let acme = Acme::new().await;
    let memberships = || acme.world.database().texts("SELECT 'one' FROM user_organizations").len();
    let before = memberships();
    for number in 0..3 {
        let child = acme.world.sub_account(&acme.organization, &format!("Child {number}")).await;
        let path = format!("{}/sub-accounts/{child}", acme.path_v2());
        acme.client().delete(&path).await.expect(200);
    }
    assert_eq!(memberships(), before + 3);
    acme.world.advance_s(31 * 24 * 60 * 60);
    acme.world.app.sweep().await.unwrap();
    assert_eq!(memberships(), before);
    let kept = acme.world.database().texts("SELECT 'one' FROM team_members");
    assert_eq!(kept.len(), before);
}
