//! From a frame to an utterance, token by token: everything but the logits.
//!
//! A [`Writer`] is what a policy knows (vocabulary, constraint, caps); a [`Writing`] is one call. Whoever computes logits
//! drives both: [`Writer::open`] a frame, then, until [`Writing::finished`], compute the logits behind
//! [`Writing::tokens`] and hand them to [`Writer::take`]. Tokens that the constraint leaves no choice about are appended
//! without logits and reach the cache together with what follows them.

use std::sync::Arc;

use stride_agent::places::NameList;
use stride_agent::policy::{Cost, Utterance};
use stride_firmware_config::capacity;
use stride_firmware_config::frame::{Marker, StepFrame};
use stride_firmware_config::level::PolicyLevel;

use crate::constraint::{ActionTemplates, Constraint, NameGuard, Walk};
use crate::error::EngineError;
use crate::grammar::{Grammars, Matching};
use crate::native::{Model, Token};
use crate::options::{EngineOptions, TextRequest};
use crate::sampling::{self, Choice, Picked};
use crate::vocabulary::Vocabulary;

/// What all calls of a policy share.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) vocabulary: Vocabulary,
    options: EngineOptions,
    context_tokens: u32,
    constraint: Constraint,
    /// Guards the names of the other levels, when the options constrain.
    guard: Option<NameGuard>,
    grammars: Arc<Grammars>,
}

/// One call. It is reused for its memory: opening it again forgets the call before.
#[derive(Debug)]
pub(crate) struct Writing {
    /// The frame and the utterance so far.
    tokens: Vec<Token>,
    /// Tokens of the frame.
    prompt: usize,
    level: PolicyLevel,
    choice: Choice,
    /// Tokens left until the cap.
    left: u32,
    generated: u32,
    /// How clearly the least clear token was chosen.
    margin: f32,
    /// Tokens that were drafted and found right.
    pub(crate) accepted: u32,
    state: State,
    /// Whether the utterance goes along the constraint.
    constrained: bool,
    /// Whether it is a text, which no frame is in front of.
    plain: bool,
    /// Where the text is in its grammar, if it has one.
    matching: Option<Box<Matching>>,
    walk: Walk,
    /// The names that the guard allows, for the other levels.
    names: NameList,
    /// The utterance as bytes.
    text: Vec<u8>,
    forbidden: Vec<Token>,
    /// Words that were taken back: where they stood, and their first token.
    taken_back: Vec<(usize, Token)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Ended,
    Capped,
}

impl Writer {
    /// Checks the model's layout and prepares the constraint.
    pub(crate) fn new(model: Arc<Model>, options: EngineOptions) -> Result<Self, EngineError> {
        let context_tokens = context_tokens(&options, model.context_trained())?;
        let mut vocabulary = Vocabulary::new(Arc::clone(&model))?;
        let grammars = Grammars::new(model, vocabulary.marker(Marker::End));
        let none = ActionTemplates::none();
        let templates = options.constraint.as_ref().unwrap_or(&none);
        let constraint = Constraint::new(templates, &mut vocabulary);
        let guard = options
            .constraint
            .is_some()
            .then(|| NameGuard::new(&vocabulary));
        Ok(Self {
            vocabulary,
            options,
            context_tokens,
            constraint,
            guard,
            grammars: Arc::new(grammars),
        })
    }

    /// What the caller decided.
    pub(crate) fn options(&self) -> &EngineOptions {
        &self.options
    }

    /// What compiles the grammars of texts.
    pub(crate) fn grammars(&self) -> &Arc<Grammars> {
        &self.grammars
    }

    /// The context of one call in tokens.
    pub(crate) fn context_tokens(&self) -> u32 {
        self.context_tokens
    }

    /// A call with room for the longest frame and utterance.
    pub(crate) fn writing(&self) -> Writing {
        Writing {
            tokens: Vec::with_capacity(self.context_tokens as usize),
            prompt: 0,
            level: PolicyLevel::Low,
            choice: Choice::Greedy,
            left: 0,
            generated: 0,
            margin: f32::INFINITY,
            accepted: 0,
            state: State::Capped,
            constrained: false,
            plain: false,
            matching: None,
            walk: Walk::default(),
            names: NameList::default(),
            text: Vec::with_capacity(TEXT_BYTES),
            forbidden: Vec::new(),
            taken_back: Vec::new(),
        }
    }

