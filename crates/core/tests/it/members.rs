//! Members: the rules hold after any random sequence of commands on one customer.

use proptest::prelude::*;
use proptest::sample::Index;
use tenantry_core::Timestamp;
use tenantry_core::customer::{self, Customer, CustomerKind, NewCustomer};
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::{
    self, CreateFacts, Created, DeleteFacts, InitialRole, Member, MemberChange, MemberError, MemberRole,
    NewMember, UpdateFacts, Updated,
};
use tenantry_core::values::{EmailAddress, ExternalId, PersonName};
use uuid::Uuid;

#[derive(Debug, Clone)]
enum Command {
    Create(NewMember),
    Update(Index, MemberChange),
    Delete(Index),
    BecomeTeam,
}

/// Few addresses, some of them in two spellings, so that commands conflict often.
fn email() -> impl Strategy<Value = EmailAddress> {
    let spellings =
        ["ann@example.com", "Ann@example.com", "bob@example.com", "BOB@example.com", "cy@example.com"];
    prop::sample::select(spellings.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn name() -> impl Strategy<Value = Option<PersonName>> {
    prop::option::of(prop::sample::select(vec!["Ann", "Bob"]).prop_map(|text| text.parse().unwrap()))
}

fn external_id() -> impl Strategy<Value = Option<ExternalId>> {
    prop::option::of(prop::sample::select(vec!["e1", "e2"]).prop_map(|text| text.parse().unwrap()))
}

fn new_member() -> impl Strategy<Value = NewMember> {
    let role = prop::sample::select(vec![InitialRole::Member, InitialRole::BillingManager]);
    (email(), name(), external_id(), role).prop_map(|(email, name, external_id, role)| NewMember {
        email,
        name,
        external_id,
        role,
    })
}

fn change() -> impl Strategy<Value = MemberChange> {
    let role = prop::option::of(prop::sample::select(MemberRole::ALL.to_vec()));
    (name(), prop::option::of(email()), role).prop_map(|(name, email, role)| MemberChange {
        name,
        email,
        role,
    })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => new_member().prop_map(Command::Create),
        4 => (any::<Index>(), change()).prop_map(|(who, change)| Command::Update(who, change)),
        2 => any::<Index>().prop_map(Command::Delete),
        1 => Just(Command::BecomeTeam),
    ]
}

/// One customer with its members, as the database would hold them.
struct World {
    customer: Customer,
    members_enabled: bool,
    members: Vec<Member>,
    clock: i64,
}

impl World {
    fn new(kind: CustomerKind, members_enabled: bool) -> Self {
        let new = NewCustomer::new(kind, "ann@example.com".parse().unwrap());
        let facts = customer::CreateFacts {
            organization: OrganizationId::new(Uuid::from_u128(1)),
            email_taken: false,
            external_id_taken: false,
        };
        let (id, owner_id) = (CustomerId::new(Uuid::from_u128(2)), MemberId::new(Uuid::from_u128(3)));
        let created = customer::create(facts, new, id, owner_id, Timestamp::from_micros(1)).unwrap();
        Self { customer: created.customer, members_enabled, members: vec![created.owner], clock: 1 }
    }

    fn now(&mut self) -> Timestamp {
        self.clock += 1;
        Timestamp::from_micros(self.clock)
    }

    fn with_email(&self, email: &EmailAddress) -> Option<&Member> {
        self.members.iter().find(|member| member.email.key() == email.key())
    }

    fn owner(&self) -> &Member {
        self.members.iter().find(|member| member.role == MemberRole::Owner).unwrap()
    }

    fn put(&mut self, changed: Member) {
        let index = self.members.iter().position(|member| member.id == changed.id).unwrap();
        self.members[index] = changed;
    }

    fn apply(&mut self, command: Command) -> Result<(), TestCaseError> {
        match command {
            Command::Create(new) => self.create(new),
            Command::Update(who, change) => {
                let before = who.get(&self.members).clone();
                self.update(before, change)
            }
            Command::Delete(who) => {
                let member = who.get(&self.members).clone();
                self.delete(&member)
            }
            Command::BecomeTeam => {
                self.customer.kind = CustomerKind::Team;
                Ok(())
            }
        }
    }

    fn create(&mut self, new: NewMember) -> Result<(), TestCaseError> {
        let taken =
            |id: &ExternalId| self.members.iter().any(|member| member.external_id.as_ref() == Some(id));
        let facts = CreateFacts {
            customer: self.customer.clone(),
            members_enabled: self.members_enabled,
            same_email: self.with_email(&new.email).cloned(),
            external_id_taken: new.external_id.as_ref().is_some_and(taken),
        };
        let now = self.now();
        let id = MemberId::new(Uuid::from_u128(u128::from(now.as_micros().unsigned_abs()) + 100));
        let outcome = member::create(facts.clone(), new.clone(), id, now);
        if !self.members_enabled {
            prop_assert_eq!(outcome, Err(MemberError::Disabled));
        } else if self.customer.kind == CustomerKind::Individual {
            prop_assert_eq!(outcome, Err(MemberError::IndividualHasOneMember));
        } else if let Some(known) = facts.same_email {
            prop_assert_eq!(outcome, Ok(Created::Existing(known)));
        } else if facts.external_id_taken {
            prop_assert_eq!(outcome, Err(MemberError::ExternalIdTaken(new.external_id.unwrap())));
        } else {
            let expected = Member {
                id,
                organization: self.customer.organization,
                created_at: now,
                modified_at: None,
                customer_id: self.customer.id,
                email: new.email,
                name: new.name,
                external_id: new.external_id,
                role: new.role.into(),
            };
            prop_assert_eq!(outcome, Ok(Created::New(expected.clone())));
            self.members.push(expected);
        }
        Ok(())
    }

    fn update(&mut self, before: Member, change: MemberChange) -> Result<(), TestCaseError> {
        let another =
            |email: &EmailAddress| self.with_email(email).is_some_and(|other| other.id != before.id);
        let facts = UpdateFacts {
            member: before.clone(),
            customer_kind: self.customer.kind,
            owner: Some(self.owner().clone()),
            email_taken: change.email.as_ref().is_some_and(another),
        };
        let was_owner = before.role == MemberRole::Owner;
        let moves = change.email.clone().filter(|email| *email != before.email);
        let now = self.now();
        let outcome = member::update(facts.clone(), change.clone(), now);
        match (moves, change.role) {
            (Some(email), _) if self.customer.kind == CustomerKind::Individual => {
                prop_assert_eq!(outcome, Err(MemberError::EmailFollowsCustomer(email)));
            }
            (Some(email), _) if facts.email_taken => {
                prop_assert_eq!(outcome, Err(MemberError::EmailTaken(email)));
            }
            (_, Some(role)) if was_owner && role != MemberRole::Owner => {
                prop_assert_eq!(outcome, Err(MemberError::OwnerRequired(role)));
            }
            _ => self.store_update(&before, change, now, outcome.unwrap())?,
        }
        Ok(())
    }

    fn store_update(
        &mut self,
        before: &Member,
        change: MemberChange,
        now: Timestamp,
        Updated { demoted, member, changed }: Updated,
    ) -> Result<(), TestCaseError> {
        let mut expected = before.clone();
        expected.email = change.email.unwrap_or(expected.email);
        expected.name = change.name.or(expected.name);
        expected.role = change.role.unwrap_or(expected.role);
        prop_assert_eq!(changed, expected != *before);
        if changed {
            expected.modified_at = Some(now);
        }
        prop_assert_eq!(&member, &expected);
        let transfers = before.role != MemberRole::Owner && member.role == MemberRole::Owner;
        let former = self.owner().clone();
        let stepped_down = Member { role: MemberRole::BillingManager, modified_at: Some(now), ..former };
        prop_assert_eq!(&demoted, &transfers.then_some(stepped_down));
        // The demoted owner is saved first, so that there are never two owners.
        if let Some(demoted) = demoted {
            self.put(demoted);
        }
        self.put(member);
        Ok(())
    }

    fn delete(&mut self, member: &Member) -> Result<(), TestCaseError> {
        let outcome = member::delete(DeleteFacts { id: member.id, role: member.role });
        if member.role == MemberRole::Owner {
            prop_assert_eq!(outcome, Err(MemberError::CannotRemoveOwner(member.id)));
        } else {
            prop_assert_eq!(outcome, Ok(()));
            self.members.retain(|other| other.id != member.id);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let owners = self.members.iter().filter(|member| member.role == MemberRole::Owner).count();
        prop_assert_eq!(owners, 1, "a customer has exactly one owner");
        let mut keys: Vec<&str> = self.members.iter().map(|member| member.email.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), self.members.len(), "an address occurs once");
        let mut ids: Vec<_> = self.members.iter().filter_map(|member| member.external_id.as_ref()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), all, "an external id occurs once");
        if self.customer.kind == CustomerKind::Individual {
            prop_assert_eq!(self.members.len(), 1, "an individual has only its owner");
        }
        Ok(())
    }
}

