//! What daemon and worker say to each other, in the postcard wire format.

use serde::{Deserialize, Serialize};

/// From the daemon to its worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToWorker {
    /// Load a policy; always the first message, and sent once.
    Load(Load),
    /// Make a step.
    Step {
        /// Names the step in the answer.
        job: u64,
        /// What the step needs.
        step: StepInput,
    },
    /// Show that the policy still answers.
    Probe,
}

/// Which policy, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// The GGUF file.
    pub path: String,
    /// The device profile as JSON: its optional fields have no place in a format without names.
    pub profile: String,
    /// CPU threads.
    pub threads: u32,
    /// Decode actions along verb templates filled with the names of the frame.
    pub constrain: bool,
    /// Tell what the policy was asked and said, for the transition log.
    pub tell_calls: bool,
}

/// A step without its agent's name: what the policy needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInput {
    /// The agent's state, as the checksummed record of `stride-firmware-config`.
    pub state: Vec<u8>,
    /// What the world says.
    pub observation: String,
    /// The world did not understand the last action.
    pub invalid: bool,
    /// The actions among which one is chosen, when they are listed.
    pub actions: Option<Vec<String>>,
}

/// One call of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// What it was asked: a frame as JSON, for its form names its fields.
    pub frame: String,
    /// What it said, normalised.
    pub text: String,
}

/// From the worker to the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromWorker {
    /// The policy is loaded and has answered a first frame.
    Loaded {
        /// Tokens of its context.
        context_tokens: u32,
    },
    /// The policy cannot be loaded; the worker ends.
    Refused {
        /// Why.
        message: String,
    },
    /// A step is made.
    Stepped {
        /// Which.
        job: u64,
        /// The agent after it, or why the policy could not answer.
        result: Result<StepOutcome, String>,
    },
    /// The policy still answers, or does not.
    Probed {
        /// Why not.
        result: Result<(), String>,
    },
}

/// A step that was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StepOutcome {
    /// The agent's state after the step, as a record.
    pub state: Vec<u8>,
    /// The action, unless the limit of actions ended the episode.
    pub action: Option<String>,
    /// The step began a subtask.
    pub began: bool,
    /// The cap of actions or the loop rule closed the subtask before it.
    pub stuck: bool,
    /// The action was put in the place of something that did not parse.
    pub repaired: bool,
    /// Text was cut.
    pub cut: bool,
    /// Tokens of the frames.
    pub prompt_tokens: u32,
    /// Of these, decoded.
    pub decoded_tokens: u32,
    /// Tokens of the utterances.
    pub generated_tokens: u32,
    /// Microseconds inside the policy.
    pub micros: u64,
    /// What the policy was asked and said, when the daemon wants to know.
    pub calls: Vec<Call>,
}
