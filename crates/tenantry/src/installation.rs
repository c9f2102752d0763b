//! The database and the key beside it: what a command opens before it does anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenantry_app::archive::UNFINISHED_LOAD;
use tenantry_app::{App, Clock, HashKey, KeyCheck, moments};
use tenantry_core::Timestamp;
use tenantry_store::Store;
use tenantry_store::postgres::{Migrate, Target};

use crate::commands::CommandError;
use crate::config::Settings;

/// Opens the database that the settings name, migrates it unless told otherwise, and reads its key. A file is
/// made and migrated in any case: no other program runs on it.
pub(crate) async fn open(settings: &Settings, migrate: Migrate) -> Result<App, CommandError> {
    let database = Database::parse(&settings.database)?;
    let key_path = key_path(settings, &database)?;
    let store = database.open(migrate).await?;
    let opened = match refuse_half(&database, &store).await {
        Ok(()) => with_key(&store, &key_path).await,
        Err(half) => Err(half),
    };
    if opened.is_err() {
        store.close().await;
    }
    opened
}

async fn with_key(store: &Store, path: &Path) -> Result<App, CommandError> {
    let hash_key = match known_key(store, path).await? {
        Some(key) => key,
        None => make_or_read_key(path).map_err(|error| about(path, &error))?,
    };
    let app = App::new(store.clone(), clock(), hash_key.clone());
    // Another node may have been first with another key.
    if app.write(KeyCheck { hash_key }).await? { Ok(app) } else { Err(another(path)) }
}

/// Opens the database that the settings name with its key; neither is made or changed.
pub(crate) async fn open_to_read(settings: &Settings) -> Result<App, CommandError> {
    let database = Database::parse(&settings.database)?;
    let key_path = key_path(settings, &database)?;
    let store = database.open_existing().await?;
    let key = match refuse_half(&database, &store).await {
        Ok(()) => known_key(&store, &key_path).await,
        Err(half) => Err(half),
    };
    match key {
        Ok(key) => Ok(App::new(store, clock(), key.unwrap_or_else(HashKey::generate))),
        Err(failure) => {
            store.close().await;
            Err(failure)
        }
    }
}

/// The key in the file, if it can be this database's. `None` when there is no file, and nothing was hashed or
/// sealed yet.
async fn known_key(store: &Store, path: &Path) -> Result<Option<HashKey>, CommandError> {
    let kept = store.reader()?.tx()?.installation_value(KeyCheck::NAME).await?;
    match (read_key(path), kept) {
        (Err(error), None) if error.kind() == ErrorKind::NotFound => Ok(None),
        (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => Err(CommandError::Config(format!(
            "{} is missing: it holds the key of the tokens in this database",
            path.display()
        ))),
        (Err(error), _) => Err(about(path, &error)),
        (Ok(key), Some(kept)) if kept != KeyCheck { hash_key: key.clone() }.value() => Err(another(path)),
        (Ok(key), _) => Ok(Some(key)),
    }
}

fn about(path: &Path, error: &io::Error) -> CommandError {
    CommandError::Config(format!("{}: {error}", path.display()))
}

fn another(key: &Path) -> CommandError {
    let what = "does not hold the key that the tokens in this database were made with";
    CommandError::Config(format!("{} {what}", key.display()))
}

async fn refuse_half(database: &Database, store: &Store) -> Result<(), CommandError> {
    if store.reader()?.tx()?.installation_has_value(UNFINISHED_LOAD).await? {
        let half = format!(
            "{database} is half full: a restore or a copy into it did not finish; begin again with a new, empty \
             database"
        );
        return Err(CommandError::Config(half));
    }
    Ok(())
}

/// The file with the key that secrets are hashed with.
pub(crate) fn key_path(settings: &Settings, database: &Database) -> Result<PathBuf, CommandError> {
    match (&settings.secret_key_file, database) {
        (Some(path), _) => Ok(path.clone()),
        (None, Database::Sqlite(path)) => Ok(beside(path)),
        (None, Database::Postgres(_)) => {
            let why = "a database on a server needs a key file, the same for every node";
            Err(CommandError::Argument("secret-key-file", why.to_owned()))
        }
    }
}

/// The key in a file that must be there.
pub(crate) fn read_key(path: &Path) -> io::Result<HashKey> {
    HashKey::from_hex(fs::read_to_string(path)?.trim())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a key has 64 hexadecimal digits"))
}

/// A database as its URL names it.
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<Target>),
}

