//! Users, as the operator manages them: list, show, change the address, delete.
//!
//! A deletion ends the memberships and tokens of the person in one transaction. The audit entries that name the person
//! follow in parts of [`limits::USER_DELETION_ENTRIES_PER_TRANSACTION`], by the command and, after a crash, by the sweep.
//! `former_team_members` has the organizations with such entries.

use tenantry_core::ExecutionContext;
use tenantry_core::audit::anonymize_image;
use tenantry_core::customer::AnonymousIdentity;
use tenantry_core::ids::UserId;
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::token::UserToken;
use tenantry_core::user::{User, UserError};
use tenantry_core::values::{EmailAddress, Slug};
use tenantry_store::{StoreError, Tx, UseCase, UserDeletion};

use crate::changes::{AddedUser, INSTALLATION};
use crate::{App, Error, Requester, changes, limits};

/// Gives a user another address, also in the teams of organizations, to which mail goes.
#[derive(Debug, Clone)]
pub struct UserSetEmail {
    /// The user.
    pub user: UserId,
    /// The new address.
    pub email: EmailAddress,
}

impl UseCase for UserSetEmail {
    type Output = User;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<User, Error> {
        let before = tx.user_for_update(self.user).await?.ok_or(UserError::NotFound)?;
        let after = User { email: self.email.normalized(), ..before.clone() };
        if after == before {
            return Ok(after);
        }
        if tx.user_by_email(&after.email).await?.is_some_and(|other| other.id != after.id) {
            return Err(UserError::AddressTaken.into());
        }
        let by = Requester::operator();
        tx.user_update_email(&after).await?;
        let (old, new) = (of_installation(&before), of_installation(&after));
        changes::updated(tx, context, &by, "user.updated", (&old, &new)).await?;
        for organization in tx.user_organizations(self.user).await? {
            let Some(before) = tx.team_member(organization, self.user).await? else { continue };
            let (email, modified_at) = (self.email.clone(), context.now());
            let after = TeamMember { email, modified_at, ..before.clone() };
            tx.team_update_person(&after).await?;
            changes::updated(tx, context, &by, "team_member.updated", (&before, &after)).await?;
        }
        Ok(after)
    }
}

const fn of_installation(user: &User) -> AddedUser<'_> {
    AddedUser { user, organization: None }
}

/// Deletes a user who owns no organization. Personal data in audit entries is left to [`App::delete_user`].
#[derive(Debug, Clone)]
struct UserDelete(UserId);

impl UseCase for UserDelete {
    type Output = ();
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let user = tx.user_for_update(self.0).await?.ok_or(UserError::NotFound)?;
        let by = Requester::operator();
        let mut members = Vec::new();
        for organization in tx.user_organizations(user.id).await? {
            members.extend(tx.team_member(organization, user.id).await?);
        }
        check_owns_nothing(tx, &members).await?;
        for member in &members {
            tx.team_delete(member.organization, user.id).await?;
            changes::deleted(tx, context, &by, "team_member.deleted", member).await?;
        }
        for token in tx.tokens_of_user(user.id).await? {
            changes::deleted(tx, context, &by, "user_token.deleted", &token).await?;
        }
        changes::deleted(tx, context, &by, "user.deleted", &of_installation(&user)).await?;
        tx.user_delete(user.id).await?;
        tx.former_team_member_insert(user.id, INSTALLATION).await?;
        let seed = context.random_bytes::<32>().to_vec();
        let deletion = UserDeletion { user: user.id, created_at: context.now(), seed, entry: None };
        Ok(tx.user_deletion_save(&deletion).await?)
    }
}

async fn check_owns_nothing(tx: &mut Tx<'_>, members: &[TeamMember]) -> Result<(), Error> {
    let mut owned = Vec::new();
    for member in members.iter().filter(|member| member.role == TeamRole::Owner) {
        owned.extend(tx.organization(member.organization).await?.map(|owned| owned.slug.to_string()));
    }
    if owned.is_empty() { Ok(()) } else { Err(UserError::OwnsOrganizations(owned).into()) }
}

/// Anonymizes some of the audit entries about a deleted user. Returns whether all are done.
struct ContinueUserDeletion(UserId);

