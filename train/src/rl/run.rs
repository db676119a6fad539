//! The whole second stage: features, critics, weights, weighted cloning.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use stride_agent::transition::{Source, Transition};

use super::config::{RlConfig, RlSettings, Weighing};
use super::critics::{self, Critics};
use super::features::{Features, Reader};
use super::report::{self, LevelReport, Line};
use super::rows::Rows;
use super::weights;
use crate::bc::run::{self as cloning, Ending, RunHooks, RunOptions};
use crate::bc::samples::Demonstrations;
use crate::bc::state;
use crate::checkpoint::Checkpoint;
use crate::data::is_same;
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
    let checkpoint = match config.data.completed {
        Some(completed) => checkpoint.reading(completed),
        None => checkpoint,
    };
    let shape = checkpoint.network.layout().shape().clone();
    create_folder(&options.out)?;
    let actor = actor(options, &data)?;
    let by_advantage = config.weights.by == Weighing::Advantage;
    let critics = by_advantage.then(|| begin(options, &data, shape.hidden));
    let critics = critics.transpose()?;
    // What could be refused for its settings has been, and whatever stops the run from here on, it goes on with these.
    write_atomically(&options.out.join(CONFIG), config.to_toml().as_bytes())?;
    let mut settings = config.settings();
    let weights = if let Some(critics) = critics {
        let Some(judged) = judge(options, &checkpoint, critics, &mut data, report, hooks)? else {
            return Ok(Ending::Stopped { step: 0 });
        };
        settings.features = Some(judged.features);
        judged.weights
    } else {
        config.weights.without_critics(&data.training)
    };
    if actor.is_some_and(|actor| actor.features != settings.features) {
        return Err(TrainError::checkpoint(
            &options.out.join(state::LAST),
            OTHER_FEATURES,
        ));
    }
    data.weights = Some(weights);
    for transition in data.training.iter_mut().chain(&mut data.held_out) {
        transition.next = None;
    }
    let cloning = RunOptions {
        config: config.cloning(&shape),
        data: options.data.clone(),
        out: options.out.clone(),
        resume: options.resume,
        tokenizer: None,
        init: Some(options.init.clone()),
        backbone: None,
        rl: Some(settings),
    };
    cloning::run_on(&cloning, &data, hooks)
}

/// Why critics or an actor of other features are not gone on with.
const OTHER_FEATURES: &str =
    "it began from another checkpoint, or with other data held out; choose another folder";

/// The settings that the actor in the folder was weighed by, if there is one. It is refused when it cannot be gone on with.
fn actor(options: &RlOptions, data: &Demonstrations) -> Result<Option<RlSettings>> {
    let last = options.out.join(state::LAST);
    if !last.exists() {
        return Ok(None);
    }
    let refused = |reason: &str| Err(TrainError::checkpoint(&last, reason));
    if !options.resume {
        return refused("the folder already holds a run; resume it or choose another folder");
    }
    let (record, _) = state::load_weights(&last)?;
    if !is_same(&record.data, &data.files) {
        return refused("it was trained on other data files");
    }
    let settings = options.config.settings();
    match record.rl {
        Some(rl) if rl.critics == settings.critics && rl.weights == settings.weights => {
            Ok(Some(rl))
        }
        _ => refused("its samples were weighed by other settings; choose another folder"),
    }
}

/// What the critics say.
struct Judged {
    /// The weight of every transition.
    weights: Vec<f32>,
    /// Fingerprint of the features that they saw.
    features: String,
}

/// The weight of every transition by critics that are trained first; `None` when it was asked to stop.
fn judge(
    options: &RlOptions,
    checkpoint: &Checkpoint,
    mut critics: Critics,
    data: &mut Demonstrations,
    report: &mut dyn FnMut(&Event<'_>),
    hooks: &RunHooks<'_>,
) -> Result<Option<Judged>> {
    let config = &options.config;
    let threads = parallel::threads(config.run.threads);
    let longest = checkpoint.network.layout().shape().max_positions;
    let path = options.out.join(critics::CRITICS);
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
    let fingerprint = features.fingerprint();
    match &critics.record.features {
        Some(seen) if *seen != fingerprint => {
            return Err(TrainError::checkpoint(&path, OTHER_FEATURES));
        }
        _ => critics.record.features = Some(fingerprint.clone()),
    }
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
    Ok(Some(Judged {
        weights,
        features: fingerprint,
    }))
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
    if !is_same(&record.data, &data.files) {
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
