//! Members of customers: read, list, add, update, remove.

use tenantry_core::ExecutionContext;
use tenantry_core::customer::Customer;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::member::{
    self, CreateFacts, Created, DeleteFacts, Member, MemberChange, MemberError, MemberRole, NewMember,
    UpdateFacts, Updated,
};
use tenantry_core::values::ExternalId;
use tenantry_store::{
    ListQuery, MemberConflicts, MemberFilter, Page, Paged, Party, RowKey, StoreError, Tx, UseCase,
};
use uuid::Uuid;

use crate::conditional::RowUseCase;
use crate::{App, Error, Requester, TeamPermission, changes, limits};

/// A customer as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CustomerRef {
    /// By id.
    Id(CustomerId),
    /// By the id in the organization's own system, compared as stored.
    External(String),
}

/// A member as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberRef {
    /// By id.
    Id(MemberId),
    /// By id, within a customer.
    OfCustomer(CustomerRef, MemberId),
    /// By the id in the organization's own system, within a customer.
    External(CustomerRef, String),
}

/// The lock that a query takes on the rows it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lock {
    /// No lock, for reads that decide nothing.
    None,
    /// A lock until the transaction ends that keeps the rows as they are for the decision. Other transactions can hold
    /// it as well.
    Share,
    /// An exclusive lock until the transaction ends.
    ForUpdate,
}

/// The customer, among the organizations that the requester may read. An external id may match in several
/// organizations, which is [`Error::AmbiguousCustomer`].
pub(crate) async fn customer(
    tx: &mut Tx<'_>,
    by: &Requester,
    name: &CustomerRef,
    lock: Lock,
) -> Result<Option<Customer>, Error> {
    let mut found = None;
    let organizations = match name {
        CustomerRef::Id(id) => {
            by.organizations_with_row(tx, TeamPermission::ReadCustomers, RowKey::Customer(id.uuid())).await?
        }
        CustomerRef::External(_) => by.organizations_with(TeamPermission::ReadCustomers).collect(),
    };
    for organization in organizations {
        let id = match name {
            CustomerRef::Id(id) => Some(*id),
            CustomerRef::External(external_id) => {
                tx.customer_by_external_id(organization, external_id).await?
            }
        };
        let Some(id) = id else { continue };
        let customer = match lock {
            Lock::None => tx.customer(organization, id).await?,
            Lock::Share => tx.customer_for_share(organization, id).await?,
            Lock::ForUpdate => tx.customer_for_update(organization, id).await?,
        };
        match (name, customer) {
            (_, None) => {}
            (CustomerRef::Id(_), Some(customer)) => return Ok(Some(customer)),
            (CustomerRef::External(_), Some(_)) if found.is_some() => return Err(Error::AmbiguousCustomer),
            (CustomerRef::External(_), Some(customer)) => found = Some(customer),
        }
    }
    Ok(found)
}

/// The member, among the organizations of the requester.
async fn find(tx: &mut Tx<'_>, by: &Requester, name: &MemberRef) -> Result<Member, Error> {
    let found = match name {
        MemberRef::Id(id) => find_by_id(tx, by, *id).await?,
        MemberRef::OfCustomer(customer_name, id) => {
            let of = customer(tx, by, customer_name, Lock::None).await?;
            let member = find_by_id(tx, by, *id).await?;
            member.filter(|member| of.is_some_and(|customer| customer.id == member.customer_id))
        }
        MemberRef::External(customer_name, external_id) => {
            match customer(tx, by, customer_name, Lock::None).await? {
                Some(of) => tx.member_by_external_id(of.organization, of.id, external_id).await?,
                None => None,
            }
        }
    };
    found.ok_or_else(|| MemberError::NotFound.into())
}

