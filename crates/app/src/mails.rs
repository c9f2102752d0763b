//! Outgoing mail: queued in the transaction of the change, sent by a worker after the commit.
//!
//! | state of a row in `mails` | condition | next |
//! |---|---|---|
//! | pending | `due_at` is reached | a worker leases it |
//! | leased | `due_at` = end of the lease, [`limits::MAIL_LEASE_S`] after it was taken | sent, postponed or given up |
//! | postponed | `due_at` = the next attempt | pending |
//! | unreadable | `due_at` = [`limits::UNREADABLE_RETRY_S`] later | pending |
//! | sent, expired, given up or dropped | the row is deleted | |
//!
//! `due_at` is the lease: a worker reschedules a mail only if `due_at` is still the end of its own lease. A worker
//! that crashes leaves the mail leased; after the lease another one takes it. A mail can therefore be sent twice.
//! The secret of a mail is sealed in its row, bound to the id, and deleted with the row.
//!
//! Limits ([`MailLimits`]) are applied when a mail is leased for the first time, never when it is queued, so that the
//! change that causes a mail neither fails nor waits. Each limit is a budget in the database, shared by all nodes:
//!
//! | budget | empty |
//! |---|---|
//! | of an owner with all organizations: one for invitations, one for notices, one for proofs of an address | its mails of that queue wait |
//! | of one kind from an owner to a recipient | the mail is dropped |
//! | to a recipient, from all owners: one for invitations, one for proofs of an address | the mail is dropped |
//! | of codes for signing in to a recipient, when one is asked for | no mail is queued |
//!
//! A notice of a change is never dropped because of the mails of other owners. Addresses with a tag (`jo+news@x.dev`)
//! count as the address without it. A retry has a queue of its own, and waits for no budget.
//!
//! A person can switch off notices of some topics ([`MailContent::topic`]). No such mail is queued for the person from
//! then on.
//!
//! A mail is in the language of the person that it goes to. A person has one from the first sign-in on, and a customer
//! may have a locale. Without it, the language is that of the organization's owner, and then that of the installation.
//!
//! A mail, unless it has a code for signing in, is also dropped when it is queued while
//! [`limits::PENDING_MAILS_PER_ACCOUNT`] others of its account wait in its queue.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use tenantry_core::ExecutionContext;
use tenantry_core::Timestamp;
use tenantry_core::budget::Budget;
use tenantry_core::ids::{MailId, OrganizationId, UserId};
use tenantry_core::mail::{self, MailContent, MailLimits, MailQueue, QueuedMail};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::token::{Secret, TokenHash};
use tenantry_core::user::Language;
use tenantry_core::values::{EmailAddress, SenderName};
use tenantry_store::{StoreError, Tx, UseCase};
use uuid::Uuid;

use crate::{App, Error, HashKey, limits};

/// A mail to be queued.
pub(crate) struct NewMail<'a> {
    pub(crate) organization: OrganizationId,
    /// The person that the mail goes to. `None` for a customer.
    pub(crate) user: Option<UserId>,
    pub(crate) to: EmailAddress,
    /// The recipient's language, if the caller knows it.
    pub(crate) language: Option<Language>,
    pub(crate) content: MailContent,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) secret: Option<(&'a Secret, &'a HashKey)>,
}

/// Queues a mail, due now. Drops it while too many others of its kind and account wait, unless it has a code for signing
/// in. So mails that strangers or customers cause never keep back those of another kind.
pub(crate) async fn queue(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    new: NewMail<'_>,
) -> Result<(), Error> {
    let NewMail { organization, user, to, language, content, expires_at, secret } = new;
    let (account, owner) = tx.mail_account(organization).await?.ok_or(Error::OrganizationNotFound)?;
    let (queue, pending) = (content.queue(), limits::PENDING_MAILS_PER_ACCOUNT);
    // Codes have a limit by address and soon expire.
    let is_code = queue == MailQueue::SignIns;
    if !is_code && tx.mails_pending(account, queue, pending).await? >= pending {
        tracing::warn!(organization_id = %account, %to, limit = "pending", "mail dropped");
        return Ok(());
    }
    let id = MailId::new(context.uuid());
    let sealed =
        match secret {
            Some((secret, key)) => {
                let sealed = key.seal(id.uuid().as_bytes(), secret.expose().as_bytes(), context);
                Some(sealed.ok_or_else(|| {
                    StoreError::Unexpected("the secret of a mail could not be sealed".into())
                })?)
            }
            None => None,
        };
    let language = match language {
        Some(language) => Some(language),
        None => language_of(tx, user, owner).await?,
    };
    let created_at = context.now();
    let due_at = created_at;
    let mail = QueuedMail {
        id,
        organization: account,
        created_at,
        expires_at,
        to,
        queue,
        // A code is counted when it is asked for.
        is_counted: is_code,
        content,
        sealed,
        due_at,
        attempts: 0,
        about: organization,
        user,
        language,
    };
    Ok(tx.mail_insert(&mail).await?)
}

