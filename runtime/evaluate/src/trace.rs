//! One episode as a readable trace.

use std::io::{self, Write};

use stride_agent::environment::Outcome;
use stride_agent::event::{CloseReason, Event, Observer};
use stride_agent::policy::Cost;
use stride_firmware_config::frame::StepFrame;
use stride_firmware_config::level::PolicyLevel;

use crate::style::{Colour, Style};

/// Writes the events of an episode as they happen.
///
/// ```text
/// task     put a clean mug in the shelf
/// scene    cabinet 1 to 4, shelf 1, sinkbasin 1
/// start    You are in the middle of a room.
///
/// subtask 1: find a mug                                  [high 63+5 tokens, 9.1 ms]
///   1  go to shelf 1                                     [low 57+7 tokens, 6.0 ms]
///      On the shelf 1, you see a mug 1.
///      progress: mug 1 seen || [Checked: shelf 1]        [progress 71+12 tokens, 11.4 ms]
/// ```
pub struct Trace<W> {
    out: W,
    colour: Colour,
    begun: bool,
    /// Cost of the high and of the low call whose lines are not yet written.
    pending: [String; 2],
    error: Option<io::Error>,
}

impl<W: Write> Trace<W> {
    /// A trace onto `out`.
    pub fn new(out: W, colour: Colour) -> Self {
        Self {
            out,
            colour,
            begun: false,
            pending: Default::default(),
            error: None,
        }
    }

    /// The writer, or the first error that writing met (a closed pipe, for example).
    ///
    /// # Errors
    /// The first write that failed.
    pub fn finish(self) -> io::Result<W> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.out),
        }
    }

    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        if self.error.is_none()
            && let Err(error) = writeln!(self.out, "{text}").and_then(|()| self.out.flush())
        {
            self.error = Some(error);
        }
    }

    /// A line with a dimmed note, set apart in a column of its own where the line is short.
    fn noted(&mut self, width: usize, painted: std::fmt::Arguments<'_>, note: &str) {
        let gap = 64_usize.saturating_sub(width).max(2);
        let note = self.colour.paint(Style::Dim, note);
        self.line(format_args!("{painted}{:gap$}{note}", ""));
    }

    fn begin(&mut self, frame: &StepFrame<'_>) {
        let bold = |text| self.colour.paint(Style::Bold, text);
        let [task_word, scene_word, start_word] =
            [bold("task     "), bold("scene    "), bold("start    ")];
        if let StepFrame::High { task, .. } = frame {
            self.line(format_args!("{task_word}{task}"));
        }
        if !frame.scene().is_empty() {
            self.line(format_args!("{scene_word}{}", frame.scene()));
        }
        self.line(format_args!(
            "{start_word}{}",
            indented(frame.observation(), 9)
        ));
    }

    fn uttered(&mut self, frame: &StepFrame<'_>, text: &str, note: String) {
        if !self.begun {
            self.begun = true;
            self.begin(frame);
        }
        match frame.level() {
            PolicyLevel::High => self.pending[0] = note,
            PolicyLevel::Low => self.pending[1] = note,
            PolicyLevel::Progress => {
                let line = format!("     progress: {text}");
                self.noted(line.chars().count(), format_args!("{line}"), &note);
            }
        }
    }
}

impl<W: Write> Trace<W> {
    fn subtask_began(&mut self, index: u32, subtask: &str) {
        let line = format!("subtask {}: {subtask}", index + 1);
        let width = line.chars().count();
        let note = std::mem::take(&mut self.pending[0]);
        let line = self.colour.paint(Style::Bold, line);
        self.line(format_args!(""));
        self.noted(width, format_args!("{line}"), &note);
    }

    fn acted(&mut self, step: u32, action: &str, finished: bool, outcome: &Outcome) {
        let number = format!("{:>3}  ", step + 1);
        let flag = if finished {
            "  (finishes the subtask)"
        } else {
            ""
        };
        let width = number.len() + action.chars().count() + flag.len();
        let note = std::mem::take(&mut self.pending[1]);
        let action = self.colour.paint(Style::Action, action);
        self.noted(width, format_args!("{number}{action}{flag}"), &note);
        let refused = if outcome.invalid { "  (refused)" } else { "" };
        let refused = self.colour.paint(Style::Bad, refused);
        let observation = indented(outcome.observation.trim(), 5);
        self.line(format_args!("     {observation}{refused}"));
    }

    fn warn(&mut self, text: impl std::fmt::Display) {
        let text = self.colour.paint(Style::Bad, text);
        self.line(format_args!("     {text}"));
    }
}

impl<W: Write> Observer for Trace<W> {
    fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Uttered {
                frame,
                text,
                cost,
                micros,
            } => self.uttered(frame, text, note(frame.level(), cost, micros)),
            Event::SubtaskBegan { index, subtask } => self.subtask_began(index, subtask),
            Event::Acted {
                step,
                action,
                finished,
                outcome,
                ..
            } => self.acted(step, action, finished, outcome),
            Event::SubtaskClosed { reason } => self.warn(match reason {
                CloseReason::Cap => "the subtask was closed at its cap of actions",
                CloseReason::Loop => "the subtask was closed because the agent repeats itself",
            }),
            Event::Repaired {
                problem,
                text,
                action,
            } => {
                let why = problem.map_or_else(|| "action too long".to_owned(), |p| p.to_string());
                self.warn(format_args!(
                    "malformed ({why}): `{text}`, so `{action}` was sent"
                ));
            }
            Event::Cut { field, dropped } => {
                self.warn(format_args!("{field} was cut: {dropped} bytes did not fit"));
            }
        }
    }
}

/// What a call cost.
fn note(level: PolicyLevel, cost: Cost, micros: u64) -> String {
    let cap = if cost.capped { ", cut at its cap" } else { "" };
    format!(
        "[{level} {}+{} tokens, {:.1} ms{cap}]",
        cost.prompt_tokens,
        cost.generated_tokens,
        micros as f64 / 1000.0
    )
}

/// Text whose later lines stand below its first one.
fn indented(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{:by$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn reads_like_a_story() {
        let mut trace = Trace::new(Vec::new(), Colour::Never);
        testing::play(3, &mut trace);
        let text = String::from_utf8(trace.finish().unwrap()).unwrap();
        let stripped: Vec<&str> = text
            .lines()
            .map(|line| line.split("  [").next().unwrap_or(line).trim_end())
            .collect();
        assert_eq!(
            stripped,
            [
                "task     reach the end",
                "start    You stand at 0.",
                "",
                "subtask 1: walk on",
                "  1  walk",
                "     You stand at 1.",
                "     progress: .",
                "  2  walk  (finishes the subtask)",
                "     You stand at 2.",
                "     progress: ..",
                "",
                "subtask 2: walk on",
                "  3  walk",
                "     You stand at 3.",
            ]
        );
        assert!(text.contains("[high 10+1 tokens, 0.0 ms]"), "{text}");
    }

    #[test]
    fn a_closed_pipe_is_reported_once() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut trace = Trace::new(Closed, Colour::Always);
        testing::play(3, &mut trace);
        let error = trace.finish().err().map(|error| error.kind());
        assert_eq!(error, Some(io::ErrorKind::BrokenPipe));
    }
}
