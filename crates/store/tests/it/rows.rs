//! A stored row is read back unchanged by every query that finds it.

use tenantry_core::audit::{Actor, AuditEntry, Client};
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::ids::AuditId;
use tenantry_core::member::{Member, MemberRole};
use tenantry_core::organization::{Organization, Suspension};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::token::{AccessToken, ScopeGrants, Scopes, UserToken};
use tenantry_core::user::{Language, NoticeTopic, User};
use tenantry_core::values::{Address, AddressInput, Country, IpAllowList, TaxId, time_ordered_uuid};
use tenantry_store::{AuditFilter, AuditRecord, CredentialOwner, Edge, Keyset, Store};

use crate::fixtures::*;
use crate::support::Database;

on_every_engine!(
    an_organization,
    a_suspension,
    a_sub_account,
    a_suspension_shuts_out_its_callers,
    a_person,
    a_team,
    a_customer,
    a_team_customer_is_reached_through_its_owner,
    a_member,
    an_access_token,
    an_api_key,
    a_persons_token,
    a_value_of_the_installation,
    an_audit_entry,
    audit_entries_by_each_filter,
    audit_entries_of_a_person,
);

async fn an_organization(database: Database) {
    let store = database.open().await;
    assert!(!read!(store, any_organization()));
    let mut new = organization(1);
    new.parent = Some(organization_id(9));
    run!(store, new.clone(), |new, tx, _| Ok(tx.organization_insert(new).await?)).unwrap();
    assert!(read!(store, any_organization()));
    assert_eq!(read!(store, organization(new.id)), Some(new.clone()));
    assert_eq!(read!(store, organization_for_update(new.id)), Some(new.clone()));
    assert_eq!(read!(store, organization_by_slug("ORGANIZATION-1")), Some(new.id));
    assert_eq!(read!(store, organization_by_slug("organization-2")), None);
    let mut profile = new.profile.clone();
    profile.email = Some("Help@Example.com".parse().unwrap());
    profile.onboarded_at = Some(at(5));
    profile.legacy.total_monthly_spending_limit = Some(i64::MAX);
    profile.account.about = "Zoë\n\"🚀\"".to_owned();
    let changed =
        Organization { modified_at: Some(at(6)), name: "Zoë & Co".parse().unwrap(), profile, ..new };
    run!(store, changed.clone(), |changed, tx, _| Ok(tx.organization_update(changed).await?)).unwrap();
    assert_eq!(read!(store, organization(changed.id)), Some(changed));
}

fn suspended(organization: Organization) -> Organization {
    let reason = "late".parse().unwrap();
    Organization {
        suspended: Some(Suspension { at: at(7), reason }),
        modified_at: Some(at(7)),
        ..organization
    }
}

async fn store_suspension(store: &Store, changed: &Organization) {
    run!(store, changed.clone(), |changed, tx, _| Ok(tx.organization_update_suspension(changed).await?))
        .unwrap();
}

async fn a_suspension(database: Database) {
    let store = database.open().await;
    let open = organization(1);
    add_organization(&store, 1).await;
    assert!(read!(store, organization_is_open(open.id)));
    let generation = store.generation().current();
    let shut = suspended(open.clone());
    store_suspension(&store, &shut).await;
    assert!(store.generation().current() > generation, "what was believed of its tokens is not any more");
    assert_eq!(read!(store, organization(open.id)), Some(shut));
    assert!(!read!(store, organization_is_open(open.id)));
    store_suspension(&store, &open).await;
    assert_eq!(read!(store, organization(open.id)), Some(open.clone()));
    run!(store, open.id, |id, tx, context| Ok(tx.organization_delete(*id, context.now()).await?)).unwrap();
    assert!(!read!(store, organization_is_open(open.id)));
    assert_eq!(read!(store, organization(open.id)), None);
    assert_eq!(read!(store, organization_by_slug("organization-1")), Some(open.id), "the slug stays taken");
    // The suspension of a new organization is read back too.
    let born_shut = suspended(organization(2));
    run!(store, born_shut.clone(), |new, tx, _| Ok(tx.organization_insert(new).await?)).unwrap();
    assert_eq!(read!(store, organization(born_shut.id)), Some(born_shut));
}

