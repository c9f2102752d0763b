//! Credentials: tokens and sessions, looked up by the keyed hash of their secret. The modules `access_tokens` and
//! `user_tokens` have the rows of tokens.

use tenantry_core::Timestamp;
use tenantry_core::console::{Proof, SessionProof};
use tenantry_core::ids::{OrganizationId, SessionId, TokenId, UserId, UserTokenId};
use tenantry_core::portal::CustomerSession;
use tenantry_core::team::TeamRole;
use tenantry_core::token::{AccessToken, SecretKind, TokenHash, UserToken};

use super::access_tokens::{ACCESS_TOKEN, access_token};
use super::user_tokens::{ITS_USER_EXISTS, USER_TOKEN, user_token};
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
    /// A person in a session of the console, with the role in each organization that grants access to such a session.
    Session(UserToken, SessionFacts, Vec<(OrganizationId, TeamRole)>),
    /// The principal of a token's previous secret, which ends at this time.
    Previous(Box<CredentialOwner>, Timestamp),
    /// A customer in the portal, or a member of a customer, and the id of the organization's owner.
    CustomerSession(CustomerSession, UserId),
    /// Any other principal of a suspended organization, or of one whose parent denies access.
    Suspended,
}

/// The state of a session of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    /// The latest proof of the person.
    pub proof: SessionProof,
    /// Organizations that require a passkey, and so grant no access to the session.
    pub hidden: usize,
    /// Whether the person has the rights of the operator.
    pub is_operator: bool,
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

/// The proof of a session; none for a token. Its first column has the number `index`.
fn session_proof(row: &Row<'_>, index: usize) -> Result<Option<SessionProof>, StoreError> {
    let Some(at) = row.get(index + 1)? else { return Ok(None) };
    let proof = row.named(index, Proof::from_name)?;
    Ok(Some(SessionProof { proof, at, has_passkey: row.get(index + 2)? }))
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
            Some((SecretKind::UserToken | SecretKind::ConsoleSession, _, id)) => {
                self.user_token_active(UserTokenId::new(id), hash, now).await
            }
            Some((SecretKind::CustomerSession | SecretKind::MemberSession, Some(organization), id)) => {
                let found = self.customer_session_active(organization, SessionId::new(id), now).await?;
                self.admitted(found, CredentialOwner::CustomerSession, |_, _| CredentialOwner::Suspended)
                    .await
            }
            Some((
                SecretKind::EmailChange
                | SecretKind::SignIn
                | SecretKind::FirstEntry
                | SecretKind::Invitation
                | SecretKind::PasskeyCeremony,
                _,
                _,
            )) => Ok(None),
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
        let Some(parent) = parent else {
            return Ok(Some(if suspended { suspended_owner(row, owner) } else { admitted(row, owner) }));
        };
        // A sub-account is deleted with its parent.
        let Some(parent_is_open) = self.organization_openness(parent).await? else { return Ok(None) };
        Ok(Some(match parent_is_open && !suspended {
            true => admitted(row, owner),
            false => CredentialOwner::Suspended,
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
            "SELECT {USER_TOKEN}, secret_hash <> ?3, proof, proved_at,
                EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = user_tokens.user_id),
                (SELECT operator_since FROM users WHERE users.id = user_tokens.user_id) IS NOT NULL
             FROM user_tokens WHERE id = ?1 AND deleted_at IS NULL AND (expires_at IS NULL OR expires_at > ?2)
               AND {ITS_USER_EXISTS}
               AND (idle_s IS NULL OR coalesce(last_used_at, created_at) + idle_s * 1000000 > ?2)
               AND (secret_hash = ?3 OR previous_secret_hash = ?3 AND previous_secret_expires_at > ?2)"
        );
        let columns = USER_TOKEN.split(',').count();
        let token = self
            .first(&sql, &[id.into(), now.into(), Param::Bytes(&hash.0)], |row| {
                let proof = session_proof(row, columns + 1)?;
                Ok((user_token(row)?, row.get::<bool>(columns)?, proof, row.get::<bool>(columns + 4)?))
            })
            .await?;
        let Some((token, is_previous, proof, is_operator)) = token else { return Ok(None) };
        let until = token.previous_secret.filter(|_| is_previous).map(|previous| previous.expires_at);
        let is_strong = proof.is_none_or(|proof| proof.proof.is_strong());
        let (roles, hidden) = self.user_roles(token.user, is_strong).await?;
        let owner = match proof {
            Some(proof) => {
                CredentialOwner::Session(token, SessionFacts { proof, hidden, is_operator }, roles)
            }
            None => CredentialOwner::User(token, roles),
        };
        Ok(Some(owner.until(until)))
    }

    /// The role of a user in each organization that grants access, and the number of those that do not because they
    /// require a passkey, unless `is_strong`.
    async fn user_roles(
        &mut self,
        user: UserId,
        is_strong: bool,
    ) -> Result<(Vec<(OrganizationId, TeamRole)>, usize), StoreError> {
        // These ids restrict the next query to the shards of the person's organizations.
        let mine = self.user_organizations(user).await?;
        if mine.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let mut query = Query::new(
            "SELECT m.organization_id, m.role, o.parent_id, o.passkey_required_at
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
                let requires_passkey = row.get::<Option<Timestamp>>(3)?.is_some();
                Ok((part, row.get::<Option<OrganizationId>>(2)?, requires_passkey))
            })
            .await?;
        let open =
            self.organizations_open(&parts.iter().filter_map(|(_, parent, _)| *parent).collect()).await?;
        parts.retain(|(_, parent, _)| parent.is_none_or(|parent| open.contains(&parent)));
        let all = parts.len();
        parts.retain(|(_, _, requires_passkey)| is_strong || !requires_passkey);
        let hidden = all.saturating_sub(parts.len());
        Ok((parts.into_iter().map(|(part, _, _)| part).collect(), hidden))
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
}
