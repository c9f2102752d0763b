//! Mails about tokens that expire soon.

use tenantry_app::Requester;
use tenantry_app::limits::NOTICE_RECIPIENTS;
use tenantry_app::team::TeamMemberAdd;
use tenantry_app::tokens::{TokenCreate, UserTokenCreate};
use tenantry_core::mail::{ExpiringToken, MailContent};
use tenantry_core::team::{NewTeamMember, TeamRole};
use tenantry_core::token::Scopes;
use tenantry_core::values::EmailAddress;
use tenantry_testkit::{Acme, Clock, Settings, World};

const DAY_S: i64 = 24 * 60 * 60;

/// An organization on a day whose notices were sent, at eight o'clock.
async fn acme() -> Acme {
    let acme = Acme::within(World::with(Settings { clock: Clock::stopped(), ..Settings::default() })).await;
    acme.world.advance_s(8 * 60 * 60);
    acme
}

async fn token(acme: &Acme, label: &str, expires_in_s: Option<i64>) -> String {
    let create = TokenCreate {
        by: Requester::operator(),
        organization: acme.organization.id,
        label: label.to_owned(),
        scopes: Scopes::everything(),
        expires_in_s,
        hash_key: acme.world.app.hash_key().clone(),
    };
    acme.world.app.write(create).await.unwrap().token.id.to_string()
}

/// Switches notices of these topics off for the people of a condition, as the console does.
fn mute(acme: &Acme, topics: &str, people: &str) {
    let sql = format!("UPDATE users SET muted_notices = '{topics}' WHERE {people}");
    acme.world.database().execute(&sql);
}

/// The mails about expiring tokens that were queued: recipient, labels, number of further tokens.
async fn notices(acme: &Acme) -> Vec<(String, Vec<String>, u32)> {
    let labels = |tokens: &[ExpiringToken]| tokens.iter().map(|token| token.label.clone()).collect();
    let mails = acme.world.mail().await.into_iter();
    let mut found: Vec<_> = mails
        .filter_map(|mail| match &mail.content {
            MailContent::TokensExpiring { organization, tokens, more } => {
                assert_eq!(organization, "acme");
                Some((mail.to.to_string(), labels(tokens), *more))
            }
            MailContent::OwnTokensExpiring { tokens, more } => {
                Some((mail.to.to_string(), labels(tokens), *more))
            }
            _ => None,
        })
        .collect();
    found.sort();
    found
}

/// The days from now on which there are notices, with their labels.
async fn days(acme: &Acme, number: i64) -> Vec<(i64, Vec<String>)> {
    let mut found = Vec::new();
    for day in 0..number {
        acme.world.app.sweep().await.unwrap();
        for (_, labels, more) in notices(acme).await {
            assert_eq!(more, 0);
            found.push((day, labels));
        }
        acme.world.advance_s(DAY_S);
    }
    found
}

fn named(day: i64, labels: &[&str]) -> (i64, Vec<String>) {
    (day, labels.iter().map(|label| (*label).to_owned()).collect())
}

