//! The batch engine behind handles that agents on threads of their own can use.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_agent::transition::FrameText;
use stride_firmware_config::frame::StepFrame;

use super::answer::Ticket;
use super::options::BatchOptions;
use super::policy::BatchPolicy;
use crate::error::EngineError;
use crate::policy::load_model;

type Outcome = Result<Utterance, EngineError>;

/// A call on its way to an inference thread.
struct Request {
    agent: u64,
    call: u64,
    frame: FrameText,
    reply: Sender<Outcome>,
}

/// Batch engines on threads of their own: one context each, over one copy of the weights. The threads end when this value
/// and all its handles are dropped.
#[derive(Debug)]
pub struct SharedPolicy {
    inboxes: Vec<Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

/// The policy as one agent sees it.
#[derive(Debug)]
pub struct AgentPolicy {
    agent: u64,
    calls: u64,
    inbox: Sender<Request>,
}

impl SharedPolicy {
    /// Loads a policy for `workers` inference threads, which share `options.slots` evenly. One worker for each core that
    /// agents may use is best: they never wait for each other, as the threads of one context do.
    ///
    /// # Errors
    /// As [`BatchPolicy::load`].
    pub fn load(
        path: &Path,
        options: &BatchOptions,
        workers: NonZeroU32,
    ) -> Result<Self, EngineError> {
        options.validate()?;
        let model = load_model(path, &options.engine)?;
        let slots = options.slots.get().div_ceil(workers.get());
        let each = BatchOptions {
            slots: NonZeroU32::new(slots).unwrap_or(NonZeroU32::MIN),
            ..options.clone()
        };
        let mut shared = Self {
            inboxes: Vec::new(),
            threads: Vec::new(),
        };
        for _ in 0..workers.get() {
            let policy = BatchPolicy::with_model(Arc::clone(&model), each.clone())?;
            let (inbox, requests) = mpsc::channel();
            shared.inboxes.push(inbox);
            shared
                .threads
                .push(thread::spawn(move || serve(policy, &requests)));
        }
        Ok(shared)
    }

    /// A handle for one agent. Handles of the same agent must not be used at the same time.
    #[must_use]
    pub fn agent(&self, agent: u64) -> AgentPolicy {
        let worker = usize::try_from(agent).unwrap_or(0) % self.inboxes.len();
        AgentPolicy {
            agent,
            calls: 0,
            inbox: self.inboxes[worker].clone(),
        }
    }
}

impl Drop for SharedPolicy {
    fn drop(&mut self) {
        self.inboxes.clear();
        for thread in self.threads.drain(..) {
            // A thread with handles left ends with the last of them.
            if thread.is_finished() {
                let _ = thread.join();
            }
        }
    }
}

impl AgentPolicy {
    /// Answers one frame, with the engine's own error type.
    ///
    /// # Errors
    /// As [`BatchPolicy::submit`], when llama.cpp fails, and when the inference thread has ended.
    pub fn answer(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, EngineError> {
        // A channel for each call: when the thread ends, its end is dropped and nobody waits for ever.
        let (reply, answers) = mpsc::channel();
        let request = Request {
            agent: self.agent,
            call: self.calls,
            frame: FrameText::from(frame),
            reply,
        };
        self.calls += 1;
        self.inbox.send(request).map_err(|_| EngineError::Gone)?;
        answers.recv().map_err(|_| EngineError::Gone)?
    }
}

impl Policy for AgentPolicy {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

/// Answers until all handles are dropped.
fn serve(mut policy: BatchPolicy, requests: &Receiver<Request>) {
    let mut replies = Replies::new();
    while let Ok(request) = requests.recv() {
        take_in(&mut policy, &mut replies, request);
        loop {
            for request in requests.try_iter() {
                take_in(&mut policy, &mut replies, request);
            }
            let busy = policy.advance();
            while let Some(answer) = policy.take_answer() {
                if let Some(reply) = replies.remove(&answer.ticket) {
                    // An agent that is gone needs no answer.
                    let _ = reply.send(answer.outcome);
                }
            }
            if !busy {
                break;
            }
        }
    }
}

type Replies = HashMap<Ticket, Sender<Outcome>>;

fn take_in(policy: &mut BatchPolicy, replies: &mut Replies, request: Request) {
    match policy.submit(request.agent, request.call, &request.frame.as_frame()) {
        Ok(ticket) => {
            replies.insert(ticket, request.reply);
        }
        Err(error) => {
            // As above.
            let _ = request.reply.send(Err(error));
        }
    }
}
