//! The result of a run as one page: no script, no font, nothing from elsewhere; light and dark.
//!
//! | module | holds |
//! |---|---|
//! | `figures` | headline, task types, how episodes ended, frames |
//! | `curves` | cost by step, lengths of episodes |
//! | `lost` | the last steps of what was not won |
//!
//! The page is made of the [`Report`] alone, so it shows what the JSON holds. It carries no date: the same report gives the
//! same page.

mod curves;
mod figures;
mod lost;

use std::fmt;

use super::report::Report;
use crate::html::{self, escape::Text};
use crate::memory::mebibytes;

/// A report as a page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a>(pub &'a Report);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        let world = &report.settings.world;
        html::open(f, &format!("Stride on {world}"), world)?;
        writeln!(
            f,
            "<p class=\"muted\">{} games of at most {} actions, {}. Policy {}</p>",
            report.settings.games,
            report.settings.max_actions,
            Text(report.settings.decoding()),
            Text(&report.policy.path)
        )?;
        if report.partial {
            writeln!(
                f,
                "<p class=\"partial\"><strong>Partial:</strong> stopped after {} of {} games.</p>",
                report.episodes.len(),
                report.settings.games
            )?;
        }
        html::begin_main(f)?;
        figures::headline(f, report)?;
        figures::tasks(f, report)?;
        figures::ends(f, report)?;
        curves::sections(f, report)?;
        figures::frames(f, report)?;
        lost::section(f, report)?;
        settings(f, report)?;
        html::close(f)
    }
}

fn settings(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    let settings = &report.settings;
    f.write_str("<section><h2>How it was run</h2>\n<dl>\n")?;
    let mut line = |name: &str, value: &str| {
        writeln!(f, "<dt>{name}</dt><dd><code>{}</code></dd>", Text(value))
    };
    line("command", &settings.command)?;
    line("policy", &report.policy.path)?;
    line("SHA-256", &report.policy.sha256)?;
    line("size", &mebibytes(Some(report.policy.bytes)))?;
    line("world", &settings.world)?;
    line("decoding", &settings.decoding())?;
    line("seed", &settings.seed.to_string())?;
    line("threads of an engine", &settings.threads.to_string())?;
    line("CPU kernels", &settings.kernels.join(" "))?;
    line("games at the same time", &settings.jobs.to_string())?;
    line("stride-eval", report.version)?;
    f.write_str("</dl></section>\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::episode::{End, Origin};
    use crate::html::assert_balanced as balanced;
    use crate::testing::report;

    #[test]
    fn the_page_stands_alone_and_says_everything() {
        let page = Page(&report(&[4, 6, 90], 3, true)).to_string();
        for outside in [
            "<script", "src=", "href=", "url(", "@import", "http://", "https://",
        ] {
            assert!(!page.contains(outside), "{outside}");
        }
        for part in [
            "<title>Stride on corridor</title>",
            "66.7",
            "20.8 to 93.9",
            "<th scope=\"row\">walk</th>",
            "prefers-color-scheme: dark",
            "corridor:90",
            "0123456789abcdef",
            "<polyline class=\"line second\"",
            "You stand at 50.",
        ] {
            assert!(page.contains(part), "`{part}` is not in the page");
        }
        // Won games need no explanation.
        assert!(!page.contains("corridor:4"));
        balanced(&page);
    }

    #[test]
    fn hostile_text_stays_text() {
        let evil = "</code></td><script>alert(1)</script><img src=x onerror='y'>\u{202e}";
        let mut report = report(&[4, 90], 3, false);
        report.policy.path = evil.into();
        report.settings.world = evil.into();
        report.settings.command = evil.into();
        for row in &mut report.summary.success {
            row.task_type = evil.into();
        }
        report.episodes[0].end = End::Error {
            origin: Origin::Policy,
            message: evil.into(),
        };
        report.episodes[0].game = evil.into();
        for step in &mut report.episodes[1].last_steps {
            step.action = evil.into();
            step.observation = evil.into();
            step.progress = evil.into();
            step.subtask = evil.into();
            step.notes = vec![evil.into()];
        }
        let page = Page(&report).to_string();
        assert!(page.contains("&lt;script&gt;"));
        assert!(page.contains("<strong>Partial:</strong> stopped after 2 of 3 games"));
        for raw in ["<script", "<img", "\u{202e}"] {
            assert!(!page.contains(raw), "{raw:?}");
        }
        balanced(&page);
    }

    #[test]
    fn a_run_of_nothing_is_still_a_page() {
        balanced(&Page(&report(&[], 3, true)).to_string());
    }
}
