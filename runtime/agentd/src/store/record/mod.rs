//! All that is kept of one agent: a fixed number of bytes.

mod bytes;
#[cfg(test)]
mod tests;

use heapless::Vec as Bounded;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stride_client::api::{self, AgentPhase, Ending, StepAnswer, StepFlags, Tokens};
use stride_firmware_config::encoding;
use stride_firmware_config::state::{AgentState, Phase};
use stride_firmware_config::text::{BoundedText, Overflow};

pub use self::bytes::{RECORD, RecordError, VERSION};
use crate::worker::protocol::StepOutcome;

/// Request ids before the last that are remembered, so that a late repetition of one is not taken for a new step.
pub const REMEMBERED: usize = 16;

/// What is kept beside the state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Particulars {
    created_at: u64,
    used_at: u64,
    reward: f64,
    ending: Option<End>,
    last: Option<Last>,
    /// Hashes of the request ids before the last, oldest first.
    earlier: Bounded<[u8; 8], REMEMBERED>,
}

/// As [`Ending`], in a form whose numbers do not change when names do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    Success,
    Failure,
    Limit,
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Success => Self::Success,
            End::Failure => Self::Failure,
            End::Limit => Self::Limit,
        }
    }
}

/// What became of the action. Its first two forms are stored as `false` and `true` were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Given {
    /// There was none.
    None,
    /// It was given out.
    Action,
    /// It was chosen, and not given out.
    Refused,
}

/// What of the last answer does not stand in the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Last {
    request_id: BoundedText<{ api::REQUEST_ID }>,
    given: Given,
    began: bool,
    stuck: bool,
    repaired: bool,
    cut: bool,
    prompt: u32,
    decoded: u32,
    generated: u32,
    micros: u64,
}

/// Whether a request was seen before.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// Never.
    New,
    /// It was the last; this was the answer.
    Last(Box<StepAnswer>),
    /// It was answered before the last.
    Earlier,
}

/// One agent.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentRecord {
    state: AgentState,
    particulars: Particulars,
}

impl AgentRecord {
    /// A new agent.
    #[must_use]
    pub fn new(state: AgentState, now: u64) -> Self {
        Self {
            state,
            particulars: Particulars {
                created_at: now,
                used_at: now,
                reward: 0.0,
                ending: None,
                last: None,
                earlier: Bounded::new(),
            },
        }
    }

    /// All that the agent remembers.
    #[must_use]
    pub fn state(&self) -> &AgentState {
        &self.state
    }

    /// When it was last used, in seconds since 1970.
    #[must_use]
    pub fn used_at(&self) -> u64 {
        self.particulars.used_at
    }

