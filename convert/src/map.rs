//! Memory-mapped files: with the choice of instructions in the matrix product, the only place of this crate with unsafe
//! code.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use memmap2::Mmap;

/// A read-only file in memory. Nothing is read until it is looked at.
///
/// The file must not change while it is mapped: another program that truncates it ends this one with SIGBUS.
#[derive(Debug)]
pub struct MappedFile(Content);

#[derive(Debug)]
enum Content {
    Mapped(Mmap),
    Held(Vec<u8>),
}

impl From<Vec<u8>> for MappedFile {
    /// What would stand in a file.
    fn from(bytes: Vec<u8>) -> Self {
        Self(Content::Held(bytes))
    }
}

impl MappedFile {
    /// Maps the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be opened or mapped.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        // Mapping a directory or a device fails with a message about neither.
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "not a regular file",
            ));
        }
        // SAFETY: the map is read-only and only ever seen as bytes, every value of which is valid. A file that
        // another program changes meanwhile gives other bytes or SIGBUS, which the documentation says.
        unsafe { Mmap::map(&file) }.map(|map| Self(Content::Mapped(map)))
    }

    /// The whole file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Mapped(map) => map,
            Content::Held(bytes) => bytes,
        }
    }

    /// Tells the system that a part is not needed for now, so that resident memory stays below the file's size.
    /// The part reads the same as before. Advice only: a failure is ignored.
    pub fn release(&self, part: &Range<usize>) {
        #[cfg(unix)]
        if let Content::Mapped(map) = &self.0 {
            // SAFETY: DONTNEED drops pages of this map only; the map is backed by a file and never written, so a later
            // look reads the same bytes from the file again. The range is cut to the map by memmap2's own check.
            let _ = unsafe {
                map.unchecked_advise_range(
                    memmap2::UncheckedAdvice::DontNeed,
                    part.start,
                    part.len(),
                )
            };
        }
        #[cfg(not(unix))]
        let _ = part;
    }
}
