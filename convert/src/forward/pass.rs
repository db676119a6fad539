//! One pass over whole sequences, layer after layer. A matrix is decoded a few MiB at a time when its turn has come, so
//! weights never take more memory than that; what grows with the tokens of a batch are the activations.

use rayon::prelude::*;

use super::attention::{attend, turn};
use super::product::product;
use super::{ForwardError, Parameters, Stored};

/// Weights of a matrix that are decoded at once (16 MiB as `f32`), or one row where a row is longer.
const TILE_WEIGHTS: usize = 1 << 22;

/// Sequences that go through the network together, one after the other in memory.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The tokens of all of them.
    pub tokens: Vec<u32>,
    /// Tokens of each.
    pub lengths: Vec<usize>,
}

impl Batch {
    /// Appends a sequence.
    pub fn push(&mut self, sequence: &[u32]) {
        self.tokens.extend_from_slice(sequence);
        self.lengths.push(sequence.len());
    }
}

/// Looks at what goes into a matrix: its name in the GGUF, and the rows of activations, one for every token of a batch.
/// The importance of a matrix's columns is made of that.
pub trait Observe {
    /// `rows` holds whole rows of `columns` activations.
    fn input(&mut self, matrix: &str, rows: &[f32], columns: usize);
}

/// Looks at nothing.
impl Observe for () {
    fn input(&mut self, _matrix: &str, _rows: &[f32], _columns: usize) {}
}

/// Any closure will do.
impl<F: FnMut(&str, &[f32], usize)> Observe for F {
    fn input(&mut self, matrix: &str, rows: &[f32], columns: usize) {
        self(matrix, rows, columns);
    }
}

/// Runs a batch through every layer and the last norm: a row of the hidden width for every token. `step` hears of
/// every layer that is done.
///
/// # Errors
///
/// When a tensor is absent, of another shape or unreadable, or a token is outside the vocabulary.
pub fn hidden(
    parameters: &Parameters<'_>,
    batch: &Batch,
    observe: &mut dyn Observe,
    step: &mut dyn FnMut(),
) -> Result<Vec<f32>, ForwardError> {
    let network = &parameters.network;
    let mut stream = embed(parameters, &batch.tokens)?;
    for layer in 0..network.layers {
        let mut block = Block {
            parameters,
            layer,
            observe: &mut *observe,
        };
        block.attention(&mut stream, batch)?;
        block.feed_forward(&mut stream)?;
        step();
    }
    let norm = parameters.vector("output_norm.weight", network.hidden)?;
    let normed = rms_norm(&stream, &norm, network.rms_eps);
    finite(parameters, &normed, || "a hidden state".into())?;
    Ok(normed)
}

/// Logits of some rows of hidden states, a row of the vocabulary's width each.
///
/// # Errors
///
/// As [`hidden`].
pub fn logits(
    parameters: &Parameters<'_>,
    rows: Vec<f32>,
    observe: &mut dyn Observe,
) -> Result<Vec<f32>, ForwardError> {
    let matrix = parameters.logits()?;
    observe.input(&matrix.name, &rows, matrix.columns);
    let logits = linear(parameters, matrix, &rows)?;
    finite(parameters, &logits, || "a logit".into())?;
    Ok(logits)
}

fn finite(
    parameters: &Parameters<'_>,
    values: &[f32],
    what: impl Fn() -> String,
) -> Result<(), ForwardError> {
    if values.par_iter().all(|value| value.is_finite()) {
        return Ok(());
    }
    Err(ForwardError::NotFinite {
        side: parameters.side.clone(),
        what: what(),
    })
}

fn embed(parameters: &Parameters<'_>, tokens: &[u32]) -> Result<Vec<f32>, ForwardError> {
    let embedding = parameters.embedding()?;
    let mut stream = Vec::with_capacity(tokens.len() * embedding.columns);
    for &token in tokens {
        if token as usize >= embedding.rows {
            return Err(ForwardError::Token {
                side: parameters.side.clone(),
                token,
                vocabulary: embedding.rows,
            });
        }
        parameters.row(embedding, token as usize, &mut stream)?;
    }
    Ok(stream)
}

/// One layer at work.
struct Block<'a, 'b> {
    parameters: &'a Parameters<'a>,
    layer: usize,
    observe: &'b mut dyn Observe,
}

impl Block<'_, '_> {
    fn name(&self, part: &str) -> String {
        format!("blk.{}.{part}", self.layer)
    }

