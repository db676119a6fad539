//! What the policy holds in mind at the end of every state and of every utterance, read once and kept in a file.
//!
//! The file holds a header of 64 bytes and then one vector of half-precision numbers after the other: those of the states,
//! then those of the rows' utterances. It is mapped into memory, so that its size is no matter of the machine's. The header,
//! written last, holds a fingerprint of all that the vectors follow from: an unfinished or foreign file is made again.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;
use memmap2::Mmap;
use sha2::{Digest as _, Sha256};

use super::rows::{Probe, Rows};
use crate::data::hex;
use crate::error::{Result, TrainError};
use crate::model::network::{Network, Weights};
use crate::model::packed::{LossWeights, PackedBatch};
use crate::parallel;
use crate::tokens::FrameTokenizer;

/// Bytes of the header.
const HEADER: usize = 64;
/// Pieces of work that are in memory at once, for each thread.
const WAVE: usize = 8;

/// The vectors of all states and rows.
#[derive(Debug)]
pub struct Features {
    map: Mmap,
    width: usize,
    states: usize,
    fingerprint: String,
}

/// What reads the features.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The network.
    pub network: &'a Network,
    /// Its flat weights.
    pub weights: &'a [f32],
    /// Its vocabulary.
    pub tokenizer: &'a FrameTokenizer,
    /// Tokens that a thread handles at once.
    pub micro_tokens: usize,
    /// Threads.
    pub threads: usize,
}

impl Features {
    /// The features of `rows`, from the file at `path` if it holds them, else computed and written there. `progress` is
    /// told how many of how many sequences were read. `None` when it was asked to stop.
    ///
    /// # Errors
    /// When the network refuses a sequence or the file cannot be written.
    pub fn of(
        rows: &Rows,
        reader: &Reader<'_>,
        path: &Path,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<Self>> {
        let width = reader.network.layout().shape().hidden;
        let fingerprint = fingerprint(rows, reader)?;
        let vectors = rows.states.len() + rows.rows.len();
        let bytes = HEADER + vectors * width * 2;
        if !holds(path, &fingerprint, bytes)
            && !write(rows, reader, path, &fingerprint, stop, progress)?
        {
            return Ok(None);
        }
        let file = File::open(path).map_err(TrainError::io(path))?;
        // SAFETY: the file lies in the run's own folder, which one run writes at a time; this process does not change it
        // while it is mapped. Another process that cut it short would end this one (SIGBUS), as it would end any use of it.
        let map = unsafe { Mmap::map(&file) }.map_err(TrainError::io(path))?;
        if map.len() != bytes {
            return Err(TrainError::checkpoint(
                path,
                "it changed while it was opened",
            ));
        }
        Ok(Some(Self {
            map,
            width,
            states: rows.states.len(),
            fingerprint: hex(&fingerprint),
        }))
    }

    /// A hash of all that the vectors follow from, in hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Elements of a vector.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Appends the vector of a state.
    ///
    /// # Panics
    /// When there is no such state.
    pub fn state(&self, index: u32, into: &mut Vec<f32>) {
        self.vector(index as usize, into);
    }

    /// Appends the vector of a row's utterance.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn action(&self, row: usize, into: &mut Vec<f32>) {
        self.vector(self.states + row, into);
    }

    fn vector(&self, index: usize, into: &mut Vec<f32>) {
        let start = HEADER + index * self.width * 2;
        let bytes = &self.map[start..start + self.width * 2];
        into.extend(
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|pair| f16::from_le_bytes(*pair).to_f32()),
        );
    }
}

/// Of everything that the vectors follow from.
fn fingerprint(rows: &Rows, reader: &Reader<'_>) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    hasher.update(b"stride features 2");
    let shape = serde_json::to_vec(reader.network.layout().shape())
        .map_err(|error| TrainError::NoData(error.to_string()))?;
    hasher.update(shape);
    for weight in reader.weights {
        hasher.update(weight.to_le_bytes());
    }
    let mut sequence = |tokens: &[u32]| {
        hasher.update((tokens.len() as u64).to_le_bytes());
        for token in tokens {
            hasher.update(token.to_le_bytes());
        }
    };
    for state in &rows.states {
        sequence(state);
    }
    for sample in &rows.samples {
        sequence(&sample.tokens);
    }
    Ok(hasher.finalize().into())
}

