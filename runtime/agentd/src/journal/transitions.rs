//! The transition log: episodes as [`Transition`]s, the lines that `stride-train` reads.
//!
//! A transition says how its episode ended, so an episode is kept in memory until it is over. One whose agent goes, that is
//! under way when the daemon ends, or that must make room in memory is written up to there as *truncated*; the rest of it, if
//! there is one, is logged as an episode of its own that begins at a later step. So is an episode with a hole in it.

use std::collections::HashMap;

use stride_agent::environment::Outcome;
use stride_agent::event::{Event, Observer as _};
use stride_agent::policy::Cost;
use stride_agent::recorder::Recorder;
use stride_agent::transition::{EndKind, FrameText, Source, Transition};
use stride_firmware_config::state::{AgentState, Phase};

use super::redaction::Redactor;
use super::writer::{Lines, Scribe};
use crate::store::AgentId;
use crate::worker::protocol::Call;

/// What a call takes in memory beside its text.
const CALL: usize = 1024;

/// What the log is told.
#[derive(Debug)]
pub enum Note {
    /// A step was recorded.
    Step(Box<StepNote>),
    /// An agent was deleted.
    Gone(AgentId),
}

impl Note {
    /// How many lines it is worth.
    #[must_use]
    pub fn lines(&self) -> u64 {
        match self {
            Self::Step(step) => step.calls.len() as u64,
            Self::Gone(_) => 0,
        }
    }
}

/// A step that was recorded.
#[derive(Debug)]
pub struct StepNote {
    /// Whose.
    pub agent: AgentId,
    /// When the agent was made, in seconds since 1970: ids can be used again.
    pub made_at: u64,
    /// The agent before.
    pub before: AgentState,
    /// And after.
    pub after: AgentState,
    /// What the world said.
    pub observation: String,
    /// The world's reward for the last action.
    pub reward: f32,
    /// The last action did nothing.
    pub invalid: bool,
    /// What the policy was asked, and said.
    pub calls: Vec<Call>,
    /// How the episode ended, if it did.
    pub end: Option<EndKind>,
}

/// Makes transitions of steps.
#[derive(Debug)]
pub struct Transitions {
    redactor: Redactor,
    /// Bytes of episodes under way at most.
    most: usize,
    held: usize,
    steps: u64,
    episodes: HashMap<AgentId, Episode>,
}

/// An episode under way.
#[derive(Debug)]
struct Episode {
    recorder: Recorder,
    made_at: u64,
    state: AgentState,
    bytes: usize,
    /// The number of its last step among all.
    used: u64,
}

impl Transitions {
    /// No episodes yet; those under way may take so many bytes together.
    #[must_use]
    pub fn new(redactor: Redactor, most: usize) -> Self {
        Self {
            redactor,
            most,
            held: 0,
            steps: 0,
            episodes: HashMap::new(),
        }
    }

    fn step(&mut self, step: StepNote, lines: &mut Lines) {
        let mut episode = match self.take(&step.agent) {
            Some(known) if known.made_at == step.made_at && known.state == step.before => known,
            Some(other) => {
                self.close(other, EndKind::Truncated, lines);
                Episode::joined(&step)
            }
            None => Episode::joined(&step),
        };
        let (agent, end) = (step.agent, step.end);
        episode.follow(step);
        if let Some(end) = end {
            self.close(episode, end, lines);
            return;
        }
        self.steps += 1;
        episode.used = self.steps;
        self.held += episode.bytes;
        self.episodes.insert(agent, episode);
        while self.held > self.most {
            let oldest = self.episodes.iter().min_by_key(|(_, it)| it.used);
            let oldest = oldest.map(|(agent, _)| *agent);
            let Some(episode) = oldest.and_then(|agent| self.take(&agent)) else {
                return;
            };
            self.close(episode, EndKind::Truncated, lines);
        }
    }

    fn take(&mut self, agent: &AgentId) -> Option<Episode> {
        let episode = self.episodes.remove(agent)?;
        self.held -= episode.bytes;
        Some(episode)
    }

    fn close(&self, episode: Episode, end: EndKind, lines: &mut Lines) {
        let Episode {
            recorder, state, ..
        } = episode;
        for mut transition in recorder.finish(end, &state) {
            self.redact(&mut transition);
            lines.push(&transition);
        }
    }

    fn redact(&self, transition: &mut Transition) {
        if self.redactor.is_empty() {
            return;
        }
        transition.utterance = self.redactor.redact(&transition.utterance);
        let frames = [Some(&mut transition.state), transition.next.as_mut()];
        for frame in frames.into_iter().flatten() {
            *frame = frame.edited(&mut |text| self.redactor.redact(text));
            let (FrameText::High { scene, .. }
            | FrameText::Low { scene, .. }
            | FrameText::Progress { scene, .. }) = frame;
            *scene = self.redactor.redact(scene);
        }
    }
}

impl Scribe<Note> for Transitions {
    fn note(&mut self, note: Note, lines: &mut Lines) {
        match note {
            Note::Step(step) => self.step(*step, lines),
            Note::Gone(agent) => {
                if let Some(episode) = self.take(&agent) {
                    self.close(episode, EndKind::Truncated, lines);
                }
            }
        }
    }

    fn finish(&mut self, lines: &mut Lines) {
        let mut rest: Vec<_> = self.episodes.drain().map(|(_, episode)| episode).collect();
        rest.sort_by_key(|episode| episode.used);
        self.held = 0;
        for episode in rest {
            self.close(episode, EndKind::Truncated, lines);
        }
    }
}

impl Episode {
    /// Joins an episode at this step, be it the first or a later one.
    fn joined(step: &StepNote) -> Self {
        let before = &step.before;
        let acted = u32::from(before.phase == Phase::Acted);
        let game = format!("agent:{}@{}", step.agent, step.made_at);
        let first = before.steps.saturating_sub(acted);
        let issued = before.completed.issued();
        Self {
            recorder: Recorder::joining(game, Source::Policy, first, issued),
            made_at: step.made_at,
            state: AgentState::default(),
            bytes: size_of::<AgentState>(),
            used: 0,
        }
    }

    /// Tells the recorder what the loop in one process would have told it.
    fn follow(&mut self, step: StepNote) {
        let before = &step.before;
        if before.phase == Phase::Acted {
            let outcome = Outcome {
                observation: step.observation,
                reward: step.reward,
                score: 0.0,
                done: step.end.is_some(),
                won: step.end == Some(EndKind::Success),
                invalid: step.invalid,
            };
            self.recorder.event(&Event::Acted {
                step: before.steps.saturating_sub(1),
                action: &before.last_action,
                finished: before.last_flag,
                outcome: &outcome,
                micros: 0,
            });
        }
        for call in step.calls {
            let Ok(frame) = serde_json::from_str::<FrameText>(&call.frame) else {
                // The worker wrote it with the same code.
                tracing::error!("a call that is none; it is not logged");
                continue;
            };
            self.bytes += call.frame.len() + call.text.len() + CALL;
            self.recorder.event(&Event::Uttered {
                frame: &frame.as_frame(),
                text: &call.text,
                cost: Cost::default(),
                micros: 0,
            });
            if matches!(frame, FrameText::High { .. }) {
                self.recorder.event(&Event::SubtaskBegan {
                    index: step.after.completed.issued().saturating_sub(1),
                    subtask: &step.after.subtask,
                });
            }
        }
        self.state = step.after;
    }
}
