//! The access tokens of organizations: lists and changes. The module `credentials` looks up a
//! token by its secret.

use tenantry_core::Timestamp;
use tenantry_core::ids::OrganizationId;
use tenantry_core::token::AccessToken;

use super::credentials::{ACCESS_TOKEN, access_token};
use super::{Keyset, KeysetPage, Order, Page, Paged, Query, count};
use crate::{StoreError, Tx};

/// The criteria that a list of access tokens can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessTokenKey {
    /// Time of creation.
    CreatedAt,
    /// Label.
    Label,
    /// Last use.
    LastUsedAt,
    /// Organization.
    Organization,
}

impl AccessTokenKey {
    const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "id",
            Self::Label => "label",
            Self::LastUsedAt => "last_used_at",
            Self::Organization => "organization_id",
        }
    }
}

impl Tx<'_> {
    /// A page of the list of the tokens of these organizations, oldest first unless `order` says otherwise. With
    /// `expires_before`, only tokens that expire before this time, expired ones included. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_tokens(
        &mut self,
        organizations: &[OrganizationId],
        expires_before: Option<Timestamp>,
        order: &[Order<AccessTokenKey>],
        page: Page,
    ) -> Result<Paged<AccessToken>, StoreError> {
        let mut query = Query::new("FROM access_tokens WHERE deleted_at IS NULL AND ");
        query.organizations("organization_id", organizations);
        if let Some(time) = expires_before {
            let time = query.param(time);
            query.push(&format!(" AND expires_at < {time}"));
        }
        let counted = format!("SELECT count(*) {}", query.sql);
        let total = count(self.first(&counted, &query.params, |row| row.get(0)).await?.unwrap_or(0));
        query = query.selecting(ACCESS_TOKEN);
        query.push(" ORDER BY ");
        for Order { by, descending } in order {
            query.push(by.column());
            query.push(if *descending { " DESC NULLS FIRST, " } else { " NULLS LAST, " });
        }
        query.push("id");
        query.page(page);
        let items = self.all(&query.sql, &query.params, access_token).await?;
        Ok(Paged { items, total })
    }

    /// A page of the list of an organization's tokens, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_tokens_by_cursor(
        &mut self,
        organization: OrganizationId,
        keyset: Keyset,
    ) -> Result<KeysetPage<AccessToken>, StoreError> {
        let mut query = Query::new("FROM access_tokens WHERE organization_id = ?1 AND deleted_at IS NULL");
        query.params.push(organization.into());
        self.keyset_page(ACCESS_TOKEN, &query, keyset, access_token, |token| token.id.uuid()).await
    }

    /// Saves a token's label, scopes, allowed addresses and creator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_update(&mut self, changed: &AccessToken) -> Result<(), StoreError> {
        let AccessToken { organization, id, modified_at, label, grants, ip_allow_list, created_by, .. } =
            changed;
        self.execute_unawaited(
            "UPDATE access_tokens SET modified_at = ?3, label = ?4, scopes = ?5, ip_allow_list = ?6,
                created_by_user_id = ?7
             WHERE organization_id = ?1 AND id = ?2",
            &[
                (*organization).into(),
                (*id).into(),
                (*modified_at).into(),
                label.as_str().into(),
                serde_json::to_string(grants)?.into(),
                serde_json::to_string(ip_allow_list)?.into(),
                (*created_by).into(),
            ],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }
}
