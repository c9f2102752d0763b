//! The form of a token: a new one, and changes of one.

use serde_json::json;
use tenantry_app::access_tokens::AccessTokenCreate;
use tenantry_app::api_keys::ApiKeyUpdate;
use tenantry_app::{AccountPath, Error, TeamPermission};
use tenantry_core::ids::TokenId;
use tenantry_core::token::{AccessToken, ApiKeyChange, NewAccessToken, Scope, Scopes, Secret, TokenError};
use tenantry_core::values::{IpAllowList, Lifetime};

use super::{name_of, of_path};
use crate::screen::{Block, Choice, Fault, FormView, Link, Part, Reading, Screen, Shown, expiries, refused};
use crate::texts::Texts;
use crate::view::{Section, filled};
use crate::visit::{Answer, Here, done, status};
use crate::visitor::Form;

/// Characters of a label.
const LABEL: usize = 255;
/// Scopes that a form may name.
const SCOPES: usize = 200;

/// The scopes that the form offers, each with a word. Every other scope can be written.
fn offered(t: &'static Texts) -> [(&'static str, &'static str); 13] {
    let words = &t.tokens;
    [
        ("*", words.scope_everything),
        ("organizations:read", words.scope_organizations_read),
        ("organizations:write", words.scope_organizations_write),
        ("customers:read", words.scope_customers_read),
        ("customers:write", words.scope_customers_write),
        ("members:read", words.scope_members_read),
        ("members:write", words.scope_members_write),
        ("customer_sessions:write", words.scope_sessions),
        ("webhooks:read", words.scope_webhooks_read),
        ("webhooks:write", words.scope_webhooks_write),
        ("organization_access_tokens:read", words.scope_tokens_read),
        ("organization_access_tokens:write", words.scope_tokens_write),
        ("audit:read", words.scope_audit),
    ]
}

/// The form for a new token.
pub(super) async fn new(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    show(here, None, Form::default(), Vec::new()).await
}

/// The form for the changes of a token.
pub(super) async fn edit(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let token = of_path(here).await?;
    if let Some(way) = here.proof_first(here.visit.visitor.path()) {
        return Ok(way);
    }
    let (mut values, mut more) = (vec![("label", token.label.clone())], Vec::new());
    for scope in token.scopes().as_slice() {
        match offered(here.t).iter().any(|(name, _)| *name == scope.as_str()) {
            true => values.push(("scope", scope.to_string())),
            false => more.push(scope.to_string()),
        }
    }
    values.push(("more_scopes", more.join("\n")));
    values.push(("networks", token.ip_allow_list.entries().collect::<Vec<_>>().join("\n")));
    show(here, Some(&token), Form::with(values), Vec::new()).await
}

async fn show(here: &Here, of: Option<&AccessToken>, entered: Form, faults: Vec<Fault>) -> Answer {
    let (t, words) = (here.t, &here.t.tokens);
    let list = Link { href: here.to("tokens"), label: words.title.to_owned() };
    let (title, lead, action, back) = match of {
        Some(token) => {
            let path = here.to(&format!("tokens/{}", token.id));
            let back = Link { href: path.clone(), label: name_of(token) };
            (name_of(token), String::new(), format!("{path}/edit"), back)
        }
        None => (words.create.to_owned(), words.form_lead.to_owned(), here.to("tokens/new"), list),
    };
    let submit = if of.is_some() { t.screens.save } else { words.create };
    let mut form = FormView::new(action, submit, back.href.clone(), entered, faults.clone()).broad();
    form = form.input(
        "text",
        ("label", t.screens.name, words.label_hint),
        "autocomplete=off maxlength=255 required",
    );
    if of.is_none() {
        form = form.select(("expires_in", words.expires, ""), expiries(t));
    }
    let choice = |(scope, label)| Choice { mono: true, ..Choice::new(scope, label).with(scope) };
    let form = form
        .boxes(("scope", words.scopes, ""), offered(t).map(choice).into())
        .area(("more_scopes", words.more_scopes, words.more_scopes_hint), "class=mono")
        .area(("networks", words.networks, words.networks_hint), "class=mono placeholder=\"203.0.113.0/24\"");
    let parts = vec![Part::plain(Block::Form(form))];
    let screen =
        Screen { back: Some(back), title: title.clone(), lead, slim: true, parts, ..Screen::default() };
    let call = match of {
        Some(token) => {
            let path = format!("/v2/accounts/{}/api-keys/{}", here.organization.id, token.id);
            here.call("PUT", path, &json!({"label": "billing", "scopes": ["customers:read"]}).to_string())
        }
        None => {
            let body = json!({"comment": "billing", "scopes": ["customers:read"], "expires_in": "P90D"});
            here.call("POST", "/v1/organization-access-tokens".to_owned(), &body.to_string())
        }
    };
    let page = here.page(Section::Tokens, &title).await?.with(call);
    Ok(screen.show_as(status(!faults.is_empty()), t, page))
}

