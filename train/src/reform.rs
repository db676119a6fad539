//! Transitions of the whole method as transitions of another form of policy ([`Form`]): without progress, without subtasks, or
//! shown the whole episode. What is made is for cloning only.
//!
//! | form | high | low | progress |
//! |---|---|---|---|
//! | one-call | as it is | as it is, for the first step of a subtask | the action with its flag; the next action is said behind the progress |
//! | no-progress | the progress is blank | the progress is blank | left out |
//! | flat | left out | the task for the subtask; no flag | the task for the subtask; the subtasks that are done stand before it |
//! | history | left out | the task for the subtask, the transcript for the progress; no flag | left out |
//!
//! The flat form's progress covers the episode and not a subtask, `Done: g1; g2. p`, where `p` is the last progress that was
//! written, also when its subtask is done: the next subtask may follow from it. So it loses nothing that the program that wrote the
//! labels knew.
//!
//! Two forms tell an episode as a whole, so they need its calls from the first on and without gaps, as an episode is recorded.
//! Edited copies, drills and the frames that `relabel` writes are single calls, and are refused.

use std::path::{Path, PathBuf};

use stride_agent::form::{Form, Transcript};
use stride_agent::one_call;
use stride_agent::transition::{FrameText, Transition};
use stride_agent::utterance::{format_low, parse_low};
use stride_firmware_config::capacity;

use crate::data;
use crate::demonstrate::parts::LineWriter;
use crate::error::{Result, TrainError};

/// Writes the transitions of files in another form to `out` (JSON Lines, compressed with zstd when it ends in `.zst`), and says
/// how many were read and written.
///
/// The calls of an episode must follow one another, as they do in every file that is recorded.
///
/// # Errors
/// When a file cannot be read or written, a line is not a transition, or an episode has gaps and the form needs it whole.
pub fn reform(files: &[PathBuf], form: Form, out: &Path) -> Result<(u64, u64)> {
    let (mut read, mut written) = (0, 0);
    let mut writer = LineWriter::create(out)?;
    let mut write = |file: &Path, line: usize, episode: &mut Vec<Transition>| -> Result<()> {
        if !form.has_subtasks()
            && let Some(reason) = gap(episode)
        {
            return Err(TrainError::BadLine {
                path: file.to_owned(),
                line,
                reason,
            });
        }
        for transition in reformed(episode, form) {
            writer.line(&transition)?;
            written += 1;
        }
        episode.clear();
        Ok(())
    };
    for file in files {
        let mut episode: Vec<Transition> = Vec::new();
        let mut first = 1;
        data::visit(file, |line, transition| {
            read += 1;
            if begins(&transition, episode.last()) {
                write(file, first, &mut episode)?;
                first = line;
            }
            episode.push(transition);
            Ok(())
        })?;
        write(file, first, &mut episode)?;
    }
    writer.finish()?;
    Ok((read, written))
}

/// Whether this transition is the first of an episode.
fn begins(transition: &Transition, last: Option<&Transition>) -> bool {
    last.is_some_and(|last| {
        last.game != transition.game
            || transition.step_index < last.step_index
            || matches!(&transition.state, FrameText::High { completed, .. } if completed.issued() == 0)
    })
}

/// Why these calls are not an episode as it was recorded, if they are not.
fn gap(episode: &[Transition]) -> Option<String> {
    let first = episode.first()?;
    if !matches!(&first.state, FrameText::High { completed, .. } if completed.issued() == 0) {
        return Some(format!(
            "no episode of {} begins here (its first call names the first subtask): this form needs whole episodes",
            first.game
        ));
    }
    let skips = |pair: &&[Transition]| pair[1].step_index > pair[0].step_index + 1;
    let pair = episode.windows(2).find(skips)?;
    Some(format!(
        "in the episode of {} that begins here step {} follows step {}: this form needs whole episodes",
        first.game, pair[1].step_index, pair[0].step_index
    ))
}

/// The calls of one episode in this form.
fn reformed(episode: &[Transition], form: Form) -> Vec<Transition> {
    match form {
        Form::Hierarchical => episode.to_vec(),
        Form::OneCall => one_call(episode),
        Form::NoProgress => episode.iter().filter_map(without_progress).collect(),
        Form::Flat => flat(episode),
        Form::History => history(episode),
    }
}

