//! The tables themselves.

use super::Dimension::{
    GateAndUp, Head, Hidden, Intermediate, KeyValues, Queries, QueriesKeysValues, Vocabulary,
};
use super::RowOrder::{Interleaved, Kept};
use super::{
    Architecture, AttentionScale, Dimension, RealKey, RowOrder, SizeKey, SoftCaps, TensorRule,
    Window,
};
use crate::quantize::TensorRole::{self, Logits, Matrix, Vector};
use crate::source::rope::ScalingKind;

/// All architectures that are converted.
pub static ALL: [&Architecture; 7] = [&LLAMA, &MISTRAL, &QWEN2, &QWEN3, &GEMMA2, &GEMMA3, &PHI3];

/// Llama, and what is trained here.
pub static LLAMA: Architecture = LLAMA_FAMILY;

/// Mistral: a Llama to llama.cpp, which reads no window there and attends to everything. The key is written all the
/// same, so that a reader that knows it can obey; within the window the two are the same network.
pub static MISTRAL: Architecture = Architecture {
    model_type: "mistral",
    class: "MistralForCausalLM",
    sizes: MISTRAL_SIZES,
    stated: &["num_key_value_heads"],
    window: Window::EveryLayer,
    ..LLAMA_FAMILY
};

/// Qwen2 and Qwen2.5: biases on queries, keys and values; rotary halves stay apart.
pub static QWEN2: Architecture = Architecture {
    model_type: "qwen2",
    class: "Qwen2ForCausalLM",
    name: "qwen2",
    layer: QWEN2_LAYER,
    sizes: QWEN_SIZES,
    scalings: KEYED_SCALINGS,
    stated: &["num_key_value_heads"],
    window: Window::Refused,
    square_queries: true,
    ..LLAMA_FAMILY
};

/// Qwen3: a norm over every head of the queries and of the keys, no biases; rotary halves stay apart.
pub static QWEN3: Architecture = Architecture {
    model_type: "qwen3",
    class: "Qwen3ForCausalLM",
    name: "qwen3",
    layer: QWEN3_LAYER,
    sizes: QWEN_SIZES,
    scalings: KEYED_SCALINGS,
    stated: &["num_key_value_heads", "head_dim"],
    window: Window::Refused,
    ..LLAMA_FAMILY
};

/// Gemma 2: norms behind attention and feed-forward as well, soft caps, a window in every second layer.
pub static GEMMA2: Architecture = Architecture {
    model_type: "gemma2",
    class: "Gemma2ForCausalLM",
    name: "gemma2",
    layer: GEMMA2_LAYER,
    sizes: GEMMA_SIZES,
    reals: &[ATTENTION_CAP, LOGIT_CAP],
    window: Window::AllButEach { usual: 2 },
    scale: Some(AttentionScale {
        wide_with_layers: 46,
    }),
    soft_caps: SoftCaps::Both,
    always_tied: true,
    ..GEMMA_FAMILY
};

/// Gemma 3, the text part: no caps on attention, a norm in every head, another rotary base inside the windows.
pub static GEMMA3: Architecture = Architecture {
    model_type: "gemma3_text",
    class: "Gemma3ForCausalLM",
    name: "gemma3",
    layer: GEMMA3_LAYER,
    sizes: GEMMA_SIZES,
    reals: &[LOGIT_CAP, LOCAL_BASE],
    window: Window::AllButEach { usual: 6 },
    local_rope: true,
    scale: Some(AttentionScale {
        wide_with_layers: 62,
    }),
    soft_caps: SoftCaps::Logits,
    ..GEMMA_FAMILY
};

/// Phi-3 and Phi-4: one matrix for queries, keys and values, one for gate and way up; llama.cpp keeps both as they are.
pub static PHI3: Architecture = Architecture {
    model_type: "phi3",
    class: "Phi3ForCausalLM",
    name: "phi3",
    layer: PHI3_LAYER,
    sizes: PHI3_SIZES,
    stated: &["rms_norm_eps"],
    window: Window::EveryLayer,
    square_queries: true,
    scalings: &[ScalingKind::LongRope],
    partial_rotary: true,
    ..LLAMA_FAMILY
};

/// What the Gemmas share.
const GEMMA_FAMILY: Architecture = Architecture {
    final_norm: FINAL_NORM.plus_one(),
    stated: &[
        "num_key_value_heads",
        "head_dim",
        "query_pre_attn_scalar",
        "rope_theta",
        "sliding_window",
    ],
    activation: ("hidden_activation", "gelu_pytorch_tanh"),
    scalings: &[ScalingKind::Linear],
    usually_tied: true,
    ..LLAMA_FAMILY
};

/// Llama's table, and what the others share with it. A constant, since a static cannot be taken apart.
const LLAMA_FAMILY: Architecture = Architecture {
    model_type: "llama",
    class: "LlamaForCausalLM",
    name: "llama",
    embedding: EMBEDDING,
    layer: LLAMA_LAYER,
    final_norm: FINAL_NORM,
    output: OUTPUT,
    sizes: LLAMA_SIZES,
    stated: &[],
    window: Window::Absent,
    square_queries: false,
    reals: &[],
    activation: ("hidden_act", "silu"),
    scalings: &[
        ScalingKind::Linear,
        ScalingKind::Yarn,
        ScalingKind::Llama3,
        ScalingKind::LongRope,
    ],
    local_rope: false,
    partial_rotary: false,
    scale: None,
    soft_caps: SoftCaps::Absent,
    usually_tied: false,
    always_tied: false,
};

