//! Deletion of a customer, removal of its personal data, and the way back.

use tenantry_app::TeamPermission;
use tenantry_app::customers::{CustomerDelete, CustomerRestore};
use tenantry_core::customer::Customer;
use tenantry_core::ids::CustomerId;

use super::{name_of, of_path, path_of, reference};
use crate::respond::redirect;
use crate::screen::{Confirm, Fault, Link, refused};
use crate::view::Section;
use crate::visit::{Answer, Here, done, status};

fn confirm(here: &Here, customer: &Customer, forgets: bool) -> Confirm {
    let words = &here.t.customers;
    let name = name_of(customer);
    let path = path_of(here, customer.id);
    let (title, button, page) = match forgets {
        true => (words.forget, words.forget, "forget"),
        false => (words.delete, words.delete, "delete"),
    };
    let consequences = match forgets {
        true => vec![("bad", words.members_go), ("bad", words.names_go), ("bad", words.for_good)],
        false => vec![("bad", words.members_go), ("warn", words.sessions_end), ("ok", words.comes_back)],
    };
    Confirm {
        title: title.to_owned(),
        lead: name.clone(),
        consequences,
        action: format!("{path}/{page}"),
        button,
        back: Link { href: path, label: name.clone() },
        word: name,
    }
}

async fn ask(here: &Here, customer: &Customer, forgets: bool, faults: Vec<Fault>) -> Answer {
    let confirm = confirm(here, customer, forgets);
    let query = if forgets { "?anonymize=true" } else { "" };
    let call = here.call("DELETE", format!("/v1/customers/{}{query}", customer.id), "");
    let page = here.page(Section::Customers, &confirm.title).await?.with(call);
    let status = status(!faults.is_empty());
    Ok(confirm.screen(here.t, &here.visit.form, faults).show_as(status, here.t, page))
}

async fn act(here: &Here, forgets: bool) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let customer = of_path(here).await?;
    if let Some(fault) = confirm(here, &customer, forgets).fault(here.t, &here.visit.form) {
        return ask(here, &customer, forgets, vec![fault]).await;
    }
    let delete = CustomerDelete { by: here.by.clone(), customer: reference(here)?, anonymize: forgets };
    let list = here.to("customers");
    match here.app().delete_customer(delete, None).await {
        Ok(()) if forgets => done(&list, "forgotten"),
        Ok(()) => Ok(redirect(&format!("{list}?undo={}", customer.id))),
        Err(error) => ask(here, &customer, forgets, refused(here.t, error)?).await,
    }
}

/// Asks, after a fresh proof.
async fn ask_first(here: &Here, forgets: bool) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let customer = of_path(here).await?;
    match here.proof_first(here.visit.visitor.path()) {
        Some(way) => Ok(way),
        None => ask(here, &customer, forgets, Vec::new()).await,
    }
}

pub(super) async fn ask_delete(here: &Here) -> Answer {
    ask_first(here, false).await
}

pub(super) async fn delete(here: &Here) -> Answer {
    act(here, false).await
}

pub(super) async fn ask_forget(here: &Here) -> Answer {
    ask_first(here, true).await
}

pub(super) async fn forget(here: &Here) -> Answer {
    act(here, true).await
}

/// Brings a deleted customer back.
pub(super) async fn restore(here: &Here) -> Answer {
    here.check(TeamPermission::ManageCustomers)?;
    let customer = CustomerId::new(here.visit.id("id")?);
    here.write(CustomerRestore { by: here.by.clone(), customer }).await?;
    here.app().finish_restoration(&here.by, customer).await;
    done(&path_of(here, customer), "restored")
}
