//! The JSON bodies of version 1. The daemon and its clients share these types; with the feature `openapi` they describe
//! themselves.

use serde::{Deserialize, Serialize};

/// Bytes of an agent's id at most.
pub const AGENT_ID: usize = 32;

/// Bytes of a request id at most.
pub const REQUEST_ID: usize = 64;

/// A new agent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateAgent {
    /// The agent's id: 1 to 32 ASCII letters, digits, `-` and `_`. Left out: the daemon draws one. A client that may have to
    /// repeat the request chooses it: an agent that exists with the same task and scene is returned as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")
    )]
    pub id: Option<String>,
    /// What is to be done. Cut at the profile's capacity.
    pub task: String,
    /// The part of every observation that does not change. Cut at the profile's capacity.
    #[serde(default)]
    pub scene: String,
    /// All actions that the agent may ever be given: 1 to 4096 different ones of 1 to 96 bytes, without semicolons, at most
    /// 32768 bytes in all. Left out: whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 4096))]
    pub vocabulary: Option<Vec<String>>,
}

/// Where an agent stands between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AgentPhase {
    /// No step was made yet.
    New,
    /// An action was given out; the next observation is its result.
    Acted,
    /// The episode is over.
    Ended,
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The client said `done` and `won`.
    Success,
    /// The client said `done`.
    Failure,
    /// The profile's limit of actions was reached.
    Limit,
}

/// All that an agent remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its task.
    pub task: String,
    /// The static part of its observations.
    pub scene: String,
    /// Where it stands.
    pub phase: AgentPhase,
    /// How its episode ended, if it did.
    pub ending: Option<Ending>,
    /// Its current subtask; empty before the first.
    pub subtask: String,
    /// Its progress in the subtask; empty when there is none.
    pub progress: String,
    /// The subtasks it was given, oldest first, as far as they are remembered by name.
    pub completed: Vec<String>,
    /// Subtasks beside those: older ones, and repetitions.
    pub completed_dropped: u32,
    /// The last action given out; empty when it was refused.
    pub last_action: String,
    /// Actions given out.
    pub steps: u32,
    /// Actions given out in the current subtask.
    pub subtask_steps: u32,
    /// Steps in a row that repeated an action and got the same observation.
    pub repeats: u16,
    /// Utterances of the policy that did not parse.
    pub malformed: u32,
    /// Bytes that did not fit their buffers.
    pub dropped_bytes: u32,
    /// The rewards that the client reported, added up.
    pub reward: f64,
    /// When it was made, in seconds since 1970.
    pub created_at: u64,
    /// When it made its last step (or was made), in seconds since 1970.
    pub used_at: u64,
}

/// One line of a list of agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentSummary {
    /// Its id.
    pub id: String,
    /// Whether its episode is over.
    pub ended: bool,
    /// When it made its last step, in seconds since 1970.
    pub used_at: u64,
}

/// A page of the list of agents, in order of their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentList {
    /// The agents of this page.
    pub agents: Vec<AgentSummary>,
    /// Agents in all.
    pub total: u32,
    /// Agents at most.
    pub capacity: u32,
    /// Where the next page begins (`?after=`), if there is one.
    pub next: Option<String>,
}

/// One step: what the world says now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    /// Names this step: 1 to 64 printable ASCII characters, another one for every step of an agent. The same id again returns
    /// the recorded answer, so a client may repeat a request as often as it must.
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 64, pattern = "^[!-~]+$")
    )]
    pub request_id: String,
    /// What the world says: the opening before the first action, then the result of the last one. Cut at the profile's
    /// capacity. May be empty when `done`.
    #[serde(default)]
    pub observation: String,
    /// The world did not understand the last action or could not do it.
    #[serde(default)]
    pub invalid: bool,
    /// The world's reward for the last action.
    #[serde(default)]
    pub reward: f32,
    /// The world has ended the episode. No action is chosen.
    #[serde(default)]
    pub done: bool,
    /// With `done`: the task is complete.
    #[serde(default)]
    pub won: bool,
    /// The actions among which this step's is chosen: 1 to 4096, of the agent's vocabulary if it has one. Left out: the
    /// vocabulary, or whatever the policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 4096))]
    pub admissible: Option<Vec<String>>,
}

/// What an agent does next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepAnswer {
    /// The id of the request.
    pub request_id: String,
    /// Actions given out so far, this one included.
    pub step: u32,
    /// The subtask that the action serves.
    pub subtask: String,
    /// The action; `null` when the episode is over, and when the action was `refused`: do nothing then.
    pub action: Option<String>,
    /// The progress in the subtask.
    pub progress: String,
    /// What is to be known about the step.
    pub flags: StepFlags,
    /// What it cost in tokens.
    pub tokens: Tokens,
    /// Microseconds that the policy took.
    pub micros: u64,
}

/// What is to be known about a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepFlags {
    /// The policy says that this action finishes its subtask.
    pub finished: bool,
    /// The step began a new subtask.
    pub began: bool,
    /// The agent repeated itself without any change, or used up the actions of a subtask, so its subtask was closed.
    pub stuck: bool,
    /// What the policy said did not parse and was replaced by a harmless action.
    pub repaired: bool,
    /// Text did not fit its buffer and was cut.
    pub cut: bool,
    /// The guard does not let the action out, or it is none of the admissible ones. Do nothing, and make the next step with what
    /// the world says then: the agent takes it as an action that could not be done.
    pub refused: bool,
    /// How the episode ended, if it did with this step.
    pub ended: Option<Ending>,
}

/// Tokens of a step, all policy calls together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// Of the frames.
    pub prompt: u32,
    /// Of these, computed anew (the rest was cached).
    pub decoded: u32,
    /// Of what the policy said.
    pub generated: u32,
}

/// One step of one agent, as the stream of events tells it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StepEvent {
    /// The agent.
    pub agent: String,
    /// The answer it was given.
    pub answer: StepAnswer,
}

/// Whether steps are being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Readiness {
    /// Whether the last policy call finished within the deadline and the store takes records.
    pub ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The model that answers, if one does.
    pub model: Option<ModelInfo>,
}

/// A model that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelInfo {
    /// Its name: that of its file, without the ending.
    pub name: String,
    /// SHA-256 of its file, in hexadecimal digits.
    pub sha256: String,
    /// Bytes of its file.
    pub bytes: u64,
    /// Tokens of its context.
    pub context_tokens: u32,
}

/// The models in the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelList {
    /// Their names, in order.
    pub models: Vec<String>,
    /// The one that serves.
    pub active: Option<ModelInfo>,
}

/// A wish for another model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ActivateModel {
    /// Its name: that of its file in the models folder, without the ending.
    pub model: String,
}

/// The body of every answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// One word for programs.
    pub code: String,
    /// A sentence for people: what, where, what to do.
    pub message: String,
    /// The kind of error, as programs made for the API of OpenAI expect it: `invalid_request_error`, `server_error` and so on.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The field at fault, where one is named apart; most messages name it.
    #[serde(default)]
    pub param: Option<String>,
}
