//! The console: sessions of persons, and attempts to sign in.
//!
//! A session is a row of `user_tokens` with `idle_s`, so that everything that ends a person's tokens ends it too.

use tenantry_core::Timestamp;
use tenantry_core::console::{Browser, ConsoleSession, Proof, SESSION_IDLE_S, SignIn};
use tenantry_core::ids::{OrganizationId, UserId, UserTokenId};
use tenantry_core::token::{Scopes, SecretKind, TokenHash};
use tenantry_core::values::EmailAddress;

use super::row_counters::Counter;
use super::token_secrets::hash;
use super::{Query, repeated};
use crate::row::Row;
use crate::value::Param;
use crate::{StoreError, Tx};

const SESSION: &str =
    "id, user_id, created_at, expires_at, last_used_at, browser, client_address, proof, proved_at";

fn session(row: &Row<'_>) -> Result<ConsoleSession, StoreError> {
    Ok(ConsoleSession {
        id: row.get(0)?,
        user: row.get(1)?,
        created_at: row.get(2)?,
        expires_at: row.get(3)?,
        last_used_at: row.get(4)?,
        browser: Browser {
            name: row.get::<Option<String>>(5)?.unwrap_or_default(),
            address: row.get(6)?,
            mark: None,
        },
        proof: row.named(7, Proof::from_name)?,
        proved_at: row.get(8)?,
    })
}

fn sign_in(row: &Row<'_>) -> Result<SignIn, StoreError> {
    Ok(SignIn {
        user: row.get(0)?,
        email_key: row.get(1)?,
        new_email: row.parse_optional(2, EmailAddress::parse)?,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        code_hash: hash(row.get(5)?)?,
        failed_tries: u32::try_from(row.get::<i64>(6)?).unwrap_or(u32::MAX),
    })
}

