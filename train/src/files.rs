//! Files that are either the old or the new version after a power cut, never half of one.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

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
/// When any of that fails; the old file is then untouched.
pub fn replace_with(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = Path::new(&beside);
    write(beside)?;
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
