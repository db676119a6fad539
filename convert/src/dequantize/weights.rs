//! `model.safetensors`, or several files with an index, streamed.
//!
//! A file is a 64-bit length, that many bytes of JSON (name, type, shape and place of every tensor), and the tensors
//! without gaps.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use super::Options;
use crate::architecture::RowOrder;
use crate::error::Error;
use crate::gguf::{TensorInfo, TensorType};
use crate::output::Folder;
use crate::quantize::RowError;
use crate::report::{Report, TensorReport};
use crate::source::{ModelConfig, WeightType, shards, weights};
use crate::stored::{StoredModel, StoredTensor};
use crate::stream::{Progress, TensorSink, TensorSource, pass};

/// A tensor of the checkpoint.
struct Planned<'a> {
    /// Name, shape (columns first) and type there.
    info: TensorInfo,
    order: RowOrder,
    stored: &'a StoredTensor,
}

/// Writes the weights of `model` into `folder`.
pub(super) fn write(
    model: &StoredModel,
    config: &ModelConfig,
    folder: &Folder,
    options: Options,
    mut observe: impl FnMut(Progress<'_>),
) -> Result<Report, Error> {
    let source = Tensors {
        planned: plan(model, config, options.kind)?,
        head_dim: config.head_dim,
        model,
    };
    let files = files(&source.planned, options)?;
    if files.len() > 1 {
        let index = serde_json::to_string(&index(&source.planned, &files)).unwrap_or_default();
        folder.write(shards::FILE, index.as_bytes())?;
    }
    let infos: Vec<TensorInfo> = source.planned.iter().map(|one| one.info.clone()).collect();
    let mut sink = Sink::create(folder, &files)?;
    let moved = pass(&source, &[&infos], &mut [&mut sink], &mut observe)?;
    sink.finish()?;
    let lines = infos.iter().zip(moved.into_iter().flatten());
    let tensors = lines.map(|(info, moved)| TensorReport {
        name: info.name.clone(),
        kind: info.kind,
        weights: info.shape.iter().product(),
        bytes: bytes(info),
        deviation: Some(moved),
    });
    Ok(Report {
        tensors: tensors.collect(),
        file_bytes: files
            .iter()
            .map(|file| file.header.len() as u64 + file.data)
            .sum(),
        files: files.iter().map(|file| file.name.clone().into()).collect(),
    })
}

/// The tensors that the table of the architecture names, each with the shape that the configuration gives it, and no
/// others.
fn plan<'a>(
    model: &'a StoredModel,
    config: &ModelConfig,
    kind: WeightType,
) -> Result<Vec<Planned<'a>>, Error> {
    let architecture = config.architecture;
    let mut planned = Vec::new();
    let mut used = HashSet::new();
    for line in architecture.tensors(config) {
        let target = line.target();
        let absent = || {
            model.refuse(format!(
                "there is no tensor {target:?}, which {} needs",
                architecture.name
            ))
        };
        let stored = model.tensor(&target).ok_or_else(absent)?;
        let sizes = line.shape(config).into_iter().rev();
        let shape: Vec<u64> = sizes.map(|size| size as u64).collect();
        if stored.info.shape != shape {
            return Err(model.refuse(format!(
                "tensor {target:?} has the shape {:?}, but the hyperparameters make it {shape:?}",
                stored.info.shape
            )));
        }
        used.insert(target);
        planned.push(Planned {
            info: TensorInfo {
                name: line.source(),
                shape,
                kind: tensor_type(kind),
            },
            order: line.rule.order,
            stored,
        });
    }
    match model
        .tensors
        .iter()
        .find(|tensor| !used.contains(&tensor.info.name))
    {
        None => Ok(planned),
        Some(tensor) => Err(model.refuse(format!(
            "the class {} has no place for tensor {:?}, and without it the model would be another",
            architecture.class, tensor.info.name
        ))),
    }
}

const fn tensor_type(kind: WeightType) -> TensorType {
    match kind {
        WeightType::F32 => TensorType::F32,
        WeightType::F16 => TensorType::F16,
        WeightType::Bf16 => TensorType::BF16,
    }
}

fn bytes(info: &TensorInfo) -> u64 {
    // None of the three types has blocks, and the sizes are those of a tensor that was read.
    info.bytes().unwrap_or(0)
}

struct PlannedFile {
    name: String,
    tensors: Range<usize>,
    header: Vec<u8>,
    data: u64,
}

