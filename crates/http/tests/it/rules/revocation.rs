//! A credential that loses a right while its requests wait: they are refused once the revocation is committed.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tenantry_app::customers::CustomerDelete;
use tenantry_app::members::CustomerRef;
use tenantry_app::sub_accounts::SubAccountDelete;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_app::team::{TeamMemberRemove, TeamMemberSetRole};
use tenantry_app::tokens::TokenRevoke;
use tenantry_app::{App, Error, Requester};
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{CustomerId, OrganizationId, UserId};
use tenantry_core::team::{RoleChange, TeamRole};
use tenantry_core::values::SuspensionReason;
use tenantry_store::{Party, Tx, UseCase};
use tenantry_testkit::{Acme, Client, Database, Organization, Response};
use tokio::sync::oneshot;
use uuid::Uuid;

/// Does everything that a revocation does, and commits it when the receiver gets a value.
struct Held<U> {
    revocation: U,
    writer_of: Option<OrganizationId>,
    runs: Mutex<Option<oneshot::Sender<()>>>,
    go: Mutex<Receiver<()>>,
}

impl<U: UseCase<Error = Error>> UseCase for Held<U> {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        Party { organization: self.writer_of, limited_as: None }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        self.revocation.run(tx, context).await?;
        // A change may be sent together with the next read.
        tx.any_organization().await?;
        if let Some(runs) = self.runs.lock().unwrap().take() {
            runs.send(()).unwrap();
        }
        tokio::task::block_in_place(|| self.go.lock().unwrap().recv().unwrap());
        Ok(())
    }
}

/// Looks for a request that waits for a lock.
const LOOKS: usize = 500;

/// The queue in which requests wait for a revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    /// The writer of the organization.
    Writer,
    /// The lock of the organization's row; the writer on SQLite.
    Row,
}

fn is_postgres(acme: &Acme) -> bool {
    matches!(acme.world.database(), Database::Postgres(_))
}

/// Sends a request while the revocation is not committed yet.
async fn send_behind(
    acme: &Acme,
    revocation: impl UseCase<Error = Error>,
    behind: Behind,
    client: &Client<'_>,
    (method, path, body): (&str, &str, Value),
) -> Response {
    let body = (!body.is_null()).then_some(body);
    let (release, go) = channel();
    let (runs, running) = oneshot::channel();
    let writer_of = (behind == Behind::Writer).then_some(acme.organization.id);
    let held = Held { revocation, writer_of, runs: Mutex::new(Some(runs)), go: Mutex::new(go) };
    let (revoked, answer) = tokio::join!(acme.world.app.write(held), async {
        running.await.unwrap();
        let (answer, ()) = tokio::join!(biased; client.call(method, path, body), async {
            // The revocation may run in the writer of the organization: then the request waits for the writer.
            for _ in 0..LOOKS {
                if behind == Behind::Writer || !is_postgres(acme) || waits_for_lock(acme) {
                    break;
                }
                tokio::task::yield_now().await;
            }
            release.send(()).unwrap();
        });
        answer
    });
    revoked.unwrap();
    answer
}

fn waits_for_lock(acme: &Acme) -> bool {
    let waiting = "SELECT pid::text FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    !acme.world.database().texts(waiting).is_empty()
}

/// The requester with every right in the organization.
async fn manager(acme: &Acme) -> Requester {
    let caller = acme.world.app.authenticate(&acme.client().secret()).await.unwrap();
    Requester::caller(&caller, None)
}

fn customer() -> (&'static str, &'static str, Value) {
    ("POST", "/v1/customers", json!({"email": "late@customers.example.com"}))
}

fn token() -> (&'static str, &'static str, Value) {
    let body = json!({"comment": "late@token", "scopes": ["customers:read"]});
    ("POST", "/v1/organization-access-tokens", body)
}

fn assert_unchanged(acme: &Acme) {
    assert!(!acme.world.database().holds("late@"), "the request had an effect after the revocation");
}

#[tokio::test]
async fn a_revoked_token_does_not_act_from_the_queue() {
    for request in [customer(), token()] {
        for key in [None, Some("k")] {
            let acme = Acme::new().await;
            let client = acme.world.token(&acme.organization, "*").await;
            let id = client.actor();
            let client = key.map_or_else(|| client.clone(), |key| client.key(key));
            client.get("/v1/customers").await.expect(200);
            let revoke = TokenRevoke { by: manager(&acme).await, id };
            let refused = send_behind(&acme, revoke, Behind::Writer, &client, request.clone()).await;
            assert_eq!(refused.expect(401)["error"], json!("invalid_token"));
            assert_unchanged(&acme);
        }
    }
}

