//! Episodes recorded with the official program of a world: one JSON object a line, plain or packed with zstd.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Longest line that is read.
const MAX_LINE: u64 = 64 << 20;

/// Why transcripts cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranscriptError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is too long.
    #[error("{}: line {line} is longer than {limit} bytes; is this a file of transcripts?", path.display())]
    LongLine {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The limit.
        limit: u64,
    },
    /// A line is not a transcript.
    #[error("{}: line {line} is not a transcript", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads transcripts one by one.
pub struct Transcripts<T> {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: usize,
    kind: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Transcripts<T> {
    /// Opens a `.jsonl` or `.jsonl.zst` file; the first bytes tell which.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path) -> Result<Self, TranscriptError> {
        let read = |source| TranscriptError::Read {
            path: path.to_owned(),
            source,
        };
        let mut file = BufReader::new(File::open(path).map_err(read)?);
        let packed = file
            .fill_buf()
            .map_err(read)?
            .starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let reader: Box<dyn BufRead> = if packed {
            let mut decoder = zstd::Decoder::with_buffer(file).map_err(read)?;
            decoder.window_log_max(27).map_err(read)?;
            Box::new(BufReader::new(decoder))
        } else {
            Box::new(file)
        };
        Ok(Self {
            path: path.to_owned(),
            reader,
            line: 0,
            kind: PhantomData,
        })
    }

    fn read_line(&mut self) -> Result<Option<T>, TranscriptError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            self.line += 1;
            let read = |source| TranscriptError::Read {
                path: self.path.clone(),
                source,
            };
            let length = self
                .reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut bytes)
                .map_err(read)?;
            if length == 0 {
                return Ok(None);
            }
            if !bytes.trim_ascii().is_empty() {
                break;
            }
        }
        if bytes.len() as u64 == MAX_LINE {
            return Err(TranscriptError::LongLine {
                path: self.path.clone(),
                line: self.line,
                limit: MAX_LINE,
            });
        }
        let line = |source| TranscriptError::Line {
            path: self.path.clone(),
            line: self.line,
            source,
        };
        serde_json::from_slice(&bytes).map(Some).map_err(line)
    }
}

impl<T: DeserializeOwned> Iterator for Transcripts<T> {
    type Item = Result<T, TranscriptError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_line().transpose()
    }
}
