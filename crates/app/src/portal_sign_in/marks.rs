//! The marks of a person for the codes of the portal, each a row among the budgets that ends by itself.
//!
//! | mark | of | lasts |
//! |---|---|---|
//! | known | an address, at the site of a client that signed in | [`KNOWN_SITE_S`] after the sign-in |
//! | ended | a customer or member whose sessions the organization has ended | [`CODE_S`], as long as a code that was mailed before |
//!
//! The rows hold keyed hashes, so they tell neither addresses nor networks.

use std::net::IpAddr;

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, MemberId, OrganizationId};
use tenantry_core::portal::{CODE_S, KNOWN_SITE_S, NetworkWidth, PortalSignIn};
use tenantry_core::token::TokenHash;
use tenantry_core::values::EmailAddress;
use tenantry_store::Tx;

use super::budgets::{Recipient, place};
use crate::{Error, HashKey};

fn known(
    hash_key: &HashKey,
    (organization, email): (OrganizationId, &EmailAddress),
    client: Option<IpAddr>,
) -> (OrganizationId, TokenHash) {
    let site = NetworkWidth::Site.network_of(client);
    place(hash_key, &["known", &organization.to_string(), &email.mailbox_key(), &site])
}

/// Whether the person at an address has signed in from the site of the client.
pub(super) async fn is_known(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    recipient: Recipient<'_>,
    now: Timestamp,
) -> Result<bool, Error> {
    let Recipient { organization, email, client, .. } = recipient;
    let until = tx.mark(known(hash_key, (organization, email), client)).await?;
    Ok(until.is_some_and(|until| until > now))
}

/// Notes that the person of a code has signed in from the site of the client.
pub(super) async fn note_known(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    sign_in: &PortalSignIn,
    client: Option<IpAddr>,
    now: Timestamp,
) -> Result<(), Error> {
    let email = sign_in.email_key.as_deref().and_then(|key| EmailAddress::parse(key).ok());
    let Some(email) = email else { return Ok(()) };
    let mark = known(hash_key, (sign_in.organization, &email), client);
    Ok(tx.mark_set(mark, now.plus_seconds(KNOWN_SITE_S)).await?)
}

/// A person whose codes can end: a member, or everybody of a customer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ended {
    /// Everybody of the customer.
    Customer(CustomerId),
    /// The member.
    Member(MemberId),
}

impl Ended {
    fn mark(self, hash_key: &HashKey, organization: OrganizationId) -> (OrganizationId, TokenHash) {
        let (kind, id) = match self {
            Self::Customer(id) => ("customer", id.uuid()),
            Self::Member(id) => ("member", id.uuid()),
        };
        place(hash_key, &["ended", kind, &organization.to_string(), &id.to_string()])
    }
}

/// Ends the codes that were mailed until now.
pub(crate) async fn end_codes(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    (organization, ended): (OrganizationId, Ended),
    now: Timestamp,
) -> Result<(), Error> {
    Ok(tx.mark_set(ended.mark(hash_key, organization), now.plus_seconds(CODE_S)).await?)
}

/// Whether a code was mailed before the codes of a person have ended.
pub(super) async fn has_ended(
    tx: &mut Tx<'_>,
    hash_key: &HashKey,
    sign_in: &PortalSignIn,
    ended: Ended,
) -> Result<bool, Error> {
    let until = tx.mark(ended.mark(hash_key, sign_in.organization)).await?;
    Ok(until.is_some_and(|until| sign_in.created_at.plus_seconds(CODE_S) <= until))
}