/// What llama.cpp reads for every architecture; factors per frequency it reads for Llama and Phi-3 only.
const KEYED_SCALINGS: &[ScalingKind] = &[ScalingKind::Linear, ScalingKind::Yarn];

impl TensorRule {
    /// The same, with one added to every weight.
    const fn plus_one(mut self) -> Self {
        self.offset = 1.0;
        self
    }
}

const fn rule(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
    order: RowOrder,
    role: TensorRole,
) -> TensorRule {
    TensorRule {
        source,
        target,
        shape,
        order,
        offset: 0.0,
        role,
    }
}

const EMBEDDING: TensorRule = rule(
    "model.embed_tokens.weight",
    "token_embd.weight",
    &[Vocabulary, Hidden],
    Kept,
    Matrix,
);

const OUTPUT: TensorRule = rule(
    "lm_head.weight",
    "output.weight",
    &[Vocabulary, Hidden],
    Kept,
    Logits,
);

const FINAL_NORM: TensorRule = rule(
    "model.norm.weight",
    "output_norm.weight",
    &[Hidden],
    Kept,
    Vector,
);

// The lines that several layers share.
#[rustfmt::skip]
mod line {
    use super::*;

    pub(super) const ATTENTION_NORM: TensorRule = rule("model.layers.{}.input_layernorm.weight", "blk.{}.attn_norm.weight", &[Hidden], Kept, Vector);
    pub(super) const VALUES: TensorRule = rule("model.layers.{}.self_attn.v_proj.weight", "blk.{}.attn_v.weight", &[KeyValues, Hidden], Kept, Matrix);
    pub(super) const ATTENTION_OUTPUT: TensorRule = rule("model.layers.{}.self_attn.o_proj.weight", "blk.{}.attn_output.weight", &[Hidden, Queries], Kept, Matrix);
    pub(super) const FEED_FORWARD_NORM: TensorRule = rule("model.layers.{}.post_attention_layernorm.weight", "blk.{}.ffn_norm.weight", &[Hidden], Kept, Vector);
    pub(super) const QUERY_NORM: TensorRule = rule("model.layers.{}.self_attn.q_norm.weight", "blk.{}.attn_q_norm.weight", &[Head], Kept, Vector);
    pub(super) const KEY_NORM: TensorRule = rule("model.layers.{}.self_attn.k_norm.weight", "blk.{}.attn_k_norm.weight", &[Head], Kept, Vector);
    pub(super) const AFTER_ATTENTION: TensorRule = rule("model.layers.{}.post_attention_layernorm.weight", "blk.{}.post_attention_norm.weight", &[Hidden], Kept, Vector);
    pub(super) const BEFORE_FEED_FORWARD: TensorRule = rule("model.layers.{}.pre_feedforward_layernorm.weight", "blk.{}.ffn_norm.weight", &[Hidden], Kept, Vector);
    pub(super) const AFTER_FEED_FORWARD: TensorRule = rule("model.layers.{}.post_feedforward_layernorm.weight", "blk.{}.post_ffw_norm.weight", &[Hidden], Kept, Vector);
    pub(super) const GATE: TensorRule = rule("model.layers.{}.mlp.gate_proj.weight", "blk.{}.ffn_gate.weight", &[Intermediate, Hidden], Kept, Matrix);
    pub(super) const UP: TensorRule = rule("model.layers.{}.mlp.up_proj.weight", "blk.{}.ffn_up.weight", &[Intermediate, Hidden], Kept, Matrix);
    pub(super) const DOWN: TensorRule = rule("model.layers.{}.mlp.down_proj.weight", "blk.{}.ffn_down.weight", &[Hidden, Intermediate], Kept, Matrix);

    pub(super) const fn queries(order: RowOrder) -> TensorRule {
        rule("model.layers.{}.self_attn.q_proj.weight", "blk.{}.attn_q.weight", &[Queries, Hidden], order, Matrix)
    }

    pub(super) const fn keys(order: RowOrder) -> TensorRule {
        rule("model.layers.{}.self_attn.k_proj.weight", "blk.{}.attn_k.weight", &[KeyValues, Hidden], order, Matrix)
    }
}

const LLAMA_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM,
    line::queries(Interleaved),
    line::keys(Interleaved),
    line::VALUES,
    line::ATTENTION_OUTPUT,
    line::FEED_FORWARD_NORM,
    line::GATE,
    line::UP,
    line::DOWN,
];

