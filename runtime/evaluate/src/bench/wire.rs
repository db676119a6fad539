//! What a bench and its workers say to each other: one JSON object a line.

use std::io::{self, BufRead, Read as _, Write};

use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stride_engine::{EngineOptions, KvType};

use crate::memory::Memory;
use crate::policy::PolicyOptions;

/// Bytes of a line at most: texts of an episode are a few kilobytes.
const MOST_LINE: u64 = 1 << 20;

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The step-level agent as users run it.
    Step,
    /// The step-level agent that forgets its KV cache before every call: each frame is decoded whole, plain greedy.
    Naive {
        /// How its cache is stored.
        cache: Cache,
    },
    /// The history-conditioned agent with a prefix cache.
    History {
        /// Its context.
        context_tokens: u32,
        /// How its cache is stored.
        cache: Cache,
    },
}

/// How the KV cache of a baseline is stored, and which attention reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Cache {
    /// F16 with the fused attention: llama.cpp's own defaults
    F16,
    /// F16 without the fused attention
    F16Plain,
    /// Q8_0 with the fused attention, as the step-level agent has it
    #[value(name = "q8_0")]
    Q8_0,
}

impl Cache {
    /// Tells an engine.
    pub(super) fn settle(self, options: &mut EngineOptions) {
        options.flash_attention = self == Self::F16;
        options.kv_type = match self {
            Self::F16 | Self::F16Plain => KvType::F16,
            Self::Q8_0 => KvType::Q8_0,
        };
    }
}

impl Kind {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Naive { .. } => "naive",
            Self::History { .. } => "history",
        }
    }
}

/// What a worker is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Setup {
    /// Who it is.
    pub kind: Kind,
    /// The policy.
    pub options: PolicyOptions,
    /// What the agent sends when an utterance does not parse.
    pub fallback_action: String,
}

/// What a worker is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Become a contender. The first request.
    Load(Box<Setup>),
    /// An episode begins.
    Begin {
        /// The task.
        task: String,
        /// The static part of every observation.
        scene: String,
    },
    /// Choose an action.
    Decide {
        /// What is seen.
        observation: String,
        /// What is done whatever is chosen; `None`: what is chosen.
        instead: Option<Instead>,
    },
    /// Take in what came of it.
    Observe {
        /// What is seen now.
        observation: String,
        /// The world did not understand the action.
        invalid: bool,
    },
    /// Decode and answer one frame over and over, to tell a token of a prompt from one of an utterance.
    Time {
        /// The static part of the observation.
        scene: String,
        /// The observation.
        observation: String,
        /// How often; the medians are reported.
        repeat: u32,
    },
}

/// Times of one token, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Of a prompt.
    pub prefill_nanos: u64,
    /// Of an utterance.
    pub decode_nanos: u64,
}

/// The action that is taken in place of the chosen one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instead {
    /// The action.
    pub action: String,
    /// Its flag; `None`: the flag that was chosen.
    pub finished: Option<bool>,
}

/// What a request cost and brought.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Why it could not be done.
    pub error: Option<String>,
    /// What the policy itself said, when it was asked to decide.
    pub said: String,
    /// The action that the agent now waits for the result of.
    pub action: String,
    /// Its flag.
    pub finished: bool,
    /// What it cost.
    pub cost: Spent,
    /// The worker's memory afterwards.
    pub memory: Memory,
    /// Tokens of the history so far (history-conditioned agent).
    pub history_tokens: usize,
    /// What was timed.
    pub times: Option<Times>,
}

/// What some calls cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Nanoseconds of agent and policy together.
    pub nanos: u64,
    /// Nanoseconds of processor time meanwhile, all threads together; 0 where the system does not tell.
    pub cpu_nanos: u64,
    /// Of the nanoseconds, inside `llama_decode`.
    pub native_nanos: u64,
    /// Calls of `llama_decode`.
    pub decode_calls: u64,
    /// Calls of the policy.
    pub calls: u32,
    /// Tokens of the prompts.
    pub prompt_tokens: u64,
    /// Of these, found in the KV cache.
    pub cached_tokens: u64,
    /// Tokens of the utterances, end markers included.
    pub generated_tokens: u64,
    /// Of these, drafted and found right.
    pub accepted_tokens: u64,
}

impl Spent {
    /// The cost of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            nanos: self.nanos + other.nanos,
            cpu_nanos: self.cpu_nanos + other.cpu_nanos,
            native_nanos: self.native_nanos + other.native_nanos,
            decode_calls: self.decode_calls + other.decode_calls,
            calls: self.calls + other.calls,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            cached_tokens: self.cached_tokens + other.cached_tokens,
            generated_tokens: self.generated_tokens + other.generated_tokens,
            accepted_tokens: self.accepted_tokens + other.accepted_tokens,
        }
    }
}

/// Writes one line and flushes it.
///
/// # Errors
/// When the other side is gone.
pub fn send<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

/// Reads one line; `None` at the end.
///
/// # Errors
/// When the line is cut short, too long, or says something else.
pub fn receive<T: DeserializeOwned>(input: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    let read = input.by_ref().take(MOST_LINE).read_line(&mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if !line.ends_with('\n') {
        let problem = format!("a line of more than {MOST_LINE} bytes, or one cut short");
        return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
    }
    Ok(Some(serde_json::from_str(&line)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_and_broken_ones_are_refused() {
        let mut bytes = Vec::new();
        let begin = Request::Begin {
            task: "a\nb".into(),
            scene: String::new(),
        };
        send(&mut bytes, &begin).unwrap();
        let mut input = &bytes[..];
        let back: Request = receive(&mut input).unwrap().unwrap();
        assert!(matches!(back, Request::Begin { task, .. } if task == "a\nb"));
        assert!(receive::<Request>(&mut input).unwrap().is_none());
        for broken in ["{\"begin\"", "7\n", &"x".repeat(2 << 20)] {
            assert!(receive::<Request>(&mut broken.as_bytes()).is_err());
        }
    }
}
