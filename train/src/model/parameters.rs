//! All weights in one flat vector, with a name, a shape and a place for every tensor.
//!
//! The optimizer, the average and the checkpoints see the flat vector; the network sees one leaf tensor for the
//! embedding, one for every block and one for the rest. Inside a block, q, k and v lie next to each other, and so do
//! gate and up, so that each group is one matrix product.

use std::ops::Range;

use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::shape::ModelShape;

/// One tensor of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// The Hugging Face name.
    pub name: String,
    /// Rows and columns, or the length of a vector.
    pub shape: Vec<usize>,
    /// Its elements in the flat vector.
    pub range: Range<usize>,
}

impl TensorSpec {
    /// Norms and biases are vectors: not drawn but initialized to one and to zero, and not decayed.
    #[must_use]
    pub fn is_vector(&self) -> bool {
        self.shape.len() == 1
    }

    /// Whether it is a bias.
    #[must_use]
    pub fn is_bias(&self) -> bool {
        self.name.ends_with(".bias")
    }
}

/// Where every tensor lies in the flat vector.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterLayout {
    shape: ModelShape,
    vocab_size: usize,
    tensors: Vec<TensorSpec>,
    embedding: Range<usize>,
    blocks: Vec<Range<usize>>,
    norm: Range<usize>,
    output: Range<usize>,
    total: usize,
}

/// Where the parts of a block lie in its own slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockLayout {
    /// Norm before the attention (hidden).
    pub norm1: Range<usize>,
    /// q, k and v (heads·d + 2·kv_heads·d rows x hidden).
    pub qkv: Range<usize>,
    /// Biases of q, k and v (heads·d + 2·kv_heads·d); empty where there are none.
    pub bias: Range<usize>,
    /// Norms over heads: that of the queries and that of the keys (d each); empty where there are none.
    pub head_norms: Range<usize>,
    /// Output of the attention (hidden x heads·d).
    pub out: Range<usize>,
    /// Norm before the feed-forward part (hidden).
    pub norm2: Range<usize>,
    /// gate and up (2·ffn x hidden).
    pub gate_up: Range<usize>,
    /// down (hidden x ffn).
    pub down: Range<usize>,
}

impl BlockLayout {
    /// The layout of one block.
    #[must_use]
    pub fn new(shape: &ModelShape) -> Self {
        let mut cursor = 0;
        let mut take = |len: usize| {
            cursor += len;
            cursor - len..cursor
        };
        let (h, f) = (shape.hidden, shape.ffn);
        let heads = shape.attention();
        let if_any = |any: bool, len: usize| if any { len } else { 0 };
        Self {
            norm1: take(h),
            qkv: take(heads.row() * h),
            bias: take(if_any(shape.architecture.has_biases(), heads.row())),
            head_norms: take(if_any(shape.architecture.has_head_norms(), 2 * heads.dim)),
            out: take(h * heads.out_row()),
            norm2: take(h),
            gate_up: take(2 * f * h),
            down: take(h * f),
        }
    }

    /// The number of the norm before the attention among [`Self::tensors`], and so on.
    pub const NORM1: usize = 0;
    /// q, k and v.
    pub const QKV: usize = 1;
    /// Biases of q, k and v.
    pub const BIAS: usize = 2;
    /// Norms over heads.
    pub const HEAD_NORMS: usize = 3;
    /// Output of the attention.
    pub const OUT: usize = 4;
    /// Norm before the feed-forward part.
    pub const NORM2: usize = 5;
    /// gate and up.
    pub const GATE_UP: usize = 6;
    /// down.
    pub const DOWN: usize = 7;
    /// How many they are, with those that are empty.
    pub const TENSORS: usize = 8;

    /// Its tensors, in the order in which they lie.
    #[must_use]
    pub fn tensors(&self) -> [Range<usize>; Self::TENSORS] {
        [
            self.norm1.clone(),
            self.qkv.clone(),
            self.bias.clone(),
            self.head_norms.clone(),
            self.out.clone(),
            self.norm2.clone(),
            self.gate_up.clone(),
            self.down.clone(),
        ]
    }

    /// Elements of a block.
    #[must_use]
    pub fn len(&self) -> usize {
        self.down.end
    }

