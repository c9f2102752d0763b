//! The limits of codes, in the database, so that they hold over all nodes.
//!
//! Each transaction takes from its budgets in the order of this file, so that two do not deadlock.

use std::net::IpAddr;
use std::num::NonZeroU32;

use tenantry_core::Timestamp;
use tenantry_core::budget::Budget;
use tenantry_core::ids::OrganizationId;
use tenantry_core::portal::{
    CODE_REQUESTS_OF_HOST_PER_HOUR, CODES_OF_ORGANIZATION_PER_HOUR, CODES_OF_SITE_PER_HOUR, CODES_PER_HOUR,
    NetworkWidth, WRONG_CODES_OF_HOST_PER_HOUR, WRONG_CODES_OF_PROVIDER_PER_HOUR,
    WRONG_CODES_OF_SITE_PER_HOUR, WRONG_CODES_PER_HOUR,
};
use tenantry_core::token::TokenHash;
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use super::marks;
use crate::{Error, HashKey, mails};

/// The key and the size of a budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeBudget {
    place: (OrganizationId, TokenHash),
    size: Budget,
}

/// The key of a row among the budgets.
pub(super) fn place(hash_key: &HashKey, parts: &[&str]) -> (OrganizationId, TokenHash) {
    let hash = hash_key.hash(&format!("portal codes\0{}", parts.join("\0")));
    (mails::namespace(&hash), hash)
}

/// A request for a code to one address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recipient<'a> {
    pub(super) organization: OrganizationId,
    pub(super) email: &'a EmailAddress,
    /// The address of the client.
    pub(super) client: Option<IpAddr>,
    /// Whether a page asks. Pages and API have limits apart, so that neither uses up those of the other.
    pub(super) is_page: bool,
}

impl CodeBudget {
    fn new(hash_key: &HashKey, parts: &[&str], an_hour: u32) -> Self {
        let size = Budget::hourly(NonZeroU32::new(an_hour).unwrap_or(NonZeroU32::MIN));
        Self { place: place(hash_key, parts), size }
    }

    /// Codes that the clients of a host ask for.
    pub(super) fn requests(hash_key: &HashKey, client: Option<IpAddr>) -> Self {
        let host = NetworkWidth::Host.network_of(client);
        Self::new(hash_key, &["requests", &host], CODE_REQUESTS_OF_HOST_PER_HOUR)
    }

    /// Codes to one address for which clients of one site ask, and those for which clients of all sites ask.
    fn of_recipient(hash_key: &HashKey, recipient: Recipient<'_>) -> [Self; 2] {
        let Recipient { organization, email, client, is_page } = recipient;
        let (organization, mailbox) = (organization.to_string(), email.mailbox_key());
        let way = if is_page { "page" } else { "api" };
        let site = NetworkWidth::Site.network_of(client);
        [
            Self::new(hash_key, &["site", way, &organization, &mailbox, &site], CODES_OF_SITE_PER_HOUR),
            Self::new(hash_key, &["address", way, &organization, &mailbox], CODES_PER_HOUR),
        ]
    }

    /// Codes of an organization. Requests for unknown addresses, which send no mail, have a budget of their own.
    pub(super) fn of_organization(hash_key: &HashKey, organization: OrganizationId, is_known: bool) -> Self {
        let purpose = if is_known { "organization" } else { "nobody" };
        Self::new(hash_key, &[purpose, &organization.to_string()], CODES_OF_ORGANIZATION_PER_HOUR)
    }

    /// Wrong codes without a flow of the clients of a host.
    pub(super) fn wrong_of_host(hash_key: &HashKey, client: Option<IpAddr>) -> Self {
        let host = NetworkWidth::Host.network_of(client);
        Self::new(hash_key, &["wrong", "host", &host], WRONG_CODES_OF_HOST_PER_HOUR)
    }

    /// Takes one out of the budget. Returns whether there was room.
    pub(super) async fn take(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
        Ok(tx.budget_take(self.place, self.size, now).await?.is_none())
    }

    /// Takes one out of the budget.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] when it is empty.
    pub(super) async fn require(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
        match tx.budget_take(self.place, self.size, now).await? {
            None => Ok(()),
            Some(free_at) => Err(too_many(free_at, now)),
        }
    }

    /// Gives back what the transaction has taken.
    pub(super) async fn give_back(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        Ok(tx.budget_return(self.place, self.size).await?)
    }
}

/// The error of an empty budget that has room again at `free_at`.
pub(super) fn too_many(free_at: Timestamp, now: Timestamp) -> Error {
    Error::TooManyAttempts { retry_after_s: now.seconds_until(free_at).max(1) }
}

/// Takes a code to one address out of its budgets. Returns whether there was room. At a site at which the person is known,
/// requests from other sites leave room.
pub(super) async fn take_for(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    recipient: Recipient<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let [of_site, of_all] = CodeBudget::of_recipient(hash_key, recipient);
    // What is beyond the limit of its site uses up nothing of the others.
    if !of_site.take(tx, now).await? {
        return Ok(false);
    }
    Ok(of_all.take(tx, now).await? || marks::is_known(tx, hash_key, recipient, now).await?)
}

/// The limits of wrong codes without a flow that are wider than one host: of its site, its provider, and of all.
pub(super) struct WiderLimits([CodeBudget; 3]);

impl WiderLimits {
    pub(super) fn of(hash_key: &HashKey, client: Option<IpAddr>) -> Self {
        let site = NetworkWidth::Site.network_of(client);
        let provider = NetworkWidth::Provider.network_of(client);
        Self([
            CodeBudget::new(hash_key, &["wrong", "site", &site], WRONG_CODES_OF_SITE_PER_HOUR),
            CodeBudget::new(hash_key, &["wrong", "provider", &provider], WRONG_CODES_OF_PROVIDER_PER_HOUR),
            CodeBudget::new(hash_key, &["wrong"], WRONG_CODES_PER_HOUR),
        ])
    }

    /// The time at which each of them has room again. `None` while each has.
    pub(super) async fn wait(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut latest: Option<Timestamp> = None;
        for budget in &self.0 {
            latest = latest.max(tx.budget_wait(budget.place, budget.size, now).await?);
        }
        Ok(latest)
    }

    /// Counts a wrong code.
    pub(super) async fn count(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
        let [of_site, of_provider, of_all] = &self.0;
        // What is beyond a limit uses up nothing of the wider ones.
        let has_room =
            of_site.take(tx, now).await? && of_provider.take(tx, now).await? && of_all.take(tx, now).await?;
        if has_room && tx.budget_wait(of_all.place, of_all.size, now).await?.is_some() {
            tracing::warn!(per_hour = WRONG_CODES_PER_HOUR, "too many wrong portal codes");
        }
        Ok(())
    }
}
