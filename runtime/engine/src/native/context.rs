//! One KV cache and the compute buffers around it.

use std::num::NonZeroU32;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_sys_2 as sys;

use super::rows::Rows;
use super::threads::ThreadPool;
use crate::error::EngineError;
use crate::native::{Model, Token, log, usage};
use crate::options::KvType;

/// Sizes of a context.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContextParams {
    /// Sequences, each with a cache of its own.
    pub(crate) sequences: NonZeroU32,
    /// Tokens of KV cache of one sequence.
    pub(crate) tokens: u32,
    /// Most tokens of one decode call.
    pub(crate) batch: NonZeroU32,
    /// Most rows of one decode call whose logits are asked for.
    pub(crate) outputs: NonZeroU32,
    /// CPU threads.
    pub(crate) threads: NonZeroU32,
    /// Number type of the cache.
    pub(crate) kv_type: KvType,
    /// The fused attention kernel.
    pub(crate) flash_attention: bool,
}

/// Bytes that a context takes, as llama.cpp rounds them (to 10 KiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ContextBytes {
    /// The KV cache.
    pub(crate) cache: u64,
    /// Activations of the largest batch.
    pub(crate) compute: u64,
    /// Logits.
    pub(crate) outputs: u64,
}

/// A llama.cpp context.
#[derive(Debug)]
pub(crate) struct Context {
    raw: NonNull<sys::llama_context>,
    n_vocab: usize,
    batch: usize,
    sequences: u32,
    // Both are used by `raw` until it is freed in `drop`, which runs before these fields are dropped.
    _threads: Option<ThreadPool>,
    _model: Arc<Model>,
}

// SAFETY: a context is not bound to a thread; `&mut self` keeps calls from overlapping, and it is not `Sync`.
unsafe impl Send for Context {}

/// `llama_init_from_model` may write to the model it is given, so contexts are created one at a time.
static CREATION: Mutex<()> = Mutex::new(());

impl Context {
    /// Allocates everything a context will ever need.
    pub(crate) fn new(model: Arc<Model>, params: ContextParams) -> Result<Self, EngineError> {
        let refused = |reason: String| EngineError::Context {
            tokens: params.tokens,
            reason,
        };
        let threads = match params.threads.get() {
            1 => None,
            _ => Some(
                ThreadPool::new(params.threads)
                    .ok_or_else(|| refused(format!("no {} threads", params.threads)))?,
            ),
        };
        let native = native_params(params);
        let (raw, reason) = {
            let _one_at_a_time = CREATION.lock().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: the model is alive (the `Arc` is kept below), and every pointer of `native` is null.
            log::with_reason(|| unsafe { sys::llama_init_from_model(model.as_ptr(), native) })
        };
        let raw = NonNull::new(raw).ok_or_else(|| refused(reason))?;
        if let Some(pool) = &threads {
            // SAFETY: both are alive, and the pool is dropped only after the context was freed.
            unsafe { sys::llama_attach_threadpool(raw.as_ptr(), pool.as_ptr(), pool.as_ptr()) };
        }
        Ok(Self {
            raw,
            n_vocab: usize::try_from(model.vocabulary().n_tokens()).unwrap_or(0),
            // llama.cpp lowers the batch to the context's size, and aborts the process on a larger one.
            // SAFETY: the context is alive.
            batch: unsafe { sys::llama_n_batch(raw.as_ptr()) }.max(1) as usize,
            sequences: params.sequences.get(),
            _threads: threads,
            _model: model,
        })
    }

    /// As [`Context::new`], with what llama.cpp says about the memory that it takes.
    pub(crate) fn measured(
        model: Arc<Model>,
        params: ContextParams,
    ) -> Result<(Self, ContextBytes), EngineError> {
        let (context, said) = log::listening(|| Self::new(model, params));
        let context = context?;
        let bytes = ContextBytes {
            cache: said_bytes(&said, "llama_kv_cache: size ="),
            compute: said_bytes(&said, "compute buffer size ="),
            outputs: said_bytes(&said, "output buffer size ="),
        };
        Ok((context, bytes))
    }

