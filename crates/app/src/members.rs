//! Members of customers: see, add, change, remove.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::{
    self, CreateFacts, Created, DeleteFacts, Member, MemberChange, MemberError, MemberRole, NewMember,
    UpdateFacts, Updated,
};
use tenantry_core::values::ExternalId;
use tenantry_store::{ListQuery, MemberConflicts, MemberFilter, Page, Paged, StoreError, Tx, UseCase};

use crate::changes::{self, Change};
use crate::{App, Error, Requester, TeamPermission};

/// How a request names a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerName {
    /// By id.
    Id(CustomerId),
    /// By the id in the organization's own system.
    External(String),
}

/// How a request names a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberName {
    /// By id.
    Id(MemberId),
    /// By id, within a customer.
    OfCustomer(CustomerName, MemberId),
    /// By the id in the organization's own system, within a customer.
    External(CustomerName, String),
}

/// Whether a row that was found may change under the reader's eyes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It may: nothing is decided by it.
    No,
    /// It may not until the transaction ends.
    Yes,
}

/// The customer of that name within the requester's reach. An id is found in one organization alone; an
/// external id may be in several.
pub(crate) async fn customer(
    tx: &mut Tx<'_>,
    by: &Requester,
    name: &CustomerName,
    hold: Hold,
) -> Result<Option<Customer>, Error> {
    let mut found = None;
    for organization in by.organizations_with(TeamPermission::ReadCustomers) {
        let id = match name {
            CustomerName::Id(id) => Some(*id),
            CustomerName::External(external_id) => {
                tx.customer_by_external_id(organization, external_id).await?
            }
        };
        let Some(id) = id else { continue };
        let customer = match hold {
            Hold::No => tx.customer(organization, id).await?,
            Hold::Yes => tx.customer_for_update(organization, id).await?,
        };
        match (name, customer) {
            (_, None) => {}
            (CustomerName::Id(_), Some(customer)) => return Ok(Some(customer)),
            (CustomerName::External(_), Some(_)) if found.is_some() => return Err(Error::AmbiguousCustomer),
            (CustomerName::External(_), Some(customer)) => found = Some(customer),
        }
    }
    Ok(found)
}

/// The member of that name within the requester's reach.
async fn find(tx: &mut Tx<'_>, by: &Requester, name: &MemberName) -> Result<Member, Error> {
    let found = match name {
        MemberName::Id(id) => find_by_id(tx, by, *id).await?,
        MemberName::OfCustomer(customer_name, id) => {
            let of = customer(tx, by, customer_name, Hold::No).await?;
            let member = find_by_id(tx, by, *id).await?;
            member.filter(|member| of.is_some_and(|customer| customer.id == member.customer_id))
        }
        MemberName::External(customer_name, external_id) => {
            match customer(tx, by, customer_name, Hold::No).await? {
                Some(of) => tx.member_by_external_id(of.organization, of.id, external_id).await?,
                None => None,
            }
        }
    };
    found.ok_or_else(|| MemberError::NotFound.into())
}

async fn find_by_id(tx: &mut Tx<'_>, by: &Requester, id: MemberId) -> Result<Option<Member>, Error> {
    for organization in by.organizations() {
        if let Some(member) = tx.member(*organization, id).await? {
            return Ok(Some(member));
        }
    }
    Ok(None)
}

/// Adds a member to a customer.
#[derive(Debug, Clone)]
pub struct MemberCreate {
    /// On whose behalf.
    pub by: Requester,
    /// To which customer.
    pub customer: CustomerName,
    /// Whom.
    pub new: NewMember,
}

impl UseCase for MemberCreate {
    type Output = Member;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, customer: name, new } = self;
        let customer = customer(tx, by, name, Hold::Yes).await?.ok_or(MemberError::CustomerNotFound)?;
        by.check(customer.organization, TeamPermission::ManageCustomers)?;
        add(tx, context, by, customer, new).await
    }
}

/// Adds a member to a customer that is held.
pub(crate) async fn add(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    customer: Customer,
    new: &NewMember,
) -> Result<Member, Error> {
    let organization = customer.organization;
    let external_id = new.external_id.as_ref().map(ExternalId::as_str);
    let room = tx.member_conflicts(organization, customer.id, &new.email, external_id).await?;
    let MemberConflicts { members_enabled, same_email, external_id_taken } =
        room.ok_or(Error::OrganizationNotFound)?;
    let facts = CreateFacts { members_enabled, same_email, external_id_taken, customer };
    let id = MemberId::new(context.uuid());
    match member::create(facts, new.clone(), id, context.now())? {
        Created::Existing(member) => Ok(member),
        Created::New(member) => {
            tx.member_insert(&member).await.map_err(|error| taken(error, &member))?;
            record(tx, context, by, "member.created", None, Some(&member)).await?;
            Ok(member)
        }
    }
}

/// Changes a member; the role `owner` transfers ownership.
#[derive(Debug, Clone)]
pub struct MemberUpdate {
    /// On whose behalf.
    pub by: Requester,
    /// Whom.
    pub member: MemberName,
    /// How.
    pub change: MemberChange,
}

