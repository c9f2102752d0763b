//! Every rule is broken on purpose, and the breach is found.

use std::collections::BTreeSet;

use tenantry_core::Timestamp;
use tenantry_core::audit::AuditEntry;
use tenantry_core::customer::CustomerKind;
use tenantry_core::ids::{
    AuditId, EmailUpdateId, MailId, OrganizationId, SessionId, WebhookDeliveryId, WebhookEndpointId,
    WebhookEventId,
};
use tenantry_core::mail::{MailContent, QueuedMail};
use tenantry_core::member::MemberRole;
use tenantry_core::portal::{CustomerSession, EmailUpdate};
use tenantry_core::team::TeamRole;
use tenantry_core::webhook::{
    EndpointUrl, Event, EventData, EventType, SigningSecret, WebhookEndpoint, WebhookFormat,
};
use tenantry_store::doctor::{Finding, inspect, rules};
use tenantry_store::{Catalog, Store, Vault, WebhookDelivery};
use uuid::Uuid;

use crate::fixtures::*;
use crate::idempotency::{Around, answered, claim, with_vault};
use crate::support::Database;

on_every_engine!(sound_data_break_no_rule, every_broken_rule_is_found, findings_come_from_every_part);

/// For each rule: its table, the text of its finding, and a statement that breaks it.
#[rustfmt::skip]
const BREACHES: &[(&str, &str, &str)] = &[
    ("user_tokens", "its person is not there", "DELETE FROM users"),
    ("user_organizations", "the team does not have the person", "DELETE FROM team_members"),
    ("team_members", "the person is not known to be in the team", "DELETE FROM user_organizations"),
    ("team_members", "its person is not there", "DELETE FROM users"),
    ("organizations", "its team does not have exactly one owner", "UPDATE team_members SET role = 'developer'"),
    ("organizations", "its owner does not own its team", "UPDATE organizations SET owner_user_id = id"),
    ("organization_slugs", "its organization is not there", "DELETE FROM organizations"),
    ("organizations", "its slug does not lead to it", "DELETE FROM organization_slugs"),
    ("organizations", "its parent is not there", "UPDATE organizations SET parent_id = owner_user_id"),
    ("organizations", "its parent has a parent", "UPDATE organizations SET parent_id = id"),
    ("organizations", "its count of sub-accounts is not how many there are",
        "UPDATE organizations SET sub_account_count = 1"),
    ("credentials", "the token that it opens is not there", "DELETE FROM access_tokens"),
    ("credentials", "the person's token that it opens is not there", "DELETE FROM user_tokens"),
    ("credentials", "the session that it opens is not there", "DELETE FROM customer_sessions"),
    ("credentials", "the wish for another address that it proves is not there", "DELETE FROM email_updates"),
    ("access_tokens", "no secret opens it", "DELETE FROM credentials"),
    ("user_tokens", "no secret opens it", "DELETE FROM credentials"),
    ("customer_sessions", "no secret opens it", "DELETE FROM credentials"),
    ("email_updates", "no secret proves it", "DELETE FROM credentials"),
    ("customer_sessions", "its customer is gone", "UPDATE customers SET deleted_at = 5"),
    ("customer_sessions", "its member is gone", "UPDATE members SET deleted_at = 5"),
    ("email_updates", "its customer is gone", "UPDATE customers SET deleted_at = 5"),
    ("customers", "its organization is not there", "DELETE FROM organizations"),
    ("customers", "it does not have exactly one owner", "UPDATE members SET role = 'member'"),
    ("customers", "an individual, it does not have exactly one member",
        "UPDATE members SET customer_id = (SELECT id FROM customers WHERE kind = 'individual') WHERE role = 'member'"),
    ("customers", "its count of members is not how many there are",
        "UPDATE customers SET member_count = member_count + 1 WHERE kind = 'team'"),
    ("organizations", "its count of customers is not how many there are",
        "UPDATE row_counters SET row_count = row_count + 1 WHERE counter = 'customers'"),
    ("organizations", "its count of members is not how many there are",
        "UPDATE row_counters SET row_count = row_count - 1 WHERE counter = 'members'"),
    ("members", "its customer is gone", "UPDATE customers SET deleted_at = 5"),
    ("customers", "another of the organization has its address",
        "DROP INDEX customers_email; UPDATE customers SET email_key = 'x'"),
    ("members", "another of the customer has their address",
        "DROP INDEX members_email; UPDATE members SET email_key = 'x'"),
    ("users", "another has their address", "DROP INDEX users_email; UPDATE users SET email_key = 'x'"),
    ("customers", "another of the organization has its external id",
        "DROP INDEX customers_external_id; UPDATE customers SET external_id = 'x'"),
    ("members", "another of the customer has their external id",
        "DROP INDEX members_external_id; UPDATE members SET external_id = 'x'"),
    ("customers", "it is anonymized and not deleted", "UPDATE customers SET anonymized_at = 5"),
    ("customer_metadata", "its customer is gone", "UPDATE customers SET deleted_at = 5"),
    ("webhook_endpoints", "it does not have its two queues", "DELETE FROM webhook_queues WHERE queue = 'retries'"),
    ("webhook_queues", "its endpoint is gone",
        "UPDATE webhook_endpoints SET deleted_at = 5; UPDATE webhook_queues SET due_at = NULL"),
    ("webhook_events", "its endpoint's queue has not come to its number",
        "UPDATE webhook_queues SET last_sequence = 1"),
    ("webhook_events", "another of the endpoint has its number",
        "DROP INDEX webhook_events_sequence; UPDATE webhook_events SET sequence = 1"),
    ("webhook_events", "it waits for its first attempt, and its queue does not know",
        "UPDATE webhook_queues SET due_at = NULL"),
    ("webhook_events", "it waits for another attempt, and its queue does not know",
        "UPDATE webhook_events SET due_at = 5"),
    ("webhook_events", "it waits, and what it tells is not there", "UPDATE webhook_events SET data = NULL"),
    ("idempotency_records", "its request was neither answered nor is the answer forgotten",
        "UPDATE idempotency_records SET status = 1"),
    ("users", "its address has another key", "UPDATE users SET email = 'somebody@else.example'"),
    ("customers", "its address has another key", "UPDATE customers SET email = 'somebody@else.example'"),
    ("members", "its address has another key", "UPDATE members SET email = 'somebody@else.example'"),
    ("email_updates", "its address has another key", "UPDATE email_updates SET email = 'somebody@else.example'"),
    ("mails", "its address has another key", "UPDATE mails SET recipient = 'somebody@else.example'"),
    ("webhook_endpoints", "a secret in it cannot be opened with the key",
        "UPDATE webhook_endpoints SET secret = (SELECT secret_hash FROM credentials ORDER BY secret_hash LIMIT 1)"),
    ("mails", "a secret in it cannot be opened with the key",
        "UPDATE mails SET sealed_secret = (SELECT secret_hash FROM credentials ORDER BY secret_hash LIMIT 1)"),
    ("idempotency_records", "a secret in it cannot be opened with the key",
        "UPDATE idempotency_records SET idempotency_key = 'another' WHERE response_expires_at IS NOT NULL"),
    ("organizations", "a value of it is none that this program knows", "UPDATE organizations SET status = 'x'"),
    ("organizations", "a value of it is none that this program knows", "UPDATE organizations SET profile = 'x'"),
    ("team_members", "a value of it is none that this program knows", "UPDATE team_members SET role = 'x'"),
    ("credentials", "a value of it is none that this program knows", "UPDATE credentials SET kind = 'x'"),
    ("access_tokens", "a value of it is none that this program knows", "UPDATE access_tokens SET scopes = 'x'"),
    ("access_tokens", "a value of it is none that this program knows",
        "UPDATE access_tokens SET ip_allow_list = 'x'"),
    ("user_tokens", "a value of it is none that this program knows", "UPDATE user_tokens SET scopes = 'x'"),
    ("customers", "a value of it is none that this program knows", "UPDATE customers SET metadata = 'x'"),
    ("webhook_endpoints", "a value of it is none that this program knows",
        "UPDATE webhook_endpoints SET events = 'x'"),
    ("webhook_events", "a value of it is none that this program knows", "UPDATE webhook_events SET type = 'x'"),
    ("webhook_events", "a value of it is none that this program knows", "UPDATE webhook_events SET data = 'x'"),
    ("mails", "a value of it is none that this program knows", "UPDATE mails SET content = 'x'"),
    ("customers", "its metadata are not those that it is found by", "UPDATE customer_metadata SET value = 'x'"),
    ("customers", "its metadata are not those that it is found by", "DELETE FROM customer_metadata"),
    ("organizations", "a value of it is none that this program knows",
        "UPDATE organizations SET name = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc'))"),
    ("organizations", "a value of it is none that this program knows",
        "UPDATE organizations SET suspension_reason = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc'))"),
    ("users", "a value of it is none that this program knows",
        "UPDATE users SET name = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc'))"),
    ("customers", "a value of it is none that this program knows",
        "UPDATE customers SET name = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc'))"),
    ("customers", "a value of it is none that this program knows",
        "UPDATE customers SET external_id = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc')) WHERE kind = 'individual'"),
    ("members", "a value of it is none that this program knows",
        "UPDATE members SET name = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc'))"),
    ("members", "a value of it is none that this program knows",
        "UPDATE members SET external_id = (SELECT replace(replace('aaaaaaaaaaaaaaaaaaaa', 'a', 'bbbbbbbbbb'), 'b', 'cccccccccc')) WHERE role = 'owner'"),
    ("customers", "a value of it is none that this program knows",
        "UPDATE customers SET billing = 'x'"),
    ("customers", "a value of it is none that this program knows",
        "UPDATE customers SET locale = '???'"),
    ("members", "a value of it is none that this program knows",
        "UPDATE members SET email = 'x'"),
    ("customer_sessions", "a value of it is none that this program knows",
        "UPDATE customer_sessions SET return_url = 'x'"),
    ("audit_entries", "a value of it is none that this program knows",
        "UPDATE audit_entries SET before = 'x'"),
    ("audit_entries", "a value of it is none that this program knows",
        "UPDATE audit_entries SET after = '[]'"),
    ("customers", "what it is looked for by is not what it is called",
        "UPDATE customers SET search_text = 'x'"),
    ("customers", "what it is looked for by is not what it is called",
        "UPDATE customers SET name = 'x'"),
    ("customers", "it is anonymized, and says who it was",
        "UPDATE customers SET anonymized_at = 5 WHERE deleted_at IS NOT NULL"),
    ("members", "its customer is anonymized, and it says who it was",
        "UPDATE customers SET anonymized_at = 5 WHERE deleted_at IS NOT NULL"),
    ("audit_entries", "it is about who is forgotten, and says who that was",
        "UPDATE customers SET anonymized_at = 5 WHERE deleted_at IS NOT NULL; UPDATE audit_entries SET before = '{\"email\":\"a@b.example\"}'"),
    ("audit_entries", "it is about who is forgotten, and says who that was",
        "UPDATE customers SET anonymized_at = 5 WHERE deleted_at IS NOT NULL; UPDATE audit_entries SET after = '{\"tax_id\":\"x\",\"name\":\"A\",\"owner_email\":\"a@b.example\"}'"),
    ("webhook_events", "it is about who is forgotten, and says who that was",
        "UPDATE customers SET anonymized_at = 5"),
    ("webhook_events", "it is about who is forgotten, and says who that was",
        "UPDATE customers SET anonymized_at = 5; UPDATE webhook_events SET data = NULL, payload = '{\"data\":{\"billing_address\":{}}}'"),
    ("credentials", "another secret opens the same",
        "UPDATE credentials SET subject_id = (SELECT id FROM access_tokens)"),
    ("credentials", "a person's, it names an organization",
        "UPDATE credentials SET organization_id = (SELECT id FROM organizations)"),
    ("credentials", "it opens a session of the other kind",
        "UPDATE customer_sessions SET member_id = NULL"),
    ("organizations", "it has a time of suspension without a reason, or the reverse",
        "UPDATE organizations SET suspended_at = 5"),
    ("organizations", "it has a time of suspension without a reason, or the reverse",
        "UPDATE organizations SET suspension_reason = 'x'"),
    ("row_counters", "its organization is not there",
        "DELETE FROM organizations"),
    ("idempotency_records", "whose key it is is not there",
        "DELETE FROM organizations"),
];