impl Database {
    /// Reads `sqlite:PATH` or `postgres://..`. What was typed may hold a password: it is not repeated.
    pub(crate) fn parse(url: &str) -> Result<Self, CommandError> {
        Self::of("database", url)
    }

    /// The same of the argument `name`.
    pub(crate) fn of(name: &'static str, url: &str) -> Result<Self, CommandError> {
        if Target::is_named_by(url) {
            let target = Target::parse(url);
            let target = target.map_err(|error| CommandError::Argument(name, error.to_string()))?;
            return Ok(Self::Postgres(Box::new(target)));
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

    /// Opens it to be read: it must be there, with this program's schema.
    pub(crate) async fn open_existing(&self) -> Result<Store, CommandError> {
        match self {
            Self::Sqlite(path) => match fs::metadata(path) {
                Ok(_) => Ok(Store::open_existing_sqlite(path, moments(clock()))?),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    Err(CommandError::Config(format!("{self}: there is no such database")))
                }
                Err(error) => Err(about(path, &error)),
            },
            Self::Postgres(_) => self.open(Migrate::No).await,
        }
    }

    /// Opens it; a file is made and migrated where needed.
    pub(crate) async fn open(&self, migrate: Migrate) -> Result<Store, CommandError> {
        match self {
            Self::Sqlite(path) => Ok(Store::open_sqlite(path, moments(clock()))?),
            Self::Postgres(target) => {
                Ok(Store::open_postgres((**target).clone(), migrate, moments(clock())).await?)
            }
        }
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

/// The clock.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
pub(crate) fn clock() -> Clock {
    Arc::new(|| Timestamp::from_micros(jiff::Timestamp::now().as_microsecond()))
}

fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Makes a new key in a file that is not there yet.
pub(crate) fn make_key(path: &Path) -> Result<(), CommandError> {
    let wrong = |error: io::Error| about(path, &error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    writeln!(file, "{}", HashKey::generate().to_hex()).and_then(|()| file.sync_all()).map_err(wrong)
}

/// Makes a new key in the file, for the owner's eyes alone, unless one is there by now: two processes that
/// start at once end with the same key.
fn make_or_read_key(path: &Path) -> io::Result<HashKey> {
    let draft = path.with_file_name(format!(
        "{}.{}",
        path.file_name().unwrap_or_default().to_string_lossy(),
        std::process::id()
    ));
    let written = write_key(&draft).and_then(|()| fs::hard_link(&draft, path));
    // It may never have been made.
    drop(fs::remove_file(&draft));
    match written {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => {
            sync_folder_of(path)?;
            read_key(path)
        }
    }
}

/// Has the names in a file's folder survive a power cut.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn write_key(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "{}", HashKey::generate().to_hex())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_cannot_be_read_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Database::Sqlite(folder.path().join("t.db")).open(Migrate::Yes).await.unwrap();
        let key = folder.path().join("t.db.key");
        assert!(known_key(&store, &key).await.unwrap().is_none());
        with_key(&store, &key).await.unwrap();
        assert!(known_key(&store, &key).await.unwrap().is_some());
        // Nobody can look behind a file, not even root.
        for (path, why) in [(key.join("key"), "Not a directory"), (folder.path().join("none"), "is missing")]
        {
            for told in [known_key(&store, &path).await.err(), with_key(&store, &path).await.err()] {
                let told = told.unwrap().to_string();
                assert!(told.contains(why), "{told}");
            }
        }
        store.close().await;
    }
}