impl UseCase for MemberUpdate {
    type Output = Member;
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, member: name, change } = self;
        let (before, customer) = held(tx, by, name).await?;
        self::change(tx, context, by, before, &customer, change).await
    }
}

/// Changes a member of a customer that is held.
pub(crate) async fn change(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    before: Member,
    customer: &Customer,
    change: &MemberChange,
) -> Result<Member, Error> {
    let organization = before.organization;
    let email_taken = match &change.email {
        Some(email) => tx
            .member_by_email(organization, customer.id, email)
            .await?
            .is_some_and(|other| other.id != before.id),
        None => false,
    };
    let owner = match change.role {
        Some(MemberRole::Owner) => tx.customer_owner(organization, customer.id).await?,
        _ => None,
    };
    let facts = UpdateFacts {
        member: before.clone(),
        customer_kind: customer.kind,
        owner: owner.clone(),
        email_taken,
    };
    let Updated { demoted, member, changed } = member::update(facts, change.clone(), context.now())?;
    if let Some(demoted) = &demoted {
        tx.member_update(demoted).await?;
        record(tx, context, by, "member.updated", owner.as_ref(), Some(demoted)).await?;
    }
    if changed {
        tx.member_update(&member).await.map_err(|error| taken(error, &member))?;
        record(tx, context, by, "member.updated", Some(&before), Some(&member)).await?;
    }
    Ok(member)
}

/// Removes a member.
#[derive(Debug, Clone)]
pub struct MemberDelete {
    /// On whose behalf.
    pub by: Requester,
    /// Whom.
    pub member: MemberName,
}

impl UseCase for MemberDelete {
    type Output = ();
    type Error = Error;

    fn organization(&self) -> Option<OrganizationId> {
        self.by.near()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, member: name } = self;
        let (member, _) = held(tx, by, name).await?;
        remove(tx, context, by, &member).await
    }
}

/// Removes a member of a customer that is held.
pub(crate) async fn remove(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &Member,
) -> Result<(), Error> {
    member::delete(DeleteFacts { id: member.id, role: member.role })?;
    tx.member_delete(member, context.now()).await?;
    record(tx, context, by, "member.deleted", Some(member), None).await
}

/// The member of that name as it is once nobody else can change it: the customer is held, and the member
/// read again.
async fn held(tx: &mut Tx<'_>, by: &Requester, name: &MemberName) -> Result<(Member, Customer), Error> {
    let found = find(tx, by, name).await?;
    let customer = tx.customer_for_update(found.organization, found.customer_id).await?;
    let customer = customer.ok_or(MemberError::NotFound)?;
    let member = tx.member(found.organization, found.id).await?.ok_or(MemberError::NotFound)?;
    by.check(member.organization, TeamPermission::ManageCustomers)?;
    Ok((member, customer))
}

/// A race for what must be unique ends as a sequence would have.
fn taken(error: StoreError, member: &Member) -> Error {
    let lost = if error.is_violation_of("members_email") {
        Some(MemberError::EmailTaken(member.email.clone()))
    } else if error.is_violation_of("members_external_id") {
        member.external_id.clone().map(MemberError::ExternalIdTaken)
    } else if error.is_violation_of("members_owner") {
        Some(MemberError::OwnerRequired(member.role))
    } else if error.is_violation_of("customers_individual_has_one_member") {
        Some(MemberError::IndividualHasOneMember)
    } else {
        None
    };
    lost.map_or(Error::Store(error), Error::Member)
}

pub(crate) async fn record(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    action: &'static str,
    before: Option<&Member>,
    after: Option<&Member>,
) -> Result<(), Error> {
    let Some(Member { organization, id, .. }) = after.or(before) else { return Ok(()) };
    let (organization, subject) = (*organization, id.uuid());
    changes::record(tx, context, by, Change { organization, action, subject, before, after }).await
}

/// A list that may have to look at every member.
struct CursorPage {
    filter: MemberFilter,
    page: Page,
}

impl ListQuery for CursorPage {
    type Output = Paged<Member>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Member>, StoreError> {
        tx.members(&self.filter, self.page).await
    }

    fn organization(&self) -> Option<OrganizationId> {
        self.filter.organizations.first().copied()
    }
}

impl App {
    /// The member of that name.
    ///
    /// # Errors
    /// [`MemberError::NotFound`], or a fault.
    pub async fn member(&self, by: &Requester, name: &MemberName) -> Result<Member, Error> {
        find(&mut self.store.reader()?.tx()?, by, name).await
    }

    /// A part of the list of members within reach.
    ///
    /// # Errors
    /// A fault.
    pub async fn members(&self, filter: &MemberFilter, page: Page) -> Result<Paged<Member>, Error> {
        let is_narrow = filter.is_narrow() && page.is_near();
        self.look(CursorPage { filter: filter.clone(), page }, is_narrow).await
    }
}