/// The language of a person. Of somebody without one, that of the organization's owner.
async fn language_of(
    tx: &mut Tx<'_>,
    recipient: Option<UserId>,
    owner: UserId,
) -> Result<Option<Language>, StoreError> {
    if let Some(user) = recipient
        && let Some(language) = tx.user(user).await?.and_then(|user| user.language)
    {
        return Ok(Some(language));
    }
    Ok(tx.user(owner).await?.and_then(|owner| owner.language))
}

/// Queues a mail about an organization to its owner and administrators, except those who have switched it off. Queues
/// none while the account has [`limits::PENDING_NOTICES_PER_ACCOUNT`] pending notices. `content` makes the mail from the
/// organization's name.
pub(crate) async fn notify_administrators(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    organization: OrganizationId,
    content: impl FnOnce(String) -> MailContent + Send,
) -> Result<(), Error> {
    let (account, _) = tx.mail_account(organization).await?.ok_or(Error::OrganizationNotFound)?;
    let most = limits::PENDING_NOTICES_PER_ACCOUNT;
    if tx.mails_pending(account, MailQueue::Notices, most).await? >= most {
        return Ok(());
    }
    // The administrators of a deleted organization have nothing to administer.
    let Some(tenant) = tx.organization(organization).await? else { return Ok(()) };
    let content = content(tenant.name.to_string());
    let is_manager = |role| matches!(role, TeamRole::Owner | TeamRole::Administrator);
    let mut people = tx.team_oldest_first(organization).await?;
    people.retain(|member| is_manager(member.role));
    let mut places = limits::NOTICE_RECIPIENTS;
    for some in people.chunks(limits::NOTICE_RECIPIENTS) {
        let muting = who_mute(tx, some, &content).await?;
        let recipients = some.iter().filter(|member| !muting.contains(&member.user));
        for member in recipients.take(places) {
            places = places.saturating_sub(1);
            let to = member.email.normalized();
            let (user, content) = (Some(member.user), content.clone());
            let mail =
                NewMail { organization, user, to, language: None, content, expires_at: None, secret: None };
            queue(tx, context, mail).await?;
        }
    }
    Ok(())
}

/// The people among some members of a team who have switched such a mail off.
async fn who_mute(
    tx: &mut Tx<'_>,
    members: &[TeamMember],
    content: &MailContent,
) -> Result<HashSet<UserId>, StoreError> {
    let Some(topic) = content.topic() else { return Ok(HashSet::new()) };
    let people: Vec<UserId> = members.iter().map(|member| member.user).collect();
    tx.users_who_mute(&people, topic).await
}

