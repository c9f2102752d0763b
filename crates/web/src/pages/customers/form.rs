//! The form of a customer: a new one, and changes of one.

use serde_json::{Map, Value, json};
use tenantry_app::TeamPermission;
use tenantry_app::customers::{CustomerCreate, CustomerUpdate};
use tenantry_core::Patch;
use tenantry_core::customer::{Customer, CustomerChange, CustomerKind, NewCustomer};
use tenantry_core::values::{EmailAddress, ExternalId, Locale, Metadata, PersonName};

use super::{name_of, of_path, path_of, reference};
use crate::screen::{Block, Choice, Fault, FormView, Link, Part, Reading, Screen, refused};
use crate::view::{Call, Section};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// The form for a new customer.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    show(here, None, Form::default(), Vec::new()).await
}

/// The form for the changes of a customer.
pub(super) async fn edit(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let customer = of_path(here).await?;
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    let entered = Form::with(vec![
        ("kind", customer.kind.as_str().to_owned()),
        ("email", text(customer.email.as_ref().map(EmailAddress::as_str))),
        ("name", text(customer.name.as_ref().map(|name| name.as_str()))),
        ("external_id", text(customer.external_id.as_ref().map(|id| id.as_str()))),
        ("locale", text(customer.locale.as_ref().map(|tag| tag.as_str()))),
        ("metadata", metadata_text(&customer.metadata)),
    ]);
    show(here, Some(&customer), entered, Vec::new()).await
}

