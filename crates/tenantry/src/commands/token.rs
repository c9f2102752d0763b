//! The commands that manage tokens.

use serde_json::json;
use tenantry_app::Requester;
use tenantry_app::tokens::{IssuedToken, TokenCreate, TokenRevoke, UserTokenCreate};
use tenantry_core::token::Scopes;
use tenantry_core::values::{EmailAddress, parse_uuid};

use super::{every_node_knows, find, print, valid, with_app};
use crate::cli::{List, Token, UserToken};
use crate::error::CommandError;

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
        Token::Revoke { id, json, database } => {
            let not_an_id = |_| {
                let why =
                    format!("{id:?} is not an id: use the UUID that `token create` printed, not the token");
                CommandError::Argument("ID", why)
            };
            let id = parse_uuid(&id).map_err(not_an_id)?;
            with_app(&database, async |app| {
                app.write(TokenRevoke { by: Requester::operator(), id }).await?;
                every_node_knows().await;
                Ok(())
            })
            .await?;
            print(json, &json!({"id": id}), &[format!("token {id} is revoked")])
        }
    }
}

/// Runs a command on the tokens of users to its end.
pub(super) async fn run_user(command: UserToken) -> Result<(), CommandError> {
    let UserToken::Create { email, expires_in, json, database } = command;
    let email = valid("--email", EmailAddress::parse(&email))?;
    let IssuedToken { token, secret } = with_app(&database, async |app| {
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
