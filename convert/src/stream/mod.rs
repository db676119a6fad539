//! From the rows of a model to one or several GGUF files. Every row is read and decoded once, encoded for all outputs
//! in parallel, and written in order, a few MiB at a time, so memory does not grow with the model. The files are
//! written beside their places, read back, synced and renamed together.

mod rows;
mod sink;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::gguf::{Metadata, TensorInfo, TensorType};
use crate::output;
use crate::quantize::RowError;
use crate::report::{Deviation, Report, TensorReport};
use sink::Sink;

/// Weights that are in memory at once (4 MiB as f32), or one row where a row is longer.
const CHUNK_WEIGHTS: usize = 1 << 20;

/// Where rows come from. A tensor is known by its place in the order of the output.
pub trait TensorSource: Sync {
    /// The name of a tensor in the output.
    fn name(&self, tensor: usize) -> &str;

    /// Appends the weights of a row.
    ///
    /// # Errors
    ///
    /// When they are stored in a way that cannot be decoded.
    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError>;

    /// The row as it is stored, where that is a form of GGUF: an output of the same type copies it.
    fn stored(&self, tensor: usize, row: usize) -> Option<(TensorType, &[u8])>;

    /// How much every column of a row counts when it is quantized, where that was measured.
    fn importance(&self, tensor: usize, row: usize) -> Option<&[f32]> {
        let _ = (tensor, row);
        None
    }

    /// Says where in the source a row stands that could not be stored as `kind`.
    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error;

    /// Lets go of the memory that reading some rows took.
    fn release(&self, tensor: usize, rows: Range<usize>);
}

/// One model to write, as one file or as several.
#[derive(Debug)]
pub struct Output {
    /// Its place. Shards get their number before the ending.
    pub path: PathBuf,
    /// What stands before the tensors.
    pub metadata: Metadata,
    /// The tensors, those of the source in its order.
    pub tensors: Vec<TensorInfo>,
    /// Bytes of a file at most; more become shards. A tensor is never cut, so a larger one has a larger file.
    pub split: Option<u64>,
}

impl Output {
    /// What [`write()`] would write.
    ///
    /// # Errors
    ///
    /// When a tensor cannot be stored as it is announced, or there would be too many shards.
    pub fn preview(&self) -> Result<Report, Error> {
        let files = sink::files(self)?;
        let tensors = self
            .tensors
            .iter()
            .map(|info| {
                let refused = |source| Error::Write {
                    path: self.path.clone(),
                    source,
                };
                Ok(TensorReport {
                    name: info.name.clone(),
                    kind: info.kind,
                    weights: info.shape.iter().product(),
                    bytes: info.bytes().map_err(refused)?,
                    deviation: None,
                })
            })
            .collect::<Result<_, Error>>()?;
        Ok(Report {
            tensors,
            file_bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.into_iter().map(|file| file.path).collect(),
        })
    }
}

/// How far the work is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The tensor in work, by its name in the GGUF.
    pub tensor: &'a str,
    /// Weights done.
    pub done: u64,
    /// Weights in all.
    pub total: u64,
}

/// Looks at an output that is complete and does not have its name yet: its place among the outputs, where it lies, and
/// its metadata. It may refuse it, and so all of them, or say what the metadata shall be: pairs of the same keys and
/// widths.
pub(crate) type Inspect<'i> =
    dyn FnMut(usize, &Path, &Metadata) -> Result<Option<Metadata>, Error> + 'i;

/// Writes all `outputs` from one read of `source`. They hold the same tensors in the same shapes and order.
///
/// # Errors
///
/// When a row cannot be read or stored, an output exists and may not be replaced, or writing fails. No file is left
/// under a name of the outputs that was not there before.
pub fn write(
    source: &dyn TensorSource,
    outputs: &[Output],
    replace: bool,
    observe: impl FnMut(Progress<'_>),
) -> Result<Vec<Report>, Error> {
    write_inspected(source, outputs, replace, observe, &mut |_, _, _| Ok(None))
}

/// [`write`] with a look at every output that is one file.
pub(crate) fn write_inspected(
    source: &dyn TensorSource,
    outputs: &[Output],
    replace: bool,
    mut observe: impl FnMut(Progress<'_>),
    inspect: &mut Inspect<'_>,
) -> Result<Vec<Report>, Error> {
    let mut reports = outputs
        .iter()
        .map(Output::preview)
        .collect::<Result<Vec<_>, _>>()?;
    output::check_places(reports.iter().flat_map(|report| &report.files), replace)?;
    let mut sinks = outputs
        .iter()
        .map(Sink::create)
        .collect::<Result<Vec<_>, _>>()?;
    let tensors: Vec<&[TensorInfo]> = outputs
        .iter()
        .map(|output| output.tensors.as_slice())
        .collect();
    let mut takers: Vec<&mut dyn TensorSink> = sinks.iter_mut().map(|sink| sink as _).collect();
    let moved = pass(source, &tensors, &mut takers, &mut observe)?;
    for (report, moved) in reports.iter_mut().zip(moved) {
        for (line, moved) in report.tensors.iter_mut().zip(moved) {
            line.deviation = Some(moved);
        }
    }
    let mut finished = Vec::new();
    for (at, sink) in sinks.into_iter().enumerate() {
        finished.extend(sink.finish(&mut |path, metadata| inspect(at, path, metadata))?);
    }
    output::publish(finished, replace)?;
    Ok(reports)
}

/// Takes encoded tensors, one after the other.
pub(crate) trait TensorSink {
    /// Takes more bytes of the current tensor.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error>;

    /// Closes the current tensor.
    fn end_tensor(&mut self) -> Result<(), Error>;
}

/// Takes every row of `source` through every sink, as the type that the sink's `tensors` give it. Returns, by sink and
/// tensor, how far that moved the weights.
pub(crate) fn pass(
    source: &dyn TensorSource,
    tensors: &[&[TensorInfo]],
    sinks: &mut [&mut dyn TensorSink],
    observe: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Vec<Deviation>>, Error> {
    let shapes: Vec<(usize, usize)> = tensors.first().map_or_else(Vec::new, |first| {
        first.iter().map(TensorInfo::rows_columns).collect()
    });
    let total = shapes
        .iter()
        .map(|&(rows, columns)| (rows * columns) as u64);
    let total = total.sum();
    let mut done = 0;
    let mut all_moved = vec![Vec::new(); sinks.len()];
    for (tensor, &(rows, columns)) in shapes.iter().enumerate() {
        let kinds: Vec<TensorType> = tensors.iter().map(|sink| sink[tensor].kind).collect();
        let mut moved = vec![Deviation::default(); sinks.len()];
        let chunk = (CHUNK_WEIGHTS / columns).max(1);
        for first in (0..rows).step_by(chunk) {
            let last = (first + chunk).min(rows);
            observe(Progress {
                tensor: source.name(tensor),
                done,
                total,
            });
            for group in rows::encode(source, tensor, first..last, columns, &kinds) {
                for ((sink, moved), part) in sinks.iter_mut().zip(&mut moved).zip(group?) {
                    sink.write(&part.bytes)?;
                    moved.add(&part.moved);
                }
            }
            source.release(tensor, first..last);
            done += ((last - first) * columns) as u64;
        }
        for ((sink, all_moved), moved) in sinks.iter_mut().zip(&mut all_moved).zip(moved) {
            sink.end_tensor()?;
            all_moved.push(moved);
        }
    }
    observe(Progress {
        tensor: "",
        done,
        total,
    });
    Ok(all_moved)
}
