//! Reports as files that are whole or absent.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::error::EvalError;

/// Writes a value as indented JSON.
///
/// # Errors
/// When it cannot be written.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), EvalError> {
    write_whole(path, |out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Writes what a value displays.
///
/// # Errors
/// When it cannot be written.
pub fn write_text(path: &Path, value: &impl fmt::Display) -> Result<(), EvalError> {
    write_whole(path, |out| write!(out, "{value}"))
}

/// Writes first to a file beside `path`, then gives it that name; so a reader never sees half of it.
fn write_whole(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), EvalError> {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut out = BufWriter::new(File::create(&part)?);
        content(&mut out)?;
        out.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(EvalError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.json");
        write_json(&path, &[1, 2]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1,\n  2\n]\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        write_text(&path, &"page").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "page");
        let error = write_json(&folder.path().join("no/such/out.json"), &1).unwrap_err();
        assert!(error.to_string().contains("out.json"));
    }
}
