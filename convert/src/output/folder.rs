//! A directory in the making: filled beside its place, and given its name when all files are durable.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Registered, exists, failed, parent, sync_folder, unfinished};
use crate::error::Error;

/// A directory that goes away with the value, unless it is published.
pub(crate) struct Folder {
    // Dropped, and so removed, before its entry is.
    beside: TempDir,
    _registered: Registered,
    output: PathBuf,
}

impl Folder {
    /// Begins the directory `output`, which must not exist, or be empty.
    pub(crate) fn beside(output: &Path) -> Result<Self, Error> {
        let taken = match std::fs::read_dir(output) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => output.exists(),
        };
        if taken {
            return Err(exists(output));
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".stride-convert-").suffix(".tmp");
        #[cfg(unix)]
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        #[cfg(unix)]
        builder.permissions(rights);
        let mut unfinished = unfinished();
        let beside = builder
            .tempdir_in(parent(output))
            .map_err(failed(output, "create a folder beside"))?;
        unfinished.insert(beside.path().to_owned());
        Ok(Self {
            _registered: Registered(beside.path().to_owned()),
            beside,
            output: output.to_owned(),
        })
    }

    /// Begins a file.
    pub(crate) fn create(&self, name: &str) -> Result<File, Error> {
        let file = File::create_new(self.beside.path().join(name));
        file.map_err(|source| self.failed(name, source))
    }

    /// Makes a file durable.
    pub(crate) fn finish(&self, name: &str, out: BufWriter<File>) -> Result<(), Error> {
        let file = out.into_inner().map_err(io::IntoInnerError::into_error);
        let synced = file.and_then(|file| file.sync_all());
        synced.map_err(|source| self.failed(name, source))
    }

    /// Writes a whole file.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let mut out = BufWriter::new(self.create(name)?);
        let written = out.write_all(bytes);
        written.map_err(|source| self.failed(name, source))?;
        self.finish(name, out)
    }

    /// The error of a file of this directory.
    pub(crate) fn failed(&self, name: &str, source: io::Error) -> Error {
        failed(&self.output.join(name), "write")(source)
    }

    /// Gives the directory its name.
    pub(crate) fn publish(self) -> Result<(), Error> {
        sync_folder(self.beside.path())?;
        {
            let mut unfinished = unfinished();
            let rename = || -> io::Result<()> {
                // An empty directory makes way; one that has been filled meanwhile does not.
                match std::fs::remove_dir(&self.output) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                std::fs::rename(self.beside.path(), &self.output)
            };
            rename().map_err(failed(&self.output, "rename the finished folder to"))?;
            unfinished.remove(self.beside.path());
        }
        // It has another name now; what is dropped finds nothing under the old one.
        let _ = self.beside.keep();
        sync_folder(parent(&self.output))
    }
}
