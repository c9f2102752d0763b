//! The key file: 64 hexadecimal digits, readable by its owner, or by its owner and group.
//!
//! A key that others can read is refused, because with it and a copy of the database they can open every
//! sealed secret. A key that another user wrote is refused, because that user knows it; root, which runs commands
//! on the files of the service's user, reads every key.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tenantry_app::HashKey;

use crate::error::CommandError;

/// The permissions that a key file must not grant: writing and executing by the group, everything by others.
const FORBIDDEN_MODE: u32 = 0o037;
/// The longest file in bytes that is read as a key.
const LONGEST: u64 = 4096;
/// The user id of root.
const ROOT: u32 = 0;

/// The path of the key file beside an SQLite database.
pub(crate) fn beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// Reads the key. Returns an error of the kind `NotFound` if there is no file.
pub(crate) fn read(path: &Path) -> io::Result<HashKey> {
    let invalid = |message: String| io::Error::new(ErrorKind::InvalidData, message);
    if !fs::metadata(path)?.is_file() {
        return Err(invalid("it is not a regular file, so it is no key file".to_owned()));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    // The advice below would make a file of another program unreadable to its users.
    let key = read.ok().and_then(|_| HashKey::from_hex(text.trim()));
    let key =
        key.ok_or_else(|| invalid("it is not a key file: a key is 64 hexadecimal digits".to_owned()))?;
    check_owner(path, &metadata).map_err(invalid)?;
    Ok(key)
}

/// Refuses a file with a key that other users know.
pub(crate) fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), String> {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & FORBIDDEN_MODE != 0 {
        return Err(format!(
            "other users can read or change the key (mode {mode:04o}): run chmod 600 {}",
            path.display()
        ));
    }
    let user = rustix::process::geteuid().as_raw();
    if user != ROOT && ![ROOT, user].contains(&metadata.uid()) {
        return Err(format!(
            "the file belongs to another user (id {}), who knows the key: run chown on it if you trust it",
            metadata.uid()
        ));
    }
    Ok(())
}

/// Writes a new key to a file that does not exist yet.
pub(crate) fn generate(path: &Path) -> Result<(), CommandError> {
    if path == Path::new("-") {
        let why = "a key is not written to standard output: name a file, or use ./- for one of this name";
        return Err(CommandError::Argument("PATH", why.to_owned()));
    }
    write_new(path, &HashKey::generate().to_hex()).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CommandError::Message(format!("{} exists already, and is not overwritten", path.display()))
        }
        ErrorKind::NotFound => CommandError::Message(format!(
            "{}: the directory does not exist: create it first",
            path.display()
        )),
        _ => CommandError::file(path, &error),
    })
}

/// Reads the key, or writes a new one if there is no file. Of several processes that start at once, all read
/// the key of the first: a new key is complete before it gets the file's name.
pub(crate) fn read_or_generate(path: &Path) -> io::Result<HashKey> {
    let random = HashKey::generate().to_hex();
    let suffix = random.get(..16).unwrap_or(&random);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = path.with_file_name(format!(".{name}.{suffix}"));
    let linked = write_new(&draft, &HashKey::generate().to_hex()).and_then(|()| {
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft).and(linked)
    });
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => {
            sync_directory_of(path)?;
            read(path)
        }
    }
}

/// Writes a line to a new file that only its owner can read.
pub(crate) fn write_new(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{line}")?;
    file.sync_all()
}

/// Makes the names in the directory of a file survive a power failure.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.key");
        generate(&path).unwrap();
        for (mode, is_accepted) in
            [(0o600, true), (0o400, true), (0o640, true), (0o644, false), (0o660, false), (0o604, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let outcome = read(&path);
            assert_eq!(outcome.is_ok(), is_accepted, "{mode:o}");
            if let Err(error) = outcome {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn a_file_with_a_guessable_name_does_not_become_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.key");
        let planted = "0".repeat(64);
        for name in [format!("t.key.{}", std::process::id()), format!(".t.key.{}", std::process::id())] {
            fs::write(folder.path().join(name), &planted).unwrap();
        }
        let key = read_or_generate(&path).unwrap();
        assert_ne!(key.to_hex(), planted);
        assert_eq!(read_or_generate(&path).unwrap().to_hex(), key.to_hex());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn generate_overwrites_nothing_and_creates_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.key");
        generate(&path).unwrap();
        let key = fs::read_to_string(&path).unwrap();
        assert!(generate(&path).unwrap_err().to_string().contains("exists already"));
        assert_eq!(fs::read_to_string(&path).unwrap(), key);
        let error = generate(&folder.path().join("none").join("t.key")).unwrap_err().to_string();
        assert!(error.contains("create it first"), "{error}");
    }
}
