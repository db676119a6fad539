//! The tokenizer in llama.cpp's keys.

use stride_firmware_config::frame::Marker;

use crate::gguf::Metadata;
use crate::source::tokenizer::foreign::{Foreign, Rules, TokenKind};
use crate::source::{ModelConfig, Tokenizer};

/// Rows of the embedding beyond the vocabulary become unused tokens `[PAD..]`, as in `convert_hf_to_gguf.py`.
pub(super) fn set(metadata: &mut Metadata, tokenizer: &Tokenizer, config: &ModelConfig) {
    let known = tokenizer.tokens.len();
    let mut tokens = tokenizer.tokens.clone();
    tokens.extend((known..config.vocab).map(|id| format!("[PAD{id}]")));
    let foreign = tokenizer.foreign.as_deref();
    let kind = |id| match foreign {
        Some(foreign) => foreign.kinds.get(id).copied(),
        None if id < Marker::ALL.len() => Some(TokenKind::Control),
        None => (id < known).then_some(TokenKind::Normal),
    };
    let kind = |id| kind(id).unwrap_or(TokenKind::Unused).id();
    let kinds: Vec<i32> = (0..tokens.len()).map(kind).collect();
    let merges = || {
        let merges = tokenizer.merges.iter();
        merges
            .map(|(left, right)| format!("{left} {right}"))
            .collect::<Vec<_>>()
    };
    let Some(foreign) = foreign else {
        metadata.set("tokenizer.ggml.model", "gpt2");
        metadata.set("tokenizer.ggml.pre", "gpt-2");
        metadata.set("tokenizer.ggml.tokens", tokens);
        metadata.set("tokenizer.ggml.token_type", kinds);
        metadata.set("tokenizer.ggml.merges", merges());
        metadata.set("tokenizer.ggml.bos_token_id", Marker::Begin as u32);
        metadata.set("tokenizer.ggml.eos_token_id", Marker::End as u32);
        metadata.set("tokenizer.ggml.add_bos_token", false);
        metadata.set("tokenizer.ggml.add_eos_token", false);
        metadata.set("tokenizer.ggml.add_space_prefix", false);
        return;
    };
    let rows = tokens.len();
    metadata.set("tokenizer.ggml.model", foreign.rules.model());
    metadata.set("tokenizer.ggml.pre", foreign.rules.pre());
    metadata.set("tokenizer.ggml.tokens", tokens);
    if let Some(scores) = &foreign.scores {
        let mut scores = scores.clone();
        scores.resize(rows, 0.0);
        metadata.set("tokenizer.ggml.scores", scores);
    }
    metadata.set("tokenizer.ggml.token_type", kinds);
    if matches!(foreign.rules, Rules::Words(_)) {
        metadata.set("tokenizer.ggml.merges", merges());
    }
    behaviour(metadata, foreign);
}

/// Special tokens of a foreign tokenizer, and what its rules put around a text.
fn behaviour(metadata: &mut Metadata, foreign: &Foreign) {
    let special = [
        ("bos", foreign.bos),
        ("eos", foreign.eos),
        ("eot", foreign.eot),
        ("unknown", foreign.unknown),
        ("padding", foreign.padding),
    ];
    for (name, id) in special {
        if let Some(id) = id {
            metadata.set(format!("tokenizer.ggml.{name}_token_id"), id);
        }
    }
    metadata.set("tokenizer.ggml.add_bos_token", foreign.add_bos);
    metadata.set("tokenizer.ggml.add_eos_token", foreign.add_eos);
    match &foreign.rules {
        Rules::Words(_) => {
            metadata.set("tokenizer.ggml.add_space_prefix", false);
        }
        Rules::Pieces { space_prefix, .. } => {
            metadata.set("tokenizer.ggml.add_space_prefix", *space_prefix);
        }
        Rules::Unigram {
            space_prefix,
            merge_spaces,
            character_map,
        } => {
            metadata.set("tokenizer.ggml.add_space_prefix", *space_prefix);
            metadata.set("tokenizer.ggml.remove_extra_whitespaces", *merge_spaces);
            if !character_map.is_empty() {
                metadata.set("tokenizer.ggml.precompiled_charsmap", character_map.clone());
            }
        }
    }
    let mut names = Vec::new();
    for template in &foreign.templates {
        match &template.name {
            None => {
                metadata.set("tokenizer.chat_template", template.text.as_str());
            }
            Some(name) => {
                metadata.set(
                    format!("tokenizer.chat_template.{name}"),
                    template.text.as_str(),
                );
                names.push(name.clone());
            }
        }
    }
    if !names.is_empty() {
        metadata.set("tokenizer.chat_templates", names);
    }
}
