//! A long job in parts: what is finished stays when the job is stopped, and a later run goes on behind it.
//!
//! The parts lie in a folder beside the output, `OUT.parts/`: the transitions of a chunk of games, and the report on them. When
//! all are there they are joined into the output, which so appears whole or not at all, and the folder goes.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use stride_agent::transition::Transition;

use crate::error::{Result, TrainError};
use crate::files;

/// The parts of one output file.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
    out: PathBuf,
}

impl Parts {
    /// Opens the folder of an output. Parts of a job with other settings, or of another build of the program, whose expert may
    /// say other things, are thrown away.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds something that is not ours.
    pub(crate) fn open(out: &Path, settings: &str) -> Result<Self> {
        let mut folder = out.as_os_str().to_owned();
        folder.push(".parts");
        let parts = Self {
            folder: folder.into(),
            out: out.to_owned(),
        };
        let mark = parts.folder.join("settings.txt");
        let settings = format!("{settings}\n{}", build());
        if std::fs::read_to_string(&mark).ok().as_deref() != Some(&settings) {
            let is_ours = mark.is_file() || is_empty(&parts.folder);
            if !is_ours {
                let foreign = std::io::Error::new(
                    std::io::ErrorKind::AlreadyExists,
                    "in the way, and not made by this program; move it or choose another output",
                );
                return Err(TrainError::io(&parts.folder)(foreign));
            }
            match std::fs::remove_dir_all(&parts.folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(TrainError::io(&parts.folder)(error));
                }
                _ => {}
            }
            files::create_folder(&parts.folder)?;
            files::write_atomically(&mark, settings.as_bytes())?;
        }
        Ok(parts)
    }

    /// The report on a finished part.
    pub(crate) fn finished<R: DeserializeOwned>(&self, part: usize) -> Option<R> {
        let text = std::fs::read(self.report(part)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes a part: first the transitions, then the report that says they are whole.
    pub(crate) fn write<'a>(
        &self,
        part: usize,
        transitions: impl Iterator<Item = &'a Transition>,
        report: &impl Serialize,
    ) -> Result<()> {
        write_lines(transitions, &self.lines(part))?;
        let report = serde_json::to_vec(report)
            .map_err(|error| TrainError::io(&self.report(part))(error.into()))?;
        files::write_atomically(&self.report(part), &report)
    }

    /// Joins the parts into the output. Both JSON Lines and zstd frames may simply follow one another.
    pub(crate) fn join(self, parts: usize) -> Result<()> {
        files::replace_with(&self.out, |beside| {
            let mut joined = File::create(beside).map_err(TrainError::io(beside))?;
            for part in 0..parts {
                let path = self.lines(part);
                let mut file = File::open(&path).map_err(TrainError::io(&path))?;
                std::io::copy(&mut file, &mut joined).map_err(TrainError::io(beside))?;
            }
            Ok(())
        })?;
        std::fs::remove_dir_all(&self.folder).map_err(TrainError::io(&self.folder))
    }

    /// A file in the folder that is no part: of this process alone, and gone with the folder.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", std::process::id()))
    }

    fn lines(&self, part: usize) -> PathBuf {
        let compressed = self.out.extension().is_some_and(|e| e == "zst");
        let ending = if compressed { "jsonl.zst" } else { "jsonl" };
        self.folder.join(format!("{part:05}.{ending}"))
    }

    fn report(&self, part: usize) -> PathBuf {
        self.folder.join(format!("{part:05}.json"))
    }
}

/// Which build of the program this is.
fn build() -> String {
    let file = std::env::current_exe().and_then(std::fs::metadata);
    let file = file.map(|file| (file.len(), file.modified().ok()));
    format!("build {:?}", file.ok())
}

/// Whether the folder holds nothing, or is not there.
fn is_empty(folder: &Path) -> bool {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// Writes transitions as JSON Lines, compressed with zstd when the name ends in `.zst`; beside, synced and renamed.
pub(crate) fn write_lines<'a>(
    mut transitions: impl Iterator<Item = &'a Transition>,
    out: &Path,
) -> Result<()> {
    let mut writer = LineWriter::create(out)?;
    transitions.try_for_each(|transition| writer.line(transition))?;
    writer.finish()
}

