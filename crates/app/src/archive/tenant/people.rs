//! The people that imported rows name. A person is the user of this installation with the same address. If there is
//! none, the import creates one once all memberships are stored, with the id of the file unless another user has it.

use std::collections::{BTreeMap, BTreeSet};

use tenantry_core::ids::{OrganizationId, UserId};
use tenantry_core::user::User;
use tenantry_core::values::EmailAddress;
use tenantry_core::{ExecutionContext, Timestamp};
use tenantry_store::{ColumnValue, Store, Tx};
use uuid::Uuid;

use crate::archive::ArchiveError;
use crate::changes::AddedUser;
use crate::{LimitReached, Requester, changes, limits, secrets};

/// A person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    /// The id in this installation.
    id: UserId,
    email: EmailAddress,
    is_new: bool,
}

/// The people by their ids in the file.
#[derive(Default)]
pub(super) struct People {
    known: BTreeMap<Uuid, Person>,
    /// The ids that rows name and the file does not declare, of people who were deleted. One that a person of this
    /// installation has is replaced, so that a file never names a person here by an id.
    undeclared: BTreeMap<Uuid, Uuid>,
    /// Whether a person has another id here.
    differ: bool,
}

impl People {
    /// Adds a person of the file. A person that the first pass has named stays the same.
    pub(super) async fn add(
        &mut self,
        store: &Store,
        id: Uuid,
        email: EmailAddress,
    ) -> Result<(), ArchiveError> {
        if let Some(person) = self.known.get_mut(&id) {
            if person.is_new {
                person.email = email;
            } else if person.email.key() != email.key() {
                let what = format!("the person {id} changed the address during the export: export again");
                return Err(ArchiveError::Conflict(what));
            }
            return Ok(());
        }
        let mut reader = store.reader()?;
        let found = reader.tx()?.user_by_email(&email).await?;
        let person = match found {
            Some(user) => Person { id: user.id, email, is_new: false },
            None => {
                let wanted = UserId::new(id);
                // It would delete the memberships that the import stores.
                if reader.tx()?.user_is_in_deletion(wanted).await? {
                    let what =
                        format!("the deletion of the person {id} is not finished: import again in a minute");
                    return Err(ArchiveError::Conflict(what));
                }
                let is_free = reader.tx()?.user(wanted).await?.is_none();
                let id = if is_free { wanted } else { UserId::new(secrets::random_uuid()) };
                Person { id, email, is_new: true }
            }
        };
        self.differ |= person.id.uuid() != id;
        self.known.insert(id, person);
        Ok(())
    }

    /// Whether the file declares the person.
    pub(super) fn are_declared(&self, id: Uuid) -> bool {
        self.known.contains_key(&id)
    }

    /// The key of the address that the file declares for a person.
    pub(super) fn email_key(&self, id: Uuid) -> Option<&str> {
        self.known.get(&id).map(|person| person.email.key())
    }

    /// Takes an id that a row names. It stays if the file does not declare it and nobody here has it.
    pub(super) async fn meet(&mut self, store: &Store, id: Uuid) -> Result<(), ArchiveError> {
        if self.known.contains_key(&id) || self.undeclared.contains_key(&id) {
            return Ok(());
        }
        let is_taken = store.reader()?.tx()?.user(UserId::new(id)).await?.is_some();
        self.differ |= is_taken;
        self.undeclared.insert(id, if is_taken { secrets::random_uuid() } else { id });
        Ok(())
    }

    /// The id in this installation of a person whom a row names.
    pub(super) fn id(&self, id: Uuid) -> Uuid {
        self.here(id).unwrap_or(id)
    }

    fn here(&self, id: Uuid) -> Option<Uuid> {
        let declared = self.known.get(&id).map(|person| person.id.uuid());
        declared.or_else(|| self.undeclared.get(&id).copied())
    }

