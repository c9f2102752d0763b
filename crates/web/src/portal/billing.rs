//! Billing details: name, address and tax id.

use axum::response::Response;
use tenantry_app::Error;
use tenantry_app::portal::BillingUpdate;
use tenantry_core::Patch;
use tenantry_core::customer::{Customer, CustomerChange, CustomerError, CustomerViolation};
use tenantry_core::values::{Address, AddressInput, Country, InvalidAddress, PersonName};

use super::countries;
use super::view::{Section, show as show_screen};
use super::visit::Guest;
use crate::respond::redirect;
use crate::screen::{Block, Choice, Fault, FormView, Part, Reading, Screen, refused};
use crate::view::filled;
use crate::visit::{Answer, status};
use crate::visitor::Form;

/// The fields of an address besides the country.
const LINES: [&str; 5] = ["line1", "line2", "postal_code", "city", "state"];

/// The address of a customer in one line, if it has one.
pub(super) fn address_text(customer: &Customer) -> Option<String> {
    let address = customer.billing_address.as_ref()?;
    let country = address.country();
    let parts = [address.line1(), address.line2(), address.postal_code(), address.city(), address.state()];
    let parts = parts.into_iter().flatten().chain([country.as_str()]);
    Some(parts.collect::<Vec<_>>().join(", "))
}

