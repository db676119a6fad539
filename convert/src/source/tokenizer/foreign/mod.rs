//! A tokenizer that was not made here: the file's own pipeline against what llama.cpp would do with the GGUF.
//!
//! A GGUF names rules instead of holding them, and which rules a `tokenizer.json` stands for cannot be read off it with
//! certainty. So nothing is looked up: every set of rules that llama.cpp knows and that fits the kind of model is tried.
//! `simulation` tokenizes a `corpus` as llama.cpp would, the crate `tokenizers` does it as the file says, and the
//! first rules that agree on every text are written. Where none agree the file is refused, with the first text that differs.
//!
//! | module | holds |
//! |---|---|
//! | `rules` | the table of rules by the names that llama.cpp gives them |
//! | `vocabulary` | tokens, their kinds, scores and merges, from the file |
//! | `simulation` | llama.cpp's algorithms, small and slow |
//! | `corpus` | the texts |
//! | `check` | the comparison |
//! | `bounds` | what is refused before the crate sees it |
//! | `settings` | `tokenizer_config.json` and the chat template |

mod bounds;
mod check;
mod corpus;
mod pieces;
pub mod rules;
mod settings;
mod simulation;
mod special;
mod unigram;
mod vocabulary;
mod words;

use std::path::Path;

use stride_firmware_config::frame::Marker;

pub use rules::Rules;
pub use settings::{ChatTemplate, Settings};
pub use vocabulary::TokenKind;

use super::Tokenizer;
use crate::source::{ModelConfig, SourceError, TokenizerProblem};

/// What a GGUF says about a tokenizer beside tokens and merges.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// The rules that were found to agree.
    pub rules: Rules,
    /// What each token is.
    pub kinds: Vec<TokenKind>,
    /// Scores of the tokens, where the rules need them.
    pub scores: Option<Vec<f32>>,
    /// Begins a text.
    pub bos: Option<u32>,
    /// Ends a text.
    pub eos: Option<u32>,
    /// Ends a turn.
    pub eot: Option<u32>,
    /// Stands for what has no token.
    pub unknown: Option<u32>,
    /// Fills up.
    pub padding: Option<u32>,
    /// `bos` is put before every text.
    pub add_bos: bool,
    /// `eos` is put behind every text.
    pub add_eos: bool,
    /// Chat templates; the first is the usual one.
    pub templates: Vec<ChatTemplate>,
    /// What the rules do not hold and the reader should know.
    pub warnings: Vec<String>,
    /// The markers of the prompt layout are among its special tokens: the vocabulary of a policy on a pretrained network.
    pub speaks_layout: bool,
}

/// Tokens that end a turn; llama.cpp looks for the same texts.
const END_OF_TURN: [&str; 6] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|end_of_turn|>",
    "<|endofturn|>",
];

/// Reads `bytes`, the content of `path`, and finds the rules that agree with it.
pub(super) fn read(
    path: &Path,
    bytes: &[u8],
    settings: Settings,
    config: &ModelConfig,
) -> Result<Tokenizer, SourceError> {
    let refuse = |problem| SourceError::Tokenizer {
        path: path.to_owned(),
        problem,
    };
    let json = |source| SourceError::Json {
        path: path.to_owned(),
        source,
    };
    let raw: super::raw::RawTokenizer = serde_json::from_slice(bytes).map_err(json)?;
    bounds::check(&raw).map_err(refuse)?;
    let (vocabulary, candidates) = vocabulary::read(raw).map_err(refuse)?;
    let reference = check::Reference::open(bytes).map_err(refuse)?;
    let ends = reference.ends().map_err(refuse)?;
    let agreed = check::agree(&reference, vocabulary, candidates).map_err(refuse)?;
    let vocabulary = agreed.vocabulary;
    let speaks_layout = markers(&vocabulary).map_err(refuse)?;
    let id = |token: &Option<String>| token.as_deref().and_then(|text| vocabulary.id(text));
    let known = |id: Option<u32>| id.filter(|&id| (id as usize) < vocabulary.tokens.len());
    let bos = ends.bos.or(id(&settings.bos)).or(known(config.bos));
    let eos = ends.eos.or(id(&settings.eos)).or(known(config.eos));
    let eot = END_OF_TURN
        .into_iter()
        .find_map(|text| vocabulary.id(text))
        .filter(|&id| vocabulary.kinds[id as usize] != TokenKind::Normal);
    Ok(Tokenizer {
        foreign: Some(Box::new(Foreign {
            bos,
            eos,
            eot,
            unknown: vocabulary.unknown.or(id(&settings.unknown)),
            padding: id(&settings.padding),
            add_bos: ends.bos.is_some(),
            add_eos: ends.eos.is_some(),
            templates: settings.templates,
            warnings: agreed.warnings,
            speaks_layout,
            rules: agreed.rules,
            kinds: vocabulary.kinds,
            scores: vocabulary.scores,
        })),
        tokens: vocabulary.tokens,
        merges: vocabulary.merges,
    })
}

/// Whether the markers are special tokens of the vocabulary: all of them, or none.
fn markers(vocabulary: &vocabulary::Vocabulary) -> Result<bool, TokenizerProblem> {
    let control = |marker: &Marker| {
        let id = vocabulary.id(marker.token());
        id.is_some_and(|id| vocabulary.kinds[id as usize] == TokenKind::Control)
    };
    // One of them may be a token of somebody else's.
    if !control(&Marker::Begin) {
        return Ok(false);
    }
    match Marker::ALL.iter().find(|marker| !control(marker)) {
        None => Ok(true),
        Some(marker) => Err(TokenizerProblem::Token {
            token: marker.token().to_owned(),
            problem: "is no special token, but other markers of the prompt layout are; add them all",
        }),
    }
}