    /// Whether the block holds nothing; it never does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl ParameterLayout {
    /// The layout of a network.
    #[must_use]
    pub fn new(shape: &ModelShape, vocab_size: usize) -> Self {
        let mut tensors = Vec::new();
        let mut cursor = 0;
        let mut put = |name: String, dims: &[usize]| {
            let start = cursor;
            cursor += dims.iter().product::<usize>();
            tensors.push(TensorSpec {
                name,
                shape: dims.to_vec(),
                range: start..cursor,
            });
            start..cursor
        };
        let (h, f) = (shape.hidden, shape.ffn);
        let heads = shape.attention();
        let (q, kv) = (heads.out_row(), heads.key_value * heads.dim);
        let embedding = put("model.embed_tokens.weight".into(), &[vocab_size, h]);
        let mut blocks = Vec::new();
        for layer in 0..shape.layers {
            let mut part =
                |name: &str, dims: &[usize]| put(format!("model.layers.{layer}.{name}"), dims);
            let first = part("input_layernorm.weight", &[h]);
            part("self_attn.q_proj.weight", &[q, h]);
            part("self_attn.k_proj.weight", &[kv, h]);
            part("self_attn.v_proj.weight", &[kv, h]);
            if shape.architecture.has_biases() {
                part("self_attn.q_proj.bias", &[q]);
                part("self_attn.k_proj.bias", &[kv]);
                part("self_attn.v_proj.bias", &[kv]);
            }
            if shape.architecture.has_head_norms() {
                part("self_attn.q_norm.weight", &[heads.dim]);
                part("self_attn.k_norm.weight", &[heads.dim]);
            }
            part("self_attn.o_proj.weight", &[h, q]);
            part("post_attention_layernorm.weight", &[h]);
            part("mlp.gate_proj.weight", &[f, h]);
            part("mlp.up_proj.weight", &[f, h]);
            let last = part("mlp.down_proj.weight", &[h, f]);
            blocks.push(first.start..last.end);
        }
        let norm = put("model.norm.weight".into(), &[h]);
        let output = if shape.tie_embeddings {
            embedding.clone()
        } else {
            put("lm_head.weight".into(), &[vocab_size, h])
        };
        Self {
            shape: shape.clone(),
            vocab_size,
            tensors,
            embedding,
            blocks,
            norm,
            output,
            total: cursor,
        }
    }

    /// Sizes of the network.
    #[must_use]
    pub const fn shape(&self) -> &ModelShape {
        &self.shape
    }

    /// Tokens in the vocabulary.
    #[must_use]
    pub const fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Every tensor, in the order of the flat vector.
    #[must_use]
    pub fn tensors(&self) -> &[TensorSpec] {
        &self.tensors
    }

    /// The embedding (vocabulary x hidden).
    #[must_use]
    pub fn embedding(&self) -> Range<usize> {
        self.embedding.clone()
    }

    /// Every block; see [`BlockLayout`] for what is inside.
    #[must_use]
    pub fn blocks(&self) -> &[Range<usize>] {
        &self.blocks
    }

    /// The last norm (hidden).
    #[must_use]
    pub fn norm(&self) -> Range<usize> {
        self.norm.clone()
    }

    /// The output matrix (vocabulary x hidden); the embedding's place when they are tied.
    #[must_use]
    pub fn output(&self) -> Range<usize> {
        self.output.clone()
    }

    /// Weights in all.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.total
    }

    /// The parts of the flat vector with weight decay: everything but norms and biases.
    #[must_use]
    pub fn decayed(&self) -> Vec<Range<usize>> {
        let matrices = self.tensors.iter().filter(|tensor| !tensor.is_vector());
        matrices.map(|tensor| tensor.range.clone()).collect()
    }

    /// Initial weights: normal with the shape's deviation, smaller by √(2·layers) where a block writes into the residual
    /// stream, one for norms and zero for biases. A function of the seed.
    #[must_use]
    pub fn initialize(&self, seed: u64) -> Vec<f32> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = vec![1.0; self.total];
        let residual = 1.0 / (2.0 * self.shape.layers as f64).sqrt();
        for tensor in self.tensors.iter().filter(|tensor| tensor.is_bias()) {
            weights[tensor.range.clone()].fill(0.0);
        }
        for tensor in self.tensors.iter().filter(|tensor| !tensor.is_vector()) {
            let writes_residual =
                tensor.name.contains("o_proj") || tensor.name.contains("down_proj");
            let deviation = self.shape.init_std * if writes_residual { residual } else { 1.0 };
            for weight in &mut weights[tensor.range.clone()] {
                *weight = (normal(&mut random) * deviation) as f32;
            }
        }
        weights
    }
}

