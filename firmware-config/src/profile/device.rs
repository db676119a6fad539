//! The profile of one board.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Agents, Capacities, Inference, Limits, Measured, Memory, ProfileError};
use crate::text::{BoundedText, Overflow};

/// Bytes of a profile's name at most.
pub const NAME: usize = 48;

/// Bytes of a profile's description at most.
pub const DESCRIPTION: usize = 256;

/// What one board can hold, and how a policy is run on it.
///
/// Keys that a file leaves out have the values of [`DeviceProfile::standard`], except the name, which is then `custom`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceProfile {
    /// Names the profile in logs, metrics and files: ASCII letters, digits, `-`, `_` and `.`, at most [`NAME`] bytes.
    #[serde(default = "custom")]
    pub name: BoundedText<NAME>,
    /// One sentence for people, at most [`DESCRIPTION`] bytes; default empty.
    #[serde(default)]
    pub description: BoundedText<DESCRIPTION>,
    /// How long texts may be.
    #[serde(default)]
    pub capacities: Capacities,
    /// When an episode or a subtask ends without the policy saying so.
    #[serde(default)]
    pub limits: Limits,
    /// How the policy is run.
    #[serde(default)]
    pub inference: Inference,
    /// What the process may take.
    #[serde(default)]
    pub memory: Memory,
    /// How many agents a daemon keeps, and for how long.
    #[serde(default)]
    pub agents: Agents,
    /// What was measured on the board; left out until somebody measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

impl DeviceProfile {
    /// The profile for a machine of which nothing is known: full capacities, two CPU threads, a context of 1024 tokens,
    /// any quantization, 150 MiB.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            name: literal("standard"),
            description: literal("A machine of which nothing is known: two CPU threads, 150 MiB."),
            capacities: Capacities::STANDARD,
            limits: Limits::STANDARD,
            inference: Inference::STANDARD,
            memory: Memory::STANDARD,
            agents: Agents::STANDARD,
            measured: None,
        }
    }

    /// The profile as it holds on a machine with the processor of this name, if it has one. Threads and batch that were measured on
    /// that go before those that the profile's author thought of; what was measured on another is left out.
    #[must_use]
    pub fn on(mut self, processor: Option<&str>) -> Self {
        self.measured = self
            .measured
            .filter(|measured| processor.is_some_and(|name| measured.is_of(name)));
        if let Some(measured) = &self.measured {
            self.inference.threads = measured.threads;
            self.inference.batch_tokens = measured.batch_tokens;
        }
        self
    }

    /// Checks every field and the fields against each other.
    ///
    /// # Errors
    /// The first problem that [`DeviceProfile::problems`] reports.
    pub fn validate(&self) -> Result<(), ProfileError> {
        let mut first = Ok(());
        self.problems(|problem| {
            if first.is_ok() {
                first = Err(problem);
            }
        });
        first
    }

    /// Hands every problem to `report`, so that a user can mend them all at once.
    pub fn problems(&self, mut report: impl FnMut(ProfileError)) {
        let report: &mut dyn FnMut(ProfileError) = &mut report;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || !self.name.chars().all(plain) {
            report(ProfileError::Name);
        }
        self.capacities.problems(report);
        self.limits.problems(report);
        self.agents.problems(report);
        self.inference.problems(report);
        let (utterance_field, utterance) = self.capacities.largest_utterance();
        let prompt = self.capacities.prompt_tokens;
        let context = self.inference.context_tokens;
        if u64::from(prompt) + u64::from(utterance) > u64::from(context) {
            report(ProfileError::ContextTooSmall {
                context,
                prompt,
                utterance_field,
                utterance,
            });
        }
        self.memory
            .problems(&self.capacities, &self.inference, report);
        if let Some(measured) = &self.measured {
            measured.problems(&self.inference, report);
        }
    }
}

impl Default for DeviceProfile {
    fn default() -> Self {
        Self::standard()
    }
}

/// One line for logs: name, threads, context, batch, GPU layers, quantization, KV type, budget.
impl fmt::Display for DeviceProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &self.inference;
        write!(
            f,
            "{}: {} threads, {} tokens of context, batches of {}, {} GPU layers, ",
            self.name, run.threads, run.context_tokens, run.batch_tokens, run.gpu_layers
        )?;
        match run.quantization {
            Some(quantization) => write!(f, "{quantization} weights, ")?,
            None => f.write_str("any weights, ")?,
        }
        write!(
            f,
            "{} KV cache, {} MiB",
            run.kv,
            self.memory.budget_bytes >> 20
        )
    }
}

fn custom() -> BoundedText<NAME> {
    literal("custom")
}

/// Text from the source, which fits; what did not would be cut, and a test would see it.
fn literal<const N: usize>(text: &str) -> BoundedText<N> {
    let mut bounded = BoundedText::new();
    let kept = bounded.set(text, Overflow::Cut);
    debug_assert!(kept.is_ok(), "cutting never refuses");
    bounded
}
