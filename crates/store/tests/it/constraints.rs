//! Every uniqueness rule is a database constraint as well, and its violation is reported by the constraint's name.

use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::invitation::{Invitation, settle};
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::Organization;
use tenantry_core::team::TeamRole;
use tenantry_store::Store;

use crate::fixtures::*;
use crate::support::{Database, violated};

on_every_engine!(
    a_member_address_occurs_once_in_a_customer,
    a_member_external_id_occurs_once_in_a_customer,
    a_customer_has_one_owner,
    an_individual_has_one_member,
    a_customer_address_occurs_once_in_an_organization,
    a_customer_external_id_occurs_once_in_an_organization,
    a_person_is_in_a_team_once,
    a_team_has_one_owner,
    an_address_has_one_pending_invitation,
    a_slug_is_unique,
    a_child_has_no_children,
    concurrent_creation_of_sub_accounts_leaves_one_level,
    an_id_is_unique,
    a_secret_is_unique,
    a_violation_in_a_savepoint_does_not_end_the_use_case,
);

on_distributed_tables!(
    a_member_address_occurs_once_in_a_customer,
    an_individual_has_one_member,
    a_slug_is_unique,
    a_child_has_no_children,
    a_secret_is_unique,
    a_violation_in_a_savepoint_does_not_end_the_use_case,
);

async fn with_team(database: &Database) -> (Store, Customer, Member) {
    let store = database.open().await;
    let team = customer(1, 1);
    let owner = member(&team, 1, MemberRole::Owner);
    add_customer(&store, &team).await;
    add_member(&store, &owner).await;
    (store, team, owner)
}

async fn insert_member(store: &Store, new: &Member) -> String {
    insert_member_of(store, CustomerKind::Team, new).await
}

async fn insert_member_of(store: &Store, kind: CustomerKind, new: &Member) -> String {
    violated(run!(store, (kind, new.clone()), |(kind, new), tx, _| Ok(tx.member_insert(new, *kind).await?)))
}

async fn update_member(store: &Store, changed: &Member) -> String {
    violated(run!(store, changed.clone(), |changed, tx, _| Ok(tx.member_update(changed).await?)))
}

async fn insert_customer(store: &Store, new: &Customer) -> String {
    violated(run!(store, new.clone(), |new, tx, _| Ok(tx.customer_insert(new).await?)))
}

async fn update_customer(store: &Store, before: &Customer, after: &Customer) -> String {
    let both = (before.clone(), after.clone());
    violated(run!(store, both, |(before, after), tx, _| Ok(tx.customer_update(before, after).await?)))
}

async fn a_member_address_occurs_once_in_a_customer(database: Database) {
    let (store, team, owner) = with_team(&database).await;
    let mut same = member(&team, 2, MemberRole::Member);
    same.email = "MEMBER1@example.com".parse().unwrap();
    assert_eq!(same.email.key(), owner.email.key());
    assert_eq!(insert_member(&store, &same).await, "members_email");
    let other = member(&team, 3, MemberRole::Member);
    add_member(&store, &other).await;
    assert_eq!(update_member(&store, &Member { email: owner.email, ..other.clone() }).await, "members_email");
    // The address is free in another customer, and again after the deletion of its member.
    let elsewhere = customer(1, 2);
    add_customer(&store, &elsewhere).await;
    add_member(&store, &Member { customer_id: elsewhere.id, ..same.clone() }).await;
    delete_member(&store, &other).await;
    add_member(&store, &Member { id: member_id(4), ..other }).await;
    assert_eq!(members_total(&store, 1, Some(team.id)).await, 2);
    assert_eq!(members_total(&store, 1, None).await, 3);
}