/// The tensors in their order, as many in a file as fit; a larger tensor has a file of its own.
fn files(planned: &[Planned<'_>], options: Options) -> Result<Vec<PlannedFile>, Error> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut data = 0;
    for (at, tensor) in planned.iter().enumerate() {
        let more = bytes(&tensor.info);
        match parts.last_mut() {
            Some(part) if data + more <= options.split => {
                part.end = at + 1;
                data += more;
            }
            _ => {
                parts.push(at..at + 1);
                data = more;
            }
        }
    }
    if parts.len() > shards::MOST_FILES {
        return Err(Error::TooManyFiles {
            files: parts.len(),
            most: shards::MOST_FILES,
        });
    }
    let count = parts.len();
    let file = |(index, tensors): (usize, Range<usize>)| PlannedFile {
        name: match count {
            1 => weights::FILE.to_owned(),
            _ => shards::name(index, count),
        },
        header: header(&planned[tensors.clone()], options.kind),
        data: planned[tensors.clone()]
            .iter()
            .map(|one| bytes(&one.info))
            .sum(),
        tensors,
    };
    Ok(parts.into_iter().enumerate().map(file).collect())
}

/// Length and JSON, filled up with spaces so that the data is aligned.
fn header(planned: &[Planned<'_>], kind: WeightType) -> Vec<u8> {
    let mut tensors = Map::new();
    // Which framework it is for; transformers asks.
    tensors.insert("__metadata__".into(), json!({ "format": "pt" }));
    let mut end = 0;
    for Planned { info, .. } in planned {
        let start = end;
        end += bytes(info);
        let shape: Vec<u64> = info.shape.iter().rev().copied().collect();
        let line =
            json!({ "dtype": kind.to_string(), "shape": shape, "data_offsets": [start, end] });
        tensors.insert(info.name.clone(), line);
    }
    let mut json = Json::Object(tensors).to_string().into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json);
    header
}

fn index(planned: &[Planned<'_>], files: &[PlannedFile]) -> Json {
    let places = files.iter().flat_map(|file| {
        let tensors = planned[file.tensors.clone()].iter();
        tensors.map(|tensor| (tensor.info.name.clone(), json!(file.name)))
    });
    let places: Map<String, Json> = places.collect();
    let bytes: u64 = files.iter().map(|file| file.data).sum();
    json!({ "metadata": { "total_size": bytes }, "weight_map": places })
}

/// Takes the tensors one after the other and goes on to the next file where one is full.
struct Sink<'a> {
    folder: &'a Folder,
    files: &'a [PlannedFile],
    out: BufWriter<File>,
    tensor: usize,
}

impl<'a> Sink<'a> {
    fn create(folder: &'a Folder, files: &'a [PlannedFile]) -> Result<Self, Error> {
        Ok(Self {
            out: open(folder, &files[0])?,
            folder,
            files,
            tensor: 0,
        })
    }

    fn finish(self) -> Result<(), Error> {
        self.folder.finish(&self.files[0].name, self.out)
    }
}

fn open(folder: &Folder, file: &PlannedFile) -> Result<BufWriter<File>, Error> {
    let mut out = BufWriter::with_capacity(1 << 20, folder.create(&file.name)?);
    let written = out.write_all(&file.header);
    written.map_err(|source| folder.failed(&file.name, source))?;
    Ok(out)
}

impl TensorSink for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.tensor == self.files[0].tensors.end
            && let [full, next, ..] = self.files
        {
            let out = std::mem::replace(&mut self.out, open(self.folder, next)?);
            self.folder.finish(&full.name, out)?;
            self.files = &self.files[1..];
        }
        let written = self.out.write_all(bytes);
        written.map_err(|source| self.folder.failed(&self.files[0].name, source))
    }

    fn end_tensor(&mut self) -> Result<(), Error> {
        self.tensor += 1;
        Ok(())
    }
}

/// The rows of a GGUF in Hugging Face's order.
struct Tensors<'a> {
    planned: Vec<Planned<'a>>,
    head_dim: usize,
    model: &'a StoredModel,
}

impl Tensors<'_> {
    /// The row of the GGUF that becomes `row`.
    fn row(&self, tensor: &Planned<'_>, row: usize) -> usize {
        tensor.order.target_row(row, self.head_dim)
    }
}

impl TensorSource for Tensors<'_> {
    fn name(&self, tensor: usize) -> &str {
        &self.planned[tensor].stored.info.name
    }

    fn read(&self, tensor: usize, row: usize, weights: &mut Vec<f32>) -> Result<(), RowError> {
        let tensor = &self.planned[tensor];
        self.model
            .read(tensor.stored, self.row(tensor, row), weights)
    }

    fn stored(&self, tensor: usize, row: usize) -> Option<(TensorType, &[u8])> {
        let tensor = &self.planned[tensor];
        let row = self.row(tensor, row);
        let bytes = self.model.stored(tensor.stored, &(row..row + 1));
        Some((tensor.stored.info.kind, bytes))
    }

    fn refuse(&self, tensor: usize, row: usize, kind: TensorType, error: RowError) -> Error {
        let tensor = &self.planned[tensor];
        let row = self.row(tensor, row);
        self.model.refuse_row(tensor.stored, row, kind, error)
    }

    fn release(&self, tensor: usize, rows: Range<usize>) {
        let tensor = &self.planned[tensor];
        let all = tensor.stored.rows_columns.0;
        match tensor.order {
            RowOrder::Kept => self.model.release(tensor.stored, &rows),
            // Rows of a head lie apart from their place in the output.
            RowOrder::Interleaved if rows.end == all => {
                self.model.release(tensor.stored, &(0..all));
            }
            RowOrder::Interleaved => {}
        }
    }
}
