//! The output file: made beside its place, read back, synced, and renamed. A program that is killed leaves a file
//! `.stride-convert-*.tmp`, never a broken one under the output's name.

use std::io::Write as _;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::Error;
use crate::gguf::{GgufFile, Metadata, TensorInfo};
use crate::map::MappedFile;

/// The error of an output that may not be replaced.
pub(crate) fn exists(output: &Path) -> Error {
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

/// A temporary file in the output's folder, with the rights a plain new file would have.
pub(crate) fn create_beside(output: &Path) -> Result<NamedTempFile, Error> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".stride-convert-").suffix(".tmp");
    #[cfg(unix)]
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(rights);
    builder
        .tempfile_in(parent(output))
        .map_err(|source| Error::Output {
            action: "create a file beside",
            path: output.to_owned(),
            source,
        })
}

/// Reads the header back, makes the file durable, and gives it its name.
pub(crate) fn publish(
    mut beside: NamedTempFile,
    output: &Path,
    replace: bool,
    metadata: &Metadata,
    infos: &[TensorInfo],
) -> Result<(), Error> {
    let failed = |action| {
        move |source| Error::Output {
            action,
            path: output.to_owned(),
            source,
        }
    };
    beside.flush().map_err(failed("flush"))?;
    beside.as_file().sync_all().map_err(failed("sync"))?;
    let map = MappedFile::open(beside.path()).map_err(failed("read back"))?;
    let same = GgufFile::parse(map.bytes()).is_ok_and(|file| {
        let lines = file.tensors.iter().zip(infos);
        file.metadata == *metadata
            && file.tensors.len() == infos.len()
            && lines.into_iter().all(|(is, was)| {
                is.name == was.name && is.shape == was.shape && is.kind == was.kind
            })
    });
    drop(map);
    if !same {
        return Err(Error::ReadBack {
            path: output.to_owned(),
        });
    }
    let renamed = if replace {
        beside.persist(output)
    } else {
        beside.persist_noclobber(output)
    };
    renamed.map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(output),
        _ => failed("rename the finished file to")(error.error),
    })?;
    // The rename itself must survive a power cut; only unix can sync a folder.
    #[cfg(unix)]
    std::fs::File::open(parent(output))
        .and_then(|folder| folder.sync_all())
        .map_err(failed("sync the folder of"))?;
    Ok(())
}
