//! One measured episode.

use serde::Serialize;
use stride_agent::agent::Limits;
use stride_agent::environment::Environment;
use stride_agent::episode;
use stride_agent::event::Both;
use stride_agent::policy::Policy;
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, Source, Transition};
use stride_firmware_config::level::PolicyLevel;

use crate::error::chain;
use crate::meter::{Meter, StepCost};
use crate::world::GameLabel;

/// How an episode came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum End {
    /// The task is complete.
    Success,
    /// The world ended the episode without success.
    Failure,
    /// The limit of actions was reached.
    Truncated,
    /// The world or the policy broke: no verdict on the policy's choices.
    Error {
        /// What broke.
        message: String,
    },
}

impl From<EndKind> for End {
    fn from(end: EndKind) -> Self {
        match end {
            EndKind::Success => Self::Success,
            EndKind::Failure => Self::Failure,
            EndKind::Truncated => Self::Truncated,
        }
    }
}

impl End {
    /// One word, as in reports.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Truncated => "truncated",
            Self::Error { .. } => "error",
        }
    }
}

/// Calls of each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Calls {
    /// Of the high level.
    pub high: u32,
    /// Of the low level.
    pub low: u32,
    /// Of the progress level.
    pub progress: u32,
}

impl From<[u32; 3]> for Calls {
    fn from(by_level: [u32; 3]) -> Self {
        let mut calls = Self::default();
        for (level, count) in PolicyLevel::ALL.into_iter().zip(by_level) {
            match level {
                PolicyLevel::High => calls.high = count,
                PolicyLevel::Low => calls.low = count,
                PolicyLevel::Progress => calls.progress = count,
            }
        }
        calls
    }
}

/// What one episode came to and cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Episode {
    /// The game's id, for example `valid_seen/…/game.tw-pddl` or `household:17`.
    pub game: String,
    /// The game's task type.
    pub task_type: String,
    /// How it ended.
    pub end: End,
    /// Actions sent to the world.
    pub steps: u32,
    /// Subtasks issued.
    pub subtasks: u32,
    /// Actions the world did not understand or could not do.
    pub invalid: u32,
    /// Utterances that did not parse.
    pub malformed: u32,
    /// Calls by level.
    pub calls: Calls,
    /// The cost of every step, in order.
    pub costs: Vec<StepCost>,
}

impl Episode {
    /// An episode that broke before its first step.
    #[must_use]
    pub fn broken(label: &GameLabel, message: String) -> Self {
        Self {
            game: label.id.clone(),
            task_type: label.task_type.clone(),
            end: End::Error { message },
            steps: 0,
            subtasks: 0,
            invalid: 0,
            malformed: 0,
            calls: Calls::default(),
            costs: Vec::new(),
        }
    }

    /// Whether the task was completed.
    #[must_use]
    pub fn won(&self) -> bool {
        self.end == End::Success
    }
}

/// How episodes are played.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The agent's limits.
    pub limits: Limits,
    /// Most actions of one episode.
    pub max_actions: u32,
    /// Whether to keep the transitions.
    pub record: bool,
}

/// Plays one episode and measures it. What breaks becomes the episode's end, so that one bad game never costs the table
/// of all the others. The transitions are empty unless [`Rules::record`] is set and the episode came to an end.
pub fn measure<P: Policy + ?Sized>(
    label: &GameLabel,
    environment: &mut dyn Environment,
    policy: &mut P,
    rules: &Rules,
) -> (Episode, Vec<Transition>) {
    let mut meter = Meter::new();
    let mut recorder = rules
        .record
        .then(|| Recorder::new(label.id.clone(), Source::Policy));
    let (limits, most) = (&rules.limits, rules.max_actions);
    let played = match &mut recorder {
        Some(recorder) => {
            let mut both = Both(&mut meter, recorder);
            episode::play(environment, policy, limits, most, &mut both)
        }
        None => episode::play(environment, policy, limits, most, &mut meter),
    };
    let (report, agent) = match played {
        Ok(played) => played,
        Err(error) => {
            let mut broken = Episode::broken(label, chain(&error));
            broken.costs = meter.into_steps();
            return (broken, Vec::new());
        }
    };
    let transitions = recorder.map_or_else(Vec::new, |recorder| recorder.finish(&report, &agent));
    let episode = Episode {
        game: label.id.clone(),
        task_type: label.task_type.clone(),
        end: report.end.into(),
        steps: report.steps,
        subtasks: report.subtasks,
        invalid: report.invalid,
        malformed: report.malformed,
        calls: report.calls.into(),
        costs: meter.into_steps(),
    };
    (episode, transitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Corridor, Walker};

    fn rules(record: bool) -> Rules {
        Rules {
            limits: Limits::default(),
            max_actions: 50,
            record,
        }
    }

    #[test]
    fn measures_and_records() {
        let label = GameLabel::new("corridor:4", "walk");
        let (episode, transitions) =
            measure(&label, &mut Corridor::new(4), &mut Walker, &rules(true));
        assert!(episode.won());
        assert_eq!((episode.steps, episode.subtasks), (4, 2));
        let calls = Calls {
            high: 2,
            low: 4,
            progress: 3,
        };
        assert_eq!(episode.calls, calls);
        assert_eq!(episode.costs.len(), 4);
        assert_eq!(transitions.len(), 9);
        assert!(transitions.iter().all(|t| t.source == Source::Policy));
    }

    #[test]
    fn records_nothing_unless_asked() {
        let label = GameLabel::new("corridor:60", "walk");
        let (episode, transitions) =
            measure(&label, &mut Corridor::new(60), &mut Walker, &rules(false));
        assert_eq!(episode.end, End::Truncated);
        assert_eq!(episode.steps, 50);
        assert!(transitions.is_empty());
    }

    #[test]
    fn what_breaks_is_an_end_of_its_own() {
        struct Mute;
        impl Policy for Mute {
            fn utter(
                &mut self,
                _: &stride_firmware_config::frame::StepFrame<'_>,
            ) -> Result<stride_agent::policy::Utterance, stride_agent::policy::PolicyError>
            {
                Err(stride_agent::policy::PolicyError::new("no voice"))
            }
        }
        let label = GameLabel::new("corridor:4", "walk");
        let (episode, _) = measure(&label, &mut Corridor::new(4), &mut Mute, &rules(true));
        let End::Error { message } = &episode.end else {
            panic!("{:?}", episode.end)
        };
        assert_eq!(message, "policy: no voice");
    }
}
