//! An utterance decoded several tokens at a time, where drafts are right.

use crate::error::EngineError;
use crate::lookup::Lookup;
use crate::sequence::Sequence;
use crate::writing::{Writer, Writing};

/// Logits closer than this may change places by how tokens are batched (they move by up to 1e-5, see the tests), so an
/// utterance that holds such a choice is decoded again one token at a time.
pub(crate) const NEAR_TIE: f32 = 1e-3;

/// Decodes an open utterance to its end, or until a choice is a [`NEAR_TIE`]. Every drafted token is decoded together with
/// the tokens before it, and kept when it is the one that would have been chosen.
pub(crate) fn write(
    writer: &Writer,
    sequence: &mut Sequence,
    lookup: &mut Lookup,
    writing: &mut Writing,
) -> Result<(), EngineError> {
    while !writing.finished() {
        let asked = writing.tokens().len();
        let draft = lookup.draft(writing);
        sequence.decode_drafted(writing.tokens(), draft)?;
        let mut right = 0;
        loop {
            writer.take(writing, sequence.drafted_logits(right)?)?;
            if writing.finished() || writing.margin() < NEAR_TIE {
                break;
            }
            // What was appended may be more than one token (the constraint forces some) or less (words taken back).
            let Some(appended) = writing.tokens().get(asked + right..) else {
                break;
            };
            let drafted = draft.get(right..right + appended.len());
            if appended.is_empty() || drafted != Some(appended) {
                break;
            }
            right += appended.len();
        }
        writing.accepted += u32::try_from(right).unwrap_or(u32::MAX);
        sequence.keep(asked + right);
        if writing.margin() < NEAR_TIE {
            return Ok(());
        }
    }
    Ok(())
}