#[tokio::test]
async fn a_token_that_expires_is_announced_14_7_and_1_days_before_in_one_mail_a_day() {
    let acme = acme().await;
    token(&acme, "Later", Some(20 * DAY_S + 7_200)).await;
    token(&acme, "Soon", Some(20 * DAY_S + 60)).await;
    token(&acme, "Short", Some(2 * DAY_S)).await;
    token(&acme, "Hours", Some(7_200)).await;
    token(&acme, "Never", None).await;
    let both = ["Soon", "Later"];
    let expected = [named(1, &["Short"]), named(6, &both), named(13, &both), named(19, &both)];
    assert_eq!(days(&acme, 25).await, expected);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_owner_and_administrators_are_told_and_nobody_else() {
    let acme = acme().await;
    for (address, role) in [("admin@x.dev", TeamRole::Administrator), ("dev@x.dev", TeamRole::Developer)] {
        let new = NewTeamMember { email: EmailAddress::parse(address).unwrap(), name: None, role };
        let (by, organization) = (Requester::operator(), acme.organization.id);
        acme.world.app.write(TeamMemberAdd { by, organization, new }).await.unwrap();
    }
    token(&acme, "CI", Some(2 * DAY_S)).await;
    acme.world.advance_s(DAY_S);
    acme.world.app.sweep().await.unwrap();
    let to: Vec<String> = notices(&acme).await.into_iter().map(|(to, _, _)| to).collect();
    let mut expected = vec!["admin@x.dev".to_owned(), acme.organization.owner.clone()];
    expected.sort();
    assert_eq!(to, expected);
}

#[tokio::test]
async fn administrators_who_switched_the_notice_off_leave_their_places_to_others() {
    let acme = acme().await;
    let address = |number: usize| format!("admin-{number:03}@x.dev");
    for number in 0..NOTICE_RECIPIENTS + 2 {
        let (email, role) = (EmailAddress::parse(&address(number)).unwrap(), TeamRole::Administrator);
        let (by, organization) = (Requester::operator(), acme.organization.id);
        let new = NewTeamMember { email, name: None, role };
        acme.world.app.write(TeamMemberAdd { by, organization, new }).await.unwrap();
        // A team is in the order of its times.
        acme.world.advance_s(1);
    }
    acme.world.mail().await;
    mute(&acme, "token_expiry", "email_key NOT LIKE 'admin-%'");
    mute(&acme, "webhooks token_expiry", "email_key = 'admin-003@x.dev'");
    mute(&acme, "webhooks", "email_key = 'admin-004@x.dev'");
    token(&acme, "CI", Some(2 * DAY_S)).await;
    acme.world.advance_s(DAY_S);
    acme.world.app.sweep().await.unwrap();
    let to: Vec<String> = notices(&acme).await.into_iter().map(|(to, _, _)| to).collect();
    // The owner and one administrator have switched it off; of the others, the first ones get it.
    let expected: Vec<String> = (0..=NOTICE_RECIPIENTS).filter(|number| *number != 3).map(address).collect();
    assert_eq!(to, expected);
    assert_eq!(acme.world.findings().await, Vec::<String>::new());
}

#[tokio::test]
async fn a_restart_and_a_second_node_repeat_no_notice() {
    let mut acme = acme().await;
    token(&acme, "CI", Some(20 * DAY_S)).await;
    let mut sent = 0;
    for _ in 0..21 {
        let other = acme.world.other_node();
        let (one, two) = tokio::join!(acme.world.app.sweep(), other.app.sweep());
        one.and(two).unwrap();
        drop(other);
        acme = acme.restart().await;
        acme.world.app.sweep().await.unwrap();
        sent += notices(&acme).await.len();
        acme.world.advance_s(DAY_S);
    }
    assert_eq!(sent, 3);
}

#[tokio::test]
async fn after_a_standstill_there_is_one_mail_and_none_about_what_has_expired() {
    let acme = acme().await;
    token(&acme, "Missed two", Some(16 * DAY_S)).await;
    token(&acme, "Over", Some(5 * DAY_S)).await;
    acme.world.advance_s(10 * DAY_S);
    assert_eq!(days(&acme, 10).await, [named(0, &["Missed two"]), named(5, &["Missed two"])]);
}

#[tokio::test]
async fn revoked_tokens_and_deleted_organizations_cause_no_mail() {
    let acme = acme().await;
    let revoked = token(&acme, "Revoked", Some(2 * DAY_S)).await;
    token(&acme, "Kept", Some(2 * DAY_S)).await;
    let path = format!("/v1/organization-access-tokens/{revoked}");
    acme.client().delete(&path).await.expect(204);
    token(&acme, "Later", Some(8 * DAY_S)).await;
    assert_eq!(days(&acme, 2).await, [named(1, &["Kept", "Later"])]);
    let owner = acme.world.user(&acme.organization.owner, "*").await;
    owner.delete(&acme.path_v1()).await.expect(200);
    assert_eq!(days(&acme, 8).await, []);
    let due = "SELECT CAST(notice_at AS text) FROM access_tokens WHERE notice_at IS NOT NULL";
    assert_eq!(acme.world.database().texts(due), Vec::<String>::new());
}

#[tokio::test]
async fn a_mail_names_the_first_of_many_tokens() {
    let acme = acme().await;
    for number in (0..13).rev() {
        token(&acme, &format!("Token {number:02}"), Some(2 * DAY_S + number)).await;
    }
    token(&acme, " ", Some(2 * DAY_S + 60)).await;
    acme.world.advance_s(DAY_S);
    acme.world.app.sweep().await.unwrap();
    let found = notices(&acme).await;
    let [(_, labels, more)] = found.as_slice() else { panic!("{found:?}") };
    let expected: Vec<String> = (0..10).map(|number| format!("Token {number:02}")).collect();
    assert_eq!((labels, *more), (&expected, 4));
}

#[tokio::test]
async fn a_person_is_told_of_own_tokens() {
    let acme = acme().await;
    let create = UserTokenCreate {
        by: Requester::operator(),
        email: EmailAddress::parse(&acme.organization.owner).unwrap(),
        scopes: Scopes::everything(),
        expires_in_s: Some(8 * DAY_S),
        hash_key: acme.world.app.hash_key().clone(),
    };
    let id = acme.world.app.write(create.clone()).await.unwrap().token.id.to_string();
    assert_eq!(days(&acme, 9).await, [named(1, &[&id]), named(7, &[&id])]);
    // Unless the person has switched it off. A day of that is not made up for later.
    mute(&acme, "token_expiry", "email_key LIKE 'owner@%'");
    let id = acme.world.app.write(create).await.unwrap().token.id.to_string();
    assert_eq!(days(&acme, 4).await, []);
    acme.world.database().execute("UPDATE users SET muted_notices = NULL");
    assert_eq!(days(&acme, 5).await, [named(3, &[&id])]);
}