impl Tx<'_> {
    /// Inserts an attempt to sign in from the browser whose secret has this hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_insert(&mut self, browser: &TokenHash, new: &SignIn) -> Result<(), StoreError> {
        let SignIn { user, email_key, new_email, created_at, expires_at, code_hash, failed_tries } = new;
        self.execute_unawaited(
            "INSERT INTO sign_ins
                (secret_hash, user_id, email_key, new_email, created_at, expires_at, code_hash, failed_tries)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            &[
                Param::Bytes(&browser.0),
                (*user).into(),
                email_key.as_deref().into(),
                new_email.as_ref().map(EmailAddress::as_str).into(),
                (*created_at).into(),
                (*expires_at).into(),
                Param::Bytes(&code_hash.0),
                i64::from(*failed_tries).into(),
            ],
        )
        .await
    }

    /// The attempt to sign in from a browser, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_for_update(&mut self, browser: &TokenHash) -> Result<Option<SignIn>, StoreError> {
        let sql = format!(
            "SELECT user_id, email_key, new_email, created_at, expires_at, code_hash, failed_tries FROM sign_ins
             WHERE secret_hash = ?1{}",
            self.for_update()
        );
        self.first(&sql, &[Param::Bytes(&browser.0)], sign_in).await
    }

    /// Counts a wrong code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_count_failure(&mut self, browser: &TokenHash) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE sign_ins SET failed_tries = failed_tries + 1 WHERE secret_hash = ?1",
            &[Param::Bytes(&browser.0)],
        )
        .await
    }

    /// Deletes an attempt to sign in, so that its code does not work any more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sign_in_delete(&mut self, browser: &TokenHash) -> Result<(), StoreError> {
        self.execute_unawaited("DELETE FROM sign_ins WHERE secret_hash = ?1", &[Param::Bytes(&browser.0)])
            .await
    }

    /// Notes that a person has proved the address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_mark_verified(&mut self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE users SET email_verified_at = ?2 WHERE id = ?1 AND email_verified_at IS NULL",
            &[user.into(), now.into()],
        )
        .await
    }

    /// Whether a person has proved the address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_is_verified(&mut self, user: UserId) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM users WHERE id = ?1 AND email_verified_at IS NOT NULL";
        Ok(self.first(sql, &[user.into()], |row| row.get::<i64>(0)).await?.is_some())
    }

    /// The organizations that a person owns, deleted ones included until they are purged. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_owned_organizations(
        &mut self,
        user: UserId,
    ) -> Result<Vec<OrganizationId>, StoreError> {
        let mine = self.user_organizations(user).await?;
        if mine.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = Query::new("SELECT organization_id FROM team_members WHERE ");
        query.organizations("organization_id", &repeated(mine.iter().copied()));
        let user = query.param(user);
        query.push(&format!(" AND user_id = {user} AND role = 'owner'"));
        let mut owned: Vec<OrganizationId> = self.all(&query.sql, &query.params, |row| row.get(0)).await?;
        owned.sort_unstable();
        Ok(owned)
    }

    /// Inserts a session with its credential.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_session_insert(
        &mut self,
        new: &ConsoleSession,
        secret: &TokenHash,
    ) -> Result<(), StoreError> {
        let ConsoleSession { id, user, created_at, expires_at, browser, proof, proved_at, .. } = new;
        self.execute_unawaited(
            "INSERT INTO user_tokens
                (id, user_id, created_at, expires_at, scopes, secret_hash, idle_s, browser, client_address, proof,
                 proved_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            &[
                (*id).into(),
                (*user).into(),
                (*created_at).into(),
                (*expires_at).into(),
                serde_json::to_string(&Scopes::everything())?.into(),
                Param::Bytes(&secret.0),
                SESSION_IDLE_S.into(),
                browser.name.as_str().into(),
                browser.address.as_deref().into(),
                proof.as_str().into(),
                (*proved_at).into(),
            ],
        )
        .await?;
        self.credential_insert(secret, SecretKind::ConsoleSession, None, id.uuid()).await
    }

    /// The sessions of a person that have not ended at `now`, the newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_sessions(
        &mut self,
        user: UserId,
        now: Timestamp,
    ) -> Result<Vec<ConsoleSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} FROM user_tokens
             WHERE user_id = ?1 AND coalesce(idle_s, 0) > 0 AND coalesce(expires_at, 0) > ?2
               AND coalesce(last_used_at, created_at) + coalesce(idle_s, 0) * 1000000 > ?2"
        );
        let mut sessions = self.all(&sql, &[user.into(), now.into()], session).await?;
        sessions.sort_unstable_by_key(|session| std::cmp::Reverse(session.id));
        Ok(sessions)
    }

    /// Deletes a session of a person with its credential. Returns whether there was one. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_session_delete(
        &mut self,
        user: UserId,
        id: UserTokenId,
    ) -> Result<Option<ConsoleSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION}, secret_hash FROM user_tokens
             WHERE id = ?1 AND user_id = ?2 AND coalesce(idle_s, 0) > 0{}",
            self.for_update()
        );
        let found = self
            .first(&sql, &[id.into(), user.into()], |row| Ok((session(row)?, hash(row.get(9)?)?)))
            .await?;
        let Some((session, secret)) = found else { return Ok(None) };
        self.session_rows_delete(id, &secret).await?;
        Ok(Some(session))
    }

    /// A session of a person, locked until the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_session_for_update(
        &mut self,
        user: UserId,
        id: UserTokenId,
    ) -> Result<Option<ConsoleSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} FROM user_tokens
             WHERE id = ?1 AND coalesce(user_id, id) = ?2 AND coalesce(idle_s, 0) > 0{}",
            self.for_update()
        );
        self.first(&sql, &[id.into(), user.into()], session).await
    }

    /// Saves the latest proof of the person of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_session_update_proof(&mut self, changed: &ConsoleSession) -> Result<(), StoreError> {
        self.execute_unawaited(
            "UPDATE user_tokens SET proof = ?2, proved_at = ?3 WHERE id = ?1 AND coalesce(idle_s, 0) > 0",
            &[changed.id.into(), changed.proof.as_str().into(), changed.proved_at.into()],
        )
        .await?;
        self.mark_credentials_changed();
        Ok(())
    }

    async fn session_rows_delete(&mut self, id: UserTokenId, secret: &TokenHash) -> Result<(), StoreError> {
        let sql = "DELETE FROM credentials WHERE secret_hash = ?1";
        self.execute_unawaited(sql, &[Param::Bytes(&secret.0)]).await?;
        let sql = "DELETE FROM user_tokens WHERE id = ?1 AND coalesce(idle_s, 0) > 0";
        self.execute_unawaited(sql, &[id.into()]).await?;
        self.mark_credentials_changed();
        Ok(())
    }

    /// Deletes up to `limit` sessions, as many codes, and as many ceremonies of passkeys, that have expired at `now`.
    /// Returns how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_delete_expired(&mut self, now: Timestamp, limit: i64) -> Result<usize, StoreError> {
        let sql = "SELECT id, secret_hash FROM user_tokens WHERE idle_s IS NOT NULL AND expires_at <= ?1
             ORDER BY expires_at LIMIT ?2";
        let sessions = self
            .all(sql, &[now.into(), limit.into()], |row| Ok((row.get::<UserTokenId>(0)?, hash(row.get(1)?)?)))
            .await?;
        for (id, secret) in &sessions {
            self.session_rows_delete(*id, secret).await?;
        }
        let sql = "SELECT secret_hash FROM sign_ins WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
        let sign_ins = self.all(sql, &[now.into(), limit.into()], |row| hash(row.get(0)?)).await?;
        for browser in &sign_ins {
            self.sign_in_delete(browser).await?;
        }
        let ceremonies = self.passkey_ceremonies_delete_expired(now, limit).await?;
        Ok(sessions.len().saturating_add(sign_ins.len()).saturating_add(ceremonies))
    }

    /// The numbers of an organization's customers and access tokens. Two round trips.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn organization_numbers(
        &mut self,
        organization: OrganizationId,
    ) -> Result<(u64, u64), StoreError> {
        let customers = self.row_counter(&[organization], Counter::Customers).await?;
        Ok((customers, self.row_counter(&[organization], Counter::AccessTokens).await?))
    }
}