fn holds(path: &Path, fingerprint: &[u8; 32], bytes: usize) -> bool {
    use std::io::Read as _;
    let mut found = [0; 32];
    File::open(path).is_ok_and(|mut file| {
        file.metadata().is_ok_and(|data| data.len() == bytes as u64)
            && file.read_exact(&mut found).is_ok()
            && found == *fingerprint
    })
}

/// Reads all features and writes them; `false` when it was asked to stop.
fn write(
    rows: &Rows,
    reader: &Reader<'_>,
    path: &Path,
    fingerprint: &[u8; 32],
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<bool> {
    let width = reader.network.layout().shape().hidden;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .map_err(TrainError::io(path))?;
    let vectors = rows.states.len() + rows.rows.len();
    let bytes = (HEADER + vectors * width * 2) as u64;
    file.set_len(bytes).map_err(TrainError::io(path))?;
    let mut probes = rows.probes(reader.tokenizer);
    // Neighbours with one head are read together.
    probes.sort_by(|a, b| a.sample.head().cmp(b.sample.head()));
    let chunks = chunks(&probes, reader.micro_tokens);
    let weights = reader.network.weights(reader.weights)?;
    let mut done = 0;
    for wave in chunks.chunks(WAVE * reader.threads.max(1)) {
        if stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let read = parallel::map(reader.threads, wave, |_, chunk| {
            hidden(reader.network, &weights, chunk)
        });
        for (chunk, vectors) in wave.iter().zip(read) {
            let vectors = vectors?;
            let mut vectors = vectors.chunks_exact(width);
            for probe in *chunk {
                let mut put = |index: usize, vector: &[f32]| {
                    let place = (HEADER + index * width * 2) as u64;
                    let bytes: Vec<u8> = vector
                        .iter()
                        .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                        .collect();
                    file.seek(SeekFrom::Start(place))
                        .and_then(|_| file.write_all(&bytes))
                        .map_err(TrainError::io(path))
                };
                put(probe.state as usize, vectors.next().unwrap_or_default())?;
                if let Some(row) = probe.row {
                    put(rows.states.len() + row, vectors.next().unwrap_or_default())?;
                }
            }
            done += chunk.len();
            progress(done, probes.len());
        }
    }
    file.sync_all().map_err(TrainError::io(path))?;
    file.seek(SeekFrom::Start(0))
        .and_then(|_| file.write_all(fingerprint))
        .and_then(|()| file.sync_all())
        .map_err(TrainError::io(path))?;
    Ok(true)
}

/// Neighbours, of about `tokens` tokens together.
fn chunks(probes: &[Probe], tokens: usize) -> Vec<&[Probe]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    let mut room = tokens;
    for (index, probe) in probes.iter().enumerate() {
        let shared = index > start && probes[index - 1].sample.head() == probe.sample.head();
        let head = if shared { probe.sample.head_len } else { 0 };
        let length = probe.sample.tokens.len() - head;
        if length > room && index > start {
            chunks.push(&probes[start..index]);
            start = index;
            room = tokens;
        }
        room = room.saturating_sub(length);
    }
    if start < probes.len() {
        chunks.push(&probes[start..]);
    }
    chunks
}

