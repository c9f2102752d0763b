//! Every operation that the two documents name, sent by everybody who must not reach what it is about.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Answer, App, Client, Tenant};

/// One operation of a document.
struct Served {
    id: String,
    method: String,
    path: String,
    scopes: Vec<String>,
}

async fn served(app: &App) -> Vec<Served> {
    let mut all = Vec::new();
    for document in ["/v1/openapi.json", "/v2/openapi.json"] {
        let document = app.anonymous().get(document).await.expect(200);
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let scopes = operation["security"][0]["bearer"].as_array().unwrap();
                all.push(Served {
                    id: operation["operationId"].as_str().unwrap().to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    scopes: scopes.iter().map(|scope| scope.as_str().unwrap().to_owned()).collect(),
                });
            }
        }
    }
    all
}

/// A tenant with a row of every kind, named alike wherever names are free.
struct Estate {
    tenant: Tenant,
    customer: String,
    member: String,
    teammate: String,
}

async fn estate(app: &App) -> Estate {
    let tenant = app.organization("estate").await;
    let client = app.token(&tenant, "*").await;
    let customer = json!({"type": "team", "email": "c@example.com", "external_id": "cus"});
    let customer = client.post("/v1/customers", customer).await.expect(201).id();
    let member = json!({"email": "m@example.com", "external_id": "mem"});
    let member = client.post(&format!("/v1/customers/{customer}/members"), member).await.expect(201).id();
    let teammate = json!({"email": "t@example.com", "role": "Developer"});
    let members = format!("/v2/accounts/{}/members", tenant.id);
    let teammate = client.post(&members, teammate).await.expect(201)["user_id"].as_str().unwrap().to_owned();
    Estate { tenant, customer, member, teammate }
}

impl Estate {
    /// The path of an operation, about the rows of the estate.
    fn path(&self, path: &str) -> String {
        let id = match path.split('/').nth(2) {
            Some("organizations") => self.tenant.id.to_string(),
            Some("customers") => self.customer.clone(),
            _ => self.member.clone(),
        };
        let external = if path.starts_with("/v1/customers") { "cus" } else { "mem" };
        let filled = path
            .replace("{id}", &id)
            .replace("{member_id}", &self.member)
            .replace("{external_id}", external)
            .replace("{member_external_id}", "mem")
            .replace("{account_id}", &self.tenant.id.to_string())
            .replace("{user_id}", &self.teammate);
        assert!(!filled.contains('{'), "{path}");
        if path == "/v1/members/external/{external_id}" {
            format!("{filled}?customer_id={}", self.customer)
        } else {
            filled
        }
    }

    /// A body that the operation would take.
    fn body(&self, operation: &str) -> Value {
        match operation {
            "members:create_member" => json!({"customer_id": self.customer, "email": "new@example.com"}),
            "addAccountMember" => json!({"email": "new@example.com", "role": "Developer"}),
            "organizations:create" => json!({"name": "Another", "slug": "another"}),
            "customers:create" => json!({"email": "new@example.com", "organization_id": self.tenant.id}),
            creation if creation.contains("create") => json!({"email": "new@example.com"}),
            _ => json!({"name": "Changed"}),
        }
    }

    async fn send(&self, client: &Client<'_>, operation: &Served) -> Answer {
        let path = self.path(&operation.path);
        match operation.method.as_str() {
            "GET" | "DELETE" => client.send(&operation.method, &path, None, "").await,
            method => client.json(method, &path, &self.body(&operation.id)).await,
        }
    }
}

/// Operations about no row in particular, and what a token of somewhere else gets: its own, or a refusal of
/// the organization it names.
fn about_nothing(operation: &str, answer: &Answer) -> Option<bool> {
    let of_nobody = || answer["items"].as_array().is_some_and(Vec::is_empty);
    let own = || answer.each("slug").iter().all(|slug| *slug == "other");
    match operation {
        "ping" => Some(answer.status == 200),
        "organizations:list" => Some(answer.status == 200 && own()),
        "customers:list" | "members:list_members" => Some(answer.status == 200 && of_nobody()),
        "customers:create" => Some(answer.status == 422),
        // A person may have an organization of their own; a token of an organization may make none.
        "organizations:create" => Some(matches!(answer.status, 201 | 401 | 422)),
        _ => None,
    }
}

