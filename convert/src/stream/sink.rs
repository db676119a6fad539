//! The files of one output in the making: one, or shards that follow each other.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::{Output, TensorSink};
use crate::error::Error;
use crate::gguf::{GgufWriter, Metadata, TensorInfo, WriteError, file_bytes, split};
use crate::output::{Beside, Finished};

/// [`super::Inspect`] for one output.
pub(super) type Look<'i> = dyn FnMut(&Path, &Metadata) -> Result<Option<Metadata>, Error> + 'i;

/// A file that will be written.
pub(super) struct PlannedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
}

/// The files of `output`, in their order.
pub(super) fn files(output: &Output) -> Result<Vec<PlannedFile>, Error> {
    let refused = |source| Error::Write {
        path: output.path.clone(),
        source,
    };
    let most = output.split.unwrap_or(u64::MAX);
    let parts = split::cut(&output.metadata, &output.tensors, most).map_err(refused)?;
    let count = parts.len();
    let mut files = Vec::with_capacity(count);
    for (index, part) in parts.into_iter().enumerate() {
        let tensors = output.tensors[part].to_vec();
        let (path, metadata) = if count == 1 {
            (output.path.clone(), output.metadata.clone())
        } else {
            let path = split::path(&output.path, index, count);
            let all = output.tensors.len();
            (path, split::metadata(&output.metadata, index, count, all))
        };
        files.push(PlannedFile {
            bytes: file_bytes(&metadata, &tensors).map_err(refused)?,
            path,
            metadata,
            tensors,
        });
    }
    Ok(files)
}

/// Takes the tensors of an output one after the other, and opens the next file where one is full.
pub(super) struct Sink {
    ahead: std::vec::IntoIter<PlannedFile>,
    current: Current,
    finished: Vec<Finished>,
}

struct Current {
    file: PlannedFile,
    beside: Beside,
    writer: GgufWriter<BufWriter<File>>,
    /// Tensors that are still to come in this file.
    left: usize,
}

impl Sink {
    pub(super) fn create(output: &Output) -> Result<Self, Error> {
        let mut ahead = files(output)?.into_iter();
        // There is always a file: also one without tensors holds metadata.
        let first = ahead.next().ok_or_else(|| Error::Write {
            path: output.path.clone(),
            source: WriteError::NoFile,
        })?;
        Ok(Self {
            ahead,
            current: Current::create(first)?,
            finished: Vec::new(),
        })
    }

    /// All files, complete and still beside their places. `inspect` looks at an output that is one file.
    pub(super) fn finish(mut self, inspect: &mut Look<'_>) -> Result<Vec<Finished>, Error> {
        let last = if self.finished.is_empty() {
            self.current.finish_inspected(inspect)?
        } else {
            self.current.finish()?
        };
        self.finished.push(last);
        Ok(self.finished)
    }
}

impl TensorSink for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.current.left == 0
            && let Some(next) = self.ahead.next()
        {
            let full = std::mem::replace(&mut self.current, Current::create(next)?);
            self.finished.push(full.finish()?);
        }
        let written = self.current.writer.write(bytes);
        written.map_err(|source| self.current.file.refuse(source))
    }

    fn end_tensor(&mut self) -> Result<(), Error> {
        let ended = self.current.writer.end_tensor();
        ended.map_err(|source| self.current.file.refuse(source))?;
        self.current.left = self.current.left.saturating_sub(1);
        Ok(())
    }
}

impl Current {
    fn create(file: PlannedFile) -> Result<Self, Error> {
        let beside = Beside::create(&file.path)?;
        let out = BufWriter::with_capacity(1 << 20, beside.handle()?);
        let writer = GgufWriter::start(out, &file.metadata, &file.tensors);
        let writer = writer.map_err(|source| file.refuse(source))?;
        Ok(Self {
            left: file.tensors.len(),
            file,
            beside,
            writer,
        })
    }

    fn finish(self) -> Result<Finished, Error> {
        self.finish_inspected(&mut |_, _| Ok(None))
    }

    fn finish_inspected(mut self, inspect: &mut Look<'_>) -> Result<Finished, Error> {
        let written = self.writer.finish();
        drop(written.map_err(|source| self.file.refuse(source))?);
        if let Some(metadata) = inspect(self.beside.path(), &self.file.metadata)? {
            let before = self.file.header()?;
            self.file.metadata = metadata;
            let header = self.file.header()?;
            if header.len() != before.len() {
                return Err(self.file.refuse(WriteError::HeaderBytes {
                    before: before.len(),
                    after: header.len(),
                }));
            }
            self.beside.overwrite(&header)?;
        }
        self.beside.finish(&self.file.metadata, &self.file.tensors)
    }
}

impl PlannedFile {
    /// What stands before the tensor data.
    fn header(&self) -> Result<Vec<u8>, Error> {
        let mut header = Vec::new();
        let started = GgufWriter::start(&mut header, &self.metadata, &self.tensors);
        started.map_err(|source| self.refuse(source))?;
        Ok(header)
    }

    fn refuse(&self, source: WriteError) -> Error {
        Error::Write {
            path: self.path.clone(),
            source,
        }
    }
}
