//! Pages by keyset: a client that walks through a list sees each remaining row once, whatever is inserted and deleted
//! meanwhile.

use std::collections::BTreeSet;

use tenantry_store::{Edge, Keyset, KeysetPage, Store};

use crate::fixtures::*;
use crate::support::Database;

on_every_engine!(
    keyset_pages_are_slices_of_the_whole,
    a_keyset_page_knows_its_neighbours,
    an_edge_outlives_its_row,
    a_walk_through_pages_sees_each_remaining_row_once,
    a_page_has_rows_of_one_tenant,
);

async fn add(store: &Store, organization: u32, number: u32) {
    let token = access_token(organization, number);
    let hash = hash(u8::try_from(number).unwrap() ^ (u8::try_from(organization).unwrap() << 7));
    run!(store, (token, hash), |(token, hash), tx, _| Ok(tx.access_token_insert(token, hash).await?))
        .unwrap();
}

async fn delete(store: &Store, number: u32) {
    run!(store, access_token(1, number), |token, tx, context| Ok(tx
        .access_token_delete(token.organization, token.id, context.now())
        .await?))
    .unwrap();
}

/// A page of organization 1's tokens, as their numbers.
async fn page(store: &Store, edge: Edge, limit: usize) -> KeysetPage<u32> {
    let found = read!(store, access_tokens_by_cursor(organization_id(1), Keyset { edge, limit }));
    let numbers = found.items.iter().map(|token| u32::try_from(token.created_at.as_micros()).unwrap());
    KeysetPage { items: numbers.collect(), newer: found.newer, older: found.older }
}

async fn with(database: &Database, numbers: impl IntoIterator<Item = u32>) -> Store {
    let store = database.open().await;
    add_organization(&store, 1).await;
    for number in numbers {
        add(&store, 1, number).await;
    }
    store
}

fn id(number: u32) -> uuid::Uuid {
    access_token(1, number).id.uuid()
}

async fn keyset_pages_are_slices_of_the_whole(database: Database) {
    let store = with(&database, 1..=7).await;
    let whole: Vec<u32> = (1..=7).rev().collect();
    for limit in 1..=8 {
        let (mut walked, mut starts, mut edge) = (Vec::new(), Vec::new(), Edge::Newest);
        loop {
            let found = page(&store, edge, limit).await;
            assert!(found.items.len() == limit || found.older.is_none());
            walked.extend(found.items.clone());
            starts.push(found.items);
            match found.older {
                Some(older) => edge = Edge::After(older),
                None => break,
            }
        }
        assert_eq!(walked, whole, "{limit}");
        // Walks back in the same order.
        let mut back = starts.pop().unwrap();
        while let Some(before) = back.first().copied().filter(|first| *first != 7) {
            let found = page(&store, Edge::Before(id(before)), limit).await;
            assert_eq!(found.items, starts.pop().unwrap(), "{limit}");
            back = found.items;
        }
    }
}

async fn a_keyset_page_knows_its_neighbours(database: Database) {
    let store = with(&database, 1..=5).await;
    let expected = |items: &[u32], newer: Option<u32>, older: Option<u32>| KeysetPage {
        items: items.to_vec(),
        newer: newer.map(id),
        older: older.map(id),
    };
    assert_eq!(page(&store, Edge::Newest, 5).await, expected(&[5, 4, 3, 2, 1], None, None));
    assert_eq!(page(&store, Edge::Newest, 4).await, expected(&[5, 4, 3, 2], None, Some(2)));
    assert_eq!(page(&store, Edge::After(id(4)), 2).await, expected(&[3, 2], Some(3), Some(2)));
    assert_eq!(page(&store, Edge::After(id(3)), 2).await, expected(&[2, 1], Some(2), None));
    assert_eq!(page(&store, Edge::Before(id(2)), 2).await, expected(&[4, 3], Some(4), Some(3)));
    assert_eq!(page(&store, Edge::Before(id(3)), 2).await, expected(&[5, 4], None, Some(4)));
    assert_eq!(page(&store, Edge::Before(id(4)), 2).await, expected(&[5], None, Some(5)));
    // Pages beyond either end are empty, and lead back to the nearest page.
    let past_end = page(&store, Edge::After(id(1)), 2).await;
    assert_eq!((past_end.items.len(), past_end.older), (0, None));
    assert_eq!(page(&store, Edge::Before(past_end.newer.unwrap()), 2).await.items, [2, 1]);
    let before_start = page(&store, Edge::Before(id(5)), 2).await;
    assert_eq!((before_start.items.len(), before_start.newer), (0, None));
    assert_eq!(page(&store, Edge::After(before_start.older.unwrap()), 2).await.items, [5, 4]);
}

async fn an_edge_outlives_its_row(database: Database) {
    let store = with(&database, 1..=4).await;
    delete(&store, 3).await;
    assert_eq!(page(&store, Edge::After(id(3)), 2).await.items, [2, 1]);
    assert_eq!(page(&store, Edge::Before(id(3)), 2).await.items, [4]);
    for number in [1, 2, 4] {
        delete(&store, number).await;
    }
    for edge in [Edge::Newest, Edge::After(id(3)), Edge::Before(id(3))] {
        assert_eq!(page(&store, edge, 2).await, KeysetPage { items: vec![], newer: None, older: None });
    }
}

/// After each page a row is inserted and another deleted, so that rows everywhere in the list come and go.
async fn a_walk_through_pages_sees_each_remaining_row_once(database: Database) {
    let store = with(&database, (1..=10).map(|number| 2 * number)).await;
    walk(&store, Edge::Newest, |number| 2 * number).await;
    for number in 1..=100 {
        delete(&store, number).await;
    }
    for number in 1..=10 {
        add(&store, 1, 100 + 2 * number).await;
    }
    walk(&store, Edge::Before(uuid::Uuid::nil()), |number| 100 + 2 * number).await;
}

/// Walks through rows 1 to 10 from the edge. `of` maps them to the numbers of their tokens.
async fn walk(store: &Store, mut edge: Edge, of: impl Fn(u32) -> u32) {
    let (mut seen, mut deleted) = (Vec::new(), BTreeSet::new());
    for round in 0..10 {
        let found = page(store, edge, 3).await;
        seen.extend(found.items);
        add(store, 1, of(10 - round) - 1).await;
        let number = of(1 + (round * 7) % 10);
        delete(store, number).await;
        deleted.insert(number);
        edge = match (edge, found.newer, found.older) {
            (Edge::Before(_), Some(newer), _) => Edge::Before(newer),
            (Edge::Newest | Edge::After(_), _, Some(older)) => Edge::After(older),
            _ => break,
        };
    }
    let remaining: Vec<u32> = (1..=10).map(of).filter(|number| !deleted.contains(number)).collect();
    assert!(remaining.len() >= 4, "{remaining:?}");
    for number in remaining {
        assert!(seen.contains(&number), "{number} is not in {seen:?}");
    }
    let distinct: BTreeSet<u32> = seen.iter().copied().collect();
    assert_eq!(distinct.len(), seen.len(), "no row twice: {seen:?}");
}

async fn a_page_has_rows_of_one_tenant(database: Database) {
    let store = with(&database, [2, 4]).await;
    add_organization(&store, 2).await;
    for number in [1, 3, 5] {
        add(&store, 2, number).await;
    }
    assert_eq!(
        page(&store, Edge::Newest, 9).await,
        KeysetPage { items: vec![4, 2], newer: None, older: None }
    );
    assert_eq!(page(&store, Edge::After(id(4)), 1).await.older, None);
    assert_eq!(page(&store, Edge::Before(id(2)), 1).await.newer, None);
}
