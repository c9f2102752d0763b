//! The authenticated caller of a request. [`Requester`] is the authority of a use case.

mod requester;

use std::net::IpAddr;

use tenantry_core::Timestamp;
use tenantry_core::ids::{CustomerId, OrganizationId, TokenId, UserId, UserTokenId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{RequiredScope, Scopes};
use tenantry_core::values::IpAllowList;
use tenantry_store::{CredentialOwner, SessionFacts};
use uuid::Uuid;

use crate::credentials::Verification;

pub use requester::Requester;

/// The origin of a request for a page, an extension of the request.
#[derive(Debug, Clone, Default)]
pub struct RequestOrigin {
    /// The id of the request.
    pub request_id: String,
    /// The address of the client, if it is known.
    pub address: Option<IpAddr>,
}

/// The party that a credential acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An organization.
    Organization {
        /// Its id.
        organization: OrganizationId,
        /// The access token.
        token: TokenId,
        /// The person who created the token, if a person did.
        created_by: Option<UserId>,
    },
    /// A person.
    User {
        /// Their id.
        user: UserId,
        /// The user token, or the session of the console.
        token: UserTokenId,
        /// Their role in each organization whose team they are in.
        roles: Vec<(OrganizationId, TeamRole)>,
    },
    /// A customer in the portal.
    Customer(CustomerSession),
    /// A member of a customer in the portal.
    Member(CustomerSession),
}

/// The authenticated sender of a request, and its access.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The party that the credential acts for.
    pub principal: Principal,
    scopes: Scopes,
    /// The end of the token or session.
    expires_at: Option<Timestamp>,
    /// The end of a previous secret of the token, which the caller uses.
    secret_expires_at: Option<Timestamp>,
    organizations: Vec<OrganizationId>,
    restricted_to: Option<OrganizationId>,
    ip_allow_list: IpAllowList,
    /// The state of a session of the console. `None` for every other credential.
    console: Option<SessionFacts>,
    is_suspended: bool,
    limited_as: Uuid,
    verification: Verification,
}

impl Caller {
    /// The caller of a credential. `None` if its organization is suspended for everybody.
    pub(crate) fn from_owner(owner: CredentialOwner, verification: Verification) -> Option<Self> {
        let is_suspended = matches!(owner, CredentialOwner::SuspendedOrganization(..));
        let caller = match owner {
            CredentialOwner::Suspended => return None,
            CredentialOwner::Previous(owner, until) => {
                let caller = Self::from_owner(*owner, verification)?;
                return Some(Self { secret_expires_at: Some(until), ..caller });
            }
            CredentialOwner::Session(token, facts, roles) => {
                let caller = Self::from_owner(CredentialOwner::User(token, roles), verification)?;
                return Some(Self { console: Some(facts), ..caller });
            }
            CredentialOwner::Organization(token, owner)
            | CredentialOwner::SuspendedOrganization(token, owner) => Self {
                verification,
                is_suspended,
                limited_as: owner.uuid(),
                principal: Principal::Organization {
                    organization: token.organization,
                    token: token.id,
                    created_by: token.created_by,
                },
                scopes: token.grants.into_scopes(),
                expires_at: token.expires_at,
                secret_expires_at: None,
                organizations: vec![token.organization],
                restricted_to: None,
                console: None,
                ip_allow_list: token.ip_allow_list,
            },
            CredentialOwner::CustomerSession(session, owner) => Self {
                verification,
                limited_as: owner.uuid(),
                // A portal session has access to its own customer alone.
                organizations: Vec::new(),
                restricted_to: None,
                scopes: Scopes::portal(),
                is_suspended,
                console: None,
                ip_allow_list: IpAllowList::default(),
                expires_at: Some(session.expires_at),
                secret_expires_at: None,
                principal: match session.member {
                    Some(_) => Principal::Member(session),
                    None => Principal::Customer(session),
                },
            },
            CredentialOwner::User(token, roles) => Self {
                verification,
                limited_as: token.user.uuid(),
                organizations: roles.iter().map(|(organization, _)| *organization).collect(),
                restricted_to: None,
                principal: Principal::User { user: token.user, token: token.id, roles },
                scopes: token.scopes,
                console: None,
                is_suspended,
                expires_at: token.expires_at,
                secret_expires_at: None,
                ip_allow_list: IpAllowList::default(),
            },
        };
        Some(caller)
    }

