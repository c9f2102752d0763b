//! Credentials: tokens and sessions, looked up by the keyed hash of their secret.

use tenantry_core::Timestamp;
use tenantry_core::ids::{OrganizationId, SessionId, TokenId, UserId, UserTokenId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{AccessToken, ScopeGrants, Scopes, SecretKind, TokenHash, UserToken};

use super::row_counters::Counter;
use super::token_secrets::previous_secret;
use super::{Query, repeated};
use crate::error::unexpected;
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

/// The principal of a valid credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialOwner {
    /// An organization, and the id of its owner.
    Organization(AccessToken, UserId),
    /// A suspended organization without a parent, and the id of its owner. It still administers its
    /// sub-accounts.
    SuspendedOrganization(AccessToken, UserId),
    /// A person, with the role in each organization that grants access: neither it nor its parent is blocked,
    /// suspended or deleted.
    User(UserToken, Vec<(OrganizationId, TeamRole)>),
    /// The principal of a token's previous secret, which ends at this time.
    Previous(Box<CredentialOwner>, Timestamp),
    /// A customer in the portal, or a member of a customer, and the id of the organization's owner.
    CustomerSession(CustomerSession, UserId),
    /// Any other principal of a suspended organization, or of one whose parent denies access.
    Suspended,
}

/// The sub-query for the columns of [`Tenant`]. It has no row for an organization that is deleted or blocked,
/// so a query that joins it finds no credential of that organization.
pub(super) const TENANT: &str = "(SELECT parent_id AS tenant_parent_id, suspended_at AS tenant_suspended_at,
        owner_user_id AS tenant_owner_id
    FROM organizations WHERE id = ?1 AND deleted_at IS NULL AND status <> 'blocked') AS tenant";

/// The organization of a credential. It is neither blocked nor deleted.
pub(super) struct Tenant {
    parent: Option<OrganizationId>,
    suspended: bool,
    owner: UserId,
}

impl Tenant {
    /// Reads the columns of [`TENANT`]. The first one has the number `index`.
    pub(super) fn read(row: &Row<'_>, index: usize) -> Result<Self, StoreError> {
        let suspended_at: Option<Timestamp> = row.get(index + 1)?;
        Ok(Self { parent: row.get(index)?, suspended: suspended_at.is_some(), owner: row.get(index + 2)? })
    }
}

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

const USER_TOKEN: &str =
    "id, user_id, created_at, scopes, expires_at, last_used_at, previous_secret_expires_at,
    previous_secret_used_at";

fn user_token(row: &Row<'_>) -> Result<UserToken, StoreError> {
    Ok(UserToken {
        id: row.get(0)?,
        user: row.get(1)?,
        created_at: row.get(2)?,
        scopes: row.parse(3, |text| serde_json::from_str::<Scopes>(text))?,
        expires_at: row.get(4)?,
        last_used_at: row.get(5)?,
        previous_secret: previous_secret(row, 6)?,
    })
}

impl CredentialOwner {
    /// The same, of a previous secret that ends at `until`.
    fn until(self, until: Option<Timestamp>) -> Self {
        match until {
            Some(until) => Self::Previous(Box::new(self), until),
            None => self,
        }
    }
}

