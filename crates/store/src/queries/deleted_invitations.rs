//! The deletion of invitations: when they are not kept any more, with their person, and with their organization.

use tenantry_core::Timestamp;
use tenantry_core::ids::{InvitationId, OrganizationId, UserId};
use tenantry_core::values::EmailAddress;

use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// An invitation that is to be deleted.
struct Deleted {
    organization: OrganizationId,
    id: InvitationId,
    secret: Vec<u8>,
    email_key: String,
}

fn deleted(row: &Row<'_>) -> Result<Deleted, StoreError> {
    Ok(Deleted { organization: row.get(0)?, id: row.get(1)?, secret: row.get(2)?, email_key: row.get(3)? })
}

impl Tx<'_> {
    /// Deletes up to `limit` invitations that are not kept any more at `now`. Returns how many. Some round trips for
    /// each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_delete_expired(
        &mut self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql = "SELECT organization_id, id, secret_hash, email_key FROM invitations WHERE kept_until <= ?1
             ORDER BY kept_until, organization_id, id LIMIT ?2";
        let old = self.all(sql, &[now.into(), limit.into()], deleted).await?;
        let found = old.len();
        self.invitation_rows_delete(old).await?;
        Ok(found)
    }

    /// Deletes up to `limit` invitations for an address, of all organizations and in any state. Returns how many. Some
    /// round trips for each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_delete_to(
        &mut self,
        email: &EmailAddress,
        limit: i64,
    ) -> Result<usize, StoreError> {
        let sql = "SELECT organization_id, invitation_id FROM invitation_addresses WHERE email_key = ?1
             ORDER BY organization_id, invitation_id LIMIT ?2";
        let ids: Vec<(OrganizationId, InvitationId)> =
            self.all(sql, &[email.key().into(), limit.into()], |row| Ok((row.get(0)?, row.get(1)?))).await?;
        let row = "SELECT organization_id, id, secret_hash, email_key FROM invitations
             WHERE organization_id = ?1 AND id = ?2";
        let mut found = Vec::new();
        for (organization, id) in &ids {
            found.extend(self.first(row, &[(*organization).into(), (*id).into()], deleted).await?);
        }
        let count = found.len();
        self.invitation_rows_delete(found).await?;
        Ok(count)
    }

    /// Deletes the invitations of an organization that a person has accepted, whatever the address was. Some round
    /// trips for each.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_delete_accepted(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<(), StoreError> {
        let sql = "SELECT organization_id, id, secret_hash, email_key FROM invitations
             WHERE organization_id = ?1 AND accepted_by_user_id = ?2";
        let found = self.all(sql, &[organization.into(), user.into()], deleted).await?;
        self.invitation_rows_delete(found).await
    }

    /// Deletes invitations as they were read. One that got another secret meanwhile stays.
    async fn invitation_rows_delete(&mut self, rows: Vec<Deleted>) -> Result<(), StoreError> {
        for Deleted { organization, id, secret, email_key } in rows {
            let sql = "DELETE FROM invitations WHERE organization_id = ?1 AND id = ?2 AND secret_hash = ?3";
            let secret = Param::Bytes(&secret);
            if self.execute(sql, &[organization.into(), id.into(), secret.clone()]).await? == 0 {
                continue;
            }
            self.execute_unawaited("DELETE FROM credentials WHERE secret_hash = ?1", &[secret]).await?;
            self.execute_unawaited(
                "DELETE FROM invitation_addresses
                 WHERE email_key = ?1 AND organization_id = ?2 AND invitation_id = ?3",
                &[email_key.as_str().into(), organization.into(), id.into()],
            )
            .await?;
        }
        Ok(())
    }

    /// Deletes the addresses of the first invitations of an organization.
    pub(super) async fn invitation_addresses_purge(
        &mut self,
        organization: OrganizationId,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        let sql = "SELECT email_key, id FROM invitations WHERE organization_id = ?1 AND id <= ?2";
        let addresses: Vec<(String, InvitationId)> =
            self.all(sql, params, |row| Ok((row.get(0)?, row.get(1)?))).await?;
        for (email_key, id) in addresses {
            self.execute_unawaited(
                "DELETE FROM invitation_addresses
                 WHERE email_key = ?1 AND organization_id = ?2 AND invitation_id = ?3",
                &[email_key.as_str().into(), organization.into(), id.into()],
            )
            .await?;
        }
        Ok(())
    }
}
