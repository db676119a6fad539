//! The tables themselves.

use super::Dimension::{Head, Hidden, Intermediate, KeyValues, Queries, Vocabulary};
use super::RowOrder::{Interleaved, Kept};
use super::{Architecture, Dimension, RowOrder, SizeKey, TensorRule, Window};
use crate::quantize::TensorRole::{self, Logits, Matrix, Vector};

/// All architectures that are converted.
pub static ALL: [&Architecture; 4] = [&LLAMA, &MISTRAL, &QWEN2, &QWEN3];

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
    stated: &["num_key_value_heads", "head_dim"],
    window: Window::Refused,
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
};

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
    rule("model.layers.{}.self_attn.q_norm.weight", "blk.{}.attn_q_norm.weight", &[Head], Kept, Vector),
    line::keys(Kept),
    rule("model.layers.{}.self_attn.k_norm.weight", "blk.{}.attn_k_norm.weight", &[Head], Kept, Vector),
    line::VALUES,
    line::ATTENTION_OUTPUT,
    line::FEED_FORWARD_NORM,
    line::GATE,
    line::UP,
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
const ROTARY: SizeKey = ("rope.dimension_count", |config| Some(config.head_dim));
const VOCABULARY: SizeKey = ("vocab_size", |config| Some(config.vocab));
const WINDOW: SizeKey = ("attention.sliding_window", |config| config.window);

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
