//! Every operation of the two OpenAPI documents, sent by every kind of caller that has no access to its subject.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_app::ownership::OwnershipOffer;
use tenantry_app::suspension::OrganizationSuspend;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::values::SuspensionReason;
use uuid::Uuid;

use tenantry_testkit::{Client, Organization, Response, World, portal_session};

/// The kind of the token of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Organization,
    Person,
    Customer,
    Member,
}

/// An operation of a served document.
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) method: String,
    path: String,
    /// Whether the operation takes a page number.
    pub(crate) has_pages: bool,
    /// The accepted kinds of tokens. Each needs one of its scopes. Empty for a public operation.
    pub(crate) open: BTreeMap<Whose, Vec<String>>,
}

impl Served {
    fn read(method: &str, path: &str, operation: &Value) -> Self {
        let mut open = BTreeMap::new();
        for alternative in operation["security"].as_array().unwrap() {
            for (scheme, scopes) in alternative.as_object().unwrap() {
                let whose: &[Whose] = match scheme.as_str() {
                    "bearer" => &[Whose::Organization, Whose::Person],
                    "organization" => &[Whose::Organization],
                    "user" => &[Whose::Person],
                    "customer_session" => &[Whose::Customer],
                    "member_session" => &[Whose::Member],
                    other => panic!("tokens of {other}"),
                };
                let scopes = scopes.as_array().unwrap().iter();
                let scopes: Vec<String> = scopes.map(|scope| scope.as_str().unwrap().to_owned()).collect();
                open.extend(whose.iter().map(|whose| (*whose, scopes.clone())));
            }
        }
        let id = operation["operationId"].as_str().unwrap().to_owned();
        let has_pages = operation["parameters"].as_array().unwrap().iter().any(|one| one["name"] == "page");
        Self { id, method: method.to_uppercase(), path: path.to_owned(), has_pages, open }
    }

    pub(crate) fn is_public(&self) -> bool {
        self.open.is_empty()
    }

    /// The status for a valid token of this kind that has none of the operation's scopes.
    fn without_scope(&self, whose: Whose) -> u16 {
        match self.open.get(&whose) {
            None => 401,
            Some(scopes) if scopes.is_empty() => 200,
            Some(_) => 403,
        }
    }
}

pub(crate) async fn served(world: &World) -> Vec<Served> {
    let mut all = Vec::new();
    for document in ["/v1/openapi.json", "/v2/openapi.json"] {
        let document = world.anonymous().get(document).await.expect(200);
        for (path, methods) in document["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap();
            all.extend(methods.iter().map(|(method, operation)| Served::read(method, path, operation)));
        }
    }
    all
}

/// A tenant with a row of every kind. Rows of two estates have equal names wherever names need not be unique.
pub(crate) struct Estate {
    pub(crate) tenant: Organization,
    slug: String,
    customer: String,
    member: String,
    teammate: String,
    endpoint: String,
    event: String,
    token: String,
    import: String,
    /// An invitation to the invitee, and its token.
    invitation: String,
    invitation_token: String,
    /// An entry of the audit log.
    entry: String,
    /// A sub-account, and a key of it.
    child: OrganizationId,
    child_key: String,
    /// A session of an individual customer, begun before customers had members.
    customer_session: String,
    /// A session of an individual customer's owner.
    member_session: String,
    /// A session of the team customer's owner.
    owner_session: String,
    /// The ids of the three sessions, in the same order.
    session_ids: [String; 3],
}

/// The address of the teammate.
const TEAMMATE: &str = "t@example.com";
/// The address of the person who is invited, and has proved it.
const INVITEE: &str = "invitee@example.com";
/// A file of an import, and its type.
const FILE: &str = "email\nrow@example.com\n";
const CSV: &str = "text/csv";

