//! The engine of many agents.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::level::PolicyLevel;

use super::answer::Said;
use super::answer::{Answer, Counts, Ticket};
use super::call::Call;
use super::options::BatchOptions;
use super::slot::Slot;
use super::work::Due;
use crate::error::EngineError;
use crate::grammar::{Grammars, Matching};
use crate::native::{Context, ContextParams, Model, Rows};
use crate::options::TextRequest;
use crate::policy::{context_params, load_model};
use crate::writing::{Writer, Writing};

/// One GGUF policy that answers the calls of many agents in common decode calls. See the [module](super).
#[derive(Debug)]
pub struct BatchPolicy {
    pub(super) writer: Writer,
    pub(super) context: Context,
    pub(super) rows: Rows,
    pub(super) due: Vec<Due>,
    pub(super) slots: Vec<Slot>,
    /// The calls in the slots, by slot.
    pub(super) running: Vec<Option<Call>>,
    pub(super) waiting: VecDeque<Call>,
    most_waiting: usize,
    pub(super) finished: VecDeque<Answer>,
    /// For their memory.
    pub(super) spare: Vec<Writing>,
    tickets: u64,
    pub(super) counts: Counts,
}

impl BatchPolicy {
    /// Loads a policy and allocates all that it needs.
    ///
    /// # Errors
    /// As [`LlamaPolicy::load`](crate::LlamaPolicy::load), and when the slots are too many.
    pub fn load(path: &Path, options: BatchOptions) -> Result<Self, EngineError> {
        options.validate()?;
        let model = load_model(path, &options.engine)?;
        Self::with_model(model, options)
    }

    /// As [`BatchPolicy::load`], with a model that others may use too.
    pub(super) fn with_model(
        model: Arc<Model>,
        options: BatchOptions,
    ) -> Result<Self, EngineError> {
        let slots = options.slots;
        let writer = Writer::new(Arc::clone(&model), options.engine)?;
        let params = ContextParams {
            sequences: slots,
            outputs: slots,
            ..context_params(writer.options(), writer.context_tokens(), &model)
        };
        let context = Context::new(model, params)?;
        Ok(Self {
            rows: Rows::new(context.batch(), slots.get()),
            due: Vec::with_capacity(slots.get() as usize),
            slots: (0..slots.get())
                .map(|id| Slot::new(id, writer.context_tokens()))
                .collect(),
            running: (0..slots.get()).map(|_| None).collect(),
            waiting: VecDeque::new(),
            most_waiting: options.waiting.get() as usize,
            finished: VecDeque::new(),
            spare: Vec::new(),
            tickets: 0,
            counts: Counts::default(),
            context,
            writer,
        })
    }

