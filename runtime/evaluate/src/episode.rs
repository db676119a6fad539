//! One measured episode.

use serde::Serialize;
use stride_agent::agent::Limits;
use stride_agent::episode::{self, EpisodeError, EpisodeReport};
use stride_agent::event::{Both, Event, Observer};
use stride_agent::policy::Policy;
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, Source, Transition};
use stride_firmware_config::level::PolicyLevel;

use crate::frames::{Cuts, Frames, Prompt};
use crate::meter::{Meter, StepCost};
use crate::trail::{Trail, TrailStep};
use crate::world::{Game, GameLabel};
use stride_agent::text::chain;

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
        /// Which of them.
        origin: Origin,
        /// What broke.
        message: String,
    },
}

/// Where an error came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// The world could not be opened, died or hung.
    World,
    /// The policy could not answer.
    Policy,
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
    /// Final score in percent of the full score; below 0 counts as 0. Worlds that know only won and lost give 100 or 0.
    pub score: f64,
    /// The score at which the world's own protocol would have stopped counting, where it has a limit of moves beside ours
    /// ([`Game::score_at_move_limit`]).
    pub score_at_move_limit: Option<f64>,
    /// Truncated while it did nothing new ([`Trail::loops`]).
    pub looped: bool,
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
    /// Texts that did not fit their buffers.
    pub cuts: Cuts,
    /// The frame of every call, in order. Reports hold what they add up to.
    #[serde(skip)]
    pub prompts: Vec<Prompt>,
    /// The last steps of an episode that was not won.
    pub last_steps: Vec<TrailStep>,
}

impl Episode {
    /// An episode that broke before its first step.
    #[must_use]
    pub fn broken(label: &GameLabel, origin: Origin, message: String) -> Self {
        Self {
            game: label.id.clone(),
            task_type: label.task_type.clone(),
            end: End::Error { origin, message },
            score: 0.0,
            score_at_move_limit: None,
            looped: false,
            steps: 0,
            subtasks: 0,
            invalid: 0,
            malformed: 0,
            calls: Calls::default(),
            costs: Vec::new(),
            cuts: Cuts::new(),
            prompts: Vec::new(),
            last_steps: Vec::new(),
        }
    }

    /// Whether the task was completed.
    #[must_use]
    pub fn won(&self) -> bool {
        self.end == End::Success
    }

    /// Whether the episode says something about the policy: all but errors do.
    #[must_use]
    pub fn judged(&self) -> bool {
        !matches!(self.end, End::Error { .. })
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

/// All that watches an episode beside the recorder.
#[derive(Default)]
struct Watch {
    meter: Meter,
    frames: Frames,
    trail: Trail,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event<'_>) {
        self.meter.event(event);
        self.frames.event(event);
        self.trail.event(event);
    }

    fn now_micros(&self) -> u64 {
        self.meter.now_micros()
    }
}

/// Plays one episode and measures it. What breaks becomes the episode's end, so that one bad game never costs the table
/// of all the others. The transitions are empty unless [`Rules::record`] is set and the episode came to an end.
pub fn measure<P: Policy + ?Sized>(
    label: &GameLabel,
    game: &mut dyn Game,
    policy: &mut P,
    rules: &Rules,
) -> (Episode, Vec<Transition>) {
    let mut watch = Watch::default();
    let mut recorder = rules
        .record
        .then(|| Recorder::new(label.id.clone(), Source::Policy));
    let (limits, most) = (&rules.limits, rules.max_actions);
    let played = match &mut recorder {
        Some(recorder) => {
            let mut both = Both(&mut watch, recorder);
            episode::play(game, policy, limits, most, &mut both)
        }
        None => episode::play(game, policy, limits, most, &mut watch),
    };
    match played {
        Ok((report, agent)) => {
            let episode = ended(label, &report, game.score_at_move_limit(), watch);
            let transitions = recorder.map_or_else(Vec::new, |recorder| {
                recorder.finish(report.end, agent.state())
            });
            (episode, transitions)
        }
        Err(error) => {
            let origin = match error {
                EpisodeError::Environment(_) => Origin::World,
                _ => Origin::Policy,
            };
            let broken = Episode::broken(label, origin, chain(&error));
            (watched(broken, watch), Vec::new())
        }
    }
}

fn ended(
    label: &GameLabel,
    report: &EpisodeReport,
    score_at_move_limit: Option<f64>,
    watch: Watch,
) -> Episode {
    let end = End::from(report.end);
    let won = end == End::Success;
    let looped = end == End::Truncated && watch.trail.loops();
    let episode = Episode {
        game: label.id.clone(),
        task_type: label.task_type.clone(),
        end,
        score: percent(report.score),
        score_at_move_limit,
        looped,
        steps: report.steps,
        subtasks: report.subtasks,
        invalid: report.invalid,
        malformed: report.malformed,
        calls: report.calls.into(),
        costs: Vec::new(),
        cuts: Cuts::new(),
        prompts: Vec::new(),
        last_steps: Vec::new(),
    };
    let mut episode = watched(episode, watch);
    if won {
        episode.last_steps = Vec::new();
    }
    episode
}

fn watched(mut episode: Episode, watch: Watch) -> Episode {
    episode.costs = watch.meter.into_steps();
    (episode.prompts, episode.cuts) = watch.frames.into_parts();
    episode.last_steps = watch.trail.into_steps();
    episode
}

/// A fraction of the full score in percent, without the noise of its 24 bits; below 0 counts as 0.
#[must_use]
pub fn percent(fraction: f32) -> f64 {
    let percent = f64::from(fraction.max(0.0)) * 100.0;
    (percent * 1e4).round() / 1e4
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
        let End::Error { origin, message } = &episode.end else {
            panic!("{:?}", episode.end)
        };
        assert_eq!((*origin, &**message), (Origin::Policy, "policy: no voice"));
    }

    #[test]
    fn scores_are_percent_and_never_negative() {
        assert_eq!(percent(0.17), 17.0);
        assert_eq!(percent(-1.0), 0.0);
        let label = GameLabel::new("corridor:4", "walk");
        let score = |length| {
            let (episode, _) = measure(
                &label,
                &mut Corridor::new(length),
                &mut Walker,
                &rules(false),
            );
            (episode.score, episode.last_steps.len())
        };
        assert_eq!(score(4), (100.0, 0));
        assert_eq!(score(60), (0.0, crate::trail::LAST));
    }
}