    fn norm(&self, part: &str, stream: &[f32]) -> Result<Vec<f32>, ForwardError> {
        let network = &self.parameters.network;
        let weight = self
            .parameters
            .vector(&self.name(&format!("{part}.weight")), network.hidden)?;
        Ok(rms_norm(stream, &weight, network.rms_eps))
    }

    /// `input` times a matrix of this layer, plus its bias where there is one.
    fn matrix(
        &mut self,
        part: &str,
        rows: usize,
        columns: usize,
        input: &[f32],
    ) -> Result<Vec<f32>, ForwardError> {
        let name = self.name(&format!("{part}.weight"));
        let matrix = self.parameters.expect(&name, rows, columns)?;
        self.observe.input(&name, input, columns);
        let mut out = linear(self.parameters, matrix, input)?;
        self.parameters.release(matrix);
        let bias = self.name(&format!("{part}.bias"));
        if let Some(bias) = self.parameters.optional_vector(&bias, rows)? {
            out.par_chunks_exact_mut(rows)
                .for_each(|row| row.iter_mut().zip(&bias).for_each(|(x, b)| *x += b));
        }
        Ok(out)
    }

    /// Norms every head on its own, where the architecture does that.
    fn head_norm(&self, part: &str, heads: &mut [f32]) -> Result<(), ForwardError> {
        let network = &self.parameters.network;
        let name = self.name(&format!("{part}.weight"));
        if let Some(weight) = self.parameters.optional_vector(&name, network.head_dim)? {
            let normed = rms_norm(heads, &weight, network.rms_eps);
            heads.copy_from_slice(&normed);
        }
        Ok(())
    }

    fn attention(&mut self, stream: &mut [f32], batch: &Batch) -> Result<(), ForwardError> {
        let network = self.parameters.network.clone();
        let (hidden, queries, key_values) =
            (network.hidden, network.queries(), network.key_values());
        let normed = self.norm("attn_norm", stream)?;
        let mut q = self.matrix("attn_q", queries, hidden, &normed)?;
        let mut k = self.matrix("attn_k", key_values, hidden, &normed)?;
        let v = self.matrix("attn_v", key_values, hidden, &normed)?;
        self.head_norm("attn_q_norm", &mut q)?;
        self.head_norm("attn_k_norm", &mut k)?;
        turn(&network, &mut q, queries, &batch.lengths);
        turn(&network, &mut k, key_values, &batch.lengths);
        let attended = attend(&network, &q, &k, &v, &batch.lengths);
        let out = self.matrix("attn_output", hidden, queries, &attended)?;
        add(stream, &out);
        Ok(())
    }

    fn feed_forward(&mut self, stream: &mut [f32]) -> Result<(), ForwardError> {
        let network = &self.parameters.network;
        let (hidden, intermediate) = (network.hidden, network.intermediate);
        let normed = self.norm("ffn_norm", stream)?;
        let mut gate = self.matrix("ffn_gate", intermediate, hidden, &normed)?;
        let up = self.matrix("ffn_up", intermediate, hidden, &normed)?;
        gate.par_iter_mut().zip(&up).for_each(|(gate, up)| {
            let silu = *gate / (1.0 + (-*gate).exp());
            *gate = silu * up;
        });
        let out = self.matrix("ffn_down", hidden, intermediate, &gate)?;
        add(stream, &out);
        Ok(())
    }
}

fn add(stream: &mut [f32], other: &[f32]) {
    stream.par_iter_mut().zip(other).for_each(|(x, y)| *x += y);
}

/// Every row of `weight.len()` values divided by its root mean square, times `weight`.
fn rms_norm(rows: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mut out = vec![0.0; rows.len()];
    out.par_chunks_exact_mut(weight.len())
        .zip(rows.par_chunks_exact(weight.len()))
        .for_each(|(out, row)| {
            let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            let mean = (squares / row.len() as f64) as f32;
            let scale = 1.0 / (mean + eps).sqrt();
            for ((out, x), weight) in out.iter_mut().zip(row).zip(weight) {
                *out = x * scale * weight;
            }
        });
    out
}

/// Every row of `input` times the transposed matrix: one value for every row of the matrix.
fn linear(
    parameters: &Parameters<'_>,
    matrix: &Stored<'_>,
    input: &[f32],
) -> Result<Vec<f32>, ForwardError> {
    let (rows, columns) = (matrix.rows, matrix.columns);
    let mut out = vec![0.0; input.len() / columns * rows];
    let tile = (TILE_WEIGHTS / columns).max(1);
    for first in (0..rows).step_by(tile) {
        let last = (first + tile).min(rows);
        let weights = parameters.rows(matrix, first..last)?;
        product(input, &weights, columns, (&mut out, rows, first));
    }
    Ok(out)
}
