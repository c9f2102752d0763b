//! The two documents: sound, complete, and no narrower than the published contracts.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use tenantry_testkit::World;
use tenantry_testkit::contract::{Contract, Fact, OWN};

const DOCUMENTS: [&str; 2] = ["/v1/openapi.json", "/v2/openapi.json"];

async fn document(world: &World, path: &str) -> Value {
    world.anonymous().get(path).await.expect(200).body
}

fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let reference = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
    reference
        .map_or(value, |pointer| document.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}")))
}

/// Collects the target of every `$ref`.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

/// Operations that answer 201 when they add a team member, and 200 when the person is in the team already.
const JOINS: [&str; 3] =
    ["organizations:members:add", "organizations:members:invite", "organizations:invitations:create"];

/// Operations that change something and take no body. Those of the contract have none there either.
const BODILESS: [&str; 7] = [
    "webhooks:reset_webhook_endpoint_secret",
    "webhooks:redeliver_webhook_event",
    "webhooks:test_webhook_endpoint",
    "organizations:accept_transfer",
    "unsuspendSubAccount",
    "organizations:undelete",
    "customers:restore",
];

/// Operations that need no token, in the contract as well.
const PUBLIC: [&str; 8] = [
    "tokens:revoke",
    "customer_portal:customers:check_email_update",
    "customer_portal:customers:verify_email_update",
    "customer_portal:customer-session:request",
    "customer_portal:customer-session:authenticate",
    "customer_portal:organizations:get",
    "invitations:lookup",
    "invitations:decline",
];

/// Each operation declares the kinds of tokens that it accepts, and the document describes each kind.
fn check_security(document: &Value, operation: &Value) {
    let alternatives = operation["security"].as_array().unwrap();
    let public = PUBLIC.contains(&operation["operationId"].as_str().unwrap());
    assert_eq!(alternatives.is_empty(), public, "{operation}");
    for scheme in alternatives.iter().flat_map(|alternative| alternative.as_object().unwrap().keys()) {
        assert!(document["components"]["securitySchemes"][scheme].is_object(), "{operation}");
    }
}

#[tokio::test]
async fn the_documents_are_sound() {
    let world = World::new();
    for path in DOCUMENTS {
        let document = document(&world, path).await;
        assert_eq!(document["openapi"], json!("3.1.0"));
        assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
        let (mut ids, mut used) = (BTreeSet::new(), BTreeSet::new());
        references(&document, &mut used);
        used.iter().for_each(|reference| drop(resolve(&document, &json!({"$ref": reference})).clone()));
        for schema in document["components"]["schemas"].as_object().unwrap().values() {
            jsonschema::meta::validate(
                &json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema]}),
            )
            .unwrap();
        }
        for (template, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(
                    ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                    "twice: {operation}"
                );
                let parameters = operation["parameters"].as_array().unwrap();
                let of_path = parameters.iter().filter(|parameter| parameter["in"] == json!("path"));
                let named: Vec<String> =
                    of_path.map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap())).collect();
                let wanted: Vec<&str> = template.split('/').filter(|step| step.starts_with('{')).collect();
                assert_eq!(named, wanted, "{template}");
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.values().all(|response| response["description"].is_string()), "{template}");
                let successes: Vec<_> = responses.keys().filter(|status| status.starts_with('2')).collect();
                let joins = JOINS.contains(&operation["operationId"].as_str().unwrap());
                if joins {
                    assert_eq!(successes, ["200", "201"], "{method} {template}");
                } else {
                    assert_eq!(successes.len(), 1, "{method} {template}");
                }
                let takes_body = matches!(method.as_str(), "post" | "put" | "patch")
                    && !BODILESS.contains(&operation["operationId"].as_str().unwrap());
                assert_eq!(operation["requestBody"].is_object(), takes_body, "{method} {template}");
                check_security(&document, operation);
            }
        }
    }
}

#[tokio::test]
async fn what_is_documented_is_served_and_nothing_else() {
    let world = World::new();
    let tenant = world.organization("acme").await;
    let client = world.token(&tenant, "*").await;
    for path in DOCUMENTS {
        for (template, methods) in document(&world, path).await["paths"].as_object().unwrap() {
            let path: Vec<&str> =
                template.split('/').map(|step| if step.starts_with('{') { "x" } else { step }).collect();
            let documented: BTreeSet<String> =
                methods.as_object().unwrap().keys().map(|name| name.to_uppercase()).collect();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let answer = client.send(method, &path.join("/"), None, "").await;
                assert_eq!(answer.status != 405, documented.contains(method), "{answer}");
                if let Some(allow) = answer.header("allow") {
                    let allow =
                        allow.split(',').map(|name| name.trim().to_owned()).filter(|name| name != "HEAD");
                    assert_eq!(allow.collect::<BTreeSet<_>>(), documented, "{template}");
                }
            }
        }
    }
}