/// Mails that a worker leased.
struct Leased {
    mails: Vec<QueuedMail>,
    /// Mails over a limit, with its name. They were deleted.
    dropped: Vec<(QueuedMail, &'static str)>,
    /// Mails to people who were deleted. They were deleted.
    to_deleted: usize,
}

/// Leases mails that are due and within the limits.
struct LeaseMails {
    /// The account. Absent for all accounts.
    account: Option<OrganizationId>,
    limits: MailLimits,
    hash_key: HashKey,
}

impl UseCase for LeaseMails {
    type Output = Leased;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Leased, StoreError> {
        let now = context.now();
        let until =
            [limits::MAIL_LEASE_S, limits::UNREADABLE_RETRY_S].map(|seconds| now.plus_seconds(seconds));
        let leased = tx.mails_lease(now, until, limits::MAIL_LEASES_PER_TRANSACTION, self.account).await?;
        let (leased, to_deleted) = without_deleted_people(tx, leased, now).await?;
        // A retry is not counted again. The worker deletes an expired mail unsent, so it uses no budget.
        let has_expired = |mail: &QueuedMail| mail.expires_at.is_some_and(|expires_at| expires_at <= now);
        let (mut mails, new): (Vec<_>, Vec<_>) =
            leased.into_iter().partition(|mail| mail.is_counted || has_expired(mail));
        let MailLimits { of_account, to_recipient, of_account_to_recipient } = self.limits;
        let owners = owners(tx, &new).await?;
        let owner =
            |mail: &QueuedMail| owners.get(&mail.organization).map(String::as_str).unwrap_or_default();
        let by_owner = |mail: &QueuedMail| self.hash(&["owner", mail.queue.as_str(), owner(mail)]);
        let (new, waiting) = take(tx, now, Budget::hourly(of_account), new, by_owner).await?;
        let by_both = |mail: &QueuedMail| {
            let recipient = mail.to.mailbox_key();
            self.hash(&["owner and recipient", owner(mail), mail.content.kind(), &recipient])
        };
        let budget = Budget::daily(of_account_to_recipient);
        let (new, over_both) = take(tx, now, budget, new, by_both).await?;
        let by_recipient =
            |mail: &QueuedMail| self.hash(&["recipient", mail.queue.as_str(), &mail.to.mailbox_key()]);
        let (notices, new): (Vec<_>, Vec<_>) =
            new.into_iter().partition(|mail| mail.content.reports_change());
        let (new, over_recipient) = take(tx, now, Budget::daily(to_recipient), new, by_recipient).await?;
        for mail in new.into_iter().chain(notices) {
            tx.mail_mark_counted(&mail).await?;
            mails.push(mail);
        }
        let dropped = [("owner and recipient", over_both), ("recipient", over_recipient)];
        let dropped: Vec<_> = dropped
            .into_iter()
            .flat_map(|(limit, over)| over.into_iter().map(move |(mail, _)| (mail, limit)))
            .collect();
        for (mail, _) in &dropped {
            tx.mail_delete(mail, now).await?;
        }
        // Last, because the deletions reschedule the queues.
        for (mail, free_at) in &waiting {
            tx.mail_return(mail, tried_again_at(mail, *free_at, now)).await?;
        }
        Ok(Leased { mails, dropped, to_deleted })
    }
}

impl LeaseMails {
    fn hash(&self, parts: &[&str]) -> TokenHash {
        self.hash_key.hash(&format!("mail budget\0{}", parts.join("\0")))
    }
}

/// When the queue of a mail over its owner's limit is tried again: the later, the longer the mail has waited. So the
/// queues of an owner with many organizations do not all come back for each mail that the owner may send.
fn tried_again_at(mail: &QueuedMail, free_at: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.as_micros().saturating_sub(mail.created_at.as_micros());
    free_at.max(Timestamp::from_micros(now.as_micros().saturating_add(waited / 16)))
}

/// Deletes the mails to people who were deleted. Returns the others, and how many it deleted. The deletion of a person
/// deletes such mails as well, but only after the memberships, and until then somebody may queue one.
async fn without_deleted_people(
    tx: &mut Tx<'_>,
    mails: Vec<QueuedMail>,
    now: Timestamp,
) -> Result<(Vec<QueuedMail>, usize), StoreError> {
    let people: Vec<UserId> = mails.iter().filter_map(|mail| mail.user).collect();
    let known = tx.user_emails(&people).await?;
    let is_kept = |mail: &QueuedMail| mail.user.is_none_or(|user| known.contains_key(&user));
    let (kept, deleted): (Vec<_>, Vec<_>) = mails.into_iter().partition(is_kept);
    for mail in &deleted {
        tx.mail_delete(mail, now).await?;
    }
    Ok((kept, deleted.len()))
}

/// The owner of each account, as text.
async fn owners(
    tx: &mut Tx<'_>,
    mails: &[QueuedMail],
) -> Result<HashMap<OrganizationId, String>, StoreError> {
    let mut owners = HashMap::new();
    for account in mails.iter().map(|mail| mail.organization) {
        if let Entry::Vacant(unknown) = owners.entry(account) {
            let owner = tx.organization_owner(account).await?;
            unknown.insert(owner.map_or_else(|| account.to_string(), |owner| owner.to_string()));
        }
    }
    Ok(owners)
}

/// The namespace of a budget. It spreads budgets, which no organization owns.
pub(crate) fn namespace(TokenHash(hash): &TokenHash) -> OrganizationId {
    let bytes = hash.first_chunk().copied().unwrap_or_default();
    OrganizationId::new(Uuid::from_bytes(bytes))
}

/// Takes each mail out of a budget. Returns the mails for which there was room, and the others with the time at which
/// there is room again. Budgets are locked in the order of their keys, so that two workers do not deadlock.
async fn take(
    tx: &mut Tx<'_>,
    now: Timestamp,
    budget: Budget,
    mails: Vec<QueuedMail>,
    hash: impl Fn(&QueuedMail) -> TokenHash,
) -> Result<(Vec<QueuedMail>, Vec<(QueuedMail, Timestamp)>), StoreError> {
    let key = |hash: TokenHash| (namespace(&hash), hash);
    let mut keyed: Vec<_> = mails.into_iter().map(|mail| (key(hash(&mail)), mail)).collect();
    keyed.sort_by_key(|((account, hash), mail)| (*account, hash.0, mail.created_at, mail.id));
    let (mut within, mut over) = (Vec::new(), Vec::new());
    for (key, mail) in keyed {
        match tx.budget_take(key, budget, now).await? {
            None => within.push(mail),
            Some(free_at) => over.push((mail, free_at)),
        }
    }
    Ok((within, over))
}

/// Deletes some of the budgets that are full again. Returns how many.
pub(crate) struct DeleteFullBudgets;

impl UseCase for DeleteFullBudgets {
    type Output = usize;
    type Error = StoreError;
    const IS_LONG: bool = true;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<usize, StoreError> {
        tx.budgets_delete_full(context.now(), limits::EXPIRED_ROWS_PER_TRANSACTION).await
    }
}

/// Reschedules a mail after a failed attempt, or gives it up. Returns the time of the next attempt.
struct PostponeMail(QueuedMail);

impl UseCase for PostponeMail {
    type Output = Option<Timestamp>;
    type Error = StoreError;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Self(mail) = self;
        let [chance] = context.random_bytes();
        let next = mail::next_attempt(mail, context.now(), chance);
        match next {
            Some(due) => tx.mail_postpone(mail, due, context.now()).await?,
            None => tx.mail_delete_leased(mail, context.now()).await?,
        }
        Ok(next)
    }
}

