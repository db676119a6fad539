//! The prompt layout, version 1: the one place where frames become text.
//!
//! Training data and inference both render a [`StepFrame`] through [`StepFrame::segments`], so they agree byte for byte
//! and token for token. A frame is a sequence of segments; each is one marker (a special token of the policy's vocabulary)
//! followed by plain text. Text never becomes a marker: it is tokenized with special tokens switched off.
//!
//! ```text
//! head       <|begin|> <|scene|> S <|observation|> o
//! high       head <|task|> c (<|completed|> g)* <|progress|> p̂ <|high|>      -> subtask
//! low        head <|subtask|> g <|progress|> p <|low|>                       -> action; True|False
//! progress   head <|subtask|> g <|progress|> p <|action|> a <|update|>       -> progress
//! ```
//!
//! The order is chosen for the KV cache (method section 12.1): the constant and the static part of the observation come
//! first, then the observation, which serves the progress call, the action call and (at the end of a subtask) the
//! high-level call of one step; what differs by level comes last.
//!
//! Every non-empty segment text and every utterance starts with one space. So a word has one token whether it opens a
//! segment or stands inside it, which is what lets a small network copy it.

use core::fmt::{self, Write as _};

use heapless::String;

use crate::capacity;
use crate::level::PolicyLevel;
use crate::state::Completed;

/// Version of this layout. It is written into every policy; an engine refuses a policy of another version.
pub const LAYOUT_VERSION: u32 = 1;

/// Among the capacities that a policy states (`capacities` in `stride.json`, `stride.capacity.` in GGUF): the issued subtasks that it
/// reads by name, 1 to [`capacity::COMPLETED`]; all where it does not say.
pub const COMPLETED_CAPACITY: &str = "completed";

/// What an empty progress reads as (p_0 of every subtask and the first p̂, method section 2).
pub const NO_PROGRESS: &str = "None";

/// A special token that opens a segment or asks for an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Marker {
    /// Opens every frame (the vocabulary's BOS).
    Begin,
    /// Ends every utterance (the vocabulary's EOS).
    End,
    /// The static part of the observation.
    Scene,
    /// The observation.
    Observation,
    /// The task instruction.
    Task,
    /// One issued subtask.
    Completed,
    /// The current subtask.
    Subtask,
    /// The local progress, or the final progress of the last subtask.
    Progress,
    /// The action that led to the observation.
    Action,
    /// Asks for a subtask.
    High,
    /// Asks for an action and its flag.
    Low,
    /// Asks for the new progress.
    Update,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.token())
    }
}

impl Marker {
    /// All markers, in the order of their token ids in a vocabulary trained here.
    pub const ALL: [Self; 12] = [
        Self::Begin,
        Self::End,
        Self::Scene,
        Self::Observation,
        Self::Task,
        Self::Completed,
        Self::Subtask,
        Self::Progress,
        Self::Action,
        Self::High,
        Self::Low,
        Self::Update,
    ];

    /// The special token as it stands in the vocabulary.
    #[must_use]
    pub const fn token(self) -> &'static str {
        match self {
            Self::Begin => "<|begin|>",
            Self::End => "<|end|>",
            Self::Scene => "<|scene|>",
            Self::Observation => "<|observation|>",
            Self::Task => "<|task|>",
            Self::Completed => "<|completed|>",
            Self::Subtask => "<|subtask|>",
            Self::Progress => "<|progress|>",
            Self::Action => "<|action|>",
            Self::High => "<|high|>",
            Self::Low => "<|low|>",
            Self::Update => "<|update|>",
        }
    }
}

/// One marker and the text behind it (empty for markers that stand alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The special token that opens the segment.
    pub marker: Marker,
    /// Plain text, without the leading space that the rendering adds.
    pub text: &'a str,
}

/// The marker, then a space and the text unless it is empty: the text form of the layout.
impl fmt::Display for Segment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.marker.token())?;
        if self.text.is_empty() {
            return Ok(());
        }
        f.write_char(' ')?;
        f.write_str(self.text)
    }
}

