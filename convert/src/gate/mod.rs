//! The gate: a quantized policy is published when it still decides what the unquantized one decides.
//!
//! On held-out transitions, the greedy utterance of every level is decoded with the weights as they will be stored and
//! with those of the checkpoint, and the two are compared token by token; at the low level the flag that ends a
//! subtask is compared by itself too. The distance of the distributions is measured along the utterance of the
//! unquantized policy.

mod greedy;
mod publish;

pub use publish::export_gated;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use stride_agent::utterance::parse_low;
use stride_firmware_config::frame::Marker;
use stride_firmware_config::level::PolicyLevel;

use crate::encoder::{Encoder, FrameEncoder};
use crate::error::Error;
use crate::forward::Parameters;
use crate::gguf::Metadata;
use crate::source::file;
use crate::transitions::Transitions;
use crate::verify::divergence::compare;
use crate::verify::{Divergence, Progress, Sample, VerifyError};
use greedy::{Prompt, greedy};

/// Prefix of what the gate found, in the metadata.
pub const PREFIX: &str = "stride.gate.";
/// Tokens of an utterance at most, where the checkpoint does not say.
const LONGEST_UTTERANCE: usize = 128;

/// What to compare, and what is good enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The tokenizer.json of the policy.
    pub tokenizer: PathBuf,
    /// The transitions. They should be of games that were not trained on.
    pub transitions: PathBuf,
    /// Transitions of each level, spread evenly over the file.
    pub samples: usize,
    /// Share of equal utterances, of each level, and of equal flags, at least.
    pub agreement: f64,
}

/// Equal decisions among all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Decisions that were compared.
    pub of: u32,
    /// Those that are equal.
    pub equal: u32,
}

impl Agreement {
    /// Equal ones among all; 1 where there is none.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.of == 0 {
            1.0
        } else {
            f64::from(self.equal) / f64::from(self.of)
        }
    }

    fn count(&mut self, equal: bool) {
        self.of += 1;
        self.equal += u32::from(equal);
    }
}

/// What the gate found.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Utterances, in the order of [`PolicyLevel::ALL`].
    pub levels: [Agreement; 3],
    /// Flags of the low level.
    pub done: Agreement,
    /// Distance of the distributions.
    pub divergence: Divergence,
    /// The first utterances that differ: level, unquantized, quantized.
    pub differences: Vec<(PolicyLevel, String, String)>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gate:")?;
        let names = PolicyLevel::ALL.map(PolicyLevel::name).into_iter();
        for (name, found) in names.zip(self.levels).chain([("done flag", self.done)]) {
            write!(f, " {name} {} of {},", found.equal, found.of)?;
        }
        let divergence = &self.divergence;
        writeln!(
            f,
            " mean KL {:.2e}, p99 {:.2e}",
            divergence.mean_kl, divergence.p99_kl
        )
    }
}

impl Outcome {
    /// What is under the limit, and what was said instead.
    fn report(&self, objections: &[String]) -> String {
        let mut text = objections.join("; ");
        for (level, expected, got) in &self.differences {
            text += &format!("\n  {level}: {expected:?} became {got:?}");
        }
        text
    }
}

/// Differences that are kept to be shown.
const SHOWN: usize = 5;

/// The unquantized side, which has said its utterances; any number of files can be held against it.
#[derive(Debug)]
pub struct Reference<'a> {
    gate: &'a Gate,
    sha256: String,
    source: &'a Parameters<'a>,
    encoder: FrameEncoder,
    prompts: Vec<Prompt>,
    levels: Vec<PolicyLevel>,
    said: Vec<Vec<u32>>,
}