/// The kinds of tokens that an operation accepts, each with its scopes, by the names of the served document.
fn whose(operation: &Value) -> BTreeSet<(String, Vec<String>)> {
    let mut whose = BTreeSet::new();
    for alternative in operation["security"].as_array().into_iter().flatten() {
        for (scheme, scopes) in alternative.as_object().unwrap() {
            let mut scopes: Vec<String> =
                scopes.as_array().unwrap().iter().map(|scope| scope.as_str().unwrap().to_owned()).collect();
            scopes.sort();
            let kinds: &[&str] = match scheme.as_str() {
                "oat" => &["organization"],
                "pat" | "oidc" => &["user"],
                "bearer" | "BearerAuth" => &["organization", "user"],
                own => &[own],
            };
            whose.extend(kinds.iter().map(|kind| ((*kind).to_owned(), scopes.clone())));
        }
    }
    whose
}

/// The fields of a schema, or of all its alternatives together.
fn fields(schema: &Value, resolve: &dyn Fn(&Value) -> Value) -> BTreeSet<String> {
    let own = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
    let others = ["oneOf", "anyOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    own.chain(others.flat_map(|other| fields(&resolve(other), resolve))).collect()
}

fn check(document: &Value, fact: &Fact) {
    let place = format!("{} {} {}", fact.document, fact.method, fact.path);
    let ours = &document["paths"][&fact.path][fact.method.to_lowercase()];
    let success = |operation: &Value| {
        let statuses = operation["responses"].as_object().unwrap().keys();
        statuses.filter(|status| status.starts_with('2')).cloned().collect::<Vec<_>>()
    };
    assert_eq!(success(ours), success(&fact.operation), "{place}");
    // The seeds show one example of a request each, and no scopes.
    if fact.document != "seeds" {
        assert_eq!(whose(ours), whose(&fact.operation), "{place}");
    }
    let media = |operation: &Value| {
        let answer = &operation["responses"][&success(operation)[0]];
        answer["content"].as_object().map(|contents| contents.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(media(ours), media(&fact.operation), "{place}");
    assert_eq!(ours["requestBody"].is_object(), fact.operation["requestBody"].is_object(), "{place}");

    let name = |parameter: &Value| {
        (parameter["in"].as_str().unwrap().to_owned(), parameter["name"].as_str().unwrap().to_owned())
    };
    let list = |operation: &Value| operation["parameters"].as_array().cloned().unwrap_or_default();
    let known: BTreeSet<_> = list(ours).iter().map(name).collect();
    for parameter in list(&fact.operation) {
        let (kind, parameter) = name(fact.resolve(&parameter));
        assert!(known.contains(&(kind, parameter.clone())), "{place}: no parameter {parameter}");
    }

    let required = |schema: &Value| -> BTreeSet<String> {
        schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let schema = |operation: &Value, pointer: &str| {
        operation.pointer(&format!("{pointer}/content/application~1json/schema")).cloned().unwrap_or_default()
    };
    let (ours_in, theirs_in) = (schema(ours, "/requestBody"), schema(&fact.operation, "/requestBody"));
    let (ours_in, theirs_in) = (resolve(document, &ours_in), fact.resolve(&theirs_in));
    assert!(required(ours_in).is_subset(&required(theirs_in)), "{place}: more is asked for");
    let documented = fields(ours_in, &|schema| resolve(document, schema).clone());
    let published = fields(theirs_in, &|schema| fact.resolve(schema).clone());
    let missing: Vec<_> = published.difference(&documented).collect();
    assert!(missing.is_empty(), "{place}: fields of the body are not documented: {missing:?}");

    let pointer = format!("/responses/{}", success(ours)[0]);
    let (ours_out, theirs_out) = (schema(ours, &pointer), schema(&fact.operation, &pointer));
    let (ours_out, theirs_out) = (resolve(document, &ours_out), fact.resolve(&theirs_out));
    let missing: Vec<_> = required(theirs_out).difference(&required(ours_out)).cloned().collect();
    assert!(missing.is_empty(), "{place}: not promised: {missing:?}");
}

#[tokio::test]
async fn no_narrower_than_the_contracts() {
    let world = World::new();
    let documents = [document(&world, DOCUMENTS[0]).await, document(&world, DOCUMENTS[1]).await];
    let mut checked = 0;
    for fact in Contract::get().facts().iter().filter(|fact| !OWN.contains(&fact.document)) {
        let document = &documents[usize::from(fact.path.starts_with("/v2"))];
        if document["paths"][&fact.path][fact.method.to_lowercase()].is_object() {
            check(document, fact);
            checked += 1;
        }
    }
    assert!(checked >= 45, "{checked}");
}

/// Otherwise a change of the object by one of its routes could be lost unseen.
#[tokio::test]
async fn an_object_with_an_etag_is_changed_under_its_conditions() {
    let world = World::new();
    let mut changes = 0;
    for document in ["/v1/openapi.json", "/v2/openapi.json"] {
        let document = world.anonymous().get(document).await.expect(200);
        for (template, methods) in document["paths"].as_object().unwrap() {
            if !methods["get"]["responses"]["200"]["headers"]["ETag"].is_object() {
                continue;
            }
            for method in ["patch", "put", "delete"].into_iter().filter(|method| methods[method].is_object())
            {
                changes += 1;
                let mut parameters = methods[method]["parameters"].as_array().unwrap().iter();
                assert!(parameters.any(|parameter| parameter["name"] == "If-Match"), "{method} {template}");
            }
        }
    }
    assert!(changes > 15, "{changes}");
}