/// The state `s` of one decision, by level (method section 2). It borrows everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepFrame<'a> {
    /// Input of the high-level policy: task, issued subtasks, final progress of the last one, observation.
    High {
        /// Static part of the observation.
        scene: &'a str,
        /// Current observation.
        observation: &'a str,
        /// Task instruction.
        task: &'a str,
        /// Issued subtasks.
        completed: &'a Completed,
        /// Final progress p̂ of the last subtask.
        progress: &'a str,
    },
    /// Input of the low-level policy: subtask, observation, local progress.
    Low {
        /// Static part of the observation.
        scene: &'a str,
        /// Current observation.
        observation: &'a str,
        /// Current subtask.
        subtask: &'a str,
        /// Local progress.
        progress: &'a str,
    },
    /// Input of the progress policy: subtask, previous progress, action, resulting observation.
    Progress {
        /// Static part of the observation.
        scene: &'a str,
        /// Resulting observation.
        observation: &'a str,
        /// Current subtask.
        subtask: &'a str,
        /// Previous local progress.
        progress: &'a str,
        /// The action, without its flag.
        action: &'a str,
    },
}

impl<'a> StepFrame<'a> {
    /// The level this frame asks.
    #[must_use]
    pub const fn level(&self) -> PolicyLevel {
        match self {
            Self::High { .. } => PolicyLevel::High,
            Self::Low { .. } => PolicyLevel::Low,
            Self::Progress { .. } => PolicyLevel::Progress,
        }
    }

    /// Static part of the observation.
    #[must_use]
    pub const fn scene(&self) -> &'a str {
        match self {
            Self::High { scene, .. } | Self::Low { scene, .. } | Self::Progress { scene, .. } => {
                scene
            }
        }
    }

    /// The observation.
    #[must_use]
    pub const fn observation(&self) -> &'a str {
        match self {
            Self::High { observation, .. }
            | Self::Low { observation, .. }
            | Self::Progress { observation, .. } => observation,
        }
    }

    /// Hands every segment to `sink` in the order of the layout; the last one is the marker that asks.
    pub fn segments(&self, sink: impl FnMut(Segment<'_>)) {
        self.segments_within(capacity::COMPLETED, sink);
    }

    /// The same for a policy that reads at most `completed` issued subtasks by name: older ones count among the earlier ones. What an agent
    /// remembers is bounded by the device; what a policy reads is bounded by what it was trained on.
    pub fn segments_within(&self, completed: usize, mut sink: impl FnMut(Segment<'_>)) {
        let readable = completed;
        let mut put = |marker, text: &str| sink(Segment { marker, text });
        put(Marker::Begin, "");
        put(Marker::Scene, self.scene());
        put(Marker::Observation, self.observation());
        match *self {
            Self::High {
                task,
                completed,
                progress,
                ..
            } => {
                put(Marker::Task, task);
                let unread = completed.len().saturating_sub(readable);
                let earlier = completed
                    .dropped()
                    .saturating_add(u32::try_from(unread).unwrap_or(u32::MAX));
                if earlier > 0 {
                    let mut note: String<24> = String::new();
                    // 24 bytes hold the note for any u32; a note that did not fit would be left out.
                    if write!(note, "{earlier} earlier").is_ok() {
                        put(Marker::Completed, &note);
                    }
                }
                for subtask in completed.iter().skip(unread) {
                    put(Marker::Completed, subtask);
                }
                put(Marker::Progress, or_none(progress));
                put(Marker::High, "");
            }
            Self::Low {
                subtask, progress, ..
            } => {
                put(Marker::Subtask, subtask);
                put(Marker::Progress, or_none(progress));
                put(Marker::Low, "");
            }
            Self::Progress {
                subtask,
                progress,
                action,
                ..
            } => {
                put(Marker::Subtask, subtask);
                put(Marker::Progress, or_none(progress));
                put(Marker::Action, action);
                put(Marker::Update, "");
            }
        }
    }
}

/// All segments one after the other, for people and tests. Never tokenize this text: a segment that spells a marker would
/// become one.
impl fmt::Display for StepFrame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = Ok(());
        self.segments(|segment| written = written.and_then(|()| write!(f, "{segment}")));
        written
    }
}

fn or_none(progress: &str) -> &str {
    if progress.is_empty() {
        NO_PROGRESS
    } else {
        progress
    }
}
