//! Opens the database and the key of an installation, before a command uses them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tenantry_app::archive::UNFINISHED_LOAD;
use tenantry_app::{App, Clock, HashKey, KeyCheck, moments};
use tenantry_core::Timestamp;
use tenantry_store::postgres::{Migrate, Target};
use tenantry_store::{Store, read_limited};

use crate::cli::DatabaseOptions;
use crate::error::CommandError;
use crate::key;

/// Whether a missing SQLite file and a missing key are created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// They are created.
    Create,
    /// They are an error: the command changes what is there, and was started in a wrong directory.
    Refuse,
}

/// Opens the database and its key. An SQLite file is always migrated, because no other program runs on it.
pub(crate) async fn open(
    options: &DatabaseOptions,
    migrate: Migrate,
    missing: Missing,
) -> Result<App, CommandError> {
    let database = Database::from_options(options)?;
    let key_path = key_path(options, &database)?;
    if missing == Missing::Refuse {
        database.check_exists("--database")?;
    }
    let store = database.open(migrate).await?;
    let opened = match refuse_unfinished(&database, &store).await {
        Ok(()) => with_key(&store, &key_path, missing).await,
        Err(error) => Err(error),
    };
    if opened.is_err() {
        store.close().await;
    }
    opened
}

async fn with_key(store: &Store, path: &Path, missing: Missing) -> Result<App, CommandError> {
    let hash_key = match known_key(store, path).await? {
        Some(key) => key,
        None if missing == Missing::Refuse => {
            let why = "does not exist, and the database was used with no key yet: `tenantry organization create` \
                makes both";
            return Err(CommandError::Message(format!("{} {why}", absolute(path).display())));
        }
        None => key::read_or_generate(path).map_err(|error| CommandError::file(path, &error))?,
    };
    let app = App::new(store.clone(), clock(), hash_key.clone());
    // Another node may have recorded another key meanwhile.
    if app.write(KeyCheck { hash_key }).await? { Ok(app) } else { Err(wrong_key(path)) }
}

