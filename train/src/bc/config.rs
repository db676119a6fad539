//! Settings of a behaviour-cloning run, as TOML.

use serde::{Deserialize, Serialize};
use stride_firmware_config::capacity;

use crate::error::{Result, TrainError};
use crate::lora::config::LoraConfig;
use crate::model::packed::LossWeights;
use crate::model::shape::ModelShape;
use crate::optimizer::OptimizerConfig;
use crate::settings::{Settings, positive, ranged};

/// All settings. Every field has a default; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BcConfig {
    /// How long, how much at once, how often to look.
    pub run: RunConfig,
    /// Sizes of the network.
    pub model: ModelShape,
    /// The vocabulary.
    pub tokenizer: TokenizerConfig,
    /// What is learnt from.
    pub data: DataConfig,
    /// Weights of the loss.
    pub loss: LossConfig,
    /// The optimizer and its schedule.
    pub optimizer: OptimizerConfig,
    /// Adapters beside frozen weights; without, the whole network is trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraConfig>,
}

/// How long, how much at once, how often to look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Seed of the weights, the order of samples and their renumbering. Default 0.
    pub seed: u64,
    /// Optimizer steps. Default 4000.
    pub steps: u64,
    /// Tokens of one optimizer step. Default 8192.
    pub batch_tokens: usize,
    /// Tokens that one thread handles at once; a batch is cut into pieces of about this size, whose gradients are
    /// accumulated in a fixed order. Bounds the memory; the result does not depend on the number of threads.
    /// Default 1024.
    pub micro_tokens: usize,
    /// Keep of every block's activations only its input and compute the rest again for the gradient (gradient checkpointing): the same
    /// numbers for less memory and one more forward pass. Default false.
    pub recompute: bool,
    /// Threads; 0 takes one per core. Default 0.
    pub threads: usize,
    /// Steps between lines of the metrics. Default 20.
    pub log_every: u64,
    /// Steps between evaluations on the held-out games. Default 500.
    pub eval_every: u64,
    /// Held-out samples of each level that an evaluation looks at. Default 400.
    pub eval_samples: usize,
    /// Steps between games played in the loop, where the caller has wired worlds; 0 never. Default 0.
    pub success_every: u64,
    /// Steps between checkpoints. Default 200.
    pub save_every: u64,
    /// What the best weights are chosen by: `exact` or `success`. Default `exact`.
    pub best_by: BestBy,
}

/// What the best weights of a run are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BestBy {
    /// The share of held-out utterances that are met exactly: right where the held-out utterances are an expert's.
    #[default]
    Exact,
    /// The mean score of held-out training games, played by the policy: right where utterances may be better or worse.
    /// The weights that a run starts from are played too, so that what it keeps is never worse than they.
    Success,
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            steps: 4000,
            batch_tokens: 8192,
            micro_tokens: 1024,
            recompute: false,
            threads: 0,
            log_every: 20,
            eval_every: 500,
            eval_samples: 400,
            success_every: 0,
            save_every: 200,
            best_by: BestBy::Exact,
        }
    }
}

/// The vocabulary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerConfig {
    /// Tokens at most, when a vocabulary is trained for the run. Default 1536.
    pub vocab_size: usize,
}

impl Default for TokenizerConfig {
    fn default() -> Self {
        Self { vocab_size: 1536 }
    }
}

/// What is learnt from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// Share of games held out. Default 0.02.
    pub held_out: f64,
    /// Objects of a sample get other numbers every time it is seen, so that they must be copied. Default false.
    pub renumber: bool,
    /// Issued subtasks that the policy reads by name; older ones it is told the number of. A short list keeps the frames of late steps as
    /// short as those of early ones. Default: as many as the network that the run starts from, or all 8 that an agent remembers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed: Option<usize>,
}

impl Default for DataConfig {
    fn default() -> Self {
        Self {
            held_out: 0.02,
            renumber: false,
            completed: None,
        }
    }
}