pub(crate) async fn estate(world: &World, slug: &str) -> Estate {
    let tenant = world.organization(slug).await;
    let child = world.sub_account(&tenant, &format!("{slug}-child")).await;
    // A key without scopes, which any caller with the operation's own scope may change or delete.
    let child_organization = Organization { id: child, slug: String::new(), ..tenant.clone() };
    let weak = json!({"comment": "child", "scopes": []});
    let client = world.token(&child_organization, "*").await;
    let child_key = client.post("/v1/organization-access-tokens", weak).await.expect(201);
    let child_key = child_key["organization_access_token"]["id"].as_str().unwrap().to_owned();
    let customer_session = customer_session(world, &tenant).await;
    furnish(world, tenant, slug, (child, child_key), customer_session).await
}

/// Lets customers of the organization change their address.
fn portal_settings() -> Value {
    json!({
        "usage": {"show": true},
        "subscription": {"update_seats": true, "update_plan": true},
        "customer": {"allow_email_change": true}
    })
}

/// The secret of a portal session of a customer without members. It belongs to another sub-account of the parent, because
/// an organization has either sessions of members or sessions of customers.
async fn customer_session(world: &World, parent: &Organization) -> String {
    let plain = world.sub_account(parent, "Plain").await;
    let plain = Organization { id: plain, slug: String::new(), ..parent.clone() };
    let client = world.token(&plain, "*").await;
    let settings = json!({
        "feature_settings": {"member_model_enabled": false},
        "customer_portal_settings": portal_settings()
    });
    client.patch(&format!("/v1/organizations/{}", plain.id), settings).await.expect(200);
    let solo = client.post("/v1/customers", json!({"email": "solo@example.com"})).await.expect(201).id();
    portal_session(&client, &json!({"customer_id": solo})).await
}

/// The ids of portal sessions by their secrets.
async fn session_ids(world: &World, secrets: [&String; 3]) -> [String; 3] {
    let mut ids = [const { String::new() }; 3];
    for (id, secret) in ids.iter_mut().zip(secrets) {
        let listed = world.bearer(secret).get("/v1/customer-portal/sessions").await.expect(200);
        *id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    }
    ids
}