/// Opens the database and its key without creating or changing either.
pub(crate) async fn open_to_read(options: &DatabaseOptions) -> Result<App, CommandError> {
    let database = Database::from_options(options)?;
    let key_path = key_path(options, &database)?;
    let store = database.open_existing("--database").await?;
    let key = match refuse_unfinished(&database, &store).await {
        Ok(()) => known_key(&store, &key_path).await,
        Err(error) => Err(error),
    };
    match key {
        Ok(key) => Ok(App::new(store, clock(), key.unwrap_or_else(HashKey::generate))),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

/// The key in the file, if the database was used with it. Returns `None` if there is no file and the database
/// was used with no key yet.
async fn known_key(store: &Store, path: &Path) -> Result<Option<HashKey>, CommandError> {
    let recorded = store.reader()?.tx()?.installation_value(KeyCheck::NAME).await?;
    match (key::read(path), recorded) {
        (Err(error), None) if error.kind() == ErrorKind::NotFound => Ok(None),
        (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => Err(CommandError::Message(format!(
            "{} is missing: it contains the key of the tokens in this database; restore it from your backup",
            path.display()
        ))),
        (Err(error), _) => Err(CommandError::file(path, &error)),
        (Ok(key), Some(recorded)) if recorded != KeyCheck { hash_key: key.clone() }.value() => {
            Err(wrong_key(path))
        }
        (Ok(key), _) => Ok(Some(key)),
    }
}

fn wrong_key(path: &Path) -> CommandError {
    CommandError::Message(format!(
        "{} contains another key than the one of the tokens in this database",
        path.display()
    ))
}

/// Refuses a database that a restore or a copy filled only in part.
async fn refuse_unfinished(database: &Database, store: &Store) -> Result<(), CommandError> {
    if store.reader()?.tx()?.installation_has_value(UNFINISHED_LOAD).await? {
        return Err(CommandError::Message(format!(
            "{database} is incomplete: a restore or a copy into it did not finish; repeat it with a new, empty \
             database"
        )));
    }
    Ok(())
}

/// The path of the key file.
pub(crate) fn key_path(options: &DatabaseOptions, database: &Database) -> Result<PathBuf, CommandError> {
    match (&options.secret_key_file, database) {
        (Some(path), _) => Ok(path.clone()),
        (None, Database::Sqlite(path)) => Ok(key::beside(path)),
        (None, Database::Postgres(_)) => {
            let why = "a PostgreSQL database needs a key file, the same one on every node: create it once with \
                `tenantry key generate FILE`";
            Err(CommandError::Argument("--secret-key-file", why.to_owned()))
        }
    }
}

/// The certificate authorities in the file of `--ca-file`.
pub(crate) fn roots(ca_file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, CommandError> {
    let Some(path) = ca_file else { return Ok(Vec::new()) };
    let wrong = |why: String| CommandError::Argument("--ca-file", format!("{}: {why}", path.display()));
    let content = read_limited(path).map_err(|error| wrong(error.to_string()))?;
    let roots = CertificateDer::pem_slice_iter(&content).collect::<Result<Vec<_>, _>>();
    let roots = roots.map_err(|error| wrong(error.to_string()))?;
    if roots.is_empty() {
        return Err(wrong("the file contains no certificate in PEM form".to_owned()));
    }
    Ok(roots)
}

/// A parsed database URL.
pub(crate) enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database.
    Postgres(Box<Target>),
}

impl Database {
    /// The database of `--database`.
    pub(crate) fn from_options(options: &DatabaseOptions) -> Result<Self, CommandError> {
        Self::parse("--database", &options.database, &roots(options.ca_file.as_deref())?)
    }

    /// Parses the URL of the option `name`. Errors do not repeat the URL, which can contain a password.
    pub(crate) fn parse(
        name: &'static str,
        url: &str,
        roots: &[CertificateDer<'static>],
    ) -> Result<Self, CommandError> {
        let url = url.trim();
        if Target::is_named_by(url) {
            let target = Target::parse_with_roots(url, roots);
            let target = target.map_err(|error| CommandError::Argument(name, error.to_string()))?;
            return Ok(Self::Postgres(Box::new(target)));
        }
        if url.starts_with("sqlite:") && url.contains('?') {
            let why = "an SQLite database has no parameters: use sqlite:PATH, without a question mark";
            return Err(CommandError::Argument(name, why.to_owned()));
        }
        match url.split_once(':') {
            Some(("sqlite", path))
                if !path.is_empty() && !path.starts_with(":memory:") && !path.starts_with("file:") =>
            {
                Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            _ => Err(CommandError::Argument(name, "use sqlite:PATH or postgres://HOST/DATABASE".to_owned())),
        }
    }

    /// Refuses an SQLite file that does not exist. `option` names the database.
    fn check_exists(&self, option: &str) -> Result<(), CommandError> {
        let Self::Sqlite(path) = self else { return Ok(()) };
        match fs::metadata(path) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let path = absolute(path);
                Err(CommandError::Message(format!(
                    "{}: the database does not exist: name it by {option} sqlite:PATH",
                    path.display()
                )))
            }
            Err(error) => Err(CommandError::file(path, &error)),
        }
    }

    /// Opens an existing database with this version's schema, to read it. `option` names the database.
    pub(crate) async fn open_existing(&self, option: &str) -> Result<Store, CommandError> {
        self.check_exists(option)?;
        match self {
            Self::Sqlite(path) => {
                Store::open_existing_sqlite(path, moments(clock())).map_err(|error| explained(path, error))
            }
            Self::Postgres(_) => self.open(Migrate::No).await,
        }
    }

    /// Opens the database. An SQLite file is created and migrated if necessary.
    pub(crate) async fn open(&self, migrate: Migrate) -> Result<Store, CommandError> {
        match self {
            Self::Sqlite(path) => {
                Store::open_sqlite(path, moments(clock())).map_err(|error| explained(path, error))
            }
            Self::Postgres(target) => {
                Ok(Store::open_postgres((**target).clone(), migrate, moments(clock())).await?)
            }
        }
    }
}

/// The path from the root, for messages and commands that are read elsewhere.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Adds the cause that SQLite does not name when it cannot open a file.
fn explained(path: &Path, error: tenantry_store::StoreError) -> CommandError {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let cause = match fs::metadata(parent) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Some(format!("the directory {} does not exist: create it first", parent.display()))
        }
        Err(error) => Some(format!("{}: {error}", parent.display())),
        Ok(found) if !found.is_dir() => Some(format!("{} is not a directory", parent.display())),
        Ok(_) if path.is_dir() => Some("it is a directory, not a database file".to_owned()),
        Ok(_) => match tempfile::tempfile_in(parent) {
            Err(error) => Some(format!(
                "cannot create files in {}: {error}; SQLite needs that for its log",
                parent.display()
            )),
            Ok(_) => fs::OpenOptions::new().read(true).write(true).open(path).err().map(|e| e.to_string()),
        },
    };
    match cause {
        Some(cause) => CommandError::Message(format!("{}: {cause}", path.display())),
        None => CommandError::Store(error),
    }
}

impl std::fmt::Display for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(target) => write!(f, "{target}"),
        }
    }
}

/// The time of the system clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(jiff::Timestamp::now().as_microsecond())
}

/// The system clock.
pub(crate) fn clock() -> Clock {
    Arc::new(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite_at(path: &Path) -> Database {
        Database::Sqlite(path.to_owned())
    }

    #[tokio::test]
    async fn a_key_that_cannot_be_read_is_an_error_and_not_a_missing_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = sqlite_at(&folder.path().join("t.db")).open(Migrate::Yes).await.unwrap();
        let key = folder.path().join("t.db.key");
        assert!(known_key(&store, &key).await.unwrap().is_none());
        assert!(with_key(&store, &key, Missing::Refuse).await.is_err());
        with_key(&store, &key, Missing::Create).await.unwrap();
        assert!(known_key(&store, &key).await.unwrap().is_some());
        // A path below a file fails for root too.
        for (path, cause) in
            [(key.join("key"), "Not a directory"), (folder.path().join("none"), "is missing")]
        {
            for error in
                [known_key(&store, &path).await.err(), with_key(&store, &path, Missing::Create).await.err()]
            {
                let message = error.unwrap().to_string();
                assert!(message.contains(cause), "{message}");
            }
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_database_that_cannot_be_opened_names_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        for (path, cause) in [
            (folder.path().join("none").join("t.db"), "does not exist: create it first"),
            (file.join("t.db"), "is not a directory"),
            (folder.path().to_owned(), "it is a directory"),
        ] {
            let message = sqlite_at(&path).open(Migrate::Yes).await.err().unwrap().to_string();
            assert!(message.contains(cause), "{message}");
        }
    }

    #[test]
    fn a_ca_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, "nothing").unwrap();
        for (path, cause) in [(&path, "no certificate"), (&folder.path().join("none"), "none")] {
            let message = roots(Some(path)).unwrap_err().to_string();
            assert!(message.starts_with("--ca-file: ") && message.contains(cause), "{message}");
        }
        assert!(roots(None).unwrap().is_empty());
    }
}
