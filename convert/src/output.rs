//! Output files: made beside their places, read back, synced, and renamed together. A program that is interrupted
//! calls [`abandon`] and leaves nothing; one that is killed leaves files `.stride-convert-*.tmp`, never a broken one
//! under an output's name.

mod folder;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::gguf::{GgufFile, Metadata, TensorInfo};
use crate::map::MappedFile;
pub(crate) use folder::Folder;

/// The files that are being written. Whoever makes, renames or removes one holds the lock, so that [`abandon`] sees
/// either all files of a conversion under their names or none.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn unfinished() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // A set of paths holds together whatever its last user did.
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes every file in the making and lets no other be begun or finished: for a signal handler's thread, right before
/// the process ends.
pub fn abandon() {
    let paths = unfinished();
    for path in &*paths {
        // The process ends anyway; there is nobody to tell.
        let _ = match path.is_dir() {
            true => std::fs::remove_dir_all(path),
            false => std::fs::remove_file(path),
        };
    }
    std::mem::forget(paths);
}

/// Refuses outputs that exist and may not be replaced, or that stand twice.
pub(crate) fn check_places<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
    replace: bool,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for path in paths {
        if !seen.insert(path) {
            return Err(Error::SameOutput { path: path.clone() });
        }
        if !replace && path.exists() {
            return Err(exists(path));
        }
    }
    Ok(())
}

/// Refuses an output that exists and may not be replaced, before the work that makes it.
///
/// # Errors
///
/// When it exists and `replace` is not set.
pub fn check_place(output: &Path, replace: bool) -> Result<(), Error> {
    check_places([&output.to_owned()], replace)
}

/// The error of an output that may not be replaced.
fn exists(output: &Path) -> Error {
    Error::Exists {
        path: output.to_owned(),
    }
}

fn parent(output: &Path) -> &Path {
    match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The entry of a path in [`UNFINISHED`].
struct Registered(PathBuf);

impl Drop for Registered {
    fn drop(&mut self) {
        unfinished().remove(&self.0);
    }
}

/// A file in the making; it goes away with the value.
pub(crate) struct Beside {
    // Dropped, and so removed, before its entry is.
    file: NamedTempFile,
    registered: Registered,
    output: PathBuf,
}

/// A file that is complete, durable, and still beside its place.
pub(crate) struct Finished(Beside);

impl Beside {
    /// A temporary file in the output's folder, with the rights a plain new file would have.
    pub(crate) fn create(output: &Path) -> Result<Self, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".stride-convert-").suffix(".tmp");
        #[cfg(unix)]
        let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        #[cfg(unix)]
        builder.permissions(rights);
        let mut unfinished = unfinished();
        let file = builder
            .tempfile_in(parent(output))
            .map_err(failed(output, "create a file beside"))?;
        unfinished.insert(file.path().to_owned());
        Ok(Self {
            registered: Registered(file.path().to_owned()),
            file,
            output: output.to_owned(),
        })
    }

    /// A handle to write with.
    pub(crate) fn handle(&self) -> Result<File, Error> {
        let handle = self.file.as_file().try_clone();
        handle.map_err(failed(&self.output, "open the file beside"))
    }

    /// Where the file lies for now.
    pub(crate) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Writes over the first bytes of the file.
    pub(crate) fn overwrite(&self, bytes: &[u8]) -> Result<(), Error> {
        let mut file = self.file.as_file();
        file.seek(io::SeekFrom::Start(0))
            .and_then(|_| file.write_all(bytes))
            .map_err(failed(&self.output, "write the header of"))
    }

    /// Makes the file durable and reads its header back.
    pub(crate) fn finish(
        self,
        metadata: &Metadata,
        infos: &[TensorInfo],
    ) -> Result<Finished, Error> {
        let synced = self.file.as_file().sync_all();
        synced.map_err(failed(&self.output, "sync"))?;
        let map = MappedFile::open(self.file.path());
        let map = map.map_err(failed(&self.output, "read back"))?;
        let same = GgufFile::parse(map.bytes()).is_ok_and(|file| {
            let lines = file.tensors.iter().zip(infos);
            file.metadata == *metadata
                && file.tensors.len() == infos.len()
                && lines.into_iter().all(|(is, was)| {
                    is.name == was.name && is.shape == was.shape && is.kind == was.kind
                })
        });
        if !same {
            let path = self.output;
            return Err(Error::ReadBack { path });
        }
        Ok(Finished(self))
    }
}

/// Gives all files their names. Where one cannot have it, those that were not there before go away again.
pub(crate) fn publish(files: Vec<Finished>, replace: bool) -> Result<(), Error> {
    let mut folders = BTreeSet::new();
    let mut registered = Vec::new();
    let mut named: Vec<PathBuf> = Vec::new();
    let mut unfinished = unfinished();
    let mut result = Ok(());
    for Finished(beside) in files {
        registered.push(beside.registered);
        if result.is_err() {
            continue;
        }
        let renamed = if replace {
            beside.file.persist(&beside.output)
        } else {
            beside.file.persist_noclobber(&beside.output)
        };
        match renamed {
            Ok(_) => {
                folders.insert(parent(&beside.output).to_owned());
                named.push(beside.output);
            }
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                result = Err(exists(&beside.output));
            }
            Err(error) => {
                let action = "rename the finished file to";
                result = Err(failed(&beside.output, action)(error.error));
            }
        }
    }
    if result.is_err() && !replace {
        for path in &named {
            // The failure that is being reported matters more than one of cleaning up.
            let _ = std::fs::remove_file(path);
        }
    }
    for entry in &registered {
        unfinished.remove(&entry.0);
    }
    drop(unfinished);
    result?;
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

/// The rename itself must survive a power cut; only unix can sync a folder.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(failed(folder, "sync the folder"))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

fn failed(output: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Error {
    let path = output.to_owned();
    move |source| Error::Output {
        action,
        path,
        source,
    }
}
