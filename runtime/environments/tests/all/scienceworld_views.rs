//! What an agent is shown of the recorded episodes: every view is read back to the same view, and fits a frame uncut.
//!
//! The recorded paths lie outside the repository, see [`crate::needs`].

use stride_environments::scienceworld::Transcripts;
use stride_environments::scienceworld::view::{View, compose};

use crate::needs;

/// Only the list of choices that an ambiguous request offers is ever longer than a frame gives to feedback; a number answers it,
/// and the first ones are kept.
#[test]
fn every_recorded_step_is_read_back_and_fits() {
    let Some(file) = needs::shared("scienceworld/expert-train.jsonl.zst") else {
        return;
    };
    let (mut lengths, mut cut) = (Vec::new(), 0);
    for transcript in Transcripts::open(&file).unwrap() {
        let transcript = transcript.unwrap();
        let initial = &transcript.initial;
        let shown = std::iter::once((&initial.observation, &initial.look, &initial.inventory))
            .chain(
                transcript
                    .steps
                    .iter()
                    .map(|step| (&step.observation, &step.look, &step.inventory)),
            );
        for (feedback, look, inventory) in shown {
            let view = View::of(feedback, look, inventory);
            let text = view.to_string();
            let whereabouts = format!("{} {}: {text}", transcript.task, transcript.variation);
            assert_eq!(View::read(&text), view, "{whereabouts}");
            assert!(
                !view.room.is_empty() && !view.doors.is_empty(),
                "{whereabouts}"
            );
            let composed = compose(feedback, look, inventory);
            lengths.push(composed.len());
            if composed == text {
                continue;
            }
            cut += 1;
            assert!(
                view.feedback.starts_with("Ambiguous request: "),
                "cut: {whereabouts}"
            );
            let mut kept = View::read(&composed);
            let start = kept.feedback.strip_suffix("...").unwrap();
            assert!(view.feedback.starts_with(start), "{whereabouts}");
            kept.feedback.clone_from(&view.feedback);
            assert_eq!(kept, view, "more than the feedback is cut");
        }
    }
    lengths.sort_unstable();
    let (views, longest) = (lengths.len(), lengths.last());
    println!(
        "{views} views, of {} bytes in the median and {longest:?} at most, {cut} with a shorter feedback",
        lengths[views / 2]
    );
    assert!(views > 30_000 && cut < views / 50, "{cut} of {views}");
}