/// A standard normal number (Box–Muller, one of the pair).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let u: f64 = 1.0 - random.random::<f64>();
    let v: f64 = random.random();
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[cfg(test)]
mod tests {
    use super::super::architecture::Architecture;
    use super::*;

    /// Every tensor where the fused operations look for it.
    #[test]
    fn tensors_tile_the_vector_and_blocks_match_their_layout() {
        for architecture in Architecture::ALL {
            let shape = ModelShape {
                architecture,
                kv_heads: 2,
                tie_embeddings: false,
                ..ModelShape::default()
            };
            let layout = ParameterLayout::new(&shape, 300);
            let mut end = 0;
            for tensor in layout.tensors() {
                assert_eq!(tensor.range.start, end);
                end = tensor.range.end;
            }
            assert_eq!(end, layout.total());
            let block = BlockLayout::new(&shape);
            assert!(layout.blocks().iter().all(|b| b.len() == block.len()));
            for (name, place) in [
                ("input_layernorm.weight", &block.norm1),
                ("self_attn.q_proj.weight", &block.qkv),
                ("self_attn.q_proj.bias", &block.bias),
                ("self_attn.q_norm.weight", &block.head_norms),
                ("self_attn.o_proj.weight", &block.out),
                ("post_attention_layernorm.weight", &block.norm2),
                ("mlp.gate_proj.weight", &block.gate_up),
                ("mlp.down_proj.weight", &block.down),
            ] {
                let name = format!("model.layers.1.{name}");
                let found = layout.tensors().iter().find(|tensor| tensor.name == name);
                let start = found.map(|tensor| tensor.range.start - layout.blocks()[1].start);
                assert_eq!(start, (!place.is_empty()).then_some(place.start), "{name}");
            }
        }
    }

    #[test]
    fn biases_begin_at_zero_and_norms_at_one() {
        for architecture in Architecture::ALL {
            let shape = ModelShape {
                architecture,
                ..ModelShape::default()
            };
            let layout = ParameterLayout::new(&shape, 300);
            let weights = layout.initialize(1);
            let vectors = layout.tensors().iter().filter(|tensor| tensor.is_vector());
            for tensor in vectors {
                let expected = if tensor.is_bias() { 0.0 } else { 1.0 };
                let values = &weights[tensor.range.clone()];
                assert!(values.iter().all(|v| *v == expected), "{}", tensor.name);
            }
        }
    }

    /// A seed makes the weights that it made when every network was a Llama: matrix by matrix in this order, one draw an element.
    #[test]
    fn a_seed_makes_the_weights_that_it_always_made() {
        let shape = ModelShape::default();
        let (h, f) = (shape.hidden, shape.ffn);
        let layout = ParameterLayout::new(&shape, 300);
        let weights = layout.initialize(7);
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut rest = weights.as_slice();
        let mut next = |len: usize, deviation: Option<f64>| {
            let (now, behind) = rest.split_at(len);
            rest = behind;
            let expected = |_| deviation.map_or(1.0, |d| (normal(&mut random) * d) as f32);
            assert!((0..len).map(expected).eq(now.iter().copied()));
        };
        let (plain, residual) = (Some(0.04), Some(0.04 * (1.0 / 10_f64.sqrt())));
        next(300 * h, plain);
        for _ in 0..shape.layers {
            next(h, None);
            for _ in 0..3 {
                next(h * h, plain);
            }
            next(h * h, residual);
            next(h, None);
            next(2 * f * h, plain);
            next(h * f, residual);
        }
        next(h, None);
        assert!(rest.is_empty());
    }

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let layout = ParameterLayout::new(&ModelShape::default(), 300);
        assert_eq!(layout.initialize(1), layout.initialize(1));
        assert_ne!(layout.initialize(1), layout.initialize(2));
    }
}