/// The form with the details.
pub(super) async fn show(guest: &Guest) -> Answer {
    guest.need(guest.rights().billing_details)?;
    let customer = &guest.known.caller.customer;
    let address = customer.billing_address.as_ref();
    let line = |read: fn(&Address) -> Option<&str>| {
        address.and_then(read).map(ToOwned::to_owned).unwrap_or_default()
    };
    let entered = Form::with(vec![
        ("billing_name", customer.billing_name.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("line1", line(Address::line1)),
        ("line2", line(Address::line2)),
        ("postal_code", line(Address::postal_code)),
        ("city", line(Address::city)),
        ("state", line(Address::state)),
        ("country", address.map(|address| address.country().as_str().to_owned()).unwrap_or_default()),
        ("tax_id", customer.tax_id.as_ref().map(|id| id.value().to_owned()).unwrap_or_default()),
    ]);
    Ok(show_again(guest, entered, Vec::new()))
}

fn show_again(guest: &Guest, entered: Form, faults: Vec<Fault>) -> Response {
    let (t, words) = (guest.t, &guest.t.portal_pages);
    let status = status(!faults.is_empty());
    let name = guest.known.caller.customer.name.as_ref().map(ToString::to_string);
    let name_hint = name.map(|name| filled(words.billing_name_hint, &name)).unwrap_or_default();
    let mut countries: Vec<Choice> = vec![Choice::new("", words.country_none)];
    // A country that new addresses cannot have any more stays where it is.
    countries.extend(countries::all(t, entered.text("country")).map(|(code, name)| Choice::new(code, name)));
    let form = FormView::new(guest.site().to("billing"), t.screens.save, String::new(), entered, faults)
        .input(
            "text",
            ("billing_name", words.billing_name, &name_hint),
            "autocomplete=organization maxlength=256",
        )
        .input("text", ("line1", words.line1, ""), "autocomplete=address-line1 maxlength=256")
        .input("text", ("line2", words.line2, ""), "autocomplete=address-line2 maxlength=256")
        .input("text", ("postal_code", words.postal_code, ""), "autocomplete=postal-code maxlength=64")
        .input("text", ("city", words.city, ""), "autocomplete=address-level2 maxlength=256")
        .input("text", ("state", words.state, words.state_hint), "autocomplete=address-level1 maxlength=256")
        .select(("country", words.country, ""), countries)
        .input(
            "text",
            ("tax_id", words.tax_id, words.tax_id_hint),
            "autocomplete=off spellcheck=false maxlength=64",
        );
    let screen = Screen {
        title: words.billing.to_owned(),
        lead: words.billing_lead.to_owned(),
        parts: vec![Part::plain(Block::Form(form))],
        ..Screen::default()
    };
    show_screen(screen, status, t, guest.page(Section::Billing, words.billing))
}

/// The change that the form asks for.
fn read(guest: &Guest, reading: &mut Reading<'_>) -> Option<CustomerChange> {
    let words = &guest.t.portal_pages;
    let billing_name = reading.field("billing_name", PersonName::parse, guest.t.faults.name).flatten();
    let address = read_address(guest, reading);
    let tax_id = reading.text("tax_id");
    if !tax_id.is_empty() && address.is_none() && !reading.has_faults() {
        reading.faults.push(Fault::new("country", words.country_missing));
    }
    let change = CustomerChange {
        billing_name: billing_name.map_or(Patch::Null, Patch::Value),
        billing_address: address.map_or(Patch::Absent, Patch::Value),
        tax_id: if tax_id.is_empty() { Patch::Null } else { Patch::Value(tax_id.to_owned()) },
        ..CustomerChange::default()
    };
    (!reading.has_faults()).then_some(change)
}

/// The address that was entered. None without any field of it.
fn read_address(guest: &Guest, reading: &mut Reading<'_>) -> Option<Address> {
    let words = &guest.t.portal_pages;
    let country = reading.text("country");
    if country.is_empty() {
        let had_address = guest.known.caller.customer.billing_address.is_some();
        if had_address {
            reading.faults.push(Fault::new("country", words.address_stays));
        } else if LINES.iter().any(|line| !reading.text(line).is_empty()) {
            reading.faults.push(Fault::new("country", words.country_missing));
        }
        return None;
    }
    let text = |name: &str| Some(reading.text(name));
    // The states of these countries have codes in capital letters.
    let capitals = reading.text("state").to_uppercase();
    let state = if matches!(country, "US" | "CA") { Some(capitals.as_str()) } else { text("state") };
    let input = AddressInput {
        line1: text("line1"),
        line2: text("line2"),
        postal_code: text("postal_code"),
        city: text("city"),
        state,
        country,
    };
    match Address::parse(input) {
        Ok(address) => Some(address),
        Err(violations) => {
            // A stored address can be in a country that is refused in new ones. It is kept as long as it is the same.
            let stored = guest.known.caller.customer.billing_address.clone();
            let is_kept = stored.as_ref().is_some_and(|stored| is_same(stored, reading));
            if is_kept {
                return None;
            }
            reading.faults.extend(violations.iter().map(|violation| fault(guest, violation)));
            None
        }
    }
}

/// Whether the form holds a stored address unchanged.
fn is_same(stored: &Address, reading: &Reading<'_>) -> bool {
    let lines = [stored.line1(), stored.line2(), stored.postal_code(), stored.city(), stored.state()];
    let is_line = |(name, line): (&&str, Option<&str>)| reading.text(name) == line.unwrap_or_default();
    LINES.iter().zip(lines).all(is_line) && stored.country().as_str() == reading.text("country")
}

fn fault(guest: &Guest, violation: &InvalidAddress) -> Fault {
    let words = &guest.t.portal_pages;
    match violation.field {
        Some("country") => Fault::new("country", words.country_missing),
        Some(field) => Fault::new(field, words.text_wrong),
        None => Fault::new("state", words.state_wrong),
    }
}

/// Changes the details.
pub(super) async fn save(guest: &Guest) -> Answer {
    guest.need(guest.rights().billing_details)?;
    let form = &guest.visit.form;
    let mut reading = Reading::new(form);
    let Some(change) = read(guest, &mut reading) else {
        return Ok(show_again(guest, form.clone(), reading.faults));
    };
    match guest.write(BillingUpdate { by: guest.by.clone(), change }).await {
        Ok(_) => Ok(redirect(&format!("{}?done=saved", guest.site().to("billing")))),
        Err(error) => Ok(show_again(guest, form.clone(), faults_of(guest, error)?)),
    }
}

fn faults_of(guest: &Guest, error: Error) -> Result<Vec<Fault>, Error> {
    let words = &guest.t.portal_pages;
    let Error::Customer(CustomerError::Invalid(violations)) = &error else {
        return refused(guest.t, error);
    };
    let known = |violation: &CustomerViolation| match violation {
        CustomerViolation::TaxIdInvalid(_) => Some(Fault::new("tax_id", words.tax_id_wrong)),
        CustomerViolation::TaxIdNeedsCountry => Some(Fault::new("country", words.country_missing)),
        CustomerViolation::BillingAddressRequired => Some(Fault::new("country", words.address_stays)),
        _ => None,
    };
    let faults: Vec<Fault> = violations.iter().filter_map(known).collect();
    if faults.is_empty() { refused(guest.t, error) } else { Ok(faults) }
}

/// Whether a country can be in a new address.
pub(super) fn is_offered(code: &str) -> bool {
    Country::parse_input(code).is_ok()
}