impl Tx<'_> {
    /// The principal of the secret with this hash at `now`; nothing when the secret is unknown, revoked or
    /// expired, or its principal is deleted. Two round trips for an organization's token or a session, and at
    /// most two more when the organization has a parent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn credential_owner(
        &mut self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<CredentialOwner>, StoreError> {
        match self.credential(hash).await? {
            None => Ok(None),
            Some((SecretKind::OrganizationToken | SecretKind::ApiKey, Some(organization), id)) => {
                let found = self.access_token_active((organization, TokenId::new(id)), hash, now).await?;
                let Some((token, tenant, is_previous)) = found else { return Ok(None) };
                let until = token.previous_secret.filter(|_| is_previous).map(|previous| previous.expires_at);
                let owner = self
                    .admitted(
                        Some((token, tenant)),
                        CredentialOwner::Organization,
                        CredentialOwner::SuspendedOrganization,
                    )
                    .await?;
                Ok(owner.map(|owner| owner.until(until)))
            }
            Some((SecretKind::UserToken, _, id)) => {
                self.user_token_active(UserTokenId::new(id), hash, now).await
            }
            Some((SecretKind::CustomerSession | SecretKind::MemberSession, Some(organization), id)) => {
                let found = self.customer_session_active(organization, SessionId::new(id), now).await?;
                self.admitted(found, CredentialOwner::CustomerSession, |_, _| CredentialOwner::Suspended)
                    .await
            }
            Some((SecretKind::EmailChange, _, _)) => Ok(None),
            Some((_, None, _)) => Err(unexpected("a token without organization")),
        }
    }

    /// Kind, organization and subject of a credential.
    pub(super) async fn credential(
        &mut self,
        hash: &TokenHash,
    ) -> Result<Option<(SecretKind, Option<OrganizationId>, uuid::Uuid)>, StoreError> {
        self.first(
            "SELECT kind, organization_id, subject_id FROM credentials WHERE secret_hash = ?1",
            &[Param::Bytes(&hash.0)],
            |row| Ok((row.named(0, SecretKind::from_name)?, row.get(1)?, row.get(2)?)),
        )
        .await
    }

    /// The principal of a credential, by the state of its organization and of the parent. The parent has a
    /// query of its own, since it may be on another shard.
    async fn admitted<T>(
        &mut self,
        found: Option<(T, Tenant)>,
        admitted: fn(T, UserId) -> CredentialOwner,
        suspended_owner: fn(T, UserId) -> CredentialOwner,
    ) -> Result<Option<CredentialOwner>, StoreError> {
        let Some((row, Tenant { parent, suspended, owner })) = found else { return Ok(None) };
        Ok(Some(match (suspended, parent) {
            (false, None) => admitted(row, owner),
            (false, Some(parent)) if self.organization_is_open(parent).await? => admitted(row, owner),
            (true, None) => suspended_owner(row, owner),
            (_, Some(_)) => CredentialOwner::Suspended,
        }))
    }

    /// The token, if neither it nor its secret is revoked or expired, and its creator is still owner or administrator
    /// of the organization or its parent; and whether the secret is its previous one.
    async fn access_token_active(
        &mut self,
        (organization, id): (OrganizationId, TokenId),
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<(AccessToken, Tenant, bool)>, StoreError> {
        let sql = format!(
            "SELECT {ACCESS_TOKEN}, tenant_parent_id, tenant_suspended_at, tenant_owner_id,
                created_by_user_id IS NULL OR EXISTS (SELECT 1 FROM team_members
                    WHERE team_members.organization_id = ?1 AND user_id = created_by_user_id
                      AND role IN ('owner', 'administrator')),
                secret_hash <> ?4
             FROM access_tokens CROSS JOIN {TENANT}
             WHERE access_tokens.organization_id = ?1 AND id = ?2 AND deleted_at IS NULL
               AND (expires_at IS NULL OR expires_at > ?3)
               AND (secret_hash = ?4 OR previous_secret_hash = ?4 AND previous_secret_expires_at > ?3)"
        );
        let columns = ACCESS_TOKEN.split(',').count();
        let found = self
            .first(&sql, &[organization.into(), id.into(), now.into(), Param::Bytes(&hash.0)], |row| {
                let token = (access_token(row)?, Tenant::read(row, columns)?);
                Ok((token, row.get::<bool>(columns + 3)?, row.get::<bool>(columns + 4)?))
            })
            .await?;
        let Some(((token, tenant), creator_manages, is_previous)) = found else { return Ok(None) };
        let is_active = creator_manages
            || match (tenant.parent, token.created_by) {
                (Some(parent), Some(creator)) => self.manages(parent, creator).await?,
                _ => false,
            };
        Ok(is_active.then_some((token, tenant, is_previous)))
    }

    /// Whether a user is owner or administrator of an organization.
    async fn manages(&mut self, organization: OrganizationId, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM team_members
             WHERE organization_id = ?1 AND user_id = ?2 AND role IN ('owner', 'administrator')";
        Ok(self.first(sql, &[organization.into(), user.into()], |row| row.get::<i64>(0)).await?.is_some())
    }

    async fn user_token_active(
        &mut self,
        id: UserTokenId,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<CredentialOwner>, StoreError> {
        let sql = format!(
            "SELECT {USER_TOKEN}, secret_hash <> ?3 FROM user_tokens
             WHERE id = ?1 AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
               AND (secret_hash = ?3 OR previous_secret_hash = ?3 AND previous_secret_expires_at > ?2)"
        );
        let is_previous = USER_TOKEN.split(',').count();
        let token = self
            .first(&sql, &[id.into(), now.into(), Param::Bytes(&hash.0)], |row| {
                Ok((user_token(row)?, row.get::<bool>(is_previous)?))
            })
            .await?;
        let Some((token, is_previous)) = token else { return Ok(None) };
        let until = token.previous_secret.filter(|_| is_previous).map(|previous| previous.expires_at);
        let roles = self.user_roles(token.user).await?;
        Ok(Some(CredentialOwner::User(token, roles).until(until)))
    }

    /// The role of a user in each organization that grants access.
    async fn user_roles(&mut self, user: UserId) -> Result<Vec<(OrganizationId, TeamRole)>, StoreError> {
        // These ids restrict the next query to the shards of the person's organizations.
        let mine = self.user_organizations(user).await?;
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Query::new(
            "SELECT m.organization_id, m.role, o.parent_id
             FROM team_members AS m CROSS JOIN organizations AS o WHERE o.id = m.organization_id AND ",
        );
        query.organizations("m.organization_id", &repeated(mine.iter().copied()));
        let user = query.param(user);
        query.push(&format!(
            " AND o.id {} AND m.user_id = {user} AND o.deleted_at IS NULL AND o.status <> 'blocked'
              AND o.suspended_at IS NULL ORDER BY m.organization_id",
            query.tenants
        ));
        let mut parts = self
            .all(&query.sql, &query.params, |row| {
                let part = (row.get(0)?, row.named(1, TeamRole::from_name)?);
                Ok((part, row.get::<Option<OrganizationId>>(2)?))
            })
            .await?;
        let open = self.organizations_open(&parts.iter().filter_map(|(_, parent)| *parent).collect()).await?;
        parts.retain(|(_, parent)| parent.is_none_or(|parent| open.contains(&parent)));
        Ok(parts.into_iter().map(|(part, _)| part).collect())
    }

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
                 secret_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
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

    /// Inserts a token of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_insert(&mut self, token: &UserToken, hash: &TokenHash) -> Result<(), StoreError> {
        let UserToken { id, user, created_at, scopes, expires_at, .. } = token;
        self.execute_unawaited(
            "INSERT INTO user_tokens (id, user_id, created_at, scopes, expires_at, secret_hash)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            &[
                (*id).into(),
                (*user).into(),
                (*created_at).into(),
                serde_json::to_string(scopes)?.into(),
                (*expires_at).into(),
                Param::Bytes(&hash.0),
            ],
        )
        .await?;
        self.credential_insert(hash, SecretKind::UserToken, None, id.uuid()).await
    }

    pub(super) async fn credential_insert(
        &mut self,
        hash: &TokenHash,
        kind: SecretKind,
        organization: Option<OrganizationId>,
        subject: uuid::Uuid,
    ) -> Result<(), StoreError> {
        self.execute_unawaited(
            "INSERT INTO credentials (secret_hash, kind, organization_id, subject_id) VALUES (?1, ?2, ?3, ?4)",
            &[Param::Bytes(&hash.0), kind.as_str().into(), organization.into(), subject.into()],
        )
        .await
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
            "UPDATE access_tokens SET deleted_at = ?3 WHERE organization_id = ?1 AND id = ?2",
            &[organization.into(), id.into(), now.into()],
        )
        .await?;
        self.row_counter_add(organization, Counter::AccessTokens, -1).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// The person's token of this id, locked until the transaction ends; nothing when it is revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token(&mut self, id: UserTokenId) -> Result<Option<UserToken>, StoreError> {
        let sql = format!(
            "SELECT {USER_TOKEN} FROM user_tokens WHERE id = ?1 AND deleted_at IS NULL{}",
            self.for_update()
        );
        self.first(&sql, &[id.into()], user_token).await
    }

    /// Some tokens of persons that are not revoked, by id, each with its person's address: those after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_tokens(
        &mut self,
        after: Option<UserTokenId>,
        limit: i64,
    ) -> Result<Vec<(UserToken, String)>, StoreError> {
        let columns = USER_TOKEN.split(',').count();
        let sql = format!(
            "SELECT {USER_TOKEN}, (SELECT email FROM users WHERE users.id = user_tokens.user_id)
             FROM user_tokens WHERE deleted_at IS NULL AND id > ?1 ORDER BY id LIMIT ?2"
        );
        let after = after.map_or(uuid::Uuid::nil(), UserTokenId::uuid);
        let read = |row: &Row<'_>| Ok((user_token(row)?, row.get(columns)?));
        self.all(&sql, &[after.into(), limit.into()], read).await
    }

    /// The tokens of a person that are not revoked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens_of_user(&mut self, user: UserId) -> Result<Vec<UserToken>, StoreError> {
        let sql = format!("SELECT {USER_TOKEN} FROM user_tokens WHERE user_id = ?1 AND deleted_at IS NULL");
        let mut tokens = self.all(&sql, &[user.into()], user_token).await?;
        tokens.sort_unstable_by_key(|token| token.id);
        Ok(tokens)
    }

    /// Revokes a token of a person. Its secret is refused from then on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_token_delete(&mut self, id: UserTokenId, now: Timestamp) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE user_tokens SET deleted_at = ?2 WHERE id = ?1",
            &[id.into(), now.into()],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }
}
