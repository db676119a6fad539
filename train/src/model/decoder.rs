//! Token-by-token inference with a KV cache, on the calling thread. It serves evaluation while training and checks of
//! converted models; a device runs llama.cpp instead.

use super::network::Network;
use crate::error::Result;
use crate::kernels::attention::{Heads, causal_softmax};
use crate::kernels::matrix::{Matrix, MatrixMut, add_product, product};
use crate::kernels::{norm, swiglu};

/// A network with weights and the keys and values of one sequence.
#[derive(Debug)]
pub struct Decoder {
    network: Network,
    weights: Vec<f32>,
    /// What the cache holds.
    tokens: Vec<u32>,
    /// Keys and values of every block, tokens x kv_heads·d each.
    cache: Vec<(Vec<f32>, Vec<f32>)>,
}

impl Decoder {
    /// An empty sequence. `weights` is the flat vector of the network's layout.
    ///
    /// # Panics
    /// When `weights` has another length than the layout.
    #[must_use]
    pub fn new(network: Network, weights: Vec<f32>) -> Self {
        assert_eq!(
            weights.len(),
            network.layout().total(),
            "weights fit the layout"
        );
        let cache = vec![<(Vec<f32>, Vec<f32>)>::default(); network.layout().shape().layers];
        Self {
            network,
            weights,
            tokens: Vec::new(),
            cache,
        }
    }

