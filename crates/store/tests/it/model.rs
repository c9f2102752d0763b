//! Random commands on the store and on a simple model in memory: after each, both give the same results.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tenantry_core::customer::{Customer, CustomerKind};
use tenantry_core::member::{Member, MemberRole};
use tenantry_store::{CustomerFilter, MemberFilter, Store, StoreError};
use tokio::runtime::Builder;

use crate::fixtures::*;
use crate::support::{Database, Failure};

/// Few distinct values, so that commands conflict often.
#[derive(Debug, Clone)]
struct Shape {
    organization: u32,
    email: u8,
    external_id: u8,
    name: u8,
    individual: bool,
    role: MemberRole,
}

#[derive(Debug, Clone)]
enum Command {
    CustomerInsert(Shape),
    CustomerUpdate(Index, Shape),
    CustomerDelete(Index),
    MemberInsert(Index, Shape),
    MemberUpdate(Index, Shape),
    MemberDelete(Index),
    Reopen,
}

fn shape() -> impl Strategy<Value = Shape> {
    let role = prop::sample::select(MemberRole::ALL.to_vec());
    (1..=2_u32, 0..4_u8, 0..3_u8, 0..3_u8, prop::bool::weighted(0.3), role).prop_map(
        |(organization, email, external_id, name, individual, role)| Shape {
            organization,
            email,
            external_id,
            name,
            individual,
            role,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let at = any::<Index>;
    prop_oneof![
        6 => shape().prop_map(Command::CustomerInsert),
        4 => (at(), shape()).prop_map(|(at, shape)| Command::CustomerUpdate(at, shape)),
        2 => at().prop_map(Command::CustomerDelete),
        10 => (at(), shape()).prop_map(|(at, shape)| Command::MemberInsert(at, shape)),
        5 => (at(), shape()).prop_map(|(at, shape)| Command::MemberUpdate(at, shape)),
        3 => at().prop_map(Command::MemberDelete),
        1 => Just(Command::Reopen),
    ]
}

impl Shape {
    /// Addresses 1 and 2 are two spellings of one account.
    fn email(&self) -> Option<&'static str> {
        ["", "ann@example.com", "ANN@example.com", "bob@example.com"]
            .get(usize::from(self.email))
            .copied()
            .filter(|text| !text.is_empty())
    }

    fn customer(&self, number: u32) -> Customer {
        Customer {
            kind: if self.individual { CustomerKind::Individual } else { CustomerKind::Team },
            email: self.email().map(|text| text.parse().unwrap()),
            external_id: (self.external_id > 0).then(|| format!("e{}", self.external_id).parse().unwrap()),
            name: (self.name > 0).then(|| format!("name {}", self.name).parse().unwrap()),
            metadata: serde_json::from_str(&format!("{{\"name\":{}}}", self.name)).unwrap(),
            ..customer(self.organization, number)
        }
    }

    fn member(&self, of: &Customer, number: u32) -> Member {
        Member {
            email: self.email().unwrap_or("cy@example.com").parse().unwrap(),
            external_id: (self.external_id > 0).then(|| format!("e{}", self.external_id).parse().unwrap()),
            name: (self.name > 0).then(|| format!("name {}", self.name).parse().unwrap()),
            ..member(of, number, self.role)
        }
    }
}

#[derive(Default)]
struct Model {
    customers: Vec<Customer>,
    members: Vec<Member>,
    number: u32,
}

impl Model {
    fn next(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    fn members_of<'a>(&'a self, customer: &'a Customer) -> impl Iterator<Item = &'a Member> {
        self.members.iter().filter(|member| member.customer_id == customer.id)
    }

    /// The constraints that saving this customer violates.
    fn broken_by_customer(&self, new: &Customer) -> BTreeSet<&'static str> {
        let mut broken = BTreeSet::new();
        let others = self
            .customers
            .iter()
            .filter(|other| other.organization == new.organization && other.id != new.id);
        for other in others {
            let key = |customer: &Customer| customer.email.as_ref().map(|email| email.key().to_owned());
            if new.email.is_some() && key(other) == key(new) {
                broken.insert("customers_email");
            }
            if new.external_id.is_some() && other.external_id == new.external_id {
                broken.insert("customers_external_id");
            }
        }
        if new.kind == CustomerKind::Individual && self.members_of(new).count() > 1 {
            broken.insert("members_of_individual");
        }
        broken
    }

    /// The constraints that saving this member violates.
    fn broken_by_member(&self, of: &Customer, new: &Member) -> BTreeSet<&'static str> {
        let mut broken = BTreeSet::new();
        for other in self.members_of(of).filter(|other| other.id != new.id) {
            if other.email.key() == new.email.key() {
                broken.insert("members_email");
            }
            if new.external_id.is_some() && other.external_id == new.external_id {
                broken.insert("members_external_id");
            }
            if other.role == MemberRole::Owner && new.role == MemberRole::Owner {
                broken.insert("members_owner");
            }
            if of.kind == CustomerKind::Individual {
                broken.insert("members_of_individual");
            }
        }
        broken
    }
}

