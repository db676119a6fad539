//! Transition files: JSON Lines, plain or compressed with zstd (`.zst`).

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use stride_agent::transition::Transition;

use crate::error::{Result, TrainError};

/// Bytes of a line at most. A transition of the widest frame is some 20 KB long; a line that has no end is no transition.
const LONGEST_LINE: u64 = 1 << 20;

/// Where data came from, as the model card and the resume check record it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    /// The path as it was given.
    pub path: PathBuf,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Transitions in the file.
    pub transitions: usize,
}

/// Reads every transition of a file and keeps what behaviour cloning needs: `next` is dropped.
///
/// # Errors
/// When the file cannot be read, or a line is not a transition (the error names file and line).
pub fn read_for_cloning(path: &Path) -> Result<(DataFile, Vec<Transition>)> {
    read_each(path, |transition| transition.next = None)
}

/// Reads every transition of a file.
///
/// # Errors
/// As [`read_for_cloning`].
pub fn read(path: &Path) -> Result<(DataFile, Vec<Transition>)> {
    read_each(path, |_| ())
}

fn read_each(
    path: &Path,
    mut edit: impl FnMut(&mut Transition),
) -> Result<(DataFile, Vec<Transition>)> {
    let mut transitions = Vec::new();
    let sha256 = visit(path, |_, mut transition| {
        edit(&mut transition);
        transitions.push(transition);
        Ok(())
    })?;
    let file = DataFile {
        path: path.to_owned(),
        sha256,
        transitions: transitions.len(),
    };
    Ok((file, transitions))
}

/// Calls `visit` with every transition of a file and the number of its line (from 1); returns the SHA-256 of the file.
///
/// # Errors
/// When the file cannot be read, a line is not a transition (the error names file and line), or `visit` fails.
pub fn visit(
    path: &Path,
    mut visit: impl FnMut(usize, Transition) -> Result<()>,
) -> Result<String> {
    for_each_line(path, |line, text| {
        let transition =
            serde_json::from_str(text).map_err(|source| TrainError::BadTransition {
                path: path.to_owned(),
                line,
                source,
            })?;
        visit(line, transition)
    })
}

/// Calls `visit` with the number (from 1) and text of every line that is not blank; returns the SHA-256 of the file.
fn for_each_line(path: &Path, mut visit: impl FnMut(usize, &str) -> Result<()>) -> Result<String> {
    let file = File::open(path).map_err(TrainError::io(path))?;
    let mut hashed = HashingReader {
        inner: file,
        hasher: Sha256::new(),
    };
    if path.extension().is_some_and(|extension| extension == "zst") {
        let decoder = zstd::Decoder::new(&mut hashed).map_err(TrainError::io(path))?;
        visit_lines(path, decoder, &mut visit)?;
    } else {
        visit_lines(path, &mut hashed, &mut visit)?;
    }
    // What a decoder leaves unread (nothing, in a sound file) belongs to the hash as well.
    std::io::copy(&mut hashed, &mut std::io::sink()).map_err(TrainError::io(path))?;
    Ok(hex(&hashed.hasher.finalize()))
}

fn visit_lines(
    path: &Path,
    reader: impl Read,
    visit: &mut impl FnMut(usize, &str) -> Result<()>,
) -> Result<()> {
    let mut reader = BufReader::with_capacity(1 << 20, reader);
    let mut bytes = Vec::new();
    for line in 1.. {
        let refuse = |reason: String| TrainError::BadLine {
            path: path.to_owned(),
            line,
            reason,
        };
        bytes.clear();
        let mut limited = reader.by_ref().take(LONGEST_LINE + 1);
        limited
            .read_until(b'\n', &mut bytes)
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        if bytes.is_empty() {
            break;
        }
        if bytes.len() as u64 > LONGEST_LINE {
            return Err(refuse(format!("longer than {LONGEST_LINE} bytes")));
        }
        let text =
            std::str::from_utf8(&bytes).map_err(|error| refuse(format!("not UTF-8: {error}")))?;
        if !text.trim().is_empty() {
            visit(line, text)?;
        }
    }
    Ok(())
}

