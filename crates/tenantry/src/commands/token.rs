//! The commands that manage tokens.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use serde_json::{Value, json};
use tenantry_app::tokens::{
    IssuedToken, RotatedToken, TokenCreate, TokenRevoke, TokenRotate, UserTokenCreate,
};
use tenantry_app::{App, Error, Requester};
use tenantry_core::Timestamp;
use tenantry_core::organization::Organization;
use tenantry_core::token::{AccessToken, Overlap, PreviousSecret, Scope, Scopes, UserToken as UsersToken};
use tenantry_core::values::{EmailAddress, parse_uuid};
use uuid::Uuid;

use super::{every_node_knows, find, print, valid, with_app, with_fields};
use crate::cli::{DatabaseOptions, List, Token, UserToken};
use crate::error::CommandError;
use crate::installation;

/// Runs a command on the tokens of organizations to its end.
pub(super) async fn run(command: Token) -> Result<(), CommandError> {
    match command {
        Token::Create { organization, label, scopes, all_scopes, expires_in, json, database } => {
            let scopes = if all_scopes { Scopes::everything() } else { Scopes::new(List::joined(&scopes)) };
            let IssuedToken { token, secret } = with_app(&database, async |app| {
                let create = TokenCreate {
                    by: Requester::operator(),
                    organization: find(app, &organization).await?,
                    label,
                    scopes,
                    expires_in_s: expires_in,
                    hash_key: app.hash_key().clone(),
                };
                Ok(app.write(create).await?)
            })
            .await?;
            let object = json!({
                "id": token.id,
                "token": secret.expose(),
                "organization_id": token.organization,
                "scopes": token.scopes(),
                "expires_at": token.expires_at,
            });
            print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
        }
        Token::List { organization, expires_within, json, database } => {
            list(organization.as_deref(), expires_within, json, &database).await
        }
        Token::Rotate { id, overlap, json, database } => rotate(&id, overlap, json, &database).await,
        Token::Revoke { id: Some(id), json, database } => {
            let hint =
                ". To revoke by the token itself, leave the id out and enter the token on standard input";
            let id = token_id(&id, hint)?;
            with_app(&database, async |app| {
                let revoke = TokenRevoke { by: Requester::operator(), id };
                app.write(revoke).await.map_err(|error| about_token(id, error))?;
                every_node_knows().await;
                Ok(())
            })
            .await?;
            print(json, &json!({"id": id}), &[format!("token {id} is revoked")])
        }
        Token::Revoke { id: None, json, database } => revoke_by_secret(json, &database).await,
    }
}

/// The id of a token. The message about another text ends with `hint`.
fn token_id(id: &str, hint: &str) -> Result<Uuid, CommandError> {
    parse_uuid(id).map_err(|_| {
        let why = format!("{id:?} is not an id: use the UUID that `token create` printed{hint}");
        CommandError::Argument("ID", why)
    })
}

fn about_token(id: Uuid, error: Error) -> CommandError {
    match error {
        Error::TokenNotFound => CommandError::Message(format!(
            "there is no token {id}: `tenantry token list` and `tenantry user-token list` show all"
        )),
        other => other.into(),
    }
}

/// The most bytes of standard input that are read for a secret.
const LONGEST_LINE: u64 = 4096;

/// Reads a secret from standard input. A terminal shows a prompt.
fn read_secret() -> Result<String, CommandError> {
    if io::stdin().is_terminal() {
        write!(io::stderr().lock(), "the token to revoke: ")?;
    }
    let mut line = String::new();
    io::stdin().lock().take(LONGEST_LINE).read_line(&mut line)?;
    Ok(line.trim().to_owned())
}

async fn revoke_by_secret(json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let secret = read_secret()?;
    if secret.is_empty() {
        let why = "standard input is empty: enter the token there, or give its id";
        return Err(CommandError::Argument("ID", why.to_owned()));
    }
    let is_revoked = with_app(database, async |app| {
        let is_revoked = app.revoke_secret(Some(Requester::operator()), Default::default(), &secret).await?;
        every_node_knows().await;
        Ok(is_revoked)
    })
    .await?;
    if !is_revoked {
        let why =
            "standard input has no token that works here: it is mistyped, revoked or of another installation";
        return Err(CommandError::Message(why.to_owned()));
    }
    print(json, &json!({"revoked": true}), &["the secret is revoked".to_owned()])
}

async fn rotate(
    id: &str,
    overlap: Overlap,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let id = token_id(id, "")?;
    let rotated = with_app(database, async |app| {
        let hash_key = app.hash_key().clone();
        let rotate = TokenRotate { by: Requester::operator(), id, overlap, hash_key };
        app.write(rotate).await.map_err(|error| about_token(id, error))
    })
    .await?;
    let (secret, previous) = match rotated {
        RotatedToken::Organization(IssuedToken { token, secret }) => (secret, token.previous_secret),
        RotatedToken::User(IssuedToken { token, secret }) => (secret, token.previous_secret),
    };
    let until = previous.map(|previous| previous.expires_at);
    let object = json!({"id": id, "token": secret.expose(), "previous_secret_expires_at": until});
    let end = until.map_or_else(|| "has ended".to_owned(), |until| format!("works until {until}"));
    print(json, &object, &[format!("token {id}, its old secret {end}"), secret.expose().to_owned()])
}

