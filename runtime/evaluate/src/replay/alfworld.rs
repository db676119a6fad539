//! ALFWorld's transcripts on the native engine.

use std::collections::BTreeSet;
use std::path::Path;

use stride_environments::alfworld::{
    Collection, GameId, Mismatch, Replay, Transcript, Transcripts,
};

use super::{Conformance, Difference, SHOWN};
use crate::error::EvalError;
use crate::stop::Stop;

/// Replays a file of transcripts. `played` is told after each transcript how many there were.
///
/// # Errors
/// When the file or a game cannot be read or played. Differences are counted, not errors.
pub fn replay(
    games: &Collection,
    transcripts: &Path,
    stop: &Stop,
    mut played: impl FnMut(usize),
) -> Result<Conformance, EvalError> {
    let mut ids: BTreeSet<GameId> = BTreeSet::new();
    let mut count = 0;
    let mut partial = false;
    let source = Transcripts::open(transcripts)?.take_while(|_| {
        partial = stop.requested();
        !partial
    });
    let source = source.inspect(|transcript| {
        if let Ok(Transcript { game, .. }) = transcript {
            ids.insert(game.clone());
            count += 1;
            played(count);
        }
    });
    let result = Replay::new(games).with_kept(SHOWN).run(source)?;
    Ok(Conformance {
        games: ids.len(),
        transcripts: result.episodes,
        steps: result.steps,
        mismatches: result.mismatches,
        reordered: 0,
        first: result.first.into_iter().map(Difference::from).collect(),
        partial,
    })
}

impl From<Mismatch> for Difference {
    fn from(mismatch: Mismatch) -> Self {
        let (step, action) = mismatch.step.unzip();
        Self {
            game: mismatch.game.to_string(),
            mode: Some(mismatch.mode),
            step,
            action,
            field: format!("{:?}", mismatch.field).to_lowercase(),
            expected: mismatch.expected,
            found: mismatch.found,
        }
    }
}
