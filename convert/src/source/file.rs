//! Reading small files with a limit, and fingerprints.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::SourceError;

/// Reads a whole file of `most` bytes at most.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>, SourceError> {
    let failed = |source| SourceError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file at the limit from one beyond it.
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > most {
        let path = path.to_owned();
        return Err(SourceError::TooLarge { path, most });
    }
    Ok(bytes)
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// SHA-256 of a file of any size, in hexadecimal. It is read in pieces, not through the map, to keep memory small.
pub(crate) fn sha256_of(path: &Path) -> Result<String, SourceError> {
    let hash = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        let mut hash = Sha256::new();
        std::io::copy(&mut file, &mut hash)?;
        Ok(hexadecimal(&hash.finalize()))
    };
    hash().map_err(|source| SourceError::Read {
        path: path.to_owned(),
        source,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
