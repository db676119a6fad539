//! All that is kept of one agent: a fixed number of bytes.
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 4 | `SGNT` |
//! | 4 | 2 | [`VERSION`], little-endian |
//! | 6 | 2 | length `n` of the particulars |
//! | 8 | `n` | the particulars, in the postcard wire format |
//! | 8 + n | 4 | CRC-32 of everything before it |
//! | 12 + n | 2 | length `m` of the state |
//! | 14 + n | `m` | the state, as the checksummed record of `stride-firmware-config` |
//! | 14 + n + m | rest | zeros |

use heapless::Vec as Bounded;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stride_client::api::{self, AgentPhase, Ending, StepAnswer, StepFlags, Tokens};
use stride_firmware_config::encoding::{self, DecodeError, MAX_ENCODED};
use stride_firmware_config::state::{AgentState, Phase};
use stride_firmware_config::text::{BoundedText, Overflow};

use crate::worker::protocol::StepOutcome;

/// Bytes of a record: with its key, one page of the store.
pub const RECORD: usize = 4032;

/// The version of the particulars that this build writes and reads.
pub const VERSION: u16 = 1;

/// Request ids before the last that are remembered, so that a late repetition of one is not taken for a new step.
pub const REMEMBERED: usize = 16;

const MAGIC: [u8; 4] = *b"SGNT";

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Other bytes, or another version.
    #[error(
        "no record of an agent, version {VERSION}; the state folder was written by another build"
    )]
    Foreign,
    /// Damaged.
    #[error("the record of the agent is damaged")]
    Damaged,
    /// The state in it is damaged or of another build.
    #[error(transparent)]
    State(#[from] DecodeError),
    /// It does not fit, which no agent of this build can bring about.
    #[error("the agent does not fit its record of {RECORD} bytes")]
    TooLong,
}

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

    /// The record's bytes.
    ///
    /// # Errors
    /// [`RecordError::TooLong`], never for an agent of this build.
    pub fn to_bytes(&self) -> Result<[u8; RECORD], RecordError> {
        let mut bytes = [0; RECORD];
        let body = postcard::to_slice(&self.particulars, &mut bytes[8..])
            .map_err(|_| RecordError::TooLong)?
            .len();
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&short(body)?.to_le_bytes());
        let end = 8 + body;
        let checksum = crc32fast::hash(&bytes[..end]);
        let (_, rest) = bytes.split_at_mut(end);
        let (stored, rest) = rest.split_first_chunk_mut().ok_or(RecordError::TooLong)?;
        *stored = checksum.to_le_bytes();
        let (length, rest) = rest.split_first_chunk_mut().ok_or(RecordError::TooLong)?;
        let state = encoding::encode(&self.state, rest).map_err(|_| RecordError::TooLong)?;
        *length = short(state)?.to_le_bytes();
        // What a failed or longer encoding left behind the state.
        rest[state..].fill(0);
        Ok(bytes)
    }

    /// The agent in a record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_bytes(bytes: &[u8; RECORD]) -> Result<Self, RecordError> {
        let [m0, m1, m2, m3, v0, v1, l0, l1, ..] = *bytes;
        if [m0, m1, m2, m3] != MAGIC || u16::from_le_bytes([v0, v1]) != VERSION {
            return Err(RecordError::Foreign);
        }
        let end = 8 + usize::from(u16::from_le_bytes([l0, l1]));
        let signed = bytes.get(..end).ok_or(RecordError::Damaged)?;
        let (stored, rest) = bytes[end..]
            .split_first_chunk()
            .ok_or(RecordError::Damaged)?;
        if crc32fast::hash(signed) != u32::from_le_bytes(*stored) {
            return Err(RecordError::Damaged);
        }
        let particulars = postcard::from_bytes(&signed[8..]).map_err(|_| RecordError::Damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or(RecordError::Damaged)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let state = rest.get(..length).ok_or(RecordError::Damaged)?;
        Ok(Self {
            state: encoding::decode(state)?,
            particulars,
        })
    }
}