    /// Starts a call; `stream` numbers the random draws of seeded sampling. A low-level call says one of `actions`, when
    /// they are listed.
    ///
    /// # Errors
    /// When the frame and its longest utterance do not fit the context, or the list cannot be used.
    pub(crate) fn open<S: AsRef<str>>(
        &mut self,
        writing: &mut Writing,
        frame: &StepFrame<'_>,
        actions: Option<&[S]>,
        stream: u64,
    ) -> Result<(), EngineError> {
        let level = frame.level();
        actions.map_or(Ok(()), check_actions)?;
        let cap = self.options.utterance_caps.get(level);
        writing.state = State::Capped;
        writing.tokens.clear();
        self.vocabulary.push_frame(frame, &mut writing.tokens);
        self.check_room(level, writing.tokens.len(), cap)?;
        writing.prompt = writing.tokens.len();
        writing.level = level;
        writing.choice = Choice::for_call(self.options.sampling, level, stream);
        writing.left = cap;
        writing.generated = 0;
        writing.margin = f32::INFINITY;
        writing.accepted = 0;
        writing.state = State::Open;
        writing.text.clear();
        writing.taken_back.clear();
        let templates = self.options.constraint.is_some();
        let (walk, vocabulary) = (&mut writing.walk, &mut self.vocabulary);
        writing.plain = false;
        writing.constrained = level == PolicyLevel::Low && (templates || actions.is_some());
        match actions {
            _ if !writing.constrained => {}
            Some(actions) => self.constraint.open_listed(walk, actions, vocabulary),
            None => self.constraint.open(walk, frame, vocabulary),
        }
        if writing.constrained {
            self.append_forced(writing);
        } else if templates {
            writing.names = NameGuard::names(frame, vocabulary.completed());
        }
        Ok(())
    }

    /// Starts the continuation of a text, which `matching` keeps to its grammar.
    ///
    /// # Errors
    /// When the text and what is to follow do not fit the context.
    pub(crate) fn open_text(
        &mut self,
        writing: &mut Writing,
        request: &TextRequest,
        matching: Option<Matching>,
    ) -> Result<(), EngineError> {
        writing.state = State::Capped;
        writing.tokens.clear();
        writing.tokens.push(self.vocabulary.marker(Marker::Begin));
        self.vocabulary
            .push_text(&request.prompt, &mut writing.tokens);
        let prompt_tokens = writing.tokens.len();
        let context = self.context_tokens;
        let room = context.saturating_sub(count(prompt_tokens));
        let max_tokens = match request.max_tokens {
            Some(wanted) => wanted.get(),
            None => room.clamp(1, TextRequest::MOST_TOKENS),
        };
        if max_tokens > room {
            return Err(EngineError::TextTooLong {
                prompt_tokens,
                max_tokens,
                context,
            });
        }
        writing.prompt = prompt_tokens;
        writing.choice = Choice::for_text(request.temperature, request.seed);
        writing.left = max_tokens;
        writing.generated = 0;
        writing.margin = f32::INFINITY;
        writing.accepted = 0;
        writing.state = State::Open;
        writing.plain = true;
        writing.matching = matching.map(Box::new);
        writing.constrained = false;
        writing.text.clear();
        writing.taken_back.clear();
        Ok(())
    }

    pub(crate) fn check_room(
        &self,
        level: PolicyLevel,
        prompt_tokens: usize,
        cap: u32,
    ) -> Result<(), EngineError> {
        let context = self.context_tokens;
        if prompt_tokens.saturating_add(cap as usize) > context as usize {
            return Err(EngineError::FrameTooLong {
                level,
                prompt_tokens,
                cap,
                context,
            });
        }
        Ok(())
    }

    /// Appends the next token by the logits behind [`Writing::tokens`].
    ///
    /// # Errors
    /// When no logit is a number.
    pub(crate) fn take(&self, writing: &mut Writing, logits: &[f32]) -> Result<(), EngineError> {
        if writing.constrained {
            let picked = writing.choice.pick_among(logits, writing.walk.allowed())?;
            let token = writing.note(picked);
            self.append_allowed(writing, token);
            self.append_forced(writing);
            return Ok(());
        }
        if let Some(matching) = &mut writing.matching {
            let picked = matching.pick(&mut writing.choice, logits)?;
            let complete = matching.is_complete();
            let token = writing.note(picked);
            self.append(writing, token);
            if complete {
                writing.state = State::Ended;
            }
            return Ok(());
        }
        writing.forbidden.clear();
        let here = writing.tokens.len();
        let barred = writing.taken_back.iter().filter(|(at, _)| *at == here);
        writing.forbidden.extend(barred.map(|(_, token)| *token));
        if let Some(guard) = &self.guard
            && !writing.plain
        {
            let text = text_of(&writing.text);
            guard.forbid(&writing.names, &text, &mut writing.forbidden);
            let unnamed = NameGuard::unnamed(&writing.names, &text).map(str::len);
            if let Some(length) = unnamed {
                let wanted = writing.note(sampling::most_likely(logits)?);
                if writing.forbidden.contains(&wanted) {
                    // It wants a number behind a kind of which the frame names none: the kind itself is the invention.
                    self.take_back(writing, length);
                    return Ok(());
                }
            }
        }
        let picked = writing.choice.pick_without(logits, &writing.forbidden)?;
        let token = writing.note(picked);
        self.append(writing, token);
        Ok(())
    }

    /// What was said, and what it cost when `reused` tokens of the frame were found in the cache.
    pub(crate) fn utterance(&self, writing: &Writing, reused: usize) -> Utterance {
        Utterance {
            text: text_of(&writing.text).into_owned(),
            cost: Cost {
                prompt_tokens: count(writing.prompt),
                decoded_tokens: count(writing.prompt.saturating_sub(reused)),
                generated_tokens: writing.generated,
                accepted_tokens: writing.accepted,
                capped: writing.state == State::Capped,
            },
        }
    }

