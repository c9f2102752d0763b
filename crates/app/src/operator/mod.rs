//! The operator's work in the console: all organizations of the installation, and its health.
//!
//! A person becomes an operator at the first entry, or by the command line. The rights are those of a session of the
//! console alone, never of a token. They make nobody a member of an organization: an operator sees names, states, numbers
//! and owners, not what an organization stores.

mod doctor;
mod health;
mod organizations;

use serde::Serialize;
use tenantry_core::ExecutionContext;
use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::user::UserError;
use tenantry_store::{Party, Tx, UseCase};
use uuid::Uuid;

use crate::changes::{Audited, INSTALLATION};
use crate::{Error, Requester, changes, verified};

pub use doctor::{CheckedInvariant, DoctorReport, DoctorState};
pub use health::{Backlogs, BackupNote, Health};
pub use organizations::{Create, ListedOrganization, OrganizationDetails, Search, StateChange, StateSet};

/// Makes a person an operator, or ends that.
#[derive(Debug, Clone)]
pub struct OperatorSet {
    /// The requester: the operator at the command line.
    pub by: Requester,
    /// The person.
    pub user: UserId,
    /// Whether the person is an operator from now on.
    pub is_operator: bool,
}

impl UseCase for OperatorSet {
    type Output = ();
    type Error = Error;

    fn party(&self) -> Party {
        self.by.party()
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<(), Error> {
        let Self { by, user, is_operator } = self;
        let by = by.as_operator(context.now())?;
        set(tx, context, &by, (*user, *is_operator)).await
    }
}

/// The rights of a person, as an audit entry shows them.
#[derive(Serialize)]
struct RightsImage {
    id: UserId,
    is_operator: bool,
}

impl Audited for RightsImage {
    fn organization(&self) -> OrganizationId {
        INSTALLATION
    }

    fn subject(&self) -> Uuid {
        self.id.uuid()
    }
}

/// Makes a person an operator, or ends that. Changes nothing when it is so already.
pub(crate) async fn set(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    (user, is_operator): (UserId, bool),
) -> Result<(), Error> {
    tx.user_for_update(user).await?.ok_or(UserError::NotFound)?;
    verified::before_change(tx, context, by).await?;
    if tx.user_operator_since(user).await?.is_some() == is_operator {
        return Ok(());
    }
    tx.user_set_operator(user, is_operator.then(|| context.now())).await?;
    let action = if is_operator { "user.operator_granted" } else { "user.operator_revoked" };
    let image = |is_operator| RightsImage { id: user, is_operator };
    changes::updated(tx, context, by, action, (&image(!is_operator), &image(is_operator))).await
}
