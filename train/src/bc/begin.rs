//! What a run begins with, and what it leaves: the network with its weights out of a folder, and into one.

use std::path::Path;
use std::sync::Arc;

use stride_firmware_config::frame::Marker;

use super::config::BcConfig;
use super::run::{RunOptions, TOKENIZER};
use super::samples::Demonstrations;
use super::state::{self, RunRecord};
use crate::backbone::Backbone;
use crate::checkpoint::Checkpoint;
use crate::data;
use crate::error::{Result, TrainError};
use crate::files::write_atomically;
use crate::lora::layout::AdapterLayout;
use crate::lora::peft;
use crate::model::network::Network;
use crate::model::parameters::ParameterLayout;
use crate::model::shape::ModelShape;
use crate::optimizer::OptimizerState;
use crate::tensors;
use crate::tokenizer;
use crate::tokens::FrameTokenizer;

/// The frozen network in the folder of a run that trains adapters: a checkpoint folder.
pub const BASE: &str = "base";

/// What a run begins with.
pub(super) struct Beginning {
    pub(super) tokenizer: Arc<FrameTokenizer>,
    pub(super) network: Network,
    pub(super) state: OptimizerState,
    pub(super) record: RunRecord,
}

/// Those of the last checkpoint, of another checkpoint, of a backbone, or fresh ones.
pub(super) fn begin(options: &RunOptions, demonstrations: &Demonstrations) -> Result<Beginning> {
    let config = &options.config;
    let last = options.out.join(state::LAST);
    let beginning = if options.resume && last.exists() {
        resume(options, demonstrations, &last)?
    } else if last.exists() {
        return Err(TrainError::checkpoint(
            &last,
            "the folder already holds a run; resume it or choose another folder",
        ));
    } else {
        fresh(options, demonstrations)?
    };
    let (found, expected) = (beginning.state.weights.len(), beginning.network.trained());
    if found != expected {
        return Err(TrainError::checkpoint(
            &options.out,
            format!("it holds {found} weights, the settings make {expected}"),
        ));
    }
    Ok(Beginning {
        network: beginning.network.recomputing(config.run.recompute),
        ..beginning
    })
}

fn resume(options: &RunOptions, demonstrations: &Demonstrations, last: &Path) -> Result<Beginning> {
    let config = &options.config;
    let (record, state) = state::load(last)?;
    if !data::is_same(&record.data, &demonstrations.files) {
        return Err(TrainError::checkpoint(
            last,
            "it was trained on other data files; start a new run with --init instead",
        ));
    }
    if record.config.lora != config.lora {
        return Err(TrainError::checkpoint(
            last,
            "its adapters have other settings (lora); start a new run instead",
        ));
    }
    if config
        .data
        .completed
        .is_some_and(|completed| completed != record.completed)
    {
        return Err(TrainError::checkpoint(
            last,
            format!(
                "its policy reads {} issued subtasks (data.completed); start a new run with --init instead",
                record.completed
            ),
        ));
    }
    let tokenizer =
        FrameTokenizer::from_file(&options.out.join(TOKENIZER))?.reading(record.completed);
    Ok(Beginning {
        tokenizer: Arc::new(tokenizer),
        network: network(&options.out, config, &record)?,
        state,
        record,
    })
}

/// The network of a run in `folder`, with its frozen weights where it trains adapters.
fn network(folder: &Path, config: &BcConfig, record: &RunRecord) -> Result<Network> {
    if config.lora.is_none() {
        let layout = ParameterLayout::new(&config.model, record.vocab_size);
        return Ok(Network::new(layout));
    }
    let base = folder.join(BASE);
    let weights = base.join(tensors::WHOLE);
    if record.base.as_ref() != Some(&data::sha256(&weights)?) {
        return Err(TrainError::checkpoint(
            &weights,
            "it is not the file that the adapters were trained beside",
        ));
    }
    adapted(config, &Checkpoint::load(&base)?)
}

/// The network of a checkpoint, frozen, with adapters.
fn adapted(config: &BcConfig, base: &Checkpoint) -> Result<Network> {
    let Some(lora) = &config.lora else {
        return Ok(base.network.clone());
    };
    let layout = base.network.layout().clone();
    let tokens = Marker::ALL.map(|marker| base.tokenizer.marker(marker));
    let adapters = AdapterLayout::new(layout.shape(), lora, tokens.to_vec());
    Network::adapted(layout, &base.weights, adapters)
}

