//! The published contracts as data, and the check that an answer keeps them.

use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};
use tenantry_http::{Dialect, openapi_document};

use super::Answer;

macro_rules! fact {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../../tests/contracts/facts/", $name, ".openapi.json")))
    };
}

const DOCUMENTS: [(&str, &str); 3] = [fact!("seeds"), fact!("polar-2026-04"), fact!("ahasend-v2")];

/// The documents that Tenantry serves itself: its answers keep what they say as well.
pub(crate) const OWN: [&str; 2] = ["served v1", "served v2"];

const JSON: &str = "application/json";

/// Statuses of the framework, which the contracts do not list.
const FRAMEWORK: [u16; 7] = [401, 403, 404, 405, 413, 422, 503];

/// What Tenantry answers beyond the contract, on purpose: several organizations share an external id.
const AMBIGUOUS: (u16, &str) = (409, "/external/");

/// The same about a key that was used: the original ignores keys of the suspension of sub-accounts.
const KEYED: [u16; 2] = [409, 422];

/// The contracts, each schema compiled once.
pub(crate) struct Contract {
    facts: Vec<Fact>,
}

/// One operation of one contract.
pub(crate) struct Fact {
    pub(crate) document: &'static str,
    pub(crate) method: String,
    /// Without a slash at the end.
    pub(crate) path: String,
    pub(crate) operation: Value,
    root: &'static Value,
    validators: Vec<(u16, OnceLock<Validator>)>,
}

/// Every operation of every contract.
static FACTS: LazyLock<Contract> = LazyLock::new(Contract::load);

impl Contract {
    pub(crate) fn get() -> &'static Self {
        &FACTS
    }

    pub(crate) fn facts(&self) -> &[Fact] {
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

    /// Whether the answer is one that every contract with this operation allows.
    #[track_caller]
    pub(super) fn check(&self, method: &str, path: &str, answer: &Answer) {
        assert!(answer.status < 500 || answer.status == 503, "a fault: {answer}");
        check_refusal(path, answer);
        let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
        let path = path.strip_prefix("/api").unwrap_or(path);
        let of_path = || self.facts.iter().filter(|fact| fact.method == method && fact.matches(path));
        let Some(literal) = of_path().map(Fact::literals).max() else { return };
        for fact in of_path().filter(|fact| fact.literals() == literal) {
            fact.check(answer);
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
    fn check(&self, answer: &Answer) {
        let Self { document, path, .. } = self;
        let Some((_, validator)) = self.validators.iter().find(|(status, _)| *status == answer.status) else {
            let of_key = answer["error"].as_str().is_some_and(|error| error.starts_with("Idempotency"));
            let silent = (of_key && [400, 409].contains(&answer.status))
                || (FRAMEWORK.contains(&answer.status) && (*document, answer.status) != ("ahasend-v2", 422))
                || (KEYED.contains(&answer.status) && path.ends_with("suspend"))
                || (answer.status == AMBIGUOUS.0 && path.contains(AMBIGUOUS.1))
                || (*document == "seeds" && answer.status >= 400);
            assert!(silent, "{document} has no such status: {answer}");
            return;
        };
        // Bodies of errors are contract in /v2; in /v1 their schemas are looser than docs/contracts/polar/http.md, 1.6.
        if answer.status >= 300 && !document.ends_with("v2") {
            return;
        }
        let Some((media, schema)) = self.content(answer.status) else {
            assert!(answer.text.is_empty(), "{document} has no body here: {answer}");
            return;
        };
        let sent = answer.header("content-type").and_then(|sent| sent.split(';').next());
        assert_eq!(sent, Some(media), "{document} has another content type here: {answer}");
        if media != JSON {
            return;
        }
        let validator = validator.get_or_init(|| compile(self.root, &schema));
        let faults: Vec<String> = validator
            .iter_errors(&answer.body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{document}: {faults:#?}\n{answer}");
    }

    /// The content type of an answer, and its schema.
    fn content(&self, status: u16) -> Option<(&str, Value)> {
        let response = self.resolve(&self.operation["responses"][status.to_string()]);
        let contents = response["content"].as_object()?;
        let (media, content) = contents.get_key_value(JSON).or_else(|| contents.iter().next())?;
        Some((media, content["schema"].clone()))
    }

    /// What a reference inside the document means; anything else is itself.
    pub(crate) fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        reference.map_or(value, |pointer| self.root.pointer(pointer).unwrap())
    }
}

/// The shapes of errors: one in `/v2`; in `/v1` those of docs/contracts/polar/http.md, 1.6.
#[track_caller]
fn check_refusal(path: &str, answer: &Answer) {
    if answer.status < 400
        || answer.header("content-type") != Some("application/json")
        || answer.text.is_empty()
    {
        return;
    }
    let keys =
        |value: &Value| value.as_object().map(|fields| fields.keys().cloned().collect::<Vec<_>>().join(" "));
    let shape = keys(&answer.body).unwrap_or_default();
    if path.starts_with("/v2") {
        assert_eq!(shape, "message", "{answer}");
        assert!(answer["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        return;
    }
    let Some(details) = answer["detail"].as_array().filter(|_| answer.status == 422) else {
        let texts = answer.body.as_object().unwrap().values().all(Value::is_string);
        assert!(
            texts
                && ["error detail", "error error_description", "detail", "status", "status reason"]
                    .contains(&shape.as_str()),
            "{answer}"
        );
        return;
    };
    let name = answer["error"].as_str().unwrap_or_default();
    assert!(
        ["RequestValidationError", "PolarRequestValidationError"].contains(&name) && shape == "error detail",
        "{answer}"
    );
    assert!(!details.is_empty(), "{answer}");
    for detail in details {
        let keys = keys(detail).unwrap_or_default();
        let known = keys == "type loc msg input"
            || (keys == "type loc msg input ctx" && name == "RequestValidationError");
        let place = detail["loc"].as_array().unwrap();
        let part = ["path", "query", "body", "header"].iter().any(|part| place[0] == *part);
        assert!(
            known && part && place.iter().all(|step| step.is_string() || step.is_u64()),
            "{detail}: {answer}"
        );
    }
}

fn compile(root: &Value, schema: &Value) -> Validator {
    let schema = json!({"allOf": [schema], "components": root["components"]});
    // docs/contracts/ahasend.md, 1.4, stands above its document: an account without a website has "".
    let uri = |text: &str| text.is_empty() || text.contains("://");
    jsonschema::options().should_validate_formats(true).with_format("uri", uri).build(&schema).unwrap()
}
