//! Small files: read within bounds, written whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The bytes of a file, if they are at most so many; not one more is read.
///
/// # Errors
/// What the system says, and when there are more.
pub fn read_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let problem = format!("it is longer than {most} bytes, so it cannot be what it should be");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// As [`read_bytes`], as text.
///
/// # Errors
/// As [`read_bytes`], and when it is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read_bytes(path, most)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

/// Puts bytes in the place of a file: written beside it, synced and renamed, so that nobody ever reads half of them. Permissions and
/// owner stay those of the file before; where there was none, they are `mode` and whoever runs this program.
///
/// # Errors
/// What the system says, and when another program does the same. The file is then as it was.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // What a link leads to is replaced, not the link.
    let path = match fs::canonicalize(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        found => found?,
    };
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::Error::new(
            error.kind(),
            format!(
                "{} is there: another program writes it, or was broken off, and then it can be removed",
                beside.display()
            ),
        ),
        _ => error,
    })?;
    let written = fill(file, bytes, &path).and_then(|()| fs::rename(&beside, &path));
    if written.is_err() {
        // What went wrong is more than that this stays behind.
        let _ = fs::remove_file(&beside);
    }
    written?;
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn fill(mut file: File, bytes: &[u8], before: &Path) -> io::Result<()> {
    if let Ok(before) = fs::metadata(before) {
        let ours = file.metadata()?;
        let (uid, gid) = (before.uid(), before.gid());
        if (ours.uid(), ours.gid()) != (uid, gid) {
            let (uid, gid) = (
                rustix::fs::Uid::from_raw(uid),
                rustix::fs::Gid::from_raw(gid),
            );
            rustix::fs::fchown(&file, Some(uid), Some(gid))?;
        }
        let mode = before.permissions().mode();
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_may_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "abc").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "abc");
        let refused = read_text(&path, 2).unwrap_err();
        assert!(refused.to_string().contains("2 bytes"), "{refused}");
        // A terabyte of nothing is refused as quickly.
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        let refused = read_bytes(&path, 1 << 20).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        fs::write(&path, [0xff]).unwrap();
        assert!(read_text(&path, 9).is_err());
        assert!(read_text(&folder.path().join("none"), 9).is_err());
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("link"));
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        replace(&path, b"one", 0o600).unwrap();
        assert_eq!(
            (read_text(&path, 9).unwrap(), mode()),
            ("one".into(), 0o600)
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("a", &link).unwrap();
        replace(&link, b"two", 0o600).unwrap();
        assert_eq!(
            (read_text(&path, 9).unwrap(), mode()),
            ("two".into(), 0o640)
        );
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        // Another is at it.
        fs::write(folder.path().join("a.new"), "half").unwrap();
        let refused = replace(&path, b"three", 0o600).unwrap_err();
        assert!(refused.to_string().contains("a.new"), "{refused}");
        assert_eq!(read_text(&path, 9).unwrap(), "two");
    }
}