async fn find_by_id(tx: &mut Tx<'_>, by: &Requester, id: MemberId) -> Result<Option<Member>, Error> {
    let organizations = by.organizations().to_vec();
    for organization in tx.organizations_with_row(RowKey::Member(id.uuid()), organizations).await? {
        if let Some(member) = tx.member(organization, id).await? {
            return Ok(Some(member));
        }
    }
    Ok(None)
}

/// Adds a member to a customer.
#[derive(Debug, Clone)]
pub struct MemberCreate {
    /// The requester.
    pub by: Requester,
    /// The customer.
    pub customer: CustomerRef,
    /// The new member's data.
    pub new: NewMember,
}

impl UseCase for MemberCreate {
    type Output = Member;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, customer: name, new } = self;
        if let (CustomerRef::Id(id), Some(organization)) = (name, by.party().organization) {
            let external_id = new.external_id.as_ref().map(ExternalId::as_str);
            tx.member_create_ahead(organization, *id, &new.email, external_id);
        }
        let customer = customer(tx, by, name, Lock::Share).await?.ok_or(MemberError::CustomerNotFound)?;
        by.check(customer.organization, TeamPermission::ManageCustomers)?;
        let (Created::Existing(member) | Created::New(member)) = add(tx, context, by, customer, new).await?;
        Ok(member)
    }
}

/// Adds a member to a customer whose row is locked, or finds the one that it has.
pub(crate) async fn add(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    customer: Customer,
    new: &NewMember,
) -> Result<Created, Error> {
    let organization = customer.organization;
    let external_id = new.external_id.as_ref().map(ExternalId::as_str);
    let conflicts = tx.member_conflicts(organization, customer.id, &new.email, external_id).await?;
    let MemberConflicts { members_enabled, same_email, external_id_taken } =
        conflicts.ok_or(Error::OrganizationNotFound)?;
    let kind = customer.kind;
    let facts = CreateFacts { members_enabled, same_email, external_id_taken, customer };
    let id = MemberId::new(context.uuid());
    let created = member::create(facts, new.clone(), id, context.now())?;
    if let Created::New(member) = &created {
        tx.member_insert(member, kind).await.map_err(|error| conflict(error, member))?;
        changes::created(tx, context, by, "member.created", member).await?;
    }
    Ok(created)
}

/// Updates a member. The role `owner` transfers ownership.
#[derive(Debug, Clone)]
pub struct MemberUpdate {
    /// The requester.
    pub by: Requester,
    /// The member.
    pub member: MemberRef,
    /// The change.
    pub change: MemberChange,
}

impl UseCase for MemberUpdate {
    type Output = Member;
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Member, Error> {
        let Self { by, member: name, change } = self;
        let (before, customer) = lock(tx, by, name).await?;
        update(tx, context, by, before, &customer, change).await
    }
}

impl RowUseCase for MemberUpdate {
    type Row = Member;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Member, Error> {
        Ok(lock(tx, &self.by, &self.member).await?.0)
    }
}

/// Updates a member of a customer whose row is locked. When the address changes, the member's sessions end.
pub(crate) async fn update(
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
    if let Some((owner, demoted)) = owner.as_ref().zip(demoted.as_ref()) {
        tx.member_update(demoted).await?;
        changes::updated(tx, context, by, "member.updated", (owner, demoted)).await?;
    }
    if changed {
        tx.member_update(&member).await.map_err(|error| conflict(error, &member))?;
        if before.email.key() != member.email.key() {
            // They belong to the person at the former address.
            tx.customer_sessions_delete(organization, customer.id, Some(member.id)).await?;
        }
        changes::updated(tx, context, by, "member.updated", (&before, &member)).await?;
    }
    Ok(member)
}

/// Removes a member.
#[derive(Debug, Clone)]
pub struct MemberDelete {
    /// The requester.
    pub by: Requester,
    /// The member.
    pub member: MemberRef,
}

impl UseCase for MemberDelete {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, member: name } = self;
        let (member, _) = lock(tx, by, name).await?;
        remove(tx, context, by, &member).await
    }
}

