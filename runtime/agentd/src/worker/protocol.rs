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
    /// Continue a text.
    Text {
        /// Names it in the answers.
        job: u64,
        /// What is wanted.
        text: TextInput,
    },
    /// Nobody waits for this text any more.
    Cancel {
        /// Which.
        job: u64,
    },
    /// Show that the policy still answers.
    Probe,
}

/// Where a worker finds its policy: the daemon gives it the open file as its standard output.
pub const FILE: &str = "/proc/self/fd/1";

/// Which policy, and how it is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// What messages call the GGUF file; the file itself is at [`FILE`].
    pub path: String,
    /// The device profile as JSON: its optional fields have no place in a format without names.
    pub profile: String,
    /// CPU threads.
    pub threads: u32,
    /// Calls that are answered together at most; 0: as many as the memory of the profile allows.
    pub slots: u32,
    /// Texts that are continued at once.
    pub texts: u32,
    /// Decode actions along verb templates filled with the names of the frame.
    pub constrain: bool,
    /// Tell what the policy was asked and said, for the transition log.
    pub tell_calls: bool,
}

/// A text to be continued.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextInput {
    /// The text.
    pub prompt: String,
    /// Tokens behind it at most.
    pub max_tokens: Option<u32>,
    /// 0 takes the likeliest token each time.
    pub temperature: f32,
    /// Repeats a draw.
    pub seed: u64,
    /// Texts at which it ends.
    pub stop: Vec<String>,
    /// What it must match.
    pub grammar: Option<TextGrammar>,
}

/// What a text must match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TextGrammar {
    /// A grammar in GBNF.
    Gbnf(String),
    /// A JSON schema, as JSON.
    JsonSchema(String),
}

/// What comes of a text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TextOutput {
    /// More of it.
    Piece(String),
    /// It is complete.
    End {
        /// Tokens in front of it.
        prompt_tokens: u32,
        /// Tokens of it.
        generated_tokens: u32,
        /// It ended because it was long enough.
        capped: bool,
    },
    /// It cannot be continued as was asked.
    Refused(String),
    /// The policy failed at it.
    Failed(String),
    /// It was ended because nobody waited for it.
    Cancelled,
}

/// A step without its agent's name: what the policy needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepInput {
    /// A number that stays with the agent: the policy remembers what it computed for it.
    pub agent: u64,
    /// The agent's state, as the checksummed record of `stride-firmware-config`.
    pub state: Vec<u8>,
    /// What the world says.
    pub observation: String,
    /// The world did not understand the last action.
    pub invalid: bool,
    /// The actions among which one is chosen, when they are listed.
    pub actions: Option<Vec<String>>,
    /// Actions of the episode at most, when they are fewer than the profile allows.
    pub max_actions: Option<u32>,
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
        /// Calls that it answers together.
        slots: u32,
        /// A frame gets the same answer each time.
        repeatable: bool,
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
        result: Result<StepOutcome, Unmade>,
    },
    /// A text has grown or ended.
    Text {
        /// Which.
        job: u64,
        /// What came of it.
        output: TextOutput,
    },
    /// The policy still answers, or does not.
    Probed {
        /// Why not.
        result: Result<(), String>,
    },
}

/// Why a step was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unmade {
    /// No policy could answer what it was given: a frame that is too long, a list that cannot be used.
    Input(String),
    /// This policy could not.
    Policy(String),
}

impl Unmade {
    /// In words.
    #[must_use]
    pub fn into_reason(self) -> String {
        match self {
            Self::Input(reason) | Self::Policy(reason) => reason,
        }
    }
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