/// The same call with another frame and utterance.
fn with(transition: &Transition, state: FrameText, utterance: String) -> Transition {
    Transition {
        game: transition.game.clone(),
        step_index: transition.step_index,
        source: transition.source,
        end: transition.end,
        ..Transition::for_cloning(state, utterance)
    }
}

/// The action behind a progress of the same subtask is said with it.
fn one_call(episode: &[Transition]) -> Vec<Transition> {
    let mut out = Vec::new();
    let mut is_said = false;
    for (at, transition) in episode.iter().enumerate() {
        let FrameText::Progress {
            scene,
            observation,
            subtask,
            progress,
            action,
        } = &transition.state
        else {
            if !std::mem::take(&mut is_said) {
                out.push(transition.clone());
            }
            continue;
        };
        let next = episode.get(at + 1);
        let closed = next.is_some_and(|next| matches!(next.state, FrameText::High { .. }));
        let then = next.filter(|next| {
            matches!(&next.state, FrameText::Low { subtask: same, observation: seen, .. } if same == subtask && seen == observation)
        });
        is_said = then.is_some();
        let utterance = then.map_or_else(
            || transition.utterance.clone(),
            |then| one_call::join(&transition.utterance, &then.utterance),
        );
        let state = FrameText::Progress {
            scene: scene.clone(),
            observation: observation.clone(),
            subtask: subtask.clone(),
            progress: progress.clone(),
            action: format_low(action, closed),
        };
        out.push(Transition {
            subtask_index: transition.subtask_index,
            ..with(transition, state, utterance)
        });
    }
    out
}

fn without_progress(transition: &Transition) -> Option<Transition> {
    let mut state = transition.state.clone();
    match &mut state {
        FrameText::High { progress, .. } | FrameText::Low { progress, .. } => progress.clear(),
        FrameText::Progress { .. } => return None,
    }
    Some(Transition {
        subtask_index: transition.subtask_index,
        ..with(transition, state, transition.utterance.clone())
    })
}

/// The utterance without its claim to finish: there is no subtask to be finished.
fn unflagged(utterance: &str) -> String {
    parse_low(utterance).map_or_else(
        |_| utterance.to_owned(),
        |low| format_low(low.action, false),
    )
}

fn flat(episode: &[Transition]) -> Vec<Transition> {
    let mut out = Vec::new();
    let mut whole = String::new();
    let mut done: Vec<&str> = Vec::new();
    // The progress that a closed subtask ended with: those of the next one begin blank.
    let mut carried = "";
    let newest = |progress: &'_ str, carried: &'_ str| {
        if progress.is_empty() {
            carried
        } else {
            progress
        }
        .to_owned()
    };
    for (at, transition) in episode.iter().enumerate() {
        let (state, utterance) = match &transition.state {
            FrameText::High { task, progress, .. } => {
                task.clone_into(&mut whole);
                carried = progress;
                continue;
            }
            FrameText::Low {
                scene,
                observation,
                progress,
                ..
            } => (
                FrameText::Low {
                    scene: scene.clone(),
                    observation: observation.clone(),
                    subtask: whole.clone(),
                    progress: overall(&done, &newest(progress, carried)),
                },
                unflagged(&transition.utterance),
            ),
            FrameText::Progress {
                scene,
                observation,
                subtask,
                progress,
                action,
            } => {
                let before = overall(&done, &newest(progress, carried));
                // A high-level call follows when the subtask is closed.
                let closed = episode
                    .get(at + 1)
                    .is_some_and(|next| matches!(next.state, FrameText::High { .. }));
                if closed {
                    done.push(subtask);
                }
                (
                    FrameText::Progress {
                        scene: scene.clone(),
                        observation: observation.clone(),
                        subtask: whole.clone(),
                        progress: before,
                        action: action.clone(),
                    },
                    overall(&done, &transition.utterance),
                )
            }
        };
        out.push(with(transition, state, utterance));
    }
    out
}

