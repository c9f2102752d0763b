//! Who sent a request, and how far their arm reaches.

use std::net::IpAddr;

use tenantry_core::Timestamp;
use tenantry_core::audit::Actor;
use tenantry_core::ids::{OrganizationId, TokenId, UserId, UserTokenId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{RequiredScope, Scopes};
use tenantry_core::values::IpAllowList;
use tenantry_store::CredentialOwner;

use crate::{Error, TeamPermission};

/// Whom a credential acts for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An organization.
    Organization {
        /// Which.
        organization: OrganizationId,
        /// By which token.
        token: TokenId,
        /// The person who made the token, where one did.
        made_by: Option<UserId>,
    },
    /// A person.
    User {
        /// Who.
        user: UserId,
        /// By which token.
        token: UserTokenId,
        /// Their organizations, and their role in each.
        roles: Vec<(OrganizationId, TeamRole)>,
    },
    /// A customer in the portal.
    Customer(CustomerSession),
    /// A member of a customer in the portal.
    Member(CustomerSession),
}

/// The sender of a request, known by a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Whom the credential acts for.
    pub subject: Principal,
    scopes: Scopes,
    expires_at: Option<Timestamp>,
    organizations: Vec<OrganizationId>,
    ip_allow_list: IpAllowList,
    is_suspended: bool,
}

impl Caller {
    /// The caller that a credential acts for; nothing where its organization lets nobody in.
    pub(crate) fn of(owner: CredentialOwner) -> Option<Self> {
        let is_suspended = matches!(owner, CredentialOwner::SuspendedOrganization(_));
        let caller = match owner {
            CredentialOwner::Suspended => return None,
            CredentialOwner::Organization(token) | CredentialOwner::SuspendedOrganization(token) => Self {
                is_suspended,
                subject: Principal::Organization {
                    organization: token.organization,
                    token: token.id,
                    made_by: token.created_by,
                },
                scopes: token.grants.into_scopes(),
                expires_at: token.expires_at,
                organizations: vec![token.organization],
                ip_allow_list: token.ip_allow_list,
            },
            CredentialOwner::CustomerSession(session) => Self {
                // A session reaches its own customer through the portal, and no organization.
                organizations: Vec::new(),
                scopes: Scopes::portal(),
                is_suspended,
                ip_allow_list: IpAllowList::default(),
                expires_at: Some(session.expires_at),
                subject: match session.member {
                    Some(_) => Principal::Member(session),
                    None => Principal::Customer(session),
                },
            },
            CredentialOwner::User(token, roles) => Self {
                organizations: roles.iter().map(|(organization, _)| *organization).collect(),
                subject: Principal::User { user: token.user, token: token.id, roles },
                scopes: token.scopes,
                is_suspended,
                expires_at: token.expires_at,
                ip_allow_list: IpAllowList::default(),
            },
        };
        Some(caller)
    }

    /// Whether the organization is suspended: it administers its sub-accounts, and does nothing else.
    #[must_use]
    pub const fn is_suspended(&self) -> bool {
        self.is_suspended
    }

    /// Whether the credential's scopes allow it.
    #[must_use]
    pub fn allows(&self, permission: RequiredScope) -> bool {
        self.scopes.allow(permission)
    }

    /// The credential's scopes.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether the credential has not expired at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }

    /// Whether the credential may be used from there.
    #[must_use]
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.ip_allow_list.covers(address)
    }

    /// The organizations within reach.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationId] {
        &self.organizations
    }
}

/// On whose behalf an operation runs: the caller, or the operator, in one request.
#[derive(Debug, Clone)]
pub struct Requester {
    actor: Actor,
    reach: Reach,
    /// Names the request in the audit log.
    pub request_id: Option<String>,
}

#[derive(Debug, Clone)]
enum Reach {
    Nothing,
    Everything,
    Own(std::sync::Arc<Caller>),
}

impl Requester {
    /// A caller, in the request of this id.
    #[must_use]
    pub fn caller(caller: &std::sync::Arc<Caller>, request_id: Option<String>) -> Self {
        let actor = match &caller.subject {
            Principal::Organization { token, .. } => Actor::Token(*token),
            Principal::User { user, token, .. } => Actor::User(*user, *token),
            Principal::Customer(session) => Actor::Customer(session.customer),
            Principal::Member(session) => {
                session.member.map_or(Actor::Customer(session.customer), Actor::Member)
            }
        };
        Self { actor, reach: Reach::Own(std::sync::Arc::clone(caller)), request_id }
    }

    /// Somebody unknown, who reaches nothing.
    #[must_use]
    pub const fn nobody(request_id: Option<String>) -> Self {
        Self { actor: Actor::System, reach: Reach::Nothing, request_id }
    }

