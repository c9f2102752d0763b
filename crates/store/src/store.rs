//! The database behind one interface for both engines.

use std::path::Path;
use std::sync::Arc;

use tenantry_core::Timestamp;

use crate::admin::snapshot::{self, Snapshot};
use crate::peers::PeerChannel;
use crate::postgres::{Migrate, Postgres, Target};
use crate::reader::{self, Reader};
use crate::readings::StoreReading;
use crate::signals::{Generation, Signals, WorkSignal};
use crate::sqlite::Sqlite;
use crate::{ListQuery, Moments, StoreError, UseCase, Vault};

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

/// An open database. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
}

impl Store {
    /// Opens the SQLite database at `path`, creating and migrating it as needed.
    ///
    /// # Errors
    /// When the file cannot be opened, or its schema is newer than this program.
    pub fn open_sqlite(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        Ok(Self { engine: Engine::Sqlite(Arc::new(Sqlite::open(path, moments)?)) })
    }

    /// Opens the SQLite database at `path` without creating or migrating it, so that a server of another version
    /// can keep using it.
    ///
    /// # Errors
    /// When there is no file, or its schema is not the one of this program.
    pub fn open_existing_sqlite(path: &Path, moments: Moments) -> Result<Self, StoreError> {
        Ok(Self { engine: Engine::Sqlite(Arc::new(Sqlite::open_existing(path, moments)?)) })
    }

    /// Opens a PostgreSQL database, and migrates it where `migrate` allows it.
    ///
    /// # Errors
    /// When the database cannot be reached, its schema is newer than this program, or it is older and
    /// `migrate` does not allow a migration.
    pub async fn open_postgres(
        target: Target,
        migrate: Migrate,
        moments: Moments,
    ) -> Result<Self, StoreError> {
        Ok(Self { engine: Engine::Postgres(Arc::new(Postgres::open(target, migrate, moments).await?)) })
    }

    /// Runs a use case in a transaction. `Ok` means that the change is on disk.
    ///
    /// # Errors
    /// The use case's own, [`StoreError::Unavailable`] when the database cannot take the change now, or
    /// [`StoreError::InDoubt`] when the connection broke during the commit.
    pub async fn write<U: UseCase>(&self, use_case: U) -> Result<U::Output, U::Error> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(use_case).await,
            Engine::Postgres(postgres) => Box::pin(postgres.write(use_case)).await,
        }
    }

    /// A connection for reading what is committed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub fn reader(&self) -> Result<Reader<'_>, StoreError> {
        Ok(Reader(match &self.engine {
            Engine::Sqlite(sqlite) => reader::Engine::Sqlite(sqlite.reader()?),
            Engine::Postgres(postgres) => reader::Engine::Postgres(postgres.readers()),
        }))
    }

    /// Runs a list query. The number that run at a time and their duration are limited.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the query takes too long, or too many queries are running or waiting.
    pub async fn run_list_query<Q: ListQuery>(&self, query: Q) -> Result<Q::Output, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Arc::clone(sqlite).run_list_query(query).await,
            Engine::Postgres(postgres) => Box::pin(postgres.run_list_query(query)).await,
        }
    }

    /// Runs a read of one person or one organization that may take some milliseconds. On SQLite it runs on a thread of
    /// its own, so that it does not delay the requests that share the threads of the runtime.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run_large_read<Q: ListQuery>(&self, query: Q) -> Result<Q::Output, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Arc::clone(sqlite).run_large_read(query).await,
            Engine::Postgres(_) => query.run(&mut self.reader()?.tx()?).await,
        }
    }

    /// A snapshot of the database. The database keeps old versions of changed rows while the snapshot is
    /// open, so it should be short.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection can be opened.
    pub async fn snapshot(&self) -> Result<Snapshot<'_>, StoreError> {
        Ok(Snapshot(match &self.engine {
            Engine::Sqlite(sqlite) => snapshot::Engine::Sqlite(sqlite.snapshot()?),
            Engine::Postgres(postgres) => snapshot::Engine::Postgres(postgres.snapshot().await?),
        }))
    }

    /// The time of the database server's clock; nothing for SQLite, which has none of its own.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(None),
            Engine::Postgres(postgres) => postgres.time().await.map(Some),
        }
    }

    /// Whether the database answers and appears to accept writes. This check writes nothing.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_writable(&self) -> Result<bool, StoreError> {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.reader().map(|_| true),
            Engine::Postgres(postgres) => postgres.is_writable().await,
        }
    }

    /// The number of servers behind the database that do not answer: workers of Citus. Always 0 without Citus.
    ///
    /// # Errors
    /// When the database does not answer, or a worker neither answers nor refuses.
    pub async fn lost_servers(&self) -> Result<usize, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Ok(0),
            Engine::Postgres(postgres) => postgres.lost_servers().await,
        }
    }

    /// The count of credential changes that this process made, or that another node reported.
    #[must_use]
    pub fn generation(&self) -> &Arc<Generation> {
        &self.signals().generation
    }

    /// The channel to the other nodes on this database. Nothing for SQLite, or behind a pooler.
    #[must_use]
    pub fn peers(&self) -> Option<PeerChannel> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(postgres) => postgres.peers(),
        }
    }

    /// Wakes after each commit of this process that left a webhook to deliver.
    #[must_use]
    pub fn webhook_signal(&self) -> &WorkSignal {
        &self.signals().webhooks
    }

    /// Wakes after each commit of this process that queued a mail.
    #[must_use]
    pub fn mail_signal(&self) -> &WorkSignal {
        &self.signals().mail
    }

    /// Wakes after each commit of this process that left work on an import of customers.
    #[must_use]
    pub fn import_signal(&self) -> &WorkSignal {
        &self.signals().imports
    }

    /// The work of this process on the database so far, and its queues at this moment. Waits for no query and no write.
    #[must_use]
    pub fn reading(&self) -> StoreReading {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.reading(),
            Engine::Postgres(postgres) => postgres.reading(),
        }
    }

    fn signals(&self) -> &Signals {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.signals(),
            Engine::Postgres(postgres) => postgres.signals(),
        }
    }

    /// Gives the store its vault, once. Without one it can neither read nor write sealed values.
    pub fn set_vault(&self, vault: Arc<dyn Vault>) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.set_vault(vault),
            Engine::Postgres(postgres) => postgres.set_vault(vault),
        }
    }

    /// Distributes the tables over the shards of a Citus cluster, where they are not yet; returns the tables
    /// that it distributed.
    ///
    /// # Errors
    /// When the database is not PostgreSQL, or does not have the extension Citus.
    pub async fn distribute_tables(&self) -> Result<Vec<String>, StoreError> {
        match &self.engine {
            Engine::Sqlite(_) => Err(StoreError::Unavailable(
                "SQLite has no shards: distributed tables need PostgreSQL with the extension Citus".into(),
            )),
            Engine::Postgres(postgres) => postgres.distribute_tables().await,
        }
    }

    /// Runs the queued use cases and closes the database.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.close().await,
            Engine::Postgres(postgres) => postgres.close().await,
        }
    }
}
