//! Numbered files of lines, bounded in size and number.
//!
//! `STEM-000001.jsonl`, `STEM-000002.jsonl` and so on; packed ones end in `.jsonl.zst`. Lines are appended in blocks; a packed block is
//! a zstd frame of its own with a checksum, so a file is a whole stream of lines after every block, and one that a crash tore is
//! whole again without its last block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Level of compression: fast, for small processors.
const LEVEL: i32 = 3;

/// Where lines go, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// The folder; made if it is not there.
    pub folder: PathBuf,
    /// Bytes of one file at most, unless one block alone is longer.
    pub file_bytes: u64,
    /// Files at most; the oldest goes when another is begun.
    pub files: u64,
    /// Bytes that must be left free on the disk: nothing is written into them.
    pub reserve_bytes: u64,
}

/// How lines are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// As they are; each block is brought to the disk before the next.
    Plain,
    /// Packed with zstd; a power cut may cost what the system had not written yet.
    Zstd,
}

/// The files of one journal.
#[derive(Debug)]
pub struct Files {
    bounds: Bounds,
    stem: &'static str,
    packing: Packing,
    current: Option<Current>,
}

/// The file that is written.
#[derive(Debug)]
struct Current {
    number: u64,
    file: File,
    bytes: u64,
}

impl Files {
    /// Names the files; nothing is touched yet.
    #[must_use]
    pub fn new(bounds: Bounds, stem: &'static str, packing: Packing) -> Self {
        Self {
            bounds,
            stem,
            packing,
            current: None,
        }
    }

    /// How lines are stored.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.bounds.folder
    }

    /// Opens the newest file, without what a crash left of its last block.
    ///
    /// # Errors
    /// When the folder or the file cannot be made, read or written.
    pub fn open(&mut self) -> io::Result<()> {
        if self.current.is_some() {
            return Ok(());
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.bounds.folder)?;
        let newest = self.numbers()?.into_iter().max();
        let current = match newest {
            Some(number) => self.repair(number)?,
            None => self.begin(1)?,
        };
        self.current = Some(current);
        Ok(())
    }

    /// Appends a block of whole lines; returns the bytes that it takes.
    ///
    /// # Errors
    /// When there is no room, or the files cannot be written. They are then as before.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<u64> {
        self.open()?;
        let packed;
        let block = match self.packing {
            Packing::Plain => lines,
            Packing::Zstd => {
                packed = pack(lines)?;
                &packed
            }
        };
        let bytes = block.len() as u64;
        self.need(bytes)?;
        let full = self
            .current
            .as_ref()
            .is_none_or(|it| it.bytes > 0 && it.bytes + bytes > self.bounds.file_bytes);
        if full {
            self.rotate()?;
        }
        let Some(current) = &mut self.current else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut written = current.file.write_all(block);
        if self.packing == Packing::Plain {
            written = written.and_then(|()| current.file.sync_data());
        }
        if let Err(error) = written {
            // What was written of the block goes; should that fail too, the next opening repairs the file.
            let _ = current.file.set_len(current.bytes);
            self.current = None;
            return Err(error);
        }
        current.bytes += bytes;
        Ok(bytes)
    }

    /// Brings everything to the disk.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn sync(&self) -> io::Result<()> {
        match &self.current {
            Some(current) => current.file.sync_all(),
            None => Ok(()),
        }
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync()?;
        let last = self.current.take().map_or(0, |current| current.number);
        self.current = Some(self.begin(last + 1)?);
        for number in self.numbers()? {
            if number + self.bounds.files <= last + 1 {
                fs::remove_file(self.path(number))?;
            }
        }
        Ok(())
    }

    /// Refuses to write into what is to be left free.
    fn need(&self, bytes: u64) -> io::Result<()> {
        let disk = rustix::fs::statvfs(&self.bounds.folder)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.bounds.reserve_bytes.saturating_add(bytes) {
            let reserve = self.bounds.reserve_bytes;
            let message = format!("{free} bytes are free on the disk; {reserve} are left free");
            return Err(io::Error::new(io::ErrorKind::StorageFull, message));
        }
        Ok(())
    }

    fn begin(&self, number: u64) -> io::Result<Current> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(number))?;
        let bytes = 0;
        Ok(Current {
            number,
            file,
            bytes,
        })
    }

    fn repair(&self, number: u64) -> io::Result<Current> {
        let path = self.path(number);
        let file = OpenOptions::new().read(true).append(true).open(&path)?;
        let there = file.metadata()?.len();
        // One block may be longer than a file; more than this was not written here.
        let most = self.bounds.file_bytes.saturating_mul(2).max(8 << 20);
        if there > most {
            return self.begin(number + 1);
        }
        let mut content = Vec::new();
        (&file).take(most).read_to_end(&mut content)?;
        let sound = match self.packing {
            Packing::Plain => whole_lines(&content),
            Packing::Zstd => whole_frames(&content),
        };
        let bytes = sound as u64;
        if bytes < there {
            tracing::warn!(path = %path.display(), cut = there - bytes, "a torn block was cut off");
            file.set_len(bytes)?;
        }
        Ok(Current {
            number,
            file,
            bytes,
        })
    }

    fn path(&self, number: u64) -> PathBuf {
        let name = format!("{}-{number:06}{}", self.stem, self.ending());
        self.bounds.folder.join(name)
    }

    fn ending(&self) -> &'static str {
        match self.packing {
            Packing::Plain => ".jsonl",
            Packing::Zstd => ".jsonl.zst",
        }
    }

    fn numbers(&self) -> io::Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.bounds.folder)? {
            let name = entry?.file_name();
            let number: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_prefix(self.stem)?.strip_prefix('-'))
                .and_then(|name| name.strip_suffix(self.ending())?.parse().ok());
            numbers.extend(number);
        }
        Ok(numbers)
    }
}

