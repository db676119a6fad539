//! The components and settings that the rules named by the GGUF stand for; each other one is refused by name.

use serde_json::Value;

use super::raw::{RawBpe, RawTokenizer};
use crate::source::TokenizerProblem;

/// The pipeline around the model.
pub(super) fn check_parts(raw: &RawTokenizer) -> Result<(), TokenizerProblem> {
    let part = |part, value: &Value, needed, good: bool| {
        let found = describe(value);
        if good {
            Ok(())
        } else {
            Err(TokenizerProblem::Part {
                part,
                found,
                needed,
            })
        }
    };
    let is = |value: &Value, kind: &str| value.get("type").and_then(Value::as_str) == Some(kind);
    let flag = |value: &Value, name: &str| value.get(name).and_then(Value::as_bool);
    part("model", &raw.model, "BPE", is(&raw.model, "BPE"))?;
    part(
        "normalizer",
        &raw.normalizer,
        "none",
        raw.normalizer.is_null(),
    )?;
    part(
        "pre-tokenizer",
        &raw.pre_tokenizer,
        "ByteLevel with add_prefix_space false and use_regex true",
        is(&raw.pre_tokenizer, "ByteLevel")
            && flag(&raw.pre_tokenizer, "add_prefix_space") == Some(false)
            && flag(&raw.pre_tokenizer, "use_regex") != Some(false),
    )?;
    let post = &raw.post_processor;
    part(
        "post-processor",
        post,
        "none, or ByteLevel (the prompt layout places the markers itself)",
        post.is_null() || is(post, "ByteLevel"),
    )?;
    part(
        "decoder",
        &raw.decoder,
        "ByteLevel",
        is(&raw.decoder, "ByteLevel"),
    )?;
    part(
        "truncation",
        &raw.truncation,
        "none",
        raw.truncation.is_null(),
    )?;
    part("padding", &raw.padding, "none", raw.padding.is_null())
}

/// A component in a few words for an error.
pub(super) fn describe(value: &Value) -> String {
    const MOST_CHARACTERS: usize = 120;
    let Some(object) = value.as_object() else {
        return if value.is_null() {
            "none".into()
        } else {
            "not an object".into()
        };
    };
    let settings = object
        .iter()
        .filter(|(name, setting)| {
            *name != "type" && (setting.is_boolean() || setting.is_number() || setting.is_string())
        })
        .map(|(name, setting)| format!(", {name} {setting}"));
    let kind = object
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("untyped");
    let text: String = std::iter::once(kind.to_owned()).chain(settings).collect();
    text.chars().take(MOST_CHARACTERS).collect()
}

/// The settings of the model.
pub(super) fn check_settings(bpe: &RawBpe) -> Result<(), TokenizerProblem> {
    let text = |value: &Option<String>| value.as_deref().is_none_or(str::is_empty);
    let settings = [
        (
            "dropout",
            bpe.dropout.is_none_or(|rate| rate == 0.0),
            "no dropout",
        ),
        (
            "continuing_subword_prefix",
            text(&bpe.continuing_subword_prefix),
            "none",
        ),
        ("end_of_word_suffix", text(&bpe.end_of_word_suffix), "none"),
        ("byte_fallback", !bpe.byte_fallback, "false"),
        ("ignore_merges", !bpe.ignore_merges, "false"),
    ];
    match settings.into_iter().find(|(_, good, _)| !good) {
        None => Ok(()),
        Some((part, _, needed)) => Err(TokenizerProblem::Part {
            part,
            found: "set".into(),
            needed,
        }),
    }
}
