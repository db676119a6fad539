//! The samples of a run: what is learnt from, in which order, and what is held out.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use serde::{Deserialize, Serialize};
use stride_agent::transition::Transition;

use crate::augment::renumber;
use crate::data::{self, DataFile};
use crate::error::{Result, TrainError};
use crate::model::packed::level_index;
use crate::tokens::{FrameTokenizer, Sample};

/// How a file becomes transitions.
type ReadFile = fn(&Path) -> Result<(DataFile, Vec<Transition>)>;

/// Transitions read from files, split by game.
#[derive(Debug)]
pub struct Demonstrations {
    /// Where they came from.
    pub files: Vec<DataFile>,
    /// What is learnt from.
    pub training: Vec<Transition>,
    /// Weight of each of these in the loss; `None` weighs all alike.
    pub weights: Option<Vec<f32>>,
    /// What is only looked at.
    pub held_out: Vec<Transition>,
}

impl Demonstrations {
    /// Reads files and holds out a share of the games.
    ///
    /// # Errors
    /// When a file cannot be read, or no training transition is left.
    pub fn read(paths: &[PathBuf], held_out_share: f64) -> Result<Self> {
        Self::read_by(paths, held_out_share, data::read_for_cloning)
    }

    /// The same with the next states, for learning from rewards.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_whole(paths: &[PathBuf], held_out_share: f64) -> Result<Self> {
        Self::read_by(paths, held_out_share, data::read)
    }

    fn read_by(paths: &[PathBuf], held_out_share: f64, read: ReadFile) -> Result<Self> {
        let mut files = Vec::new();
        let (mut training, mut held_out) = (Vec::new(), Vec::new());
        for path in paths {
            let (file, transitions) = read(path)?;
            files.push(file);
            for transition in transitions {
                if data::is_held_out(&transition.game, held_out_share) {
                    held_out.push(transition);
                } else {
                    training.push(transition);
                }
            }
        }
        if training.is_empty() {
            return Err(TrainError::NoData(format!(
                "{} files hold no training transition",
                files.len()
            )));
        }
        Ok(Self {
            files,
            training,
            weights: None,
            held_out,
        })
    }
}

/// Where a run stands in its data. With the seed it decides every batch that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DataPosition {
    /// Passes over the training samples that are complete.
    pub epoch: u64,
    /// Steps of this pass that were used.
    pub used: usize,
}

/// Training samples in the order in which a run sees them.
#[derive(Debug)]
pub struct SampleStream<'a> {
    tokenizer: &'a FrameTokenizer,
    transitions: &'a [Transition],
    /// Samples as they stand in the files, and their transitions' places; too long ones are left out.
    samples: Vec<(usize, Sample)>,
    /// Where each step begins in `samples`: neighbours with one head, drawn together.
    steps: Vec<std::ops::Range<usize>>,
    renumber: bool,
    seed: u64,
    longest: usize,
    order: Vec<u32>,
    position: DataPosition,
}

impl<'a> SampleStream<'a> {
    /// Tokenizes the transitions; samples of more than `longest` tokens are left out. Returns how many those are.
    ///
    /// # Errors
    /// When the tokenizer fails or no sample is short enough.
    pub fn new(
        tokenizer: &'a FrameTokenizer,
        transitions: &'a [Transition],
        longest: usize,
        seed: u64,
        renumber: bool,
    ) -> Result<(Self, usize)> {
        let mut samples = Vec::with_capacity(transitions.len());
        for (index, transition) in transitions.iter().enumerate() {
            let sample = tokenizer.sample(&transition.state.as_frame(), &transition.utterance)?;
            if sample.tokens.len() <= longest {
                samples.push((index, sample));
            }
        }
        if samples.is_empty() {
            return Err(TrainError::NoData(format!(
                "no sample has {longest} tokens or fewer"
            )));
        }
        let dropped = transitions.len() - samples.len();
        let steps = steps(&samples);
        let mut stream = Self {
            tokenizer,
            transitions,
            samples,
            steps,
            renumber,
            seed,
            longest,
            order: Vec::new(),
            position: DataPosition::default(),
        };
        stream.seek(DataPosition::default());
        Ok((stream, dropped))
    }

    /// Gives every sample the weight of its transition; those without weight are left out. To be called before the first batch.
    ///
    /// # Errors
    /// When no sample has weight.
    ///
    /// # Panics
    /// When there are fewer weights than transitions.
    pub fn weigh(&mut self, weights: &[f32]) -> Result<()> {
        for (transition, sample) in &mut self.samples {
            sample.weight = weights[*transition];
        }
        self.samples.retain(|(_, sample)| sample.weight > 0.0);
        if self.samples.is_empty() {
            return Err(TrainError::NoData("no sample has a weight above 0".into()));
        }
        self.steps = steps(&self.samples);
        self.seek(DataPosition::default());
        Ok(())
    }