impl<'a> Reference<'a> {
    /// Lets the unquantized policy say what it says to the transitions of `gate`. `longest` are the tokens that an
    /// utterance of a level may have, by its name.
    ///
    /// # Errors
    ///
    /// When the transitions cannot be read or do not fit, or the network is not computed here.
    pub fn new(
        gate: &'a Gate,
        source: &'a Parameters<'a>,
        longest: &BTreeMap<String, u32>,
        mut observe: impl FnMut(Progress<'_>),
    ) -> Result<Self, Error> {
        let read = |path: &Path| Transitions::read(path, gate.samples).map_err(VerifyError::from);
        let transitions = read(&gate.transitions)?;
        let encoder = Encoder::open(&gate.tokenizer).and_then(FrameEncoder::new);
        let encoder = encoder
            .map_err(VerifyError::from)?
            .reading(source.completed);
        let sha256 = file::sha256_of(&gate.transitions)?;
        let context = source.network.context;
        let (mut prompts, mut levels) = (Vec::new(), Vec::new());
        for (level, transitions) in PolicyLevel::ALL.into_iter().zip(&transitions.levels) {
            let longest = longest.get(level.name());
            let longest = longest.map_or(LONGEST_UTTERANCE, |&tokens| tokens.max(1) as usize);
            for transition in transitions {
                let frame = encoder.frame(&transition.state.as_frame());
                let frame = frame.map_err(VerifyError::from)?;
                if frame.len() < context {
                    let guess = encoder.utterance(&transition.utterance);
                    prompts.push(Prompt {
                        frame,
                        guess: guess.map_err(VerifyError::from)?,
                        longest,
                    });
                    levels.push(level);
                }
            }
        }
        if prompts.is_empty() {
            return Err(VerifyError::NothingFits { context }.into());
        }
        let mut step = steps("the unquantized policy speaks", prompts.len(), &mut observe);
        let end = encoder.marker(Marker::End);
        let said = greedy(source, &prompts, end, &mut step).map_err(VerifyError::from)?;
        drop(step);
        // What was said is the best guess of what the quantized policy will say.
        for (prompt, said) in prompts.iter_mut().zip(&said) {
            prompt.guess.clone_from(said);
        }
        Ok(Self {
            gate,
            sha256,
            source,
            encoder,
            prompts,
            levels,
            said,
        })
    }

    /// Holds a file against it.
    ///
    /// # Errors
    ///
    /// When the network of the file is not computed here, or a result is no number.
    pub fn judge(
        &self,
        file: &Parameters<'_>,
        mut observe: impl FnMut(Progress<'_>),
    ) -> Result<Outcome, VerifyError> {
        let mut step = steps(
            "the quantized policy speaks",
            self.prompts.len(),
            &mut observe,
        );
        let end = self.encoder.marker(Marker::End);
        let said = greedy(file, &self.prompts, end, &mut step)?;
        drop(step);
        let (mut levels, mut done) = ([Agreement::default(); 3], Agreement::default());
        let mut differences = Vec::new();
        for ((expected, got), &level) in self.said.iter().zip(&said).zip(&self.levels) {
            levels[level as usize].count(expected == got);
            let expected_text = self.encoder.decode(expected)?;
            let got_text = self.encoder.decode(got)?;
            if level == PolicyLevel::Low {
                let flag = |text| parse_low(text).ok().map(|low| low.finished);
                done.count(flag(&expected_text) == flag(&got_text));
            }
            if expected != got && differences.len() < SHOWN {
                differences.push((level, expected_text, got_text));
            }
        }
        let samples: Vec<Sample> = self
            .prompts
            .iter()
            .map(|prompt| {
                let tokens = [&prompt.frame[..], &prompt.guess].concat();
                Sample {
                    scored: prompt.frame.len()..tokens.len(),
                    tokens,
                    group: 0,
                }
            })
            .collect();
        let positions = compare([self.source, file], &samples, &mut || {})?;
        let context = self.source.network.context;
        let divergence = Divergence::of(&positions).ok_or(VerifyError::NothingFits { context })?;
        Ok(Outcome {
            levels,
            done,
            divergence,
            differences,
        })
    }

    /// The pairs of the metadata, in their order. Every value has a fixed width, so a header that was written with any
    /// outcome can be written over with another.
    pub fn record(&self, metadata: &mut Metadata, outcome: Option<&Outcome>) {
        let key = |name: &str| format!("{PREFIX}{name}");
        metadata.set(key("transitions.sha256"), self.sha256.as_str());
        metadata.set(key("limit"), self.gate.agreement as f32);
        let levels = outcome.map_or([Agreement::default(); 3], |outcome| outcome.levels);
        for (level, agreement) in PolicyLevel::ALL.into_iter().zip(levels) {
            let level = level.name();
            metadata.set(key(&format!("{level}.samples")), agreement.of);
            metadata.set(key(&format!("{level}.agreement")), agreement.share() as f32);
        }
        let done = outcome.map_or(Agreement::default(), |outcome| outcome.done);
        metadata.set(key("done.agreement"), done.share() as f32);
        let kl = |of: fn(&Divergence) -> f64| {
            outcome.map_or(0.0, |outcome| recorded(of(&outcome.divergence)))
        };
        metadata.set(key("kl.mean"), kl(|found| found.mean_kl));
        metadata.set(key("kl.p99"), kl(|found| found.p99_kl));
    }

    /// Says what is under the limit, one line each.
    #[must_use]
    pub fn objections(&self, outcome: &Outcome) -> Vec<String> {
        let mut lines = Vec::new();
        let names = PolicyLevel::ALL.map(PolicyLevel::name).into_iter();
        let parts = names
            .zip(outcome.levels)
            .chain([("done flag", outcome.done)]);
        for (name, agreement) in parts {
            if agreement.share() < self.gate.agreement {
                lines.push(format!(
                    "{name}: {} of {} equal ({:.2} %), the limit is {:.2} %",
                    agreement.equal,
                    agreement.of,
                    100.0 * agreement.share(),
                    100.0 * self.gate.agreement
                ));
            }
        }
        lines
    }
}

/// Two significant digits: the last bits of a sum of exponentials depend on the processor's instructions, and the file
/// should not.
fn recorded(value: f64) -> f32 {
    // What was just printed as a number reads back as one.
    format!("{value:.1e}").parse().unwrap_or(f32::NAN)
}

/// A callback that tells `observe` how many of `total` utterances are done.
fn steps<'o>(
    work: &'static str,
    total: usize,
    observe: &'o mut impl FnMut(Progress<'_>),
) -> impl FnMut(usize) + 'o {
    move |done| {
        observe(Progress {
            work,
            done: done as u64,
            total: total as u64,
        });
    }
}
