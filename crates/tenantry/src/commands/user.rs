//! The commands that manage users.

use serde_json::{Value, json};
use tenantry_app::console::UserRecover;
use tenantry_app::operator::OperatorSet;
use tenantry_app::people::UserDetails;
use tenantry_app::{App, Requester};
use tenantry_core::ids::UserId;
use tenantry_core::user::User as Person;
use tenantry_core::values::{EmailAddress, parse_uuid};

use super::{every_node_knows, print, valid, with_app, with_fields};
use crate::cli::{DatabaseOptions, User};
use crate::error::CommandError;
use crate::installation;

/// Runs a command to its end.
pub(super) async fn run(command: User) -> Result<(), CommandError> {
    match command {
        User::List { json, database } => list(json, &database).await,
        User::Show { user, json, database } => show(&user, json, &database).await,
        User::SetEmail { user, email, json, database } => {
            let email = valid("EMAIL", EmailAddress::parse(&email))?;
            let changed = with_app(&database, async |app| {
                let user = find(app, &user).await?;
                Ok(app.set_user_email(&Requester::operator(), user, email).await?)
            })
            .await?;
            let line = format!("user {} has the address {}", changed.id, changed.email);
            print(json, &object(&changed), &[line])
        }
        User::Operator { user, is_operator, json, database } => {
            let id = with_app(&database, async |app| {
                let user = find(app, &user).await?;
                app.write(OperatorSet { by: Requester::operator(), user, is_operator }).await?;
                every_node_knows().await;
                Ok(user)
            })
            .await?;
            let line = match is_operator {
                true => format!("user {id} has the rights of the operator in the console"),
                false => format!("user {id} has no rights of the operator"),
            };
            print(json, &json!({"id": id, "is_operator": is_operator}), &[line])
        }
        User::Recover { user, public_url, json, database } => {
            let secret = with_app(&database, async |app| {
                let user = find(app, &user).await?;
                Ok(app.write(UserRecover { user, hash_key: app.hash_key().clone() }).await?)
            })
            .await?;
            let url = format!("{public_url}{}/recover#{}", tenantry_web::ROOT, secret.expose());
            print(json, &json!({"url": url}), std::slice::from_ref(&url))
        }
        User::Delete { user, json, database } => {
            let id = with_app(&database, async |app| {
                let id = find(app, &user).await?;
                app.delete_user(&Requester::operator(), id).await?;
                every_node_knows().await;
                Ok(id)
            })
            .await?;
            print(json, &json!({"id": id}), &[format!("user {id} is deleted")])
        }
    }
}

/// The user with this address or id.
async fn find(app: &App, name: &str) -> Result<UserId, CommandError> {
    if let Ok(id) = parse_uuid(name) {
        return Ok(UserId::new(id));
    }
    let email = EmailAddress::parse(name).map_err(|_| {
        CommandError::Argument("USER", format!("{name:?} is neither an e-mail address nor an id"))
    })?;
    let found = app.store().reader()?.tx()?.user_by_email(&email).await?;
    let missing =
        || CommandError::Message(format!("there is no user {email}: `tenantry user list` shows all"));
    Ok(found.ok_or_else(missing)?.id)
}

fn object(user: &Person) -> Value {
    json!({"id": user.id, "email": user.email, "created_at": user.created_at})
}

async fn list(json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let app = installation::open_to_read(database).await?;
    let (mut items, mut lines) = (Vec::new(), Vec::new());
    let listed = app.each_user(|user, teams, is_operator| {
        items.push(with_fields(object(user), json!({"teams": teams, "is_operator": is_operator})));
        let unit = if teams == 1 { "team" } else { "teams" };
        let mark = if is_operator { "  operator" } else { "" };
        lines.push(format!("{}  {}  created {}  {teams} {unit}{mark}", user.id, user.email, user.created_at));
    });
    let outcome = listed.await;
    app.store().close().await;
    outcome?;
    print(json, &json!({"items": items}), &lines)
}

async fn show(user: &str, json: bool, database: &DatabaseOptions) -> Result<(), CommandError> {
    let app = installation::open_to_read(database).await?;
    let outcome: Result<UserDetails, CommandError> =
        async { Ok(app.user_details(find(&app, user).await?).await?) }.await;
    app.store().close().await;
    let UserDetails { user, memberships, tokens, operator_since } = outcome?;
    let mut lines = vec![format!("user {}  {}  created {}", user.id, user.email, user.created_at)];
    lines.extend(operator_since.map(|since| format!("operator  since {since}")));
    let (mut teams, mut keys) = (Vec::new(), Vec::new());
    for (slug, member) in &memberships {
        let (role, since) = (member.role.as_str(), member.created_at);
        lines.push(format!("team {slug}  {role}  since {since}  as {}", member.email));
        teams.push(json!({
            "organization_id": member.organization, "organization": slug, "role": role,
            "created_at": since, "email": member.email, "name": member.name,
        }));
    }
    for token in &tokens {
        lines.push(format!("token {}  created {}", token.id, token.created_at));
        keys.push(json!({
            "id": token.id, "created_at": token.created_at, "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
        }));
    }
    let fields = json!({"operator_since": operator_since, "teams": teams, "tokens": keys});
    print(json, &with_fields(object(&user), fields), &lines)
}
