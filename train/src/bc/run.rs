//! The loop: batches, steps, evaluations, checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use stride_agent::policy::Policy;

use super::begin::{Beginning, begin};
use super::config::{BcConfig, BestBy};
use super::evaluate::{Evaluation, evaluate};
use super::gradient::{GradientPool, LossSums, pieces};
use super::metrics::{Metrics, MetricsFile, SuccessReport};
use super::samples::{Demonstrations, SampleStream, held_out_samples};
use super::scalars::scalars;
use super::state::{self, RunRecord};
use crate::error::{Result, TrainError};
use crate::files::{create_folder, write_atomically};
use crate::model::network::Network;
use crate::optimizer::OptimizerState;
use crate::parallel;
use crate::policy::CandlePolicy;
use crate::report;
use crate::rl::config::RlSettings;
use crate::settings::Settings as _;
use crate::tensorboard::EventFile;
use crate::tokens::{FrameTokenizer, Sample};

/// The vocabulary in the run's folder.
pub const TOKENIZER: &str = "tokenizer.json";
/// The settings in the run's folder.
pub const CONFIG: &str = "config.toml";

/// What to run and where.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Settings.
    pub config: BcConfig,
    /// Transition files.
    pub data: Vec<PathBuf>,
    /// The run's folder.
    pub out: PathBuf,
    /// Go on from the folder's last checkpoint, if it has one.
    pub resume: bool,
    /// A vocabulary to use instead of training one.
    pub tokenizer: Option<PathBuf>,
    /// A checkpoint folder whose weights and vocabulary a fresh run starts from.
    pub init: Option<PathBuf>,
    /// A pretrained network's folder that a fresh run starts from.
    pub backbone: Option<PathBuf>,
    /// How the samples were weighed, for the record.
    pub rl: Option<RlSettings>,
}

/// Plays games with the policy as it is now.
pub type PlayGames<'a> = dyn FnMut(&mut dyn Policy) -> SuccessReport + 'a;

/// What a caller hooks into a run.
pub struct RunHooks<'a> {
    /// Set from outside (a signal) to save and stop.
    pub stop: &'a AtomicBool,
    /// Called with every event.
    pub report: &'a mut dyn FnMut(&Event<'_>),
    /// Plays games every `run.success_every` steps.
    pub play: Option<&'a mut PlayGames<'a>>,
}

/// What happened in a run.
#[derive(Debug)]
pub enum Event<'a> {
    /// Everything is loaded.
    Started(&'a Start),
    /// One more step is done.
    Step {
        /// Steps done.
        step: u64,
        /// Weighted mean loss of the step.
        loss: f64,
    },
    /// A line of metrics.
    Metrics(&'a Metrics),
    /// A checkpoint was written.
    Saved {
        /// Steps done.
        step: u64,
        /// The file.
        path: &'a Path,
    },
}

/// What a run consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// Settings in effect.
    pub config: BcConfig,
    /// Threads in use.
    pub threads: usize,
    /// Weights of the network.
    pub parameters: usize,
    /// Weights that are trained: all, or those of the adapters.
    pub trained: usize,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
    /// Training samples.
    pub samples: usize,
    /// Tokens of the training samples.
    pub tokens: u64,
    /// Samples that were too long.
    pub dropped: usize,
    /// Held-out samples an evaluation looks at.
    pub held_out: usize,
    /// Steps that were already done.
    pub resumed_at: u64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All steps are done.
    Finished,
    /// It was asked to stop; `resume` goes on.
    Stopped {
        /// Steps done.
        step: u64,
    },
}

/// Runs behaviour cloning.
///
/// # Errors
/// When settings, data or checkpoints are refused, a file cannot be written, or the loss diverges.
pub fn run(options: &RunOptions, hooks: &mut RunHooks<'_>) -> Result<Ending> {
    options.config.validate()?;
    let demonstrations = Demonstrations::read(&options.data, options.config.data.held_out)?;
    run_on(options, &demonstrations, hooks)
}

