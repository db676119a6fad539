//! Progress bars, on stderr and only when it is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over a known number of things.
pub fn bar(total: usize, unit: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} [{{elapsed}} < {{eta}}] {{msg}}");
    styled(ProgressBar::new(total as u64), &template)
}

/// A counter of things whose number nobody knows beforehand.
pub fn counter(unit: &str) -> ProgressBar {
    styled(
        ProgressBar::no_length(),
        &format!("{{spinner}} {{pos}} {unit} [{{elapsed}}]"),
    )
}

fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    // A template that did not parse would leave the plain bar, which says the same.
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
