//! The published contracts as data, and the check that a response conforms to them.

use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};
use tenantry_core::webhook::EventType;
use tenantry_http::{Dialect, openapi_document};

use crate::Response;

macro_rules! fact {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../tests/contracts/facts/", $name, ".openapi.json")))
    };
}

const DOCUMENTS: [(&str, &str); 3] = [fact!("seeds"), fact!("polar-2026-04"), fact!("ahasend-v2")];

/// Names of the documents that Tenantry serves itself: its responses must conform to those as well.
pub const OWN: [&str; 2] = ["served v1", "served v2"];

const JSON: &str = "application/json";

/// Texts of refusals that only Tenantry sends, for any operation.
const BEFORE_ROUTING: [&str; 4] = [
    "A query can have at most",
    "Host is sent more than once",
    "The request line and the headers",
    "without Content-Encoding",
];

/// Statuses that the framework of the original API sends although its contract does not list them.
const FRAMEWORK: [u16; 8] = [401, 403, 404, 405, 413, 422, 429, 503];

/// A deliberate addition to the contract: customers of several organizations of the caller have the external id.
const AMBIGUOUS: (u16, &str) = (409, "AmbiguousExternalCustomerID");

/// Statuses of idempotency keys, a deliberate addition: the original ignores keys when it suspends sub-accounts.
const KEYED: [u16; 2] = [409, 422];

/// Statuses of conditional requests, a deliberate addition.
const CONDITIONAL: [u16; 2] = [304, 412];

/// The contracts, each schema compiled once.
pub struct Contract {
    facts: Vec<Fact>,
}

/// One operation of one contract.
pub struct Fact {
    /// The document's name.
    pub document: &'static str,
    /// The method, in capitals.
    pub method: String,
    /// The path, without a slash at its end.
    pub path: String,
    /// The operation, as the document has it.
    pub operation: Value,
    root: &'static Value,
    validators: Vec<(u16, OnceLock<Validator>)>,
}

/// Every operation of every contract.
static FACTS: LazyLock<Contract> = LazyLock::new(Contract::load);

impl Contract {
    /// The contracts.
    #[must_use]
    pub fn get() -> &'static Self {
        &FACTS
    }

    /// Every operation of every contract.
    #[must_use]
    pub fn facts(&self) -> &[Fact] {
        &self.facts
    }

    fn load() -> Self {
        let published = DOCUMENTS.map(|(name, text)| (name, serde_json::from_str(text).unwrap()));
        let own = [(OWN[0], openapi_document(Dialect::Polar)), (OWN[1], openapi_document(Dialect::AhaSend))];
        let mut facts = Vec::new();
        for (document, root) in published.into_iter().chain(own) {
            let root: &'static Value = Box::leak(Box::new(root));
            for (path, methods) in root["paths"].as_object().unwrap() {
                for (method, operation) in methods.as_object().unwrap() {
                    let statuses = operation["responses"].as_object().unwrap().keys();
                    facts.push(Fact {
                        document,
                        method: method.to_uppercase(),
                        path: path.trim_end_matches('/').to_owned(),
                        operation: operation.clone(),
                        root,
                        validators: statuses
                            .map(|status| (status.parse().unwrap(), OnceLock::new()))
                            .collect(),
                    });
                }
            }
        }
        Self { facts }
    }

    /// Asserts that every contract with this operation allows the response.
    #[track_caller]
    pub(crate) fn check(&self, method: &str, path: &str, response: &Response) {
        assert!(response.status < 500 || response.status == 503, "the server failed: {response}");
        check_error_shape(path, response);
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let path = path.strip_prefix("/api").unwrap_or(path);
        let of_path = || self.facts.iter().filter(|fact| fact.method == method && fact.matches(path));
        let Some(literal) = of_path().map(Fact::literals).max() else { return };
        for fact in of_path().filter(|fact| fact.literals() == literal) {
            fact.check(response);
        }
    }
}

impl Fact {
    fn matches(&self, path: &str) -> bool {
        let (mine, theirs): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        mine.len() == theirs.len()
            && mine.iter().zip(theirs).all(|(mine, theirs)| mine.starts_with('{') || *mine == theirs)
    }

    fn literals(&self) -> usize {
        self.path.split('/').filter(|step| !step.starts_with('{')).count()
    }