/// Tables whose rows' creation is written down, and by what entry; whether that one names the organization.
const CREATED: &[(&str, &str, bool)] = &[
    ("users", "user.created", false),
    ("user_tokens", "user_token.created", false),
    ("organizations", "organization.created", true),
    ("team_members", "team_member.created", true),
    ("access_tokens", "access_token.created", true),
    ("customers", "customer.created", true),
    ("members", "member.created", true),
    ("webhook_endpoints", "webhook_endpoint.created", true),
];

/// All breaches: an entry that is about another, done otherwise, or elsewhere tells of no creation.
fn breaches() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let told = CREATED.iter().flat_map(|(table, action, of_one)| {
        let changes = ["subject_id = id", "action = 'customer.updated'", "organization_id = id"];
        let changes = changes.into_iter().take(if *of_one { 3 } else { 2 });
        changes.map(move |change| {
            let sql = format!("UPDATE audit_entries SET {change} WHERE action = '{action}'");
            (*table, "no audit entry of its creation", sql)
        })
    });
    BREACHES.iter().map(|(table, says, sql)| (*table, *says, (*sql).to_owned())).chain(told)
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(0x4000 << 64 | 1 << 63 | number)
}

/// One of each kind of row, as the program would have made them.
pub(crate) async fn sound(store: &Store) {
    add_organization(store, 1).await;
    run!(store.clone(), (), |(), tx, _| {
        for number in [1, 2] {
            tx.user_insert(&user(number)).await?;
        }
        tx.team_insert(&team_member(1, 1, TeamRole::Owner)).await?;
        tx.team_insert(&team_member(1, 2, TeamRole::Developer)).await?;
        tx.access_token_insert(&access_token(1, 1), &hash(1)).await?;
        Ok(tx.user_token_insert(&user_token(1, 1), &hash(2)).await?)
    })
    .unwrap();
    let mut team = customer(1, 1);
    team.metadata = serde_json::from_str(r#"{"plan": "gold", "seats": 3, "trial": false}"#).unwrap();
    let individual = tenantry_core::customer::Customer { kind: CustomerKind::Individual, ..customer(1, 2) };
    let gone = customer(1, 3);
    for one in [&team, &individual, &gone] {
        add_customer(store, one).await;
    }
    for (of, number, role) in [
        (&team, 1, MemberRole::Owner),
        (&team, 2, MemberRole::Member),
        (&individual, 3, MemberRole::Owner),
        (&gone, 4, MemberRole::Owner),
    ] {
        add_member(store, &member(of, number, role)).await;
    }
    delete_member(store, &member(&gone, 4, MemberRole::Owner)).await;
    delete_customer(store, &gone).await;
    portal(store).await;
    webhooks(store, &team).await;
    answered(store, claim(1, "shown"), 201, Some(1_000)).await.unwrap();
    answered(store, claim(1, "plain"), 201, None).await.unwrap();
    written_down(store).await;
}

/// That all of these were made.
async fn written_down(store: &Store) {
    let (organization, installation) = (organization_id(1), OrganizationId::new(Uuid::nil()));
    let mut made = vec![
        (organization, "organization.created", organization.uuid()),
        (organization, "access_token.created", access_token(1, 1).id.uuid()),
        (organization, "webhook_endpoint.created", id(4)),
        (installation, "user_token.created", user_token(1, 1).id.uuid()),
    ];
    for number in 1..=2 {
        made.push((installation, "user.created", user_id(number).uuid()));
        made.push((organization, "team_member.created", user_id(number).uuid()));
    }
    made.extend((1..=3).map(|number| (organization, "customer.created", customer_id(number).uuid())));
    made.extend((1..=4).map(|number| (organization, "member.created", member_id(number).uuid())));
    let like = audit_entry(&member(&customer(1, 1), 1, MemberRole::Owner), 1);
    let entries: Vec<AuditEntry> = made
        .into_iter()
        .zip(100..)
        .map(|((organization, action, subject), number)| AuditEntry {
            id: AuditId::new(id(number)),
            organization,
            action,
            subject,
            ..like.clone()
        })
        .collect();
    run!(store.clone(), entries, |entries, tx, _| {
        for entry in entries {
            tx.audit_append(entry).await?;
        }
        Ok(())
    })
    .unwrap();
}

async fn portal(store: &Store) {
    let organization = organization_id(1);
    let session = CustomerSession {
        id: SessionId::new(id(1)),
        organization,
        created_at: at(1),
        expires_at: at(1_000),
        customer: customer_id(1),
        member: Some(member_id(2)),
        return_url: None,
    };
    let wish = EmailUpdate {
        id: EmailUpdateId::new(id(2)),
        organization,
        customer: customer_id(1),
        created_at: at(1),
        expires_at: at(1_000),
        email: "new@example.com".parse().unwrap(),
    };
    let mail = MailId::new(id(3));
    let mail = QueuedMail {
        id: mail,
        organization,
        created_at: at(1),
        expires_at: None,
        to: "new@example.com".parse().unwrap(),
        content: MailContent::TeamMemberAdded {
            organization: "One".into(),
            role: TeamRole::Developer,
            inviter: None,
        },
        sealed: Around.seal(mail.uuid().as_bytes(), b"a secret"),
        due_at: at(1),
        attempts: 0,
    };
    run!(store.clone(), (session, wish, mail), |(session, wish, mail), tx, _| {
        tx.customer_session_insert(session, &hash(3)).await?;
        tx.email_update_replace(wish, &hash(4)).await?;
        Ok(tx.mail_insert(mail).await?)
    })
    .unwrap();
}

async fn webhooks(store: &Store, about: &tenantry_core::customer::Customer) {
    let organization = organization_id(1);
    let endpoint = WebhookEndpoint {
        id: WebhookEndpointId::new(id(4)),
        organization,
        created_at: at(1),
        modified_at: None,
        url: EndpointUrl::from_stored("https://hooks.example.com/".to_owned()),
        name: None,
        format: WebhookFormat::Raw,
        secret: Some(SigningSecret::from_stored("0123456789abcdef0123456789abcdef".to_owned())),
        events: vec![EventType::CustomerCreated],
        enabled: true,
        enabled_since: at(1),
        disabled_reason: None,
    };
    let event = |number| Event {
        id: WebhookEventId::new(id(number)),
        organization,
        endpoint: endpoint.id,
        created_at: Timestamp::from_micros(1),
        event_type: EventType::CustomerCreated,
        data: EventData::Customer(Box::new(about.clone())),
    };
    let delivery = WebhookDelivery {
        id: WebhookDeliveryId::new(id(7)),
        organization,
        endpoint: endpoint.id,
        event: event(5).id,
        created_at: at(2),
        succeeded: false,
        http_code: Some(500),
        response: None,
    };
    let events = [event(5), event(6)];
    run!(store.clone(), (endpoint, events, delivery), |(endpoint, events, delivery), tx, _| {
        tx.webhook_endpoint_insert(endpoint).await?;
        for event in events {
            tx.webhook_event_insert(event).await?;
        }
        Ok(tx.webhook_delivery_append(delivery).await?)
    })
    .unwrap();
}

async fn findings(store: &Store) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut snapshot = store.snapshot().await.unwrap();
    inspect(&mut snapshot.tx().unwrap(), |finding| found.push(finding)).await.unwrap();
    found
}

