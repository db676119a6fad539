//! Greedy decoding of many frames at once, without a cache: a guess is checked instead of a token being made.
//!
//! A pass over frame and guess says what follows each of their tokens. The guess is taken as far as it is what the
//! network would have said; the token behind that is the network's own, and the rest of the guess stays for the next
//! pass. With a good guess (what the expert said, or the other network) one pass is enough; with any guess the result
//! is that of token-by-token decoding.

use crate::forward::{self, Batch, ForwardError, Parameters};
use crate::verify::divergence::{LOGITS_AT_ONCE, batch_tokens, batches_of, most_likely};

/// A frame, and what may be said to it.
#[derive(Debug, Clone)]
pub(super) struct Prompt {
    /// Tokens of the frame.
    pub(super) frame: Vec<u32>,
    /// What will perhaps be said.
    pub(super) guess: Vec<u32>,
    /// Tokens that may be said at most.
    pub(super) longest: usize,
}

/// A prompt in work.
struct Turn<'p> {
    /// Its place among the prompts.
    at: usize,
    frame: &'p [u32],
    said: Vec<u32>,
    guess: Vec<u32>,
    longest: usize,
}

impl Turn<'_> {
    fn tokens(&self) -> usize {
        self.frame.len() + self.said.len() + self.guess.len()
    }

    /// Takes what the network says behind what was said and behind every token of the guess; true when that is all.
    fn take(&mut self, next: &[u32], end: u32, context: usize) -> bool {
        let guess = std::mem::take(&mut self.guess);
        for (at, &token) in next.iter().enumerate() {
            self.said.push(token);
            let full =
                self.said.len() >= self.longest || self.frame.len() + self.said.len() >= context;
            if token == end || full {
                return true;
            }
            if guess.get(at) != Some(&token) {
                self.guess = guess.get(at + 1..).unwrap_or_default().to_vec();
                return false;
            }
        }
        false
    }
}

/// What the network says to every prompt, the end included where it was reached. `step` hears of every pass, and how
/// many prompts are done.
pub(super) fn greedy(
    parameters: &Parameters<'_>,
    prompts: &[Prompt],
    end: u32,
    step: &mut dyn FnMut(usize),
) -> Result<Vec<Vec<u32>>, ForwardError> {
    let context = parameters.network.context;
    let mut said = vec![Vec::new(); prompts.len()];
    let mut turns: Vec<Turn<'_>> = prompts
        .iter()
        .enumerate()
        .map(|(at, prompt)| Turn {
            at,
            frame: &prompt.frame,
            said: Vec::new(),
            guess: prompt.guess.clone(),
            longest: prompt.longest,
        })
        .collect();
    while !turns.is_empty() {
        for turn in &mut turns {
            let room = turn
                .longest
                .min(context.saturating_sub(turn.frame.len()))
                .saturating_sub(turn.said.len());
            // The network has the last word, so the guess leaves room for it.
            turn.guess.truncate(room.saturating_sub(1));
        }
        let mut going = Vec::new();
        let order: Vec<usize> = (0..turns.len()).collect();
        let parts = batches_of(&order, batch_tokens(parameters), |&at| turns[at].tokens());
        let parts: Vec<Vec<usize>> = parts.into_iter().map(<[usize]>::to_vec).collect();
        let mut all: Vec<Option<Turn<'_>>> = turns.into_iter().map(Some).collect();
        for part in parts {
            let mut part: Vec<Turn<'_>> = part.iter().filter_map(|&at| all[at].take()).collect();
            let next = next(parameters, &part)?;
            for (mut turn, next) in part.drain(..).zip(next) {
                if turn.take(&next, end, context) {
                    said[turn.at] = turn.said;
                } else {
                    going.push(turn);
                }
            }
            step(prompts.len() - going.len());
        }
        turns = going;
    }
    Ok(said)
}

/// The most likely token behind what was said and behind every token of the guess.
fn next(parameters: &Parameters<'_>, turns: &[Turn<'_>]) -> Result<Vec<Vec<u32>>, ForwardError> {
    let width = parameters.network.hidden;
    let mut batch = Batch::default();
    let mut rows = Vec::new();
    for turn in turns {
        let start = batch.tokens.len() + turn.frame.len() + turn.said.len() - 1;
        rows.extend(start..=start + turn.guess.len());
        batch.push(&[turn.frame, &turn.said, &turn.guess].concat());
    }
    let hidden = forward::hidden(parameters, &batch, &mut (), &mut || {})?;
    let vocabulary = parameters.logits()?.rows;
    let mut most = Vec::with_capacity(rows.len());
    for rows in rows.chunks((LOGITS_AT_ONCE / vocabulary).max(1)) {
        let picked = rows
            .iter()
            .flat_map(|row| &hidden[row * width..(row + 1) * width]);
        let logits = forward::logits(parameters, picked.copied().collect(), &mut ())?;
        let found = logits.chunks_exact(vocabulary);
        // A vocabulary is bounded far below 2^32.
        most.extend(found.map(|row| most_likely(row) as u32));
    }
    let mut most = most.into_iter();
    let counts = turns.iter().map(|turn| turn.guess.len() + 1);
    Ok(counts
        .map(|count| most.by_ref().take(count).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::RandomModel;
    use crate::source::Checkpoint;

    const END: u32 = 1;

    fn prompts(guesses: &[&[u32]]) -> Vec<Prompt> {
        let frame = |at: usize| {
            (0..9)
                .map(|token| (token * 7 + at as u32 * 31) % 200)
                .collect()
        };
        guesses
            .iter()
            .enumerate()
            .map(|(at, guess)| Prompt {
                frame: frame(at),
                guess: guess.to_vec(),
                longest: 12,
            })
            .collect()
    }

    #[test]
    fn the_guess_changes_nothing_but_the_time() {
        let folder = tempfile::tempdir().unwrap();
        RandomModel::default().write(folder.path()).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        let parameters = Parameters::of_checkpoint(&checkpoint).unwrap();
        let passes = |prompts: &[Prompt]| {
            let mut passes = 0;
            let said = greedy(&parameters, prompts, END, &mut |_| passes += 1).unwrap();
            (said, passes)
        };
        let (said, slow) = passes(&prompts(&[&[], &[], &[]]));
        assert_eq!(slow, 12, "a token for every pass");
        assert!(said.iter().all(|said| said.len() == 12));
        assert!(said[0] != said[1]);
        let guess: Vec<&[u32]> = said.iter().map(Vec::as_slice).collect();
        assert_eq!(passes(&prompts(&guess)), (said.clone(), 1));
        let mut wrong = said.clone();
        wrong[0][4] ^= 1;
        let long = [said[1].as_slice(), &[9; 40]].concat();
        let (same, few) = passes(&prompts(&[&wrong[0], &long, &[3, 3, 3]]));
        assert_eq!(same, said);
        assert!(few <= 12);
        // An end that is said ends.
        let end = said[0][3];
        let first = said[0].iter().position(|&token| token == end).unwrap();
        let ended = greedy(&parameters, &prompts(&[&[]]), end, &mut |_| {}).unwrap();
        assert_eq!(ended[0], said[0][..=first]);
    }
}