async fn a_member_external_id_occurs_once_in_a_customer(database: Database) {
    let (store, team, _) = with_team(&database).await;
    let named = Member { external_id: Some("e".parse().unwrap()), ..member(&team, 2, MemberRole::Member) };
    add_member(&store, &named).await;
    let same = Member { external_id: named.external_id.clone(), ..member(&team, 3, MemberRole::Member) };
    assert_eq!(insert_member(&store, &same).await, "members_external_id");
    // Members without an external id do not conflict. Case matters. A deleted member frees its external id.
    add_member(&store, &member(&team, 4, MemberRole::Member)).await;
    let upper = Member { external_id: Some("E".parse().unwrap()), ..member(&team, 5, MemberRole::Member) };
    add_member(&store, &upper).await;
    delete_member(&store, &named).await;
    add_member(&store, &same).await;
    let found = read!(store, member_by_external_id(team.organization, team.id, "e"));
    assert_eq!(found, Some(same));
}

async fn a_customer_has_one_owner(database: Database) {
    let (store, team, owner) = with_team(&database).await;
    assert_eq!(insert_member(&store, &member(&team, 2, MemberRole::Owner)).await, "members_owner");
    let heir = member(&team, 3, MemberRole::Member);
    add_member(&store, &heir).await;
    let promoted = Member { role: MemberRole::Owner, ..heir };
    assert_eq!(update_member(&store, &promoted).await, "members_owner");
    // The owner is demoted before the next one is promoted.
    let both = (Member { role: MemberRole::BillingManager, ..owner }, promoted.clone());
    run!(store, both, |(demoted, promoted), tx, _| {
        tx.member_update(demoted).await?;
        Ok(tx.member_update(promoted).await?)
    })
    .unwrap();
    assert_eq!(read!(store, customer_owner(team.organization, team.id)), Some(promoted));
}

async fn an_individual_has_one_member(database: Database) {
    let store = database.open().await;
    let person = Customer { kind: CustomerKind::Individual, ..customer(1, 1) };
    add_customer(&store, &person).await;
    let owner = member(&person, 1, MemberRole::Owner);
    add_member_of(&store, CustomerKind::Individual, &owner).await;
    let second = member(&person, 2, MemberRole::Member);
    assert_eq!(insert_member_of(&store, CustomerKind::Individual, &second).await, "members_of_individual");
    assert_eq!(members_total(&store, 1, Some(person.id)).await, 1);
    // The individual becomes a team, which may have two members and cannot become an individual again.
    let team = Customer { kind: CustomerKind::Team, ..person.clone() };
    let both = (person.clone(), team.clone());
    run!(store, both, |(before, after), tx, _| Ok(tx.customer_update(before, after).await?)).unwrap();
    add_member(&store, &second).await;
    assert_eq!(update_customer(&store, &team, &person).await, "members_of_individual");
}

async fn a_customer_address_occurs_once_in_an_organization(database: Database) {
    let store = database.open().await;
    let (first, mut second) = (customer(1, 1), customer(1, 2));
    add_customer(&store, &first).await;
    second.email = Some("CUSTOMER1@example.com".parse().unwrap());
    assert_eq!(insert_customer(&store, &second).await, "customers_email");
    let third = customer(1, 3);
    add_customer(&store, &third).await;
    let taken = Customer { email: first.email.clone(), ..third.clone() };
    assert_eq!(update_customer(&store, &third, &taken).await, "customers_email");
    // The address is free in another organization, and again after the deletion of its customer. Customers without an
    // address do not conflict.
    add_customer(&store, &Customer { organization: organization_id(2), ..second.clone() }).await;
    delete_customer(&store, &first).await;
    add_customer(&store, &second).await;
    add_customer(&store, &Customer { email: None, ..customer(1, 4) }).await;
    add_customer(&store, &Customer { email: None, ..customer(1, 5) }).await;
    assert_eq!((customers_total(&store, 1).await, customers_total(&store, 2).await), (4, 1));
}

