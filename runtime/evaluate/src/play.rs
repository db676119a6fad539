//! `stride-eval play`: one episode as a readable trace.

use std::io::Write;

use stride_agent::agent::Limits;
use stride_agent::environment::Environment;
use stride_agent::episode::{self, EpisodeReport};
use stride_agent::event::{Event, Observer};
use stride_agent::policy::Policy;
use stride_agent::text::chain;
use stride_agent::transition::EndKind;

use crate::episode::percent;
use crate::error::EvalError;
use crate::meter::Meter;
use crate::style::{Colour, Style};
use crate::trace::Trace;

/// How an episode is shown.
#[derive(Debug, Clone)]
pub struct Showing {
    /// The agent's limits.
    pub limits: Limits,
    /// Most actions.
    pub max_actions: u32,
    /// Colour of the trace.
    pub colour: Colour,
    /// Whether the world gives parts of its score, so that it is worth a word.
    pub graded: bool,
}

/// Plays one episode and writes its trace to `out` while it runs. The last line is `won in N actions` or `lost: why`, with
/// the score where it says more; the answer is whether it was won.
///
/// # Errors
/// When the world or the policy breaks, or `out` cannot be written to.
pub fn play<P: Policy + ?Sized>(
    environment: &mut dyn Environment,
    policy: &mut P,
    showing: &Showing,
    out: &mut dyn Write,
) -> Result<bool, EvalError> {
    let mut trace = Timed {
        clock: Meter::new(),
        trace: Trace::new(&mut *out, showing.colour),
    };
    let played = episode::play(
        environment,
        policy,
        &showing.limits,
        showing.max_actions,
        &mut trace,
    );
    trace.trace.finish().map_err(EvalError::Output)?;
    let (report, _) = played.map_err(|error| EvalError::Episode {
        message: chain(&error),
    })?;
    let won = report.end == EndKind::Success;
    let style = if won { Style::Good } else { Style::Bad };
    let line = showing
        .colour
        .paint(style, verdict(&report, showing.graded));
    writeln!(out, "\n{line}").map_err(EvalError::Output)?;
    Ok(won)
}

/// The last line of the trace.
fn verdict(report: &EpisodeReport, graded: bool) -> String {
    let score = if graded {
        format!("; score {:.0} of 100", percent(report.score))
    } else {
        String::new()
    };
    let end = match report.end {
        EndKind::Success => format!("won in {} actions", report.steps),
        EndKind::Failure => format!(
            "lost: the world ended the episode after {} actions",
            report.steps
        ),
        EndKind::Truncated => format!("lost: not done after {} actions, the limit", report.steps),
    };
    end + &score
}

/// A trace with a clock.
struct Timed<W> {
    clock: Meter,
    trace: Trace<W>,
}

impl<W: Write> Observer for Timed<W> {
    fn event(&mut self, event: &Event<'_>) {
        self.trace.event(event);
    }

    fn now_micros(&self) -> u64 {
        self.clock.now_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Corridor, Walker};

    fn last_line(length: u32, graded: bool) -> (bool, String) {
        let showing = Showing {
            limits: Limits::default(),
            max_actions: 5,
            colour: Colour::Never,
            graded,
        };
        let mut out = Vec::new();
        let won = play(&mut Corridor::new(length), &mut Walker, &showing, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        (won, text.lines().last().unwrap().to_owned())
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        assert_eq!(last_line(3, false), (true, "won in 3 actions".to_owned()));
        let graded = "won in 3 actions; score 100 of 100".to_owned();
        assert_eq!(last_line(3, true), (true, graded));
        let lost = "lost: not done after 5 actions, the limit".to_owned();
        assert_eq!(last_line(9, false), (false, lost));
    }
}
