//! What an agent is shown of the recorded episodes: every view is read back to the same view, and what goes when it is too long.
//!
//! The recorded paths lie outside the repository, see [`crate::needs`].

use stride_environments::scienceworld::view::{BYTES, View, compose_within};
use stride_environments::scienceworld::{Transcript, Transcripts};

use crate::needs;

/// What the simulator said at the start and after every action: feedback, room and inventory.
fn shown(transcript: &Transcript) -> impl Iterator<Item = (&String, &String, &String)> {
    let initial = &transcript.initial;
    let steps = transcript.steps.iter();
    std::iter::once((&initial.observation, &initial.look, &initial.inventory))
        .chain(steps.map(|step| (&step.observation, &step.look, &step.inventory)))
}

#[test]
fn every_recorded_step_is_read_back() {
    let Some(file) = needs::shared("scienceworld/expert-train.jsonl.zst") else {
        return;
    };
    for transcript in Transcripts::open(&file).unwrap() {
        let transcript = transcript.unwrap();
        for (feedback, look, inventory) in shown(&transcript) {
            let view = View::of(feedback, look, inventory);
            let text = view.to_string();
            let whereabouts = format!("{} {}: {text}", transcript.task, transcript.variation);
            assert_eq!(View::read(&text), view, "{whereabouts}");
            assert!(
                !view.room.is_empty() && !view.doors.is_empty(),
                "{whereabouts}"
            );
        }
    }
}

/// Things of the room go, and the end of long answers of the simulator: where the agent is, where it can go and what it holds stay.
#[test]
fn what_is_too_long_loses_things_of_the_room() {
    let Some(file) = needs::shared("scienceworld/expert-train.jsonl.zst") else {
        return;
    };
    for most in [BYTES, 340] {
        let (mut lengths, mut cut) = (Vec::new(), 0);
        for transcript in Transcripts::open(&file).unwrap() {
            let transcript = transcript.unwrap();
            for (feedback, look, inventory) in shown(&transcript) {
                let whole = View::of(feedback, look, inventory);
                let text = compose_within(most, feedback, look, inventory);
                lengths.push(text.len());
                if text == whole.to_string() {
                    continue;
                }
                cut += 1;
                let kept = View::read(&text);
                assert_eq!(
                    (&kept.room, &kept.doors, &kept.holding),
                    (&whole.room, &whole.doors, &whole.holding),
                    "{text}"
                );
                let said = kept.feedback.strip_suffix("...");
                let said = said.unwrap_or(&kept.feedback);
                assert!(whole.feedback.starts_with(said), "{text}");
            }
        }
        lengths.sort_unstable();
        let (views, longest) = (lengths.len(), lengths[lengths.len() - 1]);
        println!(
            "{views} views, of {} bytes in the median and {longest} at most; {cut} of them shorter than they would be",
            lengths[views / 2]
        );
        assert!(longest <= most && views > 30_000, "{longest} in {views}");
        assert!(cut > 300 && cut < views / 2, "{cut} of {views}");
    }
}