    /// Samples of one pass.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there are none; there always are.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Tokens of one pass, as the samples stand in the files.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.samples
            .iter()
            .map(|(_, s)| s.tokens.len() as u64)
            .sum()
    }

    /// Where the stream stands.
    #[must_use]
    pub const fn position(&self) -> DataPosition {
        self.position
    }

    /// Continues at a position.
    pub fn seek(&mut self, position: DataPosition) {
        self.position = position;
        let count = u32::try_from(self.steps.len()).expect("fewer than 2^32 samples fit memory");
        self.order = (0..count).collect();
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(position.epoch);
        self.order.shuffle(&mut random);
    }

    /// The next samples, at least one and otherwise at most `tokens` tokens of input.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn next_batch(&mut self, tokens: usize) -> Result<Vec<Cow<'_, Sample>>> {
        let mut picked = Vec::new();
        let mut room = tokens;
        loop {
            if self.position.used == self.order.len() {
                self.seek(DataPosition {
                    epoch: self.position.epoch + 1,
                    used: 0,
                });
            }
            let step = self.steps[self.order[self.position.used] as usize].clone();
            let head = self.samples[step.start].1.head_len;
            let rows = self.samples[step.clone()].iter();
            let length = head + rows.map(|(_, s)| s.tokens.len() - 1 - head).sum::<usize>();
            if length > room && !picked.is_empty() {
                break;
            }
            picked.extend(
                step.clone()
                    .map(|index| (index, step.start, self.position.epoch)),
            );
            room = room.saturating_sub(length);
            self.position.used += 1;
        }
        picked
            .into_iter()
            .map(|(index, step, epoch)| self.sample(index, step, epoch))
            .collect()
    }

    /// One sample as a pass sees it; the samples of a step are renumbered alike.
    fn sample(&self, index: usize, step: usize, epoch: u64) -> Result<Cow<'_, Sample>> {
        let (transition, sample) = &self.samples[index];
        if !self.renumber {
            return Ok(Cow::Borrowed(sample));
        }
        let transition = &self.transitions[*transition];
        // A generator of its own for every sample and pass: no state to save, the same after a resume.
        let mut random = ChaCha8Rng::seed_from_u64(self.seed ^ 0x9E37_79B9_7F4A_7C15);
        random.set_stream(epoch.wrapping_mul(1 << 32) ^ step as u64);
        let (state, utterance) = renumber(&transition.state, &transition.utterance, &mut random);
        let mut changed = self.tokenizer.sample(&state.as_frame(), &utterance)?;
        changed.weight = sample.weight;
        if changed.tokens.len() > self.longest {
            return Ok(Cow::Borrowed(sample));
        }
        Ok(Cow::Owned(changed))
    }
}

/// Neighbours with one head.
fn steps(samples: &[(usize, Sample)]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    samples
        .chunk_by(|(_, a), (_, b)| a.head() == b.head())
        .map(|step| {
            start += step.len();
            start - step.len()..start
        })
        .collect()
}

/// Held-out samples: at most `per_level` of each level, spread evenly over the files.
///
/// # Errors
/// When the tokenizer fails.
pub fn held_out_samples(
    tokenizer: &FrameTokenizer,
    transitions: &[Transition],
    longest: usize,
    per_level: usize,
) -> Result<Vec<Sample>> {
    let mut levels: [Vec<&Transition>; 3] = Default::default();
    for transition in transitions {
        levels[level_index(transition.state.level())].push(transition);
    }
    let mut samples = Vec::new();
    for level in levels {
        let count = level.len().min(per_level);
        for i in 0..count {
            let transition = level[i * level.len() / count];
            let sample = tokenizer.sample(&transition.state.as_frame(), &transition.utterance)?;
            if sample.tokens.len() <= longest {
                samples.push(sample);
            }
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_stream_continues_where_it_stood() {
        let transitions: Vec<_> = (0..60).map(testing::transition).collect();
        let tokenizer =
            FrameTokenizer::new(crate::tokenizer::train(&transitions, 400).unwrap()).unwrap();
        for renumber in [false, true] {
            let stream = || {
                SampleStream::new(&tokenizer, &transitions, 200, 7, renumber)
                    .unwrap()
                    .0
            };
            let take = |stream: &mut SampleStream<'_>| -> Vec<Vec<u32>> {
                let batch = stream.next_batch(300).unwrap();
                batch.iter().map(|s| s.tokens.clone()).collect()
            };
            let (mut first, mut second) = (stream(), stream());
            for _ in 0..17 {
                take(&mut first);
            }
            assert!(first.position().epoch > 0);
            second.seek(first.position());
            for _ in 0..17 {
                assert_eq!(take(&mut first), take(&mut second));
            }
        }
    }

    #[test]
    fn a_pass_sees_every_sample_once() {
        let transitions: Vec<_> = (0..50).map(testing::transition).collect();
        let tokenizer =
            FrameTokenizer::new(crate::tokenizer::train(&transitions, 400).unwrap()).unwrap();
        let (mut stream, dropped) =
            SampleStream::new(&tokenizer, &transitions, 200, 7, false).unwrap();
        assert_eq!(dropped, 0);
        let seen = stream.next_batch(stream.tokens() as usize - 50).unwrap();
        let mut seen: Vec<_> = seen.into_iter().map(Cow::into_owned).collect();
        let mut all: Vec<_> = stream.samples.iter().map(|(_, s)| s.clone()).collect();
        seen.sort_by(|a, b| a.tokens.cmp(&b.tokens));
        all.sort_by(|a, b| a.tokens.cmp(&b.tokens));
        assert_eq!(seen, all);
    }
}
