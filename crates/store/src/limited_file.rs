//! Reads files that the operator names in an option.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The longest file in bytes: 4 MiB. A system's file of certificate authorities has some 0.3 MiB.
const LONGEST: u64 = 4 << 20;

/// The content of a file.
///
/// # Errors
/// The file cannot be read, or is longer than 4 MiB, as a device can be that never ends.
pub fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut content)?;
    if content.len() as u64 > LONGEST {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("the file is longer than {LONGEST} bytes"),
        ));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_is_refused() {
        assert_eq!(read_limited(Path::new("/dev/zero")).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_limited(Path::new("/dev/null")).unwrap(), b"");
    }
}