async fn a_customer_external_id_occurs_once_in_an_organization(database: Database) {
    let store = database.open().await;
    let named = |number| Customer { external_id: Some("e".parse().unwrap()), ..customer(1, number) };
    add_customer(&store, &named(1)).await;
    assert_eq!(insert_customer(&store, &named(2)).await, "customers_external_id");
    add_customer(&store, &customer(1, 2)).await;
    assert_eq!(update_customer(&store, &customer(1, 2), &named(2)).await, "customers_external_id");
    add_customer(&store, &Customer { organization: organization_id(2), ..named(1) }).await;
    delete_customer(&store, &named(1)).await;
    add_customer(&store, &named(3)).await;
    assert_eq!(read!(store, customer_by_external_id(organization_id(1), "e")), Some(customer_id(3)));
    assert_eq!(read!(store, customer_by_external_id(organization_id(1), "E")), None);
}

async fn a_person_is_in_a_team_once(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_organization(&store, 2).await;
    let join = |role| team_member(1, 1, role);
    run!(store, join(TeamRole::Analyst), |new, tx, _| Ok(tx.team_insert(new).await?)).unwrap();
    let again = run!(store, join(TeamRole::Developer), |new, tx, _| Ok(tx.team_insert(new).await?));
    assert_eq!(violated(again), "team_members_pkey");
    let elsewhere = team_member(2, 1, TeamRole::Analyst);
    run!(store, elsewhere, |new, tx, _| Ok(tx.team_insert(new).await?)).unwrap();
    assert_eq!(read!(store, user_organizations(user_id(1))), [organization_id(1), organization_id(2)]);
}

async fn an_address_has_one_pending_invitation(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_organization(&store, 2).await;
    let same = |organization, number| Invitation {
        email: invitation(1, 1).email,
        ..invitation(organization, number)
    };
    let insert = async |new: Invitation, secret: u8| {
        run!(store, (new, secret), |(new, secret), tx, _| {
            Ok(tx.invitation_insert(new, &hash(*secret)).await?)
        })
    };
    insert(same(1, 1), 1).await.unwrap();
    insert(same(2, 2), 2).await.unwrap();
    assert_eq!(violated(insert(same(1, 3), 3).await), "invitations_pending");
    run!(store, settle(&same(1, 1), user_id(1), at(9)), |settled, tx, _| {
        Ok(tx.invitation_update(settled).await?)
    })
    .unwrap();
    insert(same(1, 3), 3).await.unwrap();
}

async fn a_team_has_one_owner(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_organization(&store, 2).await;
    let owner = |organization, user| team_member(organization, user, TeamRole::Owner);
    run!(store, owner(1, 1), |new, tx, _| Ok(tx.team_insert(new).await?)).unwrap();
    let second = run!(store, owner(1, 2), |new, tx, _| Ok(tx.team_insert(new).await?));
    assert_eq!(violated(second), "team_members_owner");
    run!(store, owner(2, 2), |new, tx, _| Ok(tx.team_insert(new).await?)).unwrap();
    assert_eq!(read!(store, team(organization_id(1))), [owner(1, 1)]);
}

async fn a_slug_is_unique(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let mut second = organization(2);
    second.slug = organization(1).slug;
    let outcome = run!(store, second, |new, tx, _| Ok(tx.organization_insert(new).await?));
    assert_eq!(violated(outcome), "organization_slugs_pkey");
    assert_eq!(read!(store, organization(organization_id(2))), None);
}

/// Creates `child` as a sub-account of `parent` without checking the parent's level.
async fn make_child(store: &Store, parent: u32, child: u32) -> Result<(), crate::support::Failure> {
    let new = Organization { parent: Some(organization_id(parent)), ..organization(child) };
    run!(store, new, |new, tx, _| {
        let parent = new.parent.unwrap();
        tx.organization_for_update(parent).await?.ok_or(crate::support::Failure::OnPurpose)?;
        tx.organization_insert(new).await?;
        Ok(tx.sub_account_count_add(parent, 1).await?)
    })
}

