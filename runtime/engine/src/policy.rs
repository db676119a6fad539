//! A GGUF policy as a [`Policy`].

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use stride_agent::policy::{Policy, PolicyError, Utterance};
use stride_firmware_config::frame::StepFrame;

use crate::drafted;
use crate::error::EngineError;
use crate::lookup::Lookup;
use crate::native::{Backend, Context, ContextParams, Model, ModelParams};
use crate::options::{EngineOptions, KvType};
use crate::sequence::Sequence;
use crate::writing::{Writer, Writing};

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
    pub(crate) writer: Writer,
    pub(crate) sequence: Sequence,
    /// With drafts.
    lookup: Option<Lookup>,
    writing: Writing,
    calls: u64,
}

impl LlamaPolicy {
    /// Loads a policy and allocates all that it needs.
    ///
    /// # Errors
    /// When an option is impossible, the file is missing, damaged, no policy or of another layout, the CPU lacks what
    /// this binary needs, or memory does not suffice.
    pub fn load(path: &Path, options: EngineOptions) -> Result<Self, EngineError> {
        let model = load_model(path, &options)?;
        let writer = Writer::new(Arc::clone(&model), options)?;
        let params = context_params(writer.options(), writer.context_tokens(), &model);
        Ok(Self {
            sequence: Sequence::new(Context::new(model, params)?),
            lookup: Lookup::of(&writer),
            writing: writer.writing(),
            writer,
            calls: 0,
        })
    }

    /// The context in tokens: no frame and utterance longer than this are answered.
    #[must_use]
    pub fn context_tokens(&self) -> u32 {
        self.writer.context_tokens()
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
        self.answer_one_of::<&str>(frame, None)
    }

    /// As [`LlamaPolicy::answer`]; a low-level call says one of these actions, with either flag. Tokens that the list leaves
    /// no choice about cost no decode call. Calls of other levels are not concerned.
    ///
    /// # Errors
    /// As [`LlamaPolicy::answer`], and [`EngineError::Actions`] when the list is empty, too long or holds what can be no
    /// action.
    pub fn answer_among<S: AsRef<str>>(
        &mut self,
        frame: &StepFrame<'_>,
        actions: &[S],
    ) -> Result<Utterance, EngineError> {
        self.answer_one_of(frame, Some(actions))
    }

    fn answer_one_of<S: AsRef<str>>(
        &mut self,
        frame: &StepFrame<'_>,
        actions: Option<&[S]>,
    ) -> Result<Utterance, EngineError> {
        let Self {
            writer,
            sequence,
            lookup,
            writing,
            calls,
        } = self;
        writer.open(writing, frame, actions, *calls)?;
        let stream = *calls;
        *calls += 1;
        let reused = sequence.reusable(writing.tokens());
        if let Some(lookup) = lookup {
            drafted::write(writer, sequence, lookup, writing)?;
            if writing.margin() < drafted::NEAR_TIE {
                writer.open(writing, frame, actions, stream)?;
            }
        }
        while !writing.finished() {
            let logits = sequence.logits_after(writing.tokens())?;
            writer.take(writing, logits)?;
        }
        if let Some(lookup) = lookup {
            lookup.remember(writing);
        }
        Ok(writer.utterance(writing, reused))
    }
}

impl Policy for LlamaPolicy {
    fn utter(&mut self, frame: &StepFrame<'_>) -> Result<Utterance, PolicyError> {
        self.answer(frame).map_err(PolicyError::new)
    }
}

/// Checks the options and maps the file.
pub(crate) fn load_model(path: &Path, options: &EngineOptions) -> Result<Arc<Model>, EngineError> {
    open_model(path, options, false)
}

/// As [`load_model`]; a simulated model has no weights and tells what it would take.
pub(crate) fn open_model(
    path: &Path,
    options: &EngineOptions,
    simulate: bool,
) -> Result<Arc<Model>, EngineError> {
    options.validate()?;
    let backend = Backend::get()?;
    if options.repack_weights && backend.has_amx_kernels() {
        return Err(EngineError::Option {
            field: "repack_weights",
            problem: "this binary holds AMX kernels, whose weight layout crashes (llama.cpp#20824)"
                .into(),
        });
    }
    let params = ModelParams {
        gpu_layers: options.gpu_layers,
        repack_weights: options.repack_weights,
        simulate,
    };
    Ok(Arc::new(Model::load(backend, path, params)?))
}

/// A context of one sequence of so many tokens for a model.
pub(crate) fn context_params(options: &EngineOptions, tokens: u32, model: &Model) -> ContextParams {
    let (kv_type, flash_attention) = match options.kv_type {
        // With the plain attention, whose logits do not depend on the batch either.
        KvType::Q8_0 if !model.has_whole_blocks() => (KvType::F16, false),
        // llama.cpp has no other kernel for quantized caches.
        KvType::Q8_0 => (KvType::Q8_0, true),
        floats => (floats, options.flash_attention),
    };
    ContextParams {
        sequences: NonZeroU32::MIN,
        tokens,
        batch: options.batch_tokens,
        // Behind a frame and behind each drafted token.
        outputs: NonZeroU32::MIN.saturating_add(options.draft_tokens),
        threads: options.threads,
        kv_type,
        flash_attention,
    }
}