/// The progress of an episode: the newest subtasks that fit, then what the progress of the running one says.
fn overall(done: &[&str], progress: &str) -> String {
    (0..=done.len())
        .map(|from| match &done[from..] {
            [] => progress.to_owned(),
            done => format!("Done: {}. {progress}", done.join("; "))
                .trim_end()
                .to_owned(),
        })
        .find(|text| text.len() <= capacity::PROGRESS)
        .unwrap_or_else(|| progress.to_owned())
}

fn history(episode: &[Transition]) -> Vec<Transition> {
    let mut out = Vec::new();
    let (mut whole, mut seen) = (String::new(), String::new());
    let mut transcript = Transcript::default();
    for transition in episode {
        match &transition.state {
            FrameText::High { task, .. } => task.clone_into(&mut whole),
            FrameText::Low {
                scene, observation, ..
            } => {
                observation.clone_into(&mut seen);
                let state = FrameText::Low {
                    scene: scene.clone(),
                    observation: observation.clone(),
                    subtask: whole.clone(),
                    progress: transcript.text(),
                };
                out.push(with(transition, state, unflagged(&transition.utterance)));
            }
            // The action that was done, which need not be the one of the label.
            FrameText::Progress { action, .. } => transcript.push(&seen, action),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use stride_firmware_config::state::Completed;

    /// Two subtasks of two steps; in the second step another action was done than the label says.
    fn episode(game: &str) -> Vec<Transition> {
        let mut completed = Completed::new();
        let mut out = Vec::new();
        let mut step = 0;
        for subtask in ["take mug 1", "put mug in sink"] {
            let high = FrameText::High {
                scene: "sink 1".into(),
                observation: format!("seen {step}"),
                task: "put a mug in the sink".into(),
                completed: Box::new(completed.clone()),
                progress: if step == 0 { "" } else { "last" }.into(),
            };
            out.push((step, high, subtask.to_owned()));
            completed.push(subtask, 8);
            for turn in 0..2 {
                let progress = if turn == 0 { "" } else { "half way" };
                let low = FrameText::Low {
                    scene: "sink 1".into(),
                    observation: format!("seen {step}"),
                    subtask: subtask.into(),
                    progress: progress.into(),
                };
                out.push((
                    step,
                    low,
                    format!("go {step}; {}", if turn == 1 { "True" } else { "False" }),
                ));
                let update = FrameText::Progress {
                    scene: "sink 1".into(),
                    observation: format!("seen {}", step + 1),
                    subtask: subtask.into(),
                    progress: progress.into(),
                    action: if step == 1 {
                        "err".into()
                    } else {
                        format!("go {step}")
                    },
                };
                if step < 3 {
                    out.push((
                        step,
                        update,
                        if turn == 0 { "half way" } else { "last" }.into(),
                    ));
                }
                step += 1;
            }
        }
        let transition = |(step_index, state, utterance)| Transition {
            game: game.into(),
            step_index,
            ..Transition::for_cloning(state, utterance)
        };
        out.into_iter().map(transition).collect()
    }

    fn told(transitions: &[Transition]) -> Vec<String> {
        let tell = |t: &Transition| match &t.state {
            FrameText::High { progress, .. } => format!("h [{progress}] {}", t.utterance),
            FrameText::Low {
                subtask, progress, ..
            } => format!("l {subtask} [{progress}] {}", t.utterance),
            FrameText::Progress {
                subtask,
                progress,
                action,
                ..
            } => format!("p {subtask} [{progress}] {action} -> {}", t.utterance),
        };
        transitions.iter().map(tell).collect()
    }

    #[test]
    fn without_progress_nothing_of_it_is_left() {
        assert_eq!(
            told(&reformed(&episode("a"), Form::NoProgress)),
            [
                "h [] take mug 1",
                "l take mug 1 [] go 0; False",
                "l take mug 1 [] go 1; True",
                "h [] put mug in sink",
                "l put mug in sink [] go 2; False",
                "l put mug in sink [] go 3; True",
            ]
        );
    }

    #[test]
    fn in_one_call_the_next_action_follows_the_progress() {
        assert_eq!(
            told(&reformed(&episode("a"), Form::OneCall)),
            [
                "h [] take mug 1",
                "l take mug 1 [] go 0; False",
                "p take mug 1 [] go 0; False -> half way => go 1; True",
                "p take mug 1 [half way] err; True -> last",
                "h [last] put mug in sink",
                "l put mug in sink [] go 2; False",
                "p put mug in sink [] go 2; False -> half way => go 3; True",
            ]
        );
    }

    #[test]
    fn a_flat_progress_keeps_what_was_done() {
        let task = "put a mug in the sink";
        assert_eq!(
            told(&reformed(&episode("a"), Form::Flat)),
            [
                format!("l {task} [] go 0; False"),
                format!("p {task} [] go 0 -> half way"),
                format!("l {task} [half way] go 1; False"),
                format!("p {task} [half way] err -> Done: take mug 1. last"),
                format!("l {task} [Done: take mug 1. last] go 2; False"),
                format!("p {task} [Done: take mug 1. last] go 2 -> Done: take mug 1. half way"),
                format!("l {task} [Done: take mug 1. half way] go 3; False"),
            ]
        );
    }

    #[test]
    fn a_history_holds_what_was_done_and_not_what_was_labelled() {
        let task = "put a mug in the sink";
        assert_eq!(
            told(&reformed(&episode("a"), Form::History)),
            [
                format!("l {task} [] go 0; False"),
                format!("l {task} [seen 0 > go 0] go 1; False"),
                format!("l {task} [seen 0 > go 0 || seen 1 > err] go 2; False"),
                format!("l {task} [seen 0 > go 0 || seen 1 > err || seen 2 > go 2] go 3; False"),
            ]
        );
    }

    #[test]
    fn a_progress_that_grows_too_long_loses_its_oldest_subtasks() {
        let names: Vec<String> = (0..40).map(|n| format!("find and take mug {n}")).collect();
        let done: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = overall(&done, "half way");
        assert!(text.len() <= capacity::PROGRESS && text.len() > capacity::PROGRESS - 40);
        assert!(text.ends_with("; find and take mug 39. half way"), "{text}");
    }

    #[test]
    fn what_is_no_whole_episode_is_refused_by_the_forms_that_tell_one() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out.jsonl");
        let made = |name: &str, left_out: usize, form: Form| {
            let path = folder.path().join(name);
            let mut writer = LineWriter::create(&path).unwrap();
            let mut episodes = episode("a");
            episodes.extend(episode("b"));
            episodes.remove(episode("a").len() + left_out);
            for transition in &episodes {
                writer.line(transition).unwrap();
            }
            writer.finish().unwrap();
            reform(&[path], form, &out).map_err(|error| error.to_string())
        };
        // Without its first call; without the three calls of a step (one is enough to be seen where a step has one).
        let error = made("headless", 0, Form::Flat).unwrap_err();
        assert!(
            error.contains("headless, line 10: no episode of b begins"),
            "{error}"
        );
        assert!(made("headless", 0, Form::NoProgress).is_ok());
    }

    #[test]
    fn a_step_that_is_missing_is_named() {
        let mut episode = episode("a");
        episode.retain(|transition| transition.step_index != 1);
        let reason = gap(&episode).unwrap();
        assert!(reason.contains("step 2 follows step 0"), "{reason}");
    }

    #[test]
    fn episodes_are_told_apart_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let (one, out) = (
            folder.path().join("in.jsonl"),
            folder.path().join("out.jsonl.zst"),
        );
        let mut writer = LineWriter::create(&one).unwrap();
        for game in ["a", "a", "b"] {
            for transition in episode(game) {
                writer.line(&transition).unwrap();
            }
        }
        writer.finish().unwrap();
        let counts = reform(std::slice::from_ref(&one), Form::History, &out).unwrap();
        assert_eq!(counts, (27, 12));
        let (_, made) = data::read_for_cloning(&out).unwrap();
        let blank = made
            .iter()
            .filter(|t| matches!(&t.state, FrameText::Low { progress, .. } if progress.is_empty()));
        assert_eq!(blank.count(), 3);
    }
}