struct HashingReader<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for HashingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

/// Whether two runs read the same bytes in the same order, wherever the files lie.
pub(crate) fn is_same(one: &[DataFile], other: &[DataFile]) -> bool {
    let digests = |files: &[DataFile]| {
        files
            .iter()
            .map(|file| file.sha256.clone())
            .collect::<Vec<_>>()
    };
    digests(one) == digests(other)
}

/// The SHA-256 of a file, in lower-case hexadecimal digits. It is read in pieces.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).map_err(TrainError::io(path))?;
    std::io::copy(&mut file, &mut hasher).map_err(TrainError::io(path))?;
    Ok(hex(&hasher.finalize()))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Whether a game belongs to the held-out part: a function of the game's id alone, so that every run,
/// data file and machine agrees. `share` is the fraction of games held out, 0 to 1.
#[must_use]
pub fn is_held_out(game: &str, share: f64) -> bool {
    let digest = Sha256::digest(game.as_bytes());
    let mut head = [0_u8; 4];
    head.copy_from_slice(&digest[..4]);
    f64::from(u32::from_le_bytes(head)) < share * 2.0_f64.powi(32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn a_bad_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.jsonl");
        std::fs::write(&path, "\n{\"game\": 3}\n").unwrap();
        let error = read_for_cloning(&path).unwrap_err().to_string();
        assert!(error.contains("bad.jsonl, line 2: not"), "{error}");
        assert!(error.ends_with("(column 10)"), "{error}");
    }

    #[test]
    fn lines_that_are_no_text_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("odd.jsonl");
        let good = serde_json::to_string(&crate::testing::transition(3)).unwrap();
        let refusal = |second: &[u8]| {
            let mut bytes = format!("{good}\n").into_bytes();
            bytes.extend_from_slice(second);
            std::fs::write(&path, bytes).unwrap();
            read_for_cloning(&path).unwrap_err().to_string()
        };
        let error = refusal(b"\xff\xfe\n");
        assert!(error.contains("odd.jsonl, line 2: not UTF-8"), "{error}");
        let error = refusal(&vec![b'['; 3 << 20]);
        assert!(error.contains("line 2: longer than 1048576"), "{error}");
        // Cut in the middle of a frame of zstd.
        let path = folder.path().join("cut.jsonl.zst");
        let lines = format!("{good}\n").repeat(50);
        let packed = zstd::encode_all(lines.as_bytes(), 3).unwrap();
        std::fs::write(&path, &packed[..packed.len() - 5]).unwrap();
        let error = read_for_cloning(&path).unwrap_err().to_string();
        assert!(error.contains("cut.jsonl.zst, line "), "{error}");
        assert!(error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn plain_and_compressed_files_read_alike() {
        let folder = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&crate::testing::transition(3)).unwrap();
        let plain = folder.path().join("a.jsonl");
        std::fs::write(&plain, format!("{line}\n{line}\n")).unwrap();
        let packed = folder.path().join("a.jsonl.zst");
        let mut encoder = zstd::Encoder::new(File::create(&packed).unwrap(), 3).unwrap();
        writeln!(encoder, "{line}\n{line}").unwrap();
        encoder.finish().unwrap();
        let (file, first) = read_for_cloning(&plain).unwrap();
        assert_eq!(first, read_for_cloning(&packed).unwrap().1);
        assert_eq!(file.transitions, 2);
        assert_eq!(file.sha256.len(), 64);
    }

    #[test]
    fn the_held_out_share_is_about_right() {
        let held = (0..10_000)
            .filter(|n| is_held_out(&format!("game {n}"), 0.02))
            .count();
        assert!((150..250).contains(&held), "{held}");
        assert!(!is_held_out("x", 0.0));
        assert!(is_held_out("x", 1.0));
    }
}