#[rustfmt::skip]
const QWEN2_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM,
    line::queries(Kept),
    rule("model.layers.{}.self_attn.q_proj.bias", "blk.{}.attn_q.bias", &[Queries], Kept, Vector),
    line::keys(Kept),
    rule("model.layers.{}.self_attn.k_proj.bias", "blk.{}.attn_k.bias", &[KeyValues], Kept, Vector),
    line::VALUES,
    rule("model.layers.{}.self_attn.v_proj.bias", "blk.{}.attn_v.bias", &[KeyValues], Kept, Vector),
    line::ATTENTION_OUTPUT,
    line::FEED_FORWARD_NORM,
    line::GATE,
    line::UP,
    line::DOWN,
];

#[rustfmt::skip]
const QWEN3_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM,
    line::queries(Kept),
    line::QUERY_NORM,
    line::keys(Kept),
    line::KEY_NORM,
    line::VALUES,
    line::ATTENTION_OUTPUT,
    line::FEED_FORWARD_NORM,
    line::GATE,
    line::UP,
    line::DOWN,
];

#[rustfmt::skip]
const GEMMA2_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM.plus_one(),
    line::queries(Kept),
    line::keys(Kept),
    line::VALUES,
    line::ATTENTION_OUTPUT,
    line::AFTER_ATTENTION.plus_one(),
    line::BEFORE_FEED_FORWARD.plus_one(),
    line::GATE,
    line::UP,
    line::DOWN,
    line::AFTER_FEED_FORWARD.plus_one(),
];

#[rustfmt::skip]
const GEMMA3_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM.plus_one(),
    line::queries(Kept),
    line::QUERY_NORM.plus_one(),
    line::keys(Kept),
    line::KEY_NORM.plus_one(),
    line::VALUES,
    line::ATTENTION_OUTPUT,
    line::AFTER_ATTENTION.plus_one(),
    line::BEFORE_FEED_FORWARD.plus_one(),
    line::GATE,
    line::UP,
    line::DOWN,
    line::AFTER_FEED_FORWARD.plus_one(),
];

#[rustfmt::skip]
const PHI3_LAYER: &[TensorRule] = &[
    line::ATTENTION_NORM,
    rule("model.layers.{}.self_attn.qkv_proj.weight", "blk.{}.attn_qkv.weight", &[QueriesKeysValues, Hidden], Kept, Matrix),
    line::ATTENTION_OUTPUT,
    line::FEED_FORWARD_NORM,
    rule("model.layers.{}.mlp.gate_up_proj.weight", "blk.{}.ffn_up.weight", &[GateAndUp, Hidden], Kept, Matrix),
    line::DOWN,
];

const BLOCKS: SizeKey = ("block_count", |config| Some(config.layers));
const CONTEXT: SizeKey = ("context_length", |config| Some(config.context));
const WIDTH: SizeKey = ("embedding_length", |config| Some(config.hidden));
const FEED_FORWARD: SizeKey = ("feed_forward_length", |config| Some(config.intermediate));
const HEADS: SizeKey = ("attention.head_count", |config| Some(config.heads));
const KV_HEADS: SizeKey = ("attention.head_count_kv", |config| Some(config.kv_heads));
const KEY_WIDTH: SizeKey = ("attention.key_length", |config| Some(config.head_dim));
const VALUE_WIDTH: SizeKey = ("attention.value_length", |config| Some(config.head_dim));
const ROTARY: SizeKey = ("rope.dimension_count", |config| Some(config.rotary));
const VOCABULARY: SizeKey = ("vocab_size", |config| Some(config.vocab));
const WINDOW: SizeKey = ("attention.sliding_window", |config| config.window);
const WINDOW_PATTERN: SizeKey = ("attention.sliding_window_pattern", |config| {
    config.window_pattern
});
const ATTENTION_CAP: RealKey = ("attn_logit_softcapping", |config| config.attention_cap);
const LOGIT_CAP: RealKey = ("final_logit_softcapping", |config| config.logit_cap);
const LOCAL_BASE: RealKey = ("rope.freq_base_swa", |config| config.local_theta);

#[rustfmt::skip]
const LLAMA_SIZES: &[SizeKey] = &[
    BLOCKS, CONTEXT, WIDTH, FEED_FORWARD, HEADS, KV_HEADS, KEY_WIDTH, VALUE_WIDTH, ROTARY, VOCABULARY,
];

#[rustfmt::skip]
const MISTRAL_SIZES: &[SizeKey] = &[
    BLOCKS, CONTEXT, WIDTH, FEED_FORWARD, HEADS, KV_HEADS, KEY_WIDTH, VALUE_WIDTH, ROTARY, VOCABULARY, WINDOW,
];

#[rustfmt::skip]
const QWEN_SIZES: &[SizeKey] = &[
    BLOCKS, CONTEXT, WIDTH, FEED_FORWARD, HEADS, KV_HEADS, KEY_WIDTH, VALUE_WIDTH,
];

#[rustfmt::skip]
const GEMMA_SIZES: &[SizeKey] = &[
    BLOCKS, CONTEXT, WIDTH, FEED_FORWARD, HEADS, KV_HEADS, KEY_WIDTH, VALUE_WIDTH, WINDOW, WINDOW_PATTERN,
];

#[rustfmt::skip]
const PHI3_SIZES: &[SizeKey] = &[
    BLOCKS, CONTEXT, WIDTH, FEED_FORWARD, HEADS, KV_HEADS, ROTARY, WINDOW,
];
