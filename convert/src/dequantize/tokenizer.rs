//! `tokenizer.json` and `tokenizer_config.json` from the vocabulary of a GGUF: byte-level BPE, whose rules a GGUF names.

use std::collections::HashSet;

use serde_json::{Map, Value as Json, json};

use super::config::token;
use crate::error::Error;
use crate::gguf::{Array, Value};
use crate::source::ModelConfig;
use crate::stored::StoredModel;

/// Name of the file that holds what is not in `tokenizer.json`.
pub(super) const SETTINGS_FILE: &str = "tokenizer_config.json";

/// Token types of llama.cpp (`enum llama_token_type`).
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Both files.
pub(super) struct Words {
    pub(super) tokenizer: Json,
    pub(super) settings: Json,
}

/// The tokenizer of `model`.
pub(super) fn of(model: &StoredModel, config: &ModelConfig) -> Result<Words, Error> {
    let metadata = &model.metadata;
    let kind = metadata.text("tokenizer.ggml.model").unwrap_or_default();
    if kind != "gpt2" {
        return Err(model.refuse(format!(
            "tokenizer.ggml.model is {kind:?}; byte-level BPE (\"gpt2\") can be turned back"
        )));
    }
    let pre = metadata.text("tokenizer.ggml.pre").unwrap_or_default();
    let splitting = splitting(pre).ok_or_else(|| {
        model.refuse(format!(
            "tokenizer.ggml.pre is {pre:?}; gpt-2, smollm, qwen2 and llama-bpe can be turned back"
        ))
    })?;
    let tokens = Tokens::of(model)?;
    let bos = token(model, "bos").and_then(|id| tokens.text(id));
    let begins = match metadata.get("tokenizer.ggml.add_bos_token") {
        Some(Value::Bool(begins)) => *begins,
        // What llama.cpp does where the file does not say.
        _ => pre == "llama-bpe",
    };
    let byte_level = json!({
        "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": splitting.is_none(),
    });
    let pre_tokenizer = match splitting {
        None => byte_level.clone(),
        Some(Splitting { expressions, .. }) => {
            let split = |expression: &&str| {
                json!({
                    "type": "Split", "pattern": { "Regex": expression }, "behavior": "Isolated", "invert": false,
                })
            };
            let mut steps: Vec<Json> = expressions.iter().map(split).collect();
            steps.push(byte_level.clone());
            json!({ "type": "Sequence", "pretokenizers": steps })
        }
    };
    let post_processor = bos.filter(|_| begins).map(|bos| {
        let begin = json!({ "SpecialToken": { "id": bos, "type_id": 0 } });
        let sequence = |id: &str, place: u32| json!({ "Sequence": { "id": id, "type_id": place } });
        json!({
            "type": "TemplateProcessing",
            "single": [begin, sequence("A", 0)],
            "pair": [begin, sequence("A", 0), sequence("B", 1)],
            "special_tokens": { bos: { "id": bos, "ids": [token(model, "bos")], "tokens": [bos] } },
        })
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens.added(),
        "normalizer": null, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor, "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
            "ignore_merges": splitting.is_some_and(|rules| rules.whole_words_first),
            "vocab": tokens.vocabulary(), "merges": merges(model, &tokens)?,
        },
    });
    let mut settings = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context,
        "clean_up_tokenization_spaces": false,
    });
    for (field, name) in [
        ("bos_token", "bos"),
        ("eos_token", "eos"),
        ("unk_token", "unknown"),
        ("pad_token", "padding"),
    ] {
        if let Some(text) = token(model, name).and_then(|id| tokens.text(id)) {
            settings[field] = json!(text);
        }
    }
    if let Some(template) = metadata.text("tokenizer.chat_template") {
        settings["chat_template"] = json!(template);
    }
    Ok(Words {
        tokenizer,
        settings,
    })
}

/// How words are cut out of a text.
#[derive(Clone, Copy)]
struct Splitting {
    /// Each cuts what the one before has left.
    expressions: &'static [&'static str],
    /// A word that is a token is that token, whatever the merges say.
    whole_words_first: bool,
}