async fn a_sub_account(database: Database) {
    let store = database.open().await;
    let (parent, other) = (organization_id(1), organization_id(2));
    for number in [1, 2] {
        add_organization(&store, number).await;
    }
    let children: Vec<Organization> =
        [3, 4].map(|number| Organization { parent: Some(parent), ..organization(number) }).to_vec();
    run!(store, children.clone(), |children, tx, _| {
        for child in children {
            tx.organization_insert(child).await?;
        }
        tx.team_insert(&team_member(4, 1, TeamRole::Owner)).await?;
        Ok(tx.team_insert(&team_member(4, 2, TeamRole::Analyst)).await?)
    })
    .unwrap();
    assert_eq!(read!(store, sub_account(parent, children[0].id)), Some((children[0].clone(), 0)));
    assert_eq!(read!(store, sub_account(parent, children[1].id)), Some((children[1].clone(), 2)));
    assert_eq!(read!(store, team_size(children[1].id)), 2);
    assert_eq!(read!(store, sub_account_for_update(parent, children[0].id)), Some(children[0].clone()));
    for (of, id) in [(other, children[0].id), (parent, parent), (parent, other)] {
        assert_eq!(read!(store, sub_account(of, id)), None);
        assert_eq!(read!(store, sub_account_for_update(of, id)), None);
    }
    let keyset = Keyset { edge: Edge::Newest, limit: 9 };
    let newest_first = vec![(children[1].clone(), 2), (children[0].clone(), 0)];
    assert_eq!(read!(store, sub_accounts_by_cursor(parent, keyset)).items, newest_first);
    assert_eq!(read!(store, sub_accounts_by_cursor(other, keyset)).items, []);
    let gone = children[1].id;
    run!(store, gone, |id, tx, context| Ok(tx.organization_delete(*id, context.now()).await?)).unwrap();
    assert_eq!(read!(store, sub_account(parent, gone)), None);
    assert_eq!(read!(store, sub_accounts_by_cursor(parent, keyset)).items, newest_first[1..]);
    assert_eq!(read!(store, sub_account_names(parent)), [(children[0].id, "Organization 3".to_owned())]);
}

