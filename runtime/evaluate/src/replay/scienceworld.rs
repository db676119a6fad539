//! ScienceWorld's transcripts on its simulator, without the official Python package.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;

use stride_environments::scienceworld::{
    Mismatch, Replay, Session, Transcript, TranscriptError, Transcripts,
};

use super::{Conformance, Difference, SHOWN};
use crate::error::EvalError;
use crate::stop::Stop;
use crate::world::WorldError;

/// Which transcripts of a file: the first `games` of every `every`-th.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portion {
    /// How many at most; `None` for all.
    pub games: Option<usize>,
    /// 1 takes each, 10 each tenth, beginning with the first.
    pub every: NonZeroUsize,
}

impl Portion {
    /// The transcripts of a file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn of(
        self,
        transcripts: &Path,
    ) -> Result<impl Iterator<Item = Result<Transcript, TranscriptError>>, TranscriptError> {
        let all = Transcripts::open(transcripts)?.step_by(self.every.get());
        Ok(all.take(self.games.unwrap_or(usize::MAX)))
    }
}

/// Replays transcripts of a file. `played` is told with each transcript how many there were.
///
/// # Errors
/// When the simulator is missing, or a transcript cannot be read or played. Differences are counted, not errors.
pub fn replay(
    transcripts: &Path,
    portion: Portion,
    stop: &Stop,
    mut played: impl FnMut(usize),
) -> Result<Conformance, EvalError> {
    let mut session = Session::open().map_err(WorldError::from)?;
    let mut ids = BTreeSet::new();
    let mut count = 0;
    let mut partial = false;
    let source = portion.of(transcripts)?.take_while(|_| {
        partial = stop.requested();
        !partial
    });
    let source = source.inspect(|transcript| {
        if let Ok(Transcript {
            task, variation, ..
        }) = transcript
        {
            ids.insert((*task, *variation));
            count += 1;
            played(count);
        }
    });
    let result = Replay::new(&mut session).with_kept(SHOWN).run(source)?;
    Ok(Conformance {
        games: ids.len(),
        transcripts: result.episodes,
        steps: result.steps,
        mismatches: result.mismatches,
        reordered: result.reordered,
        first: result.first.into_iter().map(Difference::from).collect(),
        partial,
    })
}

impl From<Mismatch> for Difference {
    fn from(mismatch: Mismatch) -> Self {
        let (step, action) = mismatch.step.unzip();
        Self {
            game: format!("scienceworld:{}", mismatch.episode),
            mode: None,
            step,
            action,
            field: format!("{:?}", mismatch.field).to_lowercase(),
            expected: mismatch.expected,
            found: mismatch.found,
        }
    }
}
