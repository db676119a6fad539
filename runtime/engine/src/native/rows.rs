//! The input of one decode call over several sequences.

use llama_cpp_sys_2 as sys;

use crate::native::Token;

/// Tokens with their sequences and positions, in the arrays that llama.cpp reads. Allocated once.
#[derive(Debug)]
pub(crate) struct Rows {
    tokens: Vec<sys::llama_token>,
    positions: Vec<sys::llama_pos>,
    sequences: Vec<*mut sys::llama_seq_id>,
    counts: Vec<i32>,
    outputs: Vec<i8>,
    /// The ids that `sequences` points to.
    ids: Box<[sys::llama_seq_id]>,
}

// SAFETY: the pointers lead into `ids`, a heap block of this value that never moves; nothing is bound to a thread.
unsafe impl Send for Rows {}

impl Rows {
    /// Room for `most` rows of `sequences` sequences.
    pub(crate) fn new(most: usize, sequences: u32) -> Self {
        Self {
            tokens: Vec::with_capacity(most),
            positions: Vec::with_capacity(most),
            sequences: Vec::with_capacity(most),
            counts: Vec::with_capacity(most),
            outputs: Vec::with_capacity(most),
            ids: (0..sequences.cast_signed()).collect(),
        }
    }

    /// Removes all rows.
    pub(crate) fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.counts.clear();
        self.outputs.clear();
    }

    /// Appends a row and returns its place; `output` asks for the logits behind it.
    pub(crate) fn push(
        &mut self,
        sequence: u32,
        position: usize,
        token: Token,
        output: bool,
    ) -> usize {
        self.tokens.push(token.0);
        self.positions
            .push(i32::try_from(position).unwrap_or(i32::MAX));
        self.sequences.push(&raw mut self.ids[sequence as usize]);
        self.counts.push(1);
        self.outputs.push(i8::from(output));
        self.tokens.len() - 1
    }

    /// Rows in the batch.
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The position of the first row, for error messages.
    pub(crate) fn first_position(&self) -> usize {
        let first = self.positions.first().copied().unwrap_or(0);
        usize::try_from(first).unwrap_or(0)
    }

    /// The arrays as llama.cpp takes them; valid until the next change.
    pub(super) fn as_native(&mut self) -> sys::llama_batch {
        sys::llama_batch {
            n_tokens: i32::try_from(self.tokens.len()).unwrap_or(i32::MAX),
            token: self.tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: self.positions.as_mut_ptr(),
            n_seq_id: self.counts.as_mut_ptr(),
            seq_id: self.sequences.as_mut_ptr(),
            logits: self.outputs.as_mut_ptr(),
        }
    }
}