/// A file of transitions that appears whole or not at all; what was begun and not finished is removed.
pub(crate) struct LineWriter {
    beside: PathBuf,
    out: PathBuf,
    /// `None` once the file has its name.
    writer: Option<Writer>,
}

impl LineWriter {
    /// Begins the file beside its place.
    pub(crate) fn create(out: &Path) -> Result<Self> {
        let beside = files::beside(out);
        Ok(Self {
            writer: Some(Writer::create(&beside, out)?),
            beside,
            out: out.to_owned(),
        })
    }

    /// Adds one transition.
    pub(crate) fn line(&mut self, transition: &Transition) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer
            .line(transition)
            .map_err(TrainError::io(&self.beside))
    }

    /// Syncs the file and gives it its name.
    pub(crate) fn finish(mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let settled = writer
            .finish()
            .map_err(TrainError::io(&self.beside))
            .and_then(|()| files::settle(&self.beside, &self.out));
        if settled.is_err() {
            self.discard();
        }
        settled
    }

    /// Best effort: why there is no file is told elsewhere.
    fn discard(&self) {
        let _ = std::fs::remove_file(&self.beside);
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        if self.writer.take().is_some() {
            self.discard();
        }
    }
}

/// A plain or compressed file.
enum Writer {
    Plain(std::io::BufWriter<File>),
    Compressed(zstd::Encoder<'static, File>),
}

impl Writer {
    fn create(beside: &Path, out: &Path) -> Result<Self> {
        let file = File::create(beside).map_err(TrainError::io(beside))?;
        Ok(if out.extension().is_some_and(|e| e == "zst") {
            Self::Compressed(zstd::Encoder::new(file, 3).map_err(TrainError::io(beside))?)
        } else {
            Self::Plain(std::io::BufWriter::new(file))
        })
    }

    fn line(&mut self, transition: &Transition) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(transition)?;
        line.push(b'\n');
        match self {
            Self::Plain(file) => file.write_all(&line),
            Self::Compressed(file) => file.write_all(&line),
        }
    }

    fn finish(self) -> std::io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Compressed(file) => file.finish().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demonstrate::DemoReport;

    #[test]
    fn a_file_that_was_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        for name in ["out.jsonl", "out.jsonl.zst"] {
            let out = folder.path().join(name);
            let mut writer = LineWriter::create(&out).unwrap();
            writer.line(&crate::testing::transition(1)).unwrap();
            assert_eq!(count(), 1);
            drop(writer);
            assert_eq!(count(), 0, "{name}");
            let writer = LineWriter::create(&out).unwrap();
            std::fs::create_dir(&out).unwrap();
            writer.finish().unwrap_err();
            assert_eq!(count(), 1, "{name}: the folder in the way alone");
            std::fs::remove_dir(&out).unwrap();
        }
    }

    #[test]
    fn only_parts_of_the_same_job_are_kept_and_nothing_of_others_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.jsonl");
        let report = DemoReport::default();
        let parts = Parts::open(&out, "a").unwrap();
        parts.write(0, std::iter::empty(), &report).unwrap();
        let is_finished = |settings: &str| {
            let parts = Parts::open(&out, settings).unwrap();
            parts.finished::<DemoReport>(0).is_some()
        };
        assert!(is_finished("a") && !is_finished("b"));

        let other = folder.path().join("other.jsonl");
        let taken = folder.path().join("other.jsonl.parts");
        std::fs::create_dir(&taken).unwrap();
        std::fs::write(taken.join("thesis.txt"), "years of work").unwrap();
        let error = Parts::open(&other, "a").unwrap_err().to_string();
        assert!(error.contains("not made by this program"), "{error}");
        assert!(taken.join("thesis.txt").is_file());
    }
}