/// Bytes of the longest particulars: three numbers of 8 to 10 bytes, an ending, a last answer, the earlier ids.
const PARTICULARS: usize =
    10 + 10 + 8 + 2 + (1 + 1 + api::REQUEST_ID + 5 + 15 + 10) + (1 + 8 * REMEMBERED);

const _: () = assert!(
    8 + PARTICULARS + 4 + 2 + MAX_ENCODED <= RECORD,
    "any agent of this build must fit its record"
);

fn short(length: usize) -> Result<u16, RecordError> {
    u16::try_from(length).map_err(|_| RecordError::TooLong)
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

#[cfg(test)]
mod tests {
    use stride_firmware_config::capacity;

    use super::*;
    use crate::worker::step;

    /// An agent whose every text and number is as long as it can be.
    fn longest() -> AgentRecord {
        let mut state = AgentState::default();
        let long = "x".repeat(2048);
        let fill = |set: Result<_, _>| assert!(set.is_ok());
        fill(state.task.set(&long, Overflow::Cut));
        fill(state.scene.set(&long, Overflow::Cut));
        fill(state.subtask.set(&long, Overflow::Cut));
        fill(state.progress.set(&long, Overflow::Cut));
        fill(state.last_action.set(&long, Overflow::Cut));
        for n in 0..20 {
            state
                .completed
                .push(&format!("{n}{long}"), capacity::COMPLETED);
        }
        state.steps = u32::MAX;
        state.dropped_bytes = u32::MAX;
        let mut record = AgentRecord::new(state, u64::MAX);
        for n in 0..40 {
            let outcome = StepOutcome {
                state: step::encode(&record.state).unwrap(),
                action: Some(long.clone()),
                prompt_tokens: u32::MAX,
                decoded_tokens: u32::MAX,
                generated_tokens: u32::MAX,
                micros: u64::MAX,
                ..StepOutcome::default()
            };
            record
                .step(&format!("{n:0>64}"), &outcome, true, 1.0, u64::MAX)
                .unwrap();
        }
        record
    }

    #[test]
    fn the_longest_agent_fits_and_comes_back() {
        let record = longest();
        let bytes = record.to_bytes().unwrap();
        assert_eq!(AgentRecord::from_bytes(&bytes).unwrap(), record);
    }

    #[test]
    fn every_damaged_byte_is_noticed_where_it_matters() {
        let record = longest();
        let bytes = record.to_bytes().unwrap();
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        for at in 0..=end {
            let mut damaged = bytes;
            damaged[at] ^= 0x10;
            assert!(AgentRecord::from_bytes(&damaged).is_err(), "byte {at}");
        }
        assert_eq!(
            AgentRecord::from_bytes(&[0; RECORD]),
            Err(RecordError::Foreign)
        );
    }

    #[test]
    fn repeated_requests_are_known() {
        let mut record = AgentRecord::new(AgentState::default(), 1);
        let mut answers = Vec::new();
        for n in 0..REMEMBERED + 2 {
            let id = format!("r{n}");
            assert_eq!(record.seen(&id), Seen::New);
            let outcome = StepOutcome {
                state: step::encode(&AgentState {
                    steps: u32::try_from(n).unwrap() + 1,
                    ..AgentState::default()
                })
                .unwrap(),
                action: Some("look".into()),
                ..StepOutcome::default()
            };
            answers.push(record.step(&id, &outcome, n % 2 == 1, 0.0, 2).unwrap());
            let stored = AgentRecord::from_bytes(&record.to_bytes().unwrap()).unwrap();
            assert_eq!(stored.seen(&id), Seen::Last(Box::new(answers[n].clone())));
        }
        let given: Vec<_> = answers.iter().map(|it| it.action.is_some()).collect();
        assert_eq!(given[..3], [true, false, true]);
        assert!(
            answers
                .iter()
                .all(|it| it.flags.refused == it.action.is_none())
        );
        assert_eq!(record.seen("r1"), Seen::Earlier);
        assert_eq!(
            record.seen("r0"),
            Seen::New,
            "older than what is remembered"
        );
        let end = record.end("over", true, 1.0, 3);
        assert_eq!((end.action, end.flags.ended), (None, Some(Ending::Success)));
        assert!(record.ended());
    }
}
