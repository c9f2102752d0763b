//! The rules of webhook endpoints and of the states of their events.
//!
//! | state | after a success | after a failure | after a refusal |
//! |---|---|---|---|
//! | pending | succeeded | pending while attempts remain, then failed | failed |
//! | succeeded | succeeded | succeeded | succeeded |
//! | failed | succeeded | failed | failed |
//! | skipped | succeeded | skipped | skipped |
//!
//! A redelivery by hand makes a skipped event pending. It sends a succeeded or failed event once more, without
//! further retries.

use super::{
    EndpointChange, EventState, NewEndpoint, PreviousSigningSecret, SigningSecret, WebhookEndpoint,
    WebhookError,
};
use crate::Timestamp;
use crate::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use crate::token::Overlap;

/// Number of consecutive failed events after which an endpoint is disabled.
pub const FAILURES_TO_DISABLE: usize = 10;
/// Number of consecutive failed events after which a mail warns the administrators that an endpoint will be disabled.
pub const FAILURES_TO_WARN: usize = 5;

/// Creates an enabled endpoint. It gets `secret` when `new` has no secret.
///
/// # Errors
/// [`WebhookError::CredentialsMasked`] when the URL has a masked user name and password.
pub fn create(
    organization: OrganizationId,
    new: NewEndpoint,
    id: WebhookEndpointId,
    secret: SigningSecret,
    now: Timestamp,
) -> Result<WebhookEndpoint, WebhookError> {
    let NewEndpoint { url, name, format, secret: given, events } = new;
    Ok(WebhookEndpoint {
        id,
        organization,
        created_at: now,
        modified_at: None,
        url: url.replacing(None)?,
        name,
        format,
        secret: Some(given.unwrap_or(secret)),
        previous_secret: None,
        events,
        enabled: true,
        enabled_since: now,
        disabled_reason: None,
    })
}

/// Changes an endpoint. Without an effective change the result equals `before`.
///
/// # Errors
/// - [`WebhookError::UrlInvalid`] when the change enables the endpoint and its URL, after the change, is not a
///   permitted target.
/// - [`WebhookError::CredentialsMasked`] when the new URL has a masked user name and password, and the old one has none
///   for the same host.
pub fn update(
    before: &WebhookEndpoint,
    change: EndpointChange,
    plain_http_hosts: &[String],
    now: Timestamp,
) -> Result<WebhookEndpoint, WebhookError> {
    let EndpointChange { url, name, format, secret, events, enabled } = change;
    let mut after = before.clone();
    if let Some(url) = url {
        after.url = url.replacing(Some(&before.url))?;
    }
    name.apply(&mut after.name);
    after.format = format.unwrap_or(after.format);
    if secret.is_some() && secret != before.secret {
        after.previous_secret = None;
    }
    after.secret = secret.or(after.secret);
    after.events = events.unwrap_or(after.events);
    after.enabled = enabled.unwrap_or(after.enabled);
    if after.enabled && !before.enabled {
        if !after.url.is_valid(plain_http_hosts) {
            return Err(WebhookError::UrlInvalid);
        }
        after.enabled_since = now;
        after.disabled_reason = None;
    }
    if after != *before {
        after.modified_at = Some(now);
    }
    Ok(after)
}

/// Replaces the secret of an endpoint. The old secrets sign no further request.
#[must_use]
pub fn reset_secret(before: &WebhookEndpoint, secret: SigningSecret, now: Timestamp) -> WebhookEndpoint {
    WebhookEndpoint { secret: Some(secret), previous_secret: None, modified_at: Some(now), ..before.clone() }
}

