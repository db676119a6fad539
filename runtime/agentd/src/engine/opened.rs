//! A model's file, held open: what was hashed is what every worker reads, whatever becomes of its name.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

/// Which file it is, and when it was last changed. Any write shows in the time of change, which nobody but the system sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl From<Metadata> for Stamp {
    fn from(there: Metadata) -> Self {
        Self {
            bytes: there.len(),
            modified: (there.mtime(), there.mtime_nsec()),
            changed: (there.ctime(), there.ctime_nsec()),
        }
    }
}

/// An open file as it was when it was looked at.
#[derive(Debug, Clone)]
pub struct Opened {
    file: Arc<File>,
    seen: Stamp,
}

impl Opened {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let seen = file.metadata()?.into();
        Ok(Self {
            file: Arc::new(file),
            seen,
        })
    }

    /// The same file as it is now.
    ///
    /// # Errors
    /// What the system says.
    pub fn now(&self) -> io::Result<Self> {
        Ok(Self {
            file: Arc::clone(&self.file),
            seen: self.file.metadata()?.into(),
        })
    }

    /// Whether nobody has touched the file since.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_untouched(&self) -> io::Result<bool> {
        Ok(self.now()?.seen == self.seen)
    }

    /// A path under which this process can open this very file, from its beginning, as long as it is held.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.file.as_raw_fd()).into()
    }

    /// The file for a child process.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn hand(&self) -> io::Result<Stdio> {
        Ok(self.file.try_clone()?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_stays_and_what_happens_to_it_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::write(&path, "first").unwrap();
        let opened = Opened::open(&path).unwrap();
        assert!(opened.is_untouched().unwrap());
        std::fs::write(&other, "other").unwrap();
        std::fs::rename(&other, &path).unwrap();
        let read = || std::fs::read_to_string(opened.path()).unwrap();
        assert_eq!((read(), read()), ("first".into(), "first".into()));
        let opened = Opened::open(&path).unwrap();
        // Two writes within one tick of the kernel's clock may bear the same time.
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::write(&path, "wrong").unwrap();
        assert!(!opened.is_untouched().unwrap());
        assert!(opened.now().unwrap().is_untouched().unwrap());
    }
}
