//! The mails that a person gets: which ones can be switched off, and which ones never.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use tenantry_app::Error;
use tenantry_app::console::NoticesUpdate;
use tenantry_core::user::NoticeTopic;

use crate::screen::{Block, Choice, FormView, Part, Row, Screen};
use crate::view::{Section, filled};
use crate::visit::{Answer, Visit, done, page};
use crate::visitor::Form;
use crate::{Console, ROOT};

/// The route of this page.
pub(crate) fn routes() -> Router<Arc<Console>> {
    Router::new().route("/console/notices", get(page!(Visit, show)).post(page!(Visit, save)))
}

fn path() -> String {
    format!("{ROOT}/notices")
}

/// The mails of the person.
async fn show(visit: &Visit) -> Answer {
    let (t, words) = (visit.t, &visit.t.notices);
    let user = visit.app().person(visit.by.user().ok_or(Error::CallerUnknown)?).await?;
    let is_on = |topic: &NoticeTopic| !user.muted_notices.contains(topic);
    // An entry in any case, so that no mail that is off is taken for one that was not sent.
    let entered = [("notice", String::new())].into_iter();
    let on = NoticeTopic::ALL.into_iter().filter(is_on).map(|topic| ("notice", topic.as_str().to_owned()));
    let choice = |topic: NoticeTopic| {
        let (label, text) = match topic {
            NoticeTopic::TokenExpiry => (words.token_expiry, words.token_expiry_text),
            NoticeTopic::Webhooks => (words.webhooks, words.webhooks_text),
        };
        Choice::new(topic.as_str(), label).with(text)
    };
    let choices = NoticeTopic::ALL.into_iter().map(choice).collect();
    let form =
        FormView::new(path(), t.screens.save, String::new(), Form::with(entered.chain(on).collect()), vec![])
            .broad()
            .boxes(("notice", words.optional, ""), choices);
    let row = |icon, title, small: &str| Row { icon, small: small.to_owned(), ..Row::new(title) };
    let always = vec![
        row("screen", words.new_sign_in, words.new_sign_in_text),
        row("orgs", words.ownership, words.ownership_text),
        row("mail", words.address, words.address_text),
        row("key", words.networks, words.networks_text),
    ];
    let screen = Screen {
        title: words.title.to_owned(),
        lead: filled(words.lead, user.email.as_str()),
        slim: true,
        parts: vec![
            Part::plain(Block::Form(form)),
            Part::titled(words.always, words.always_text, Block::Rows(always)),
        ],
        ..Screen::default()
    };
    Ok(screen.show(t, visit.page(Section::Notices, words.title).await?))
}

/// Switches the chosen mails on, and the others off.
async fn save(visit: &Visit) -> Answer {
    let is_off = |topic: &NoticeTopic| visit.form.all("notice").all(|name| name != topic.as_str());
    let muted = NoticeTopic::ALL.into_iter().filter(is_off).collect();
    visit.write(NoticesUpdate { by: visit.by.clone(), muted }).await?;
    done(&path(), "saved")
}