impl UseCase for ContinueUserDeletion {
    type Output = bool;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, _: &mut ExecutionContext) -> Result<bool, Error> {
        let Some(mut deletion) = tx.user_deletion(self.0).await? else { return Ok(true) };
        let seed = deletion.seed.as_slice().try_into().unwrap_or([0; 32]);
        let identity = AnonymousIdentity::generate(&mut ExecutionContext::new(deletion.created_at, seed));
        let mut left = limits::USER_DELETION_ENTRIES_PER_TRANSACTION;
        while left > 0 {
            let Some(organization) = tx.former_team_member_first(deletion.user).await? else {
                tx.user_deletion_finish(deletion.user).await?;
                return Ok(true);
            };
            let subject = deletion.user.uuid();
            let entries = tx.audit_images(organization, subject, deletion.entry, left).await?;
            let count = i64::try_from(entries.len()).unwrap_or(i64::MAX);
            for (id, before, after) in entries {
                let image =
                    |image: Option<String>| image.map(|image| anonymize_image(&image, &identity)).transpose();
                tx.audit_images_replace(organization, (id, image(before)?, image(after)?)).await?;
                deletion.entry = Some(id);
            }
            if count < left {
                tx.former_team_member_delete(deletion.user, organization).await?;
                deletion.entry = None;
            }
            // An organization without entries counts too, so that the transaction stays small.
            left = left.saturating_sub(count.max(1));
        }
        tx.user_deletion_save(&deletion).await?;
        Ok(false)
    }
}

/// A user with memberships and tokens.
#[derive(Debug, Clone)]
pub struct UserDetails {
    /// The user.
    pub user: User,
    /// The memberships, each with the organization's slug.
    pub memberships: Vec<(Slug, TeamMember)>,
    /// The tokens that are not revoked.
    pub tokens: Vec<UserToken>,
}

impl App {
    /// Deletes a user, and removes the name and address from audit entries. A user that is deleted already, but not from
    /// all audit entries, is [`UserError::NotFound`]; the sweep goes on with it.
    ///
    /// # Errors
    /// [`Error::User`], or when the database fails.
    pub async fn delete_user(&self, user: UserId) -> Result<(), Error> {
        self.write(UserDelete(user)).await?;
        self.continue_user_deletion(user).await
    }

    async fn continue_user_deletion(&self, user: UserId) -> Result<(), Error> {
        while !self.write(ContinueUserDeletion(user)).await? {}
        Ok(())
    }

    /// Continues the deletions that their commands did not finish.
    pub(crate) async fn continue_user_deletions(&self) -> Result<(), StoreError> {
        let pending = self.store.reader()?.tx()?.user_deletions(limits::CUSTOMER_DELETIONS_PER_SWEEP).await?;
        for user in pending {
            if let Err(error) = self.continue_user_deletion(user).await {
                tracing::warn!(%error, "deletions of users are not finished");
            }
        }
        Ok(())
    }

    /// Passes every user and the number of teams that the user is in to `each`, by address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn each_user(&self, mut each: impl FnMut(&User, u64)) -> Result<(), Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let mut after: Option<EmailAddress> = None;
        loop {
            let page = tx.users(after.as_ref(), limits::OLD_ROWS_PER_TRANSACTION).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.email.clone());
            page.iter().for_each(|(user, teams)| each(user, *teams));
        }
    }

    /// A user with memberships and tokens.
    ///
    /// # Errors
    /// [`Error::User`], or when the database fails.
    pub async fn user_details(&self, id: UserId) -> Result<UserDetails, Error> {
        let mut reader = self.store.reader()?;
        let mut tx = reader.tx()?;
        let user = tx.user(id).await?.ok_or(UserError::NotFound)?;
        let mut memberships = Vec::new();
        for organization in tx.user_organizations(id).await? {
            // A list of the reader, which locks no row.
            let member = tx.team(organization).await?.into_iter().find(|member| member.user == id);
            let slug = tx.organization(organization).await?.map(|organization| organization.slug);
            memberships.extend(slug.zip(member));
        }
        let tokens = tx.tokens_of_user(id).await?;
        Ok(UserDetails { user, memberships, tokens })
    }
}