/// A block as a zstd frame with a checksum.
fn pack(lines: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.compress(lines)
}

/// How many bytes hold whole lines.
fn whole_lines(content: &[u8]) -> usize {
    let last = content.iter().rposition(|byte| *byte == b'\n');
    last.map_or(0, |at| at + 1)
}

/// How many bytes hold whole frames whose checksums are right.
fn whole_frames(content: &[u8]) -> usize {
    let mut at = 0;
    while let Ok(length) = zstd::zstd_safe::find_frame_compressed_size(&content[at..]) {
        let frame = &content[at..at + length];
        if length == 0 || zstd::stream::copy_decode(frame, io::sink()).is_err() {
            break;
        }
        at += length;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, packing: Packing) -> Files {
        let bounds = Bounds {
            folder: folder.join("log"),
            file_bytes: 100,
            files: 3,
            reserve_bytes: 0,
        };
        Files::new(bounds, "test", packing)
    }

    fn content(files: &Files, number: u64) -> Vec<u8> {
        let bytes = fs::read(files.path(number)).unwrap();
        match files.packing {
            Packing::Plain => bytes,
            Packing::Zstd => zstd::decode_all(&*bytes).unwrap(),
        }
    }

    #[test]
    fn files_are_bounded_in_size_and_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), Packing::Plain);
        for n in 0..20 {
            files.append(format!("{n:029}\n").as_bytes()).unwrap();
        }
        let mut numbers = files.numbers().unwrap();
        numbers.sort_unstable();
        assert_eq!(numbers, [5, 6, 7]);
        assert_eq!(content(&files, 5).len(), 90);
        assert!(content(&files, 7).ends_with(b"19\n"));
        let reserve_bytes = u64::MAX;
        files.bounds.reserve_bytes = reserve_bytes;
        let full = files.append(b"x\n").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn a_torn_block_is_cut_off_and_the_rest_kept() {
        for packing in [Packing::Plain, Packing::Zstd] {
            let folder = tempfile::tempdir().unwrap();
            let mut first = files(folder.path(), packing);
            first.append(b"one\n").unwrap();
            let whole = first.append(b"two\n").unwrap();
            let path = first.path(1);
            let sound = fs::read(&path).unwrap();
            drop(first);
            let last = sound.len() - usize::try_from(whole).unwrap();
            // Cut at every byte of the last block, and damaged at its end.
            for length in last + 1..sound.len() {
                fs::write(&path, &sound[..length]).unwrap();
                let mut again = files(folder.path(), packing);
                again.append(b"three\n").unwrap();
                assert_eq!(content(&again, 1), b"one\nthree\n", "{packing:?} {length}");
            }
            let mut damaged = sound.clone();
            damaged.extend_from_slice(&[0; 7]);
            fs::write(&path, &damaged).unwrap();
            let mut again = files(folder.path(), packing);
            again.append(b"three\n").unwrap();
            assert_eq!(content(&again, 1), b"one\ntwo\nthree\n", "{packing:?}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = files(folder.path(), Packing::Zstd);
        fs::create_dir(files.folder()).unwrap();
        let huge = File::create(files.path(7)).unwrap();
        huge.set_len(100 << 20).unwrap();
        files.append(b"x\n").unwrap();
        assert_eq!(content(&files, 8), b"x\n");
    }
}