/// Runs behaviour cloning of demonstrations that are in memory and may be weighed.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    options: &RunOptions,
    demonstrations: &Demonstrations,
    hooks: &mut RunHooks<'_>,
) -> Result<Ending> {
    let config = &options.config;
    config.validate()?;
    create_folder(&options.out)?;
    let Beginning {
        tokenizer,
        network,
        state,
        mut record,
    } = begin(options, demonstrations)?;
    record.config = config.clone();
    record.rl.clone_from(&options.rl);
    write_atomically(&options.out.join(CONFIG), config.to_toml().as_bytes())?;
    let longest = config.model.max_positions;
    let (mut stream, dropped) = SampleStream::new(
        &tokenizer,
        &demonstrations.training,
        longest,
        config.run.seed,
        config.data.renumber,
    )?;
    if let Some(weights) = &demonstrations.weights {
        stream.weigh(weights)?;
    }
    stream.seek(record.position);
    let held_out = held_out_samples(
        &tokenizer,
        &demonstrations.held_out,
        longest,
        config.run.eval_samples,
    )?;
    let threads = parallel::threads(config.run.threads);
    (hooks.report)(&Event::Started(&Start {
        config: config.clone(),
        threads,
        parameters: network.layout().total(),
        trained: network.trained(),
        vocab_size: record.vocab_size,
        samples: stream.len(),
        tokens: stream.tokens(),
        dropped,
        held_out: held_out.len(),
        resumed_at: record.step,
    }));
    let metrics = MetricsFile::open(&options.out, record.step)?;
    let events = EventFile::open(&options.out, record.step)?;
    Run {
        options,
        threads,
        tokenizer: &tokenizer,
        network,
        held_out,
        state,
        record,
        metrics,
        events,
    }
    .go(&mut stream, hooks)
}

struct Run<'a> {
    options: &'a RunOptions,
    threads: usize,
    tokenizer: &'a Arc<FrameTokenizer>,
    network: Network,
    held_out: Vec<Sample>,
    state: OptimizerState,
    record: RunRecord,
    metrics: MetricsFile,
    events: EventFile,
}

/// Sums since the last line of metrics.
struct Window {
    sums: LossSums,
    tokens: u64,
    since: Instant,
}

impl Window {
    fn new() -> Self {
        Self {
            sums: LossSums::default(),
            tokens: 0,
            since: Instant::now(),
        }
    }
}