#[tokio::test]
async fn a_revoked_token_gets_no_replay_from_the_queue() {
    let acme = Acme::new().await;
    let client = acme.world.token(&acme.organization, "*").await;
    let keyed = client.key("k");
    let (method, path, body) = customer();
    keyed.json(method, path, &body).await.expect(201);
    let revoke = TokenRevoke { by: manager(&acme).await, id: client.actor() };
    let refused = send_behind(&acme, revoke, Behind::Writer, &keyed, (method, path, body)).await;
    assert_eq!((refused.status, refused.replayed()), (401, (None, None)));
}

/// An administrator whom the owner added to the team.
async fn administrator(acme: &Acme) -> (Client<'_>, UserId) {
    let email = "second@example.com";
    let body = json!({"email": email, "role": "Administrator"});
    acme.client().post(&format!("{}/members", acme.path_v2()), body).await.expect(201);
    let client = acme.world.user(email, "*").await;
    let id = UserId::new(client.actor());
    client.get("/v1/customers").await.expect(200);
    (client, id)
}

/// The requests of a person that wait for the organization's row, or only for the writer.
fn requests_of_person(acme: &Acme, behind: Behind) -> Vec<(&'static str, &'static str, Value)> {
    let name = |(method, path, mut body): (_, _, Value)| {
        body["organization_id"] = json!(acme.organization.id.to_string());
        (method, path, body)
    };
    let all = if behind == Behind::Row { vec![token()] } else { vec![token(), customer()] };
    all.into_iter().map(name).collect()
}

#[tokio::test]
async fn a_removed_administrator_does_not_act_from_the_queue() {
    for behind in [Behind::Writer, Behind::Row] {
        for number in 0..2 {
            let acme = Acme::new().await;
            let Some(request) = requests_of_person(&acme, behind).into_iter().nth(number) else { continue };
            let (client, user) = administrator(&acme).await;
            let by = manager(&acme).await;
            let remove = TeamMemberRemove { by, organization: acme.organization.id, user, may_leave: false };
            let refused = send_behind(&acme, remove, behind, &client, request).await;
            // A request that is authenticated after the removal does not find the organization.
            assert!([403, 422].contains(&refused.status), "{refused}");
            assert_unchanged(&acme);
        }
    }
}

#[tokio::test]
async fn a_lowered_role_counts_in_the_queue() {
    for behind in [Behind::Writer, Behind::Row] {
        let acme = Acme::new().await;
        let request = requests_of_person(&acme, behind).swap_remove(0);
        let (client, user) = administrator(&acme).await;
        let change = RoleChange { to: TeamRole::Analyst, satisfied_by: &[] };
        let by = manager(&acme).await;
        let lower = TeamMemberSetRole { by, organization: acme.organization.id, user, change };
        send_behind(&acme, lower, behind, &client, request).await.expect(403);
        assert_unchanged(&acme);
    }
}

#[tokio::test]
async fn a_suspended_organization_does_not_act_from_the_queue() {
    for behind in [Behind::Writer, Behind::Row] {
        let acme = Acme::new().await;
        let client = acme.client();
        client.get("/v1/customers").await.expect(200);
        let reason = SuspensionReason::parse("unpaid").unwrap();
        let suspend = OrganizationSuspend { id: acme.organization.id, reason };
        send_behind(&acme, suspend, behind, &client, token()).await.expect(401);
        assert_unchanged(&acme);
    }
}

#[tokio::test]
async fn a_deleted_customer_does_not_act_from_the_queue() {
    let acme = Acme::new().await;
    let customer = acme.create_team("team").await;
    let session = acme.owner_session("team").await;
    let portal = acme.world.bearer(&session);
    portal.get("/v1/customer-portal/customers/me").await.expect(200);
    let customer = CustomerRef::Id(CustomerId::new(customer.parse().unwrap()));
    let delete = CustomerDelete { by: manager(&acme).await, customer, anonymize: false };
    let request = ("POST", "/v1/customer-portal/members", json!({"email": "late@members.example.com"}));
    send_behind(&acme, delete, Behind::Writer, &portal, request).await.expect(401);
    assert_unchanged(&acme);
}