    /// The text with each id of a person, as a whole JSON string, replaced by that in this installation.
    pub(super) fn replace_ids(&self, text: &mut String) {
        const LENGTH: usize = uuid::fmt::Hyphenated::LENGTH;
        if !self.differ {
            return;
        }
        let mut changes = Vec::new();
        for (at, _) in text.match_indices('"') {
            let place = at + 1..at + 1 + LENGTH;
            let id = text
                .get(place.clone())
                .filter(|_| text.get(place.end..).is_some_and(|rest| rest.starts_with('"')));
            if let Some(here) = id.and_then(|id| Uuid::try_parse(id).ok()).and_then(|id| self.here(id)) {
                changes.push((place, here.to_string()));
            }
        }
        for (place, id) in changes {
            text.replace_range(place, &id);
        }
    }

    /// The people, and how many of them are new.
    pub(super) fn all(&self) -> Vec<Person> {
        self.known.values().cloned().collect()
    }

    pub(super) fn created(&self) -> usize {
        self.known.values().filter(|person| person.is_new).count()
    }
}

/// The address in a row of a person.
pub(super) fn email_of(value: Option<&ColumnValue>) -> Option<EmailAddress> {
    match value {
        Some(ColumnValue::Text(text)) => EmailAddress::parse(text).ok(),
        _ => None,
    }
}

impl Person {
    /// Creates the person, or checks that nothing has changed since the import began.
    pub(super) async fn settle(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        root: OrganizationId,
    ) -> Result<(), ArchiveError> {
        let found = tx.user_by_email_for_update(&self.email).await?;
        match found {
            Some(user) if user.id == self.id => {}
            None if self.is_new => self.create(tx, context, root).await?,
            _ => {
                let what = format!("the person {} was changed during the import: repeat it", self.email);
                return Err(ArchiveError::Conflict(what));
            }
        }
        if tx.user_organization_count(self.id).await? > limits::ORGANIZATIONS_PER_PERSON {
            return Err(ArchiveError::UseCase(Box::new(LimitReached::Organizations.into())));
        }
        Ok(())
    }

    /// Deletes the person, if the import created it and nothing else here has it.
    pub(super) async fn forget(&self, tx: &mut Tx<'_>) -> Result<(), ArchiveError> {
        if !self.is_new {
            return Ok(());
        }
        // Locked by everybody who adds a membership or token.
        let found = tx.user_for_update(self.id).await?;
        let Some(user) = found.filter(|user| user.email.key() == self.email.key()) else { return Ok(()) };
        let is_used = tx.user_organization_count(user.id).await? > 0
            || tx.user_is_verified(user.id).await?
            || tx.user_has_token(user.id).await?;
        if !is_used {
            tx.user_delete(user.id).await?;
        }
        Ok(())
    }

    async fn create(
        &self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        root: OrganizationId,
    ) -> Result<(), ArchiveError> {
        let created_at: Timestamp = context.now();
        let user = User {
            id: self.id,
            created_at,
            email: self.email.normalized(),
            name: None,
            language: None,
            muted_notices: BTreeSet::new(),
        };
        let stored = tx.user_insert(&user).await?;
        if stored.id != self.id {
            let what = format!("the person {} was created during the import: repeat it", self.email);
            return Err(ArchiveError::Conflict(what));
        }
        let added = AddedUser { user: &user, organization: Some(root) };
        Ok(changes::created(tx, context, &Requester::operator(), "user.created", &added).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_people_are_replaced_where_they_are_whole_strings() {
        let [one, other, here] = [1, 2, 3].map(Uuid::from_u128);
        let person = Person { id: UserId::new(here), email: "a@b.example".parse().unwrap(), is_new: true };
        let people = People { known: BTreeMap::from([(one, person)]), differ: true, ..People::default() };
        let mut text = format!(r#"{{"user":"{one}","other":"{other}","note":"see {one}","é":["{one}"]}}"#);
        people.replace_ids(&mut text);
        let expected = format!(r#"{{"user":"{here}","other":"{other}","note":"see {one}","é":["{here}"]}}"#);
        assert_eq!(text, expected);
    }
}
