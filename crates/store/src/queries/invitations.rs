//! Invitations to the teams of organizations.
//!
//! A row of `credentials` finds an invitation by its present secret, a row of `invitation_addresses` by the person's
//! address. Both stay until the invitation is deleted. Every change of an invitation happens with its organization
//! locked.

use tenantry_core::Timestamp;
use tenantry_core::ids::{InvitationId, OrganizationId};
use tenantry_core::invitation::{Invitation, InvitationState, InvitationStatus, PENDING_PER_ORGANIZATION};
use tenantry_core::team::TeamRole;
use tenantry_core::token::{SecretKind, TokenHash};
use tenantry_core::values::{EmailAddress, Lifetime, Metadata, PersonName};

use super::token_secrets::hash;
use super::{Order, Page, Paged, Query, contains, count};
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

const COLUMNS: &str = "organization_id, id, created_at, modified_at, email, email_key, name, role, state,
    lifetime_s, expires_at, settled_at, invited_by_user_id, accepted_by_user_id, issued_at, issue_count,
    last_sent_at, sent_count, metadata, secret_hash";
/// The place of `secret_hash` among the columns.
const SECRET: usize = 19;

fn invitation(row: &Row<'_>) -> Result<Invitation, StoreError> {
    let number = |index| row.get::<i64>(index).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    Ok(Invitation {
        organization: row.get(0)?,
        id: row.get(1)?,
        created_at: row.get(2)?,
        modified_at: row.get(3)?,
        email: row.email(4, 5)?.ok_or_else(|| unexpected("an invitation without address"))?,
        name: row.parse_optional(6, PersonName::parse_stored)?.flatten(),
        role: row.named(7, TeamRole::from_name)?,
        state: row.named(8, InvitationState::from_name)?,
        lifetime: Lifetime::from_seconds(row.get(9)?)
            .map_err(|_| unexpected("an invitation without a lifetime"))?,
        expires_at: row.get(10)?,
        settled_at: row.get(11)?,
        invited_by: row.get(12)?,
        accepted_by: row.get(13)?,
        issued_at: row.get(14)?,
        issue_count: number(15)?,
        last_sent_at: row.get(16)?,
        sent_count: number(17)?,
        metadata: row.parse(18, |text| serde_json::from_str::<Metadata>(text))?,
    })
}

/// The filters of a list of invitations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvitationFilter {
    /// The status at the time of the query.
    pub status: Option<InvitationStatus>,
    /// A part of the address.
    pub query: Option<String>,
}

/// The criteria that a list of invitations can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationSortKey {
    /// Time of creation.
    CreatedAt,
    /// Address.
    Email,
    /// End of the time in which it can be accepted.
    ExpiresAt,
}

impl InvitationSortKey {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "id",
            Self::Email => "email_key",
            Self::ExpiresAt => "expires_at",
        }
    }
}

