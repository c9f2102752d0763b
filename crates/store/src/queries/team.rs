//! The teams that administer organizations.

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::team::{TeamMember, TeamRole};
use tenantry_core::values::PersonName;

use crate::error::unexpected;
use crate::row::Row;
use crate::{StoreError, Tx};

const COLUMNS: &str =
    "organization_id, user_id, role, created_at, modified_at, email, email_key, name, offered_until";

fn team_member(row: &Row<'_>) -> Result<TeamMember, StoreError> {
    Ok(TeamMember {
        organization: row.get(0)?,
        user: row.get(1)?,
        role: row.named(2, TeamRole::from_name)?,
        created_at: row.get(3)?,
        modified_at: row.get(4)?,
        email: row.email(5, 6)?.ok_or_else(|| unexpected("a team member without address"))?,
        name: row.parse_optional(7, PersonName::parse)?.flatten(),
        offered_until: row.get(8)?,
    })
}

impl Tx<'_> {
    /// A person's membership in an organization's team, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_member(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<TeamMember>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM team_members WHERE organization_id = ?1 AND user_id = ?2{}",
            self.for_update()
        );
        self.first(&sql, &[organization.into(), user.into()], team_member).await
    }

    /// As [`Tx::team_member`], without a lock.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_member_unlocked(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<Option<TeamMember>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM team_members WHERE organization_id = ?1 AND user_id = ?2");
        self.first(&sql, &[organization.into(), user.into()], team_member).await
    }

    /// The whole team, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team(&mut self, organization: OrganizationId) -> Result<Vec<TeamMember>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM team_members WHERE organization_id = ?1
             ORDER BY created_at DESC, user_id DESC"
        );
        self.all(&sql, &[organization.into()], team_member).await
    }

    /// The whole team, oldest membership first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_oldest_first(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Vec<TeamMember>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM team_members WHERE organization_id = ?1 ORDER BY created_at, user_id"
        );
        self.all(&sql, &[organization.into()], team_member).await
    }

    /// The member of a team that has an offer of the ownership. The offer may have ended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_member_offered(
        &mut self,
        organization: OrganizationId,
    ) -> Result<Option<TeamMember>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM team_members WHERE organization_id = ?1 AND offered_until IS NOT NULL"
        );
        self.first(&sql, &[organization.into()], team_member).await
    }

    /// Saves the role of a member of the team, and the offer of the ownership.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_update(&mut self, changed: &TeamMember) -> Result<(), StoreError> {
        let TeamMember { organization, user, role, modified_at, offered_until, .. } = changed;
        self.execute_unawaited(
            "UPDATE team_members SET role = ?3, modified_at = ?4, offered_until = ?5
             WHERE organization_id = ?1 AND user_id = ?2",
            &[
                (*organization).into(),
                (*user).into(),
                role.as_str().into(),
                (*modified_at).into(),
                (*offered_until).into(),
            ],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Adds a person to an organization's team.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `team_members_pkey` when the person is in the team already,
    /// `team_members_owner` when there is an owner already.
    pub async fn team_insert(&mut self, new: &TeamMember) -> Result<(), StoreError> {
        let TeamMember { organization, user, role, created_at, modified_at, email, name, .. } = new;
        self.execute_unawaited(
            "INSERT INTO team_members (organization_id, user_id, role, created_at, modified_at,
                email, email_key, name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                (*organization).into(),
                (*user).into(),
                role.as_str().into(),
                (*created_at).into(),
                (*modified_at).into(),
                email.as_str().into(),
                email.key().into(),
                name.as_ref().map(PersonName::as_str).into(),
            ],
        )
        .await?;
        self.mark_credentials_changed();
        self.execute_unawaited(
            "INSERT INTO user_organizations (user_id, organization_id) VALUES (?1, ?2)",
            &[(*user).into(), (*organization).into()],
        )
        .await
    }

    /// Removes a person from an organization's team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_delete(
        &mut self,
        organization: OrganizationId,
        user: UserId,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "DELETE FROM team_members WHERE organization_id = ?1 AND user_id = ?2",
            &[organization.into(), user.into()],
        )
        .await?;
        self.mark_credentials_changed();
        self.execute_unawaited(
            "DELETE FROM user_organizations WHERE user_id = ?1 AND organization_id = ?2",
            &[user.into(), organization.into()],
        )
        .await?;
        self.former_team_member_insert(user, organization).await
    }

    /// Saves the address and name of a member of the team.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn team_update_person(&mut self, changed: &TeamMember) -> Result<(), StoreError> {
        let TeamMember { organization, user, modified_at, email, name, .. } = changed;
        self.execute_unawaited(
            "UPDATE team_members SET modified_at = ?3, email = ?4, email_key = ?5, name = ?6
             WHERE organization_id = ?1 AND user_id = ?2",
            &[
                (*organization).into(),
                (*user).into(),
                (*modified_at).into(),
                email.as_str().into(),
                email.key().into(),
                name.as_ref().map(PersonName::as_str).into(),
            ],
        )
        .await
    }
}