async fn a_suspension_shuts_out_its_callers(database: Database) {
    let store = database.open().await;
    let parent = organization(1);
    let child = Organization { parent: Some(parent.id), ..organization(2) };
    let token = user_token(1, 1);
    add_organization(&store, 1).await;
    run!(store, (child.clone(), token), |(child, token), tx, _| {
        tx.organization_insert(child).await?;
        tx.user_insert(&user(1)).await?;
        for organization in [1, 2] {
            tx.team_insert(&team_member(organization, 1, TeamRole::Owner)).await?;
        }
        tx.access_token_insert(&access_token(2, 2), &hash(2)).await?;
        Ok(tx.user_token_insert(token, &hash(3)).await?)
    })
    .unwrap();
    let reach = async || match read!(store, credential_owner(&hash(3), at(1))) {
        Some(CredentialOwner::User(_, parts)) => parts.into_iter().map(|(id, _)| id).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    let is_shut =
        async || read!(store, credential_owner(&hash(2), at(1))) == Some(CredentialOwner::Suspended);
    assert!(!is_shut().await);
    assert_eq!(reach().await, [parent.id, child.id]);
    store_suspension(&store, &suspended(child.clone())).await;
    assert!(is_shut().await);
    assert_eq!(reach().await, [parent.id]);
    store_suspension(&store, &child).await;
    store_suspension(&store, &suspended(parent.clone())).await;
    assert!(is_shut().await);
    assert_eq!(reach().await, []);
    store_suspension(&store, &parent).await;
    assert!(!is_shut().await);
    run!(store, child.id, |id, tx, context| Ok(tx.organization_delete(*id, context.now()).await?)).unwrap();
    assert_eq!(read!(store, credential_owner(&hash(2), at(1))), None);
    assert_eq!(reach().await, [parent.id]);
}

async fn a_person(database: Database) {
    let store = database.open().await;
    let new = User {
        email: "Zoë@Example.com".parse().unwrap(),
        name: Some("Zoë".parse().unwrap()),
        language: Some(Language::German),
        muted_notices: NoticeTopic::ALL.into(),
        ..user(1)
    };
    let insert = |user: &User| user.clone();
    let stored = run!(store, insert(&new), |new, tx, _| Ok(tx.user_insert(new).await?)).unwrap();
    assert_eq!(stored, new);
    let other_spelling = "ZOË@example.com".parse().unwrap();
    assert_eq!(read!(store, user_by_email(&other_spelling)), Some(new.clone()));
    // The second insert returns the first row.
    let second = User { email: other_spelling, ..user(2) };
    let stored = run!(store, insert(&second), |new, tx, _| Ok(tx.user_insert(new).await?)).unwrap();
    assert_eq!(stored, new);
    assert_eq!(read!(store, user_by_email(&user(3).email)), None);
}

async fn a_team(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let team: Vec<TeamMember> =
        (1..).zip(TeamRole::ALL).map(|(user, role)| team_member(1, user, role)).collect();
    run!(store, team.clone(), |team, tx, _| {
        for member in team {
            tx.team_insert(member).await?;
        }
        Ok(())
    })
    .unwrap();
    for member in &team {
        assert_eq!(read!(store, team_member(member.organization, member.user)).as_ref(), Some(member));
        assert_eq!(read!(store, user_organizations(member.user)), [member.organization]);
    }
    let newest_first: Vec<TeamMember> = team.into_iter().rev().collect();
    assert_eq!(read!(store, team(organization_id(1))), newest_first);
    run!(store, (), |(), tx, _| Ok(tx.team_delete(organization_id(1), user_id(5)).await?)).unwrap();
    assert_eq!(read!(store, team(organization_id(1))), newest_first[1..]);
    assert_eq!(read!(store, user_organizations(user_id(5))), []);
}

fn rich_customer() -> Customer {
    let address = AddressInput { country: "FR", city: Some("Paris"), ..AddressInput::default() };
    Customer {
        kind: CustomerKind::Individual,
        modified_at: Some(at(7)),
        email: Some("Ann@Example.com".parse().unwrap()),
        email_verified: true,
        name: Some("Ann O'Hara 🚀".parse().unwrap()),
        external_id: Some("ext %_1".parse().unwrap()),
        metadata: serde_json::from_str(r#"{"b":true,"a":"x","n":1,"f":1.0}"#).unwrap(),
        billing_name: Some("Ann Ltd".parse().unwrap()),
        billing_address: Some(Address::parse(address).unwrap()),
        tax_id: Some(TaxId::parse("FR61954506077", Country::parse_input("FR").unwrap()).unwrap()),
        locale: Some("fr-FR".parse().unwrap()),
        ..customer(1, 1)
    }
}

async fn a_customer(database: Database) {
    let store = database.open().await;
    let (poor, rich) = (customer(1, 1), rich_customer());
    add_customer(&store, &poor).await;
    assert_eq!(read!(store, customer(poor.organization, poor.id)), Some(poor.clone()));
    for (before, after) in [(&poor, &rich), (&rich, &poor), (&poor, &rich)] {
        let both = (before.clone(), after.clone());
        run!(store, both, |(before, after), tx, _| Ok(tx.customer_update(before, after).await?)).unwrap();
        assert_eq!(read!(store, customer(after.organization, after.id)).as_ref(), Some(after));
        assert_eq!(read!(store, customer_for_update(after.organization, after.id)).as_ref(), Some(after));
    }
    let (organization, email) = (rich.organization, "ANN@example.com".parse().unwrap());
    assert_eq!(read!(store, customer_by_external_id(organization, "ext %_1")), Some(rich.id));
    assert!(read!(store, customer_email_taken(organization, &email, None)));
    assert!(!read!(store, customer_email_taken(organization, &email, Some(rich.id))));
    assert!(!read!(store, customer_email_taken(organization, &poor.email.unwrap(), None)));
    delete_customer(&store, &rich).await;
    assert_eq!(read!(store, customer(organization, rich.id)), None);
    assert_eq!(read!(store, customer_for_update(organization, rich.id)), None);
    assert_eq!(read!(store, customer_by_external_id(organization, "ext %_1")), None);
    assert!(!read!(store, customer_email_taken(organization, &email, None)));
}

async fn a_team_customer_is_reached_through_its_owner(database: Database) {
    let store = database.open().await;
    let team = Customer { email: None, ..customer(1, 1) };
    add_customer(&store, &team).await;
    let (owner, heir) = (member(&team, 1, MemberRole::Owner), member(&team, 2, MemberRole::Member));
    add_member(&store, &heir).await;
    assert_eq!(read!(store, customer(team.organization, team.id)).unwrap().owner_email, None);
    add_member(&store, &owner).await;
    let found = read!(store, customer(team.organization, team.id)).unwrap();
    assert_eq!(found.contact(), Some(&owner.email));
}

async fn a_member(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let team = customer(1, 1);
    add_customer(&store, &team).await;
    let new = Member {
        email: "Zoë@Example.com".parse().unwrap(),
        name: Some("Zoë".parse().unwrap()),
        external_id: Some("e".parse().unwrap()),
        ..member(&team, 1, MemberRole::Member)
    };
    add_member(&store, &new).await;
    let (organization, customer) = (new.organization, new.customer_id);
    let changed = Member {
        modified_at: Some(at(9)),
        email: "y@example.com".parse().unwrap(),
        name: None,
        role: MemberRole::Owner,
        ..new.clone()
    };
    for (stored, owner) in [(&new, None), (&changed, Some(&changed))] {
        run!(store, stored.clone(), |stored, tx, _| Ok(tx.member_update(stored).await?)).unwrap();
        assert_eq!(read!(store, member(organization, stored.id)).as_ref(), Some(stored));
        assert_eq!(
            read!(store, member_by_email(organization, customer, &stored.email)).as_ref(),
            Some(stored)
        );
        assert_eq!(read!(store, member_by_external_id(organization, customer, "e")).as_ref(), Some(stored));
        let room = read!(store, member_conflicts(organization, customer, &stored.email, Some("e"))).unwrap();
        assert_eq!((room.same_email.as_ref(), room.external_id_taken), (Some(stored), true));
        assert_eq!(read!(store, customer_owner(organization, customer)).as_ref(), owner);
        assert_eq!(read!(store, members_of_customer(organization, customer)), std::slice::from_ref(stored));
    }
    assert_eq!(read!(store, member_by_email(organization, customer, &new.email)), None);
    delete_member(&store, &changed).await;
    assert_eq!(read!(store, member(organization, new.id)), None);
    assert_eq!(read!(store, member_by_email(organization, customer, &changed.email)), None);
    assert_eq!(read!(store, member_by_external_id(organization, customer, "e")), None);
    for external_id in [Some("e"), Some("f"), None] {
        let room =
            read!(store, member_conflicts(organization, customer, &changed.email, external_id)).unwrap();
        assert!(room.same_email.is_none() && !room.external_id_taken, "{room:?}");
    }
    assert_eq!(read!(store, customer_owner(organization, customer)), None);
    assert_eq!(read!(store, members_of_customer(organization, customer)), []);
}

async fn an_access_token(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let scopes = vec!["members:read".parse().unwrap(), "messages:send:{example.com}".parse().unwrap()];
    let token = AccessToken {
        label: "Zoë's".to_owned(),
        grants: ScopeGrants::new(Scopes::new(scopes), at(1)),
        expires_at: Some(at(100)),
        created_by: Some(user_id(1)),
        ..access_token(1, 1)
    };
    let insert = (token.clone(), hash(1));
    run!(store, insert, |(token, hash), tx, _| Ok(tx.access_token_insert(token, hash).await?)).unwrap();
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), None, "its creator is not in the team");
    let creator = team_member(1, 1, TeamRole::Administrator);
    run!(store, creator.clone(), |new, tx, _| Ok(tx.team_insert(new).await?)).unwrap();
    let live = Some(CredentialOwner::Organization(token.clone(), user_id(1)));
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), live);
    let demoted = TeamMember { role: TeamRole::Developer, ..creator.clone() };
    run!(store, demoted, |changed, tx, _| Ok(tx.team_update(changed).await?)).unwrap();
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), None, "its creator is no administrator");
    run!(store, creator, |changed, tx, _| Ok(tx.team_update(changed).await?)).unwrap();
    assert_eq!(read!(store, credential_owner(&hash(1), at(100))), None, "it has expired");
    assert_eq!(read!(store, credential_owner(&hash(2), at(99))), None);
    assert_eq!(read!(store, access_token(token.organization, token.id)), Some(token.clone()));
    assert_eq!(read!(store, organization_of_token(token.id)), Some(token.organization));
    let revoke = (token.organization, token.id);
    run!(store, revoke, |(organization, id), tx, context| {
        Ok(tx.access_token_delete(*organization, *id, context.now()).await?)
    })
    .unwrap();
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), None);
    assert_eq!(read!(store, access_token(token.organization, token.id)), None);
    // A token of a deleted organization is refused.
    add_organization(&store, 2).await;
    let orphan = (access_token(2, 2), hash(2));
    run!(store, orphan, |(token, hash), tx, _| {
        tx.access_token_insert(token, hash).await?;
        Ok(tx.organization_delete(organization_id(2), at(1)).await?)
    })
    .unwrap();
    assert_eq!(read!(store, credential_owner(&hash(2), at(1))), None);
}