fn fresh(options: &RunOptions, demonstrations: &Demonstrations) -> Result<Beginning> {
    let config = &options.config;
    let from_scratch = |tokenizer: FrameTokenizer| {
        let layout = ParameterLayout::new(&config.model, tokenizer.vocab_size());
        Checkpoint {
            weights: layout.initialize(config.run.seed),
            network: Network::new(layout),
            tokenizer,
        }
    };
    let start = match (&options.backbone, &options.init, &options.tokenizer) {
        (Some(folder), ..) => {
            let backbone = Backbone::load(folder, config.model.max_positions)?;
            Checkpoint {
                network: Network::new(backbone.layout),
                weights: backbone.weights,
                tokenizer: backbone.tokenizer,
            }
        }
        (None, Some(folder), _) => Checkpoint::load(folder)?,
        (None, None, _) if config.lora.is_some() => {
            return Err(TrainError::Config {
                field: "lora",
                reason: "adapters need a network to stand beside: --backbone or --init".into(),
            });
        }
        (None, None, Some(path)) => from_scratch(FrameTokenizer::from_file(path)?),
        (None, None, None) => {
            let trained = tokenizer::train(&demonstrations.training, config.tokenizer.vocab_size)?;
            from_scratch(FrameTokenizer::new(trained)?)
        }
    };
    let start = match config.data.completed {
        Some(completed) => start.reading(completed),
        None => start,
    };
    let layout = start.network.layout();
    if layout.shape() != &config.model {
        return Err(TrainError::Config {
            field: "model",
            reason: "its sizes are not those of the network to start from; leave the table out"
                .into(),
        });
    }
    write_atomically(
        &options.out.join(TOKENIZER),
        start.tokenizer.to_json()?.as_bytes(),
    )?;
    let vocab_size = layout.vocab_size();
    let mut record = RunRecord::new(config.clone(), vocab_size, demonstrations.files.clone());
    record.completed = start.tokenizer.completed();
    let network = adapted(config, &start)?;
    let weights = if config.lora.is_some() {
        let base = options.out.join(BASE);
        start.save(&base, &record)?;
        record.base = Some(data::sha256(&base.join(tensors::WHOLE))?);
        network.begin_adapters(config.run.seed)?
    } else {
        start.weights
    };
    Ok(Beginning {
        tokenizer: Arc::new(start.tokenizer),
        network,
        state: OptimizerState::new(weights, &config.optimizer),
        record,
    })
}

/// Sizes of the network in a checkpoint folder.
///
/// # Errors
/// When the folder does not hold a checkpoint.
pub fn checkpoint_shape(folder: &Path) -> Result<ModelShape> {
    Ok(Checkpoint::load(folder)?.network.layout().shape().clone())
}

/// A run's weights: those with the best held-out score, or the last ones.
struct Finished {
    record: RunRecord,
    network: Network,
    weights: Vec<f32>,
}

impl Finished {
    fn read(run: &Path, last: bool) -> Result<Self> {
        let file = run.join(if last { state::LAST } else { state::BEST });
        let (record, weights) = state::load_weights(&file)?;
        let network = network(run, &record.config, &record)?;
        if network.trained() != weights.len() {
            return Err(TrainError::checkpoint(
                &file,
                format!(
                    "it holds {} weights, its settings make {}",
                    weights.len(),
                    network.trained()
                ),
            ));
        }
        Ok(Self {
            record,
            network,
            weights,
        })
    }
}

/// Turns a run's weights into a checkpoint folder: those with the best held-out score, or the last ones. Adapters are merged into
/// their base.
///
/// # Errors
/// When the run's folder does not hold them or the checkpoint cannot be written.
pub fn export(run: &Path, last: bool, out: &Path) -> Result<RunRecord> {
    let finished = Finished::read(run, last)?;
    let (network, weights) = finished.network.merged(&finished.weights)?;
    let checkpoint = Checkpoint {
        network,
        weights,
        tokenizer: FrameTokenizer::from_file(&run.join(TOKENIZER))?
            .reading(finished.record.completed),
    };
    checkpoint.save(out, &finished.record)?;
    Ok(finished.record)
}

/// Turns a run's adapters into a folder in PEFT's form. Their base is [`BASE`] in the run's folder.
///
/// # Errors
/// When the run trained no adapters, its folder does not hold them, or they cannot be written.
pub fn export_adapter(run: &Path, last: bool, out: &Path) -> Result<RunRecord> {
    let finished = Finished::read(run, last)?;
    let (Some(layout), Some(config)) = (finished.network.adapters(), &finished.record.config.lora)
    else {
        return Err(TrainError::checkpoint(
            run,
            "it trained a whole network, not adapters; export it without --adapter",
        ));
    };
    peft::write(out, layout, config, &finished.weights)?;
    Ok(finished.record)
}
