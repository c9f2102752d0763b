//! The host name that passkeys are for. With another one nobody could use them, so it does not change silently.

use tenantry_core::ExecutionContext;
use tenantry_store::{StoreError, Tx, UseCase};

use crate::{App, Error, Requester, changes, limits};

/// Changes the host name that passkeys are for.
#[derive(Debug, Clone)]
struct RelyingPartySet {
    id: Option<String>,
    replaces: bool,
}

/// The name of the stored host name in `installation`.
const RELYING_PARTY: &str = "relying_party";

impl UseCase for RelyingPartySet {
    type Output = Result<(), RelyingPartyChange>;
    type Error = Error;
    const IS_LONG: bool = true;

    async fn run(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
    ) -> Result<Result<(), RelyingPartyChange>, Error> {
        let stored = tx.installation_value_for_update(RELYING_PARTY).await?;
        let stored = stored
            .map(String::from_utf8)
            .transpose()
            .map_err(|_| StoreError::Unexpected("the host name of the passkeys is not a text".into()))?;
        if stored == self.id {
            return Ok(Ok(()));
        }
        loop {
            let useless = tx.passkeys_oldest(limits::OLD_ROWS_PER_TRANSACTION).await?;
            if useless.is_empty() {
                break;
            }
            if !self.replaces {
                let stored = stored.unwrap_or_default();
                return Ok(Err(RelyingPartyChange { stored, new: self.id.clone() }));
            }
            for passkey in useless {
                tx.passkey_delete(passkey.id).await?;
                tx.recovery_codes_delete(passkey.user).await?;
                changes::deleted(tx, context, &Requester::operator(), "passkey.deleted", &passkey).await?;
            }
        }
        match &self.id {
            Some(id) => tx.installation_value_replace(RELYING_PARTY, id.as_bytes()).await?,
            None => tx.installation_value_delete(RELYING_PARTY).await?,
        }
        Ok(Ok(()))
    }
}

/// The refusal to serve at another host name than that of the passkeys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "people have passkeys for {stored}, which do not work at {}",
    new.as_deref().unwrap_or("an address without a host name, or over plain HTTP")
)]
pub struct RelyingPartyChange {
    /// The host name that the passkeys are for.
    pub stored: String,
    /// The host name of the address at which the server would be. `None` where browsers have no passkeys.
    pub new: Option<String>,
}

impl App {
    /// Keeps the host name that passkeys are for: `None` where browsers have none. When it changes while there are
    /// passkeys, they are deleted if `replaces`, and the change is refused otherwise.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_relying_party(
        &self,
        id: Option<&str>,
        replaces: bool,
    ) -> Result<Result<(), RelyingPartyChange>, Error> {
        self.write(RelyingPartySet { id: id.map(str::to_owned), replaces }).await
    }
}