async fn an_api_key(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    let list = IpAllowList::parse(["203.0.113.0/24", "2001:db8::/32", "192.0.2.1"]).unwrap();
    let key = AccessToken { ip_allow_list: list, ..access_token(1, 1) };
    let insert = (key.clone(), hash(1));
    run!(store, insert, |(key, hash), tx, _| Ok(tx.api_key_insert(key, hash).await?)).unwrap();
    let live = |key: &AccessToken| Some(CredentialOwner::Organization(key.clone(), user_id(1)));
    assert_eq!(read!(store, credential_owner(&hash(1), at(1))), live(&key));
    let scopes = ["*", "customers:read"].map(|name| name.parse().unwrap());
    let changed = AccessToken {
        label: "other".to_owned(),
        grants: key.grants.replaced(Scopes::new(scopes.to_vec()), at(7)),
        ip_allow_list: IpAllowList::default(),
        modified_at: Some(at(7)),
        ..key.clone()
    };
    run!(store, changed.clone(), |changed, tx, _| Ok(tx.access_token_update(changed).await?)).unwrap();
    assert_eq!(read!(store, credential_owner(&hash(1), at(1))), live(&changed));
    let held =
        run!(store, key.id, |id, tx, _| Ok(tx.access_token_for_update(organization_id(1), *id).await?));
    assert_eq!(held.unwrap(), Some(changed.clone()));
    assert_eq!(changed.grants.iter().map(|(_, since)| since).collect::<Vec<_>>(), [at(1), at(7)]);
    let gone = run!(store, key.id, |id, tx, context| {
        tx.access_token_delete(organization_id(1), *id, context.now()).await?;
        Ok(tx.access_token_for_update(organization_id(1), *id).await?)
    });
    assert_eq!(gone.unwrap(), None);
    assert_eq!(read!(store, credential_owner(&hash(1), at(1))), None);
}