impl Run<'_> {
    fn go(mut self, stream: &mut SampleStream<'_>, hooks: &mut RunHooks<'_>) -> Result<Ending> {
        let config = self.options.config.clone();
        let decayed = self.network.decayed();
        let mut gradients = GradientPool::new(self.threads);
        if self.record.step == 0 && config.run.best_by == BestBy::Success {
            self.play(hooks)?;
        }
        let mut window = Window::new();
        while self.record.step < config.run.steps {
            let batch = pieces(
                &stream.next_batch(config.run.batch_tokens)?,
                config.run.micro_tokens,
                &config.loss.weights(self.record.step),
            );
            let leaves = self.network.weights(&self.state.weights)?;
            let leaves = leaves.in_training(config.run.seed, self.record.step);
            let (gradient, sums) = gradients.gradient(&self.network, &leaves, &batch)?;
            let loss = sums.loss();
            if !loss.is_finite() {
                return Err(TrainError::Diverged {
                    step: self.record.step,
                    loss,
                });
            }
            let lr = config
                .optimizer
                .learning_rate(self.record.step, config.run.steps);
            let norm = self.state.step_on(
                self.threads,
                &config.optimizer,
                self.record.step,
                lr,
                &gradient,
                &decayed,
            );
            let tokens: u64 = batch.iter().map(|piece| piece.len() as u64).sum();
            self.record.step += 1;
            self.record.tokens += tokens;
            self.record.position = stream.position();
            window.sums.add(&sums);
            window.tokens += tokens;
            let step = self.record.step;
            (hooks.report)(&Event::Step { step, loss });
            if step.is_multiple_of(config.run.log_every) || step == config.run.steps {
                self.log(&window, lr, norm, hooks)?;
                window = Window::new();
            }
            let paused = Instant::now();
            if step.is_multiple_of(config.run.eval_every) || step == config.run.steps {
                self.evaluate(hooks)?;
            }
            if config.run.success_every > 0
                && (step.is_multiple_of(config.run.success_every) || step == config.run.steps)
            {
                self.play(hooks)?;
            }
            let stop = hooks.stop.load(Ordering::Relaxed);
            if stop || step.is_multiple_of(config.run.save_every) || step == config.run.steps {
                self.save(hooks)?;
            }
            window.since += paused.elapsed();
            if stop && step < config.run.steps {
                return Ok(Ending::Stopped { step });
            }
        }
        Ok(Ending::Finished)
    }

    fn log(&mut self, window: &Window, lr: f64, norm: f64, hooks: &mut RunHooks<'_>) -> Result<()> {
        self.record.loss = Some(window.sums.loss());
        let seconds = window.since.elapsed().as_secs_f64();
        self.emit(
            &Metrics::Train {
                step: self.record.step,
                tokens: self.record.tokens,
                epoch: self.record.position.epoch,
                lr,
                loss: window.sums.loss(),
                nll: window.sums.levels(),
                frame: window.sums.frame(),
                gradient_norm: norm,
                tokens_per_second: window.tokens as f64 / seconds.max(1e-9),
            },
            hooks,
        )
    }

    fn evaluate(&mut self, hooks: &mut RunHooks<'_>) -> Result<()> {
        let config = &self.options.config.run;
        let evaluation: Evaluation = evaluate(
            &self.network,
            self.state.best_guess(),
            &self.held_out,
            config.micro_tokens,
            self.threads,
        )?;
        let score = evaluation.score();
        self.record.evaluation = Some(evaluation.clone());
        let best = config.best_by == BestBy::Exact && self.keep_if_best(score)?;
        let step = self.record.step;
        self.emit(
            &Metrics::Eval {
                step,
                evaluation,
                best,
            },
            hooks,
        )
    }

    /// Writes the weights when their score is the best so far.
    fn keep_if_best(&mut self, score: Option<f64>) -> Result<bool> {
        let best = score.is_some_and(|score| self.record.best.is_none_or(|best| score > best));
        if best {
            self.record.best = score;
            let path = self.options.out.join(state::BEST);
            state::save_weights(&path, &self.record, self.state.best_guess())?;
        }
        Ok(best)
    }

    fn play(&mut self, hooks: &mut RunHooks<'_>) -> Result<()> {
        let Some(play) = &mut hooks.play else {
            return Ok(());
        };
        let (network, weights) = self.network.merged(self.state.best_guess())?;
        let mut policy = CandlePolicy::new(Arc::clone(self.tokenizer), network, weights);
        let report = play(&mut policy);
        let best = self.options.config.run.best_by == BestBy::Success
            && self.keep_if_best(Some(report.score))?;
        let step = self.record.step;
        self.emit(&Metrics::Success { step, report, best }, hooks)
    }

    fn emit(&mut self, metrics: &Metrics, hooks: &mut RunHooks<'_>) -> Result<()> {
        self.metrics.write(metrics)?;
        self.events.write(metrics.step(), scalars(metrics))?;
        (hooks.report)(&Event::Metrics(metrics));
        Ok(())
    }

    fn save(&mut self, hooks: &mut RunHooks<'_>) -> Result<()> {
        let folder = &self.options.out;
        let path = folder.join(state::LAST);
        state::save(&path, &self.record, &self.state)?;
        report::run::write(folder, &self.record)?;
        (hooks.report)(&Event::Saved {
            step: self.record.step,
            path: &path,
        });
        Ok(())
    }
}