fn kind() -> impl Strategy<Value = CustomerKind> {
    prop_oneof![1 => Just(CustomerKind::Individual), 4 => Just(CustomerKind::Team)]
}

proptest! {
    #[test]
    fn the_rules_hold_after_any_sequence_of_commands(
        kind in kind(),
        members_enabled in prop::bool::weighted(0.9),
        commands in prop::collection::vec(command(), 1..40),
    ) {
        let mut world = World::new(kind, members_enabled);
        for command in commands {
            world.apply(command)?;
            world.check()?;
        }
    }

    #[test]
    fn repeating_an_update_changes_nothing(new in new_member(), change in change()) {
        let mut world = World::new(CustomerKind::Team, true);
        world.create(new)?;
        let facts = |member: Member| UpdateFacts {
            owner: Some(world.owner().clone()).filter(|owner| owner.id != member.id),
            member,
            customer_kind: CustomerKind::Team,
            email_taken: false,
        };
        let last = world.members.last().unwrap().clone();
        let (first, second) = (Timestamp::from_micros(10), Timestamp::from_micros(20));
        if let Ok(once) = member::update(facts(last), change.clone(), first) {
            let twice = member::update(facts(once.member.clone()), change, second).unwrap();
            prop_assert_eq!(twice, Updated { demoted: None, member: once.member, changed: false });
        }
    }
}

#[test]
fn a_transfer_swaps_two_roles_in_one_step() {
    let mut world = World::new(CustomerKind::Team, true);
    let new = NewMember {
        email: "bob@example.com".parse().unwrap(),
        name: None,
        external_id: None,
        role: InitialRole::Member,
    };
    world.create(new).unwrap();
    let bob = world.members[1].clone();
    let change = MemberChange { role: Some(MemberRole::Owner), ..MemberChange::default() };
    world.update(bob, change).unwrap();
    let roles: Vec<_> =
        world.members.iter().map(|member| (member.email.as_str(), member.role.as_str())).collect();
    assert_eq!(roles, [("ann@example.com", "billing_manager"), ("bob@example.com", "owner")]);
}

#[test]
fn a_role_is_found_by_its_name() {
    for role in MemberRole::ALL {
        assert_eq!(MemberRole::from_name(role.as_str()), Some(role));
        assert_eq!(serde_json::to_string(&role).unwrap(), format!("{:?}", role.as_str()));
    }
    assert_eq!(MemberRole::from_name("Owner"), None);
}