async fn a_persons_token(database: Database) {
    let store = database.open().await;
    add_organization(&store, 1).await;
    add_organization(&store, 2).await;
    add_organization(&store, 3).await;
    let token = UserToken { expires_at: Some(at(100)), ..user_token(1, 1) };
    // The third organization is deleted, so its membership is left out.
    let parts = [
        team_member(1, 1, TeamRole::Owner),
        team_member(2, 1, TeamRole::Analyst),
        team_member(3, 1, TeamRole::Owner),
    ];
    run!(store, (token.clone(), parts), |(token, parts), tx, _| {
        tx.user_insert(&user(1)).await?;
        for part in parts {
            tx.team_insert(part).await?;
        }
        tx.organization_delete(organization_id(3), at(1)).await?;
        Ok(tx.user_token_insert(token, &hash(1)).await?)
    })
    .unwrap();
    let roles = vec![(organization_id(1), TeamRole::Owner), (organization_id(2), TeamRole::Analyst)];
    let live = CredentialOwner::User(token.clone(), roles);
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), Some(live));
    assert_eq!(read!(store, credential_owner(&hash(1), at(100))), None, "it has expired");
    run!(store, (), |(), tx, _| Ok(tx.team_delete(organization_id(1), user_id(1)).await?)).unwrap();
    let left = CredentialOwner::User(token, vec![(organization_id(2), TeamRole::Analyst)]);
    assert_eq!(read!(store, credential_owner(&hash(1), at(99))), Some(left));
}

