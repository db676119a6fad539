//! Trains the vocabulary: byte-level BPE with GPT-2's pre-tokenizer, which llama.cpp reproduces under the name `gpt-2`.

use std::collections::HashSet;

use stride_agent::transition::Transition;
use stride_firmware_config::frame::Marker;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use crate::error::{Result, TrainError};

/// The smallest vocabulary: the markers and one token for every byte.
pub const SMALLEST_VOCABULARY: usize = Marker::ALL.len() + 256;

/// Trains a vocabulary of at most `vocab_size` tokens on the texts of `transitions`. Ids 0 to 11 are [`Marker::ALL`].
///
/// A text counts once per game, so that a scene repeated at every step does not drown the rest. The result is a
/// function of the transitions and their order.
///
/// # Errors
/// When `vocab_size` is below [`SMALLEST_VOCABULARY`] or training fails.
pub fn train<'a>(
    transitions: impl IntoIterator<Item = &'a Transition>,
    vocab_size: usize,
) -> Result<Tokenizer> {
    if vocab_size < SMALLEST_VOCABULARY {
        return Err(TrainError::Config {
            field: "tokenizer.vocab_size",
            reason: format!("at least {SMALLEST_VOCABULARY}, got {vocab_size}"),
        });
    }
    let mut tokenizer = Tokenizer::new(BPE::default());
    // Offsets are never asked for; the text decides the tokens alone, without a prefix space of the tokenizer's own.
    let byte_level = ByteLevel::new(false, false, true);
    tokenizer.with_pre_tokenizer(Some(byte_level));
    tokenizer.with_decoder(Some(byte_level));
    let markers = Marker::ALL
        .iter()
        .map(|marker| AddedToken::from(marker.token(), true))
        .collect();
    let mut trainer: TrainerWrapper = BpeTrainerBuilder::new()
        .vocab_size(vocab_size)
        .min_frequency(2)
        .show_progress(false)
        .special_tokens(markers)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build()
        .into();
    tokenizer
        .train(&mut trainer, distinct_texts(transitions).into_iter())
        .map_err(|error| TrainError::Tokenizer(error.to_string()))?;
    check_marker_ids(&tokenizer)?;
    Ok(tokenizer)
}

/// Every text of every game once, each with the leading space that the layout adds.
fn distinct_texts<'a>(transitions: impl IntoIterator<Item = &'a Transition>) -> Vec<String> {
    let mut seen: HashSet<(&str, String)> = HashSet::new();
    let mut texts = Vec::new();
    for transition in transitions {
        let mut put = |text: &str| {
            let text = format!(" {text}");
            if text.len() > 1 && seen.insert((&transition.game, text.clone())) {
                texts.push(text);
            }
        };
        transition
            .state
            .as_frame()
            .segments(|segment| put(segment.text));
        put(&transition.utterance);
    }
    texts
}

fn check_marker_ids(tokenizer: &Tokenizer) -> Result<()> {
    for (id, marker) in Marker::ALL.iter().enumerate() {
        if tokenizer.token_to_id(marker.token()) != u32::try_from(id).ok() {
            return Err(TrainError::Tokenizer(format!(
                "{} did not get the id {id}",
                marker.token()
            )));
        }
    }
    Ok(())
}
