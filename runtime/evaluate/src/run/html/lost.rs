//! The last steps of what was not won.

use std::fmt;

use crate::episode::{End, Episode};
use crate::html::escape::Text;
use crate::run::report::Report;
use crate::trail::TrailStep;

/// Games that are shown; the JSON has all.
const SHOWN: usize = 200;

/// Every game that was not won, folded.
pub(super) fn section(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let lost = || report.episodes.iter().filter(|episode| !episode.won());
    let count = lost().count();
    writeln!(f, "<section><h2>Not won: {count}</h2>")?;
    for episode in lost().take(SHOWN) {
        game(f, episode, report.settings.graded)?;
    }
    if count > SHOWN {
        writeln!(
            f,
            "<p>{} more are in the JSON form (--json).</p>",
            count - SHOWN
        )?;
    }
    f.write_str("</section>\n")
}

fn game(f: &mut fmt::Formatter<'_>, episode: &Episode, graded: bool) -> fmt::Result {
    let end = match &episode.end {
        End::Success => "won",
        End::Failure => "failed",
        End::Truncated if episode.looped => "limit of actions, in a loop",
        End::Truncated => "limit of actions",
        End::Error { .. } => "error",
    };
    write!(
        f,
        "<details><summary>{} <span class=\"muted\">({})</span>: <span class=\"lost\">{end}</span> after {} actions",
        Text(&episode.game),
        Text(&episode.task_type),
        episode.steps
    )?;
    if graded {
        write!(f, ", score {:.0}", episode.score)?;
    }
    f.write_str("</summary>\n")?;
    if let End::Error { message, .. } = &episode.end {
        writeln!(f, "<p class=\"lost\">{}</p>", Text(message))?;
    }
    if !episode.last_steps.is_empty() {
        steps(f, episode)?;
    }
    f.write_str("</details>\n")
}

fn steps(f: &mut fmt::Formatter<'_>, episode: &Episode) -> fmt::Result {
    writeln!(
        f,
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"Last steps of {0}\"><table><caption>The last steps</caption>\
         <thead><tr><th scope=\"col\" class=\"n\">step</th><th scope=\"col\">action</th><th scope=\"col\">answer</th>\
         <th scope=\"col\">progress</th></tr></thead>\n<tbody>",
        Text(&episode.game)
    )?;
    let mut subtask = None;
    for step in &episode.last_steps {
        if subtask != Some(&step.subtask) {
            subtask = Some(&step.subtask);
            writeln!(
                f,
                "<tr class=\"subtask\"><th scope=\"colgroup\" colspan=\"4\">subtask: {}</th></tr>",
                Text(&step.subtask)
            )?;
        }
        row(f, step)?;
    }
    f.write_str("</tbody></table></div>\n")
}

fn row(f: &mut fmt::Formatter<'_>, step: &TrailStep) -> fmt::Result {
    write!(
        f,
        "<tr><th scope=\"row\" class=\"n\">{}</th><td>{}",
        step.step,
        Text(&step.action)
    )?;
    let flags = [
        (step.invalid, "refused"),
        (step.finished, "finishes the subtask"),
    ];
    let flags = flags.iter().filter(|(set, _)| *set).map(|(_, name)| *name);
    for note in flags.chain(step.notes.iter().map(String::as_str)) {
        write!(f, "<br/><span class=\"muted\">{}</span>", Text(note))?;
    }
    writeln!(
        f,
        "</td><td class=\"said\">{}</td><td class=\"said\">{}</td></tr>",
        Text(&step.observation),
        Text(&step.progress)
    )
}