impl RowUseCase for MemberDelete {
    type Row = Member;

    async fn current(&self, tx: &mut Tx<'_>) -> Result<Member, Error> {
        Ok(lock(tx, &self.by, &self.member).await?.0)
    }
}

/// Removes a member of a customer whose row is locked.
pub(crate) async fn remove(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    member: &Member,
) -> Result<(), Error> {
    member::delete(DeleteFacts { id: member.id, role: member.role })?;
    tx.member_delete(member, context.now()).await?;
    changes::deleted(tx, context, by, "member.deleted", member).await
}

/// The member and its customer, whose row is locked. The member is read again after the lock, because it may have
/// changed before.
async fn lock(tx: &mut Tx<'_>, by: &Requester, name: &MemberRef) -> Result<(Member, Customer), Error> {
    let found = find(tx, by, name).await?;
    let customer = tx.customer_for_update(found.organization, found.customer_id).await?;
    let customer = customer.ok_or(MemberError::NotFound)?;
    let member = tx.member(found.organization, found.id).await?.ok_or(MemberError::NotFound)?;
    by.check(member.organization, TeamPermission::ManageCustomers)?;
    Ok((member, customer))
}

/// Translates a violated constraint, which a concurrent request causes, to the error of sequential requests.
fn conflict(error: StoreError, member: &Member) -> Error {
    let conflict = if error.is_violation_of("members_email") {
        Some(MemberError::EmailTaken(member.email.clone()))
    } else if error.is_violation_of("members_external_id") {
        member.external_id.clone().map(MemberError::ExternalIdTaken)
    } else if error.is_violation_of("members_owner") {
        Some(MemberError::OwnerRequired(member.role))
    } else if error.is_violation_of("members_of_individual") {
        Some(MemberError::IndividualHasOneMember)
    } else {
        None
    };
    conflict.map_or(Error::Store(error), Error::Member)
}

/// A list that may scan every member of the organizations.
struct MemberList {
    filter: MemberFilter,
    page: Page,
    limited_as: Option<Uuid>,
}

impl ListQuery for MemberList {
    type Output = Paged<Member>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Paged<Member>, StoreError> {
        tx.members(&self.filter, self.page).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

/// The next members of an export.
struct ExportChunk {
    organization: OrganizationId,
    after: Option<MemberId>,
    limited_as: Option<Uuid>,
}

impl ListQuery for ExportChunk {
    type Output = Vec<Member>;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Vec<Member>, StoreError> {
        tx.members_after(self.organization, self.after, limits::EXPORT_PAGE_ROWS).await
    }

    fn limited_as(&self) -> Option<Uuid> {
        self.limited_as
    }
}

impl App {
    /// The next members of an organization's export, oldest first. Empty after the last one.
    ///
    /// # Errors
    /// [`Error::ProofRequired`] before the first one, when the database fails, or there is no place for a list query.
    pub async fn members_after(
        &self,
        by: &Requester,
        organization: OrganizationId,
        after: Option<MemberId>,
    ) -> Result<Vec<Member>, Error> {
        // A long export outlives its proof.
        if after.is_none() {
            by.check_proof(self.now())?;
        }
        let limited_as = by.limited_as();
        Ok(self.store.run_list_query(ExportChunk { organization, after, limited_as }).await?)
    }

    /// One member.
    ///
    /// # Errors
    /// [`MemberError::NotFound`], or a store error.
    pub async fn member(&self, by: &Requester, name: &MemberRef) -> Result<Member, Error> {
        find(&mut self.store.reader()?.tx()?, by, name).await
    }

    /// A page of the list of members.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(
        &self,
        by: &Requester,
        filter: &MemberFilter,
        page: Page,
    ) -> Result<Paged<Member>, Error> {
        let is_selective = filter.is_selective();
        let limited_as = by.limited_as();
        self.run_list(MemberList { filter: filter.clone(), page, limited_as }, page, is_selective).await
    }
}
