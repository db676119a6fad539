//! What a caller decides: sizes, threads, caps, sampling.

use std::num::NonZeroU32;

use stride_firmware_config::level::PolicyLevel;
use stride_firmware_config::profile::{self, DeviceProfile};

use crate::constraint::ActionTemplates;
use crate::error::EngineError;
use crate::grammar::Grammar;

/// One value for each policy level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerLevel<T> {
    /// For the high level.
    pub high: T,
    /// For the low level.
    pub low: T,
    /// For the progress level.
    pub progress: T,
}

impl<T: Copy> PerLevel<T> {
    /// The same value for every level.
    pub const fn all(value: T) -> Self {
        Self {
            high: value,
            low: value,
            progress: value,
        }
    }

    /// The value of one level.
    #[must_use]
    pub const fn get(&self, level: PolicyLevel) -> T {
        match level {
            PolicyLevel::High => self.high,
            PolicyLevel::Low => self.low,
            PolicyLevel::Progress => self.progress,
        }
    }
}

/// Number type of the KV cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KvType {
    /// 32-bit floats: for comparisons with the trainer.
    F32,
    /// 16-bit floats.
    F16,
    /// 8-bit blocks (default): half the memory of F16, and a step of a small policy takes 30 % less time. It brings
    /// [`EngineOptions::flash_attention`] with it, which then goes row by row: its sums do not depend on the batch. A policy
    /// whose heads are not a multiple of 32 wide gets F16 and the plain attention.
    #[default]
    Q8_0,
}

/// How a token is chosen among the logits.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Sampling {
    /// The largest logit; among equals, the lowest token id (default).
    #[default]
    Greedy,
    /// By the softmax of the logits over a temperature. The n-th call of a policy draws from a stream of its own,
    /// so a run repeats exactly from its seed. A temperature of 0 means greedy for that level.
    Seeded {
        /// The run's seed.
        seed: u64,
        /// Temperatures by level.
        temperature: PerLevel<f32>,
    },
}

/// A text to be continued, for programs that expect a language model.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextRequest {
    /// The text. Markers in it stay text.
    pub prompt: String,
    /// Tokens behind it at most; `None`: [`TextRequest::MOST_TOKENS`], or what the context has room for.
    pub max_tokens: Option<NonZeroU32>,
    /// 0 takes the likeliest token each time.
    pub temperature: f32,
    /// Repeats a draw.
    pub seed: u64,
    /// Texts at which it ends; they are not part of it.
    pub stop: Vec<String>,
    /// What it must match: it ends when it does, unless `max_tokens` or a stop ends it before.
    pub grammar: Option<Grammar>,
}

impl TextRequest {
    /// Tokens behind a text for which none are named.
    pub const MOST_TOKENS: u32 = 128;
}

/// Everything the engine is told when it loads a policy.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineOptions {
    /// CPU threads for decoding. Default 1: llama.cpp's threads wait for each other by spinning, so a second one helps
    /// large models on idle cores and is several times slower as soon as another program wants the core.
    pub threads: NonZeroU32,
    /// Context in tokens: a frame plus its utterance must fit. Default (`None`): what the model was trained with.
    /// More than that is refused.
    pub context_tokens: Option<NonZeroU32>,
    /// Most tokens decoded at once, at least 3. Default 256; it sizes the compute buffers.
    pub batch_tokens: NonZeroU32,
    /// Layers to put on a GPU. Default 0; a binary that was built without GPU support computes them on the CPU.
    pub gpu_layers: u32,
    /// Number type of the KV cache. Default Q8_0.
    pub kv_type: KvType,
    /// llama.cpp's fused attention kernel for a cache of floats (one of Q8_0 always has it). Default off: with floats its sums
    /// depend on how tokens are batched, so a cached prefix moves logits by up to 0.01 and now and then changes a greedy
    /// token. Without it they are equal to the last bit. It saves 10 to 25 % of the time of a policy of a few million parameters.
    pub flash_attention: bool,
    /// Most tokens of an utterance, its end marker included. Default 32, 32, 150 (method section 2).
    pub utterance_caps: PerLevel<u32>,
    /// How tokens are chosen. Default greedy.
    pub sampling: Sampling,
    /// Most tokens that are guessed ahead and decoded together (prompt-lookup speculation), at most 32; 0 decodes one
    /// token after another. Only [`crate::LlamaPolicy`] guesses, and only when greedy. It changes no token.
    pub draft_tokens: u32,
    /// Let llama.cpp copy weights into CPU-specific layouts (AMX, repacked Q4_0). Default off: the weights then stay
    /// memory-mapped, and the AMX layout, which crashes (llama.cpp#20824), is never chosen. Refused where AMX kernels
    /// are compiled in.
    pub repack_weights: bool,
    /// When set, low-level utterances are decoded along these templates, filled with names that stand in the frame, and
    /// the other levels write no numbered name that does not stand in it.
    /// Default `None`: free decoding.
    pub constraint: Option<ActionTemplates>,
}