async fn a_value_of_the_installation(database: Database) {
    let store = database.open().await;
    for (name, value, kept) in [("a", 1_u8, 1_u8), ("a", 2, 1), ("b", 3, 3)] {
        let found = run!(store, (name, value), |(name, value), tx, _| {
            Ok(tx.installation_value_ensure(name, &[*value]).await?)
        });
        assert_eq!(found.unwrap(), [kept], "the first value stays");
    }
}

async fn an_audit_entry(database: Database) {
    let store = database.open().await;
    let subject = member(&customer(1, 1), 1, MemberRole::Owner);
    let entries = [audit_entry(&subject, 1), audit_entry(&subject, 2)];
    run!(store, entries, |entries, tx, _| {
        for entry in entries {
            tx.audit_append(entry).await?;
        }
        Ok(())
    })
    .unwrap();
    let (organization, id) = (subject.organization, subject.id.uuid());
    assert_eq!(read!(store, audit_count(organization, "member.created", id)), 2);
    assert_eq!(read!(store, audit_count(organization, "member.deleted", id)), 0);
    assert_eq!(read!(store, audit_count(organization_id(2), "member.created", id)), 0);
}

fn entry_id(number: u32) -> AuditId {
    AuditId::new(member_id(number).uuid())
}

async fn audit_entries_by_each_filter(database: Database) {
    let store = database.open().await;
    let subject = member(&customer(1, 1), 1, MemberRole::Owner);
    let actors = [Actor::System, Actor::Customer(customer_id(7)), Actor::Customer(customer_id(8))];
    let client = Client::new(Some([192, 0, 2, 1].into()), Some("curl/8"));
    // At time 1 to 12: each of three actors does each of two actions on each of two subjects.
    let entries: Vec<AuditEntry> = (0..12_u32)
        .map(|number| AuditEntry {
            id: AuditId::new(time_ordered_uuid(i64::from(number) + 1, [0; 8])),
            at: at(i64::from(number) + 1),
            actor: actors[(number % 3) as usize],
            action: ["member.created", "member.updated"][(number / 3 % 2) as usize],
            subject: member_id(number / 6 + 1).uuid(),
            credential: Some(member_id(number).uuid()),
            client: client.clone(),
            ..audit_entry(&subject, 1)
        })
        .collect();
    run!(store, entries.clone(), |entries, tx, _| {
        for entry in entries {
            tx.audit_append(entry).await?;
        }
        Ok(())
    })
    .unwrap();
    let organization = subject.organization;
    let stored = read!(store, audit_log(organization));
    assert_eq!(stored.len(), 12);
    assert!(stored.iter().all(|entry| entry.client_address.as_deref() == Some("192.0.2.1")));
    assert!(stored.iter().zip(&entries).all(|(stored, entry)| stored.credential == entry.credential));
    for filters in 0..32_u8 {
        let set = |bit: u8| filters & bit != 0;
        let filter = AuditFilter {
            subject: set(1).then(|| member_id(2).uuid()),
            actor: set(2).then(|| customer_id(7).uuid()),
            action: set(4).then(|| "member.updated".to_owned()),
            from: set(8).then(|| at(3)),
            before: set(16).then(|| at(11)),
        };
        let is_meant = |entry: &&AuditRecord| {
            filter.subject.is_none_or(|subject| entry.subject == subject)
                && filter.actor.is_none_or(|actor| entry.actor == Some(actor))
                && filter.action.as_ref().is_none_or(|action| entry.action == *action)
                && filter.from.is_none_or(|from| entry.at >= from)
                && filter.before.is_none_or(|before| entry.at < before)
        };
        let meant: Vec<AuditRecord> = stored.iter().filter(is_meant).cloned().collect();
        let first = read!(store, audit_entries_after(organization, &filter, None, 2));
        let rest =
            read!(store, audit_entries_after(organization, &filter, first.last().map(|last| last.id), 20));
        let rest = if first.is_empty() { Vec::new() } else { rest };
        assert_eq!([first, rest].concat(), meant, "{filter:?}");
        let newest = Keyset { edge: Edge::Newest, limit: 20 };
        let mut page = read!(store, audit_entries(organization, &filter, newest)).items;
        page.reverse();
        assert_eq!(page, meant, "{filter:?}");
    }
    assert_eq!(read!(store, audit_entry(organization, stored[3].id)), Some(stored[3].clone()));
    assert_eq!(read!(store, audit_entry(organization_id(2), stored[3].id)), None);
}