#[tokio::test]
async fn a_deleted_sub_account_does_not_act_from_the_queue() {
    let acme = Acme::new().await;
    let id = acme.world.sub_account(&acme.organization, "child").await;
    let child = Organization { id, slug: String::new(), owner: acme.organization.owner.clone() };
    let client = acme.world.token(&child, "*").await;
    client.get("/v1/customers").await.expect(200);
    let delete = SubAccountDelete { by: manager(&acme).await, parent: acme.organization.id, id };
    let refused = send_behind(&acme, delete, Behind::Row, &client, token()).await;
    assert!([401, 404].contains(&refused.status), "{refused}");
    assert_unchanged(&acme);
}

#[tokio::test]
async fn a_token_may_revoke_itself_while_others_are_revoked() {
    let acme = Acme::new().await;
    let other = acme.world.token(&acme.organization, "*").await;
    let client = acme.world.token(&acme.organization, "*").await;
    client.get("/v1/customers").await.expect(200);
    let revoke = TokenRevoke { by: manager(&acme).await, id: other.actor() };
    let path = format!("/v1/organization-access-tokens/{}", client.actor());
    let gone =
        send_behind(&acme, revoke, Behind::Writer, &client, ("DELETE", path.as_str(), Value::Null)).await;
    gone.expect(204);
    client.get("/v1/customers").await.expect(401);
}

#[tokio::test]
async fn a_portal_session_that_keeps_its_rights_acts() {
    let acme = Acme::new().await;
    acme.create_team("team").await;
    let other = acme.world.token(&acme.organization, "*").await;
    let session = acme.owner_session("team").await;
    let portal = acme.world.bearer(&session);
    portal.get("/v1/customer-portal/customers/me").await.expect(200);
    let revoke = TokenRevoke { by: manager(&acme).await, id: other.actor() };
    let request = ("POST", "/v1/customer-portal/members", json!({"email": "kept@members.example.com"}));
    send_behind(&acme, revoke, Behind::Writer, &portal, request).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lowered_administrator_does_not_take_the_role_back_from_the_queue() {
    let acme = Acme::new().await;
    let (client, user) = administrator(&acme).await;
    let by = manager(&acme).await;
    let organization = acme.organization.id;
    let change = RoleChange { to: TeamRole::Analyst, satisfied_by: &[] };
    let lower = TeamMemberSetRole { by, organization, user, change };
    let path = format!("{}/members/{user}", acme.path_v1());
    let request = ("PATCH", path.as_str(), json!({"role": "admin"}));
    send_behind(&acme, lower, Behind::Row, &client, request).await.expect(403);
    let roles = acme.world.database().texts("SELECT role FROM team_members WHERE email LIKE 'second@%'");
    assert_eq!(roles, ["analyst"]);
}

/// A use case, between whose changes and commit other credentials change: on SQLite none can.
struct Interfered<U> {
    use_case: U,
    app: Arc<App>,
    tokens: Mutex<Vec<Uuid>>,
}

impl<U: UseCase<Error = Error>> UseCase for Interfered<U> {
    type Output = U::Output;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<U::Output, Error> {
        let output = self.use_case.run(tx, context).await?;
        if !tx.is_exclusive() {
            let id = self.tokens.lock().unwrap().pop().unwrap();
            self.app.write(TokenRevoke { by: Requester::operator(), id }).await?;
        }
        Ok(output)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_may_take_its_own_rights_while_other_credentials_change() {
    let acme = Acme::new().await;
    let (client, user) = administrator(&acme).await;
    let by = Requester::caller(&acme.world.app.authenticate(&client.secret()).await.unwrap(), None);
    let other = acme.world.organization("other").await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(acme.world.token(&other, "*").await.actor());
    }
    let change = RoleChange { to: TeamRole::Analyst, satisfied_by: &[] };
    let (organization, app) = (acme.organization.id, Arc::clone(&acme.world.app));
    let lower = TeamMemberSetRole { by: by.clone(), organization, user, change };
    let lower = Interfered { use_case: lower, app, tokens: Mutex::new(tokens) };
    let lowered = acme.world.app.write_as(&by, lower).await.unwrap();
    assert_eq!(lowered.role, TeamRole::Analyst);
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

#[test]
fn every_handler_writes_as_its_caller() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50);
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("app.write("), "{}: Call::write checks the caller again", path.display());
    }
}