const BATCH: NonZeroU32 = NonZeroU32::new(256).expect("256 is not 0");

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: NonZeroU32::MIN,
            context_tokens: None,
            batch_tokens: BATCH,
            gpu_layers: 0,
            kv_type: KvType::default(),
            flash_attention: false,
            utterance_caps: PerLevel {
                high: 32,
                low: 32,
                progress: 150,
            },
            sampling: Sampling::default(),
            draft_tokens: 0,
            repack_weights: false,
            constraint: None,
        }
    }
}

impl EngineOptions {
    /// Most threads that make sense; llama.cpp's own limit.
    const MOST_THREADS: u32 = 512;

    /// Most drafted tokens: behind the first wrong one all are wasted.
    const MOST_DRAFTED: u32 = 32;

    /// The same options with what a device profile says about sizes: context, batch, GPU layers, number type of the KV
    /// cache and utterance caps; kernels that were measured to fail are left alone. Threads stay as they are: more than one
    /// helps large policies only. A profile that was checked holds no zero where the engine wants none. It should be the
    /// profile as it holds on this machine ([`DeviceProfile::on`]).
    #[must_use]
    pub fn under_profile(self, profile: &DeviceProfile) -> Self {
        let (run, capacities) = (&profile.inference, &profile.capacities);
        let measured = profile.measured.as_ref();
        let bad_layouts = measured.is_some_and(|measured| measured.is_bad(profile::WEIGHT_LAYOUTS));
        Self {
            context_tokens: NonZeroU32::new(run.context_tokens),
            batch_tokens: NonZeroU32::new(run.batch_tokens).unwrap_or(self.batch_tokens),
            gpu_layers: run.gpu_layers,
            kv_type: match run.kv {
                profile::KvType::F16 => KvType::F16,
                profile::KvType::Q8_0 => KvType::Q8_0,
                _ => KvType::F32,
            },
            utterance_caps: PerLevel {
                high: capacities.high_tokens,
                low: capacities.low_tokens,
                progress: capacities.progress_tokens,
            },
            repack_weights: self.repack_weights && !bad_layouts,
            ..self
        }
    }

    /// Checks what can be checked without a model.
    ///
    /// # Errors
    /// [`EngineError::Option`] names the option and its limit.
    pub fn validate(&self) -> Result<(), EngineError> {
        let refuse = |field, problem: String| Err(EngineError::Option { field, problem });
        if self.threads.get() > Self::MOST_THREADS {
            let most = Self::MOST_THREADS;
            return refuse("threads", format!("{} is more than {most}", self.threads));
        }
        if self.batch_tokens.get() < 3 {
            return refuse(
                "batch_tokens",
                format!("{} is less than 3", self.batch_tokens),
            );
        }
        if self.draft_tokens > Self::MOST_DRAFTED || self.draft_tokens + 2 > self.batch_tokens.get()
        {
            return refuse(
                "draft_tokens",
                format!(
                    "{} is more than {} or does not fit a batch of {} with two tokens",
                    self.draft_tokens,
                    Self::MOST_DRAFTED,
                    self.batch_tokens
                ),
            );
        }
        for level in PolicyLevel::ALL {
            if self.utterance_caps.get(level) == 0 {
                return refuse("utterance_caps", format!("the cap of level {level} is 0"));
            }
            if let Sampling::Seeded { temperature, .. } = self.sampling {
                let t = temperature.get(level);
                if !t.is_finite() || t < 0.0 {
                    return refuse("sampling", format!("temperature {t} of level {level}"));
                }
            }
        }
        Ok(())
    }
}