/// The entries about a person and those by the person, merged in order and cut where one kind is not known any more.
async fn audit_entries_of_a_person(database: Database) {
    let store = database.open().await;
    let subject = member(&customer(1, 1), 1, MemberRole::Owner);
    let (person, other) = (customer_id(7), customer_id(8));
    // Number 0, 1, 4, .. is about the person; number 0, 2, 4, .. is by the person.
    let entries: Vec<AuditEntry> = (0..40_u32)
        .map(|number| AuditEntry {
            id: entry_id(number + 1),
            actor: Actor::Customer(if number % 2 == 0 { person } else { other }),
            subject: if number % 4 < 2 { person.uuid() } else { other.uuid() },
            ..audit_entry(&subject, 1)
        })
        .collect();
    run!(store, entries, |entries, tx, _| {
        for entry in entries {
            tx.audit_append(entry).await?;
        }
        Ok(())
    })
    .unwrap();
    let (organization, person) = (subject.organization, person.uuid());
    for limit in [1, 3, 7, 100] {
        let (mut after, mut found) = (None, Vec::new());
        loop {
            let (entries, is_end) = read!(store, audit_entries_of_person(organization, person, after, limit));
            after = entries.keys().next_back().copied().or(after);
            found.extend(entries);
            if is_end {
                break;
            }
        }
        let meant = (0..40_u32)
            .filter(|number| number % 4 != 3)
            .map(|number| (entry_id(number + 1), (number % 4 < 2, number % 2 == 0)));
        let found = found.into_iter().map(|(id, entry)| (id, (entry.images.is_some(), entry.is_by_person)));
        assert_eq!(found.collect::<Vec<_>>(), meant.collect::<Vec<_>>(), "{limit}");
    }
}
