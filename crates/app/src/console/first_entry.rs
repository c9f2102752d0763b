//! The first entry: the operator takes over the organization of the first start, with a secret that the server prints.
//!
//! | state | value `first_entry` of `installation` | next |
//! |---|---|---|
//! | offered | the organization | opened by a start of the server |
//! | open | the organization, the hash of the secret, its end | taken; opened again by the next start, with another secret |
//! | taken | none | |

use serde::{Deserialize, Serialize};
use tenantry_core::console::{Browser, ENTRY_S, Proof};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::organization::OrganizationChange;
use tenantry_core::team::TeamMember;
use tenantry_core::token::{Secret, SecretKind, TokenHash};
use tenantry_core::user::{Language, User};
use tenantry_core::values::{EmailAddress, OrganizationName, PersonName};
use tenantry_core::{ExecutionContext, Patch, Timestamp};
use tenantry_store::{Party, Tx, UseCase};

use super::{NewSession, sign_in};
use crate::organizations::{OrganizationUpdate, OwnerRef};
use crate::ownership::OrganizationTransfer;
use crate::team::TeamMemberRemove;
use crate::{App, Error, HashKey, Requester, changes, operator, people};

/// The name of the value in `installation`.
const NAME: &str = "first_entry";
/// The end of an address that no mail reaches, which the first start gives the owner.
const PLACEHOLDER: &str = ".invalid";

/// The offer of the first entry, as stored.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Offer {
    organization: OrganizationId,
    open: Option<Open>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Open {
    secret_hash: [u8; 32],
    expires_at: Timestamp,
}

async fn save(tx: &mut Tx<'_>, offer: &Offer) -> Result<(), Error> {
    Ok(tx.installation_value_replace(NAME, &serde_json::to_vec(offer)?).await?)
}

async fn load(tx: &mut Tx<'_>) -> Result<Option<Offer>, Error> {
    let value = tx.installation_value_for_update(NAME).await?;
    Ok(value.map(|value| serde_json::from_slice(&value)).transpose()?)
}

/// Offers the first entry into an organization.
pub(crate) async fn offer(tx: &mut Tx<'_>, organization: OrganizationId) -> Result<(), Error> {
    save(tx, &Offer { organization, open: None }).await
}

/// Makes a secret for the first entry, in place of an earlier one. `None` if it was taken, or is not offered.
#[derive(Clone)]
pub struct FirstEntry {
    /// The key that hashes the secret.
    pub hash_key: HashKey,
}

impl UseCase for FirstEntry {
    type Output = Option<Secret>;
    type Error = Error;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Option<Secret>, Error> {
        let Some(offer) = load(tx).await? else { return Ok(None) };
        let secret = Secret::generate(SecretKind::FirstEntry, context);
        let TokenHash(secret_hash) = self.hash_key.hash(secret.expose());
        let open = Open { secret_hash, expires_at: context.now().plus_seconds(ENTRY_S) };
        save(tx, &Offer { open: Some(open), ..offer }).await?;
        Ok(Some(secret))
    }
}

/// Takes over the first organization: names it, makes the person its owner and an operator, and begins a session. The
/// operator vouches for the address. `None` if the secret does not work.
#[derive(Clone)]
pub struct FirstEntryClaim {
    /// The secret that the server printed.
    pub secret: String,
    /// The organization's name.
    pub organization: OrganizationName,
    /// The person's name.
    pub name: PersonName,
    /// The person's address.
    pub email: EmailAddress,
    /// The browser.
    pub browser: Browser,
    /// The language of the page.
    pub language: Language,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The key that hashes secrets.
    pub hash_key: HashKey,
}

impl UseCase for FirstEntryClaim {
    type Output = Option<NewSession>;
    type Error = Error;

    fn party(&self) -> Party {
        Party::STRANGERS
    }

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<NewSession>, Error> {
        let Self { secret, email, browser, language, request_id, hash_key, .. } = self;
        let Some(Offer { organization, open: Some(open) }) = load(tx).await? else { return Ok(None) };
        let is_right = hash_key.hash(secret.trim()).is_same(&TokenHash(open.secret_hash));
        if !is_right || open.expires_at <= context.now() {
            return Ok(None);
        }
        let by = Requester::operator();
        let change = OrganizationChange {
            name: Patch::Value(self.organization.clone()),
            ..OrganizationChange::default()
        };
        let before = OrganizationUpdate { by: by.clone(), id: organization, change }.run(tx, context).await?;
        let to = OwnerRef::Email(email.clone());
        let owner = OrganizationTransfer { organization, to }.run(tx, context).await?;
        self.name_owner(tx, context, &by, owner.clone()).await?;
        if before.owner != owner.user {
            remove_placeholder(tx, context, &by, (organization, before.owner)).await?;
        }
        tx.user_mark_verified(owner.user, context.now()).await?;
        operator::set(tx, context, &by, (owner.user, true)).await?;
        tx.installation_value_delete(NAME).await?;
        let Some(user) = tx.user_for_update(owner.user).await? else { return Ok(None) };
        let user = self.name_person(tx, context, &by, user).await?;
        let session = (browser, *language, Proof::Operator);
        Ok(Some(sign_in::begin(tx, context, &user, session, (request_id, hash_key)).await?.0))
    }
}

impl FirstEntryClaim {
    /// Gives the person the entered name, unless there is one. Returns the person.
    async fn name_person(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        by: &Requester,
        before: User,
    ) -> Result<User, Error> {
        if before.name.is_some() {
            return Ok(before);
        }
        let after = User { name: Some(self.name.clone()), ..before.clone() };
        people::save_profile(tx, context, by, &before, &after).await?;
        Ok(after)
    }

    async fn name_owner(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        by: &Requester,
        before: TeamMember,
    ) -> Result<(), Error> {
        let name = Some(self.name.clone());
        let after = TeamMember { name, modified_at: context.now(), ..before.clone() };
        if after.name == before.name {
            return Ok(());
        }
        tx.team_update_person(&after).await?;
        changes::updated(tx, context, by, "team_member.updated", (&before, &after)).await
    }
}

/// Removes the former owner, if no mail reaches that address.
async fn remove_placeholder(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (organization, user): (OrganizationId, UserId),
) -> Result<(), Error> {
    let member = tx.team_member(organization, user).await?;
    if member.is_some_and(|member| member.email.domain().ends_with(PLACEHOLDER)) {
        TeamMemberRemove { by: by.clone(), organization, user, may_leave: true }.run(tx, context).await?;
    }
    Ok(())
}

impl App {
    /// Makes a secret for the first entry. `None` if it was taken, or is not offered.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_first_entry(&self) -> Result<Option<Secret>, Error> {
        self.write(FirstEntry { hash_key: self.hash_key.clone() }).await
    }
}