/// The time of an option such as `--expires-within`.
fn before(app: &App, within_s: Option<i64>) -> Option<Timestamp> {
    within_s.map(|seconds| app.now().plus_seconds(seconds))
}

async fn list(
    organization: Option<&str>,
    expires_within: Option<i64>,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let app = installation::open_to_read(database).await?;
    let mut listed = Listed::default();
    let outcome: Result<(), CommandError> = async {
        let one = match organization {
            Some(name) => {
                let id = find(&app, name).await?;
                Some(app.organization(&Requester::operator(), id).await?)
            }
            None => None,
        };
        let each = |of: &Organization, token: AccessToken| listed.organization_token(of, &token);
        Ok(app.each_access_token(one.as_ref(), before(&app, expires_within), each).await?)
    }
    .await;
    app.store().close().await;
    outcome?;
    print(json, &json!({"items": listed.items}), &listed.lines)
}

async fn list_user_tokens(
    email: Option<&str>,
    expires_within: Option<i64>,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let email = email.map(|email| valid("--email", EmailAddress::parse(email))).transpose()?;
    let app = installation::open_to_read(database).await?;
    let mut listed = Listed::default();
    let outcome: Result<(), CommandError> = async {
        let end = before(&app, expires_within);
        let mut each = |token: UsersToken, email: String| {
            if end.is_none_or(|end| token.expires_at.is_some_and(|expires_at| expires_at < end)) {
                listed.user_token(&token, &email);
            }
        };
        let Some(email) = &email else { return Ok(app.each_user_token(each).await?) };
        let mut reader = app.store().reader()?;
        let mut tx = reader.tx()?;
        let missing = || CommandError::Message(format!("there is no user {email}"));
        let user = tx.user_by_email(email).await?.ok_or_else(missing)?;
        for token in tx.tokens_of_user(user.id).await? {
            each(token, user.email.to_string());
        }
        Ok(())
    }
    .await;
    app.store().close().await;
    outcome?;
    print(json, &json!({"items": listed.items}), &listed.lines)
}

/// Tokens as JSON objects and as lines for people.
#[derive(Default)]
struct Listed {
    items: Vec<Value>,
    lines: Vec<String>,
}

impl Listed {
    fn organization_token(&mut self, of: &Organization, token: &AccessToken) {
        let object = json!({
            "organization_id": of.id, "organization": of.slug, "label": token.label,
            "ip_allow_list": token.ip_allow_list, "created_by": token.created_by,
        });
        let times = (token.created_at, token.last_used_at, token.expires_at, token.previous_secret);
        self.add(object, (token.id.uuid(), of.slug.as_str()), token.scopes(), times);
        if let Some(line) = self.lines.last_mut().filter(|_| !token.label.is_empty()) {
            *line = format!("{line}  label {}", token.label);
        }
    }

    fn user_token(&mut self, token: &UsersToken, email: &str) {
        let object = json!({"user_id": token.user, "email": email});
        let times = (token.created_at, token.last_used_at, token.expires_at, token.previous_secret);
        self.add(object, (token.id.uuid(), email), &token.scopes, times);
    }

    fn add(
        &mut self,
        object: Value,
        (id, owner): (Uuid, &str),
        scopes: &Scopes,
        (created_at, last_used_at, expires_at, previous): (
            Timestamp,
            Option<Timestamp>,
            Option<Timestamp>,
            Option<PreviousSecret>,
        ),
    ) {
        let names: Vec<&str> = scopes.as_slice().iter().map(Scope::as_str).collect();
        let time = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
        let old = previous.map_or_else(String::new, |previous| {
            let (end, used) = (previous.expires_at, time(previous.last_used_at));
            format!("  old secret until {end}, used {used}")
        });
        self.lines.push(format!(
            "{id}  {owner}  {}  created {created_at}  used {}  expires {}{old}",
            names.join(","),
            time(last_used_at),
            time(expires_at)
        ));
        let more = json!({
            "id": id,
            "scopes": names,
            "created_at": created_at,
            "last_used_at": last_used_at,
            "expires_at": expires_at,
            "previous_secret_expires_at": previous.map(|previous| previous.expires_at),
            "previous_secret_last_used_at": previous.and_then(|previous| previous.last_used_at),
        });
        self.items.push(with_fields(object, more));
    }
}

/// Runs a command on the tokens of users to its end.
pub(super) async fn run_user(command: UserToken) -> Result<(), CommandError> {
    let (email, create_user, expires_in, json, database) = match command {
        UserToken::Create { email, create_user, expires_in, json, database } => {
            (email, create_user, expires_in, json, database)
        }
        UserToken::List { email, expires_within, json, database } => {
            return list_user_tokens(email.as_deref(), expires_within, json, &database).await;
        }
    };
    let IssuedToken { token, secret } = with_app(&database, async |app| {
        if !create_user && app.store().reader()?.tx()?.user_by_email(&email).await?.is_none() {
            let why = format!("there is no user {email}: --create-user creates one");
            return Err(CommandError::Argument("--email", why));
        }
        let create = UserTokenCreate {
            by: Requester::operator(),
            expires_in_s: expires_in,
            email,
            scopes: Scopes::everything(),
            hash_key: app.hash_key().clone(),
        };
        Ok(app.write(create).await?)
    })
    .await?;
    let object = json!({"id": token.id, "token": secret.expose(), "user_id": token.user});
    print(json, &object, &[format!("token {}", token.id), secret.expose().to_owned()])
}
