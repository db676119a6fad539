//! A GGUF policy as a [`Policy`].

use std::path::Path;
use std::sync::Arc;

use stride_agent::policy::{Cost, Policy, PolicyError, Utterance};
use stride_firmware_config::frame::{Marker, StepFrame};
use stride_firmware_config::level::PolicyLevel;

use crate::constraint::{Constraint, NameGuard};
use crate::error::EngineError;
use crate::native::{Backend, Context, ContextParams, Model, ModelParams, Token};
use crate::options::{EngineOptions, KvType};
use crate::sampling::{self, Choice};
use crate::sequence::Sequence;
use crate::vocabulary::Vocabulary;

/// One GGUF policy with one KV cache. It answers one frame after another; what follows a frame depends on the frame
/// (and, when sampling, on the number of the call), never on the cache.
///
/// ```no_run
/// use std::path::Path;
/// use stride_agent::policy::Policy as _;
/// use stride_engine::{EngineOptions, LlamaPolicy};
/// use stride_firmware_config::frame::StepFrame;
///
/// let mut policy = LlamaPolicy::load(Path::new("policy.gguf"), EngineOptions::default())?;
/// let said = policy.utter(&StepFrame::Low {
///     scene: "drawer 1 to 3, fridge 1",
///     observation: "You are in the middle of a room.",
///     subtask: "find an egg",
///     progress: "",
/// })?;
/// println!("{} ({} tokens decoded)", said.text, said.cost.decoded_tokens);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct LlamaPolicy {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) sequence: Sequence,
    constraint: Option<Constraint>,
    /// Guards the names of the other levels, with a constraint.
    guard: Option<NameGuard>,
    options: EngineOptions,
    context_tokens: u32,
    /// The frame and the utterance so far; kept for its capacity.
    tokens: Vec<Token>,
    calls: u64,
}

impl LlamaPolicy {
    /// Loads a policy and allocates all that it needs.
    ///
    /// # Errors
    /// When an option is impossible, the file is missing, damaged, no policy or of another layout, the CPU lacks what
    /// this binary needs, or memory does not suffice.
    pub fn load(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        options.validate()?;
        let backend = Backend::get()?;
        if options.repack_weights && backend.has_amx_kernels() {
            return Err(EngineError::Option {
                field: "repack_weights",
                problem:
                    "this binary holds AMX kernels, whose weight layout crashes (llama.cpp#20824)"
                        .into(),
            });
        }
        let params = ModelParams {
            gpu_layers: options.gpu_layers,
            repack_weights: options.repack_weights,
        };
        let model = Arc::new(Model::load(backend, path, params)?);
        let mut vocabulary = Vocabulary::new(Arc::clone(&model))?;
        let context_tokens = context_tokens(&options, model.context_trained())?;
        let constraint = options
            .constraint
            .as_ref()
            .map(|templates| Constraint::new(templates, &mut vocabulary));
        let guard = constraint.is_some().then(|| NameGuard::new(&vocabulary));
        let context = Context::new(
            model,
            ContextParams {
                tokens: context_tokens,
                batch: options.batch_tokens,
                threads: options.threads,
                kv_type: options.kv_type,
                // llama.cpp has no other kernel for quantized caches.
                flash_attention: options.flash_attention || options.kv_type == KvType::Q8_0,
            },
        )?;
        Ok(Self {
            vocabulary,
            sequence: Sequence::new(context),
            constraint,
            guard,
            options,
            context_tokens,
            tokens: Vec::with_capacity(context_tokens as usize),
            calls: 0,
        })
    }

