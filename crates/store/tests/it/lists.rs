//! Lists: their rows, their order and their totals.

use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::OrganizationStatus;
use tenantry_core::values::Metadata;
use tenantry_store::{
    CustomerFilter, CustomerKey, MemberFilter, Order, OrganizationFilter, OrganizationKey, Page, Store,
};

use crate::fixtures::*;
use crate::support::Database;

on_every_engine!(
    customers_are_newest_first_unless_ordered,
    customers_without_a_name_come_last_and_first_when_descending,
    ties_are_broken_by_id,
    pages_are_slices_of_the_whole,
    customers_by_metadata,
    customers_in_brief,
    customers_by_text,
    a_very_long_query_finds_nothing,
    customers_by_address,
    every_spelling_of_a_text_finds_it,
    every_spelling_of_an_external_id_finds_it,
    the_lists_of_several_organizations,
    members_by_customer_and_role,
    counters_equal_the_number_of_rows,
    organizations_in_order,
);

fn filter() -> CustomerFilter {
    CustomerFilter { organizations: vec![organization_id(1)], ..CustomerFilter::default() }
}

fn by(by: CustomerKey, descending: bool) -> Order<CustomerKey> {
    Order { by, descending }
}

/// The result of a filter that matches no row.
const NOBODY: [u32; 0] = [];

/// The numbers of the customers, in order.
fn numbers(customers: &[Customer]) -> Vec<u32> {
    customers.iter().map(|found| u32::try_from(found.created_at.as_micros()).unwrap()).collect()
}

async fn found(store: &Store, filter: CustomerFilter) -> Vec<u32> {
    let paged = read!(store, customers(&filter, PAGE));
    assert_eq!(paged.total, u64::try_from(paged.items.len()).unwrap(), "the length is that of the list");
    numbers(&paged.items)
}

/// Adds customers 1, 2, .. with these names. An empty text means no name.
async fn add_named(store: &Store, names: &[&str]) {
    for (number, name) in (1..).zip(names) {
        let name = (!name.is_empty()).then(|| name.parse().unwrap());
        add_customer(store, &Customer { name, ..customer(1, number) }).await;
    }
}

async fn customers_are_newest_first_unless_ordered(database: Database) {
    let store = database.open().await;
    add_named(&store, &["c", "a", "B"]).await;
    let ordered = |order| CustomerFilter { order, ..filter() };
    assert_eq!(found(&store, ordered(vec![])).await, [3, 2, 1]);
    assert_eq!(found(&store, ordered(vec![by(CustomerKey::CreatedAt, false)])).await, [1, 2, 3]);
    assert_eq!(found(&store, ordered(vec![by(CustomerKey::CreatedAt, true)])).await, [3, 2, 1]);
    assert_eq!(found(&store, ordered(vec![by(CustomerKey::Email, true)])).await, [3, 2, 1]);
    assert_eq!(found(&store, ordered(vec![by(CustomerKey::Email, false)])).await, [1, 2, 3]);
    // Texts sort by code point: capitals before small letters.
    assert_eq!(found(&store, ordered(vec![by(CustomerKey::Name, false)])).await, [3, 2, 1]);
}

