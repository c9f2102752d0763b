//! Sending again and revoking.

use serde_json::{Value, json};

use super::{ADA, DAY_S, Inviting, accept, decline, lookup, token_of};

#[tokio::test]
async fn sending_again_gives_the_same_invitation_another_secret() {
    let inviting = Inviting::new().await;
    let (made, old) = inviting.invite(ADA, "member").await;
    let resend = format!("{}/resend", inviting.at(&made));
    let early = inviting.owner().post(&resend, json!({})).await;
    early.assert_error(429, "TooManyRequests");
    assert!(early.header("retry-after").unwrap().parse::<u64>().unwrap() <= 60, "{early}");
    assert_eq!(lookup(inviting.world(), &old).await.expect(200)["status"], "pending");
    inviting.world().advance_s(60);
    let client = inviting.owner().key("k");
    let sent = client.post(&resend, json!({})).await.expect(200);
    assert_eq!((&sent["id"], &sent["sent_count"]), (&made["id"], &json!(2)));
    assert_ne!(sent["expires_at"], made["expires_at"]);
    let new = inviting.mailed_token().await;
    lookup(inviting.world(), &old).await.expect(404);
    assert_eq!(lookup(inviting.world(), &new).await.expect(200)["status"], "pending");
    // A repetition with the key sends nothing again.
    assert_eq!(client.post(&resend, json!({})).await.expect(200).body, sent.body);
    assert!(inviting.world().mail().await.is_empty());
    let listed = inviting.owner().get(&inviting.path).await.expect(200);
    assert_eq!(listed["pagination"]["total_count"], 1);
    let ada = inviting.world().proved_user(ADA, "*").await;
    accept(&ada, &old).await.expect(404);
    accept(&ada, &new).await.expect(200);
    inviting.owner().post(&resend, json!({})).await.assert_error(409, "InvitationSettled");
    let expected = ["invitation.created", "invitation.resent", "team_member.created", "invitation.accepted"];
    assert_eq!(inviting.actions().await, expected);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn it_is_sent_again_five_times() {
    let inviting = Inviting::new().await;
    let (made, mut token) = inviting.link(ADA).await;
    let resend = format!("{}/resend", inviting.at(&made));
    for _ in 0..5 {
        inviting.world().advance_s(60);
        let sent = inviting.owner().post(&resend, json!({"send_email": false})).await.expect(200);
        let next = token_of(&sent["accept_url"]);
        lookup(inviting.world(), &token).await.expect(404);
        token = next;
    }
    inviting.world().advance_s(60);
    let refused = inviting.owner().post(&resend, json!({"send_email": false})).await;
    refused.assert_error(409, "InvitationSentTooOften");
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "pending");
    inviting.assert_sound().await;
}

#[tokio::test]
async fn an_expired_one_is_sent_again_or_replaced() {
    let inviting = Inviting::new().await;
    let (made, token) = inviting.link(ADA).await;
    let ada = inviting.world().proved_user(ADA, "*").await;
    inviting.world().advance_s(7 * DAY_S);
    assert_eq!(inviting.get(&made).await.expect(200)["status"], "expired");
    accept(&ada, &token).await.assert_error(409, "InvitationExpired");
    decline(inviting.world(), &token).await.assert_error(409, "InvitationExpired");
    let resend = format!("{}/resend", inviting.at(&made));
    let sent = inviting.owner().post(&resend, json!({"send_email": false})).await.expect(200);
    assert_eq!((&sent["id"], &sent["status"]), (&made["id"], &json!("pending")));
    inviting.world().advance_s(7 * DAY_S);
    // Another role would be refused while it is pending. An expired one makes room.
    let other = json!({"email": ADA, "role": "admin", "send_email": false});
    let replaced = inviting.owner().post(&inviting.path, other).await.expect(201);
    assert_ne!(replaced["id"], made["id"]);
    assert_eq!(inviting.get(&made).await.expect(200)["status"], "revoked");
    accept(&ada, &token_of(&replaced["accept_url"])).await.expect(200);
    assert_eq!(inviting.role_of(ADA).await.as_deref(), Some("admin"));
    inviting.assert_sound().await;
}

#[tokio::test]
async fn revoking_ends_it_once() {
    let inviting = Inviting::new().await;
    let (made, token) = inviting.invite(ADA, "member").await;
    let path = inviting.at(&made);
    let etag = inviting.owner().get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let outdated = inviting.owner().with("if-match", "\"other\"").delete(&path).await;
    outdated.expect(412);
    inviting.owner().with("if-match", etag).delete(&path).await.expect(204);
    inviting.owner().delete(&path).await.expect(204);
    let shown = inviting.get(&made).await.expect(200);
    assert_eq!(shown["status"], "revoked");
    assert_ne!(shown["revoked_at"], Value::Null);
    let ada = inviting.world().proved_user(ADA, "*").await;
    accept(&ada, &token).await.assert_error(409, "InvitationSettled");
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["status"], "revoked");
    assert_eq!(inviting.role_of(ADA).await, None);
    assert_eq!(inviting.actions().await, ["invitation.created", "invitation.revoked"]);
    // Another tenant's invitation looks like none.
    let other = inviting.world().organization("other").await;
    let client = inviting.world().token(&other, "*").await;
    let elsewhere = format!("/v1/organizations/{}/invitations/{}", other.id, made["id"].as_str().unwrap());
    client.get(&elsewhere).await.expect(404);
    client.delete(&elsewhere).await.expect(404);
    client.delete(&path).await.expect(404);
    inviting.assert_sound().await;
}