    /// Tokens in the sequence.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the sequence is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The longest sequence.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.network.layout().shape().max_positions
    }

    /// Makes `tokens` the sequence, keeping what it shares with the present one, and returns the logits behind its
    /// last token and how many tokens had to be computed.
    ///
    /// # Errors
    /// When the tokens do not fit [`Self::capacity`], are none, or are outside the vocabulary.
    pub fn prompt(&mut self, tokens: &[u32]) -> Result<(Vec<f32>, usize)> {
        let shared = self
            .tokens
            .iter()
            .zip(tokens)
            .take_while(|(a, b)| a == b)
            .count()
            // The logits of the last token are wanted, so it is always computed.
            .min(tokens.len().saturating_sub(1));
        let row = self.key_row();
        self.tokens.truncate(shared);
        for (keys, values) in &mut self.cache {
            keys.truncate(shared * row);
            values.truncate(shared * row);
        }
        let fresh = &tokens[shared..];
        Ok((self.extend(fresh)?, fresh.len()))
    }

    /// Appends tokens and returns the logits (vocabulary) behind the last one.
    ///
    /// # Errors
    /// As [`Self::prompt`].
    pub fn extend(&mut self, tokens: &[u32]) -> Result<Vec<f32>> {
        let layout = self.network.layout();
        let (h, vocabulary) = (layout.shape().hidden, layout.vocab_size());
        if tokens.is_empty() || self.tokens.len() + tokens.len() > self.capacity() {
            return Err(candle_core::Error::Msg(format!(
                "{} tokens after {} do not fit a sequence of 1 to {}",
                tokens.len(),
                self.tokens.len(),
                self.capacity()
            ))
            .into());
        }
        let embedding = &self.weights[layout.embedding()];
        let mut x = Vec::with_capacity(tokens.len() * h);
        for token in tokens {
            let token = *token as usize;
            if token >= vocabulary {
                return Err(candle_core::Error::Msg(format!(
                    "token {token} is outside a vocabulary of {vocabulary}"
                ))
                .into());
            }
            x.extend_from_slice(&embedding[token * h..(token + 1) * h]);
        }
        for block in 0..self.cache.len() {
            self.block(block, &mut x);
        }
        self.tokens.extend_from_slice(tokens);
        let layout = self.network.layout();
        let mut last = vec![0.0; h];
        norm::forward(
            &x[x.len() - h..],
            &self.weights[layout.norm()],
            layout.shape().rms_norm_eps as f32,
            &mut last,
            &mut [0.0],
        );
        let mut logits = vec![0.0; vocabulary];
        product(
            MatrixMut::new(&mut logits, vocabulary, 1),
            1.0,
            Matrix::new(&self.weights[layout.output()], vocabulary, h),
            Matrix::new(&last, h, 1),
        );
        Ok(logits)
    }

    fn key_row(&self) -> usize {
        let heads = self.network.layout().shape().attention();
        heads.key_value * heads.dim
    }

    /// Runs one block on the residual stream of the new tokens, in place.
    fn block(&mut self, block: usize, x: &mut [f32]) {
        let context = self.network.context();
        let (shape, parts) = (&context.shape, &context.layout);
        let weights = &self.weights[self.network.layout().blocks()[block].clone()];
        let (h, f) = (shape.hidden, shape.ffn);
        let n = x.len() / h;
        let heads = shape.attention();
        let (row, out_row) = (heads.row(), heads.out_row());
        let eps = shape.rms_norm_eps as f32;
        let mut normed = vec![0.0; n * h];
        let mut inverse_rms = vec![0.0; n];
        norm::forward(
            x,
            &weights[parts.norm1.clone()],
            eps,
            &mut normed,
            &mut inverse_rms,
        );
        let mut qkv = vec![0.0; n * row];
        product(
            MatrixMut::new(&mut qkv, n, row),
            1.0,
            Matrix::new(&normed, n, h),
            Matrix::new(&weights[parts.qkv.clone()], row, h).t(),
        );
        let past = self.tokens.len();
        let positions: Vec<u32> = (past..past + n)
            .map(|p| u32::try_from(p).expect("a position lies below the capacity"))
            .collect();
        context.finish_projection(weights, &mut qkv, &positions);
        let (keys, values) = &mut self.cache[block];
        for row in qkv.chunks_exact(row) {
            let (key, value) = row[out_row..].split_at(heads.key_value * heads.dim);
            keys.extend_from_slice(key);
            values.extend_from_slice(value);
        }
        let mut attended = vec![0.0; n * out_row];
        attend(heads, past, &qkv, keys, values, &mut attended);
        add_product(
            MatrixMut::new(x, n, h),
            1.0,
            Matrix::new(&attended, n, out_row),
            Matrix::new(&weights[parts.out.clone()], h, out_row).t(),
        );
        norm::forward(
            x,
            &weights[parts.norm2.clone()],
            eps,
            &mut normed,
            &mut inverse_rms,
        );
        let mut gate_up = vec![0.0; n * 2 * f];
        product(
            MatrixMut::new(&mut gate_up, n, 2 * f),
            1.0,
            Matrix::new(&normed, n, h),
            Matrix::new(&weights[parts.gate_up.clone()], 2 * f, h).t(),
        );
        let mut activated = vec![0.0; n * f];
        swiglu::forward(&gate_up, f, &mut activated);
        add_product(
            MatrixMut::new(x, n, h),
            1.0,
            Matrix::new(&activated, n, f),
            Matrix::new(&weights[parts.down.clone()], h, f).t(),
        );
    }
}

/// Attention of the new rows (in `qkv`) to all cached keys and values; new row i sees `past + i + 1` of them.
fn attend(heads: Heads, past: usize, qkv: &[f32], keys: &[f32], values: &[f32], out: &mut [f32]) {
    let (row, out_row, key_row) = (heads.row(), heads.out_row(), heads.key_value * heads.dim);
    let n = qkv.len() / row;
    let total = past + n;
    let mut scores = vec![0.0; n * total];
    for head in 0..heads.query {
        let shared = head / (heads.query / heads.key_value) * heads.dim;
        product(
            MatrixMut::new(&mut scores, n, total),
            1.0 / (heads.dim as f32).sqrt(),
            Matrix::strided(&qkv[head * heads.dim..], n, heads.dim, row),
            Matrix::strided(&keys[shared..], total, heads.dim, key_row).t(),
        );
        causal_softmax(&mut scores, total, past + 1, total);
        product(
            MatrixMut::strided(&mut out[head * heads.dim..], n, heads.dim, out_row),
            1.0,
            Matrix::new(&scores, n, total),
            Matrix::strided(&values[shared..], total, heads.dim, key_row),
        );
    }
}