    /// The same caller with access to this organization alone. `None` if it has no access to the organization.
    #[must_use]
    pub fn restrict(&self, to: OrganizationId) -> Option<Self> {
        let mut caller = self.clone();
        if let Some(console) = &mut caller.console {
            console.is_operator = false;
        }
        match &mut caller.principal {
            Principal::Organization { organization, .. } => return (*organization == to).then_some(caller),
            Principal::Customer(session) | Principal::Member(session) => {
                return (session.organization == to).then_some(caller);
            }
            Principal::User { roles, .. } => roles.retain(|(organization, _)| *organization == to),
        }
        caller.organizations.retain(|organization| *organization == to);
        caller.restricted_to = caller.organizations.first().copied();
        caller.restricted_to.is_some().then_some(caller)
    }

    /// The organization that a person of several restricted the request to.
    #[must_use]
    pub const fn restricted_to(&self) -> Option<OrganizationId> {
        self.restricted_to
    }

    /// Whether the organization is suspended. It may then administer its sub-accounts and do nothing else.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// The id under which the caller's use of shared resources is counted. All organizations of one owner, among them
    /// sub-accounts, and the owner's own tokens count together, so that limits do not multiply. The id of a portal
    /// session is that of the organization's owner.
    #[must_use]
    pub const fn limited_as(&self) -> Uuid {
        self.limited_as
    }

    /// Whether the caller is a person with the rights of the operator, in a session of the console. A caller that is
    /// restricted to one organization has no such rights.
    pub(crate) fn is_operator(&self) -> bool {
        self.console.is_some_and(|console| console.is_operator)
    }

    /// The kind of the credential, for the log: `organization`, `user`, `session`, `customer` or `member`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.principal {
            Principal::Organization { .. } => "organization",
            Principal::User { .. } if self.console.is_some() => "session",
            Principal::User { .. } => "user",
            Principal::Customer(_) => "customer",
            Principal::Member(_) => "member",
        }
    }

    /// The id of the credential. It is no secret.
    #[must_use]
    pub const fn credential(&self) -> Uuid {
        match &self.principal {
            Principal::Organization { token, .. } => token.uuid(),
            Principal::User { token, .. } => token.uuid(),
            Principal::Customer(session) | Principal::Member(session) => session.id.uuid(),
        }
    }

    /// The look-up that verified the credential.
    pub(crate) const fn verification(&self) -> Verification {
        self.verification
    }

    /// Whether this caller has every right of an earlier look-up of the same credential.
    pub(crate) fn covers(&self, earlier: &Self) -> bool {
        let principal = match (&self.principal, &earlier.principal) {
            (Principal::User { roles, .. }, Principal::User { roles: before, .. }) => {
                let grants = |known: &(OrganizationId, TeamRole)| {
                    let now = roles.binary_search_by_key(&known.0, |(organization, _)| *organization);
                    now.ok().and_then(|at| roles.get(at)).is_some_and(|(_, role)| role.covers(known.1))
                };
                roles == before || before.iter().all(grants)
            }
            (now, before) => now == before,
        };
        principal
            && (self.is_operator() || !earlier.is_operator())
            && (earlier.is_suspended || !self.is_suspended)
            && self.scopes.cover(&earlier.scopes)
            && self.ip_allow_list == earlier.ip_allow_list
    }

    /// The customer of a portal session. `None` for every other credential.
    #[must_use]
    pub const fn portal_customer(&self) -> Option<CustomerId> {
        match &self.principal {
            Principal::Customer(session) | Principal::Member(session) => Some(session.customer),
            Principal::Organization { .. } | Principal::User { .. } => None,
        }
    }

    /// Whether the credential's scopes grant a permission.
    #[must_use]
    pub fn allows(&self, permission: RequiredScope) -> bool {
        self.scopes.allow(permission)
    }

    /// The credential's scopes.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether the credential is not expired at `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        let ends = [self.expires_at, self.secret_expires_at];
        ends.into_iter().flatten().all(|expires_at| expires_at > now)
    }

    /// Whether the credential may be used from this address. An unknown address is in no allow list.
    #[must_use]
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        self.ip_allow_list.is_empty() || address.is_some_and(|address| self.ip_allow_list.covers(address))
    }

    /// The organizations that the caller has access to.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationId] {
        &self.organizations
    }
}