#[tokio::test]
async fn nobody_reaches_what_is_not_theirs() {
    let app = App::new();
    let estate = estate(&app).await;
    let other = app.organization("other").await;
    let (strange_token, stranger) =
        (app.token(&other, "*").await, app.user("stranger@example.com", "*").await);
    let unknown = [
        ("no token", app.anonymous()),
        ("garbage", app.bearer("garbage")),
        ("mistyped", app.bearer("polar_oat_0000000000000000000000000000000000000000000")),
        ("expired", app.expired_token(&estate.tenant).await),
    ];
    let (scopeless, scopeless_user) =
        (app.token(&estate.tenant, "openid").await, app.user(&estate.tenant.owner, "openid").await);
    let before = app.audit(&estate.tenant).await.len();
    let mut uncovered = BTreeSet::new();
    for operation in served(&app).await {
        for (who, client) in &unknown {
            let answer = estate.send(client, &operation).await;
            assert_eq!(answer.status, 401, "{who}: {answer}");
            assert!(answer.header("www-authenticate").is_some(), "{who}: {answer}");
        }
        for client in [&scopeless, &scopeless_user] {
            let answer = estate.send(client, &operation).await;
            let of_people = operation.id == "organizations:create" && client.secret() == scopeless.secret();
            let expected = if operation.scopes.is_empty() {
                200
            } else if of_people {
                401
            } else {
                403
            };
            assert_eq!(answer.status, expected, "without scope: {answer}");
        }
        for client in [&strange_token, &stranger] {
            let answer = estate.send(client, &operation).await;
            let refused = if operation.path.starts_with("/v2/accounts/{account_id}") {
                Some(answer.status == 401 && answer.body == json!({"message": "invalid API key"}))
            } else if operation.path.contains('{') || operation.id == "members:create_member" {
                Some(answer.status == 404 && answer["error"] == json!("ResourceNotFound"))
            } else {
                about_nothing(&operation.id, &answer)
            };
            match refused {
                Some(refused) => assert!(refused, "{}: {answer}", operation.id),
                None => drop(uncovered.insert(operation.id.clone())),
            }
        }
    }
    assert_eq!(uncovered, BTreeSet::new(), "operations that this test does not know");
    assert_eq!(app.audit(&estate.tenant).await.len(), before, "nothing changed");
}

#[tokio::test]
async fn the_scope_that_is_documented_is_enough() {
    for index in 0.. {
        let app = App::new();
        let estate = estate(&app).await;
        let operations = served(&app).await;
        let Some(operation) = operations.get(index) else { break };
        for scope in &operation.scopes {
            let client = app.user(&estate.tenant.owner, scope).await;
            let answer = estate.send(&client, operation).await;
            assert!(
                answer.status < 300 || operation.method == "DELETE" && answer.status == 404,
                "{scope}: {answer}"
            );
        }
        let others = operations
            .iter()
            .flat_map(|other| &other.scopes)
            .filter(|scope| !operation.scopes.contains(scope));
        let others: BTreeSet<&str> = others.map(String::as_str).collect();
        let client = app.user(&estate.tenant.owner, &others.into_iter().collect::<Vec<_>>().join(" ")).await;
        let expected = if operation.scopes.is_empty() { 200 } else { 403 };
        estate.send(&client, operation).await.expect(expected);
    }
}

#[tokio::test]
async fn another_tenants_row_looks_like_none() {
    let app = App::new();
    let (theirs, other) = (estate(&app).await, app.organization("other").await);
    let client = app.token(&other, "*").await;
    let nothing = "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e".to_owned();
    let id = tenantry_core::ids::OrganizationId::new(nothing.parse().unwrap());
    let tenant = Tenant { id, owner: String::new() };
    let nowhere = Estate { tenant, customer: nothing.clone(), member: nothing.clone(), teammate: nothing };
    for operation in served(&app).await.iter().filter(|operation| operation.path.contains('{')) {
        let (seen, unseen) = (theirs.send(&client, operation).await, nowhere.send(&client, operation).await);
        assert_eq!((seen.status, &seen.text), (unseen.status, &unseen.text), "{}", operation.id);
    }
}
