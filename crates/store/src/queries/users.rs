//! People with an account.

use std::collections::{BTreeSet, HashSet};

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::user::{Language, NoticeTopic, User};
use tenantry_core::values::{EmailAddress, PersonName};
use uuid::Uuid;

use super::{Query, count, repeated};
use crate::error::unexpected;
use crate::row::Row;
use crate::{StoreError, Tx};

/// Organizations of one owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnedOrganizations {
    /// All of them.
    pub number: u64,
    /// Organizations that the operator suspended. A parent suspends its sub-accounts, which do not count.
    pub suspended: u64,
}

const COLUMNS: &str = "id, created_at, email, name, email_key, language, muted_notices";

/// The names of a column `muted_notices`. One of another release is none.
fn topics(names: Option<&str>) -> BTreeSet<NoticeTopic> {
    names.iter().flat_map(|names| names.split(' ')).filter_map(NoticeTopic::from_name).collect()
}

/// The column `muted_notices`: names with spaces between them, or null.
fn topic_names(topics: &BTreeSet<NoticeTopic>) -> Option<String> {
    let names: Vec<&str> = topics.iter().map(|topic| topic.as_str()).collect();
    (!names.is_empty()).then(|| names.join(" "))
}

fn user(row: &Row<'_>) -> Result<User, StoreError> {
    Ok(User {
        id: row.get(0)?,
        created_at: row.get(1)?,
        email: row.email(2, 4)?.ok_or_else(|| unexpected("a user without address"))?,
        name: row.parse_optional(3, PersonName::parse_stored)?.flatten(),
        // A tag of another release is none.
        language: row.get::<Option<String>>(5)?.and_then(|tag| Language::from_tag(&tag)),
        muted_notices: topics(row.get::<Option<String>>(6)?.as_deref()),
    })
}

