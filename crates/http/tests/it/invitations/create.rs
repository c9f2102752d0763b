//! Making invitations, and what they show.

use serde_json::{Value, json};
use tenantry_core::mail::MailContent;
use tenantry_core::team::TeamRole;

use super::{ADA, DAY_S, Inviting, accept, lookup, token_of};

#[tokio::test]
async fn a_person_is_invited_by_mail() {
    let inviting = Inviting::new().await;
    let body = json!({
        "email": "Ada@example.com", "role": "admin", "name": "Ada Lovelace", "expires_in": "PT2H",
        "metadata": {"team": "core"}
    });
    let made = inviting.owner().post(&inviting.path, body).await.expect(201);
    insta::assert_snapshot!(made.transcript(), @r#"
    201
    {
      "id": "<id 1>",
      "created_at": "<time>",
      "modified_at": null,
      "organization_id": "<id 2>",
      "email": "Ada@example.com",
      "name": "Ada Lovelace",
      "role": "admin",
      "status": "pending",
      "expires_at": "<time>",
      "accepted_at": null,
      "declined_at": null,
      "revoked_at": null,
      "invited_by": {
        "type": "user",
        "id": "<id 3>",
        "name": "owner@acme.example.com"
      },
      "accepted_by_id": null,
      "last_sent_at": "<time>",
      "sent_count": 1,
      "metadata": {
        "team": "core"
      }
    }
    "#);
    assert_eq!(inviting.get(&made.body).await.expect(200).body, made.body);
    let mails = inviting.world().mail().await;
    let [mail] = mails.as_slice() else { panic!("{mails:?}") };
    let MailContent::TeamInvitation { organization, role, inviter, until } = &mail.content else {
        panic!("{mail:?}")
    };
    assert_eq!((organization.as_str(), *role), ("acme", TeamRole::Administrator));
    assert_eq!(inviter.as_deref(), Some("owner@acme.example.com"));
    assert_eq!((mail.to.as_str(), mail.expires_at), ("ada@example.com", Some(*until)));
    let token = inviting.world().app.mail_secret(mail).unwrap();
    let found = lookup(inviting.world(), &token).await.expect(200);
    let expected = json!({
        "organization_name": "acme", "email": "A***@example.com", "role": "admin", "status": "pending",
        "expires_at": made["expires_at"], "invited_by_name": "owner@acme.example.com"
    });
    assert_eq!(found.body, expected);
    // Nobody is in the team, and no user exists, until the person accepts.
    assert_eq!(inviting.role_of("Ada@example.com").await, None);
    assert_eq!(inviting.actions().await, ["invitation.created"]);
    assert!(!inviting.world().database().holds(&token), "the secret is stored");
    inviting.assert_sound().await;
}

#[tokio::test]
async fn a_link_is_shown_once() {
    let inviting = Inviting::new().await;
    let body = json!({"email": ADA, "send_email": false});
    let client = inviting.owner().key("k1");
    let made = client.post(&inviting.path, body.clone()).await.expect(201);
    let token = token_of(&made["accept_url"]);
    assert_eq!((&made["last_sent_at"], &made["sent_count"]), (&Value::Null, &json!(0)));
    assert!(inviting.world().mail().await.is_empty());
    assert_eq!(inviting.get(&made.body).await.expect(200)["accept_url"], Value::Null);
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "pending");
    // The sealed response is replayed for five minutes.
    let again = client.post(&inviting.path, body.clone()).await.expect(201);
    assert_eq!((again.body, again.headers.get("idempotent-replayed").is_some()), (made.body.clone(), true));
    assert!(!inviting.world().database().holds(&token), "the secret is stored");
    inviting.world().advance_s(5 * 60);
    client.post(&inviting.path, body.clone()).await.assert_error(409, "IdempotencyResponseExpired");
    // Without the key the pending one is found, without its link.
    let found = inviting.owner().post(&inviting.path, body).await.expect(200);
    assert_eq!((&found["id"], &found["accept_url"]), (&made["id"], &Value::Null));
    inviting.assert_sound().await;
}

#[tokio::test]
async fn a_second_invitation_finds_the_pending_one_or_is_refused() {
    let inviting = Inviting::new().await;
    let (first, _) = inviting.invite(ADA, "member").await;
    let again = json!({"email": "ADA@example.com", "role": "member"});
    let found = inviting.owner().post(&inviting.path, again).await.expect(200);
    assert_eq!(found.body, first);
    assert!(inviting.world().mail().await.is_empty());
    let other = json!({"email": ADA, "role": "admin"});
    let refused = inviting.owner().post(&inviting.path, other).await;
    refused.assert_error(409, "InvitationPending");
    assert!(refused["detail"].as_str().unwrap().contains(first["id"].as_str().unwrap()), "{refused}");
    let member = json!({"email": inviting.acme.organization.owner});
    inviting.owner().post(&inviting.path, member).await.assert_error(409, "ResourceAlreadyExists");
    assert_eq!(inviting.actions().await, ["invitation.created"]);
}