async fn sound_data_break_no_rule(database: Database) {
    let store = with_vault(&database).await;
    assert_eq!(findings(&store).await, []);
    sound(&store).await;
    assert_eq!(findings(&store).await, []);
}

async fn every_broken_rule_is_found(database: Database) {
    let known: BTreeSet<(&str, &str)> = rules().map(|rule| (rule.table, rule.says)).collect();
    let broken: BTreeSet<(&str, &str)> = breaches().map(|(table, says, _)| (table, says)).collect();
    assert_eq!(known, broken, "every rule is broken once");
    let store = with_vault(&database).await;
    sound(&store).await;
    let tables = Catalog::now().unwrap().tables;
    let (mut snapshot, mut rows) = (store.snapshot().await.unwrap(), Vec::new());
    for table in tables {
        let of_it = snapshot.tx().unwrap().rows_after(&table, None, 1_000).await.unwrap();
        rows.push((table, of_it));
    }
    drop(snapshot);
    for (table, says, sql) in breaches() {
        database.sql(&sql);
        let found = findings(&store).await;
        let is_it = |finding: &Finding| finding.table == table && finding.says == says;
        assert!(found.iter().any(is_it), "{sql}: {found:#?}");
        run!(store, rows.clone(), |rows, tx, _| {
            for (table, _) in rows.iter().rev() {
                tx.rows_delete(table, 1_000).await?;
            }
            for (table, rows) in rows {
                tx.rows_insert(table, rows).await?;
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(findings(&store).await, [], "it is sound again after {sql}");
    }
}

async fn findings_come_from_every_part(database: Database) {
    let store = with_vault(&database).await;
    add_organization(&store, 1).await;
    run!(store, (), |(), tx, _| {
        tx.user_insert(&user(1)).await?;
        tx.team_insert(&team_member(1, 1, TeamRole::Owner)).await?;
        for number in 1..=1_201 {
            tx.customer_insert(&customer(1, number)).await?;
        }
        Ok(())
    })
    .unwrap();
    let mut found = findings(&store).await;
    // Nothing was written down here.
    found.retain(|finding| finding.check != "audit entry");
    assert!(found.iter().all(|finding| finding.check == "one owner"), "{found:?}");
    let keys: BTreeSet<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!((found.len(), keys.len()), (1_201, 1_201));
}

#[tokio::test]
async fn findings_of_sqlites_own_check_are_reported() {
    let database = Database::sqlite();
    let store = with_vault(&database).await;
    sound(&store).await;
    // The index has rows that it should not have, and lacks others.
    database.sql(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, ' = 0', ' <> 0')
         WHERE name = 'members_by_customer'",
    );
    store.close().await;
    let found = findings(&with_vault(&database).await).await;
    assert!(found.iter().any(|finding| finding.check == "a whole file"), "{found:?}");
}
