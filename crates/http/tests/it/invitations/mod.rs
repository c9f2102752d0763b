//! `/v1/organizations/{id}/invitations`, `/v1/invitations` and `/v1/users/me/invitations`.

mod accept;
mod admission;
mod bulk;
mod create;
mod ends;
mod limits;
mod manage;

use serde_json::{Value, json};
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_testkit::{Acme, Client, Response, World};

const ADA: &str = "ada@example.com";
const DAY_S: i64 = 24 * 60 * 60;

/// An organization, its owner with a proved address, and the path of its invitations.
struct Inviting {
    acme: Acme,
    owner: String,
    path: String,
}

impl Inviting {
    async fn new() -> Self {
        let acme = Acme::new().await;
        let owner = acme.world.proved_user(&acme.organization.owner, "*").await.secret();
        let path = format!("{}/invitations", acme.path_v1());
        Self { acme, owner, path }
    }

    const fn world(&self) -> &World {
        &self.acme.world
    }

    fn owner(&self) -> Client<'_> {
        self.world().bearer(&self.owner)
    }

    /// Invites a person by mail. Returns the invitation and its token.
    async fn invite(&self, email: &str, role: &str) -> (Value, String) {
        let body = json!({"email": email, "role": role});
        let made = self.owner().post(&self.path, body).await.expect(201);
        assert_eq!(made["accept_url"], Value::Null);
        (made.body, self.mailed_token().await)
    }

    /// Invites a person with a link. Returns the invitation and its token.
    async fn link(&self, email: &str) -> (Value, String) {
        let body = json!({"email": email, "send_email": false});
        let made = self.owner().post(&self.path, body).await.expect(201);
        let token = token_of(&made["accept_url"]);
        (made.body, token)
    }

    /// The token in the only mail that is due.
    async fn mailed_token(&self) -> String {
        let mails = self.world().mail().await;
        let is_invitation = |mail: &&QueuedMail| matches!(mail.content, MailContent::TeamInvitation { .. });
        let found: Vec<_> = mails.iter().filter(is_invitation).collect();
        assert_eq!(found.len(), 1, "{mails:?}");
        self.world().app.mail_secret(found[0]).unwrap()
    }

    /// The role of a person in the team, if the person is in it.
    async fn role_of(&self, email: &str) -> Option<String> {
        let team = self.acme.client().get(&format!("{}/members", self.acme.path_v1())).await.expect(200);
        let items = team["items"].as_array().unwrap();
        let found: Vec<_> = items.iter().filter(|one| one["email"] == email).collect();
        assert!(found.len() <= 1, "{team}");
        found.first().map(|one| one["role"].as_str().unwrap().to_owned())
    }

    async fn get(&self, invitation: &Value) -> Response {
        self.owner().get(&self.at(invitation)).await
    }

    fn at(&self, invitation: &Value) -> String {
        format!("{}/{}", self.path, invitation["id"].as_str().unwrap())
    }

    /// The actions of the organization's audit log that are about invitations and memberships, oldest first.
    async fn actions(&self) -> Vec<&'static str> {
        const KNOWN: [&str; 6] = [
            "invitation.created",
            "invitation.resent",
            "invitation.accepted",
            "invitation.declined",
            "invitation.revoked",
            "team_member.created",
        ];
        let log = self.world().audit(&self.acme.organization).await;
        let known = |action: &str| KNOWN.into_iter().find(|known| *known == action);
        // The first membership is that of the owner.
        log.iter().filter_map(|entry| known(&entry.action)).skip(1).collect()
    }

    async fn assert_sound(&self) {
        assert_eq!(self.world().findings().await, [""; 0]);
    }
}

/// The token in a link.
fn token_of(link: &Value) -> String {
    let link = link.as_str().unwrap();
    let token = link.strip_prefix("https://tenantry.example/console/invitation#");
    token.unwrap_or_else(|| panic!("{link}")).to_owned()
}

async fn lookup(world: &World, token: &str) -> Response {
    world.anonymous().post("/v1/invitations/lookup", json!({"token": token})).await
}

async fn accept(client: &Client<'_>, token: &str) -> Response {
    client.post("/v1/invitations/accept", json!({"token": token})).await
}

async fn decline(world: &World, token: &str) -> Response {
    world.anonymous().post("/v1/invitations/decline", json!({"token": token})).await
}