/// The rules that llama.cpp calls `pre`; `Some(None)` are those that `ByteLevel` brings along.
fn splitting(pre: &str) -> Option<Option<Splitting>> {
    const GPT_2: &str =
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
    let (expressions, whole_words_first): (&'static [&'static str], bool) = match pre {
        "gpt-2" => return Some(None),
        "smollm" => (&[r"\p{N}", GPT_2], false),
        "qwen2" => (&[QWEN_2], false),
        "llama-bpe" | "llama3" | "llama-v3" => (&[LLAMA_3], true),
        _ => return None,
    };
    Some(Some(Splitting {
        expressions,
        whole_words_first,
    }))
}

/// Texts and kinds by id.
struct Tokens<'a> {
    texts: &'a [String],
    kinds: &'a [i32],
}

impl<'a> Tokens<'a> {
    fn of(model: &'a StoredModel) -> Result<Self, Error> {
        let metadata = &model.metadata;
        let absent = || model.refuse("tokenizer.ggml.tokens is absent, or no list of texts".into());
        let mut texts = metadata.texts("tokenizer.ggml.tokens").ok_or_else(absent)?;
        let kinds: &[i32] = match metadata.get("tokenizer.ggml.token_type") {
            None => &[],
            Some(Value::Array(Array::I32(kinds))) if kinds.len() == texts.len() => kinds,
            Some(_) => {
                let problem = "tokenizer.ggml.token_type does not give every token a 32-bit number";
                return Err(model.refuse(problem.into()));
            }
        };
        // What fills the vocabulary up to the rows of the embedding is no token of the tokenizer.
        let filler = |at: usize, text: &str| {
            kinds.get(at) == Some(&UNUSED) && text.strip_prefix("[PAD").is_some()
        };
        while let Some((last, before)) = texts.split_last()
            && filler(before.len(), last)
        {
            texts = before;
        }
        let mut seen = HashSet::new();
        if let Some(text) = texts.iter().find(|text| !seen.insert(text.as_str())) {
            return Err(model.refuse(format!("the token {text:?} stands twice in the vocabulary")));
        }
        Ok(Self { texts, kinds })
    }

    fn text(&self, id: u64) -> Option<&'a str> {
        let text = self.texts.get(usize::try_from(id).ok()?)?;
        Some(text)
    }

    fn vocabulary(&self) -> Map<String, Json> {
        let with_id = |(id, text): (usize, &String)| (text.clone(), json!(id));
        self.texts.iter().enumerate().map(with_id).collect()
    }

    /// The tokens that are matched before everything else.
    fn added(&self) -> Vec<Json> {
        let kinds = self.texts.iter().zip(self.kinds).enumerate();
        let added = kinds.filter(|(_, (_, kind))| [UNKNOWN, CONTROL, USER_DEFINED].contains(kind));
        added
            .map(|(id, (text, kind))| {
                json!({
                    "id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": *kind != USER_DEFINED,
                })
            })
            .collect()
    }
}

/// The merges as pairs, each of tokens that make a token.
fn merges<'a>(
    model: &'a StoredModel,
    tokens: &Tokens<'_>,
) -> Result<Vec<(&'a str, &'a str)>, Error> {
    let known: HashSet<&str> = tokens.texts.iter().map(String::as_str).collect();
    let stored = model.metadata.texts("tokenizer.ggml.merges");
    let stored = stored.ok_or_else(|| {
        model.refuse("tokenizer.ggml.merges is absent, or no list of texts".into())
    })?;
    stored
        .iter()
        .map(|merge| {
            let pair = merge.split_once(' ').filter(|(left, right)| {
                known.contains(left)
                    && known.contains(right)
                    && known.contains(format!("{left}{right}").as_str())
            });
            pair.ok_or_else(|| {
                model.refuse(format!(
                    "the merge {merge:?} does not join two tokens into a third"
                ))
            })
        })
        .collect()
}
