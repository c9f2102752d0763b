//! The authenticated caller of a request, and the authority of a use case.

use std::net::IpAddr;
use std::sync::Arc;

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{CustomerId, OrganizationId, TokenId, UserId, UserTokenId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{Grantor, RequiredScope, Scopes};
use tenantry_core::values::IpAllowList;
use tenantry_store::{CredentialOwner, Party, RowKey, StoreError, Tx};
use uuid::Uuid;

use crate::credentials::Verification;
use crate::{Error, TeamPermission};

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
        /// The user token.
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

    /// The id of the credential.
    pub(crate) const fn credential(&self) -> Uuid {
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

/// The actor and authority with which a use case runs: a caller, the operator, or the server itself.
#[derive(Debug, Clone)]
pub struct Requester {
    actor: Actor,
    authority: Authority,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
}

#[derive(Debug, Clone)]
enum Authority {
    None,
    All,
    Caller(Arc<Caller>),
}

impl Requester {
    /// An authenticated caller.
    #[must_use]
    pub fn caller(caller: &Arc<Caller>, request_id: Option<String>) -> Self {
        let actor = match &caller.principal {
            Principal::Organization { token, .. } => Actor::Token(*token),
            Principal::User { user, token, .. } => Actor::User(*user, *token),
            Principal::Customer(session) => Actor::Customer(session.customer),
            Principal::Member(session) => {
                session.member.map_or(Actor::Customer(session.customer), Actor::Member)
            }
        };
        Self { actor, authority: Authority::Caller(Arc::clone(caller)), request_id }
    }

    /// An unauthenticated caller, without access to anything.
    #[must_use]
    pub const fn anonymous(request_id: Option<String>) -> Self {
        Self { actor: Actor::System, authority: Authority::None, request_id }
    }

    /// An actor whose identity a secret in the request proves, for this use case alone.
    #[must_use]
    pub(crate) const fn verified(actor: Actor, request_id: Option<String>) -> Self {
        Self { actor, authority: Authority::None, request_id }
    }

    /// The operator at the command line, with access to everything.
    #[must_use]
    pub const fn operator() -> Self {
        Self { actor: Actor::Operator, authority: Authority::All, request_id: None }
    }

    /// The server itself, with access to everything.
    #[must_use]
    pub const fn system() -> Self {
        Self { actor: Actor::System, authority: Authority::All, request_id: None }
    }

    /// The server itself, which continues the work of a request.
    #[must_use]
    pub(crate) const fn continuing(request_id: Option<String>) -> Self {
        Self { actor: Actor::System, authority: Authority::All, request_id }
    }

    /// The authenticated caller, if there is one.
    pub(crate) const fn authenticated(&self) -> Option<&Arc<Caller>> {
        match &self.authority {
            Authority::Caller(caller) => Some(caller),
            Authority::All | Authority::None => None,
        }
    }

    /// The actor, for the audit log.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The person behind the request: the user, or the creator of the organization's token.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        match &self.authority {
            Authority::All | Authority::None => None,
            Authority::Caller(caller) => match &caller.principal {
                Principal::Organization { created_by, .. } => *created_by,
                Principal::User { user, .. } => Some(*user),
                Principal::Customer(_) | Principal::Member(_) => None,
            },
        }
    }

    /// The id under which the caller's use of shared resources is counted. `None` for the operator.
    #[must_use]
    pub fn limited_as(&self) -> Option<Uuid> {
        match &self.authority {
            Authority::All | Authority::None => None,
            Authority::Caller(caller) => Some(caller.limited_as()),
        }
    }

    /// The portal session of the request, if it has one.
    #[must_use]
    pub fn session(&self) -> Option<&CustomerSession> {
        match &self.authority {
            Authority::All | Authority::None => None,
            Authority::Caller(caller) => match &caller.principal {
                Principal::Customer(session) | Principal::Member(session) => Some(session),
                Principal::Organization { .. } | Principal::User { .. } => None,
            },
        }
    }

    /// The organizations that the caller has access to. Empty for the operator, which has access to all of them.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationId] {
        match &self.authority {
            Authority::All | Authority::None => &[],
            Authority::Caller(caller) => caller.organizations(),
        }
    }

    /// The party for which the use cases of the requester wait: the caller's organization if it has exactly one, and the
    /// id that its use of the writer is counted under.
    pub(crate) fn party(&self) -> Party {
        let organization = if let [only] = self.organizations() { Some(*only) } else { None };
        Party { organization, limited_as: self.limited_as() }
    }

    /// The caller's organizations in which it has a right.
    pub fn organizations_with(&self, permission: TeamPermission) -> impl Iterator<Item = OrganizationId> {
        let roles = match &self.authority {
            Authority::Caller(caller) => match &caller.principal {
                Principal::User { roles, .. } => Some(roles),
                Principal::Organization { .. } | Principal::Customer(_) | Principal::Member(_) => None,
            },
            Authority::All | Authority::None => None,
        };
        // A person may have many organizations: their roles are read once, not searched for each organization.
        let of_person = roles.into_iter().flatten().filter(move |(_, role)| role.grants(permission));
        let of_token = if roles.is_some() { &[] } else { self.organizations() };
        of_person.map(|(organization, _)| *organization).chain(of_token.iter().copied())
    }

    /// The caller's organizations that have the row and in which it has a right, so that a look-up asks these alone.
    pub(crate) async fn organizations_with_row(
        &self,
        tx: &mut Tx<'_>,
        permission: TeamPermission,
        key: RowKey,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        tx.organizations_with_row(key, self.organizations_with(permission).collect()).await
    }

    /// The scopes that the requester holds and may therefore grant.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        match &self.authority {
            Authority::All => Scopes::everything(),
            Authority::None => Scopes::default(),
            Authority::Caller(caller) => caller.scopes().clone(),
        }
    }

    /// The networks from which the caller may send requests. Empty without a restriction.
    #[must_use]
    pub fn networks(&self) -> IpAllowList {
        match &self.authority {
            Authority::All | Authority::None => IpAllowList::default(),
            Authority::Caller(caller) => caller.ip_allow_list.clone(),
        }
    }

    /// Time of expiry of the token of an organization that sent the request. `None` when it does not expire, and for every
    /// other requester: a person stands behind them, or they create no credentials.
    #[must_use]
    pub fn token_expires_at(&self) -> Option<Timestamp> {
        let Authority::Caller(caller) = &self.authority else { return None };
        matches!(caller.principal, Principal::Organization { .. }).then_some(caller.expires_at).flatten()
    }

    /// The rights that bound those of the tokens that the requester makes or changes.
    #[must_use]
    pub fn grantor(&self) -> Grantor {
        Grantor { scopes: self.scopes(), networks: self.networks(), expires_at: self.token_expires_at() }
    }

    /// The person who sent the request with their own token, not with one of an organization.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        let Authority::Caller(caller) = &self.authority else { return None };
        match &caller.principal {
            Principal::User { user, .. } => Some(*user),
            Principal::Organization { .. } | Principal::Customer(_) | Principal::Member(_) => None,
        }
    }

    /// Whether the requester has access to an organization.
    #[must_use]
    pub fn has_access(&self, organization: OrganizationId) -> bool {
        matches!(self.authority, Authority::All) || self.organizations().contains(&organization)
    }

    /// Checks that the person's role in the organization grants a right. An organization's own token needs no role;
    /// its scopes are checked before.
    ///
    /// # Errors
    /// [`Error::NotPermitted`].
    pub fn check(&self, organization: OrganizationId, permission: TeamPermission) -> Result<(), Error> {
        let caller = match &self.authority {
            Authority::All => return Ok(()),
            Authority::None => return Err(Error::NotPermitted(permission)),
            Authority::Caller(caller) => caller,
        };
        let roles = match &caller.principal {
            Principal::Organization { .. } => return Ok(()),
            Principal::User { roles, .. } => roles,
            Principal::Customer(_) | Principal::Member(_) => return Err(Error::NotPermitted(permission)),
        };
        let role = roles.iter().find(|(id, _)| *id == organization).map(|(_, role)| role);
        if role.is_some_and(|role| role.grants(permission)) {
            Ok(())
        } else {
            Err(Error::NotPermitted(permission))
        }
    }

    /// Checks that the requester is the owner of an organization, or the operator. The role that is cached with a
    /// person's token can be older than `owner`.
    ///
    /// # Errors
    /// [`Error::NotPermitted`].
    pub(crate) fn check_ownership(&self, owner: UserId) -> Result<(), Error> {
        if matches!(self.authority, Authority::All) || self.user() == Some(owner) {
            return Ok(());
        }
        Err(Error::NotPermitted(TeamPermission::TransferOwnership))
    }

    /// Checks that the requester may give a role to a user. An administrator has every permission, from everywhere and
    /// without end, so an organization's token needs every scope for it, no expiry and no IP allow list.
    ///
    /// # Errors
    /// [`Error::NotPermitted`].
    pub(crate) fn check_role_grant(&self, role: TeamRole) -> Result<(), Error> {
        self.check_role_loss(role)?;
        let Grantor { networks, expires_at, .. } = self.grantor();
        if role.can_manage_organization() && (expires_at.is_some() || !networks.is_empty()) {
            return Err(Error::NotPermitted(TeamPermission::ManageTeam));
        }
        Ok(())
    }

    /// Checks that the requester may take a role away from a user. The tokens that an administrator made stop with the
    /// role, so an organization's token needs every scope for it.
    ///
    /// # Errors
    /// [`Error::NotPermitted`].
    pub(crate) fn check_role_loss(&self, role: TeamRole) -> Result<(), Error> {
        let Authority::Caller(caller) = &self.authority else { return Ok(()) };
        let is_token = matches!(caller.principal, Principal::Organization { .. });
        if role.can_manage_organization() && is_token && !caller.scopes.cover(&Scopes::everything()) {
            return Err(Error::NotPermitted(TeamPermission::ManageTeam));
        }
        Ok(())
    }

    /// The organization of a new row: that of the token, or the one that a person's request names or is restricted
    /// to.
    ///
    /// # Errors
    /// [`Error::OrganizationNotAccepted`], [`Error::OrganizationRequired`], [`Error::UnknownOrganization`].
    pub fn organization_for(&self, named: Option<OrganizationId>) -> Result<OrganizationId, Error> {
        match (&self.authority, named) {
            (Authority::All | Authority::None, named) => named.ok_or(Error::OrganizationRequired),
            (Authority::Caller(caller), named) => match (&caller.principal, named) {
                (Principal::Organization { organization, .. }, None) => Ok(*organization),
                (Principal::Organization { .. }, Some(named)) => Err(Error::OrganizationNotAccepted(named)),
                (Principal::User { .. }, Some(named)) if self.has_access(named) => Ok(named),
                (Principal::User { .. }, Some(named)) => Err(Error::UnknownOrganization(named)),
                (Principal::User { .. } | Principal::Customer(_) | Principal::Member(_), None) => {
                    caller.restricted_to.ok_or(Error::OrganizationRequired)
                }
                (Principal::Customer(_) | Principal::Member(_), Some(named)) => {
                    Err(Error::UnknownOrganization(named))
                }
            },
        }
    }
}