    /// The context of one call in tokens: no frame and utterance longer than this are answered.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.writer.context_tokens()
    }

    /// Calls that are answered at the same time.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots.len()
    }

    /// How busy the engine is, and what it has done.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            waiting: self.waiting.len(),
            running: self.running.iter().flatten().count(),
            ..self.counts
        }
    }

    /// Takes a call in. `agent` is any number that stays with an agent; an agent has one call at a time. `call` numbers the
    /// calls of the agent: with seeded sampling an answer depends on seed, agent and call, and on nothing else.
    ///
    /// # Errors
    /// [`EngineError::FrameTooLong`], or [`EngineError::Busy`] when too many calls wait.
    pub fn submit(
        &mut self,
        agent: u64,
        call: u64,
        frame: &StepFrame<'_>,
    ) -> Result<Ticket, EngineError> {
        self.submit_one_of::<&str>(agent, call, frame, None)
    }

    /// As [`BatchPolicy::submit`]; a low-level call says one of these actions, with either flag.
    ///
    /// # Errors
    /// As [`BatchPolicy::submit`], and [`EngineError::Actions`] as [`LlamaPolicy::answer_among`](crate::LlamaPolicy).
    pub fn submit_among<S: AsRef<str>>(
        &mut self,
        agent: u64,
        call: u64,
        frame: &StepFrame<'_>,
        actions: &[S],
    ) -> Result<Ticket, EngineError> {
        self.submit_one_of(agent, call, frame, Some(actions))
    }

    fn submit_one_of<S: AsRef<str>>(
        &mut self,
        agent: u64,
        call: u64,
        frame: &StepFrame<'_>,
        actions: Option<&[S]>,
    ) -> Result<Ticket, EngineError> {
        if self.waiting.len() >= self.most_waiting {
            return Err(EngineError::Busy {
                waiting: self.waiting.len(),
            });
        }
        let mut writing = self.spare.pop().unwrap_or_else(|| self.writer.writing());
        // Agent 0 draws as a single engine does.
        let stream = agent.rotate_left(32) ^ call;
        if let Err(error) = self.writer.open(&mut writing, frame, actions, stream) {
            self.spare.push(writing);
            return Err(error);
        }
        let last_of_step = frame.level() == PolicyLevel::Low;
        Ok(self.enqueue(agent, writing, last_of_step))
    }

    /// Takes a text in, to be continued. Its stops are the caller's to find: see [`BatchPolicy::said`].
    ///
    /// # Errors
    /// [`EngineError::Grammar`], [`EngineError::TextTooLong`], or [`EngineError::Busy`] when too many calls wait.
    pub fn submit_text(
        &mut self,
        agent: u64,
        request: &TextRequest,
    ) -> Result<Ticket, EngineError> {
        let grammar = request.grammar.as_ref();
        let matching = grammar.map(|grammar| self.grammars().compile(grammar));
        self.submit_matching(agent, request, matching.transpose()?)
    }

    /// What compiles the grammars of texts.
    pub(super) fn grammars(&self) -> &Arc<Grammars> {
        self.writer.grammars()
    }

    /// As [`BatchPolicy::submit_text`], with the grammar of the request compiled.
    pub(super) fn submit_matching(
        &mut self,
        agent: u64,
        request: &TextRequest,
        matching: Option<Matching>,
    ) -> Result<Ticket, EngineError> {
        if self.waiting.len() >= self.most_waiting {
            return Err(EngineError::Busy {
                waiting: self.waiting.len(),
            });
        }
        let mut writing = self.spare.pop().unwrap_or_else(|| self.writer.writing());
        if let Err(error) = self.writer.open_text(&mut writing, request, matching) {
            self.spare.push(writing);
            return Err(error);
        }
        Ok(self.enqueue(agent, writing, true))
    }

    fn enqueue(&mut self, agent: u64, writing: Writing, last_of_step: bool) -> Ticket {
        let ticket = Ticket(self.tickets);
        self.tickets += 1;
        self.waiting.push_back(Call {
            ticket,
            agent,
            writing,
            submitted: self.counts.decodes,
            waited: 0,
            reused: 0,
            last_of_step,
        });
        ticket
    }

    /// What a call that runs has said so far.
    #[must_use]
    pub fn said(&self, ticket: Ticket) -> Option<Said<'_>> {
        let mut running = self.running.iter().flatten();
        let call = running.find(|call| call.ticket == ticket)?;
        Some(Said::of(&call.writing))
    }

    /// Forgets a call: no answer will come. `false` when it is answered already or was never submitted.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let is = |call: &Call| call.ticket == ticket;
        if let Some(call) = self
            .waiting
            .iter()
            .position(is)
            .and_then(|at| self.waiting.remove(at))
        {
            self.put_aside(call.writing);
            return true;
        }
        let Some(at) = self.running.iter().position(|c| c.as_ref().is_some_and(is)) else {
            return false;
        };
        if let Some(call) = self.leave(at) {
            self.put_aside(call.writing);
        }
        true
    }

    /// Keeps a call that is over for its memory.
    pub(super) fn put_aside(&mut self, mut writing: Writing) {
        writing.clear();
        self.spare.push(writing);
    }

    /// Makes one decode call for whoever is due. `false`: nothing is left to do. What was finished waits in
    /// [`BatchPolicy::take_answer`]; a call that fails is finished with its error, and others go on.
    pub fn advance(&mut self) -> bool {
        self.admit();
        self.collect_rows();
        if self.due.is_empty() {
            return !self.finished.is_empty();
        }
        let outcome = self.context.decode_rows(&mut self.rows);
        self.counts.decodes += 1;
        self.counts.tokens += self.rows.len() as u64;
        match outcome {
            Ok(()) => self.read_rows(),
            Err(error) => self.fail_rows(&error),
        }
        true
    }

    /// The next finished call.
    pub fn take_answer(&mut self) -> Option<Answer> {
        self.finished.pop_front()
    }
}
