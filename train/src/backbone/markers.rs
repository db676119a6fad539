//! The markers in a foreign vocabulary: new special tokens behind its own, as transformers adds them. Tokens that a vocabulary
//! keeps in reserve are not used for them, because few have any, and what such a row was trained on is not known.

use std::path::Path;

use stride_firmware_config::frame::Marker;
use tokenizers::{AddedToken, DecoderWrapper, NormalizerWrapper, Tokenizer};

use crate::error::{Result, TrainError};
use crate::model::parameters::ParameterLayout;
use crate::tokens::FrameTokenizer;

/// Refuses a vocabulary that would read or write texts otherwise than the layout needs: only byte-level ones keep every text as it
/// is, the space in front included.
///
/// Qwen's puts composed characters in the place of others first (NFC). llama.cpp does not, so that is left out: the policy learns from the tokens
/// that it will be given, and says texts as they stand.
///
/// # Errors
/// Names the part that does not fit.
pub fn prepare(tokenizer: &mut Tokenizer, path: &Path) -> Result<()> {
    let refuse = |what: &str| {
        Err(TrainError::Tokenizer(format!(
            "{}: {what}; byte-level BPE without a normalizer, or with NFC, is supported",
            path.display()
        )))
    };
    if !matches!(tokenizer.get_decoder(), Some(DecoderWrapper::ByteLevel(_))) {
        return refuse("its decoder is not ByteLevel");
    }
    match tokenizer.get_normalizer() {
        None => {}
        Some(NormalizerWrapper::NFC(_)) => {
            let plain = tokenizer.with_normalizer(None::<NormalizerWrapper>);
            plain.map_err(|error| TrainError::Tokenizer(error.to_string()))?;
        }
        Some(_) => return refuse("it changes texts before it cuts them (normalizer)"),
    }
    Ok(())
}

/// Rows that a matrix of one row a token needs. Ids may have gaps, so tokens are not merely counted.
#[must_use]
pub fn rows(tokenizer: &Tokenizer) -> usize {
    let ids = tokenizer.get_vocab(true).into_values();
    ids.max().map_or(0, |largest| largest as usize + 1)
}

/// Adds the markers that are not there, in the order of [`Marker::ALL`], and returns them.
///
/// # Errors
/// When the library refuses them, or one is an ordinary token.
pub fn add(tokenizer: &mut Tokenizer) -> Result<Vec<Marker>> {
    let mut fresh = Vec::new();
    for marker in Marker::ALL {
        match tokenizer.token_to_id(marker.token()) {
            None => fresh.push(marker),
            Some(id) => {
                let added = tokenizer.get_added_tokens_decoder();
                if !added.get(&id).is_some_and(|token| token.special) {
                    return Err(TrainError::Tokenizer(format!(
                        "{} is an ordinary token, so texts could hold it",
                        marker.token()
                    )));
                }
            }
        }
    }
    let tokens: Vec<AddedToken> = fresh
        .iter()
        .map(|marker| AddedToken::from(marker.token(), true))
        .collect();
    tokenizer
        .add_special_tokens(tokens)
        .map_err(|error| TrainError::Tokenizer(error.to_string()))?;
    Ok(fresh)
}

/// Gives the rows of new markers their first values: the mean of the rows that spell the marker's own word. The mean of the whole
/// embedding, which transformers takes, would make all twelve the same.
///
/// # Errors
/// When the tokenizer fails.
pub fn begin(
    tokenizer: &FrameTokenizer,
    fresh: &[Marker],
    layout: &ParameterLayout,
    weights: &mut [f32],
) -> Result<()> {
    let hidden = layout.shape().hidden;
    let mut matrices = vec![layout.embedding()];
    if !layout.shape().tie_embeddings {
        matrices.push(layout.output());
    }
    for marker in fresh {
        let word = marker.token().trim_matches(['<', '|', '>']);
        let tokens = tokenizer.text(word)?;
        let own = tokenizer.marker(*marker) as usize;
        for matrix in &matrices {
            let matrix = &mut weights[matrix.clone()];
            let mut mean = vec![0.0; hidden];
            for token in tokens.iter() {
                let row = &matrix[*token as usize * hidden..][..hidden];
                for (mean, value) in mean.iter_mut().zip(row) {
                    *mean += value / tokens.len() as f32;
                }
            }
            matrix[own * hidden..(own + 1) * hidden].copy_from_slice(&mean);
        }
    }
    Ok(())
}
