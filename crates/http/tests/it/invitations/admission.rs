//! Direct additions and invitations side by side.

use serde_json::{Value, json};

use super::{ADA, Inviting, accept, lookup};

#[tokio::test]
async fn a_direct_addition_settles_the_pending_invitation() {
    let inviting = Inviting::new().await;
    let (made, token) = inviting.invite(ADA, "member").await;
    let members = format!("{}/members", inviting.acme.path_v2());
    let body = json!({"email": "ADA@example.com", "role": "Administrator"});
    let added = inviting.acme.client().post(&members, body).await.expect(201);
    let shown = inviting.get(&made).await.expect(200);
    assert_eq!((&shown["status"], &shown["accepted_by_id"]), (&json!("accepted"), &added["user_id"]));
    // The person keeps the role of the addition.
    let ada = inviting.world().proved_user(ADA, "*").await;
    assert_eq!(accept(&ada, &token).await.expect(200)["status"], "accepted");
    assert_eq!(inviting.role_of("ADA@example.com").await.as_deref(), Some("admin"));
    let expected = ["invitation.created", "team_member.created", "invitation.accepted"];
    assert_eq!(inviting.actions().await, expected);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn with_the_setting_people_join_by_invitation_alone() {
    let inviting = Inviting::new().await;
    let (v1, v2) = (inviting.acme.path_v1(), inviting.acme.path_v2());
    let owner = inviting.owner();
    let before = owner.get(&v1).await.expect(200);
    assert_eq!(before["team_admission"], Value::Null);
    owner
        .patch(&v1, json!({"team_admission": "open"}))
        .await
        .assert_violations(&["enum body.team_admission"]);
    let set = owner.patch(&v1, json!({"team_admission": "invitation"})).await.expect(200);
    assert_eq!(set["team_admission"], "invitation");
    let new = json!({"email": ADA});
    for path in ["members", "members/invite"] {
        let refused = owner.post(&format!("{v1}/{path}"), new.clone()).await;
        refused.assert_error(403, "NotPermitted");
        assert!(refused["detail"].as_str().unwrap().contains("by invitation"), "{refused}");
    }
    let body = json!({"email": ADA, "role": "Developer"});
    let refused = inviting.acme.client().post(&format!("{v2}/members"), body).await.expect(403);
    assert!(refused.message().contains("by invitation"), "{refused}");
    let (_, token) = inviting.invite(ADA, "member").await;
    accept(&inviting.world().proved_user(ADA, "*").await, &token).await.expect(200);
    let unset = owner.patch(&v1, json!({"team_admission": "direct"})).await.expect(200);
    assert_eq!(unset["team_admission"], Value::Null);
    owner.post(&format!("{v1}/members"), json!({"email": "bob@example.com"})).await.expect(201);
    inviting.assert_sound().await;
}

#[tokio::test]
async fn an_invitation_outlives_its_inviters_leaving() {
    let inviting = Inviting::new().await;
    let members = format!("{}/members", inviting.acme.path_v1());
    let boss = json!({"email": "boss@example.com", "role": "admin"});
    let boss_id = inviting.owner().post(&members, boss).await.expect(201)["user_id"].clone();
    let boss = inviting.world().user("boss@example.com", "*").await;
    let made = boss.post(&inviting.path, json!({"email": ADA})).await.expect(201).body;
    let token = inviting.mailed_token().await;
    inviting.owner().delete(&format!("{members}/{}", boss_id.as_str().unwrap())).await.expect(204);
    let expected = json!({"type": "user", "id": boss_id, "name": null});
    assert_eq!(inviting.get(&made).await.expect(200)["invited_by"], expected);
    assert_eq!(lookup(inviting.world(), &token).await.expect(200)["invited_by_name"], Value::Null);
    accept(&inviting.world().proved_user(ADA, "*").await, &token).await.expect(200);
    assert_eq!(inviting.role_of(ADA).await.as_deref(), Some("member"));
    inviting.assert_sound().await;
}