    /// The context in tokens: no frame and utterance longer than this are answered.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.context_tokens
    }

    /// Empties the KV cache; the next frame is decoded whole. Answers do not change, their cost does.
    pub fn forget(&mut self) {
        self.sequence.forget();
    }

    /// Answers one frame, with the engine's own error type.
    ///
    /// # Errors
    /// When the frame does not fit the context or llama.cpp fails. The policy can be asked again after either.
    pub fn answer(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, EngineError> {
        let level = frame.level();
        let cap = self.options.utterance_caps.get(level);
        self.tokens.clear();
        self.vocabulary.push_frame(frame, &mut self.tokens);
        let prompt = self.tokens.len();
        self.check_room(level, prompt, cap)?;
        let call = self.calls;
        self.calls += 1;
        let mut choice = Choice::for_call(self.options.sampling, level, call);
        let reused = self.sequence.reusable(&self.tokens);
        let generated = match &mut self.constraint {
            Some(constraint) if level == PolicyLevel::Low => {
                constraint.open(frame, &mut self.vocabulary);
                self.generate_allowed(&mut choice, cap)?
            }
            _ => self.generate(frame, &mut choice, cap)?,
        };
        Ok(Utterance {
            text: self.vocabulary.text(&self.tokens[prompt..]),
            cost: Cost {
                prompt_tokens: count(prompt),
                decoded_tokens: count(prompt - reused),
                generated_tokens: generated.tokens,
                capped: !generated.ended,
            },
        })
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

    /// Appends tokens until the end marker or the cap; with a constraint, names that stand nowhere in the frame are
    /// not begun.
    fn generate(
        &mut self,
        frame: &StepFrame<'_>,
        choice: &mut Choice,
        cap: u32,
    ) -> Result<Generated, EngineError> {
        let end = self.vocabulary.marker(Marker::End);
        let prompt = self.tokens.len();
        if let Some(guard) = &mut self.guard {
            guard.open(frame);
        }
        let mut forbidden = Vec::new();
        // Words that were taken back: where they stood, and their first token.
        let mut taken_back: Vec<(usize, Token)> = Vec::new();
        for nth in 1..=cap {
            forbidden.clear();
            let here = self.tokens.len();
            let barred = taken_back.iter().filter(|(at, _)| *at == here);
            forbidden.extend(barred.map(|(_, token)| *token));
            let mut invented = None;
            if let Some(guard) = &self.guard {
                let text = self.vocabulary.text(&self.tokens[prompt..]);
                guard.forbid(&text, &mut forbidden);
                invented = guard.unnamed(&text).map(str::len);
            }
            let logits = self.sequence.logits_after(&self.tokens)?;
            if let Some(length) = invented
                && forbidden.contains(&sampling::most_likely(logits)?)
            {
                // It wants a number behind a kind of which the frame names none: the kind itself is the invention.
                let start = self.vocabulary.word_start(&self.tokens[prompt..], length) + prompt;
                taken_back.push((start, self.tokens[start]));
                self.tokens.truncate(start);
                continue;
            }
            let token = choice.pick_without(logits, &forbidden)?;
            if token == end {
                return Ok(Generated::ended(nth));
            }
            self.tokens.push(token);
        }
        Ok(Generated::capped(cap))
    }

    /// As [`Self::generate`], along the open constraint. A token that is the only one allowed costs no decode call of
    /// its own: it is decoded together with what follows it.
    fn generate_allowed(
        &mut self,
        choice: &mut Choice,
        cap: u32,
    ) -> Result<Generated, EngineError> {
        let end = self.vocabulary.marker(Marker::End);
        let Some(constraint) = &mut self.constraint else {
            unreachable!("only asked for with an open constraint");
        };
        for nth in 1..=cap {
            let token = match constraint.allowed() {
                [only] => *only,
                // Not reached: a walk that is not finished always has a way on.
                [] => end,
                several => {
                    let logits = self.sequence.logits_after(&self.tokens)?;
                    choice.pick_among(logits, several)?
                }
            };
            if token == end {
                return Ok(Generated::ended(nth));
            }
            constraint.advance(token);
            self.tokens.push(token);
        }
        Ok(Generated::capped(cap))
    }
}

impl Policy for LlamaPolicy {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

/// How an utterance came to its end.
struct Generated {
    tokens: u32,
    ended: bool,
}

impl Generated {
    const fn ended(tokens: u32) -> Self {
        Self {
            tokens,
            ended: true,
        }
    }

    const fn capped(tokens: u32) -> Self {
        Self {
            tokens,
            ended: false,
        }
    }
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
