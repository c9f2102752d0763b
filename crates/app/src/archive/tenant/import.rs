//! Imports the file of an organization.

use std::collections::BTreeMap;
use std::io::BufRead;

use tenantry_core::ids::OrganizationId;
use tenantry_store::{Store, StoreError};
use uuid::Uuid;

use super::discard::{discard, discard_abandoned};
use super::export::{check_of, new_id};
use super::file::{Header, Reader};
use super::load::Load;
use super::people::Person;
use super::run::{Renew, Run};
use super::stage::{Begin, Begun, Finish, ForgetPeople, ImportRecord, SettlePeople};
use super::transform::{Seals, Transform};
use crate::archive::{ArchiveError, ReportProgress};
use crate::{App, HashKey, limits};

/// The options of an import.
#[derive(Clone, Default)]
pub struct OrganizationImportOptions {
    /// The key that seals secrets in the file.
    pub transfer_key: Option<HashKey>,
    /// Whether webhook endpoints get new secrets where those of the file cannot be read.
    pub new_webhook_secrets: bool,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrganizationImportSummary {
    /// The organization of the file.
    pub organization: OrganizationId,
    /// The organizations and their slugs.
    pub organizations: BTreeMap<OrganizationId, String>,
    /// Rows that were read.
    pub rows: u64,
    /// People who were created.
    pub people_created: usize,
    /// Pending webhook events that were marked as failed.
    pub webhook_events_ended: u64,
    /// The tokens whose secret does not work here.
    pub lost_tokens: Vec<Uuid>,
    /// The webhook endpoints that got a new secret.
    pub new_webhook_secrets: Vec<Uuid>,
}

/// The lease of an import. It ends unless it is renewed.
#[derive(Clone)]
pub struct OrganizationImportLease {
    store: Store,
    run: Run,
}

impl OrganizationImportLease {
    /// Renews the lease, before every [`limits::MOVE_LEASE_S`].
    ///
    /// # Errors
    /// When the lease was lost, or the database fails.
    pub async fn renew(&self) -> Result<(), ArchiveError> {
        self.store.write(self.run.step(Renew)).await
    }
}

/// An import in progress.
pub struct OrganizationImport<'a, R> {
    app: &'a App,
    reader: Reader<R>,
    run: Run,
    seals: Seals,
    has_key: bool,
    /// The people whom the import has created, or tried to.
    people: Vec<Person>,
}

impl<'a, R: BufRead> OrganizationImport<'a, R> {
    /// Reads the head of the file and takes its organization. Removes the rows of an earlier import that ended early.
    /// Returns nothing if the organization was imported from the same export already.
    ///
    /// # Errors
    /// When the organization exists or is being imported, or the file or its keys do not fit.
    pub async fn begin(
        app: &'a App,
        input: R,
        options: OrganizationImportOptions,
    ) -> Result<Option<Self>, ArchiveError> {
        let reader = Reader::new(input)?;
        let header = reader.header();
        let (has_key, seals) = (header.key == check_of(app.hash_key()), seals(app, header, options)?);
        let (root, export) = (OrganizationId::new(header.organization_id), header.export_id);
        let run = Run { root, id: new_id() };
        loop {
            match app.store().write(Begin { run, export }).await? {
                Begun::Now => {
                    return Ok(Some(Self { app, reader, run, seals, has_key, people: Vec::new() }));
                }
                Begun::Already => return Ok(None),
                Begun::Abandoned => discard_abandoned(app.store(), root).await?,
            }
        }
    }

    /// The lease, which must be renewed during [`Self::load`].
    #[must_use]
    pub fn lease(&self) -> OrganizationImportLease {
        OrganizationImportLease { store: self.app.store().clone(), run: self.run }
    }

