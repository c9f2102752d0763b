//! Idempotency keys: claims, stored responses, sealed responses, and their deletion.

use std::sync::Arc;

use tenantry_core::ids::MemberId;
use tenantry_store::{IdempotencyClaim, IdempotencyState, Store, StoreError, StoredResponse, Vault};

use crate::fixtures::*;
use crate::support::{Database, Failure};

on_every_engine!(
    a_claim_and_its_response,
    a_claim_is_rolled_back_with_its_use_case,
    a_key_belongs_to_its_namespace,
    a_sealed_response_is_shown_until_it_expires,
    a_sealed_response_opens_for_its_own_request_only,
    sealed_responses_are_deleted_in_batches,
    expired_records_are_swept,
);

pub(crate) fn claim(organization: u32, key: &str) -> IdempotencyClaim {
    IdempotencyClaim {
        space: organization_id(organization).into(),
        key: key.to_owned(),
        fingerprint: [7; 32],
    }
}

fn response(status: u16) -> StoredResponse {
    StoredResponse { status, body: b"{\"secret\":\"s-3-c-r-3-t\"}".to_vec() }
}

/// A stand-in for encryption: inverts every byte of the context and the text.
pub(crate) struct InvertingVault;

impl Vault for InvertingVault {
    fn seal(&self, context: &[u8], text: &[u8]) -> Option<Vec<u8>> {
        Some([context, text].concat().iter().map(|byte| !byte).collect())
    }

    fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let text: Vec<u8> = sealed.iter().map(|byte| !byte).collect();
        text.strip_prefix(context).map(<[u8]>::to_vec)
    }
}

pub(crate) async fn with_vault(database: &Database) -> Store {
    let store = database.open().await;
    store.set_vault(Arc::new(InvertingVault));
    store
}

async fn claimed(store: &Store, claim: IdempotencyClaim, now: i64, until: i64) -> bool {
    run!(store, (claim, at(now), at(until)), |(claim, now, until), tx, _| {
        Ok(tx.idempotency_claim(claim, *now, *until).await?)
    })
    .unwrap()
}

/// Claims a key and stores a response for it.
pub(crate) async fn store_response(
    store: &Store,
    claim: IdempotencyClaim,
    status: u16,
    shown_until: Option<i64>,
) -> Result<(), Failure> {
    run!(store, (claim, response(status), shown_until), |(claim, response, until), tx, _| {
        assert!(tx.idempotency_claim(claim, at(0), at(100)).await?);
        Ok(tx.idempotency_store_response(claim, response, until.map(at)).await?)
    })
}

async fn a_claim_and_its_response(database: Database) {
    let store = database.open().await;
    for (status, from, until) in [(201, 1, 10), (409, 10, 20)] {
        assert!(claimed(&store, claim(1, "k"), from, until).await, "it is free, or its record has expired");
        assert!(!claimed(&store, claim(1, "k"), until - 1, until + 5).await, "it is in use until it expires");
        run!(store, response(status), |response, tx, _| {
            Ok(tx.idempotency_store_response(&claim(1, "k"), response, None).await?)
        })
        .unwrap();
        let found = read!(store, idempotency_state(&claim(1, "k"), at(until - 1)));
        assert_eq!(found, Some(IdempotencyState::Response(response(status))));
    }
    let other = IdempotencyClaim { fingerprint: [8; 32], ..claim(1, "k") };
    assert_eq!(read!(store, idempotency_state(&other, at(0))), Some(IdempotencyState::OtherRequest));
    assert_eq!(read!(store, idempotency_state(&claim(1, "K"), at(0))), None);
    assert_eq!(read!(store, idempotency_state(&claim(2, "k"), at(0))), None);
}

async fn a_claim_is_rolled_back_with_its_use_case(database: Database) {
    let store = database.open().await;
    let failed = run!(store, (), |(), tx, _| {
        assert!(tx.idempotency_claim(&claim(1, "k"), at(0), at(9)).await?);
        Err::<(), _>(Failure::OnPurpose)
    });
    assert!(matches!(failed, Err(Failure::OnPurpose)));
    assert!(claimed(&store, claim(1, "k"), 0, 9).await);
}