#[tokio::test]
async fn bad_input_is_refused_by_its_field() {
    let inviting = Inviting::new().await;
    let owner = inviting.owner();
    for (body, expected) in [
        (json!({}), "missing body.email"),
        (json!({"email": "x"}), "value_error body.email"),
        (json!({"email": ADA, "role": "owner"}), "literal_error body.role"),
        (json!({"email": ADA, "expires_in": "P31D"}), "less_than_equal body.expires_in"),
        (json!({"email": ADA, "expires_in": "P0D"}), "greater_than body.expires_in"),
        (json!({"email": ADA, "metadata": []}), "dict_type body.metadata"),
    ] {
        owner.post(&inviting.path, body).await.assert_violations(&[expected]);
    }
    let list = |query: &str| format!("{}?{query}", inviting.path);
    owner.get(&list("status=open")).await.assert_violations(&["enum query.status"]);
    owner.get(&list("sorting=role")).await.assert_violations(&["enum query.sorting.0"]);
    owner
        .get(&format!("{}/nope", inviting.path))
        .await
        .assert_violations(&["uuid_parsing path.invitation_id"]);
    for body in [json!({}), json!({"token": ""}), json!({"id": "x"})] {
        owner.post("/v1/invitations/accept", body).await.expect(422);
    }
    assert!(inviting.actions().await.is_empty());
}

#[tokio::test]
async fn the_list_filters_searches_orders_and_pages() {
    let inviting = Inviting::new().await;
    let (ada, token) = inviting.link(ADA).await;
    let (bob, _) = inviting.link("bob@example.com").await;
    let (cy, cy_token) = inviting.link("cy@else.example").await;
    let client = inviting.acme.client();
    accept(&inviting.world().proved_user(ADA, "*").await, &token).await.expect(200);
    inviting.owner().delete(&inviting.at(&bob)).await.expect(204);
    let ids = async |query: &str| -> Vec<String> {
        let page = client.get(&format!("{}?{query}", inviting.path)).await.expect(200);
        page.each("id").into_iter().map(str::to_owned).collect()
    };
    let [ada, bob, cy] = [ada, bob, cy].map(|one| one["id"].as_str().unwrap().to_owned());
    let (ada, bob, cy) = (ada.as_str(), bob.as_str(), cy.as_str());
    assert_eq!(ids("").await, [cy, bob, ada]);
    assert_eq!(ids("sorting=email").await, [ada, bob, cy]);
    assert_eq!(ids("sorting=-expires_at&limit=2&page=2").await, [ada]);
    assert_eq!(ids("query=EXAMPLE.com").await, [bob, ada]);
    assert_eq!(ids("status=pending").await, [cy]);
    assert_eq!(ids("status=accepted").await, [ada]);
    assert_eq!(ids("status=revoked&query=bob").await, [bob]);
    assert!(ids("status=declined").await.is_empty() && ids("query=%25").await.is_empty());
    inviting.world().advance_s(7 * DAY_S);
    assert!(ids("status=pending").await.is_empty());
    assert_eq!(ids("status=expired").await, [cy]);
    let page = client.get(&format!("{}?limit=1", inviting.path)).await.expect(200);
    assert_eq!(page["pagination"], json!({"total_count": 3, "max_page": 3}));
    assert_eq!(lookup(inviting.world(), &cy_token).await.expect(200)["status"], "expired");
}

#[tokio::test]
async fn the_role_decides_who_invites_and_who_reads() {
    let inviting = Inviting::new().await;
    let (made, _) = inviting.invite(ADA, "member").await;
    let add = format!("{}/members", inviting.acme.path_v1());
    for (email, role, reads, writes) in [
        ("admin@example.com", "admin", 200, 201),
        ("member@example.com", "member", 200, 403),
        ("finance@example.com", "finance", 403, 403),
    ] {
        let body = json!({"email": email, "role": role});
        inviting.owner().post(&add, body).await.expect(201);
        let person = inviting.world().user(email, "*").await;
        person.get(&inviting.path).await.expect(reads);
        person.get(&inviting.at(&made)).await.expect(reads);
        let new = json!({"email": format!("new-{email}")});
        person.post(&inviting.path, new).await.expect(writes);
        if writes == 403 {
            person.delete(&inviting.at(&made)).await.expect(403);
            person.post(&format!("{}/resend", inviting.at(&made)), json!({})).await.expect(403);
            person.post(&format!("{}/bulk", inviting.path), json!({"items": []})).await.expect(403);
        }
    }
    // A token that lacks a scope makes no administrator.
    let narrow = inviting.world().token(&inviting.acme.organization, "organizations:write").await;
    let admin = json!({"email": "boss@example.com", "role": "admin"});
    narrow.post(&inviting.path, admin).await.assert_error(403, "NotPermitted");
    let made = narrow.post(&inviting.path, json!({"email": "boss@example.com"})).await.expect(201);
    let expected = json!({"type": "organization", "id": inviting.acme.organization.id, "name": "acme"});
    assert_eq!(made["invited_by"], expected);
    let stranger = inviting.world().user("eve@example.com", "*").await;
    stranger.get(&inviting.path).await.expect(404);
    stranger.post(&inviting.path, json!({"email": ADA})).await.expect(404);
}