impl Tx<'_> {
    /// As [`Tx::user_by_email`], and locks the row until the transaction ends, so that the person is neither deleted
    /// nor given another address meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_email_for_update(
        &mut self,
        email: &EmailAddress,
    ) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE email_key = ?1{}", self.for_update());
        self.first(&sql, &[email.key().into()], user).await
    }

    /// The person whose e-mail address has the same comparison key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_by_email(&mut self, email: &EmailAddress) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE email_key = ?1");
        self.first(&sql, &[email.key().into()], user).await
    }

    /// The person of this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
        self.first(&sql, &[id.into()], user).await
    }

    /// As [`Tx::user`], and locks the row until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_for_update(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1{}", self.for_update());
        self.first(&sql, &[id.into()], user).await
    }

    /// Some people ordered by the key of the address, those after `after`, each with the number of teams that the
    /// person is in, and whether the person has the rights of the operator.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users(
        &mut self,
        after: Option<&EmailAddress>,
        limit: i64,
    ) -> Result<Vec<(User, u64, bool)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, (SELECT count(*) FROM user_organizations WHERE user_id = users.id),
                operator_since IS NOT NULL
             FROM users WHERE email_key > ?1 ORDER BY email_key LIMIT ?2"
        );
        let after = after.map_or("", EmailAddress::key);
        self.all(&sql, &[after.into(), limit.into()], |row| Ok((user(row)?, count(row.get(7)?), row.get(8)?)))
            .await
    }

    /// Saves the address of a person, who has not proved it yet.
    ///
    /// # Errors
    /// [`StoreError::Violated`] `users_email` when another person has it.
    pub async fn user_update_email(&mut self, changed: &User) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE users SET email = ?2, email_key = ?3, email_verified_at = NULL WHERE id = ?1",
            &[changed.id.into(), changed.email.as_str().into(), changed.email.key().into()],
        )
        .await
    }

    /// Saves the name, the language and the muted notices of a person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_update_profile(&mut self, changed: &User) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE users SET name = ?2, language = ?3, muted_notices = ?4 WHERE id = ?1",
            &[
                changed.id.into(),
                changed.name.as_ref().map(PersonName::as_str).into(),
                changed.language.map(Language::as_str).into(),
                topic_names(&changed.muted_notices).into(),
            ],
        )
        .await
    }

    /// Inserts a person; returns the person that has the e-mail address then. When another transaction
    /// has inserted one with this address, that is the other person.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_insert(&mut self, new: &User) -> Result<User, StoreError> {
        let User { id, created_at, email, name, language, muted_notices } = new;
        self.execute_unawaited(
            "INSERT INTO users (id, created_at, email, email_key, name, language, muted_notices)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (email_key) DO NOTHING",
            &[
                (*id).into(),
                (*created_at).into(),
                email.as_str().into(),
                email.key().into(),
                name.as_ref().map(PersonName::as_str).into(),
                language.map(Language::as_str).into(),
                topic_names(muted_notices).into(),
            ],
        )
        .await?;
        self.user_by_email_for_update(email).await?.ok_or_else(|| unexpected("a user vanished"))
    }

    /// The people among these who have switched notices of a topic off.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn users_who_mute(
        &mut self,
        ids: &[UserId],
        topic: NoticeTopic,
    ) -> Result<HashSet<UserId>, StoreError> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut query = Query::new("SELECT id, muted_notices FROM users WHERE id IN (");
        let names: Vec<String> =
            repeated(ids.iter().copied()).into_iter().map(|id| query.param(id)).collect();
        query.push(&format!("{})", names.join(", ")));
        let found = self.all(&query.sql, &query.params, |row| {
            let muted = topics(row.get::<Option<String>>(1)?.as_deref());
            Ok(muted.contains(&topic).then_some(row.get::<UserId>(0)?))
        });
        Ok(found.await?.into_iter().flatten().collect())
    }

    /// The number of organizations whose team a person is in. A caller that adds one has locked the person's row, so
    /// that another transaction that counts waits for this one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_organization_count(&mut self, user: UserId) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM user_organizations WHERE user_id = ?1";
        Ok(count(self.first(sql, &[user.into()], |row| row.get(0)).await?.unwrap_or(0)))
    }

    /// The organizations of one owner whose team a person is in, deleted ones included until they are purged. Two round
    /// trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_organizations_of_owner(
        &mut self,
        user: UserId,
        owner: UserId,
    ) -> Result<OwnedOrganizations, StoreError> {
        let mine = self.user_organizations(user).await?;
        let mut query = Query::new(
            "SELECT count(*), count(CASE WHEN parent_id IS NULL THEN suspended_at END) FROM organizations WHERE ",
        );
        query.organizations("id", &mine);
        let owner = query.param(owner);
        query.push(&format!(" AND owner_user_id = {owner}"));
        let found = self.first(&query.sql, &query.params, |row| {
            Ok(OwnedOrganizations { number: count(row.get(0)?), suspended: count(row.get(1)?) })
        });
        Ok(found.await?.unwrap_or_default())
    }

    /// The organizations whose team a person is in.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_organizations(&mut self, user: UserId) -> Result<Vec<OrganizationId>, StoreError> {
        self.all(
            "SELECT organization_id FROM user_organizations WHERE user_id = ?1 ORDER BY organization_id",
            &[user.into()],
            |row| row.get(0),
        )
        .await
    }

    /// Up to `limit` organizations whose team a person is in, by id: those after `after`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_organizations_after(
        &mut self,
        user: UserId,
        after: Option<OrganizationId>,
        limit: i64,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        let after = after.map_or(Uuid::nil(), OrganizationId::uuid);
        self.all(
            "SELECT organization_id FROM user_organizations WHERE user_id = ?1 AND organization_id > ?2
             ORDER BY organization_id LIMIT ?3",
            &[user.into(), after.into(), limit.into()],
            |row| row.get(0),
        )
        .await
    }
}
