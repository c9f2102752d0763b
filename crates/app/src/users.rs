//! Users: persons, known by their e-mail address in the whole installation.

use tenantry_core::ExecutionContext;
use tenantry_core::ids::UserId;
use tenantry_core::user::User;
use tenantry_core::values::{EmailAddress, PersonName};
use tenantry_store::Tx;

use crate::{Error, Requester, changes};

/// The user with this address. Creates one if there is none.
pub(crate) async fn find_or_create(
    tx: &mut Tx<'_>,
    context: &mut ExecutionContext,
    by: &Requester,
    email: &EmailAddress,
    name: Option<&PersonName>,
) -> Result<User, Error> {
    if let Some(user) = tx.user_by_email(email).await? {
        return Ok(user);
    }
    let id = UserId::new(context.uuid());
    let new = User { id, created_at: context.now(), email: email.clone(), name: name.cloned() };
    let user = tx.user_insert(&new).await?;
    // Another transaction may have inserted the address first: then `user` is its row.
    if user.id == id {
        changes::created(tx, context, by, "user.created", &user).await?;
    }
    Ok(user)
}