    /// Whether its episode is over.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.particulars.ending.is_some()
    }

    /// When it was made, in seconds since 1970.
    #[must_use]
    pub fn made_at(&self) -> u64 {
        self.particulars.created_at
    }

    /// Whether its last action was not given out.
    #[must_use]
    pub fn refused(&self) -> bool {
        let last = self.particulars.last.as_ref();
        last.is_some_and(|last| last.given == Given::Refused)
    }

    /// Whether this request was answered before.
    #[must_use]
    pub fn seen(&self, request_id: &str) -> Seen {
        match &self.particulars.last {
            Some(last) if last.request_id.as_str() == request_id => {
                Seen::Last(Box::new(self.answer(last)))
            }
            _ if self.particulars.earlier.contains(&hash(request_id)) => Seen::Earlier,
            _ => Seen::New,
        }
    }

    /// Takes in a step that the policy made. `reward` is the world's for the action before it; an action that is `refused` is not
    /// given out.
    ///
    /// # Errors
    /// When the state in the outcome is damaged; the record is then as before.
    pub fn step(
        &mut self,
        request_id: &str,
        outcome: &StepOutcome,
        refused: bool,
        reward: f32,
        now: u64,
    ) -> Result<StepAnswer, RecordError> {
        self.state = encoding::decode(&outcome.state)?;
        let ending = outcome.action.is_none().then_some(End::Limit);
        let last = Last {
            request_id: bounded(request_id),
            given: match outcome.action {
                None => Given::None,
                Some(_) if refused => Given::Refused,
                Some(_) => Given::Action,
            },
            began: outcome.began,
            stuck: outcome.stuck,
            repaired: outcome.repaired,
            cut: outcome.cut,
            prompt: outcome.prompt_tokens,
            decoded: outcome.decoded_tokens,
            generated: outcome.generated_tokens,
            micros: outcome.micros,
        };
        Ok(self.note(last, ending, reward, now))
    }

    /// Takes in that the world has ended the episode.
    pub fn end(&mut self, request_id: &str, won: bool, reward: f32, now: u64) -> StepAnswer {
        self.state.phase = Phase::Ended;
        let last = Last {
            request_id: bounded(request_id),
            given: Given::None,
            began: false,
            stuck: false,
            repaired: false,
            cut: false,
            prompt: 0,
            decoded: 0,
            generated: 0,
            micros: 0,
        };
        let end = if won { End::Success } else { End::Failure };
        self.note(last, Some(end), reward, now)
    }

    fn note(&mut self, last: Last, ending: Option<End>, reward: f32, now: u64) -> StepAnswer {
        let particulars = &mut self.particulars;
        if let Some(before) = particulars.last.take() {
            if particulars.earlier.is_full() {
                particulars.earlier.remove(0);
            }
            let pushed = particulars.earlier.push(hash(before.request_id.as_str()));
            debug_assert!(pushed.is_ok(), "room was made above");
        }
        particulars.ending = ending;
        particulars.reward += f64::from(reward);
        particulars.used_at = now;
        let answer = self.answer(&last);
        self.particulars.last = Some(last);
        answer
    }

    fn answer(&self, last: &Last) -> StepAnswer {
        let state = &self.state;
        StepAnswer {
            request_id: last.request_id.as_str().into(),
            step: state.steps,
            subtask: state.subtask.as_str().into(),
            action: (last.given == Given::Action).then(|| state.last_action.as_str().into()),
            progress: state.progress.as_str().into(),
            flags: StepFlags {
                finished: last.given == Given::Action && state.last_flag,
                began: last.began,
                stuck: last.stuck,
                repaired: last.repaired,
                cut: last.cut,
                refused: last.given == Given::Refused,
                ended: self.particulars.ending.map(Ending::from),
            },
            tokens: Tokens {
                prompt: last.prompt,
                decoded: last.decoded,
                generated: last.generated,
            },
            micros: last.micros,
        }
    }

    /// The agent as the API shows it.
    #[must_use]
    pub fn describe(&self, id: &str) -> api::Agent {
        let (state, particulars) = (&self.state, &self.particulars);
        api::Agent {
            id: id.into(),
            task: state.task.as_str().into(),
            scene: state.scene.as_str().into(),
            phase: match state.phase {
                Phase::Ended => AgentPhase::Ended,
                Phase::Acted => AgentPhase::Acted,
                Phase::NeedsSubtask | Phase::HasSubtask => AgentPhase::New,
            },
            ending: particulars.ending.map(Ending::from),
            subtask: state.subtask.as_str().into(),
            progress: state.progress.as_str().into(),
            completed: state.completed.iter().map(String::from).collect(),
            completed_dropped: state.completed.dropped(),
            last_action: if self.refused() {
                String::new()
            } else {
                state.last_action.as_str().into()
            },
            steps: state.steps,
            subtask_steps: state.subtask_steps,
            repeats: state.repeats,
            malformed: state.malformed,
            dropped_bytes: state.dropped_bytes,
            reward: particulars.reward,
            created_at: particulars.created_at,
            used_at: particulars.used_at,
        }
    }
}

fn bounded(request_id: &str) -> BoundedText<{ api::REQUEST_ID }> {
    let mut text = BoundedText::new();
    let kept = text.set(request_id, Overflow::Cut);
    debug_assert!(kept.is_ok(), "cutting never refuses");
    text
}

fn hash(request_id: &str) -> [u8; 8] {
    let digest: [u8; 32] = Sha256::digest(request_id.as_bytes()).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    [a, b, c, d, e, f, g, h]
}