impl DataConfig {
    /// Refuses impossible settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn validate(&self) -> Result<()> {
        ranged("data.held_out", self.held_out, 0.0, 0.9)?;
        match self.completed {
            Some(number) if !(1..=capacity::COMPLETED).contains(&number) => {
                Err(TrainError::Config {
                    field: "data.completed",
                    reason: format!("{number} is not between 1 and {}", capacity::COMPLETED),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Weights of the loss: the mean over all tokens, weighted by these.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// A token of the frame, beside 1 for a token of the utterance; 0 leaves frames out. Default 0.1.
    pub frame: f32,
    /// The high level. Default 1.
    pub high: f32,
    /// The low level. Default 1.
    pub low: f32,
    /// The progress level. Default 1.
    pub progress: f32,
    /// The high level is learnt in every so-manieth step only, from the first on; its samples of other steps are passed over.
    /// Default 1. The released code of the method takes 4.
    pub high_every: u64,
    /// The same for the low level. Default 1.
    pub low_every: u64,
    /// The same for the progress level. Default 1.
    pub progress_every: u64,
}

impl Default for LossConfig {
    fn default() -> Self {
        Self {
            frame: 0.1,
            high: 1.0,
            low: 1.0,
            progress: 1.0,
            high_every: 1,
            low_every: 1,
            progress_every: 1,
        }
    }
}

impl LossConfig {
    /// The weights of a step (from 0), as the batches take them: a level whose turn it is not has none.
    #[must_use]
    pub fn weights(&self, step: u64) -> LossWeights {
        let turn = |weight: f32, every: u64| {
            if step.is_multiple_of(every) {
                weight
            } else {
                0.0
            }
        };
        LossWeights {
            frame: self.frame,
            levels: [
                turn(self.high, self.high_every),
                turn(self.low, self.low_every),
                turn(self.progress, self.progress_every),
            ],
        }
    }
}

impl Settings for BcConfig {}

impl BcConfig {
    /// Refuses impossible settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.model.validate()?;
        if let Some(lora) = &self.lora {
            lora.validate()?;
        }
        positive("run.steps", self.run.steps)?;
        positive("run.batch_tokens", self.run.batch_tokens as u64)?;
        positive("run.micro_tokens", self.run.micro_tokens as u64)?;
        positive("run.log_every", self.run.log_every)?;
        positive("run.eval_every", self.run.eval_every)?;
        positive("run.save_every", self.run.save_every)?;
        positive("loss.high_every", self.loss.high_every)?;
        positive("loss.low_every", self.loss.low_every)?;
        positive("loss.progress_every", self.loss.progress_every)?;
        let optimizer = &self.optimizer;
        self.data.validate()?;
        ranged("optimizer.lr", optimizer.lr, 0.0, 1.0)?;
        ranged(
            "optimizer.final_lr_share",
            optimizer.final_lr_share,
            0.0,
            1.0,
        )?;
        ranged("optimizer.beta1", optimizer.beta1, 0.0, 0.999_999)?;
        ranged("optimizer.beta2", optimizer.beta2, 0.0, 0.999_999)?;
        ranged("optimizer.weight_decay", optimizer.weight_decay, 0.0, 10.0)?;
        ranged("optimizer.ema_decay", optimizer.ema_decay, 0.0, 0.999_999)?;
        for (field, weight) in [
            ("loss.frame", self.loss.frame),
            ("loss.high", self.loss.high),
            ("loss.low", self.loss.low),
            ("loss.progress", self.loss.progress),
        ] {
            ranged(field, weight.into(), 0.0, 1000.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_toml() {
        let config = BcConfig::default();
        config.validate().unwrap();
        assert_eq!(
            toml::from_str::<BcConfig>(&config.to_toml()).unwrap(),
            config
        );
    }

    #[test]
    fn a_level_has_weight_when_its_turn_has_come() {
        let loss = LossConfig {
            high: 2.0,
            high_every: 4,
            progress_every: 2,
            ..LossConfig::default()
        };
        let levels: Vec<[f32; 3]> = (0..5).map(|step| loss.weights(step).levels).collect();
        assert_eq!(
            levels,
            [
                [2.0, 1.0, 1.0],
                [0.0, 1.0, 0.0],
                [0.0, 1.0, 1.0],
                [0.0, 1.0, 0.0],
                [2.0, 1.0, 1.0],
            ]
        );
    }

    #[test]
    fn unknown_and_impossible_settings_are_named() {
        let error = toml::from_str::<BcConfig>("[run]\nstep = 3").unwrap_err();
        assert!(error.to_string().contains("step"));
        let mut config = BcConfig::default();
        config.optimizer.lr = -1.0;
        assert!(
            config
                .validate()
                .unwrap_err()
                .to_string()
                .contains("optimizer.lr")
        );
    }
}
