//! `stride-train rl`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use stride_train::bc::run::{PlayGames, RunHooks};
use stride_train::rl::config::{RlConfig, Weighing};
use stride_train::rl::report::{LevelReport, Line};
use stride_train::rl::run::{self, Event, RlOptions};
use stride_train::settings::Settings as _;

use crate::console::Console;
use crate::held_out_args::HeldOutArgs;
use crate::stop_on_signal;

/// Options of the second stage.
#[derive(Debug, Args)]
pub struct RlArgs {
    /// Settings (TOML); without it the defaults, or with --resume those of the run.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The checkpoint folder that `bc` and `export` made.
    #[arg(long)]
    init: PathBuf,
    /// Transition files (JSON Lines, plain or .zst): an expert's, a policy's, or both.
    #[arg(long, required = true, num_args = 1..)]
    data: Vec<PathBuf>,
    /// The run's folder.
    #[arg(long)]
    out: PathBuf,
    /// Go on from what the folder holds; an empty folder starts afresh.
    #[arg(long)]
    resume: bool,
    /// Override weights.by: `success` and `uniform` clone the same data without critics.
    #[arg(long, value_enum)]
    weigh_by: Option<WeighBy>,
    /// Override critics.steps.
    #[arg(long)]
    critic_steps: Option<u64>,
    /// Override run.steps, those of the actor.
    #[arg(long)]
    steps: Option<u64>,
    /// Override optimizer.lr, that of the actor.
    #[arg(long)]
    lr: Option<f64>,
    /// Override run.seed.
    #[arg(long)]
    seed: Option<u64>,
    /// Override run.threads (0: one per core).
    #[arg(long)]
    threads: Option<usize>,
    #[command(flatten)]
    held_out: HeldOutArgs,
}

/// How transitions are weighed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum WeighBy {
    /// By the critics' advantages.
    Advantage,
    /// What was said in won episodes alone, all of it alike.
    Success,
    /// Everything that was said alike.
    Uniform,
}

/// Runs the command.
pub fn run(args: RlArgs) -> anyhow::Result<ExitCode> {
    let stored = args.out.join(run::CONFIG);
    let mut config = RlConfig::chosen(args.config.as_deref(), args.resume, &stored)?;
    config.run.steps = args.steps.unwrap_or(config.run.steps);
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    config.run.threads = args.threads.unwrap_or(config.run.threads);
    config.optimizer.lr = args.lr.unwrap_or(config.optimizer.lr);
    config.critics.steps = args.critic_steps.unwrap_or(config.critics.steps);
    config.weights.by = match args.weigh_by {
        Some(WeighBy::Advantage) => Weighing::Advantage,
        Some(WeighBy::Success) => Weighing::Success,
        Some(WeighBy::Uniform) => Weighing::Uniform,
        None => config.weights.by,
    };
    let mut play = args.held_out.player(&config.data, &config.run)?;
    let options = RlOptions {
        config,
        data: args.data,
        init: args.init,
        out: args.out,
        resume: args.resume,
    };
    println!("{}", options.config.to_toml());
    let stop = stop_on_signal()?;
    let mut before = Before::default();
    let mut console = Console::new();
    let ending = run::run(
        &options,
        &mut |event| before.show(event),
        &mut RunHooks {
            stop: &stop,
            report: &mut |event| console.show(event),
            play: play.as_mut().map(|play| &mut **play as &mut PlayGames<'_>),
        },
    )?;
    console.finish(ending, &options.out);
    Ok(ExitCode::SUCCESS)
}

/// What comes before the actor, on the terminal.
#[derive(Default)]
struct Before {
    bar: Option<ProgressBar>,
}

impl Before {
    fn show(&mut self, event: &Event<'_>) {
        match event {
            Event::Read {
                transitions,
                rows: [high, low, progress],
                learnable,
            } => {
                println!(
                    "training    {transitions} transitions; acted on: {high} high, {low} low, {progress} progress; the critics learn from {} {} {}",
                    learnable[0], learnable[1], learnable[2]
                );
            }
            Event::Features(done, all) => self.bar("features", *done as u64, *all as u64),
            Event::Critics(done, all) => self.bar("critics", *done, *all),
            Event::Line(line) => self.line(line),
            Event::Weighed(levels) => {
                for (name, level) in ["high", "low", "progress"].iter().zip(*levels) {
                    weighed(name, level.as_ref());
                }
            }
        }
    }

    fn bar(&mut self, what: &'static str, done: u64, all: u64) {
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new(all);
            if let Ok(style) = ProgressStyle::with_template(
                "{prefix} {pos}/{len} [{elapsed}<{eta}] {wide_bar} {msg}",
            ) {
                bar.set_style(style);
            }
            bar.set_prefix(what);
            bar
        });
        bar.set_position(done);
        if done >= all {
            bar.finish();
            self.bar = None;
        }
    }

    fn line(&self, line: &Line) {
        let Line::Train {
            step,
            value_loss,
            action_loss,
        } = line
        else {
            return;
        };
        let number = |n: &Option<f64>| n.map_or_else(|| "-".into(), |n| format!("{n:.4}"));
        let numbers = |levels: &[Option<f64>; 3]| levels.each_ref().map(number).join(" ");
        let text = format!("V {}  Q {}", numbers(value_loss), numbers(action_loss));
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.set_message(text),
            _ => println!("critics {step}  {text}"),
        }
    }
}

fn weighed(name: &str, level: Option<&LevelReport>) {
    let Some(level) = level else {
        println!("{name:<9}   nothing to learn from");
        return;
    };
    let [_, low, _, middle, _, high, _] = level.advantage.quantiles;
    let ends = level
        .by_end
        .map(|end| end.map_or_else(|| "-".into(), |a| format!("{a:+.3}")));
    println!(
        "{name:<9}   V {:.3}  Q {:.3} (error {:.3})  advantage {:+.3} (10 % {low:+.3}, median {middle:+.3}, 90 % {high:+.3}; won {} lost {} cut off {})  weights up to {:.1}, {:.1} % clipped",
        level.value,
        level.action,
        level.error,
        level.advantage.mean,
        ends[0],
        ends[1],
        ends[2],
        level.weight.quantiles[6],
        100.0 * level.clipped
    );
}