async fn show(here: &Here, of: Option<&Customer>, entered: Form, faults: Vec<Fault>) -> Answer {
    let t = here.t;
    let words = &t.customers;
    let (title, back, call) = match of {
        Some(customer) => (
            name_of(customer),
            Link { href: path_of(here, customer.id), label: name_of(customer) },
            here.call("PATCH", format!("/v1/customers/{}", customer.id), r#"{"name": "Jane Doe"}"#),
        ),
        None => (
            words.add.to_owned(),
            Link { href: here.to("customers"), label: words.title.to_owned() },
            create_call(here),
        ),
    };
    let action = of.map_or_else(|| here.to("customers/new"), |_| format!("{}/edit", back.href));
    let mut form = FormView::new(action, t.screens.save, back.href.clone(), entered, faults.clone());
    // A team never becomes one person again.
    if of.is_none_or(|customer| customer.kind == CustomerKind::Individual) {
        let kinds = vec![
            Choice::new("individual", words.individual).with(words.individual_text).chosen(true),
            Choice::new("team", words.team).with(words.team_text),
        ];
        form = form.radio(("kind", words.kind, ""), kinds);
    }
    let form = form
        .input("email", ("email", t.screens.email, ""), "autocomplete=off maxlength=254")
        .input("text", ("name", t.screens.name, ""), "autocomplete=off maxlength=256")
        .input(
            "text",
            ("external_id", words.external_id, words.external_id_hint),
            "class=mono autocomplete=off spellcheck=false",
        )
        .input("text", ("locale", words.language, words.language_hint), "autocomplete=off maxlength=35")
        .area(("metadata", words.metadata, words.metadata_hint), "class=mono placeholder=\"plan = pro\"");
    let screen = Screen {
        back: Some(back),
        title: title.clone(),
        lead: words.form_lead.to_owned(),
        slim: true,
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    let page = here.page(Section::Customers, &title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

fn create_call(here: &Here) -> Call {
    let body = json!({"type": "team", "email": "jane@example.com", "name": "Jane Doe"});
    here.call("POST", "/v1/customers".to_owned(), &body.to_string())
}

/// The fields that a new customer and a change have.
struct Fields {
    kind: CustomerKind,
    email: Option<EmailAddress>,
    name: Option<PersonName>,
    external_id: Option<ExternalId>,
    locale: Option<Locale>,
    metadata: Metadata,
}

fn read(here: &Here, reading: &mut Reading<'_>) -> Option<Fields> {
    let f = &here.t.faults;
    let kind = CustomerKind::from_name(reading.text("kind")).unwrap_or(CustomerKind::Team);
    let email = reading.optional("email", EmailAddress::parse, f.email);
    let name = reading.field("name", PersonName::parse, f.name).flatten();
    let external_id = reading.field("external_id", ExternalId::parse, f.external_id).flatten();
    let locale = reading.optional("locale", Locale::parse, here.t.customers.language_wrong);
    let metadata = reading.field("metadata", read_metadata, f.metadata).unwrap_or_default();
    let fields = Fields { kind, email, name, external_id, locale, metadata };
    (!reading.has_faults()).then_some(fields)
}

/// Creates a customer.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let form = &here.visit.form;
    let mut reading = Reading::new(form);
    // A new customer without an address has no owner.
    reading.field("email", EmailAddress::parse, here.t.faults.email);
    let fields = if reading.has_faults() { None } else { read(here, &mut reading) };
    let Some(Fields { kind, email, name, external_id, locale, metadata }) = fields else {
        return show(here, None, form.clone(), reading.faults).await;
    };
    let new = NewCustomer {
        kind,
        email,
        name,
        external_id,
        metadata,
        billing_address: None,
        tax_id: None,
        locale,
        owner: None,
    };
    let create = CustomerCreate { by: here.by.clone(), organization: Some(here.organization.id), new };
    match here.write(create).await {
        Ok(customer) => done(&path_of(here, customer.id), "created"),
        Err(error) => show(here, None, form.clone(), refused(here.t, error)?).await,
    }
}

/// Changes a customer.
pub(super) async fn update(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let form = &here.visit.form;
    let customer = of_path(here).await?;
    let mut reading = Reading::new(form);
    let Some(fields) = read(here, &mut reading) else {
        return show(here, Some(&customer), form.clone(), reading.faults).await;
    };
    let Fields { kind, email, name, external_id, locale, metadata } = fields;
    // Lines that were not touched change nothing, also if they would be read in another way.
    let is_changed = form.text("metadata").replace("\r\n", "\n") != metadata_text(&customer.metadata).trim();
    let change = CustomerChange {
        // An address can be replaced, not removed.
        email: email.map_or(Patch::Absent, Patch::Value),
        name: name.map_or(Patch::Null, Patch::Value),
        locale: locale.map_or(Patch::Null, Patch::Value),
        metadata: Some(metadata).filter(|_| is_changed),
        external_id: external_id.map_or(Patch::Null, Patch::Value),
        kind: Patch::Value(kind),
        ..CustomerChange::default()
    };
    let update = CustomerUpdate { by: here.by.clone(), customer: reference(here)?, change };
    match here.write(update).await {
        Ok(customer) => done(&path_of(here, customer.id), "saved"),
        Err(error) => show(here, Some(&customer), form.clone(), refused(here.t, error)?).await,
    }
}

/// Metadata as the form shows it: a line for each key.
fn metadata_text(metadata: &Metadata) -> String {
    let line = |(key, value): (&String, &Value)| match value {
        Value::String(text) if !reads_differently(text) => format!("{key} = {text}"),
        value => format!("{key} = {value}"),
    };
    metadata.as_object().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether a text would be read as another text, or as a number or truth value.
fn reads_differently(text: &str) -> bool {
    read_value(text) != Value::String(text.to_owned()) || text.contains(['\n', '\r'])
}

/// A value of a line: a number, a truth value, a text in quotes, or the text itself.
fn read_value(text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::String(_))) => value,
        _ => Value::String(text.trim().to_owned()),
    }
}

/// Reads a line for each key.
fn read_metadata(text: &str) -> Result<Metadata, ()> {
    let mut object = Map::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let (key, value) = line.split_once('=').ok_or(())?;
        if object.insert(key.trim().to_owned(), read_value(value.trim())).is_some() {
            return Err(());
        }
    }
    Metadata::check(&object).map_err(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_reads_back_as_it_is_shown() {
        let object = json!({
            "plan": "pro", "seats": 12, "ratio": 1.5, "active": true,
            "number as text": "12", "quoted": "\"x\"", "lines": "a\nb", "equals": "a = b",
        });
        let metadata = Metadata::check(object.as_object().unwrap()).unwrap();
        let text = metadata_text(&metadata);
        assert!(text.starts_with("plan = pro\nseats = 12\nratio = 1.5\nactive = true\n"), "{text}");
        assert_eq!(read_metadata(&text).unwrap(), metadata);
        assert_eq!(
            read_metadata("\r\n a = b \r\n").unwrap().get("a").map(|value| value.to_text()),
            Some("b".to_owned())
        );
        for faulty in ["x", "a = 1\na = 2", "= x", "__a = 1"] {
            assert!(read_metadata(faulty).is_err(), "{faulty}");
        }
    }
}
