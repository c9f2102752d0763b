//! Requirements on the caller of an endpoint.

use tenantry_app::{Caller, Principal};
use tenantry_core::ids::OrganizationId;
use tenantry_core::token::RequiredScope;
use tenantry_core::values::parse_uuid;

use super::rejection::Rejection;

/// The callers that an endpoint admits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access {
    /// Any token of an organization or a user.
    AnyToken,
    /// A token of an organization or a user with one of these permissions.
    Scoped(&'static [RequiredScope]),
    /// A token of a user with one of these permissions.
    UserScoped(&'static [RequiredScope]),
    /// Different permissions for users and organizations. One of the list is needed.
    BySubject {
        /// For tokens of users.
        user: &'static [RequiredScope],
        /// For tokens of organizations.
        organization: &'static [RequiredScope],
    },
    /// A token with the permission, for the account in the path.
    Account(RequiredScope),
    /// A token with the permission, for the sub-accounts of the account in the path. That account may itself be
    /// suspended.
    Parent(RequiredScope),
    /// A customer session with one of these permissions.
    Portal(&'static [RequiredScope]),
    /// A customer session of a member with one of these permissions.
    PortalMember(&'static [RequiredScope]),
    /// Any caller. A token is ignored.
    Public,
}

impl Access {
    /// Checks the caller's kind and permissions. Returns the account in the path where the endpoint names one.
    ///
    /// `account_id` is the path parameter of that name.
    pub(crate) fn authorize(
        self,
        caller: Option<&Caller>,
        account_id: &str,
    ) -> Result<Option<OrganizationId>, Rejection> {
        if matches!(self, Self::Public) {
            return Ok(None);
        }
        let caller = caller.ok_or(Rejection::Unauthorized)?;
        if !self.admits(&caller.principal) {
            let is_for_people = matches!(self, Self::UserScoped(_))
                && matches!(caller.principal, Principal::Organization { .. });
            return Err(if is_for_people { Rejection::PersonRequired } else { Rejection::Unauthorized });
        }
        match self {
            Self::AnyToken | Self::Public => {}
            Self::Scoped(permissions)
            | Self::UserScoped(permissions)
            | Self::Portal(permissions)
            | Self::PortalMember(permissions) => any_of(permissions, caller)?,
            Self::BySubject { user, organization } => match caller.principal {
                Principal::User { .. } => any_of(user, caller)?,
                _ => any_of(organization, caller)?,
            },
            Self::Account(permission) | Self::Parent(permission) => {
                let account = parse_uuid(account_id).map_err(|_| Rejection::BadAccount)?;
                let account = OrganizationId::new(account);
                if !caller.organizations().contains(&account) {
                    return Err(Rejection::InvalidToken);
                }
                any_of(&[permission], caller)?;
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// Whether the endpoint is for callers of this kind.
    const fn admits(self, subject: &Principal) -> bool {
        match self {
            Self::AnyToken
            | Self::Scoped(_)
            | Self::Account(_)
            | Self::Parent(_)
            | Self::BySubject { .. } => {
                matches!(subject, Principal::Organization { .. } | Principal::User { .. })
            }
            Self::UserScoped(_) => matches!(subject, Principal::User { .. }),
            Self::Portal(_) => matches!(subject, Principal::Customer(_) | Principal::Member(_)),
            Self::PortalMember(_) => matches!(subject, Principal::Member(_)),
            Self::Public => true,
        }
    }
}

fn any_of(permissions: &[RequiredScope], caller: &Caller) -> Result<(), Rejection> {
    let allowed = permissions.iter().any(|permission| caller.allows(*permission));
    if allowed { Ok(()) } else { Err(Rejection::InsufficientScope(permissions.to_vec())) }
}