/// A tenant with a row of every other kind.
async fn furnish(
    world: &World,
    tenant: Organization,
    slug: &str,
    (child, child_key): (OrganizationId, String),
    customer_session: String,
) -> Estate {
    let client = world.token(&tenant, "*").await;
    let endpoint =
        json!({"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]});
    let endpoint = client.post("/v1/webhooks/endpoints", endpoint).await.expect(201).id();
    let solo = client.post("/v1/customers", json!({"email": "solo@example.com"})).await.expect(201).id();
    let settings = json!({
        "feature_settings": {"member_model_enabled": true},
        "customer_portal_settings": portal_settings()
    });
    client.patch(&format!("/v1/organizations/{}", tenant.id), settings).await.expect(200);
    let member_session = portal_session(&client, &json!({"customer_id": solo})).await;
    let customer = json!({"type": "team", "email": "c@example.com", "external_id": "cus"});
    let customer = client.post("/v1/customers", customer).await.expect(201).id();
    let event = world.pending_event(&tenant, &customer).await;
    let owner = client.get(&format!("/v1/members?customer_id={customer}")).await.expect(200);
    let owner = json!({"customer_id": customer, "member_id": owner["items"][0]["id"]});
    let owner_session = portal_session(&client, &owner).await;
    let member = json!({"email": "m@example.com", "external_id": "mem"});
    let member = client.post(&format!("/v1/customers/{customer}/members"), member).await.expect(201).id();
    let teammate = json!({"email": TEAMMATE, "role": "Developer"});
    let members = format!("/v2/accounts/{}/members", tenant.id);
    let teammate = client.post(&members, teammate).await.expect(201)["user_id"].as_str().unwrap().to_owned();
    let to = UserId::new(teammate.parse().unwrap());
    let offer = OwnershipOffer { by: Requester::operator(), organization: tenant.id, to };
    world.app.write(offer).await.unwrap();
    let token = json!({"comment": "another", "scopes": []});
    let token = client.post("/v1/organization-access-tokens", token).await.expect(201);
    let token = token["organization_access_token"]["id"].as_str().unwrap().to_owned();
    // Without rows it is finished at once: an owner has two imports that run.
    let import = client.send("POST", "/v1/customers/import", Some(CSV), "email\n").await.expect(202).id();
    world.proved_user(INVITEE, "openid").await;
    let invitations = format!("/v1/organizations/{}/invitations", tenant.id);
    let invitation = json!({"email": INVITEE, "send_email": false});
    let invited = client.post(&invitations, invitation).await.expect(201);
    let invitation_token = invited["accept_url"].as_str().unwrap().split('#').nth(1).unwrap().to_owned();
    // An invitation is sent again a minute later.
    world.advance_s(60);
    let log = client.get("/v1/audit-log?limit=1").await.expect(200);
    let entry = log["items"][0]["id"].as_str().unwrap().to_owned();
    let slug = slug.to_owned();
    let session_ids = session_ids(world, [&customer_session, &member_session, &owner_session]).await;
    Estate {
        tenant,
        slug,
        customer,
        member,
        teammate,
        endpoint,
        event,
        token,
        import,
        invitation: invited.id(),
        invitation_token,
        entry,
        child,
        child_key,
        customer_session,
        member_session,
        owner_session,
        session_ids,
    }
}

impl Estate {
    /// The path of an operation with the ids of the estate's rows.
    pub(crate) fn path(&self, operation: &Served) -> String {
        let path = &operation.path;
        let mut steps = path.split('/').skip(2);
        let id = match (steps.next(), steps.next()) {
            (Some("organizations"), _) => self.tenant.id.to_string(),
            (Some("customers"), Some("import")) => self.import.clone(),
            (Some("customers"), _) => self.customer.clone(),
            (Some("webhooks"), Some("endpoints")) => self.endpoint.clone(),
            (Some("webhooks"), Some("events")) => self.event.clone(),
            (Some("organization-access-tokens"), _) => self.token.clone(),
            (Some("audit-log"), _) => self.entry.clone(),
            (Some("customer-portal"), Some("sessions")) => self.session_ids[1].clone(),
            _ => self.member.clone(),
        };
        let external = if path.starts_with("/v1/customers") { "cus" } else { "mem" };
        let filled = path
            .replace("{id}", &id)
            .replace("{member_id}", &self.member)
            .replace("{external_id}", external)
            .replace("{member_external_id}", "mem")
            .replace("{session_id}", &self.session_ids[2])
            .replace("{account_id}", &self.tenant.id.to_string())
            .replace("{user_id}", &self.teammate)
            .replace("{invitation_id}", &self.invitation)
            .replace("{sub_account_id}", &self.child.to_string())
            .replace("{key_id}", if path.contains("sub-accounts") { &self.child_key } else { &self.token })
            .replace("{slug}", &self.slug);
        assert!(!filled.contains('{'), "{path}");
        match operation.id.as_str() {
            "customer_portal:customers:check_email_update" => format!("{filled}?token=nothing"),
            "organizations:delete" => format!("{filled}?sub_accounts=true"),
            _ if path == "/v1/members/external/{external_id}" => {
                format!("{filled}?customer_id={}", self.customer)
            }
            _ => filled,
        }
    }

    /// A valid body. It names the organization only if the caller is a person: other callers have one.
    fn body(&self, whose: Whose, operation: &str) -> Value {
        let mut body = match operation {
            "audit_log:set_retention" => json!({"days": 30}),
            "organizations:set_passkey_rule" => json!({"required": false}),
            "members:create_member" => json!({"customer_id": self.customer, "email": "new@example.com"}),
            "addAccountMember" => json!({"email": "new@example.com", "role": "Developer"}),
            "createSubAccount" => json!({"name": "New", "website": "new.example.com"}),
            "suspendSubAccount" => json!({"reason": "late"}),
            "createAPIKey" => json!({"label": "new", "scopes": ["api-keys:write"]}),
            "createSubAccountAPIKey" => json!({"label": "new", "scopes": ["sub-account-api-keys:write"]}),
            "updateAPIKey" | "updateSubAccountAPIKey" => json!({"label": "changed"}),
            "organizations:create" => {
                return json!({"name": "Another", "slug": format!("{}-another", self.slug)});
            }
            "organizations:members:add" | "organizations:members:invite" => {
                json!({"email": "new@example.com"})
            }
            "organizations:members:set_role" => json!({"role": "finance"}),
            "organizations:invitations:create" => json!({"email": "new@example.com"}),
            "organizations:invitations:bulk_create" => json!({"items": [{"email": "newer@example.com"}]}),
            "organizations:invitations:resend" => json!({"send_email": false}),
            "invitations:accept" => json!({"token": self.invitation_token}),
            "invitations:lookup" | "invitations:decline" => json!({"token": "nothing"}),
            "organizations:transfer" => json!({"user_id": self.teammate}),
            "organizations:accept_transfer" => json!({}),
            "organization_access_tokens:create" => json!({"comment": "new", "scopes": []}),
            "tokens:revoke" => json!({"token": "nothing"}),
            "organization_access_tokens:rotate" | "rotateAPIKey" | "rotateSubAccountAPIKey" => json!({}),
            "organization_access_tokens:update" => json!({"comment": "changed"}),
            "webhooks:create_webhook_endpoint" => {
                json!({"url": "https://hooks.example.com/new", "format": "raw", "events": []})
            }
            "customer-sessions:create" => json!({"customer_id": self.customer, "member_id": self.member}),
            "customer_portal:customers:update" => json!({"billing_name": "Changed"}),
            "customer_portal:customers:verify_email_update" => json!({"token": "nothing"}),
            "customer_portal:customer-session:request" => {
                json!({"email": "new@example.com", "organization_id": self.tenant.id})
            }
            "customer_portal:customer-session:authenticate" => json!({"code": "NOCODE"}),
            "customer_portal:customers:request_email_update" | "customer_portal:members:add_member" => {
                json!({"email": "new@example.com"})
            }
            creation if creation.contains("create") => json!({"email": "new@example.com"}),
            _ => json!({"name": "Changed"}),
        };
        if whose == Whose::Person && NAMING.contains(&operation) {
            body["organization_id"] = json!(self.tenant.id);
        }
        body
    }

    pub(crate) async fn send(&self, client: &Client<'_>, whose: Whose, operation: &Served) -> Response {
        let mut path = self.path(operation);
        if whose == Whose::Person && NAMING_IN_QUERY.contains(&operation.id.as_str()) {
            path.push_str(&format!("?organization_id={}", self.tenant.id));
        }
        // A session belongs to one person.
        if whose == Whose::Customer && operation.id == "customer_portal:sessions:end" {
            path = path.replace(&self.session_ids[1], &self.session_ids[0]);
        }
        match operation.method.as_str() {
            "POST" if operation.id == "customers:import" => client.send("POST", &path, Some(CSV), FILE).await,
            "GET" | "DELETE" => client.send(&operation.method, &path, None, "").await,
            method => client.json(method, &path, &self.body(whose, &operation.id)).await,
        }
    }

    /// A client of the estate that may do the operation. Its token has this scope alone, if it has scopes.
    pub(crate) async fn client<'a>(
        &self,
        world: &'a World,
        whose: Whose,
        scope: &str,
        operation: &Served,
    ) -> Client<'a> {
        match whose {
            Whose::Organization => world.token(&self.tenant, scope).await,
            Whose::Person if operation.id == "invitations:accept" => world.user(INVITEE, scope).await,
            // The owner cannot leave a team, so another person does.
            Whose::Person if operation.id == "organizations:members:leave" => {
                world.user(TEAMMATE, scope).await
            }
            Whose::Person => world.user(&self.tenant.owner, scope).await,
            Whose::Customer => world.bearer(&self.customer_session),
            Whose::Member if operation.path.starts_with("/v1/customer-portal/members") => {
                world.bearer(&self.owner_session)
            }
            Whose::Member => world.bearer(&self.member_session),
        }
    }

    /// Whether a response contains data of the estate. The audit log of a sub-account names its parent, but contains none
    /// of the parent's entries.
    fn is_in(&self, operation: &Served, answer: &Response) -> bool {
        let (tenant, child) = (self.tenant.id.to_string(), self.child.to_string());
        let is_log = operation.id.starts_with("audit_log:");
        let tenant = if is_log { format!(r#""organization_id":"{tenant}"#) } else { tenant };
        let team = [&tenant, &self.teammate, &self.token, &child, &self.child_key];
        let rows = [&self.customer, &self.member, &self.endpoint, &self.event, &self.invitation];
        team.into_iter().chain(rows).any(|id| answer.text.contains(id.as_str()))
    }
}

/// Creations whose body names the organization when a person sends it.
const NAMING: [&str; 3] =
    ["customers:create", "organization_access_tokens:create", "webhooks:create_webhook_endpoint"];

/// Operations whose query names the organization when a person sends them.
const NAMING_IN_QUERY: [&str; 4] =
    ["customers:import", "audit_log:list", "audit_log:get_retention", "audit_log:set_retention"];

/// Whether an operation that names no single row gave a foreign token the right response: its own rows, or a refusal
/// of the organization that it names. `None` for the other operations.
fn about_nothing(whose: Whose, operation: &str, answer: &Response) -> Option<bool> {
    let of_nobody = || answer["items"].as_array().is_some_and(Vec::is_empty);
    match operation {
        "ping" | "organizations:list" => Some(answer.status == 200),
        "users:list_invitations"
        | "members:list_members"
        | "customers:list"
        | "webhooks:list_webhook_endpoints"
        | "webhooks:list_webhook_deliveries" => Some(answer.status == 200 && of_nobody()),
        "organization_access_tokens:list" => {
            let own = whose == Whose::Organization;
            Some(answer.status == 200 && own != of_nobody())
        }
        "customers:export" | "members:export" => {
            Some(answer.status == 200 && answer.text.lines().count() == 1)
        }
        // An organization has a log of its own. A person names the organization.
        "audit_log:list" | "audit_log:get_retention" | "audit_log:set_retention" => {
            Some([200, 422].contains(&answer.status))
        }
        "audit_log:export" => Some(answer.status == 200),
        "customer-sessions:create" | "customers:import" => Some(answer.status == 422),
        creation if NAMING.contains(&creation) => Some(answer.status == 422),
        // The invitation is for another address.
        "invitations:accept" => Some(answer.status == 403),
        // A person may have an organization of their own.
        "organizations:create" => Some(answer.status == 201),
        _ => None,
    }
}

/// The status of a public operation, for the slug of the estate or for a secret that was never issued.
fn in_public(operation: &str) -> u16 {
    match operation {
        "customer_portal:organizations:get" | "tokens:revoke" => 200,
        "customer_portal:customers:check_email_update" | "customer_portal:customers:verify_email_update" => {
            401
        }
        "customer_portal:customer-session:request" => 202,
        "customer_portal:customer-session:authenticate" => 401,
        "invitations:lookup" | "invitations:decline" => 404,
        other => panic!("{other} is public"),
    }
}

fn not_found(answer: &Response) -> bool {
    answer.status == 404 && answer["error"] == json!("ResourceNotFound")
}

#[tokio::test]
async fn every_operation_needs_a_token_of_the_right_kind_and_scope() {
    let world = World::new();
    let estate = estate(&world, "estate").await;
    let unknown = [
        ("no token", world.anonymous()),
        ("garbage", world.bearer("garbage")),
        ("mistyped", world.bearer("polar_oat_0000000000000000000000000000000000000000000")),
        ("no session", world.bearer("tenantry_mst_0000000000000000000000000000000000000000000")),
        ("expired", world.expired_token(&estate.tenant).await),
    ];
    let known = [
        (Whose::Organization, world.token(&estate.tenant, "openid").await),
        (Whose::Person, world.user(&estate.tenant.owner, "openid").await),
    ];
    // Tokens with every scope.
    let all_scopes = [
        (Whose::Organization, world.token(&estate.tenant, "*").await),
        (Whose::Person, world.user(&estate.tenant.owner, "*").await),
        (Whose::Customer, world.bearer(&estate.customer_session)),
        (Whose::Member, world.bearer(&estate.member_session)),
        (Whose::Member, world.bearer(&estate.owner_session)),
    ];
    let before = world.audit(&estate.tenant).await.len();
    let (mut public, mut kinds) = (0, 0);
    for operation in served(&world).await {
        if operation.is_public() {
            public += 1;
            let first = estate.send(&unknown[0].1, Whose::Person, &operation).await;
            assert_eq!(first.status, in_public(&operation.id), "{first}");
            let others = unknown.iter().map(|(_, client)| client);
            for client in others.chain(all_scopes.iter().map(|(_, client)| client)) {
                let answer = estate.send(client, Whose::Person, &operation).await;
                assert_eq!((answer.status, &answer.text), (first.status, &first.text), "{answer}");
            }
            continue;
        }
        for (who, client) in &unknown {
            let answer = estate.send(client, Whose::Person, &operation).await;
            assert_eq!(answer.status, 401, "{who}: {answer}");
            assert!(answer.header("www-authenticate").is_some(), "{who}: {answer}");
        }
        for (whose, client) in &known {
            let answer = estate.send(client, *whose, &operation).await;
            assert_eq!(answer.status, operation.without_scope(*whose), "{whose:?} without scope: {answer}");
        }
        for (whose, client) in all_scopes.iter().filter(|(whose, _)| !operation.open.contains_key(whose)) {
            kinds += 1;
            let answer = estate.send(client, *whose, &operation).await;
            assert_eq!(answer.status, 401, "{whose:?}: {answer}");
        }
    }
    assert!(public == 8 && kinds > 150, "{public} {kinds}");
    assert_eq!(world.audit(&estate.tenant).await.len(), before, "nothing changed");
}

#[tokio::test]
async fn no_caller_has_access_to_another_tenant() {
    let world = World::new();
    let estate = estate(&world, "estate").await;
    let other = world.organization("other").await;
    let elsewhere = self::estate(&world, "elsewhere").await;
    let strangers = [
        (Whose::Organization, world.token(&other, "*").await),
        (Whose::Person, world.user("stranger@example.com", "*").await),
        (Whose::Customer, world.bearer(&elsewhere.customer_session)),
        (Whose::Member, world.bearer(&elsewhere.owner_session)),
    ];
    strangers_reach_nothing(&world, &estate, &strangers).await;
}

/// A parent administers a sub-account under its own path. A token of one is not accepted for the other.
#[tokio::test]
async fn neither_a_parent_nor_a_sub_account_reaches_into_the_other() {
    let world = World::new();
    let nobody = OrganizationId::new(Uuid::from_u128(1));
    // The sub-account sees itself. The other rows of the estate belong to its parent.
    let parent = estate(&world, "parent").await;
    let child = Organization { id: parent.child, slug: String::new(), owner: parent.tenant.owner.clone() };
    let parent = Estate { child: nobody, child_key: nobody.to_string(), ..parent };
    let strangers = [(Whose::Organization, world.token(&child, "*").await)];
    strangers_reach_nothing(&world, &parent, &strangers).await;

    let root = world.organization("root").await;
    let child =
        Organization { id: world.sub_account(&root, "Furnished").await, slug: String::new(), ..root.clone() };
    let customer_session = customer_session(&world, &root).await;
    let child = furnish(&world, child, "furnished", (nobody, nobody.to_string()), customer_session).await;
    let strangers = [(Whose::Organization, world.token(&root, "*").await)];
    strangers_reach_nothing(&world, &child, &strangers).await;
}

async fn strangers_reach_nothing(world: &World, estate: &Estate, strangers: &[(Whose, Client<'_>)]) {
    let before = world.audit(&estate.tenant).await.len();
    let mut uncovered = BTreeSet::new();
    // Signing out ends the stranger's own session, which the other operations need.
    let is_tried = |operation: &&Served| {
        !operation.is_public() && operation.id != "customer_portal:customer-session:end"
    };
    for operation in served(world).await.iter().filter(is_tried) {
        for (whose, client) in strangers.iter().filter(|(whose, _)| operation.open.contains_key(whose)) {
            // Every caller names the estate's organization where a body can name one, as a person does.
            let answer = estate.send(client, Whose::Person, operation).await;
            assert!(answer.status >= 300 || !estate.is_in(operation, &answer), "{}: {answer}", operation.id);
            let refused = if operation.path.starts_with("/v2/accounts/{account_id}") {
                Some(answer.status == 401 && answer.body == json!({"message": "invalid API key"}))
            } else if operation.path.contains('{') || operation.id == "members:create_member" {
                Some(not_found(&answer))
            } else if operation.path.starts_with("/v1/customer-portal/") {
                // Portal operations are about the session's own customer. A team's address cannot change there.
                let own = *whose == Whose::Customer
                    || operation.id != "customer_portal:customers:request_email_update";
                Some((answer.status < 300) == own)
            } else {
                about_nothing(*whose, &operation.id, &answer)
            };
            match refused {
                Some(refused) => assert!(refused, "{}: {answer}", operation.id),
                None => drop(uncovered.insert(operation.id.clone())),
            }
        }
    }
    assert_eq!(uncovered, BTreeSet::new(), "operations that this test does not know");
    assert_eq!(world.audit(&estate.tenant).await.len(), before, "nothing changed");
}

#[tokio::test]
async fn a_key_used_from_elsewhere_reaches_nothing() {
    let world = World::new();
    let estate = estate(&world, "estate").await;
    let keys = format!("/v2/accounts/{}/api-keys", estate.tenant.id);
    let listed = json!({"label": "listed", "scopes": ["*"], "ip_allow_list": ["203.0.113.0/24"]});
    let made = world.token(&estate.tenant, "*").await.post(&keys, listed).await.expect(201);
    let key = world.bearer(made["secret_key"].as_str().unwrap());
    let before = world.audit(&estate.tenant).await.len();
    for operation in served(&world).await.iter().filter(|operation| !operation.is_public()) {
        let answer = estate.send(&key, Whose::Organization, operation).await;
        let is_said = if operation.path.starts_with("/v2/") {
            answer.message().contains("may not be used from this IP address")
        } else {
            answer["error"] == json!("NotPermitted")
        };
        assert!(answer.status == 403 && is_said, "{}: {answer}", operation.id);
    }
    assert_eq!(world.audit(&estate.tenant).await.len(), before, "nothing changed");
}

#[tokio::test]
async fn a_suspended_account_only_administers_its_sub_accounts() {
    let world = World::new();
    let parent = estate(&world, "parent").await;
    let child = Organization { id: parent.child, slug: String::new(), owner: parent.tenant.owner.clone() };
    let clients = [world.token(&parent.tenant, "*").await, world.token(&child, "*").await];
    let sessions = [world.bearer(&parent.customer_session), world.bearer(&parent.owner_session)];
    for client in &clients {
        client.get("/v2/ping").await.expect(200);
    }
    let reason = SuspensionReason::parse("late").unwrap();
    let suspend = OrganizationSuspend { id: parent.tenant.id, reason };
    world.app.write(suspend).await.unwrap();
    let before = world.audit(&parent.tenant).await.len();
    for operation in served(&world).await.iter().filter(|operation| !operation.is_public()) {
        let administers = operation.path.starts_with("/v2/accounts/{account_id}/sub-accounts");
        for client in &clients[usize::from(administers)..] {
            let answer = parent.send(client, Whose::Organization, operation).await;
            let is_said = operation.path.starts_with("/v1/") || answer.message() == "Account is suspended";
            assert!(answer.status == 401 && is_said, "{}: {answer}", operation.id);
        }
        for session in &sessions {
            let answer = parent.send(session, Whose::Customer, operation).await;
            assert_eq!(answer.status, 401, "{}: {answer}", operation.id);
        }
    }
    assert_eq!(world.audit(&parent.tenant).await.len(), before, "nothing changed");
}

#[tokio::test]
async fn the_scope_that_is_documented_is_enough() {
    let world = World::new();
    let mut estates = 0;
    for operation in &served(&world).await {
        for (whose, scopes) in &operation.open {
            for scope in scopes {
                // Each operation runs in a fresh estate.
                estates += 1;
                let estate = estate(&world, &format!("estate-{estates}")).await;
                let client = estate.client(&world, *whose, scope, operation).await;
                let answer = estate.send(&client, *whose, operation).await;
                assert!(answer.status < 300, "{whose:?} {scope}: {answer}");
            }
        }
    }
}

#[tokio::test]
async fn all_other_scopes_together_are_not_enough() {
    let world = World::new();
    let estate = estate(&world, "estate").await;
    let operations = served(&world).await;
    let all: BTreeSet<&String> =
        operations.iter().flat_map(|operation| operation.open.values()).flatten().collect();
    for operation in operations.iter().filter(|operation| !operation.is_public()) {
        for whose in [Whose::Organization, Whose::Person] {
            let needed = operation.open.get(&whose).map(Vec::as_slice).unwrap_or_default();
            let others: Vec<&str> =
                all.iter().filter(|scope| !needed.contains(scope)).map(|scope| scope.as_str()).collect();
            let client = estate.client(&world, whose, &others.join(" "), operation).await;
            let answer = estate.send(&client, whose, operation).await;
            assert_eq!(answer.status, operation.without_scope(whose), "{whose:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn another_tenants_row_looks_like_none() {
    let world = World::new();
    let (theirs, elsewhere) = (estate(&world, "estate").await, estate(&world, "elsewhere").await);
    let other = world.organization("other").await;
    let clients = [
        (Whose::Organization, world.token(&other, "*").await),
        (Whose::Person, world.user("stranger@example.com", "*").await),
        (Whose::Member, world.bearer(&elsewhere.owner_session)),
    ];
    let nothing = "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e".to_owned();
    let id = OrganizationId::new(nothing.parse().unwrap());
    let nowhere = Estate {
        tenant: Organization { id, slug: "nowhere".to_owned(), owner: String::new() },
        slug: "nowhere".to_owned(),
        customer: nothing.clone(),
        member: nothing.clone(),
        teammate: nothing.clone(),
        endpoint: nothing.clone(),
        event: nothing.clone(),
        token: nothing.clone(),
        import: nothing.clone(),
        invitation: nothing.clone(),
        invitation_token: nothing.clone(),
        entry: nothing.clone(),
        child: id,
        child_key: nothing.clone(),
        session_ids: std::array::from_fn(|_| nothing.clone()),
        customer_session: String::new(),
        member_session: String::new(),
        owner_session: String::new(),
    };
    for operation in served(&world).await.iter().filter(|operation| operation.path.contains('{')) {
        for (whose, client) in clients.iter().filter(|(whose, _)| operation.open.contains_key(whose)) {
            let seen = theirs.send(client, *whose, operation).await;
            let unseen = nowhere.send(client, *whose, operation).await;
            assert_eq!((seen.status, &seen.text), (unseen.status, &unseen.text), "{}", operation.id);
        }
    }
}