    /// Removes the last word, of `length` bytes, and remembers not to begin it here again.
    fn take_back(&self, writing: &mut Writing, length: usize) {
        let said = &writing.tokens[writing.prompt..];
        let start = self.vocabulary.word_start(said, length) + writing.prompt;
        writing.taken_back.push((start, writing.tokens[start]));
        writing.tokens.truncate(start);
        writing.text.clear();
        for token in &writing.tokens[writing.prompt..] {
            self.vocabulary.push_piece(*token, &mut writing.text);
        }
        writing.count_one();
    }

    fn append(&self, writing: &mut Writing, token: Token) {
        writing.count_one();
        if token == self.vocabulary.marker(Marker::End) {
            writing.state = State::Ended;
        } else {
            writing.tokens.push(token);
            self.vocabulary.push_piece(token, &mut writing.text);
        }
    }

    /// Appends a token that the constraint allows.
    fn append_allowed(&self, writing: &mut Writing, token: Token) {
        if token != self.vocabulary.marker(Marker::End) {
            self.constraint.advance(&mut writing.walk, token);
        }
        self.append(writing, token);
    }

    /// Appends what the constraint leaves no choice about.
    fn append_forced(&self, writing: &mut Writing) {
        while writing.state == State::Open {
            match writing.walk.allowed() {
                &[only] => self.append_allowed(writing, only),
                // Not reached: a walk that is not finished always has a way on.
                [] => writing.state = State::Ended,
                _ => return,
            }
        }
    }
}

impl Writing {
    /// The frame and the utterance so far: what the logits are wanted behind.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether the utterance is complete, by its end marker or its cap.
    pub(crate) fn finished(&self) -> bool {
        self.state != State::Open
    }

    /// What was said, as bytes; the last character may not be whole yet.
    pub(crate) fn said(&self) -> &[u8] {
        &self.text
    }

    /// Whether it is a text, which no frame is in front of.
    pub(crate) fn is_text(&self) -> bool {
        self.plain
    }

    /// Forgets what only this call needed.
    pub(crate) fn clear(&mut self) {
        self.matching = None;
    }

    /// Tokens that were said.
    pub(crate) fn generated(&self) -> u32 {
        self.generated
    }

    /// Tokens of the frame.
    pub(crate) fn prompt(&self) -> usize {
        self.prompt
    }

    /// The level that speaks.
    pub(crate) fn level(&self) -> PolicyLevel {
        self.level
    }

    /// How clearly the least clear token so far was chosen: by how much its logit lay above the next.
    pub(crate) fn margin(&self) -> f32 {
        self.margin
    }

    fn note(&mut self, picked: Picked) -> Token {
        self.margin = self.margin.min(picked.margin);
        picked.token
    }

    fn count_one(&mut self) {
        self.generated += 1;
        self.left -= 1;
        if self.left == 0 {
            self.state = State::Capped;
        }
    }
}

/// Listed actions at most.
const MOST_ACTIONS: usize = 4096;

/// Bytes of an utterance; a longer one grows.
const TEXT_BYTES: usize = 1024;

/// The text of an utterance: its leading space is removed, bytes that are not UTF-8 become U+FFFD.
fn text_of(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b" ").unwrap_or(bytes))
}

/// Bounds a list of actions that came from outside: what [`crate::LlamaPolicy::answer_among`] takes.
///
/// # Errors
/// [`EngineError::Actions`] when it is empty, too long or holds what can be no action.
pub fn check_actions<S: AsRef<str>>(actions: &[S]) -> Result<(), EngineError> {
    let refuse = |problem: String| Err(EngineError::Actions { problem });
    if actions.is_empty() {
        return refuse("it is empty".into());
    }
    if actions.len() > MOST_ACTIONS {
        let count = actions.len();
        return refuse(format!("{count} are more than {MOST_ACTIONS}"));
    }
    for action in actions.iter().map(AsRef::as_ref) {
        if action.is_empty() || action.len() > capacity::ACTION {
            let most = capacity::ACTION;
            return refuse(format!(
                "an action of {} bytes, not 1 to {most}",
                action.len()
            ));
        }
        if action.trim() != action || action.contains(|c: char| c.is_control() || c == ';') {
            return refuse(format!(
                "{action:?} has a control character, a semicolon or space around it"
            ));
        }
    }
    Ok(())
}

/// The context to allocate: what was asked for, at most what the model was trained with.
fn context_tokens(options: &EngineOptions, trained: u32) -> Result<u32, EngineError> {
    let refuse = |problem: String| EngineError::Option {
        field: "context_tokens",
        problem,
    };
    let tokens = options.context_tokens.map_or(trained, |t| t.get());
    if tokens > trained {
        return Err(refuse(format!(
            "{tokens} is more than the {trained} that the policy was trained with"
        )));
    }
    let caps = options.utterance_caps;
    let longest = caps.high.max(caps.low).max(caps.progress);
    if tokens <= longest {
        return Err(refuse(format!(
            "{tokens} leaves no room for a frame beside an utterance of {longest}"
        )));
    }
    Ok(tokens)
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
