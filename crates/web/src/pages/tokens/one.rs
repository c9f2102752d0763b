//! One token: its details, a new secret, and its end.

use serde_json::json;
use tenantry_app::TeamPermission;
use tenantry_app::access_tokens::{AccessTokenDelete, AccessTokenRotate};
use tenantry_core::token::AccessToken;

use super::{form, name_of, of_path, state};
use crate::pages::audit_log;
use crate::screen::{
    Act, Block, Confirm, Danger, Fact, FactValue, Fault, FormView, Link, Note, Part, Screen, overlap,
    overlaps, refused,
};
use crate::time::moment;
use crate::view::{Section, filled};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// The page of a token.
pub(super) async fn show(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (t, now, token) = (here.t, here.visit.visitor.now, of_path(here).await?);
    let path = here.to(&format!("tokens/{}", token.id));
    let mut parts = Vec::new();
    if let Some(previous) = token.previous_secret.filter(|previous| previous.expires_at > now) {
        let ends = moment(t, previous.expires_at, now);
        parts.push(Part::plain(Block::Note(Note {
            kind: "warn",
            icon: "again",
            title: t.tokens.two_secrets.to_owned(),
            text: filled(t.tokens.two_secrets_text, &format!("{} ({})", ends.relative, ends.exact)),
            acts: Vec::new(),
        })));
    }
    parts.push(Part::plain(Block::Facts(facts(here, &token))));
    let rotate = format!("{path}/rotate");
    let rotate = FormView::new(rotate, t.tokens.rotate_button, String::new(), Form::default(), Vec::new());
    let rotate = rotate.quiet().select(("overlap", t.tokens.overlap, ""), overlaps(t));
    if token.expires_at.is_none_or(|end| end > now) {
        parts.push(Part::titled(t.tokens.rotate, t.tokens.rotate_lead, Block::Form(rotate)));
    }
    parts.extend(audit_log::history(here, token.id.uuid()).await?);
    parts.push(Part::plain(Block::Dangers(vec![Danger {
        title: t.tokens.revoke,
        text: t.tokens.revoke_text.to_owned(),
        button: t.tokens.revoke_button,
        href: format!("{path}/revoke"),
    }])));
    let screen = Screen {
        back: Some(Link { href: here.to("tokens"), label: t.tokens.title.to_owned() }),
        title: name_of(&token),
        state: Some(state(t, &token, now)),
        acts: vec![Act::to(format!("{path}/edit"), t.screens.edit, "").quiet()],
        parts,
        slim: true,
        ..Screen::default()
    };
    let id = token.id;
    let rotate = json!({"overlap_seconds": 86_400}).to_string();
    let page = here.page(Section::Tokens, &name_of(&token)).await?;
    let page = page.with(here.call("GET", format!("/v1/organization-access-tokens/{id}"), ""));
    let page = page.with(here.call("POST", format!("/v1/organization-access-tokens/{id}/rotate"), &rotate));
    Ok(screen.show(t, page))
}

fn facts(here: &Here, token: &AccessToken) -> Vec<Fact> {
    let (t, now) = (here.t, here.visit.visitor.now);
    let time = |label, at, otherwise: &str| match at {
        Some(at) => Fact::new(label, FactValue::Time(moment(t, at, now))),
        None => Fact::new(label, FactValue::Text(otherwise.to_owned())),
    };
    let scopes = token.scopes().as_slice().iter().map(ToString::to_string).collect();
    let networks: Vec<String> = token.ip_allow_list.entries().collect();
    let networks = match networks.is_empty() {
        true => FactValue::Text(t.tokens.everywhere.to_owned()),
        false => FactValue::Tags(networks),
    };
    vec![
        Fact::new(t.overview.id, FactValue::Id(token.id.to_string())),
        Fact::new(t.tokens.scopes, FactValue::Tags(scopes)),
        Fact::new(t.tokens.networks, networks),
        time(t.tokens.last_use, token.last_used_at, t.screens.never),
        time(t.tokens.expires, token.expires_at, t.screens.never),
        time(t.screens.created, Some(token.created_at), ""),
    ]
}

/// Gives the token a new secret, and shows it once.
pub(super) async fn rotate(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let token = of_path(here).await?;
    let rotate = AccessTokenRotate {
        by: here.by.clone(),
        id: token.id,
        overlap: overlap(&here.visit.form),
        hash_key: here.app().hash_key().clone(),
    };
    let issued = here.write(rotate).await?;
    form::secret(here, &issued.token, &issued.secret).await
}

fn confirm(here: &Here, token: &AccessToken) -> Confirm {
    let (words, path) = (&here.t.tokens, here.to(&format!("tokens/{}", token.id)));
    Confirm {
        title: words.revoke.to_owned(),
        lead: name_of(token),
        consequences: vec![("bad", words.refused_soon), ("bad", words.for_good)],
        word: name_of(token),
        action: format!("{path}/revoke"),
        button: words.revoke,
        back: Link { href: path, label: name_of(token) },
    }
}

async fn ask(here: &Here, token: &AccessToken, faults: Vec<Fault>) -> Answer {
    let call = here.call("DELETE", format!("/v1/organization-access-tokens/{}", token.id), "");
    let page = here.page(Section::Tokens, here.t.tokens.revoke).await?.with(call);
    let status = status(!faults.is_empty());
    Ok(confirm(here, token).screen(here.t, &here.visit.form, faults).show_as(status, here.t, page))
}

pub(super) async fn ask_revoke(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    ask(here, &of_path(here).await?, Vec::new()).await
}

/// Revokes the token.
pub(super) async fn revoke(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let token = of_path(here).await?;
    if let Some(fault) = confirm(here, &token).fault(here.t, &here.visit.form) {
        return ask(here, &token, vec![fault]).await;
    }
    match here.write(AccessTokenDelete { by: here.by.clone(), id: token.id }).await {
        Ok(()) => done(&here.to("tokens"), "revoked"),
        Err(error) => ask(here, &token, refused(here.t, error)?).await,
    }
}
