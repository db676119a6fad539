//! A run on the terminal: a progress bar with losses and speed, and one line per evaluation.

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use stride_train::bc::metrics::Metrics;
use stride_train::bc::run::{Ending, Event, Start};
use stride_train::settings::Settings as _;

/// Draws a run.
pub struct Console {
    bar: ProgressBar,
}

impl Console {
    /// Nothing is drawn before the run has started.
    pub fn new() -> Self {
        Self {
            bar: ProgressBar::hidden(),
        }
    }

    /// Shows one event.
    pub fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Started(start) => self.start(start),
            Event::Step { step, .. } => self.bar.set_position(*step),
            Event::Metrics(metrics) => self.metrics(metrics),
            Event::Saved { step, path } => self.saved(*step, path),
        }
    }

    /// Leaves the bar as it stands and says how the run ended.
    pub fn finish(&self, ending: Ending, folder: &Path) {
        self.bar.abandon();
        match ending {
            Ending::Finished => println!("finished; report in {}/report.html", folder.display()),
            Ending::Stopped { step } => println!("stopped at step {step}; go on with --resume"),
        }
    }

    fn start(&mut self, start: &Start) {
        println!("{}", start.config.to_toml());
        println!(
            "network     {} weights, of which {} are trained; vocabulary of {} tokens",
            start.parameters, start.trained, start.vocab_size
        );
        println!(
            "training    {} samples, {} tokens a pass ({} samples too long); held out {} samples",
            start.samples, start.tokens, start.dropped, start.held_out
        );
        println!("threads     {}", start.threads);
        if start.resumed_at > 0 {
            println!("resumed at  step {}", start.resumed_at);
        }
        self.bar = ProgressBar::new(start.config.run.steps);
        if let Ok(style) =
            ProgressStyle::with_template("{pos}/{len} [{elapsed}<{eta}] {wide_bar} {msg}")
        {
            self.bar.set_style(style);
        }
        self.bar.set_position(start.resumed_at);
        self.bar.reset_eta();
    }

    fn metrics(&self, metrics: &Metrics) {
        match metrics {
            Metrics::Train {
                step,
                lr,
                loss,
                nll,
                frame,
                tokens_per_second,
                ..
            } => {
                let text = format!(
                    "loss {loss:.4}  high {}  low {}  progress {}  frame {}  lr {lr:.1e}  {tokens_per_second:.0} tokens/s",
                    number(nll[0]),
                    number(nll[1]),
                    number(nll[2]),
                    number(*frame)
                );
                if self.bar.is_hidden() {
                    println!("step {step}  {text}");
                }
                self.bar.set_message(text);
            }
            Metrics::Eval {
                step,
                evaluation,
                best,
            } => {
                let [high, low, progress] = evaluation.exact.map(percent);
                let [high_nll, low_nll, progress_nll] = evaluation.nll.map(number);
                self.line(&format!(
                    "step {step}  held out: exact match high {high} low {low} progress {progress}, loss {high_nll} {low_nll} {progress_nll}{}",
                    if *best { "  (best)" } else { "" }
                ));
            }
            Metrics::Success { step, report, best } => {
                self.line(&format!(
                    "step {step}  held-out games: {} of {} won, mean score {:.1}{}",
                    report.won,
                    report.games,
                    report.score,
                    if *best { "  (best)" } else { "" }
                ));
            }
        }
    }

    fn saved(&self, step: u64, path: &Path) {
        if self.bar.is_hidden() {
            println!("step {step}  saved {}", path.display());
        }
    }

    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            println!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.4}"))
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{:.1} %", 100.0 * value))
}

/// A bar with the time that is left.
pub fn progress_bar(message: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(message);
    if let Ok(style) =
        ProgressStyle::with_template("{msg} {pos}/{len} [{elapsed}<{eta}] {wide_bar}")
    {
        bar.set_style(style);
    }
    bar
}