    /// Appends tokens to the sequence, in as many batches as needed. The caller keeps count of the positions.
    ///
    /// After an error the content of the cache is unknown: [`Context::truncate`] it.
    pub(crate) fn decode(&mut self, tokens: &[Token], position: usize) -> Result<(), EngineError> {
        let mut rest = tokens;
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(next_batch(rest.len(), self.batch));
            let position = position + tokens.len() - rest.len();
            self.decode_batch(chunk, position)?;
            rest = behind;
        }
        Ok(())
    }

    fn decode_batch(&mut self, chunk: &[Token], position: usize) -> Result<(), EngineError> {
        let len = i32::try_from(chunk.len()).unwrap_or(i32::MAX);
        let first = chunk.as_ptr().cast::<sys::llama_token>().cast_mut();
        // SAFETY: `Token` is `repr(transparent)` over `llama_token`; the batch borrows `chunk` for the decode call only,
        // which reads `len` tokens and does not write to them. Positions and sequence default to "append to sequence
        // 0", and logits to "of the last token".
        let code = unsafe {
            let batch = sys::llama_batch_get_one(first, len);
            usage::counted(chunk.len(), || sys::llama_decode(self.raw.as_ptr(), batch))
        };
        outcome(code, chunk.len(), position)
    }

    /// Most tokens of one decode call.
    pub(crate) fn batch(&self) -> usize {
        self.batch
    }

    /// Decodes rows of any sequences in one call. After an error the content of their caches is unknown.
    pub(crate) fn decode_rows(&mut self, rows: &mut Rows) -> Result<(), EngineError> {
        let (tokens, position) = (rows.len(), rows.first_position());
        debug_assert!(tokens <= self.batch, "llama.cpp aborts on more");
        // SAFETY: the context is alive, the arrays of the batch hold as many entries as it says, and the call reads them
        // and keeps none. llama.cpp checks tokens and sequences and answers -1 for one that it does not have.
        let code = usage::counted(tokens, || unsafe {
            sys::llama_decode(self.raw.as_ptr(), rows.as_native())
        });
        outcome(code, tokens, position)
    }

    /// The logits behind the last decoded token; `None` before the first decode.
    pub(crate) fn logits(&mut self) -> Option<&[f32]> {
        self.logits_of(-1)
    }

    /// The logits behind the row at this place of the last batch; `None` when none were asked for.
    pub(crate) fn logits_of_row(&mut self, row: usize) -> Option<&[f32]> {
        self.logits_of(i32::try_from(row).ok()?)
    }

    fn logits_of(&mut self, row: i32) -> Option<&[f32]> {
        // SAFETY: the context is alive; -1 asks for the last output row, and null says that there is none.
        let row = unsafe { sys::llama_get_logits_ith(self.raw.as_ptr(), row) };
        // SAFETY: a row holds `n_vocab` floats, owned by the context and valid until its next call, which needs
        // `&mut self` and so cannot happen while this borrow lives.
        NonNull::new(row)
            .map(|row| unsafe { std::slice::from_raw_parts(row.as_ptr(), self.n_vocab) })
    }

    /// Forgets every token of a sequence from position `len` on. `false`: this kind of memory cannot be cut there
    /// (recurrent models).
    pub(crate) fn truncate(&mut self, sequence: u32, len: usize) -> bool {
        let from = i32::try_from(len).unwrap_or(i32::MAX);
        let sequence = self.sequence(sequence);
        // SAFETY: the context is alive, and its memory is part of it; the sequence is one of its own.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_rm(memory, sequence, from, -1)
        }
    }

    /// Makes the cache of `to` a copy of that of `from`. The bytes are copied by the next decode call.
    pub(crate) fn copy(&mut self, from: u32, to: u32) {
        let (from, to) = (self.sequence(from), self.sequence(to));
        // SAFETY: as in `truncate`; whole sequences are copied, which is all that llama.cpp allows between caches.
        unsafe {
            let memory = sys::llama_get_memory(self.raw.as_ptr());
            sys::llama_memory_seq_cp(memory, from, to, -1, -1);
        }
    }

    /// The native id of a sequence. llama.cpp aborts the process on one that it does not have, so that is refused here.
    fn sequence(&self, sequence: u32) -> sys::llama_seq_id {
        assert!(
            sequence < self.sequences,
            "{sequence} of {}",
            self.sequences
        );
        sequence.cast_signed()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the pointer came from `llama_init_from_model` and is freed once.
        unsafe { sys::llama_free(self.raw.as_ptr()) };
    }
}

/// Tokens of the next batch when `rest` remain: as many as fit, but never so that a single one is left over, because
/// single tokens go through other kernels (see `Sequence::reusable`).
pub(crate) fn next_batch(rest: usize, most: usize) -> usize {
    if rest == most + 1 && most > 2 {
        most - 1
    } else {
        rest.min(most)
    }
}

/// The sum of all sizes behind `what`, which llama.cpp writes in MiB.
fn said_bytes(said: &str, what: &str) -> u64 {
    let sizes = said.lines().filter_map(|line| {
        let (_, behind) = line.split_once(what)?;
        let number = behind.split_whitespace().next()?;
        number.parse::<f64>().ok()
    });
    // Rounded up by half of the last digit that llama.cpp writes.
    sizes.map(|mib| ((mib + 0.005) * 1_048_576.0) as u64).sum()
}

fn outcome(code: i32, tokens: usize, position: usize) -> Result<(), EngineError> {
    if code == 0 {
        return Ok(());
    }
    Err(EngineError::Decode {
        code,
        tokens,
        position,
    })
}

fn native_params(params: ContextParams) -> sys::llama_context_params {
    // SAFETY: pure function that fills a plain struct.
    let mut native = unsafe { sys::llama_context_default_params() };
    let threads = i32::try_from(params.threads.get()).unwrap_or(i32::MAX);
    let kv_type = match params.kv_type {
        KvType::F32 => sys::GGML_TYPE_F32,
        KvType::F16 => sys::GGML_TYPE_F16,
        KvType::Q8_0 => sys::GGML_TYPE_Q8_0,
    };
    native.n_ctx = params.tokens.saturating_mul(params.sequences.get());
    native.n_batch = params.batch.get();
    native.n_ubatch = params.batch.get();
    native.n_seq_max = params.sequences.get();
    native.n_outputs_max = params.outputs.get();
    // A cache for each sequence: in a common one every token would be compared with the tokens of all sequences, and sums
    // would depend on who else is there.
    native.kv_unified = false;
    native.n_threads = threads;
    native.n_threads_batch = threads;
    native.type_k = kv_type;
    native.type_v = kv_type;
    native.flash_attn_type = match params.flash_attention {
        true => sys::LLAMA_FLASH_ATTN_TYPE_ENABLED,
        false => sys::LLAMA_FLASH_ATTN_TYPE_DISABLED,
    };
    native.no_perf = true;
    native
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_batch_of_several_leaves_a_single_token() {
        for most in 3..9 {
            for all in 2..60 {
                let mut rest = all;
                while rest > 0 {
                    let taken = next_batch(rest, most);
                    assert!(
                        (2..=most).contains(&taken),
                        "{taken} of {rest}, most {most}"
                    );
                    rest -= taken;
                }
            }
        }
        assert_eq!(next_batch(1, 8), 1);
    }
}
