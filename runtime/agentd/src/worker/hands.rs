//! The policy behind the worker: the calls of all steps under way share its decode calls.

use std::num::NonZeroU32;
use std::path::Path;

use stride_agent::agent::{AgentError, Limits};
use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_engine::{
    ActionTemplates, AgentPolicy, BatchOptions, EngineError, EngineOptions, Grammar, SharedPolicy,
    TextEvent, TextRequest, estimate_batch, repeatable,
};
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::profile::DeviceProfile;

use super::protocol::{
    FILE, Load, StepInput, StepOutcome, TextGrammar, TextInput, TextOutput, Unmade,
};
use super::step::{self, ListedPolicy, StepError};

/// Calls that are answered together at most, where memory allows it: more bring nothing on the processors at hand.
const MOST: u32 = 16;

/// The number under which the worker asks for itself.
const NOBODY: u64 = u64::MAX;

/// A policy and the limits of the agents that it moves. All hands share it.
#[derive(Debug)]
pub(super) struct Asked {
    policy: SharedPolicy,
    limits: Limits,
    max_actions: u32,
    tell_calls: bool,
    slots: NonZeroU32,
    repeatable: bool,
}

impl Asked {
    pub(super) fn load(load: &Load) -> Result<Self, String> {
        // Whoever reads the message knows the file by its name.
        Self::load_file(load).map_err(|message| message.replace(FILE, &load.path))
    }

    fn load_file(load: &Load) -> Result<Self, String> {
        let profile: DeviceProfile =
            serde_json::from_str(&load.profile).map_err(|error| format!("profile: {error}"))?;
        let engine = EngineOptions {
            threads: NonZeroU32::new(load.threads).unwrap_or(NonZeroU32::MIN),
            constraint: load.constrain.then(ActionTemplates::default),
            ..EngineOptions::default()
        };
        let options = BatchOptions {
            engine: engine.under_profile(&profile),
            ..BatchOptions::default()
        };
        let path = Path::new(FILE);
        let slots = match NonZeroU32::new(load.slots) {
            Some(slots) => slots,
            None => affordable(path, &options, profile.memory.budget_bytes)
                .map_err(|error| error.to_string())?,
        };
        let options = BatchOptions { slots, ..options };
        let policy = SharedPolicy::load(path, &options, NonZeroU32::MIN)
            .map_err(|error| error.to_string())?;
        let asked = Self {
            policy,
            limits: Limits::of_profile(&profile),
            max_actions: profile.limits.actions_per_episode,
            tell_calls: load.tell_calls,
            slots,
            repeatable: repeatable(path, &options.engine),
        };
        asked.probe()?;
        Ok(asked)
    }

    /// Tokens of the context of one call.
    pub(super) fn context_tokens(&self) -> u32 {
        self.policy.context_tokens()
    }

    /// Calls that are answered together at most.
    pub(super) fn slots(&self) -> u32 {
        self.slots.get()
    }

    /// Whether a frame gets the same answer each time.
    pub(super) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    pub(super) fn make(&self, step: &StepInput) -> Result<StepOutcome, Unmade> {
        let mut policy = Held(self.policy.agent(step.agent));
        let (limits, max_actions) = (&self.limits, self.max_actions);
        step::make(&mut policy, limits, max_actions, step, self.tell_calls)
            .map_err(|error| unmade(&error))
    }

    /// Lets the policy answer a frame that every policy has room for.
    pub(super) fn probe(&self) -> Result<(), String> {
        let frame = StepFrame::Low {
            scene: "",
            observation: "You are in the middle of a room.",
            subtask: "look around",
            progress: "",
        };
        let said = Held(self.policy.agent(NOBODY)).utter(&frame);
        said.map(drop).map_err(|error| error.to_string())
    }

    /// Continues a text, and tells how it grows, as long as it is `wanted`.
    pub(super) fn text(
        &self,
        text: TextInput,
        wanted: impl Fn() -> bool,
        mut tell: impl FnMut(TextOutput),
    ) {
        if !wanted() {
            return tell(TextOutput::Cancelled);
        }
        let request = TextRequest {
            prompt: text.prompt,
            max_tokens: text.max_tokens.and_then(NonZeroU32::new),
            temperature: text.temperature,
            seed: text.seed,
            stop: text.stop,
            grammar: text.grammar.map(|grammar| match grammar {
                TextGrammar::Gbnf(source) => Grammar::Gbnf(source),
                TextGrammar::JsonSchema(source) => Grammar::JsonSchema(source),
            }),
        };
        for event in self.policy.text(NOBODY, request) {
            let end = match event {
                // The policy sees that nobody takes its events.
                TextEvent::Piece(_) if !wanted() => TextOutput::Cancelled,
                TextEvent::Piece(piece) => {
                    tell(TextOutput::Piece(piece));
                    continue;
                }
                TextEvent::End(Ok(end)) => TextOutput::End {
                    prompt_tokens: end.prompt_tokens,
                    generated_tokens: end.generated_tokens,
                    capped: end.capped,
                },
                TextEvent::End(Err(
                    error @ (EngineError::TextTooLong { .. } | EngineError::Grammar { .. }),
                )) => TextOutput::Refused(error.to_string()),
                TextEvent::End(Err(error)) => TextOutput::Failed(error.to_string()),
            };
            tell(end);
            return;
        }
        give_up();
    }
}

/// Whose fault it is that a step was not made.
fn unmade(error: &StepError) -> Unmade {
    let reason = error.to_string();
    match error {
        StepError::Agent(AgentError::Policy(PolicyError(source))) => match source.downcast_ref() {
            Some(EngineError::FrameTooLong { .. } | EngineError::Actions { .. }) => {
                Unmade::Input(reason)
            }
            _ => Unmade::Policy(reason),
        },
        // Record and phase are what the daemon sent.
        StepError::Agent(_) | StepError::Decode(_) => Unmade::Input(reason),
        StepError::Encode(_) => Unmade::Policy(reason),
    }
}

/// The most slots, in halves of [`MOST`], with which the policy stays within the memory of the profile; one at least.
fn affordable(path: &Path, options: &BatchOptions, budget: u64) -> Result<NonZeroU32, EngineError> {
    let most = MOST.min(options.engine.batch_tokens.get());
    let mut slots = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
    while slots.get() > 1 {
        let wanted = BatchOptions {
            slots,
            ..options.clone()
        };
        if estimate_batch(path, &wanted)?.total() <= budget {
            break;
        }
        slots = NonZeroU32::new(slots.get() / 2).unwrap_or(NonZeroU32::MIN);
    }
    Ok(slots)
}

/// The policy as one agent sees it. When its thread has ended, so does the worker, for another is better than none.
struct Held(AgentPolicy);

impl Held {
    fn checked(said: Result<Utterance, EngineError>) -> Result<Utterance, PolicyError> {
        if matches!(said, Err(EngineError::Gone)) {
            give_up();
        }
        said.map_err(PolicyError::new)
    }
}

impl Policy for Held {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        Self::checked(self.0.answer(frame))
    }
}

impl ListedPolicy for Held {
    fn utter_among(
        &mut self,
        frame: &StepFrame<'_>,
        actions: &[String],
    ) -> Result<Utterance, PolicyError> {
        Self::checked(self.0.answer_among(frame, actions))
    }
}

fn give_up() -> ! {
    eprintln!("stride-agentd worker: the inference thread has ended");
    std::process::abort()
}
