//! The portal: its pages for customers and members.

mod console;
mod forms;
pub(crate) mod matrix;
mod safety;
mod sign_in;

use serde_json::{Value, json};
use tenantry_core::mail::MailContent;
use tenantry_testkit::{Client, Organization, World};

use crate::browser::Browser;

/// The people of an organization's customers.
pub(crate) struct People {
    pub(crate) acme: Organization,
    /// A team.
    pub(crate) team: String,
    /// Its members by role.
    pub(crate) members: Vec<(&'static str, String)>,
    /// A customer of one person.
    pub(crate) single: String,
}

impl People {
    /// An organization with a team and a customer of one person. Customers may change their address.
    pub(crate) async fn of(world: &World) -> Self {
        let acme = world.organization("acme").await;
        let token = world.token(&acme, "*").await;
        set(&token, &acme, json!({"customer_portal_settings": portal(true)})).await;
        let new = json!({"type": "team", "email": "owner@x.example", "name": "Birchwood"});
        let team = token.post("/v1/customers", new).await.expect(201).id();
        let members = format!("/v1/customers/{team}/members");
        let found = token.get(&format!("/v1/members?customer_id={team}")).await.expect(200);
        let owner = found["items"][0]["id"].as_str().unwrap().to_owned();
        let mut people = vec![("owner", owner)];
        for role in ["billing_manager", "member"] {
            let new =
                json!({"email": format!("{role}@x.example"), "name": format!("The {role}"), "role": role});
            people.push((role, token.post(&members, new).await.expect(201).id()));
        }
        let new = json!({"type": "individual", "email": "ada@x.example", "name": "Ada"});
        let single = token.post("/v1/customers", new).await.expect(201).id();
        Self { acme, team, members: people, single }
    }

    pub(crate) fn member(&self, role: &str) -> &str {
        &self.members.iter().find(|(name, _)| *name == role).unwrap().1
    }

    /// The secret of a new session of a member of the team, or of the customer of one person (`single`).
    pub(crate) async fn session(&self, world: &World, who: &str) -> String {
        let token = world.token(&self.acme, "*").await;
        let new = match who {
            "single" => json!({"customer_id": self.single}),
            role => json!({"customer_id": self.team, "member_id": self.member(role)}),
        };
        let made = token.post("/v1/customer-sessions", new).await.expect(201);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A browser with a session.
    pub(crate) async fn browser<'a>(&self, world: &'a World, who: &str) -> Browser<'a> {
        let mut browser = Browser::new(world);
        let secret = self.session(world, who).await;
        browser.post("/acme/portal/session", &[("customer_session_token", &secret)]).await.expect(303);
        browser
    }
}

/// The settings of the portal that the contract has.
pub(crate) fn portal(allows_email_change: bool) -> Value {
    json!({
        "usage": {"show": true},
        "subscription": {"update_seats": true, "update_plan": true},
        "customer": {"allow_email_change": allows_email_change},
    })
}

/// Changes an organization.
pub(crate) async fn set(token: &Client<'_>, organization: &Organization, change: Value) {
    token.patch(&format!("/v1/organizations/{}", organization.id), change).await.expect(200);
}

/// The codes of the mails for signing in to a portal that are due, and their recipients.
pub(crate) async fn codes(world: &World) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for mail in world.mail().await {
        if matches!(mail.content, MailContent::PortalSignInCode { is_blank: false, .. }) {
            found.push((mail.to.to_string(), world.app.mail_secret(&mail).unwrap()));
        }
    }
    found
}