/// The vectors of neighbours: for each that of its state, then that of its utterance if it has one.
fn hidden(network: &Network, weights: &Weights, probes: &[Probe]) -> Result<Vec<f32>> {
    let samples = probes.iter().map(|probe| &probe.sample);
    // What is asked of an utterance begins at the end of the state and ends at the end marker.
    let batch = Arc::new(PackedBatch::new(samples, &LossWeights::UTTERANCE));
    let mut rows = Vec::with_capacity(2 * probes.len());
    let mut asked = batch
        .asked
        .samples
        .iter()
        .zip(&batch.asked.rows)
        .collect::<Vec<_>>();
    // Rows rise within a sample, and samples stand in their order.
    asked.sort_by_key(|(sample, row)| (**sample, **row));
    for (of_sample, probe) in asked.chunk_by(|a, b| a.0 == b.0).zip(probes) {
        if let [(_, state), ..] = of_sample {
            rows.push(**state);
        }
        if let (Some(_), [.., (_, action)]) = (probe.row, of_sample) {
            rows.push(**action);
        }
    }
    network.hidden(weights, &batch, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::parameters::ParameterLayout;
    use crate::model::shape::ModelShape;
    use crate::rl::config::CriticConfig;
    use crate::testing;
    use stride_agent::transition::FrameText;

    /// The second call with what the first one sees.
    fn seen_as(first: &FrameText, second: &FrameText) -> FrameText {
        let (
            FrameText::Low {
                scene, observation, ..
            },
            FrameText::Low {
                subtask, progress, ..
            },
        ) = (first, second)
        else {
            panic!("both are low-level calls");
        };
        FrameText::Low {
            scene: scene.clone(),
            observation: observation.clone(),
            subtask: format!("{subtask} again"),
            progress: progress.clone(),
        }
    }

    #[test]
    fn features_depend_neither_on_the_batch_nor_on_padding_and_are_read_once() {
        let mut all: Vec<_> = (0..30).map(testing::transition).collect();
        for (at, transition) in all.iter_mut().enumerate() {
            transition.next = Some(testing::transition(100 + at as u64).state);
        }
        // Calls of one step share what they see, and with it the rows of their common head.
        for at in (2..all.len()).step_by(3) {
            all[at].state = seen_as(&all[at - 1].state, &all[at].state);
        }
        let tokenizer = FrameTokenizer::new(crate::tokenizer::train(&all, 400).unwrap()).unwrap();
        let rows = Rows::new(&tokenizer, &mut all, 200, &CriticConfig::default()).unwrap();
        let shape = ModelShape {
            hidden: 32,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            ffn: 48,
            max_positions: 200,
            init_std: 0.2,
            ..ModelShape::default()
        };
        let layout = ParameterLayout::new(&shape, tokenizer.vocab_size());
        let weights = layout.initialize(1);
        let network = Network::new(layout);
        let folder = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let read = |micro_tokens: usize, name: &str, calls: &mut usize| {
            let reader = Reader {
                network: &network,
                weights: &weights,
                tokenizer: &tokenizer,
                micro_tokens,
                threads: 2,
            };
            let path = folder.path().join(name);
            Features::of(&rows, &reader, &path, &stop, &mut |_, _| *calls += 1)
                .unwrap()
                .unwrap()
        };
        let (mut calls, mut none) = (0, 0);
        let alone = read(1, "alone", &mut calls);
        let together = read(100_000, "together", &mut calls);
        assert!(calls > 0);
        read(100_000, "together", &mut none);
        assert_eq!(none, 0, "the file was made again");
        let vectors = |features: &Features| {
            let mut out = Vec::new();
            for state in 0..rows.states.len() {
                features.state(u32::try_from(state).unwrap(), &mut out);
            }
            for row in 0..rows.rows.len() {
                features.action(row, &mut out);
            }
            out
        };
        let (alone, together) = (vectors(&alone), vectors(&together));
        assert_eq!(alone.len(), (rows.states.len() + 30) * 32);
        for (a, b) in alone.iter().zip(&together) {
            // Half precision keeps 11 bits.
            assert!((a - b).abs() <= 1e-3 * (1.0 + a.abs()), "{a} {b}");
        }
        // Every vector was written, and those of different states differ.
        assert!(alone.chunks(32).all(|v| v.iter().any(|x| *x != 0.0)));
        assert_ne!(alone[..32], alone[32..64]);
    }
}
