//! Transitions as rows: what the critics may learn from, and with which target.

use std::collections::HashMap;

use stride_agent::transition::{Source, Transition};
use stride_firmware_config::frame::Marker;

use super::config::CriticConfig;
use crate::error::{Result, TrainError};
use crate::model::packed::level_index;
use crate::tokens::{FrameTokenizer, Sample};

/// What a temporal-difference target consists of: `reward + discount · V(next)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target {
    /// Reward.
    pub reward: f32,
    /// γ to the number of actions.
    pub discount: f32,
    /// The state that follows, as an index of [`Rows::states`]; `None` where the process of this level ended.
    pub next: Option<u32>,
}

/// One utterance of an expert or a policy on its own path.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Place among the transitions.
    pub transition: usize,
    /// Place of the level among the levels.
    pub level: usize,
    /// State `s`, as an index of [`Rows::states`].
    pub state: u32,
    /// What Q is trained on; `None` where `s'` is not known (the last progress of a truncated episode, an edited copy).
    pub target: Option<Target>,
}

/// All rows of a data set.
#[derive(Debug, Default)]
pub struct Rows {
    /// The rows.
    pub rows: Vec<Row>,
    /// Frame, utterance and end marker of each row.
    pub samples: Vec<Sample>,
    /// Distinct states: the tokens of their frames.
    pub states: Vec<Vec<u32>>,
}

impl Rows {
    /// The rows of transitions. Left out are those whose utterance was never acted on (labels of an expert for states that
    /// another policy reached: reward and next state belong to another action), and those of `longest` tokens and more: the end marker is an input here. The
    /// next states are taken out of the transitions, as they are not needed any more.
    ///
    /// # Errors
    /// When the tokenizer fails, or nothing is left of any level.
    pub fn new(
        tokenizer: &FrameTokenizer,
        transitions: &mut [Transition],
        longest: usize,
        config: &CriticConfig,
    ) -> Result<Self> {
        let mut rows = Self::default();
        let mut known = HashMap::new();
        for (index, transition) in transitions.iter_mut().enumerate() {
            let next = transition.next.take();
            if transition.source == Source::Relabelled {
                continue;
            }
            let frame = transition.state.as_frame();
            let sample = tokenizer.sample(&frame, &transition.utterance)?;
            if sample.tokens.len() >= longest {
                continue;
            }
            let next = match next {
                Some(next) if !transition.done => {
                    let tokens = tokenizer.frame(&next.as_frame())?;
                    // A state that the policy cannot read has no value.
                    (tokens.len() < longest).then(|| rows.state(&mut known, tokens))
                }
                _ => None,
            };
            let target = (transition.done || next.is_some()).then(|| Target {
                reward: transition.reward,
                discount: config.discount(transition.span) as f32,
                next,
            });
            let state = rows.state(&mut known, sample.tokens[..sample.frame_len].to_vec());
            rows.rows.push(Row {
                transition: index,
                level: level_index(transition.state.level()),
                state,
                target,
            });
            rows.samples.push(sample);
        }
        if rows.rows.is_empty() {
            return Err(TrainError::NoData(
                "no transition was acted on: the second stage needs an expert's own episodes or a policy's".into(),
            ));
        }
        Ok(rows)
    }

    fn state(&mut self, known: &mut HashMap<Vec<u32>, u32>, tokens: Vec<u32>) -> u32 {
        if let Some(index) = known.get(&tokens) {
            return *index;
        }
        let index = u32::try_from(self.states.len()).expect("fewer than 2^32 states fit memory");
        self.states.push(tokens.clone());
        known.insert(tokens, index);
        index
    }

    /// Rows of a level that critics can be trained on.
    #[must_use]
    pub fn learnable(&self, level: usize) -> Vec<usize> {
        self.rows
            .iter()
            .enumerate()
            .filter(|(_, row)| row.level == level && row.target.is_some())
            .map(|(index, _)| index)
            .collect()
    }

