//! The whole second stage: features, critics, weights, weighted cloning.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use stride_agent::transition::{Source, Transition};

use super::config::{RlConfig, Weighing};
use super::critics::{self, Critics};
use super::features::{Features, Reader};
use super::report::{self, LevelReport, Line};
use super::rows::Rows;
use super::weights;
use crate::bc::run::{self as cloning, Ending, RunHooks, RunOptions};
use crate::bc::samples::Demonstrations;
use crate::bc::state;
use crate::checkpoint::Checkpoint;
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};
use crate::parallel;
use crate::settings::Settings as _;

/// The settings of the stage in the run's folder.
pub const CONFIG: &str = "rl.toml";
/// The features in the run's folder. They can be made again from the other files.
pub const FEATURES: &str = "features.bin";

/// What to run and where.
#[derive(Debug, Clone)]
pub struct RlOptions {
    /// Settings.
    pub config: RlConfig,
    /// Transition files.
    pub data: Vec<PathBuf>,
    /// The checkpoint folder of the first stage.
    pub init: PathBuf,
    /// The run's folder.
    pub out: PathBuf,
    /// Go on from what the folder holds.
    pub resume: bool,
}

/// What happened before the actor began; from then on the events are those of cloning.
#[derive(Debug)]
pub enum Event<'a> {
    /// The data are read.
    Read {
        /// Training transitions.
        transitions: usize,
        /// Of these, utterances that were acted on, by level.
        rows: [usize; 3],
        /// Of these, those that critics can learn from.
        learnable: [usize; 3],
    },
    /// Sequences whose features are read, of how many.
    Features(usize, usize),
    /// The critics have done so many steps, of how many.
    Critics(u64, u64),
    /// A line of the critics' metrics.
    Line(&'a Line),
    /// What the weights are made of, by level.
    Weighed(&'a [Option<LevelReport>; 3]),
}

/// Runs the second stage. `report` hears of what comes before the actor, `hooks` of the actor.
///
/// # Errors
/// When settings, data or checkpoints are refused, a file cannot be written, or a loss diverges.
pub fn run(
    options: &RlOptions,
    report: &mut dyn FnMut(&Event<'_>),
    hooks: &mut RunHooks<'_>,
) -> Result<Ending> {
    let config = &options.config;
    config.validate()?;
    let mut data = Demonstrations::read_whole(&options.data, config.data.held_out)?;
    // What a policy once said is no answer to be held to.
    data.held_out
        .retain(|transition| transition.source != Source::Policy);
    let checkpoint = Checkpoint::load(&options.init)?;
    let shape = checkpoint.network.layout().shape().clone();
    create_folder(&options.out)?;
    let weights = if config.weights.by == Weighing::Advantage {
        let Some(weights) = judge(options, &checkpoint, &mut data, report, hooks)? else {
            return Ok(Ending::Stopped { step: 0 });
        };
        weights
    } else {
        config.weights.without_critics(&data.training)
    };
    write_atomically(&options.out.join(CONFIG), config.to_toml().as_bytes())?;
    data.weights = Some(weights);
    for transition in data.training.iter_mut().chain(&mut data.held_out) {
        transition.next = None;
    }
    let last = options.out.join(state::LAST);
    let has_actor = last.exists();
    if has_actor && options.resume && state::load_weights(&last)?.0.rl != Some(config.settings()) {
        return Err(TrainError::checkpoint(
            &last,
            "its samples were weighed by other settings; choose another folder",
        ));
    }
    let cloning = RunOptions {
        config: config.cloning(&shape),
        data: options.data.clone(),
        out: options.out.clone(),
        resume: options.resume,
        tokenizer: None,
        init: Some(options.init.clone()),
        backbone: None,
        rl: Some(config.settings()),
    };
    cloning::run_on(&cloning, &data, hooks)
}

/// The weight of every transition by critics that are trained first; `None` when it was asked to stop.
fn judge(
    options: &RlOptions,
    checkpoint: &Checkpoint,
    data: &mut Demonstrations,
    report: &mut dyn FnMut(&Event<'_>),
    hooks: &RunHooks<'_>,
) -> Result<Option<Vec<f32>>> {
    let config = &options.config;
    let threads = parallel::threads(config.run.threads);
    let longest = checkpoint.network.layout().shape().max_positions;
    let path = options.out.join(critics::CRITICS);
    let width = checkpoint.network.layout().shape().hidden;
    let mut critics = begin(options, data, width)?;
    let rows = rows(
        &checkpoint.tokenizer,
        &mut data.training,
        longest,
        config,
        report,
    )?;
    let reader = Reader {
        network: &checkpoint.network,
        weights: &checkpoint.weights,
        tokenizer: &checkpoint.tokenizer,
        micro_tokens: config.run.micro_tokens,
        threads,
    };
    let file = options.out.join(FEATURES);
    let features = Features::of(&rows, &reader, &file, hooks.stop, &mut |done, all| {
        report(&Event::Features(done, all));
    })?;
    let Some(features) = features else {
        return Ok(None);
    };
    let steps = config.critics.steps;
    while critics.record.step < steps {
        let step = critics.record.step;
        let next = (step / config.critics.log_every + 1) * config.critics.log_every;
        let losses = critics.train(&rows, &features, next.min(steps), threads)?;
        let step = critics.record.step;
        let line = Line::Train {
            step,
            value_loss: losses.map(|level| level.map(|l| l.value)),
            action_loss: losses.map(|level| level.map(|l| l.action)),
        };
        report(&Event::Critics(step, steps));
        report(&Event::Line(&line));
        critics.record.lines.push(line);
        let stop = hooks.stop.load(Ordering::Relaxed);
        let saved = (next - config.critics.log_every) / config.critics.save_every;
        if stop || step == steps || step / config.critics.save_every > saved {
            critics.save(&path)?;
        }
        if stop {
            return Ok(None);
        }
    }
    let (weights, levels) =
        weights::by_advantage(&config.weights, &data.training, &rows, &features, &critics)?;
    report(&Event::Weighed(&levels));
    let mut lines = critics.record.lines.clone();
    lines.push(Line::Advantages {
        step: critics.record.step,
        levels: Box::new(levels),
    });
    write_atomically(
        &options.out.join(report::CRITICS),
        report::text(&lines).as_bytes(),
    )?;
    Ok(Some(weights))
}

/// The critics to go on with: those of the folder, or fresh ones.
fn begin(options: &RlOptions, data: &Demonstrations, width: usize) -> Result<Critics> {
    let path = options.out.join(critics::CRITICS);
    let config = &options.config;
    if !path.exists() {
        return Ok(Critics::new(
            &config.critics,
            width,
            config.run.seed,
            data.files.clone(),
        ));
    }
    if !options.resume {
        return Err(TrainError::checkpoint(
            &path,
            "the folder already holds critics; resume the run or choose another folder",
        ));
    }
    let critics = Critics::load(&path, width)?;
    let record = &critics.record;
    if !crate::data::is_same(&record.data, &data.files) {
        return Err(TrainError::checkpoint(
            &path,
            "it was trained on other data files",
        ));
    }
    if record.config != config.critics || record.seed != config.run.seed {
        return Err(TrainError::checkpoint(
            &path,
            "its settings or seed are others; choose another folder",
        ));
    }
    Ok(critics)
}

fn rows(
    tokenizer: &crate::tokens::FrameTokenizer,
    transitions: &mut [Transition],
    longest: usize,
    config: &RlConfig,
    report: &mut dyn FnMut(&Event<'_>),
) -> Result<Rows> {
    let rows = Rows::new(tokenizer, transitions, longest, &config.critics)?;
    let learnable = [0, 1, 2].map(|level| rows.learnable(level).len());
    let of_level = |level| rows.rows.iter().filter(|row| row.level == level).count();
    report(&Event::Read {
        transitions: transitions.len(),
        rows: [0, 1, 2].map(of_level),
        learnable,
    });
    Ok(rows)
}