async fn a_child_has_no_children(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    make_child(&store, 1, 2).await.unwrap();
    make_child(&store, 1, 3).await.unwrap();
    assert_eq!(read!(store, sub_account_count(organization_id(1))), 2);
    assert_eq!(violated(make_child(&store, 2, 4).await), "organizations_one_level");
    assert_eq!(read!(store, organization(organization_id(4))), None);
    // An organization without sub-accounts may get new ones, but a sub-account may not.
    run!(store, (), |(), tx, _| Ok(tx.sub_account_count_add(organization_id(1), -2).await?)).unwrap();
    make_child(&store, 1, 5).await.unwrap();
    assert_eq!(violated(make_child(&store, 5, 6).await), "organizations_one_level");
}

/// The use cases of this test do not check the parent's level. Each creates a sub-account of the root and a sub-account of
/// another new sub-account, all concurrently, so that only the constraint can enforce the rule.
async fn concurrent_creation_of_sub_accounts_leaves_one_level(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let mut tasks = tokio::task::JoinSet::new();
    for child in 2..=20 {
        let store = store.clone();
        tasks.spawn(async move {
            make_child(&store, 1, child).await.unwrap();
            let _refused = make_child(&store, child - 1, 100 + child).await;
        });
    }
    tasks.join_all().await;
    let mut children = 0;
    for number in (1..=20).chain(102..=120) {
        let Some(found) = read!(store, organization(organization_id(number))) else { continue };
        let Some(parent) = found.parent else { continue };
        children += 1;
        assert_eq!(read!(store, organization(parent)).unwrap().parent, None, "{number} is two levels down");
        assert_eq!(read!(store, sub_account_count(found.id)), 0);
    }
    assert_eq!(read!(store, sub_account_count(organization_id(1))), children);
    assert!(children >= 19, "{children}");
}

async fn an_id_is_unique(database: Database) {
    let (store, team, owner) = with_team(&database).await;
    let twin = Customer { email: None, ..team.clone() };
    assert_eq!(insert_customer(&store, &twin).await, "customers_pkey");
    let twin = Member { role: MemberRole::Member, ..member(&team, 2, MemberRole::Member) };
    assert_eq!(insert_member(&store, &Member { id: owner.id, ..twin }).await, "members_pkey");
    let mut second = organization(2);
    add_organization(&store, 1).await;
    second.id = organization_id(1);
    let outcome = run!(store, second, |new, tx, _| Ok(tx.organization_insert(new).await?));
    assert_eq!(violated(outcome), "organizations_pkey");
}

async fn a_secret_is_unique(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_organization(&store, 2).await;
    let both = [access_token(1, 1), access_token(2, 2)];
    let outcome = run!(store, both, |both, tx, _| {
        tx.access_token_insert(&both[0], &hash(1)).await?;
        Ok(tx.access_token_insert(&both[1], &hash(1)).await?)
    });
    assert_eq!(violated(outcome), "credentials_pkey");
}

/// A use case can handle a violated constraint inside a savepoint: its earlier changes remain.
async fn a_violation_in_a_savepoint_does_not_end_the_use_case(database: Database) {
    let (store, team, owner) = with_team(&database).await;
    let others = [member(&team, 2, MemberRole::Member), member(&team, 3, MemberRole::Member)];
    run!(store, (owner, others), |(owner, others), tx, _| {
        tx.member_insert(&others[0], CustomerKind::Team).await?;
        let same_address = Member { id: member_id(4), role: MemberRole::Member, ..owner.clone() };
        tx.begin_savepoint().await?;
        let refused = tx.member_insert(&same_address, CustomerKind::Team).await.unwrap_err();
        tx.end_savepoint(false).await?;
        assert!(refused.is_violation_of("members_email"), "{refused}");
        assert!(!refused.is_violation_of("members_owner"));
        Ok(tx.member_insert(&others[1], CustomerKind::Team).await?)
    })
    .unwrap();
    assert_eq!(members_total(&store, 1, Some(team.id)).await, 3);
}
