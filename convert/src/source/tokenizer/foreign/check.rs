//! The comparison: the tokenizer as its file has it, by the crate `tokenizers`, against the simulation.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokenizers::normalizer::NormalizedString;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::{
    Normalizer as _, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _,
};

use super::corpus;
use super::rules::Rules;
use super::simulation::Simulation;
use super::vocabulary::Vocabulary;
use crate::source::TokenizerProblem;

/// Characters of a text in an error.
const MOST_CHARACTERS: usize = 200;

/// The tokenizer as its file has it.
pub(super) struct Reference {
    tokenizer: tokenizers::Tokenizer,
    composes: bool,
}

/// What is put before and behind a text.
pub(super) struct Ends {
    pub(super) bos: Option<u32>,
    pub(super) eos: Option<u32>,
}

/// Rules that agree, and the vocabulary as they need it.
pub(super) struct Agreed {
    pub(super) rules: Rules,
    pub(super) vocabulary: Vocabulary,
    pub(super) warnings: Vec<String>,
}

/// The first text on which rules differ.
struct Difference {
    /// Texts that agree.
    agreeing: usize,
    text: String,
    /// What differs, in words.
    what: String,
}

impl Reference {
    pub(super) fn open(bytes: &[u8]) -> Result<Self, TokenizerProblem> {
        let mut tokenizer = guarded(|| tokenizers::Tokenizer::from_bytes(bytes))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(rejected)?;
        let normalizer = tokenizer.get_normalizer();
        let composes = matches!(normalizer, Some(NormalizerWrapper::NFC(_)));
        Ok(Self {
            tokenizer,
            composes,
        })
    }

    /// What the file's own template adds to a text.
    pub(super) fn ends(&self) -> Result<Ends, TokenizerProblem> {
        const TEXT: &str = "go to the drawer";
        let plain = self.tokens(TEXT, false)?;
        let full = self.tokens(TEXT, true)?;
        let place = full
            .windows(plain.len().max(1))
            .position(|part| part == plain);
        let ends = place.map(|at| (&full[..at], &full[at + plain.len()..]));
        match ends {
            Some((before @ ([] | [_]), behind @ ([] | [_]))) => Ok(Ends {
                bos: before.first().copied(),
                eos: behind.first().copied(),
            }),
            _ => Err(TokenizerProblem::Part {
                part: "post-processor",
                found: format!(
                    "one that adds {} tokens",
                    full.len().saturating_sub(plain.len())
                ),
                needed: "at most one token before and one behind a text",
            }),
        }
    }

    fn tokens(&self, text: &str, add_special: bool) -> Result<Vec<u32>, TokenizerProblem> {
        guarded(|| self.tokenizer.encode(text, add_special)).map(|found| found.get_ids().to_vec())
    }

    /// The words that a text is cut into.
    fn words(&self, text: &str) -> Result<Vec<String>, TokenizerProblem> {
        let mut cut = PreTokenizedString::from(text);
        if let Some(cutter) = self.tokenizer.get_pre_tokenizer() {
            guarded(|| cutter.pre_tokenize(&mut cut))?;
        }
        let parts = cut.get_splits(OffsetReferential::Normalized, OffsetType::Byte);
        Ok(parts
            .into_iter()
            .map(|(word, _, _)| word.to_owned())
            .collect())
    }

    /// True for a text that the file composes first, which llama.cpp does not do; writing it composed makes it the same.
    fn decomposed(&self, text: &str) -> Result<bool, TokenizerProblem> {
        let Some(normalizer) = self.tokenizer.get_normalizer().filter(|_| self.composes) else {
            return Ok(false);
        };
        let mut composed = NormalizedString::from(text);
        guarded(|| normalizer.normalize(&mut composed))?;
        Ok(composed.get() != text)
    }
}