async fn customers_in_brief(database: Database) {
    let store = database.open().await;
    let metadata = serde_json::from_str(r#"{"large":"data"}"#).unwrap();
    let billing_name = Some("Ada Ltd".parse().unwrap());
    let whole = Customer { name: Some("Ada".parse().unwrap()), metadata, billing_name, ..customer(1, 1) };
    add_customer(&store, &whole).await;
    let list = |in_brief| CustomerFilter { in_brief, ..filter() };
    assert_eq!(read!(&store, customers(&list(false), PAGE)).items, std::slice::from_ref(&whole));
    let brief = Customer { metadata: Metadata::default(), billing_name: None, ..whole };
    assert_eq!(read!(&store, customers(&list(true), PAGE)).items, [brief]);
}

async fn customers_without_a_name_come_last_and_first_when_descending(database: Database) {
    let store = database.open().await;
    add_named(&store, &["b", "", "a", ""]).await;
    let ordered = |descending| CustomerFilter { order: vec![by(CustomerKey::Name, descending)], ..filter() };
    assert_eq!(found(&store, ordered(false)).await, [3, 1, 2, 4]);
    assert_eq!(found(&store, ordered(true)).await, [2, 4, 1, 3]);
}

async fn ties_are_broken_by_id(database: Database) {
    let store = database.open().await;
    add_named(&store, &["b", "a", "b", "a", "b"]).await;
    let name = |descending, more: &[Order<CustomerKey>]| CustomerFilter {
        order: [&[by(CustomerKey::Name, descending)], more].concat(),
        ..filter()
    };
    assert_eq!(found(&store, name(false, &[])).await, [2, 4, 1, 3, 5]);
    assert_eq!(found(&store, name(true, &[])).await, [1, 3, 5, 2, 4]);
    let newest = [by(CustomerKey::CreatedAt, true)];
    assert_eq!(found(&store, name(false, &newest)).await, [4, 2, 5, 3, 1]);
}

async fn pages_are_slices_of_the_whole(database: Database) {
    let store = database.open().await;
    add_named(&store, &["b", "a", "b", "", "a", "b", ""]).await;
    for order in [vec![], vec![by(CustomerKey::Name, false)], vec![by(CustomerKey::Name, true)]] {
        let filter = CustomerFilter { order, ..filter() };
        let whole = found(&store, filter.clone()).await;
        for limit in 1..=8 {
            let mut pages = Vec::new();
            for offset in (0..9).step_by(limit) {
                let page = Page { offset: offset as u64, limit: limit as u64 };
                let part = read!(store, customers(&filter, page));
                assert_eq!(part.total, 7, "the length is that of the whole");
                assert!(part.items.len() <= limit);
                pages.extend(numbers(&part.items));
            }
            assert_eq!(pages, whole, "{limit} a page");
        }
        let beyond = Page { offset: u64::MAX, limit: u64::MAX };
        assert_eq!(read!(store, customers(&filter, beyond)).items, []);
    }
}

async fn customers_by_metadata(database: Database) {
    let store = database.open().await;
    let notes = [
        r#"{"plan":"pro","seats":3}"#,
        r#"{"plan":"free","beta":true}"#,
        r#"{"plan":"pro","beta":false}"#,
        r#"{"seats":"3"}"#,
        "{}",
    ];
    for (number, json) in (1..).zip(notes) {
        let metadata = serde_json::from_str(json).unwrap();
        add_customer(&store, &Customer { metadata, ..customer(1, number) }).await;
    }
    let with = |wanted: &[(&str, &[&str])]| {
        let owned = |(key, values): &(&str, &[&str])| {
            ((*key).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
        };
        CustomerFilter { metadata: wanted.iter().map(owned).collect(), ..filter() }
    };
    assert_eq!(found(&store, with(&[("plan", &["pro"])])).await, [3, 1]);
    assert_eq!(found(&store, with(&[("plan", &["pro", "free"])])).await, [3, 2, 1]);
    assert_eq!(found(&store, with(&[("plan", &["pro"]), ("seats", &["3"])])).await, [1]);
    assert_eq!(found(&store, with(&[("seats", &["3"])])).await, [4, 1], "by the value's text");
    assert_eq!(found(&store, with(&[("beta", &["true"])])).await, [2]);
    assert_eq!(found(&store, with(&[("plan", &["Pro"])])).await, NOBODY);
    assert_eq!(found(&store, with(&[("PLAN", &["pro"])])).await, NOBODY);
    assert_eq!(found(&store, with(&[("plan", &["%"])])).await, NOBODY);
    // A customer is found by its new metadata only, and not at all once it is deleted.
    let before = read!(store, customer(organization_id(1), customer_id(1))).unwrap();
    let after = Customer { metadata: serde_json::from_str(r#"{"plan":"free"}"#).unwrap(), ..before.clone() };
    run!(store, (before, after), |(before, after), tx, _| Ok(tx.customer_update(before, after).await?))
        .unwrap();
    delete_customer(&store, &customer(1, 3)).await;
    assert_eq!(found(&store, with(&[("plan", &["pro"])])).await, NOBODY);
    assert_eq!(found(&store, with(&[("plan", &["free"])])).await, [2, 1]);
    assert_eq!(found(&store, with(&[("seats", &["3"])])).await, [4]);
}

async fn customers_by_text(database: Database) {
    let store = database.open().await;
    let texts = [
        ("50% off", "", ""),
        ("50 off", "a_b", ""),
        ("ZOË", "axb", ""),
        ("back\\slash", "A_B", "Invoice Name"),
        ("", "%", ""),
    ];
    for (number, (name, external_id, billing_name)) in (1..).zip(texts) {
        let new = Customer {
            name: (!name.is_empty()).then(|| name.parse().unwrap()),
            external_id: (!external_id.is_empty()).then(|| external_id.parse().unwrap()),
            billing_name: (!billing_name.is_empty()).then(|| billing_name.parse().unwrap()),
            ..customer(1, number)
        };
        add_customer(&store, &new).await;
    }
    let cases: [(&str, &[u32]); 15] = [
        ("50% o", &[1]),
        ("50", &[2, 1]),
        ("0%", &[1]),
        ("%", &[5, 1]),
        ("_", &[]),
        ("a_", &[2]),
        ("A_B", &[4]),
        ("b", &[4]),
        ("k\\s", &[4]),
        ("\\", &[4]),
        ("zoë", &[3]),
        ("ZoË", &[3]),
        ("invoice n", &[4]),
        ("CUSTOMER2@EXAMPLE", &[2]),
        ("nothing of the kind", &[]),
    ];
    for (query, expected) in cases {
        let filter = CustomerFilter { query: Some(query.to_owned()), ..filter() };
        assert_eq!(found(&store, filter).await, expected, "{query:?}");
    }
}

async fn a_very_long_query_finds_nothing(database: Database) {
    let store = database.open().await;
    add_named(&store, &["a"]).await;
    for length in [2_000, 60_000] {
        let filter = CustomerFilter { query: Some("_".repeat(length)), ..filter() };
        assert_eq!(found(&store, filter).await, NOBODY);
    }
}

async fn customers_by_address(database: Database) {
    let store = database.open().await;
    add_named(&store, &["a", "b"]).await;
    let with = |email_key: &str| CustomerFilter { email_key: Some(email_key.to_owned()), ..filter() };
    assert_eq!(found(&store, with("customer2@example.com")).await, [2]);
    assert_eq!(found(&store, with("customer%")).await, NOBODY);
}

async fn every_spelling_of_a_text_finds_it(database: Database) {
    let store = database.open().await;
    let new = Customer {
        name: Some("Zoe\u{308} \u{39f}\u{394}\u{39f}\u{3a3}".parse().unwrap()),
        billing_name: Some("Stra\u{df}e AG".parse().unwrap()),
        external_id: Some("Cus 1".parse().unwrap()),
        email: Some("ada@b\u{fc}cher.example".parse().unwrap()),
        ..customer(1, 1)
    };
    add_customer(&store, &new).await;
    add_customer(&store, &customer(1, 2)).await;
    for query in [
        "zo\u{eb}",
        "ZOE\u{308}",
        " Zo\u{cb} ",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
        "\u{3bf}\u{3b4}\u{3bf}\u{3c3}",
        "strasse",
        "STRA\u{1e9e}E",
        " Cus 1 ",
        "B\u{dc}CHER",
        "bu\u{308}cher",
        "ada@xn--bcher-kva.example",
    ] {
        let filter = CustomerFilter { query: Some(query.to_owned()), ..filter() };
        assert_eq!(found(&store, filter).await, [1], "{query:?}");
    }
}

async fn every_spelling_of_an_external_id_finds_it(database: Database) {
    let store = database.open().await;
    let a = Customer { external_id: Some(" u1 ".parse().unwrap()), ..customer(1, 1) };
    add_customer(&store, &a).await;
    let owner = Member { external_id: Some(" m1".parse().unwrap()), ..member(&a, 1, MemberRole::Owner) };
    add_member(&store, &owner).await;
    for (customer, member) in [("u1", "m1"), (" u1", " m1"), ("u1 ", "m1\t"), ("\u{a0}u1\n", "\u{3000}m1 ")] {
        assert_eq!(
            read!(store, customer_by_external_id(a.organization, customer)),
            Some(a.id),
            "{customer:?}"
        );
        let found = read!(store, member_by_external_id(a.organization, a.id, member));
        assert_eq!(found.map(|found| found.id), Some(owner.id), "{member:?}");
        let filter = MemberFilter {
            organizations: vec![a.organization],
            external_customer: Some(customer.to_owned()),
            ..MemberFilter::default()
        };
        assert_eq!(read!(store, members(&filter, PAGE)).total, 1, "{customer:?}");
    }
    assert_eq!(read!(store, customer_by_external_id(a.organization, " ")), None);
    assert_eq!(read!(store, customer_by_external_id(a.organization, "U1")), None);
}

async fn the_lists_of_several_organizations(database: Database) {
    let store = database.open().await;
    for (organization, number) in [(1, 1), (2, 2), (3, 3), (1, 4)] {
        let new = customer(organization, number);
        add_customer(&store, &new).await;
        add_member(&store, &member(&new, number, MemberRole::Owner)).await;
    }
    for (organizations, expected) in
        [(vec![], vec![]), (vec![1], vec![4, 1]), (vec![1, 3], vec![4, 3, 1]), (vec![9], vec![])]
    {
        let organizations: Vec<_> = organizations.into_iter().map(organization_id).collect();
        let filter = CustomerFilter { organizations: organizations.clone(), ..CustomerFilter::default() };
        assert_eq!(found(&store, filter).await, expected);
        let filter = MemberFilter { organizations, ..MemberFilter::default() };
        let members = read!(store, members(&filter, PAGE));
        let ids: Vec<_> = expected.iter().map(|number| member_id(*number)).collect();
        assert_eq!(members.items.iter().map(|member| member.id).collect::<Vec<_>>(), ids);
        assert_eq!(members.total, u64::try_from(ids.len()).unwrap());
    }
}

async fn members_by_customer_and_role(database: Database) {
    let store = database.open().await;
    let (a, b) = (Customer { external_id: Some("a".parse().unwrap()), ..customer(1, 1) }, customer(1, 2));
    let roles = [MemberRole::Owner, MemberRole::Member, MemberRole::BillingManager, MemberRole::Member];
    for customer in [&a, &b] {
        add_customer(&store, customer).await;
    }
    for (number, role) in (1..).zip(roles) {
        add_member(&store, &member(&a, number, role)).await;
    }
    add_member(&store, &member(&b, 5, MemberRole::Owner)).await;
    let all = MemberFilter { organizations: vec![organization_id(1)], ..MemberFilter::default() };
    let cases = [
        (all.clone(), vec![5, 4, 3, 2, 1]),
        (MemberFilter { oldest_first: true, ..all.clone() }, vec![1, 2, 3, 4, 5]),
        (MemberFilter { customer: Some(a.id), ..all.clone() }, vec![4, 3, 2, 1]),
        (MemberFilter { external_customer: Some("a".to_owned()), ..all.clone() }, vec![4, 3, 2, 1]),
        (MemberFilter { external_customer: Some("A".to_owned()), ..all.clone() }, vec![]),
        (MemberFilter { role: Some(MemberRole::Owner), ..all.clone() }, vec![5, 1]),
        (MemberFilter { role: Some(MemberRole::Member), customer: Some(a.id), ..all.clone() }, vec![4, 2]),
        (
            MemberFilter { external_customer: Some("a".to_owned()), customer: Some(b.id), ..all.clone() },
            vec![],
        ),
        (MemberFilter { customer: Some(customer_id(9)), ..all }, vec![]),
    ];
    for (filter, expected) in cases {
        let ids: Vec<_> = expected.iter().map(|number| member_id(*number)).collect();
        let whole = read!(store, members(&filter, PAGE));
        assert_eq!(whole.items.iter().map(|found| found.id).collect::<Vec<_>>(), ids, "{filter:?}");
        assert_eq!(whole.total, u64::try_from(ids.len()).unwrap(), "{filter:?}");
        let part = read!(store, members(&filter, Page { offset: 1, limit: 2 }));
        assert_eq!(part.total, whole.total);
        assert_eq!(part.items, whole.items.into_iter().skip(1).take(2).collect::<Vec<Member>>());
    }
}

/// Enough rows for every bucket of a counter.
async fn counters_equal_the_number_of_rows(database: Database) {
    let store = database.open().await;
    let teams: Vec<Customer> = (1..=40).map(|number| customer(1, number)).collect();
    for (number, team) in (1..).zip(&teams) {
        add_customer(&store, team).await;
        add_member(&store, &member(team, number, MemberRole::Owner)).await;
        if number % 3 == 0 {
            add_member(&store, &member(team, number + 100, MemberRole::Member)).await;
        }
    }
    assert_eq!((customers_total(&store, 1).await, members_total(&store, 1, None).await), (40, 53));
    for (number, team) in (1..).zip(&teams) {
        let before = members_total(&store, 1, Some(team.id)).await;
        assert_eq!(before, if number % 3 == 0 { 2 } else { 1 });
        if number % 2 == 0 {
            for gone in read!(store, members_of_customer(team.organization, team.id)) {
                delete_member(&store, &gone).await;
            }
            delete_customer(&store, team).await;
            assert_eq!(members_total(&store, 1, Some(team.id)).await, 0);
        }
    }
    assert_eq!((customers_total(&store, 1).await, members_total(&store, 1, None).await), (20, 27));
    assert_eq!((customers_total(&store, 2).await, members_total(&store, 2, None).await), (0, 0));
    // The kind of a customer does not matter for the count.
    let person = Customer { kind: CustomerKind::Individual, ..customer(1, 99) };
    add_customer(&store, &person).await;
    assert_eq!(customers_total(&store, 1).await, 21);
}

async fn organizations_in_order(database: Database) {
    let store = database.open().await;
    for (number, slug, name) in [(1, "ccc", "Abc"), (2, "aaa", "Xyz"), (3, "bbb", "Abc"), (4, "ddd", "Off")] {
        let mut new = organization(number);
        new.slug = slug.parse().unwrap();
        new.name = name.parse().unwrap();
        if number == 4 {
            new.status = OrganizationStatus::Blocked;
        }
        run!(store, new, |new, tx, _| Ok(tx.organization_insert(new).await?)).unwrap();
    }
    let all = OrganizationFilter::default();
    let order = |by, descending| vec![Order { by, descending }];
    let visible = |numbers: &[u32]| Some(numbers.iter().map(|number| organization_id(*number)).collect());
    let cases = [
        (all.clone(), vec![1, 2, 3]),
        (OrganizationFilter { order: order(OrganizationKey::CreatedAt, true), ..all.clone() }, vec![3, 2, 1]),
        (OrganizationFilter { order: order(OrganizationKey::Slug, false), ..all.clone() }, vec![2, 3, 1]),
        (OrganizationFilter { order: order(OrganizationKey::Slug, true), ..all.clone() }, vec![1, 3, 2]),
        (OrganizationFilter { order: order(OrganizationKey::Name, false), ..all.clone() }, vec![1, 3, 2]),
        (OrganizationFilter { order: order(OrganizationKey::Name, true), ..all.clone() }, vec![2, 1, 3]),
        (OrganizationFilter { slug: Some("AAA".to_owned()), ..all.clone() }, vec![2]),
        (OrganizationFilter { slug: Some("ddd".to_owned()), ..all.clone() }, vec![]),
        (OrganizationFilter { visible: visible(&[3, 1, 4]), ..all.clone() }, vec![1, 3]),
        (OrganizationFilter { visible: visible(&[1]), slug: Some("aaa".to_owned()), ..all.clone() }, vec![]),
        (OrganizationFilter { visible: visible(&[]), ..all }, vec![]),
    ];
    for (filter, expected) in cases {
        let found = read!(store, organizations(&filter, PAGE));
        let expected: Vec<_> = expected.into_iter().map(organization_id).collect();
        assert_eq!(found.items.iter().map(|found| found.id).collect::<Vec<_>>(), expected, "{filter:?}");
        assert_eq!(found.total, u64::try_from(expected.len()).unwrap());
    }
}