impl Tx<'_> {
    /// Inserts an invitation and the hash of its secret.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `invitations_pending` when the address has a pending invitation to the organization.
    pub async fn invitation_insert(
        &mut self,
        new: &Invitation,
        secret: &TokenHash,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO invitations (organization_id, id, created_at, email, email_key, name, role, state,
                lifetime_s, expires_at, invited_by_user_id, issued_at, issue_count, last_sent_at, sent_count,
                metadata, secret_hash, kept_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
            &[
                new.organization.into(),
                new.id.into(),
                new.created_at.into(),
                new.email.as_str().into(),
                new.email.key().into(),
                new.name.as_ref().map(PersonName::as_str).into(),
                new.role.as_str().into(),
                new.state.as_str().into(),
                new.lifetime.seconds().into(),
                new.expires_at.into(),
                new.invited_by.into(),
                new.issued_at.into(),
                i64::from(new.issue_count).into(),
                new.last_sent_at.into(),
                i64::from(new.sent_count).into(),
                serde_json::to_string(&new.metadata)?.into(),
                Param::Bytes(&secret.0),
                new.kept_until().into(),
            ],
        )
        .await?;
        self.execute_unawaited(
            "INSERT INTO invitation_addresses (email_key, organization_id, invitation_id, is_pending)
             VALUES (?1, ?2, ?3, ?4)",
            &[new.email.key().into(), new.organization.into(), new.id.into(), true.into()],
        )
        .await?;
        self.credential_insert(secret, SecretKind::Invitation, Some(new.organization), new.id.uuid()).await
    }

    /// An invitation of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation(
        &mut self,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<Option<Invitation>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM invitations WHERE organization_id = ?1 AND id = ?2");
        self.first(&sql, &[organization.into(), id.into()], invitation).await
    }

    /// An invitation of an organization with the hash of its present secret, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation_for_update(
        &mut self,
        organization: OrganizationId,
        id: InvitationId,
    ) -> Result<Option<(Invitation, TokenHash)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM invitations WHERE organization_id = ?1 AND id = ?2{}",
            self.for_update()
        );
        let read = |row: &Row<'_>| Ok((invitation(row)?, hash(row.get(SECRET)?)?));
        self.first(&sql, &[organization.into(), id.into()], read).await
    }

    /// The invitation that has the secret of this hash, in any state.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation_by_hash(
        &mut self,
        secret: &TokenHash,
    ) -> Result<Option<(OrganizationId, InvitationId)>, StoreError> {
        self.first(
            "SELECT organization_id, subject_id FROM credentials WHERE secret_hash = ?1 AND kind = ?2",
            &[Param::Bytes(&secret.0), SecretKind::Invitation.as_str().into()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .await
    }

    /// The pending invitation of an organization for an address, locked until the transaction ends. It may have
    /// expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation_pending_for_update(
        &mut self,
        organization: OrganizationId,
        email: &EmailAddress,
    ) -> Result<Option<Invitation>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM invitations
             WHERE organization_id = ?1 AND email_key = ?2 AND state = 'pending'{}",
            self.for_update()
        );
        self.first(&sql, &[organization.into(), email.key().into()], invitation).await
    }

    /// The number of pending invitations of an organization, expired ones included, counted up to the limit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_pending_count(
        &mut self,
        organization: OrganizationId,
    ) -> Result<u64, StoreError> {
        // The order leaves PostgreSQL no index but that of pending invitations.
        let sql = "SELECT count(*) FROM (SELECT email_key FROM invitations
             WHERE organization_id = ?1 AND state = 'pending' AND email_key > ''
             ORDER BY email_key LIMIT ?2) AS pending";
        let limit = i64::try_from(PENDING_PER_ORGANIZATION).unwrap_or(i64::MAX);
        Ok(count(self.first(sql, &[organization.into(), limit.into()], |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// Saves the state of an invitation and the counts of its secrets and mails.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation_update(&mut self, changed: &Invitation) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE invitations SET modified_at = ?3, state = ?4, expires_at = ?5, settled_at = ?6,
                accepted_by_user_id = ?7, issued_at = ?8, issue_count = ?9, last_sent_at = ?10,
                sent_count = ?11, kept_until = ?12
             WHERE organization_id = ?1 AND id = ?2",
            &[
                changed.organization.into(),
                changed.id.into(),
                changed.modified_at.into(),
                changed.state.as_str().into(),
                changed.expires_at.into(),
                changed.settled_at.into(),
                changed.accepted_by.into(),
                changed.issued_at.into(),
                i64::from(changed.issue_count).into(),
                changed.last_sent_at.into(),
                i64::from(changed.sent_count).into(),
                changed.kept_until().into(),
            ],
        )
        .await?;
        if changed.state == InvitationState::Pending {
            return Ok(());
        }
        self.execute_unawaited(
            "UPDATE invitation_addresses SET is_pending = ?4
             WHERE email_key = ?1 AND organization_id = ?2 AND invitation_id = ?3",
            &[changed.email.key().into(), changed.organization.into(), changed.id.into(), false.into()],
        )
        .await
    }

    /// Gives an invitation another secret. The one of the hash `before` opens nothing any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitation_replace_secret(
        &mut self,
        (organization, id): (OrganizationId, InvitationId),
        before: &TokenHash,
        after: &TokenHash,
    ) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM credentials WHERE secret_hash = ?1", &[Param::Bytes(&before.0)])
            .await?;
        self.execute_unawaited(
            "UPDATE invitations SET secret_hash = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), Param::Bytes(&after.0)],
        )
        .await?;
        self.credential_insert(after, SecretKind::Invitation, Some(organization), id.uuid()).await
    }

    /// A page of the list of an organization's invitations, newest first unless `order` says otherwise. Two round
    /// trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations(
        &mut self,
        organization: OrganizationId,
        (filter, now): (&InvitationFilter, Timestamp),
        order: &[Order<InvitationSortKey>],
        page: Page,
    ) -> Result<Paged<Invitation>, StoreError> {
        let InvitationFilter { status, query: text } = filter;
        let mut from = Query::new("FROM invitations WHERE organization_id = ?1");
        from.params.push(organization.into());
        if let Some(status) = status {
            let state = match status {
                InvitationStatus::Pending | InvitationStatus::Expired => InvitationState::Pending,
                InvitationStatus::Accepted => InvitationState::Accepted,
                InvitationStatus::Declined => InvitationState::Declined,
                InvitationStatus::Revoked => InvitationState::Revoked,
            };
            let state = from.param(state.as_str());
            from.push(&format!(" AND state = {state}"));
            let compares = match status {
                InvitationStatus::Pending => Some(">"),
                InvitationStatus::Expired => Some("<="),
                _ => None,
            };
            if let Some(than) = compares {
                let now = from.param(now);
                from.push(&format!(" AND expires_at {than} {now}"));
            }
        }
        if let Some(text) = text {
            let part = from.param(contains(text));
            from.push(&format!(" AND email_key LIKE {part} ESCAPE '\\'"));
        }
        let mut query = from.selecting(COLUMNS);
        query.push(" ORDER BY ");
        for Order { by, descending } in order {
            query.push(by.column());
            query.push(if *descending { " DESC, " } else { ", " });
        }
        query.push(if order.is_empty() { "id DESC" } else { "id" });
        query.page(page);
        let items = self.all(&query.sql, &query.params, invitation).await?;
        let total = self.list_length(&from, page, items.len()).await?;
        Ok(Paged { items, total })
    }

    /// The newest pending invitations for an address, of all organizations. They may have expired.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn invitations_waiting(
        &mut self,
        email: &EmailAddress,
        limit: i64,
    ) -> Result<Vec<(OrganizationId, InvitationId)>, StoreError> {
        self.all(
            "SELECT organization_id, invitation_id FROM invitation_addresses
             WHERE email_key = ?1 AND is_pending ORDER BY invitation_id DESC LIMIT ?2",
            &[email.key().into(), limit.into()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .await
    }
}
