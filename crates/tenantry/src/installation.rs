//! The database and the key beside it: what a command opens before it does anything.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tenantry_app::archive::UNFINISHED;
use tenantry_app::{App, Clock, HashKey, KeyCheck, moments};
use tenantry_core::Timestamp;
use tenantry_store::{Store, sqlite};

use crate::commands::Failure;
use crate::config::Settings;

/// Opens the database that the settings name, migrates it, and reads its key.
pub(crate) async fn open(settings: &Settings) -> Result<App, Failure> {
    let store = open_url(&settings.database).await?;
    let key_path = key_path(settings)?;
    if store.reader()?.tx()?.installation_has(UNFINISHED).await? {
        store.close().await;
        let half = format!("{} is half full: a restore or a copy into it did not finish", settings.database);
        return Err(Failure::Config(half));
    }
    if !key_path.exists() && has_key(&store).await? {
        store.close().await;
        let missing =
            format!("{} is missing: it holds the key of the tokens in this database", key_path.display());
        return Err(Failure::Config(missing));
    }
    let hash_key = read_or_make_key(&key_path)
        .map_err(|error| Failure::Config(format!("{}: {error}", key_path.display())))?;
    let app = App::new(store, clock(), hash_key.clone());
    if app.write(KeyCheck { hash_key }).await? {
        return Ok(app);
    }
    app.store().close().await;
    Err(Failure::Config(format!(
        "{} does not hold the key that the tokens in this database were made with",
        key_path.display()
    )))
}

/// Opens the database at `url`, creating and migrating it as needed.
pub(crate) async fn open_url(url: &str) -> Result<Store, Failure> {
    open_store(&sqlite_path(url)?)
}

/// Opens the database at `url`, which must be there.
pub(crate) async fn open_existing(url: &str) -> Result<Store, Failure> {
    must_exist(url)?;
    open_url(url).await
}

/// Refuses a database that is not there: opening it would make it.
pub(crate) fn must_exist(url: &str) -> Result<(), Failure> {
    let path = sqlite_path(url)?;
    if path.exists() {
        return Ok(());
    }
    Err(Failure::Config(format!("{}: there is no such database", path.display())))
}

/// The file with the key that secrets are hashed with.
pub(crate) fn key_path(settings: &Settings) -> Result<PathBuf, Failure> {
    match &settings.secret_key_file {
        Some(path) => Ok(path.clone()),
        None => Ok(beside(&sqlite_path(&settings.database)?)),
    }
}

/// The key in a file that must be there.
pub(crate) fn read_key(path: &Path) -> io::Result<HashKey> {
    HashKey::from_hex(fs::read_to_string(path)?.trim())
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a key has 64 hexadecimal digits"))
}

/// Whether the database knows the key that its secrets are hashed with.
async fn has_key(store: &Store) -> Result<bool, Failure> {
    Ok(store.reader()?.tx()?.installation_has(KeyCheck::NAME).await?)
}

/// Opens and migrates the database at `path`.
pub(crate) fn open_store(path: &Path) -> Result<Store, Failure> {
    Ok(sqlite::open(path, moments(clock()))?)
}

/// The file that a database URL names.
pub(crate) fn sqlite_path(url: &str) -> Result<PathBuf, Failure> {
    match url.split_once(':') {
        Some(("sqlite", path))
            if !path.is_empty() && !path.starts_with(":memory:") && !path.starts_with("file:") =>
        {
            Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
        }
        _ => Err(Failure::Config(format!("{url:?} is not a database this version knows: use sqlite:PATH"))),
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