/// Deletes a mail.
struct DeleteMail(QueuedMail);

impl UseCase for DeleteMail {
    type Output = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), StoreError> {
        tx.mail_delete(&self.0, context.now()).await
    }
}

impl App {
    /// Leases mails of one account, or of all, that are due and within the limits, up to
    /// [`limits::MAIL_LEASES_PER_TRANSACTION`]. Mails over a limit are dropped, or stay queued.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_mails(&self, account: Option<OrganizationId>) -> Result<Vec<QueuedMail>, StoreError> {
        loop {
            let (limits, hash_key) = (self.mail_limits, self.hash_key.clone());
            let lease = LeaseMails { account, limits, hash_key };
            let Leased { mails, dropped, to_deleted } = self.store.write(lease).await?;
            for (mail, limit) in &dropped {
                let QueuedMail { id, organization, to, .. } = mail;
                tracing::warn!(mail_id = %id, organization_id = %organization, %to, limit, "mail dropped");
            }
            if !mails.is_empty() || (dropped.is_empty() && to_deleted == 0) {
                return Ok(mails);
            }
        }
    }

    /// Reschedules a mail that could not be sent. Returns the time of the next attempt, or `None` if it is given up.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn postpone_mail(&self, mail: QueuedMail) -> Result<Option<Timestamp>, StoreError> {
        self.store.write(PostponeMail(mail)).await
    }

    /// Deletes a mail that was sent or has expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_mail(&self, mail: &QueuedMail) -> Result<(), StoreError> {
        self.store.write(DeleteMail(mail.clone())).await
    }

    /// The time when the next mail of an account is due. `None` without pending mail.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_mail_due_of(&self, account: OrganizationId) -> Result<Option<Timestamp>, StoreError> {
        self.store.reader()?.tx()?.mail_next_due_of(account).await
    }

    /// The sender's name that an organization chose for its mails to customers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_sender(&self, mail: &QueuedMail) -> Result<Option<SenderName>, StoreError> {
        if !mail.content.is_to_customer() {
            return Ok(None);
        }
        let organization = self.store.reader()?.tx()?.organization(mail.about).await?;
        Ok(organization.and_then(|organization| organization.profile.portal.sender_name))
    }

    /// The secret of a mail. `None` if it has none, or if another key sealed it.
    #[must_use]
    pub fn mail_secret(&self, mail: &QueuedMail) -> Option<String> {
        let opened = self.hash_key.open(mail.id.uuid().as_bytes(), mail.sealed.as_deref()?)?;
        String::from_utf8(opened).ok()
    }
}