    /// Loads the file and shows the organization. After an error or a cancellation the caller calls [`Self::discard`].
    ///
    /// # Errors
    /// When the file is damaged, a row exists already, or the database fails.
    pub async fn load(
        &mut self,
        report: ReportProgress<'_>,
    ) -> Result<OrganizationImportSummary, ArchiveError> {
        let transform = Transform {
            hash_key: self.app.hash_key().clone(),
            has_key: self.has_key,
            seals: std::mem::replace(&mut self.seals, Seals::Refuse),
            new_secrets: Vec::new(),
            lost_tokens: Vec::new(),
        };
        let (store, run) = (self.app.store(), self.run);
        let mut load = Load::new(store, run, transform);
        load.load(&mut self.reader, report).await?;
        let webhook_events_ended = load.complete().await?;
        let Load { transform, people, organizations, pass, rows, .. } = load;
        self.people = people.all();
        for part in self.people.chunks(limits::PEOPLE_PER_TRANSACTION) {
            store.write(run.step(SettlePeople(part.to_vec()))).await?;
        }
        let finish = || Finish {
            run,
            organizations: organizations.keys().copied().collect(),
            record: ImportRecord { id: run.root, export_id: self.reader.header().export_id, rows },
            ends_suspension: pass.is_suspended_by_export,
        };
        match store.write(finish()).await {
            // The first commit may have happened or still happen. The second attempt sees which.
            Err(ArchiveError::Store(StoreError::InDoubt(_))) => store.write(finish()).await,
            done => done,
        }
        .map_err(|error| match error {
            ArchiveError::Store(unknown @ StoreError::InDoubt(_)) => ArchiveError::InDoubt(unknown),
            other => other,
        })?;
        Ok(OrganizationImportSummary {
            organization: run.root,
            organizations,
            rows,
            people_created: people.created(),
            webhook_events_ended,
            lost_tokens: transform.lost_tokens,
            new_webhook_secrets: transform.new_secrets,
        })
    }

    /// Removes the rows after an import that failed with `cause`. Returns the error to report.
    pub async fn discard(self, cause: ArchiveError) -> ArchiveError {
        if matches!(cause, ArchiveError::InDoubt(_) | ArchiveError::LeaseLost) {
            return cause;
        }
        match self.remove().await {
            Ok(()) => cause,
            // The lease ends, and the sweep or a repeated import removes the rows.
            Err(cleanup) => {
                tracing::warn!(error = %cleanup, organization_id = %self.run.root,
                    "rows of an import that ended early were not removed");
                cause
            }
        }
    }
}

impl<R> OrganizationImport<'_, R> {
    /// Removes the rows, and then the people who were created and have nothing else here.
    async fn remove(&self) -> Result<(), ArchiveError> {
        let (store, run) = (self.app.store(), self.run);
        discard(store, run).await?;
        for part in self.people.chunks(limits::PEOPLE_PER_TRANSACTION) {
            store.write(ForgetPeople { run, people: part.to_vec() }).await?;
        }
        Ok(())
    }
}

/// The treatment of secrets, by the keys of the file and of the options.
fn seals(app: &App, header: &Header, options: OrganizationImportOptions) -> Result<Seals, ArchiveError> {
    let OrganizationImportOptions { transfer_key, new_webhook_secrets } = options;
    let Some(sealed_by) = &header.transfer_key else {
        let is_same = header.key == check_of(app.hash_key());
        return Ok(match (is_same, new_webhook_secrets) {
            (true, _) => Seals::Same,
            (false, true) => Seals::New,
            (false, false) => Seals::Refuse,
        });
    };
    match transfer_key {
        Some(key) if check_of(&key) == *sealed_by => Ok(Seals::Transfer(key)),
        Some(_) => Err(ArchiveError::Conflict("the file was exported with another transfer key".to_owned())),
        None if new_webhook_secrets => Ok(Seals::New),
        None => Err(ArchiveError::Conflict(
            "the file was exported with a transfer key: name it by --transfer-key-file, or import with \
             --new-webhook-secrets"
                .to_owned(),
        )),
    }
}
