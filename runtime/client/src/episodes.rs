//! The JSON bodies of episodes that the daemon plays itself, in environments that it opens.

use serde::{Deserialize, Serialize};

use crate::api::{Ending, StepFlags, Tokens};

/// Bytes of an environment's name at most.
pub const ENVIRONMENT: usize = 32;

/// An episode to be played.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RunEpisode {
    /// Names the episode and its agent: 1 to 32 ASCII letters, digits, `-` and `_`. Left out: the daemon draws one. The same request with the
    /// same id again joins the episode, goes on with one that was interrupted, or returns the one that was played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "openapi",
        schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")
    )]
    pub id: Option<String>,
    /// An environment of the deployment and one of its games, `NAME:GAME`. Games are counted from 0; the number of a game of `household`
    /// is its seed. Of an environment with one game its name is enough.
    #[cfg_attr(
        feature = "openapi",
        schema(
            max_length = 53,
            pattern = "^[A-Za-z0-9_-]{1,32}(:[0-9]{1,20})?$",
            example = "household:7"
        )
    )]
    pub environment: String,
    /// Actions at most; not more than the profile allows (`limits.actions_per_episode`), which is what it is when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1))]
    pub max_steps: Option<u32>,
    /// Choose every action among those that the environment lists as possible.
    #[serde(default)]
    pub admissible: bool,
    /// Answer with server-sent events as the episode is played: `begin` (an `EpisodeBegun`), `step` (an `EpisodeStep`) and `end` (an `Episode`), or
    /// `error` (an `ErrorBody`).
    #[serde(default)]
    pub stream: bool,
}

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpisodeBegun {
    /// The id of the episode and of its agent.
    pub id: String,
    /// The environment and the game as they were asked for.
    pub environment: String,
    /// The name of the game, the same on every machine.
    pub game: String,
    /// The kind of its task.
    pub task_type: String,
    /// What is to be done.
    pub task: String,
    /// The part of every observation that does not change.
    pub scene: String,
    /// What the environment says first.
    pub observation: String,
    /// Actions at most.
    pub max_steps: u32,
}

/// An action, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpisodeStep {
    /// Its number, from 1.
    pub step: u32,
    /// The subtask that the action serves.
    pub subtask: String,
    /// The progress in the subtask before it.
    pub progress: String,
    /// The action; `null` when the guard of the deployment did not let it out: nothing was done then.
    pub action: Option<String>,
    /// What the environment says after it.
    pub observation: String,
    /// The environment did not understand the action or could not do it.
    pub invalid: bool,
    /// The reward for it, as a fraction of the full score.
    pub reward: f32,
    /// The score after it, as a fraction of the full score.
    pub score: f32,
    /// The environment ended the episode with it.
    pub done: bool,
    /// With `done`: the task is complete.
    pub won: bool,
    /// What is to be known about the step.
    pub flags: StepFlags,
    /// What it cost in tokens.
    pub tokens: Tokens,
    /// Microseconds that the policy took.
    pub micros: u64,
    /// Microseconds that the environment took.
    pub world_micros: u64,
}

/// A whole episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Episode {
    /// What was played.
    pub begun: EpisodeBegun,
    /// How it ended: `success` and `failure` are the environment's word; `limit`: `max_steps` actions did not do.
    pub end: Ending,
    /// The score at the end, as a fraction of the full score; below 0 counts as 0.
    pub score: f32,
    /// The rewards, added up.
    pub reward: f64,
    /// The subtasks in their order.
    pub subtasks: Vec<String>,
    /// The steps in their order.
    pub steps: Vec<EpisodeStep>,
    /// What all of it cost in tokens. After `limit` that is more than the steps cost together: the agent takes the last observation in, too.
    pub tokens: Tokens,
    /// Microseconds that the policy took for all of it.
    pub micros: u64,
    /// Microseconds that the environment took for the steps.
    pub world_micros: u64,
    /// When its agent was made, in seconds since 1970.
    pub began_at: u64,
    /// When it ended, in seconds since 1970.
    pub ended_at: u64,
}

/// An event of an episode's stream, as server-sent events have it: a name, and JSON as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EpisodeEvent {
    /// What happened.
    pub event: EpisodeEventName,
    /// JSON of an `EpisodeBegun` (`begin`), an `EpisodeStep` (`step`), an `Episode` (`end`) or a refusal (`error`).
    pub data: String,
}

/// What happened in an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum EpisodeEventName {
    /// It begins; the first event.
    Begin,
    /// A step was made.
    Step,
    /// It ended; the last event.
    End,
    /// It could not be played on; the last event.
    Error,
}

/// An environment of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Its games, numbered from 0; `null` when it cannot be opened (the daemon's log says why).
    pub games: Option<u64>,
}

/// The environments of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnvironmentList {
    /// In order of their names.
    pub environments: Vec<Environment>,
    /// Actions of an episode at most.
    pub max_steps: u32,
    /// Episodes that are played at once, at most.
    pub episodes: u32,
}
