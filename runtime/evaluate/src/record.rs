//! Transition files: JSON Lines, packed with zstd when the name says so.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use stride_agent::transition::Transition;

use crate::error::EvalError;

/// Level of compression: fast, since an episode waits for it.
const LEVEL: i32 = 3;

/// Writes the transitions of episodes, one JSON object a line.
pub struct RecordFile {
    path: PathBuf,
    sink: Sink,
}

enum Sink {
    Plain(BufWriter<File>),
    Packed(zstd::Encoder<'static, BufWriter<File>>),
}

impl RecordFile {
    /// Creates the file, or empties it. A name that ends in `.zst` makes it a zstd stream.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path) -> Result<Self, EvalError> {
        Self::try_create(path).map_err(EvalError::file(path))
    }

    fn try_create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let sink = if path.extension().is_some_and(|extension| extension == "zst") {
            Sink::Packed(zstd::Encoder::new(file, LEVEL)?)
        } else {
            Sink::Plain(file)
        };
        Ok(Self {
            path: path.to_owned(),
            sink,
        })
    }

    /// Appends the transitions of one episode.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, transitions: &[Transition]) -> Result<(), EvalError> {
        let out: &mut dyn Write = match &mut self.sink {
            Sink::Plain(out) => out,
            Sink::Packed(out) => out,
        };
        transitions
            .iter()
            .try_for_each(|transition| {
                serde_json::to_writer(&mut *out, transition)?;
                out.write_all(b"\n")
            })
            .map_err(EvalError::file(&self.path))
    }

    /// Ends the stream and brings the file to the disk. A file that was not finished is a cut stream.
    ///
    /// # Errors
    /// When the rest cannot be written.
    pub fn finish(self) -> Result<(), EvalError> {
        let finish = || -> io::Result<()> {
            let file = match self.sink {
                Sink::Plain(out) => out,
                Sink::Packed(out) => out.finish()?,
            };
            file.into_inner()
                .map_err(io::IntoInnerError::into_error)?
                .sync_all()
        };
        finish().map_err(EvalError::file(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{Rules, measure};
    use crate::testing::{Corridor, Walker};
    use crate::world::GameLabel;
    use stride_agent::agent::Limits;

    #[test]
    fn plain_and_packed_files_hold_the_same() {
        let rules = Rules {
            limits: Limits::default(),
            max_actions: 50,
            record: true,
        };
        let label = GameLabel::new("corridor:3", "walk");
        let (_, transitions) = measure(&label, &mut Corridor::new(3), &mut Walker, &rules);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            let mut file = RecordFile::create(&path).unwrap();
            file.append(&transitions).unwrap();
            file.finish().unwrap();
            std::fs::read(path).unwrap()
        };
        let plain = write("a.jsonl");
        assert_eq!(zstd::decode_all(&write("a.jsonl.zst")[..]).unwrap(), plain);
        let read: Vec<Transition> = serde_json::Deserializer::from_slice(&plain)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(read, transitions);
    }
}