    #[track_caller]
    fn check(&self, response: &Response) {
        let Self { document, path, .. } = self;
        let Some((_, validator)) = self.validators.iter().find(|(status, _)| *status == response.status)
        else {
            let of_key = response["error"].as_str().is_some_and(|error| error.starts_with("Idempotency"));
            let silent = (of_key && [400, 409].contains(&response.status))
                || (FRAMEWORK.contains(&response.status)
                    && (*document, response.status) != ("ahasend-v2", 422))
                || (KEYED.contains(&response.status) && path.ends_with("suspend"))
                || (response.status == AMBIGUOUS.0 && response["error"] == AMBIGUOUS.1)
                || (*document == "seeds" && response.status >= 400);
            let of_condition = response.text.contains("is neither * nor a list of entity tags");
            let silent = silent || of_condition || CONDITIONAL.contains(&response.status);
            let silent = silent || BEFORE_ROUTING.iter().any(|text| response.text.contains(text));
            assert!(silent, "{document} has no such status: {response}");
            return;
        };
        // Bodies of errors must conform in /v2. In /v1 the contract's schemas are looser than
        // docs/contracts/polar/http.md, 1.6.
        if response.status >= 300 && !document.ends_with("v2") {
            return;
        }
        let Some((media, schema)) = self.content(response.status) else {
            assert!(response.text.is_empty(), "{document} has no body here: {response}");
            return;
        };
        let sent = response.header("content-type").and_then(|sent| sent.split(';').next());
        assert!(
            sent.is_some_and(|sent| media.contains(&sent)),
            "{document} has another content type here: {response}"
        );
        if sent != Some(JSON) {
            return;
        }
        let validator = validator.get_or_init(|| compile(self.root, &schema));
        let mut body = response.body.clone();
        if !OWN.contains(document) {
            publish_events(&mut body);
        }
        let faults: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{document}: {faults:#?}\n{response}");
    }

    /// The content types of a response, and its schema.
    fn content(&self, status: u16) -> Option<(Vec<&str>, Value)> {
        let response = self.resolve(&self.operation["responses"][status.to_string()]);
        let contents = response["content"].as_object()?;
        let (_, content) = contents.get_key_value(JSON).or_else(|| contents.iter().next())?;
        let media = contents.keys().map(String::as_str);
        Some((media.collect(), content["schema"].clone()))
    }

    /// Follows a reference inside the document; returns any other value as it is.
    #[must_use]
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        reference.map_or(value, |pointer| self.root.pointer(pointer).unwrap())
    }
}

/// Replaces the name of each event that the published contracts do not have by one that they have, so that everything
/// else in the response is checked. The own documents name these events, and check the response as it is.
fn publish_events(body: &mut Value) {
    match body {
        Value::String(text) if EventType::OWN.iter().any(|own| own.as_str() == text.as_str()) => {
            EventType::CustomerCreated.as_str().clone_into(text);
        }
        Value::Array(values) => values.iter_mut().for_each(publish_events),
        Value::Object(fields) => fields.values_mut().for_each(publish_events),
        _ => {}
    }
}

/// The shapes of errors: one in `/v2`; in `/v1` those of docs/contracts/polar/http.md, 1.6.
#[track_caller]
fn check_error_shape(path: &str, response: &Response) {
    if response.status < 400
        || response.header("content-type") != Some("application/json")
        || response.text.is_empty()
    {
        return;
    }
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(" "));
    let shape = keys(&response.body).unwrap_or_default();
    if path.starts_with("/v2") {
        assert_eq!(shape, "message", "{response}");
        assert!(response["message"].as_str().is_some_and(|text| !text.is_empty()), "{response}");
        return;
    }
    // The choice among several customers lists them as well.
    if response["error"] == "customer_selection_required" {
        assert!(shape == "error detail customers" && response["customers"].is_array(), "{response}");
        return;
    }
    let Some(details) = response["detail"].as_array().filter(|_| response.status == 422) else {
        let texts = response.body.as_object().unwrap().values().all(Value::is_string);
        assert!(
            texts
                && ["error detail", "error error_description", "detail", "status", "status reason"]
                    .contains(&shape.as_str()),
            "{response}"
        );
        return;
    };
    let name = response["error"].as_str().unwrap_or_default();
    assert!(
        ["RequestValidationError", "PolarRequestValidationError"].contains(&name) && shape == "error detail",
        "{response}"
    );
    assert!(!details.is_empty(), "{response}");
    for detail in details {
        let keys = keys(detail).unwrap_or_default();
        let known = keys == "type loc msg input"
            || (keys == "type loc msg input ctx" && name == "RequestValidationError");
        let place = detail["loc"].as_array().unwrap();
        let part = ["path", "query", "body", "header"].iter().any(|part| place[0] == *part);
        assert!(
            known && part && place.iter().all(|step| step.is_string() || step.is_u64()),
            "{detail}: {response}"
        );
    }
}

fn compile(root: &Value, schema: &Value) -> Validator {
    let schema = json!({"allOf": [schema], "components": root["components"]});
    // docs/contracts/ahasend.md, 1.4, overrides its document: an account without a website has "".
    let uri = |text: &str| text.is_empty() || text.contains("://");
    jsonschema::options().should_validate_formats(true).with_format("uri", uri).build(&schema).unwrap()
}

/// Asserts that a value keeps the schema of this name in Polar's contract of 2026-04.
#[track_caller]
pub fn assert_schema(name: &str, value: &Value) {
    let of_polar = FACTS.facts.iter().find(|fact| fact.document == "polar-2026-04").unwrap();
    let schema = json!({"$ref": format!("#/components/schemas/{name}")});
    let errors: Vec<String> =
        compile(of_polar.root, &schema).iter_errors(value).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?} in {value}");
}