/// Checks that the store refused the command by one of the violated constraints, or accepted it if there are none.
fn agrees(outcome: Result<(), Failure>, broken: &BTreeSet<&'static str>) -> Result<bool, TestCaseError> {
    match outcome {
        Ok(()) => {
            prop_assert!(broken.is_empty(), "stored in spite of {:?}", broken);
            Ok(true)
        }
        Err(Failure::Store(StoreError::Violated(name))) => {
            prop_assert!(broken.contains(name.as_str()), "{} is not in {:?}", name, broken);
            Ok(false)
        }
        Err(error) => Err(TestCaseError::fail(format!("{error:?}"))),
    }
}

async fn apply(model: &mut Model, store: &Store, command: Command) -> Result<(), TestCaseError> {
    match command {
        Command::CustomerInsert(shape) => {
            let new = shape.customer(model.next());
            let outcome = run!(store, new.clone(), |new, tx, _| Ok(tx.customer_insert(new).await?));
            if agrees(outcome, &model.broken_by_customer(&new))? {
                model.customers.push(new);
            }
        }
        Command::CustomerUpdate(at, shape) if !model.customers.is_empty() => {
            let at = at.index(model.customers.len());
            let before = model.customers[at].clone();
            let fixed = (before.organization, before.created_at);
            let after = shape.customer(0);
            let after = Customer { id: before.id, organization: fixed.0, created_at: fixed.1, ..after };
            let both = (before, after.clone());
            let outcome =
                run!(store, both, |(before, after), tx, _| Ok(tx.customer_update(before, after).await?));
            if agrees(outcome, &model.broken_by_customer(&after))? {
                model.customers[at] = after;
            }
        }
        Command::CustomerDelete(at) if !model.customers.is_empty() => {
            let gone = model.customers.remove(at.index(model.customers.len()));
            let members: Vec<Member> = model.members_of(&gone).cloned().collect();
            model.members.retain(|member| member.customer_id != gone.id);
            run!(store, (gone, members), |(gone, members), tx, context| {
                for member in members {
                    tx.member_delete(member, context.now()).await?;
                }
                Ok(tx.customer_delete(gone, context.now()).await?)
            })
            .unwrap();
        }
        Command::MemberInsert(at, shape) if !model.customers.is_empty() => {
            let of = at.get(&model.customers).clone();
            let new = shape.member(&of, model.next());
            let both = (new.clone(), of.kind);
            let outcome = run!(store, both, |(new, kind), tx, _| Ok(tx.member_insert(new, *kind).await?));
            if agrees(outcome, &model.broken_by_member(&of, &new))? {
                model.members.push(new);
            }
        }
        Command::MemberUpdate(at, shape) if !model.members.is_empty() => {
            let at = at.index(model.members.len());
            let before = model.members[at].clone();
            let of = model.customers.iter().find(|of| of.id == before.customer_id).unwrap().clone();
            let wanted = shape.member(&of, 0);
            let after = Member { email: wanted.email, name: wanted.name, role: wanted.role, ..before };
            let outcome = run!(store, after.clone(), |after, tx, _| Ok(tx.member_update(after).await?));
            if agrees(outcome, &model.broken_by_member(&of, &after))? {
                model.members[at] = after;
            }
        }
        Command::MemberDelete(at) if !model.members.is_empty() => {
            let gone = model.members.remove(at.index(model.members.len()));
            delete_member(store, &gone).await;
        }
        _ => {}
    }
    Ok(())
}