    /// Sequences whose hidden states are features: a row's up to the end marker of its utterance, and states that are
    /// nobody's `s`, alone. One token follows that is no input.
    pub(super) fn probes(&self, tokenizer: &FrameTokenizer) -> Vec<Probe> {
        let end = tokenizer.marker(Marker::End);
        let mut met = vec![false; self.states.len()];
        let mut probes: Vec<Probe> = self
            .samples
            .iter()
            .zip(&self.rows)
            .enumerate()
            .map(|(index, (sample, row))| {
                met[row.state as usize] = true;
                let mut sample = sample.clone();
                sample.tokens.push(end);
                Probe {
                    sample,
                    state: row.state,
                    row: Some(index),
                }
            })
            .collect();
        for (state, tokens) in self.states.iter().enumerate().filter(|(s, _)| !met[*s]) {
            let mut tokens = tokens.clone();
            let frame_len = tokens.len();
            tokens.push(end);
            probes.push(Probe {
                sample: Sample {
                    // The network does not see the level but in the frame.
                    level: stride_firmware_config::level::PolicyLevel::Low,
                    tokens,
                    frame_len,
                    head_len: 0,
                    weight: 1.0,
                },
                state: u32::try_from(state).expect("states are counted in u32"),
                row: None,
            });
        }
        probes
    }
}

/// A sequence to read features from.
#[derive(Debug)]
pub(super) struct Probe {
    /// Its last token is no input.
    pub sample: Sample,
    /// The state at the end of its frame.
    pub state: u32,
    /// The row whose utterance it holds.
    pub row: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use stride_agent::transition::EndKind;

    fn tokenizer(transitions: &[Transition]) -> FrameTokenizer {
        FrameTokenizer::new(crate::tokenizer::train(transitions, 400).unwrap()).unwrap()
    }

    #[test]
    fn targets_bootstrap_where_the_process_goes_on_and_nowhere_else() {
        let mut all: Vec<_> = (0..6).map(testing::transition).collect();
        for transition in &mut all {
            transition.reward = 0.25;
            transition.span = 2;
        }
        // Goes on; ended although a state follows (a subtask's last action); truncated with a state to bootstrap from;
        // truncated without; a label that was not acted on; a state that is an earlier row's.
        all[0].next = Some(testing::transition(50).state);
        all[1].done = true;
        all[1].next = Some(testing::transition(51).state);
        all[2].end = EndKind::Truncated;
        all[2].next = Some(testing::transition(52).state);
        all[3].end = EndKind::Truncated;
        all[4].source = Source::Relabelled;
        all[4].next = Some(testing::transition(53).state);
        all[5].next = Some(all[0].state.clone());
        let tokenizer = tokenizer(&all);
        let config = CriticConfig::default();
        let rows = Rows::new(&tokenizer, &mut all, 200, &config).unwrap();
        let places: Vec<usize> = rows.rows.iter().map(|row| row.transition).collect();
        assert_eq!(places, [0, 1, 2, 3, 5]);
        let targets: Vec<_> = rows.rows.iter().map(|row| row.target).collect();
        for at in [0, 2] {
            let target = targets[at].unwrap();
            let next = target.next.unwrap() as usize;
            let expected = testing::transition(50 + at as u64).state;
            assert_eq!(
                rows.states[next],
                tokenizer.frame(&expected.as_frame()).unwrap()
            );
            assert_eq!(target.discount, 0.9801);
        }
        let ended = targets[1].unwrap();
        assert_eq!((ended.reward, ended.next), (0.25, None));
        assert_eq!(targets[3], None);
        assert_eq!(targets[4].unwrap().next, Some(rows.rows[0].state));
        assert_eq!(rows.learnable(1), [0, 1, 2, 4]);
        assert!(all.iter().all(|transition| transition.next.is_none()));
        // Five rows, and two states that are nobody's s; that of the row which ended is not read.
        assert_eq!(rows.probes(&tokenizer).len(), 7);
    }
}