/// The crate is given a file that nobody has checked: a panic inside it is a refusal as well.
fn guarded<T>(call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, TokenizerProblem> {
    let outcome = catch_unwind(AssertUnwindSafe(call));
    let outcome = outcome.unwrap_or_else(|_| Err("the tokenizer library failed on it".into()));
    outcome.map_err(rejected)
}

fn rejected(error: tokenizers::Error) -> TokenizerProblem {
    TokenizerProblem::Rejected {
        reason: error.to_string(),
    }
}

/// The first candidate that agrees on every text.
pub(super) fn agree(
    reference: &Reference,
    vocabulary: Vocabulary,
    candidates: Vec<Rules>,
) -> Result<Agreed, TokenizerProblem> {
    let texts = corpus::texts(&vocabulary);
    let mut warnings = Vec::new();
    let mut kept = Vec::new();
    for text in texts {
        if reference.decomposed(&text)? {
            warnings = vec![
                "the tokenizer composes characters (NFC) and llama.cpp does not; a decomposed text gets other tokens"
                    .to_owned(),
            ];
        } else {
            kept.push(text);
        }
    }
    let expected = kept
        .iter()
        .map(|text| Ok((reference.tokens(text, false)?, reference.words(text)?)))
        .collect::<Result<Vec<_>, TokenizerProblem>>()?;
    let others = [vocabulary.ordinary_spaces(), vocabulary.respaced()];
    let vocabularies = [Some(vocabulary)].into_iter().chain(others).flatten();
    let mut nearest: Option<(String, Difference)> = None;
    for vocabulary in vocabularies {
        for rules in &candidates {
            let Some(difference) = differs(rules, &vocabulary, &kept, &expected) else {
                return Ok(Agreed {
                    rules: rules.clone(),
                    vocabulary,
                    warnings,
                });
            };
            let nearer = |(_, other): &(_, Difference)| difference.agreeing > other.agreeing;
            if nearest.as_ref().is_none_or(nearer) {
                nearest = Some((rules.describe(), difference));
            }
        }
    }
    Err(match nearest {
        Some((rules, difference)) => TokenizerProblem::Unreproducible {
            rules,
            text: difference.text.chars().take(MOST_CHARACTERS).collect(),
            difference: difference.what,
        },
        None => TokenizerProblem::Rejected {
            reason: "llama.cpp has no rules for this kind of model".into(),
        },
    })
}

/// The first text that the rules cut or tokenize otherwise than expected.
fn differs(
    rules: &Rules,
    vocabulary: &Vocabulary,
    texts: &[String],
    expected: &[(Vec<u32>, Vec<String>)],
) -> Option<Difference> {
    let failed = |agreeing, text: &str, what| {
        Some(Difference {
            agreeing,
            text: text.to_owned(),
            what,
        })
    };
    let simulation = match Simulation::new(rules, vocabulary) {
        Ok(simulation) => simulation,
        Err(reason) => return failed(0, "", reason),
    };
    for (at, (text, (tokens, words))) in texts.iter().zip(expected).enumerate() {
        let what = match (simulation.words(text), simulation.tokenize(text)) {
            (Some(Err(reason)), _) | (_, Err(reason)) => reason,
            (_, Ok(got)) if got != *tokens => {
                let place = got
                    .iter()
                    .zip(tokens)
                    .take_while(|(one, other)| one == other)
                    .count();
                let name = |ids: &[u32]| {
                    let id = ids.get(place);
                    let text = id.and_then(|&id| vocabulary.tokens.get(id as usize));
                    text.map_or("nothing".to_owned(), |text| format!("{text:?}"))
                };
                format!(
                    "token {place} is {} there and {} here",
                    name(&got),
                    name(tokens)
                )
            }
            (Some(Ok(got)), _) if got != *words => {
                let place = got
                    .iter()
                    .zip(words)
                    .take_while(|(one, other)| one == other)
                    .count();
                let name = |words: &[String]| {
                    words
                        .get(place)
                        .map_or("nothing".to_owned(), |word| format!("{word:?}"))
                };
                format!(
                    "word {place} is {} there and {} here",
                    name(&got),
                    name(words)
                )
            }
            _ => continue,
        };
        return failed(at, text, what);
    }
    None
}
