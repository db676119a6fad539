//! Files that are either the old or the new version after a power cut, never half of one.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::error::{Result, TrainError};

/// Writes a file beside its place, flushes it to the disk and renames it into place.
///
/// # Errors
/// When any of that fails; the old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_with(path, |beside| {
        let mut file = File::create(beside).map_err(TrainError::io(beside))?;
        file.write_all(bytes).map_err(TrainError::io(beside))
    })
}

/// Lets `write` make a file beside a place, flushes it to the disk and renames it into that place.
///
/// # Errors
/// When any of that fails; the old file is then untouched, and nothing is left beside it.
pub fn replace_with(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let beside = beside(path);
    let replaced = write(&beside).and_then(|()| settle(&beside, path));
    if replaced.is_err() {
        // Best effort: that it could not be written is what is told.
        let _ = std::fs::remove_file(&beside);
    }
    replaced
}

/// Where a file is written before it gets its name.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    beside.into()
}

/// Flushes a file that was written beside its place to the disk and renames it into that place.
///
/// # Errors
/// When any of that fails; the old file is then untouched.
pub(crate) fn settle(beside: &Path, path: &Path) -> Result<()> {
    // Any descriptor of a file flushes all of it.
    let file = File::options()
        .write(true)
        .open(beside)
        .map_err(TrainError::io(beside))?;
    file.sync_all().map_err(TrainError::io(beside))?;
    drop(file);
    std::fs::rename(beside, path).map_err(TrainError::io(path))?;
    // The rename itself lies in the folder; not every file system can flush one, so this is best effort.
    if let Some(folder) = path.parent()
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Creates a folder and its parents.
///
/// # Errors
/// When it does not exist afterwards.
pub fn create_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(TrainError::io(path))
}