/// The fields that a new token and a change have.
struct Fields {
    label: String,
    scopes: Scopes,
    networks: IpAllowList,
}

fn read(here: &Here, reading: &mut Reading<'_>) -> Option<Fields> {
    let (form, f) = (&here.visit.form, &here.t.faults);
    let is_label = |text: &str| match text.chars().count() {
        1..=LABEL if !text.contains('\0') => Ok(text.to_owned()),
        _ => Err(()),
    };
    let label = reading.field("label", is_label, f.label);
    let written = form.text("more_scopes").lines().map(str::trim).filter(|line| !line.is_empty());
    let names = form.all("scope").chain(written).take(SCOPES + 1);
    let scopes: Result<Vec<Scope>, _> = names.map(str::parse).collect();
    let scopes = scopes.ok().filter(|scopes| (1..=SCOPES).contains(&scopes.len()));
    if scopes.is_none() {
        reading.faults.push(Fault::new("scope", f.scopes));
    }
    let lines = |text: &str| IpAllowList::parse(text.lines().map(str::trim).filter(|line| !line.is_empty()));
    let networks = reading.field("networks", lines, f.networks);
    Some(Fields { label: label?, scopes: Scopes::new(scopes?), networks: networks? })
}

/// Creates a token, and shows its secret once.
pub(super) async fn create(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (form, t) = (&here.visit.form, here.t);
    let mut reading = Reading::new(form);
    let lifetime = |text: &str| Lifetime::from_seconds(text.parse().unwrap_or(0));
    let lifetime = reading.optional("expires_in", lifetime, t.faults.choice);
    let fields = read(here, &mut reading).filter(|_| !reading.has_faults());
    let Some(Fields { label, scopes, networks }) = fields else {
        return show(here, None, form.clone(), reading.faults).await;
    };
    let create = AccessTokenCreate {
        by: here.by.clone(),
        organization: Some(here.organization.id),
        new: NewAccessToken { label, scopes, ip_allow_list: networks, lifetime },
        hash_key: here.app().hash_key().clone(),
    };
    match here.write(create).await {
        Ok(issued) => secret(here, &issued.token, &issued.secret).await,
        Err(error) => show(here, None, form.clone(), refused(t, error)?).await,
    }
}

/// The page with the secret of a token, which is shown once.
pub(super) async fn secret(here: &Here, token: &AccessToken, secret: &Secret) -> Answer {
    let (t, secret) = (here.t, secret.expose());
    let address = format!("{}/v1/organizations/{}", here.visit.visitor.base(), token.organization);
    let shown = Shown {
        title: filled(t.tokens.secret, &name_of(token)),
        lead: t.tokens.secret_lead.to_owned(),
        secret: secret.to_owned(),
        example: (
            t.tokens.try_it,
            t.tokens.try_text,
            format!("curl {address} \\\n  -H \"Authorization: Bearer {secret}\""),
        ),
        back: Link { href: here.to(&format!("tokens/{}", token.id)), label: name_of(token) },
        stored: t.tokens.stored,
    };
    let page = here.page(Section::Tokens, &name_of(token)).await?;
    Ok(shown.screen().show(t, page))
}

/// Changes a token.
pub(super) async fn update(here: &Here) -> Answer {
    here.check(TeamPermission::ManageOrganization)?;
    let (form, token) = (&here.visit.form, of_path(here).await?);
    let mut reading = Reading::new(form);
    let Some(Fields { label, scopes, networks }) = read(here, &mut reading) else {
        return show(here, Some(&token), form.clone(), reading.faults).await;
    };
    let update = ApiKeyUpdate {
        by: here.by.clone(),
        account: AccountPath::Own(here.organization.id),
        id: TokenId::new(here.visit.id("id")?),
        change: ApiKeyChange { label: Some(label), scopes: Some(scopes), ip_allow_list: Some(networks) },
        from: None,
    };
    match here.write(update).await {
        Ok(_) | Err(Error::Token(TokenError::NoChange)) => {
            done(&here.to(&format!("tokens/{}", token.id)), "saved")
        }
        Err(error) => show(here, Some(&token), form.clone(), refused(here.t, error)?).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::ENGLISH;

    #[test]
    fn every_offered_scope_exists() {
        for (name, _) in offered(&ENGLISH) {
            name.parse::<Scope>().unwrap();
        }
    }
}