    /// Somebody who proved in the request itself who they are, and reaches nothing beyond it.
    #[must_use]
    pub(crate) const fn proven(actor: Actor, request_id: Option<String>) -> Self {
        Self { actor, reach: Reach::Nothing, request_id }
    }

    /// The operator, at the command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self { actor: Actor::Operator, reach: Reach::Everything, request_id: None }
    }

    /// The server itself.
    #[must_use]
    pub const fn system() -> Self {
        Self { actor: Actor::System, reach: Reach::Everything, request_id: None }
    }

    /// Who it is, for the audit log.
    #[must_use]
    pub const fn actor(&self) -> Actor {
        self.actor
    }

    /// The person behind the request, where there is one.
    #[must_use]
    pub fn person(&self) -> Option<UserId> {
        match &self.reach {
            Reach::Everything | Reach::Nothing => None,
            Reach::Own(caller) => match &caller.subject {
                Principal::Organization { made_by, .. } => *made_by,
                Principal::User { user, .. } => Some(*user),
                Principal::Customer(_) | Principal::Member(_) => None,
            },
        }
    }

    /// The portal's session behind the request, where there is one.
    #[must_use]
    pub fn session(&self) -> Option<&CustomerSession> {
        match &self.reach {
            Reach::Everything | Reach::Nothing => None,
            Reach::Own(caller) => match &caller.subject {
                Principal::Customer(session) | Principal::Member(session) => Some(session),
                Principal::Organization { .. } | Principal::User { .. } => None,
            },
        }
    }

    /// The organizations within reach; the operator names each one.
    #[must_use]
    pub fn organizations(&self) -> &[OrganizationId] {
        match &self.reach {
            Reach::Everything | Reach::Nothing => &[],
            Reach::Own(caller) => caller.organizations(),
        }
    }

    /// The organization that is acted in, where there is but one: a hint, not a right.
    pub(crate) fn near(&self) -> Option<OrganizationId> {
        if let [only] = self.organizations() { Some(*only) } else { None }
    }

    /// The organizations within reach in which the caller has a right.
    pub fn organizations_with(&self, permission: TeamPermission) -> impl Iterator<Item = OrganizationId> {
        let organizations = self.organizations().iter().copied();
        organizations.filter(move |organization| self.check(*organization, permission).is_ok())
    }

    /// The scopes that the requester holds, and so can give.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        match &self.reach {
            Reach::Everything => Scopes::everything(),
            Reach::Nothing => Scopes::default(),
            Reach::Own(caller) => caller.scopes().clone(),
        }
    }

    /// The person who sent the request themselves, not by a token that they made for an organization.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        let Reach::Own(caller) = &self.reach else { return None };
        match &caller.subject {
            Principal::User { user, .. } => Some(*user),
            Principal::Organization { .. } | Principal::Customer(_) | Principal::Member(_) => None,
        }
    }

    /// Whether an organization is within reach.
    #[must_use]
    pub fn reaches(&self, organization: OrganizationId) -> bool {
        matches!(self.reach, Reach::Everything) || self.organizations().contains(&organization)
    }

    /// Whether the person's role in the organization gives a right. An organization's own token has all
    /// that its scopes allow.
    ///
    /// # Errors
    /// [`Error::NotPermitted`].
    pub fn check(&self, organization: OrganizationId, permission: TeamPermission) -> Result<(), Error> {
        let caller = match &self.reach {
            Reach::Everything => return Ok(()),
            Reach::Nothing => return Err(Error::NotPermitted(permission)),
            Reach::Own(caller) => caller,
        };
        let roles = match &caller.subject {
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

    /// The organization that a new row belongs to: the token's own, or the one that a person names.
    ///
    /// # Errors
    /// When an organization's token names one, or a person names none or another's.
    pub fn organization_for(&self, named: Option<OrganizationId>) -> Result<OrganizationId, Error> {
        match (&self.reach, named) {
            (Reach::Everything | Reach::Nothing, named) => named.ok_or(Error::OrganizationNeeded),
            (Reach::Own(caller), named) => match (&caller.subject, named) {
                (Principal::Organization { organization, .. }, None) => Ok(*organization),
                (Principal::Organization { .. }, Some(named)) => Err(Error::OrganizationGiven(named)),
                (Principal::User { .. }, Some(named)) if self.reaches(named) => Ok(named),
                (Principal::User { .. }, Some(named)) => Err(Error::OrganizationUnknown(named)),
                (Principal::User { .. } | Principal::Customer(_) | Principal::Member(_), None) => {
                    Err(Error::OrganizationNeeded)
                }
                (Principal::Customer(_) | Principal::Member(_), Some(named)) => {
                    Err(Error::OrganizationUnknown(named))
                }
            },
        }
    }
}
