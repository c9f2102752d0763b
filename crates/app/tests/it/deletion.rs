//! Deletion of a large customer: bounded transactions, continued after a crash.

use std::sync::Arc;

use tenantry_app::bootstrap::Bootstrap;
use tenantry_app::customers::{CustomerCreate, CustomerDelete};
use tenantry_app::members::{CustomerRef, MemberCreate};
use tenantry_app::webhooks::WebhookEndpointCreate;
use tenantry_app::{App, Error, Requester, limits};
use tenantry_core::Timestamp;
use tenantry_core::customer::{Customer, CustomerKind, NewCustomer};
use tenantry_core::ids::OrganizationId;
use tenantry_core::member::{InitialRole, NewMember};
use tenantry_core::webhook::{EndpointUrl, EventType, NewEndpoint, WebhookError, WebhookFormat};

use crate::archive::{Database, findings, key};

/// Members, so many that a deletion needs several transactions.
const MEMBERS: i64 = 300;

fn endpoint(organization: OrganizationId) -> WebhookEndpointCreate {
    WebhookEndpointCreate {
        by: Requester::operator(),
        organization: Some(organization),
        new: NewEndpoint {
            url: EndpointUrl::from_stored("https://hooks.example.com/".to_owned()),
            name: None,
            format: WebhookFormat::Raw,
            secret: None,
            events: vec![EventType::MemberDeleted, EventType::CustomerDeleted],
        },
    }
}

async fn large_customer(app: &App, by: &Requester) -> Customer {
    let new = NewCustomer::new(CustomerKind::Team, "secret@large.example".parse().unwrap());
    let create = CustomerCreate { by: by.clone(), organization: None, new };
    let customer = app.write(create).await.unwrap();
    for number in 0..MEMBERS {
        let new = NewMember {
            email: format!("secret{number}@large.example").parse().unwrap(),
            name: None,
            external_id: None,
            role: InitialRole::Member,
        };
        app.write(MemberCreate { by: by.clone(), customer: CustomerRef::Id(customer.id), new })
            .await
            .unwrap();
    }
    customer
}

/// A first organization, and a caller with its token.
pub(crate) async fn organization(database: &Database) -> (App, OrganizationId, Requester) {
    let app = App::new(database.open(), Arc::new(|| Timestamp::from_micros(9_000_000)), key());
    let first = Bootstrap {
        name: "My Organization".parse().unwrap(),
        slug: "my-organization".parse().unwrap(),
        owner_email: "owner@example.com".parse().unwrap(),
        customer_email: "team@example.com".parse().unwrap(),
        hash_key: key(),
    };
    let first = app.write(first).await.unwrap().unwrap();
    let caller = app.authenticate(first.issued.secret.expose()).await.unwrap();
    (app, first.organization.id, Requester::caller(&caller, None))
}

#[tokio::test]
async fn a_large_deletion_is_bounded_and_continues_after_a_crash() {
    let database = Database::new();
    let (app, organization, by) = organization(&database).await;
    app.write(endpoint(organization)).await.unwrap();
    let customer = large_customer(&app, &by).await;
    let delete = CustomerDelete { by, customer: CustomerRef::Id(customer.id), anonymize: true };
    // The first transaction alone, as if the process crashed after it.
    assert!(app.write(delete.clone()).await.unwrap().is_some());
    let left = database.count("members WHERE deleted_at IS NULL");
    assert!(left > MEMBERS - limits::CUSTOMER_DELETION_ROWS_PER_TRANSACTION, "{left}");
    assert!(matches!(
        app.write(CustomerDelete { anonymize: false, ..delete }).await,
        Err(Error::Customer(_))
    ));
    drop(app);
    let app = App::new(database.open(), Arc::new(|| Timestamp::from_micros(99_000_000)), key());
    app.sweep().await.unwrap();
    assert_eq!(database.count("customer_deletions"), 0);
    assert_eq!(database.count("customers WHERE deleted_at IS NOT NULL AND anonymized_at IS NOT NULL"), 1);
    assert_eq!(database.count("members WHERE deleted_at IS NULL AND email LIKE '%large.example'"), 0);
    let named: Vec<String> =
        database.dump().into_iter().filter(|row| row.contains("large.example")).collect();
    assert_eq!(named, Vec::<String>::new());
    let events = database.count("webhook_events WHERE type = 'member.deleted' AND state = 'pending'");
    assert_eq!(events, MEMBERS + 1, "one event for each member and the owner");
    assert_eq!(findings(&app).await, []);
}

#[tokio::test]
async fn an_organization_has_a_limited_number_of_endpoints() {
    let database = Database::new();
    let (app, organization, _) = organization(&database).await;
    for _ in 0..limits::WEBHOOK_ENDPOINTS_PER_ORGANIZATION {
        app.write(endpoint(organization)).await.unwrap();
    }
    let refused = app.write(endpoint(organization)).await;
    assert!(matches!(refused, Err(Error::Webhook(WebhookError::LimitReached(50)))), "{refused:?}");
    database.sql("UPDATE webhook_endpoints SET deleted_at = 1");
    app.write(endpoint(organization)).await.unwrap();
}
