//! Which policy a file holds: its size and hash, for reports and registries.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// A file's size in bytes, and its SHA-256 in lower-case hexadecimal digits. It is read in pieces.
///
/// # Errors
/// What the system says when the file cannot be read.
pub fn digest(path: &Path) -> io::Result<(u64, String)> {
    digest_each(path, |_| ())
}

/// The same; `each` sees every piece as well, so that what else is said of a file is said of the very bytes that were hashed.
///
/// # Errors
/// As [`digest`].
pub fn digest_each(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<(u64, String)> {
    let mut hasher = Sha256::new();
    let mut file = BufReader::with_capacity(1 << 18, File::open(path)?);
    let mut bytes = 0;
    loop {
        let piece = file.fill_buf()?;
        let length = piece.len();
        if length == 0 {
            break;
        }
        hasher.update(piece);
        each(piece);
        bytes += length as u64;
        file.consume(length);
    }
    let hash = hasher.finalize();
    Ok((
        bytes,
        hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_standard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        // FIPS 180-2, appendix B.1.
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest(&path).unwrap(), (3, hash.to_owned()));
        assert!(digest(&folder.path().join("none")).is_err());
    }
}
