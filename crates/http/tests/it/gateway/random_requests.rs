//! Random requests to every operation: each gets a response without a server error, and each response conforms to
//! the published contract.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

use tenantry_testkit::Acme;
use tenantry_testkit::contract::Contract;

/// Names of fields and query parameters of the operations.
fn names() -> Vec<String> {
    let mut names: Vec<String> =
        ["metadata[a]", "country", "state", "line1", "url", "enabled", "description"]
            .map(str::to_owned)
            .to_vec();
    for fact in Contract::get().facts() {
        let schema = &fact.operation["requestBody"]["content"]["application/json"]["schema"];
        names.extend(fact.resolve(schema)["properties"].as_object().into_iter().flat_map(Map::keys).cloned());
        let parameters = fact.operation["parameters"].as_array().into_iter().flatten();
        names.extend(parameters.filter_map(|parameter| parameter["name"].as_str().map(str::to_owned)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Valid values of some field, and arbitrary texts.
fn text() -> impl Strategy<Value = String> {
    let known = [
        "",
        " ",
        "a@example.com",
        "b@EXAMPLE.com",
        "@",
        "team",
        "individual",
        "owner",
        "member",
        "billing_manager",
        "Developer",
        "https://example.com",
        "http://[::1]",
        "https://x.com/a",
        "FR",
        "US",
        "CA-QC",
        "usd",
        "en-US",
        "prorate",
        "reset",
        "inclusive",
        "0b0f7bb4-6e1c-4c1b-9c56-52bfe2ad9a3e",
        "t",
        "m",
        "1",
        "-1",
        "true",
        "created_at",
        "-name",
        "\0",
        "*.example.com",
        "FR61954506077",
        "9223372036854775807",
        "18446744073709551616",
        "raw",
        "slack",
        "customer.created",
        "customers:read",
        "api-keys:write",
        "messages:send:{a.example}",
        "203.0.113.0/24",
        "P30D",
        "2026-01-01T00:00:00Z",
        "2xx",
        "admin",
        "finance",
        "https://hooks.example.com/in",
    ];
    prop_oneof![
        6 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        2 => "\\PC{0,12}",
        1 => prop::collection::vec(any::<char>(), 0..40).prop_map(String::from_iter),
        1 => (1_usize..3_000).prop_map(|length| "x".repeat(length)),
    ]
}

fn value(names: Vec<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        2 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => (-40_i64..200).prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 12, move |inner| {
        let field = (prop::sample::select(names.clone()), inner.clone());
        prop_oneof![
            3 => prop::collection::vec(field, 0..10).prop_map(|fields| Value::Object(fields.into_iter().collect())),
            1 => prop::collection::vec(inner, 0..5).prop_map(Value::from),
        ]
    })
}

/// Text as it stands in a path or a query.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || b"-_.@:[]".contains(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect::<String>()
        .replace(['[', ']'], "")
}

#[derive(Debug, Clone)]
struct Sent {
    operation: prop::sample::Index,
    steps: Vec<String>,
    query: Vec<(String, String)>,
    body: Value,
    cut: Option<usize>,
    known: [bool; 3],
    who: usize,
}

/// The organization, its owner, a member in the portal and a customer in the portal.
const CALLERS: usize = 4;

fn sent() -> impl Strategy<Value = Sent> {
    let names = names();
    let object = prop::collection::vec((prop::sample::select(names.clone()), value(names.clone())), 0..8);
    let body = prop_oneof![
        8 => object.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        1 => value(names.clone()),
    ];
    let query = prop::collection::vec((prop::sample::select(names), text()), 0..4);
    let cut = prop::option::weighted(0.1, 0_usize..400);
    let (steps, rest) = (prop::collection::vec(text(), 3), (any::<[bool; 3]>(), 0_usize..CALLERS));
    (any::<prop::sample::Index>(), steps, query, body, cut, rest).prop_map(
        |(operation, steps, query, body, cut, (known, who))| Sent {
            operation,
            steps,
            query,
            body,
            cut,
            known,
            who,
        },
    )
}

impl Sent {
    /// Half of the ids in the path are those of existing rows.
    fn path(&self, template: &str, rows: &[(&str, String)]) -> String {
        let (mut steps, mut known) = (self.steps.iter(), self.known.iter());
        let path: Vec<String> = template
            .split('/')
            .map(|step| {
                if !step.starts_with('{') {
                    return step.to_owned();
                }
                let (random, known) = (escaped(steps.next().unwrap()), *known.next().unwrap());
                let of = match template.split('/').nth(2).unwrap() {
                    "customer-portal" if step == "{id}" => "members",
                    "webhooks" => template.split('/').nth(3).unwrap(),
                    of if step == "{id}" => of,
                    _ => step,
                };
                let row = rows.iter().find(|(name, _)| *name == of).map(|(_, id)| id.clone());
                row.filter(|_| known || step == "{account_id}").unwrap_or(random)
            })
            .collect();
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        format!("{}?{}", path.join("/"), query.join("&"))
    }

    fn body(&self) -> Vec<u8> {
        let mut body = self.body.to_string().into_bytes();
        body.truncate(self.cut.unwrap_or(body.len()));
        body
    }
}

#[test]
fn no_request_causes_a_server_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (acme, operations, rows) = runtime.block_on(async {
        let acme = Acme::new().await;
        let mut operations = Vec::new();
        for document in ["/v1/openapi.json", "/v2/openapi.json"] {
            for (path, methods) in acme.client().get(document).await["paths"].as_object().unwrap() {
                operations.extend(
                    methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())),
                );
            }
        }
        // Without the organization there is nothing to ask for.
        operations
            .retain(|operation| *operation != ("DELETE".to_owned(), "/v1/organizations/{id}".to_owned()));
        let customer = acme.create_team("t").await;
        let member = acme.create_member(&customer, "m").await;
        let endpoint =
            json!({"url": "https://hooks.example.com", "format": "raw", "events": ["customer.created"]});
        let endpoint = acme.client().post("/v1/webhooks/endpoints", endpoint).await.expect(201).id();
        let heard = acme.create_team("heard").await;
        let developer = json!({"email": "developer@example.com"});
        let developer =
            acme.client().post(&format!("{}/members", acme.path_v1()), developer).await.expect(201);
        let token = json!({"comment": "another", "scopes": []});
        let rows = [
            ("endpoints", endpoint),
            (
                "organization-access-tokens",
                acme.client().post("/v1/organization-access-tokens", token).await.expect(201)
                    ["organization_access_token"]["id"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
            ),
            ("{sub_account_id}", acme.world.sub_account(&acme.organization, "child").await.to_string()),
            ("{key_id}", acme.create_api_key(&["accounts:read"]).await.0),
            ("{user_id}", developer["user_id"].as_str().unwrap().to_owned()),
            ("events", acme.world.pending_event(&acme.organization, &heard).await),
            ("{slug}", "acme".to_owned()),
            ("organizations", acme.organization.id.to_string()),
            ("{account_id}", acme.organization.id.to_string()),
            ("customers", customer),
            ("members", member.clone()),
            ("{member_id}", member),
            ("{external_id}", "t".to_owned()),
            ("{member_external_id}", "m".to_owned()),
        ];
        (acme, operations, rows)
    });
    let callers: [String; CALLERS] = runtime.block_on(async {
        [
            acme.client().secret(),
            acme.world.user(&acme.organization.owner, "*").await.secret(),
            acme.owner_session("t").await,
            acme.customer_session().await,
        ]
    });
    let mut runner = TestRunner::new(Config { cases: 3_000, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&sent(), |sent| {
        let (method, template) = sent.operation.get(&operations);
        let path = sent.path(template, &rows);
        let client = acme.world.bearer(&callers[sent.who]);
        let client = client.with("idempotency-key", sent.operation.index(5).to_string());
        // The client validates each response against the contract.
        let answer = runtime.block_on(client.raw(method, &path, sent.body()));
        prop_assert!(answer.status < 500, "{}", answer);
        Ok(())
    });
    outcome.unwrap();
    let organization = runtime.block_on(acme.client().get(&acme.path_v1()));
    assert_eq!(organization.expect(200)["id"], json!(acme.organization.id), "the server is well");
}