/// Replaces the secret of an endpoint. Until the overlap ends, the old secret signs every request as well. An older
/// secret, from before an earlier rotation, ends at once.
#[must_use]
pub fn rotate_secret(
    before: &WebhookEndpoint,
    secret: SigningSecret,
    overlap: Overlap,
    now: Timestamp,
) -> WebhookEndpoint {
    let previous = before.secret.clone().zip(overlap.end(now));
    WebhookEndpoint {
        previous_secret: previous
            .map(|(secret, expires_at)| PreviousSigningSecret { secret: Some(secret), expires_at }),
        ..reset_secret(before, secret, now)
    }
}

/// An event that succeeded or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompletedEvent {
    /// Id.
    pub id: WebhookEventId,
    /// Whether every attempt failed.
    pub failed: bool,
}

/// The latest `number` events, if at least `number` have completed and all of these failed.
fn failed_in_a_row(completed: &[CompletedEvent], number: usize) -> Option<&[CompletedEvent]> {
    completed.get(..number).filter(|latest| latest.iter().all(|event| event.failed))
}

/// Whether the failure of this event warns the administrators: with it, exactly [`FAILURES_TO_WARN`] events in a row
/// have failed. `completed` is as for [`auto_disable`].
#[must_use]
pub fn warns(completed: &[CompletedEvent], failed: WebhookEventId) -> bool {
    let is_longer = failed_in_a_row(completed, FAILURES_TO_WARN + 1).is_some();
    let latest = failed_in_a_row(completed, FAILURES_TO_WARN);
    !is_longer && latest.is_some_and(|latest| latest.iter().any(|event| event.id == failed))
}

/// Disables an endpoint whose latest [`FAILURES_TO_DISABLE`] completed events all failed. `completed` has the newest
/// event first and only events since the endpoint was last enabled. Returns none when the endpoint stays as it is.
#[must_use]
pub fn auto_disable(
    endpoint: &WebhookEndpoint,
    completed: &[CompletedEvent],
    now: Timestamp,
) -> Option<WebhookEndpoint> {
    let all_failed = failed_in_a_row(completed, FAILURES_TO_DISABLE).is_some();
    (endpoint.enabled && all_failed).then(|| WebhookEndpoint {
        enabled: false,
        disabled_reason: Some(format!("the last {FAILURES_TO_DISABLE} events could not be delivered")),
        modified_at: Some(now),
        ..endpoint.clone()
    })
}

/// The facts about an event at the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryFacts {
    /// Current state of the event. It may have become skipped during the attempt.
    pub state: EventState,
    /// Time of the next attempt if this one failed; none when no attempt is left.
    pub retry_at: Option<Timestamp>,
}

/// The result of one attempt to deliver an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The receiver accepted the event.
    Succeeded,
    /// The receiver did not accept the event. A later attempt may succeed.
    Failed,
    /// The request is not permitted, now or later, for example because the address is private. Or there is nothing to
    /// send, because the event has no data.
    Refused,
}

/// The changes of an event after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventUpdate {
    /// New state.
    pub state: EventState,
    /// Time of the next attempt; none when there is none.
    pub due_at: Option<Timestamp>,
}

/// The state of an event after an attempt, see the table of this module. Only a pending event is retried. A failed
/// redelivery of a completed event does not change its state.
#[must_use]
pub const fn event_after_attempt(facts: DeliveryFacts, attempt: DeliveryOutcome) -> EventUpdate {
    let DeliveryFacts { state, retry_at } = facts;
    match (attempt, state, retry_at) {
        (DeliveryOutcome::Succeeded, _, _) => EventUpdate { state: EventState::Succeeded, due_at: None },
        (DeliveryOutcome::Failed, EventState::Pending, Some(due_at)) => {
            EventUpdate { state: EventState::Pending, due_at: Some(due_at) }
        }
        (DeliveryOutcome::Failed | DeliveryOutcome::Refused, EventState::Pending, _) => {
            EventUpdate { state: EventState::Failed, due_at: None }
        }
        (DeliveryOutcome::Failed | DeliveryOutcome::Refused, state, _) => EventUpdate { state, due_at: None },
    }
}