/// Compares the result of every query of the store with the model.
fn compare(model: &Model, store: &Store) -> Result<(), TestCaseError> {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for organization in [1, 2].map(organization_id) {
            let owner_email = |of: &Customer| {
                let owner = model.members_of(of).find(|member| member.role == MemberRole::Owner);
                owner.map(|owner| owner.email.clone()).filter(|_| of.email.is_none())
            };
            let mut customers: Vec<Customer> = model
                .customers
                .iter()
                .filter(|of| of.organization == organization)
                .map(|of| Customer { owner_email: owner_email(of), ..of.clone() })
                .collect();
            customers.sort_by_key(|of| std::cmp::Reverse(of.id));
            let organizations = vec![organization];
            let filter = CustomerFilter { organizations: organizations.clone(), ..CustomerFilter::default() };
            let found = read!(store, customers(&filter, PAGE));
            prop_assert_eq!(found.total, u64::try_from(customers.len()).unwrap());
            prop_assert_eq!(&found.items, &customers);
            for name in 0..3 {
                let metadata = vec![("name".to_owned(), vec![name.to_string()])];
                let found = read!(store, customers(&CustomerFilter { metadata, ..filter.clone() }, PAGE));
                let wanted = format!("{{\"name\":{name}}}");
                let expected: Vec<&Customer> = customers
                    .iter()
                    .filter(|of| serde_json::to_string(&of.metadata).unwrap() == wanted)
                    .collect();
                prop_assert_eq!(found.items.iter().collect::<Vec<_>>(), expected);
            }
            let mut members: Vec<&Member> =
                model.members.iter().filter(|member| member.organization == organization).collect();
            members.sort_by_key(|member| std::cmp::Reverse(member.id));
            let filter = MemberFilter { organizations, ..MemberFilter::default() };
            let found = read!(store, members(&filter, PAGE));
            prop_assert_eq!(found.total, u64::try_from(members.len()).unwrap());
            prop_assert_eq!(found.items.iter().collect::<Vec<_>>(), members);
            for of in &customers {
                let filter = MemberFilter { customer: Some(of.id), ..filter.clone() };
                let found = read!(store, members(&filter, PAGE));
                prop_assert_eq!(found.total, u64::try_from(model.members_of(of).count()).unwrap());
                for member in model.members_of(of) {
                    let by_email = read!(store, member_by_email(organization, of.id, &member.email));
                    prop_assert_eq!(by_email.as_ref(), Some(member));
                }
            }
        }
        Ok(())
    })
}

fn run_history(database: &Database, commands: Vec<Command>) -> Result<(), TestCaseError> {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut model = Model::default();
    let mut store = runtime.block_on(database.open());
    for command in commands {
        if matches!(command, Command::Reopen) {
            runtime.block_on(store.close());
            store = runtime.block_on(database.open());
        }
        runtime.block_on(apply(&mut model, &store, command))?;
        compare(&model, &store)?;
    }
    runtime.block_on(store.close());
    Ok(())
}

fn random_commands(database: fn() -> Option<Database>) {
    if database().is_none() {
        return;
    }
    // A failing sequence is printed whole. A file of seeds would not name the engine.
    let config = ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() };
    let commands = prop::collection::vec(command(), 1..48);
    let checked =
        TestRunner::new(config).run(&commands, |commands| run_history(&database().unwrap(), commands));
    if let Err(failure) = checked {
        panic!("{failure}");
    }
}

mod sqlite {
    #[test]
    fn random_commands_agree_with_the_model() {
        super::random_commands(|| Some(crate::support::Database::sqlite()));
    }
}

mod postgres {
    #[test]
    fn random_commands_agree_with_the_model() {
        super::random_commands(crate::support::Database::postgres);
    }
}