async fn a_key_belongs_to_its_namespace(database: Database) {
    let store = database.open().await;
    let member = IdempotencyClaim { space: MemberId::new(user_id(1).uuid()).into(), ..claim(1, "k") };
    let person = IdempotencyClaim { space: user_id(2).into(), ..claim(1, "k") };
    for claim in [claim(1, "k"), claim(2, "k"), member, person] {
        assert!(claimed(&store, claim.clone(), 0, 9).await, "{claim:?}");
        assert!(!claimed(&store, claim, 0, 9).await);
    }
}

async fn a_sealed_response_is_shown_until_it_expires(database: Database) {
    let store = with_vault(&database).await;
    store_response(&store, claim(1, "k"), 201, Some(5)).await.unwrap();
    let shown = async |now| read!(store, idempotency_state(&claim(1, "k"), at(now)));
    assert_eq!(shown(4).await, Some(IdempotencyState::Response(response(201))));
    assert_eq!(shown(5).await, Some(IdempotencyState::ResponseDeleted), "even before the sweep");
    assert!(!claimed(&store, claim(1, "k"), 99, 200).await, "the key stays in use");
    // An expired key can be claimed again.
    assert!(claimed(&store, claim(1, "k"), 100, 200).await);
    run!(store, response(202), |response, tx, _| {
        Ok(tx.idempotency_store_response(&claim(1, "k"), response, None).await?)
    })
    .unwrap();
    assert_eq!(shown(150).await, Some(IdempotencyState::Response(response(202))));
    assert!(database.holds(&response(202).body));
}

async fn a_sealed_response_opens_for_its_own_request_only(database: Database) {
    let store = with_vault(&database).await;
    store_response(&store, claim(1, "k"), 201, Some(5)).await.unwrap();
    assert!(!database.holds(&response(201).body), "the secret is in the database");
    let without = database.open().await;
    let mut reader = without.reader().unwrap();
    let refused = reader.tx().unwrap().idempotency_state(&claim(1, "k"), at(1)).await;
    assert!(matches!(refused, Err(StoreError::Unexpected(_))), "{refused:?}");
    let refused = store_response(&without, claim(1, "l"), 201, Some(5)).await;
    assert!(matches!(refused, Err(Failure::Store(StoreError::Unexpected(_)))), "nothing is stored unsealed");
    let other = IdempotencyClaim { fingerprint: [8; 32], ..claim(1, "k") };
    assert_eq!(read!(store, idempotency_state(&other, at(1))), Some(IdempotencyState::OtherRequest));
}

async fn sealed_responses_are_deleted_in_batches(database: Database) {
    let store = with_vault(&database).await;
    for end in 1..=10 {
        store_response(&store, claim(1, &format!("k{end}")), 201, Some(end)).await.unwrap();
    }
    store_response(&store, claim(1, "open"), 201, None).await.unwrap();
    for (now, expected) in [(0, 0), (7, 3), (7, 3), (7, 1), (7, 0)] {
        let deleted =
            run!(store, at(now), |now, tx, _| Ok(tx.idempotency_delete_sealed_responses(*now, 3).await?))
                .unwrap();
        assert_eq!(deleted, expected);
    }
    for end in 1..=10 {
        let found = read!(store, idempotency_state(&claim(1, &format!("k{end}")), at(0)));
        assert_eq!(found == Some(IdempotencyState::ResponseDeleted), end <= 7, "{end}");
    }
    let open = read!(store, idempotency_state(&claim(1, "open"), at(99)));
    assert_eq!(open, Some(IdempotencyState::Response(response(201))));
}

async fn expired_records_are_swept(database: Database) {
    let store = database.open().await;
    for expiry in 1..=10 {
        assert!(claimed(&store, claim(1, &format!("k{expiry}")), 0, expiry).await);
    }
    for (now, expected) in [(0, 0), (7, 3), (7, 3), (7, 1), (7, 0)] {
        let swept =
            run!(store, at(now), |now, tx, _| Ok(tx.idempotency_delete_expired(*now, 3).await?)).unwrap();
        assert_eq!(swept, expected);
    }
    for expiry in 1..=10 {
        let found = read!(store, idempotency_state(&claim(1, &format!("k{expiry}")), at(0)));
        assert_eq!(found.is_some(), expiry > 7, "{expiry}");
    }
}
