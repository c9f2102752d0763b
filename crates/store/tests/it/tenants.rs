//! No query finds a row of another tenant.

use tenantry_core::customer::Customer;
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::team::TeamRole;
use tenantry_store::{CustomerFilter, Edge, Keyset, MemberFilter, OrganizationFilter};

use crate::fixtures::*;
use crate::support::Database;

on_every_engine!(nothing_is_found_by_another_tenant, nothing_is_changed_by_another_tenant);

/// A customer of organization 1 with every searchable value, and its owner.
async fn with_customer(database: &Database) -> (tenantry_store::Store, Customer, Member) {
    let store = database.open().await;
    for number in [1, 2] {
        add_organization(&store, number).await;
    }
    let theirs = Customer {
        name: Some("Ann".parse().unwrap()),
        external_id: Some("e".parse().unwrap()),
        metadata: serde_json::from_str(r#"{"k":"v"}"#).unwrap(),
        ..customer(1, 1)
    };
    let owner = Member { external_id: Some("m".parse().unwrap()), ..member(&theirs, 1, MemberRole::Owner) };
    add_customer(&store, &theirs).await;
    add_member(&store, &owner).await;
    run!(store, (), |(), tx, _| {
        tx.team_insert(&team_member(1, 1, TeamRole::Owner)).await?;
        Ok(tx.access_token_insert(&access_token(1, 1), &hash(1)).await?)
    })
    .unwrap();
    (store, theirs, owner)
}

async fn nothing_is_found_by_another_tenant(database: Database) {
    let (store, theirs, owner) = with_customer(&database).await;
    let email = theirs.email.clone().unwrap();
    // The row's own organization runs each query too, which proves that the row can be found.
    for (number, own) in [(1, true), (2, false)] {
        let id = organization_id(number);
        assert_eq!(read!(store, customer(id, theirs.id)).is_some(), own);
        assert_eq!(read!(store, customer_for_update(id, theirs.id)).is_some(), own);
        assert_eq!(read!(store, customer_by_external_id(id, "e")).is_some(), own);
        assert_eq!(read!(store, customer_email_taken(id, &email, None)), own);
        assert_eq!(read!(store, member(id, owner.id)).is_some(), own);
        assert_eq!(read!(store, member_by_email(id, theirs.id, &owner.email)).is_some(), own);
        assert_eq!(read!(store, member_by_external_id(id, theirs.id, "m")).is_some(), own);
        let room = read!(store, member_conflicts(id, theirs.id, &owner.email, Some("m"))).unwrap();
        assert_eq!((room.same_email.is_some(), room.external_id_taken), (own, own));
        assert_eq!(read!(store, customer_owner(id, theirs.id)).is_some(), own);
        assert_eq!(!read!(store, members_of_customer(id, theirs.id)).is_empty(), own);
        assert_eq!(read!(store, team_member(id, user_id(1))).is_some(), own);
        assert_eq!(!read!(store, team(id)).is_empty(), own);
        assert_eq!(read!(store, access_token(id, access_token(1, 1).id)).is_some(), own);
        let own_tokens = read!(store, access_tokens_by_cursor(id, Keyset { edge: Edge::Newest, limit: 9 }));
        assert_eq!(!own_tokens.items.is_empty(), own);
        let all = CustomerFilter { organizations: vec![id], ..CustomerFilter::default() };
        for filter in [
            all.clone(),
            CustomerFilter { query: Some("ann".to_owned()), ..all.clone() },
            CustomerFilter { email_key: Some(email.key().to_owned()), ..all.clone() },
            CustomerFilter { metadata: vec![("k".to_owned(), vec!["v".to_owned()])], ..all },
        ] {
            let found = read!(store, customers(&filter, PAGE));
            assert_eq!((found.items.len(), found.total), (usize::from(own), u64::from(own)), "{filter:?}");
        }
        let all = MemberFilter { organizations: vec![id], ..MemberFilter::default() };
        for filter in [
            all.clone(),
            MemberFilter { customer: Some(theirs.id), ..all.clone() },
            MemberFilter { external_customer: Some("e".to_owned()), ..all.clone() },
            MemberFilter { role: Some(MemberRole::Owner), ..all },
        ] {
            let found = read!(store, members(&filter, PAGE));
            assert_eq!((found.items.len(), found.total), (usize::from(own), u64::from(own)), "{filter:?}");
        }
        let slug = Some("organization-1".to_owned());
        let filter = OrganizationFilter { visible: Some(vec![id]), slug, ..OrganizationFilter::default() };
        assert_eq!(read!(store, organizations(&filter, PAGE)).items.len(), usize::from(own));
    }
}

async fn nothing_is_changed_by_another_tenant(database: Database) {
    let (store, theirs, owner) = with_customer(&database).await;
    let other = organization_id(2);
    let forged =
        (Customer { organization: other, ..theirs.clone() }, Member { organization: other, ..owner.clone() });
    run!(store, forged, |(customer, member), tx, context| {
        let renamed = Customer { name: None, ..customer.clone() };
        tx.customer_update(customer, &renamed).await?;
        tx.member_update(&Member { name: Some("Eve".parse().unwrap()), ..member.clone() }).await?;
        tx.team_delete(customer.organization, user_id(1)).await?;
        Ok(tx.access_token_delete(customer.organization, access_token(1, 1).id, context.now()).await?)
    })
    .unwrap();
    assert_eq!(read!(store, customer(theirs.organization, theirs.id)), Some(theirs.clone()));
    assert_eq!(read!(store, member(theirs.organization, owner.id)), Some(owner));
    assert_eq!(read!(store, team(organization_id(1))).len(), 1);
    assert!(read!(store, credential_owner(&hash(1), at(1))).is_some());
}
