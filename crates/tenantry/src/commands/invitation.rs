//! The commands that manage invitations to teams.

use serde_json::{Value, json};
use tenantry_app::Requester;
use tenantry_app::invitations::{InvitationCreate, InvitationDetails, InvitationRevoke};
use tenantry_core::Timestamp;
use tenantry_core::ids::InvitationId;
use tenantry_core::invitation::{InvitationStatus, NewInvitation, accept_url};
use tenantry_core::values::{Lifetime, Metadata, PersonName, parse_uuid};
use tenantry_store::{InvitationFilter, Page};

use super::{find, print, valid, with_app, with_fields};
use crate::cli::{DatabaseOptions, Invitation};
use crate::error::CommandError;
use crate::installation;

/// Invitations that are read at once.
const PAGE_ROWS: u64 = 100;

/// Runs a command to its end.
pub(super) async fn run(command: Invitation) -> Result<(), CommandError> {
    match command {
        Invitation::Create {
            organization,
            email,
            role,
            name,
            expires_in,
            link,
            public_url,
            json,
            database,
        } => {
            let name = name.map(|name| valid("--name", PersonName::parse(&name))).transpose()?.flatten();
            let expires_in = expires_in.map(Lifetime::from_seconds).transpose();
            let expires_in = valid("--expires-in", expires_in)?;
            let new = NewInvitation { email, name, role, expires_in, metadata: Metadata::default() };
            create(&organization, new, link.then_some(public_url), json, &database).await
        }
        Invitation::List { organization, status, json, database } => {
            list(&organization, status, json, &database).await
        }
        Invitation::Revoke { id, organization, json, database } => {
            let invitation = InvitationId::new(invitation_id(&id)?);
            let revoked = with_app(&database, async |app| {
                let by = Requester::operator();
                let organization = find(app, &organization).await?;
                Ok(app.write(InvitationRevoke { by, organization, invitation }).await?)
            })
            .await?;
            let status = revoked.invitation.state.as_str();
            print(
                json,
                &json!({"id": invitation, "status": status}),
                &[format!("invitation {id} is {status}")],
            )
        }
    }
}

fn invitation_id(id: &str) -> Result<uuid::Uuid, CommandError> {
    parse_uuid(id).map_err(|_| {
        let why = format!("{id:?} is not an id: use the UUID that `invitation list` prints");
        CommandError::Argument("ID", why)
    })
}

/// Invites a person. With a public URL, the link is printed and no mail is sent.
async fn create(
    organization: &str,
    new: NewInvitation,
    link: Option<String>,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let (issued, now) = with_app(database, async |app| {
        let create = InvitationCreate {
            by: Requester::operator(),
            organization: find(app, organization).await?,
            new,
            send_email: link.is_none(),
            hash_key: app.hash_key().clone(),
        };
        Ok((app.write(create).await?, app.now()))
    })
    .await?;
    let mut lines = vec![line(&issued.details, now)];
    let mut shown = object(&issued.details, now);
    if let Some((public_url, secret)) = link.zip(issued.secret.as_ref()) {
        let url = accept_url(&public_url, secret.expose());
        shown = with_fields(shown, json!({"accept_url": url}));
        lines.push(url);
    } else if !issued.is_new {
        lines.push("it was pending already: revoke it to make another link".to_owned());
    }
    print(json, &shown, &lines)
}

async fn list(
    organization: &str,
    status: Option<InvitationStatus>,
    json: bool,
    database: &DatabaseOptions,
) -> Result<(), CommandError> {
    let app = installation::open_to_read(database).await?;
    let (mut items, mut lines) = (Vec::new(), Vec::new());
    let outcome: Result<(), CommandError> = async {
        let (by, organization) = (Requester::operator(), find(&app, organization).await?);
        let filter = InvitationFilter { status, query: None };
        let mut page = Page { offset: 0, limit: PAGE_ROWS };
        loop {
            let found = app.invitations(&by, organization, &filter, &[], page).await?;
            if found.items.is_empty() {
                return Ok(());
            }
            items.extend(found.items.iter().map(|one| object(one, app.now())));
            lines.extend(found.items.iter().map(|one| line(one, app.now())));
            page.offset += PAGE_ROWS;
        }
    }
    .await;
    app.store().close().await;
    outcome?;
    print(json, &json!({"items": items}), &lines)
}

fn object(details: &InvitationDetails, now: Timestamp) -> Value {
    let one = &details.invitation;
    json!({
        "id": one.id, "organization_id": one.organization, "email": one.email, "role": one.role.as_str(),
        "status": one.status(now).as_str(), "created_at": one.created_at, "expires_at": one.expires_at,
        "sent_count": one.sent_count, "invited_by_user_id": one.invited_by, "accepted_by_user_id": one.accepted_by,
    })
}

fn line(details: &InvitationDetails, now: Timestamp) -> String {
    let one = &details.invitation;
    let (role, status) = (one.role.as_str(), one.status(now));
    format!("{}  {}  {role}  {status}  expires {}", one.id, one.email, one.expires_at)
}
