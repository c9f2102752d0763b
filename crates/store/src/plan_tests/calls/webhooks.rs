//! The queries of webhooks.

use super::*;

pub(super) async fn all(tx: &mut Tx<'_>) {
    let endpoint = WebhookEndpoint {
        id: ENDPOINT,
        organization: ORGANIZATION,
        created_at: at(1),
        modified_at: None,
        url: EndpointUrl::from_stored("https://hooks.example.com/".to_owned()),
        name: None,
        format: WebhookFormat::Raw,
        secret: Some(SigningSecret::from_stored("0123456789abcdef0123456789abcdef".to_owned())),
        previous_secret: None,
        events: vec![EventType::CustomerCreated],
        enabled: true,
        enabled_since: at(1),
        disabled_reason: None,
    };
    call!(tx.webhook_endpoint_insert(&endpoint, USER));
    call!(tx.webhook_endpoint(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_endpoints_subscribed(ORGANIZATION, EventType::CustomerCreated));
    call!(tx.webhook_endpoint_count(ORGANIZATION));
    for organizations in [vec![ORGANIZATION], vec![ORGANIZATION, CHILD]] {
        call!(tx.webhook_endpoints(&organizations, PAGE));
    }
    call!(tx.webhook_endpoint_update(&endpoint, &endpoint));
    call!(tx.webhook_endpoint_is_deleted(ORGANIZATION, ENDPOINT));
    let event = Event {
        id: EVENT,
        organization: ORGANIZATION,
        endpoint: ENDPOINT,
        created_at: at(1),
        event_type: EventType::CustomerCreated,
        data: EventData::Customer(Box::new(customer())),
    };
    call!(tx.webhook_event_insert(&event));
    call!(tx.webhook_queues_due(at(5), 10, 10));
    call!(tx.webhook_queues_of(ORGANIZATION, at(5)));
    let first =
        DueQueue { organization: ORGANIZATION, endpoint: ENDPOINT, queue: DeliveryQueue::FirstAttempts };
    let retries = DueQueue { queue: DeliveryQueue::Retries, ..first };
    assert!(call!(tx.webhook_queue_lease(first, at(5), at(20))));
    call!(tx.webhook_target(first));
    let mut row = call!(tx.webhook_queue_next_event(first, at(5))).unwrap();
    call!(tx.webhook_queue_next_event(retries, at(5)));
    call!(tx.webhook_event(ORGANIZATION, EVENT));
    call!(tx.webhook_event_endpoint(ORGANIZATION, EVENT));
    row.state = EventState::Failed;
    call!(tx.webhook_event_record_attempt(&row, Some(500), Some(at(9)), at(6)));
    call!(tx.webhook_queue_release(first, at(20)));
    call!(tx.webhook_queue_postpone(first, at(6), at(8)));
    call!(tx.webhook_queues_lock(ORGANIZATION, ENDPOINT));
    call!(tx.webhook_queues_reschedule(ORGANIZATION, ENDPOINT, at(7)));
    let delivery = WebhookDelivery {
        id: WebhookDeliveryId::new(Uuid::from_u128(15)),
        organization: ORGANIZATION,
        endpoint: ENDPOINT,
        event: EVENT,
        created_at: at(2),
        succeeded: false,
        http_code: Some(500),
        response: None,
    };
    call!(tx.webhook_delivery_append(&delivery));
    let all = WebhookDeliveryFilter { organizations: vec![ORGANIZATION], ..Default::default() };
    for filter in [
        all.clone(),
        WebhookDeliveryFilter { endpoints: vec![ENDPOINT], ..all.clone() },
        WebhookDeliveryFilter {
            after: Some(at(1)),
            before: Some(at(9)),
            succeeded: Some(false),
            ..all.clone()
        },
        WebhookDeliveryFilter {
            http_code_from: Some(500),
            event_types: vec![EventType::CustomerCreated],
            query: Some("a".to_owned()),
            ..all
        },
    ] {
        call!(tx.webhook_deliveries(&filter, PAGE));
    }
    call!(tx.webhook_event_redeliver(&row, at(8)));
    call!(tx.webhook_events_completed(&endpoint, 10));
    call!(tx.webhook_events_skip(ORGANIZATION, ENDPOINT, at(9), 10));
    call!(tx.webhook_events_lock(ORGANIZATION, CUSTOMER));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.webhook_events_delete_data(ORGANIZATION, CUSTOMER));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.customer_events(ORGANIZATION, CUSTOMER, None, 10));
    call!(tx.webhook_event_delete_data(ORGANIZATION, EVENT));
    call!(tx.webhook_event_replace_data(ORGANIZATION, EVENT, &event.data));
    call!(tx.webhook_events_archive(at(100), 10));
    call!(tx.webhook_events_delete_archived(at(100), 10));
    call!(tx.webhook_events_pending(None, 10));
    let pending = PendingEvent { organization: ORGANIZATION, id: EVENT, endpoint: ENDPOINT };
    call!(tx.webhook_event_fail_pending(pending, at(10)));
    call!(tx.webhook_queues_clear());
}
