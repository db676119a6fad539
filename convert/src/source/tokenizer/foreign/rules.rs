//! The rules that llama.cpp knows, by the names that stand in a GGUF.

use std::sync::OnceLock;

use super::words::Words;

/// How words are cut out of a text before byte pairs are joined (`tokenizer.ggml.pre`).
#[derive(Debug)]
pub struct Splitting {
    /// Its name.
    pub name: &'static str,
    /// Expressions, one after the other; each cuts what the one before has left, and what lies between two matches is a
    /// word as well.
    pub expressions: &'static [&'static str],
    /// A word that is a token is that token, whatever the merges say.
    pub whole_words_first: bool,
    /// The expressions ready to use: compiling them takes longer than cutting the corpus, and a tokenizer may be tried
    /// with several vocabularies.
    compiled: OnceLock<Result<Words, String>>,
}

impl Splitting {
    /// What cuts the words out, compiled when it is first asked for.
    pub(super) fn words(&self) -> Result<&Words, String> {
        let words = self.compiled.get_or_init(|| Words::new(self));
        words.as_ref().map_err(Clone::clone)
    }
}

impl PartialEq for Splitting {
    /// Each stands once in the table, under its name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA_3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_3_5: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const SEED: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";
const BAILING: &str = r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";
const DEEPSEEK_3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

/// All that are tried, the usual ones first. llama.cpp knows more names for the same splitting; one is enough.
pub static SPLITTINGS: [Splitting; 11] = [
    plain("gpt-2", &[GPT_2]),
    plain("smollm", &[r"\p{N}", GPT_2]),
    plain("qwen2", &[QWEN_2]),
    Splitting {
        name: "llama-bpe",
        expressions: &[LLAMA_3],
        whole_words_first: true,
        compiled: OnceLock::new(),
    },
    plain("smaug-bpe", &[LLAMA_3]),
    plain("qwen35", &[QWEN_3_5]),
    plain(
        "deepseek-v3",
        &[r"\p{N}{1,3}", "[一-龥\u{3040}-ゟ゠-ヿ]+", DEEPSEEK_3],
    ),
    plain(
        "deepseek-coder",
        &[
            "[\r\n]",
            r"\s?\p{L}+",
            r"\s?\p{P}+",
            "[一-龥ࠀ-一가-\u{d7ff}]+",
            r"\p{N}",
        ],
    ),
    plain(
        "falcon",
        &[r"[\p{P}\$\+<=>\^~\|`]+", GPT_2, "[0-9][0-9][0-9]"],
    ),
    plain("seed-coder", &[SEED]),
    plain("bailingmoe", &[BAILING]),
];

const fn plain(name: &'static str, expressions: &'static [&'static str]) -> Splitting {
    Splitting {
        name,
        expressions,
        whole_words_first: false,
        compiled: OnceLock::new(),
    }
}

/// What llama.cpp does with a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Rules {
    /// Byte pairs inside words (`tokenizer.ggml.model` "gpt2").
    Words(&'static Splitting),
    /// Pairs of tokens by score over the whole text, bytes where nothing fits ("llama").
    Pieces {
        /// A space is put before the text, and before what follows a special token.
        space_prefix: bool,
        /// White space behind special tokens is dropped, which llama.cpp does where the model is called Phi-3.
        strip_right: bool,
    },
    /// The most likely pieces ("t5").
    Unigram {
        /// A space is put before the first word.
        space_prefix: bool,
        /// Runs of spaces become one.
        merge_spaces: bool,
        /// SentencePiece's compiled map of characters; empty where there is none.
        character_map: Vec<u8>,
    },
}

impl Rules {
    /// `tokenizer.ggml.model`.
    #[must_use]
    pub const fn model(&self) -> &'static str {
        match self {
            Self::Words(_) => "gpt2",
            Self::Pieces { .. } => "llama",
            Self::Unigram { .. } => "t5",
        }
    }

    /// `tokenizer.ggml.pre`.
    #[must_use]
    pub const fn pre(&self) -> &'static str {
        match self {
            Self::Words(splitting) => splitting.name,
            Self::Pieces { .. } | Self::Unigram { .. } => "default",
        }
    }

    /// What `general.name` must hold for llama.cpp to follow the rules.
    #[must_use]
    pub const fn needed_name(&self) -> Option<&'static str> {
        match self {
            Self::Pieces {
                strip_right: true, ..
            } => Some("Phi-3"),
            _ => None,
        }
    }

    /// For errors.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Words(splitting) => format!("\"gpt2\" with \"{}\"", splitting.name),
            Self::Pieces { space_prefix, .. } => {
                format!("\"llama\" with add_space_prefix {space_prefix}")
            }
            Self::Unigram {
                space_prefix,
                merge_spaces,
                ..
            } => format!(
                "\"t5\" with add_space_prefix {space_prefix}, remove_extra_whitespaces {merge_spaces}"
            ),
        }
    }
}