/// The state of an event for which a client requests a redelivery. A skipped event becomes pending; any other state
/// stays.
#[must_use]
pub const fn redeliver(state: EventState) -> EventState {
    match state {
        EventState::Skipped => EventState::Pending,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::Patch;
    use crate::webhook::{EndpointUrl, EventType, WebhookFormat};

    const NOW: Timestamp = Timestamp::from_micros(1_000);
    const LATER: Timestamp = Timestamp::from_micros(2_000);

    fn endpoint(url: &str, enabled: bool) -> WebhookEndpoint {
        let new = NewEndpoint {
            url: EndpointUrl::from_stored(url.to_owned()),
            name: Some("a".to_owned()),
            format: WebhookFormat::Raw,
            secret: None,
            events: vec![EventType::MemberCreated],
        };
        let secret = SigningSecret::from_random([7; 32]);
        let id = WebhookEndpointId::new(Uuid::from_u128(1));
        let created = create(OrganizationId::new(Uuid::from_u128(2)), new, id, secret, NOW).unwrap();
        WebhookEndpoint { enabled, ..created }
    }

    /// The newest event first; its number is its place in the list.
    fn completed(failed: &[bool]) -> Vec<CompletedEvent> {
        let id = |number: usize| WebhookEventId::new(Uuid::from_u128(u128::try_from(number).unwrap()));
        failed
            .iter()
            .enumerate()
            .map(|(number, failed)| CompletedEvent { id: id(number), failed: *failed })
            .collect()
    }

    fn states() -> impl Strategy<Value = EventState> {
        prop_oneof![
            Just(EventState::Pending),
            Just(EventState::Succeeded),
            Just(EventState::Failed),
            Just(EventState::Skipped)
        ]
    }

    #[test]
    fn a_change_without_new_values_changes_nothing() {
        let before = endpoint("https://x.dev/", true);
        assert_eq!(update(&before, EndpointChange::default(), &[], LATER), Ok(before.clone()));
        let same =
            EndpointChange { name: Patch::Value("a".to_owned()), enabled: Some(true), ..Default::default() };
        assert_eq!(update(&before, same, &[], LATER), Ok(before));
    }

    #[test]
    fn null_clears_the_name() {
        let change = EndpointChange { name: Patch::Null, ..Default::default() };
        let after = update(&endpoint("https://x.dev/", true), change, &[], LATER).unwrap();
        assert_eq!((after.name, after.modified_at), (None, Some(LATER)));
    }

    #[test]
    fn an_endpoint_with_a_forbidden_url_cannot_be_enabled() {
        let before = endpoint("http://10.0.0.1/", false);
        let on = EndpointChange { enabled: Some(true), ..Default::default() };
        assert_eq!(update(&before, on.clone(), &[], LATER), Err(WebhookError::UrlInvalid));
        let url = EndpointUrl::parse("https://x.dev", &[]).unwrap();
        let fixed = update(&before, EndpointChange { url: Some(url), ..on.clone() }, &[], LATER).unwrap();
        assert!(fixed.enabled);
        assert!(update(&before, on, &["10.0.0.1".to_owned()], LATER).unwrap().enabled);
        let rename = EndpointChange { name: Patch::Value("b".to_owned()), ..Default::default() };
        assert!(update(&before, rename, &[], LATER).is_ok());
    }

    #[test]
    fn enabling_an_endpoint_restarts_the_count_of_failures() {
        let disabled = auto_disable(&endpoint("https://x.dev/", true), &completed(&[true; 10]), NOW).unwrap();
        assert!(!disabled.enabled && disabled.disabled_reason.is_some());
        let on = EndpointChange { enabled: Some(true), ..Default::default() };
        let after = update(&disabled, on, &[], LATER).unwrap();
        assert_eq!((after.enabled_since, after.disabled_reason), (LATER, None));
    }

    #[test]
    fn the_fifth_failure_in_a_row_warns_once() {
        let newest = |failed: &[bool]| warns(&completed(failed), completed(failed)[0].id);
        assert!(newest(&[true; 5]) && newest(&[true, true, true, true, true, false, true]));
        assert!(
            !newest(&[true; 4]) && !newest(&[true; 6]) && !newest(&[false, true, true, true, true, true])
        );
        // An older event that fails late makes the row longer only if it is in the row.
        let events = completed(&[true, true, true, true, true, false, true]);
        assert!(warns(&events, events[4].id) && !warns(&events, events[6].id));
    }

    #[test]
    fn the_old_secret_signs_until_the_overlap_ends() {
        let before = endpoint("https://x.dev/", true);
        let old = before.secret.clone().unwrap();
        let new = |number| SigningSecret::from_random([number; 32]);
        let after = rotate_secret(&before, new(8), Overlap::from_seconds(1).unwrap(), NOW);
        let end = NOW.plus_seconds(1);
        let before_end = Timestamp::from_micros(end.as_micros() - 1);
        assert_eq!(after.signing_secrets(before_end), Some(vec![&new(8), &old]));
        assert_eq!(after.signing_secrets(end), Some(vec![&new(8)]));
        assert_eq!(after.modified_at, Some(NOW));
        let again = rotate_secret(&after, new(9), Overlap::default(), LATER);
        assert_eq!(again.signing_secrets(LATER), Some(vec![&new(9), &new(8)]));
        let at_once = rotate_secret(&again, new(10), Overlap::from_seconds(0).unwrap(), LATER);
        assert_eq!(at_once.previous_secret, None);
        assert_eq!(reset_secret(&again, new(10), LATER).previous_secret, None);
        let given = |secret| EndpointChange { secret: Some(secret), ..Default::default() };
        assert_eq!(update(&again, given(new(1)), &[], LATER).unwrap().previous_secret, None);
        assert_eq!(update(&again, given(new(9)), &[], LATER), Ok(again.clone()));
        let unreadable = WebhookEndpoint { secret: None, ..again };
        assert_eq!(unreadable.signing_secrets(LATER), None);
        assert_eq!(rotate_secret(&unreadable, new(2), Overlap::default(), LATER).previous_secret, None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let endpoint = endpoint("https://x.dev/", true);
        let secret = endpoint.secret.as_ref().unwrap().as_str();
        assert!(!format!("{endpoint:?}").contains(secret));
        assert!(!serde_json::to_string(&endpoint).unwrap().contains(secret));
    }

    proptest! {
        #[test]
        fn ten_consecutive_failures_disable_an_enabled_endpoint(
            events in prop::collection::vec(any::<bool>(), 0..20), enabled: bool,
        ) {
            let off = auto_disable(&endpoint("https://x.dev/", enabled), &completed(&events), LATER);
            let failed = events.iter().take_while(|failed| **failed).count();
            prop_assert_eq!(off.is_some(), enabled && failed >= 10);
        }

        #[test]
        fn an_attempt_leads_to_the_state_in_the_table(state in states(), retry: bool, outcome in 0..3u8) {
            let attempt = [DeliveryOutcome::Succeeded, DeliveryOutcome::Failed, DeliveryOutcome::Refused][usize::from(outcome)];
            let next = event_after_attempt(DeliveryFacts { state, retry_at: retry.then_some(LATER) }, attempt);
            prop_assert_eq!(next.state == EventState::Pending, next.due_at.is_some());
            if attempt == DeliveryOutcome::Succeeded || state == EventState::Succeeded {
                prop_assert_eq!(next.state, EventState::Succeeded);
            }
            if next.due_at.is_some() {
                prop_assert!(state == EventState::Pending && attempt == DeliveryOutcome::Failed && retry);
            }
            if state == EventState::Skipped && attempt != DeliveryOutcome::Succeeded {
                prop_assert_eq!(next.state, EventState::Skipped);
            }
        }
    }
}
