//! The limits of codes, in the database, so that they hold over all nodes.
//!
//! Each transaction takes from its budgets in the order of this file, so that two do not deadlock.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use tenantry_core::Timestamp;
use tenantry_core::budget::Budget;
use tenantry_core::ids::OrganizationId;
use tenantry_core::portal::{
    CODE_REQUESTS_OF_NETWORK_PER_HOUR, CODES_OF_ORGANIZATION_PER_HOUR, CODES_PER_HOUR,
    WRONG_CODES_OF_NETWORK_PER_HOUR, WRONG_CODES_PER_HOUR,
};
use tenantry_core::token::TokenHash;
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use crate::{Error, HashKey, mails};

/// The key and the size of a budget.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeBudget {
    place: (OrganizationId, TokenHash),
    size: Budget,
}

impl CodeBudget {
    fn new(hash_key: &HashKey, parts: &[&str], an_hour: u32) -> Self {
        let hash = hash_key.hash(&format!("portal codes\0{}", parts.join("\0")));
        let size = Budget::hourly(NonZeroU32::new(an_hour).unwrap_or(NonZeroU32::MIN));
        Self { place: (mails::namespace(&hash), hash), size }
    }

    /// Codes that the clients of a network ask for.
    pub(super) fn requests(hash_key: &HashKey, address: Option<IpAddr>) -> Self {
        Self::new(hash_key, &["requests", &network(address)], CODE_REQUESTS_OF_NETWORK_PER_HOUR)
    }

    /// Wrong codes without a flow of the clients of a network.
    pub(super) fn wrong_of_network(hash_key: &HashKey, address: Option<IpAddr>) -> Self {
        Self::new(hash_key, &["wrong", &network(address)], WRONG_CODES_OF_NETWORK_PER_HOUR)
    }

    /// Codes of an organization to one address.
    pub(super) fn of_address(hash_key: &HashKey, organization: OrganizationId, to: &EmailAddress) -> Self {
        Self::new(hash_key, &["address", &organization.to_string(), &to.mailbox_key()], CODES_PER_HOUR)
    }

    /// Codes of an organization. Requests for unknown addresses, which send no mail, have a budget of their own.
    pub(super) fn of_organization(hash_key: &HashKey, organization: OrganizationId, is_known: bool) -> Self {
        let purpose = if is_known { "organization" } else { "nobody" };
        Self::new(hash_key, &[purpose, &organization.to_string()], CODES_OF_ORGANIZATION_PER_HOUR)
    }

    /// Wrong codes without a flow over the whole installation.
    pub(super) fn wrong(hash_key: &HashKey) -> Self {
        Self::new(hash_key, &["wrong"], WRONG_CODES_PER_HOUR)
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
        refuse(tx.budget_take(self.place, self.size, now).await?, now)
    }

    /// Checks that the budget has room.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] when it is empty.
    pub(super) async fn check(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<(), Error> {
        refuse(tx.budget_wait(self.place, self.size, now).await?, now)
    }

    /// Whether the budget has no room.
    pub(super) async fn is_empty(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<bool, Error> {
        Ok(tx.budget_wait(self.place, self.size, now).await?.is_some())
    }

    /// Gives back what the transaction has taken.
    pub(super) async fn give_back(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        Ok(tx.budget_return(self.place, self.size).await?)
    }
}

fn refuse(free_at: Option<Timestamp>, now: Timestamp) -> Result<(), Error> {
    let Some(free_at) = free_at else { return Ok(()) };
    Err(Error::TooManyAttempts { retry_after_s: now.seconds_until(free_at).max(1) })
}

/// The network of a client: one host has a whole /64 of IPv6. Clients without a known address are one network.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|address| address.to_canonical()) {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_host_is_one_network() {
        let of = |text: &str| network(text.parse().ok());
        assert_eq!(of("2001:db8:1:2::3"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::3"), of("2001:db8:1:3::3"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
