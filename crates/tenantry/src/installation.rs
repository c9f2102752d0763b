//! The database and the key beside it: what a command opens before it does anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenantry_app::archive::UNFINISHED;
use tenantry_app::{App, Clock, HashKey, KeyCheck, moments};
use tenantry_core::Timestamp;
use tenantry_store::postgres::{Migrate, Target};
use tenantry_store::{Store, postgres, sqlite};

use crate::commands::Failure;
use crate::config::Settings;

/// Opens the database that the settings name, migrates it unless told otherwise, and reads its key. A file is
/// made and migrated in any case: no other program runs on it.
pub(crate) async fn open(settings: &Settings, migrate: Migrate) -> Result<App, Failure> {
    let database = Database::parse(&settings.database)?;
    let key_path = key_path(settings, &database)?;
    let store = database.open(migrate).await?;
    let opened = match refuse_half(&database, &store).await {
        Ok(()) => with_key(store.clone(), &key_path).await,
        Err(half) => Err(half),
    };
    if opened.is_err() {
        store.close().await;
    }
    opened
}

/// Opens the database that the settings name with its key; neither is made or changed.
pub(crate) async fn open_to_read(settings: &Settings) -> Result<App, Failure> {
    let database = Database::parse(&settings.database)?;
    let key_path = key_path(settings, &database)?;
    let store = database.open_existing().await?;
    let key = match refuse_half(&database, &store).await {
        Ok(()) => key_to_read(&store, &key_path).await,
        Err(half) => Err(half),
    };
    match key {
        Ok(key) => Ok(App::new(store, clock(), key)),
        Err(failure) => {
            store.close().await;
            Err(failure)
        }
    }
}

async fn key_to_read(store: &Store, path: &Path) -> Result<HashKey, Failure> {
    let kept = store.reader()?.tx()?.installation_kept(KeyCheck::NAME).await?;
    match (read_key(path), kept) {
        // Nothing was hashed or sealed yet.
        (Err(error), None) if error.kind() == ErrorKind::NotFound => Ok(HashKey::generate()),
        (Err(error), Some(_)) if error.kind() == ErrorKind::NotFound => Err(missing(path)),
        (Err(error), _) => Err(Failure::Config(format!("{}: {error}", path.display()))),
        (Ok(key), Some(kept)) if kept != KeyCheck { hash_key: key.clone() }.value() => Err(another(path)),
        (Ok(key), _) => Ok(key),
    }
}

fn missing(key: &Path) -> Failure {
    Failure::Config(format!("{} is missing: it holds the key of the tokens in this database", key.display()))
}

fn another(key: &Path) -> Failure {
    let what = "does not hold the key that the tokens in this database were made with";
    Failure::Config(format!("{} {what}", key.display()))
}

async fn refuse_half(database: &Database, store: &Store) -> Result<(), Failure> {
    if store.reader()?.tx()?.installation_has(UNFINISHED).await? {
        let half = format!(
            "{database} is half full: a restore or a copy into it did not finish; begin again with a new, empty \
             database"
        );
        return Err(Failure::Config(half));
    }
    Ok(())
}

/// The file with the key that secrets are hashed with.
pub(crate) fn key_path(settings: &Settings, database: &Database) -> Result<PathBuf, Failure> {
    match (&settings.secret_key_file, database) {
        (Some(path), _) => Ok(path.clone()),
        (None, Database::Sqlite(path)) => Ok(beside(path)),
        (None, Database::Postgres(_)) => {
            let why = "a database on a server needs a key file, the same for every node";
            Err(Failure::Argument("secret-key-file", why.to_owned()))
        }
    }
}

async fn with_key(store: Store, key_path: &Path) -> Result<App, Failure> {
    if !key_path.exists() && has_key(&store).await? {
        return Err(missing(key_path));
    }
    let hash_key = read_or_make_key(key_path)
        .map_err(|error| Failure::Config(format!("{}: {error}", key_path.display())))?;
    let app = App::new(store, clock(), hash_key.clone());
    if app.write(KeyCheck { hash_key }).await? {
        return Ok(app);
    }
    Err(another(key_path))
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
    pub(crate) fn parse(url: &str) -> Result<Self, Failure> {
        Self::of("database", url)
    }

    /// The same of the argument `name`.
    pub(crate) fn of(name: &'static str, url: &str) -> Result<Self, Failure> {
        if Target::is_named_by(url) {
            let target = Target::parse(url);
            let target = target.map_err(|error| Failure::Argument(name, error.to_string()))?;
            return Ok(Self::Postgres(Box::new(target)));
        }
        match url.split_once(':') {
            Some(("sqlite", path))
                if !path.is_empty() && !path.starts_with(":memory:") && !path.starts_with("file:") =>
            {
                Ok(Self::Sqlite(PathBuf::from(path.strip_prefix("//").unwrap_or(path))))
            }
            _ => Err(Failure::Argument(name, "use sqlite:PATH or postgres://HOST/DATABASE".to_owned())),
        }
    }

    /// Opens it to be read: it must be there, with this program's schema.
    pub(crate) async fn open_existing(&self) -> Result<Store, Failure> {
        match self {
            Self::Sqlite(path) if !path.exists() => {
                Err(Failure::Config(format!("{self}: there is no such database")))
            }
            Self::Sqlite(path) => Ok(sqlite::open_existing(path, moments(clock()))?),
            Self::Postgres(_) => self.open(Migrate::No).await,
        }
    }

    /// Opens it; a file is made and migrated where needed.
    pub(crate) async fn open(&self, migrate: Migrate) -> Result<Store, Failure> {
        match self {
            Self::Sqlite(path) => Ok(sqlite::open(path, moments(clock()))?),
            Self::Postgres(target) => {
                Ok(postgres::open((**target).clone(), migrate, moments(clock())).await?)
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

/// Whether the database knows the key that its secrets are hashed with.
async fn has_key(store: &Store) -> Result<bool, Failure> {
    Ok(store.reader()?.tx()?.installation_has(KeyCheck::NAME).await?)
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
pub(crate) fn make_key(path: &Path) -> Result<(), Failure> {
    let wrong = |error: io::Error| Failure::Config(format!("{}: {error}", path.display()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(wrong)?;
    writeln!(file, "{}", HashKey::generate().to_hex()).and_then(|()| file.sync_all()).map_err(wrong)
}

/// The key in the file; a new one, for the owner's eyes alone, when there is no file. Two processes that
/// start at once end with the same key.
fn read_or_make_key(path: &Path) -> io::Result<HashKey> {
    match read_key(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        found => return found,
    }
    let draft = path.with_file_name(format!(
        "{}.{}",
        path.file_name().unwrap_or_default().to_string_lossy(),
        std::process::id()
    ));
    let written = write_key(&draft).and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
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
