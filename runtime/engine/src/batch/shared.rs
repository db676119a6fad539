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

use super::answer::{Answer, Said, Ticket};
use super::options::BatchOptions;
use super::policy::BatchPolicy;
use super::streaming::{Next, Streaming, TextEnd, TextEvent};
use crate::error::EngineError;
use crate::grammar::{Grammars, Matching};
use crate::options::TextRequest;
use crate::policy::load_model;

type Outcome = Result<Utterance, EngineError>;

/// A call on its way to an inference thread.
enum Request {
    Frame {
        agent: u64,
        call: u64,
        frame: FrameText,
        actions: Option<Vec<String>>,
        reply: Sender<Outcome>,
    },
    Text {
        agent: u64,
        request: TextRequest,
        matching: Option<Box<Matching>>,
        reply: Sender<TextEvent>,
    },
}

/// Batch engines on threads of their own: one context each, over one copy of the weights. The threads end when this value
/// and all its handles are dropped.
#[derive(Debug)]
pub struct SharedPolicy {
    inboxes: Vec<Sender<Request>>,
    context_tokens: u32,
    threads: Vec<JoinHandle<()>>,
    grammars: Option<Arc<Grammars>>,
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
            context_tokens: 0,
            threads: Vec::new(),
            grammars: None,
        };
        for _ in 0..workers.get() {
            let policy = BatchPolicy::with_model(Arc::clone(&model), each.clone())?;
            shared.context_tokens = policy.context_tokens();
            shared
                .grammars
                .get_or_insert_with(|| Arc::clone(policy.grammars()));
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
        AgentPolicy {
            agent,
            calls: 0,
            inbox: self.inbox(agent).clone(),
        }
    }

    /// The context of one call in tokens.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.context_tokens
    }

    /// Continues a text beside the calls of the agents; its events end with [`TextEvent::End`]. When the receiver is dropped,
    /// so is the text. Events that end without it mean that the inference thread has ended. A grammar is compiled before it
    /// gets there, so that a large one keeps only its own text waiting.
    #[must_use]
    pub fn text(&self, agent: u64, request: TextRequest) -> Receiver<TextEvent> {
        let (reply, events) = mpsc::channel();
        let grammar = request.grammar.as_ref().zip(self.grammars.as_ref());
        let matching = match grammar.map(|(grammar, all)| all.compile(grammar)) {
            Some(Err(error)) => {
                // The receiver is ours.
                let _ = reply.send(TextEvent::End(Err(error)));
                return events;
            }
            matching => matching.and_then(Result::ok).map(Box::new),
        };
        let request = Request::Text {
            agent,
            request,
            matching,
            reply,
        };
        // Should the thread be gone, the events end at once.
        let _ = self.inbox(agent).send(request);
        events
    }

    fn inbox(&self, agent: u64) -> &Sender<Request> {
        let worker = usize::try_from(agent).unwrap_or(0) % self.inboxes.len();
        &self.inboxes[worker]
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
        self.answer_one_of(frame, None)
    }

    /// As [`AgentPolicy::answer`]; a low-level call says one of these actions, with either flag.
    ///
    /// # Errors
    /// As [`AgentPolicy::answer`], and [`EngineError::Actions`] when the list cannot be used.
    pub fn answer_among(
        &mut self,
        frame: &StepFrame<'_>,
        actions: &[String],
    ) -> Result<Utterance, EngineError> {
        self.answer_one_of(frame, Some(actions.to_vec()))
    }

    fn answer_one_of(
        &mut self,
        frame: &StepFrame<'_>,
        actions: Option<Vec<String>>,
    ) -> Result<Utterance, EngineError> {
        // A channel for each call: when the thread ends, its end is dropped and nobody waits for ever.
        let (reply, answers) = mpsc::channel();
        let request = Request::Frame {
            agent: self.agent,
            call: self.calls,
            frame: FrameText::from(frame),
            actions,
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
    let mut open = Open::default();
    while let Ok(request) = requests.recv() {
        open.take_in(&mut policy, request);
        loop {
            for request in requests.try_iter() {
                open.take_in(&mut policy, request);
            }
            let busy = policy.advance();
            open.grow(&mut policy);
            while let Some(answer) = policy.take_answer() {
                open.answer(answer);
            }
            if !busy {
                break;
            }
        }
    }
}

/// Who waits for what.
#[derive(Default)]
struct Open {
    frames: HashMap<Ticket, Sender<Outcome>>,
    texts: HashMap<Ticket, Streaming>,
}

impl Open {
    fn take_in(&mut self, policy: &mut BatchPolicy, request: Request) {
        match request {
            Request::Frame {
                agent,
                call,
                frame,
                actions,
                reply,
            } => {
                let frame = frame.as_frame();
                let ticket = match actions {
                    Some(actions) => policy.submit_among(agent, call, &frame, &actions),
                    None => policy.submit(agent, call, &frame),
                };
                match ticket {
                    Ok(ticket) => drop(self.frames.insert(ticket, reply)),
                    // An agent that is gone needs no answer.
                    Err(error) => drop(reply.send(Err(error))),
                }
            }
            Request::Text {
                agent,
                request,
                matching,
                reply,
            } => match policy.submit_matching(agent, &request, matching.map(|it| *it)) {
                Ok(ticket) => {
                    let streaming = Streaming::new(reply, request.stop);
                    self.texts.insert(ticket, streaming);
                }
                // As above.
                Err(error) => drop(reply.send(TextEvent::End(Err(error)))),
            },
        }
    }

    /// Hands out what the texts have grown by.
    fn grow(&mut self, policy: &mut BatchPolicy) {
        self.texts.retain(|ticket, streaming| {
            let next = policy
                .said(*ticket)
                .map_or(Next::Continue, |said| streaming.grow(&said));
            let goes_on = next == Next::Continue;
            if !goes_on {
                policy.cancel(*ticket);
            }
            goes_on
        });
    }

    fn answer(&mut self, answer: Answer) {
        if let Some(reply) = self.frames.remove(&answer.ticket) {
            // As above.
            let _ = reply.send(answer.outcome);
        } else if let Some(streaming) = self.texts.remove(&answer.ticket) {
            let cost = answer.outcome.as_ref().map(|said| said.cost);
            let cost = cost.unwrap_or_default();
            let said = Said {
                bytes: &answer.bytes,
                prompt_tokens: cost.prompt_tokens as usize,
                generated_tokens: cost.generated_tokens,
            };
            let end = answer.outcome.map(|_| TextEnd {
                prompt_tokens: cost.prompt_tokens,
                generated_tokens: cost.generated_tokens,
                capped: cost.capped,
            });
            streaming.finish(&said, end);
        }
    }
}
