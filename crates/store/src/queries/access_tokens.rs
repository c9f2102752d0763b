//! The access tokens of organizations: rows and lists. The module `credentials` looks up a token by its secret.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, TokenId};
use tenantry_core::token::{AccessToken, ScopeGrants, SecretKind, TokenHash, next_expiry_notice};

use super::row_counters::Counter;
use super::token_secrets::previous_secret;
use super::{Keyset, KeysetPage, Order, Page, Paged, Query};
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

pub(super) const ACCESS_TOKEN: &str = "organization_id, id, created_at, label, scopes, expires_at,
    created_by_user_id, modified_at, last_used_at, ip_allow_list, previous_secret_expires_at,
    previous_secret_used_at";

pub(super) fn access_token(row: &Row<'_>) -> Result<AccessToken, StoreError> {
    let created_at = row.get(2)?;
    Ok(AccessToken {
        organization: row.get(0)?,
        id: row.get(1)?,
        created_at,
        label: row.get(3)?,
        grants: row.parse(4, |text| ScopeGrants::from_stored(text, created_at))?,
        expires_at: row.get(5)?,
        created_by: row.get(6)?,
        modified_at: row.get(7)?,
        last_used_at: row.get(8)?,
        ip_allow_list: row.parse(9, |text| serde_json::from_str(text))?,
        previous_secret: previous_secret(row, 10)?,
    })
}

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
    /// Inserts a token of an organization.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_insert(
        &mut self,
        token: &AccessToken,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        self.token_insert(token, SecretKind::OrganizationToken, hash).await
    }

    /// Inserts a token of an organization that was made as an API key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key_insert(&mut self, token: &AccessToken, hash: &TokenHash) -> Result<(), StoreError> {
        self.token_insert(token, SecretKind::ApiKey, hash).await
    }

    async fn token_insert(
        &mut self,
        token: &AccessToken,
        kind: SecretKind,
        hash: &TokenHash,
    ) -> Result<(), StoreError> {
        let AccessToken {
            id,
            organization,
            created_at,
            label,
            grants,
            ip_allow_list,
            expires_at,
            created_by,
            ..
        } = token;
        self.execute_unawaited(
            "INSERT INTO access_tokens
                (organization_id, id, created_at, label, scopes, expires_at, created_by_user_id, ip_allow_list,
                 secret_hash, notice_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            &[
                (*organization).into(),
                (*id).into(),
                (*created_at).into(),
                label.as_str().into(),
                serde_json::to_string(grants)?.into(),
                (*expires_at).into(),
                (*created_by).into(),
                serde_json::to_string(ip_allow_list)?.into(),
                Param::Bytes(&hash.0),
                next_expiry_notice(*expires_at, *created_at).into(),
            ],
        )
        .await?;
        self.row_counter_add(*organization, Counter::AccessTokens, 1).await?;
        self.credential_insert(hash, kind, Some(*organization), id.uuid()).await
    }

    /// The number of an organization's tokens that are not revoked, expired ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_count(&mut self, organization: OrganizationId) -> Result<u64, StoreError> {
        self.row_counter(&[organization], Counter::AccessTokens).await
    }

    /// The organization's token of this id; nothing when it is revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token(
        &mut self,
        organization: OrganizationId,
        id: TokenId,
    ) -> Result<Option<AccessToken>, StoreError> {
        let sql = format!(
            "SELECT {ACCESS_TOKEN} FROM access_tokens
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL"
        );
        self.first(&sql, &[organization.into(), id.into()], access_token).await
    }

    /// The organization's token of this id, locked until the transaction ends; nothing when it is revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_for_update(
        &mut self,
        organization: OrganizationId,
        id: TokenId,
    ) -> Result<Option<AccessToken>, StoreError> {
        let hold = self.for_update();
        let sql = format!(
            "SELECT {ACCESS_TOKEN} FROM access_tokens
             WHERE organization_id = ?1 AND id = ?2 AND deleted_at IS NULL{hold}"
        );
        self.first(&sql, &[organization.into(), id.into()], access_token).await
    }

    /// The organization of the token with this id, also of a revoked one. The operator knows only the id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_of_token(&mut self, id: TokenId) -> Result<Option<OrganizationId>, StoreError> {
        self.first("SELECT organization_id FROM access_tokens WHERE id = ?1", &[id.into()], |row| row.get(0))
            .await
    }

    /// Revokes a token of an organization that is not revoked yet. Its secret is refused from then on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn access_token_delete(
        &mut self,
        organization: OrganizationId,
        id: TokenId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE access_tokens SET deleted_at = ?3, notice_at = NULL WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), now.into()],
        )
        .await?;
        self.row_counter_add(organization, Counter::AccessTokens, -1).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// A page of the list of the tokens of these organizations, oldest first unless `order` says otherwise. With
    /// `expires_before`, only tokens that expire before this time, expired ones included. At most two round trips.
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
        let mut from = Query::new("FROM access_tokens WHERE deleted_at IS NULL AND ");
        from.organizations("organization_id", organizations);
        if let Some(time) = expires_before {
            let time = from.param(time);
            from.push(&format!(" AND expires_at < {time}"));
        }
        let mut query = from.selecting(ACCESS_TOKEN);
        query.push(" ORDER BY ");
        for Order { by, descending } in order {
            query.push(by.column());
            query.push(if *descending { " DESC NULLS FIRST, " } else { " NULLS LAST, " });
        }
        query.push("id");
        query.page(page);
        let items = self.all(&query.sql, &query.params, access_token).await?;
        let total = self.list_length(&from, page, items.len()).await?;
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
