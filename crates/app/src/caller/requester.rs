//! The authority of a use case.

mod client;
mod operator;
mod proof;

use std::sync::Arc;

use tenantry_core::Timestamp;
use tenantry_core::audit::{Actor, Client};
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{Grantor, Scopes, TokenHash};
use tenantry_core::values::IpAllowList;
use tenantry_store::{Party, RowKey, StoreError, TokenRef, Tx};
use uuid::Uuid;

use super::{Caller, Principal};
use crate::{Error, TeamPermission};

/// The actor and authority with which a use case runs: a caller, the operator, or the server itself.
#[derive(Debug, Clone)]
pub struct Requester {
    actor: Actor,
    authority: Authority,
    /// The client that sent the request, for the audit log.
    client: Client,
    /// Whether the changes are rolled back in any case, so that nothing about them is recorded.
    is_trial: bool,
    /// The session of the console with which a person acts as the operator.
    session: Option<Uuid>,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
}

#[derive(Debug, Clone)]
enum Authority {
    None,
    All,
    Caller(Arc<Caller>),
}

/// The client of a requester that no request names.
const NO_CLIENT: Client = Client { address: None, user_agent: None };

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
        Self {
            actor,
            authority: Authority::Caller(Arc::clone(caller)),
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id,
        }
    }

    /// An unauthenticated caller, without access to anything.
    #[must_use]
    pub const fn anonymous(request_id: Option<String>) -> Self {
        Self {
            actor: Actor::System,
            authority: Authority::None,
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id,
        }
    }

    /// An actor whose identity a secret in the request proves, for this use case alone.
    #[must_use]
    pub(crate) const fn verified(actor: Actor, request_id: Option<String>) -> Self {
        Self {
            actor,
            authority: Authority::None,
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id,
        }
    }

    /// The operator at the command line, with access to everything.
    #[must_use]
    pub const fn operator() -> Self {
        Self {
            actor: Actor::Operator,
            authority: Authority::All,
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id: None,
        }
    }

    /// The server itself, with access to everything.
    #[must_use]
    pub const fn system() -> Self {
        Self {
            actor: Actor::System,
            authority: Authority::All,
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id: None,
        }
    }

    /// The server itself, which continues the work of a request.
    #[must_use]
    pub(crate) const fn continuing(request_id: Option<String>) -> Self {
        Self {
            actor: Actor::System,
            authority: Authority::All,
            client: NO_CLIENT,
            is_trial: false,
            session: None,
            request_id,
        }
    }

    /// The same requester, whose changes are rolled back in any case: they have no audit entries and no events.
    #[must_use]
    pub(crate) fn on_trial(self) -> Self {
        Self { is_trial: true, ..self }
    }

    /// Whether the changes of the requester are rolled back in any case.
    #[must_use]
    pub(crate) const fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// The secret of the request, by its hash. None for the operator and the server.
    #[must_use]
    pub(crate) fn secret(&self) -> Option<TokenHash> {
        self.authenticated().map(|caller| caller.verification().hash)
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

    /// The token of the request. None for the operator, the server, and sessions of the portal.
    #[must_use]
    pub fn token(&self) -> Option<TokenRef> {
        let Authority::Caller(caller) = &self.authority else { return None };
        match &caller.principal {
            Principal::Organization { organization, token, .. } => {
                Some(TokenRef::Organization(*organization, *token))
            }
            Principal::User { token, .. } => Some(TokenRef::User(*token)),
            Principal::Customer(_) | Principal::Member(_) => None,
        }
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

    /// The party for which the use cases of the requester wait: the caller's organization if it has exactly one, and
    /// the id that its use of the writer is counted under. Requesters without a credential are one party.
    pub(crate) fn party(&self) -> Party {
        if matches!(self.authority, Authority::None) {
            return Party::STRANGERS;
        }
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

    /// The latest end of a credential that the request makes: the expiry of an organization's token, or the end of the
    /// previous secret of any rotated token, which may have leaked. `None` without a limit. The expiry of a person's
    /// token does not count, because what a person makes ends with the person's role.
    #[must_use]
    pub fn rights_end_at(&self) -> Option<Timestamp> {
        let Authority::Caller(caller) = &self.authority else { return None };
        let is_token = matches!(caller.principal, Principal::Organization { .. });
        let expires_at = caller.expires_at.filter(|_| is_token);
        [expires_at, caller.secret_expires_at].into_iter().flatten().min()
    }

    /// The rights that bound those of the tokens that the requester makes or changes.
    #[must_use]
    pub fn grantor(&self) -> Grantor {
        Grantor { scopes: self.scopes(), networks: self.networks(), expires_at: self.rights_end_at() }
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

    /// Whether the requester is the operator, or the server itself.
    #[must_use]
    pub(crate) const fn is_operator(&self) -> bool {
        matches!(self.authority, Authority::All)
    }

    /// Whether the request concerns this organization: it is restricted to none, or to this one.
    #[must_use]
    pub(crate) fn is_restricted_to(&self, organization: OrganizationId) -> bool {
        let Authority::Caller(caller) = &self.authority else { return true };
        caller.restricted_to.is_none_or(|only| only == organization)
    }

    /// The person's role in an organization. `None` without access, and for every other requester.
    #[must_use]
    pub fn role_in(&self, organization: OrganizationId) -> Option<TeamRole> {
        let Authority::Caller(caller) = &self.authority else { return None };
        let Principal::User { roles, .. } = &caller.principal else { return None };
        roles.iter().find(|(id, _)| *id == organization).map(|(_, role)| *role)
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
        if matches!(caller.principal, Principal::Organization { .. }) {
            return Ok(());
        }
        if self.role_in(organization).is_some_and(|role| role.grants(permission)) {
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
    /// without end, so an organization's token needs every scope for it, no expiry and no IP allow list, and a session of
    /// the console a fresh proof.
    ///
    /// # Errors
    /// [`Error::NotPermitted`], [`Error::ProofRequired`].
    pub(crate) fn check_role_grant(&self, role: TeamRole, now: Timestamp) -> Result<(), Error> {
        self.check_role_loss(role)?;
        if !role.can_manage_organization() {
            return Ok(());
        }
        let Grantor { networks, expires_at, .. } = self.grantor();
        if expires_at.is_some() || !networks.is_empty() {
            return Err(Error::NotPermitted(TeamPermission::ManageTeam));
        }
        self.check_proof(now)
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
