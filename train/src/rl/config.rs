//! Settings of the second stage, as TOML.

use serde::{Deserialize, Serialize};

use crate::bc::config::{BcConfig, DataConfig, LossConfig, RunConfig, TokenizerConfig};
use crate::error::{Result, TrainError};
use crate::model::shape::ModelShape;
use crate::optimizer::OptimizerConfig;
use crate::settings::{Settings, positive, ranged};

/// All settings. Every field has a default; unknown fields are refused. The network's sizes are those of the checkpoint.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RlConfig {
    /// The actor: how long, how much at once, how often to look.
    pub run: RunConfig,
    /// What is learnt from.
    pub data: DataConfig,
    /// Weights of the actor's loss, beside the advantages.
    pub loss: LossConfig,
    /// The actor's optimizer.
    pub optimizer: OptimizerConfig,
    /// The critics.
    pub critics: CriticConfig,
    /// From advantages to weights.
    pub weights: WeightConfig,
}

/// The largest `critics.hidden`.
pub(super) const WIDEST: usize = 65_536;

/// What distinguishes the second stage from the first, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RlSettings {
    /// The critics.
    pub critics: CriticConfig,
    /// From advantages to weights.
    pub weights: WeightConfig,
    /// Fingerprint of the features that the critics saw: of checkpoint, data and what was held out of them. `None` without critics.
    #[serde(default)]
    pub features: Option<String>,
}

/// The critics and their training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CriticConfig {
    /// Optimizer steps; all of them come before the actor's first. Default 3000.
    pub steps: u64,
    /// Transitions of each level in one step. Default 256.
    pub batch: usize,
    /// Learning rate, constant. Default 3e-4.
    pub lr: f64,
    /// Decoupled weight decay. Default 0.01.
    pub weight_decay: f64,
    /// Discount γ of one step. Default 0.99.
    pub gamma: f64,
    /// The high level discounts by γ to the number of actions that its subtask took, instead of by γ. Default true.
    pub semi_markov: bool,
    /// Expectile τ of V: above one half, what turned out better than V counts more. Default 0.8.
    pub expectile: f64,
    /// Share of the critics that their target copies take over after each step; more at first, 9/(s + 10) after step s (from 0).
    /// Default 0.005.
    pub polyak: f64,
    /// Two Q of each level, of which the smaller counts. Default true.
    pub twin: bool,
    /// Width of the critics; 0 takes the policy's. Default 0.
    pub hidden: usize,
    /// Steps between lines of the metrics. Default 100.
    pub log_every: u64,
    /// Steps between checkpoints. Default 500.
    pub save_every: u64,
}

impl Default for CriticConfig {
    fn default() -> Self {
        Self {
            steps: 3000,
            batch: 256,
            lr: 3e-4,
            weight_decay: 0.01,
            gamma: 0.99,
            semi_markov: true,
            expectile: 0.8,
            polyak: 0.005,
            twin: true,
            hidden: 0,
            log_every: 100,
            save_every: 500,
        }
    }
}

/// How transitions of an expert or a policy are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighing {
    /// By the advantage that the critics give them.
    #[default]
    Advantage,
    /// What was said in won episodes counts 1, in others 0: success-filtered cloning. No critics.
    Success,
    /// Everything that was said counts 1: cloning of the same data. No critics.
    Uniform,
}

/// From advantages to weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WeightConfig {
    /// `advantage`, or one of the baselines `success` and `uniform`. Default `advantage`.
    pub by: Weighing,
    /// β in exp(β·A). Default 3.
    pub beta: f64,
    /// The largest exp(β·A). Default 20.
    pub clip: f64,
    /// Divide the weights of each level by their mean, so that the anchor keeps its share. Default true.
    pub normalise: bool,
    /// Weight of plain cloning of what the expert said: added to the advantage's weight of an expert's own transitions, and with
    /// every `by` the whole weight of those that it labelled, whose rewards belong to another action. Default 1.
    pub anchor: f64,
    /// Share of the labelled transitions that is used. Default 1.
    pub anchor_share: f64,
}

impl Default for WeightConfig {
    fn default() -> Self {
        Self {
            by: Weighing::Advantage,
            beta: 3.0,
            clip: 20.0,
            normalise: true,
            anchor: 1.0,
            anchor_share: 1.0,
        }
    }
}

impl CriticConfig {
    /// The discount of a transition that spans `span` actions. Only the high level's do span several.
    #[must_use]
    pub fn discount(&self, span: u32) -> f64 {
        if self.semi_markov {
            self.gamma.powf(f64::from(span.max(1)))
        } else {
            self.gamma
        }
    }

    /// The optimizer of a level's critics. Its average of weights is their target copy.
    #[must_use]
    pub fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig {
            lr: self.lr,
            warmup_steps: 0,
            final_lr_share: 1.0,
            beta2: 0.999,
            weight_decay: self.weight_decay,
            ema_decay: 1.0 - self.polyak,
            ..OptimizerConfig::default()
        }
    }
}

impl Settings for RlConfig {}

impl RlConfig {
    /// The actor's part as settings of weighted cloning, for a network of this shape.
    #[must_use]
    pub fn cloning(&self, shape: &ModelShape) -> BcConfig {
        BcConfig {
            run: self.run.clone(),
            model: shape.clone(),
            tokenizer: TokenizerConfig::default(),
            data: self.data.clone(),
            loss: self.loss.clone(),
            optimizer: self.optimizer.clone(),
            lora: None,
        }
    }

    /// What is recorded beside the settings of the cloning.
    #[must_use]
    pub fn settings(&self) -> RlSettings {
        RlSettings {
            critics: self.critics.clone(),
            weights: self.weights.clone(),
            features: None,
        }
    }

    /// Refuses impossible settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.cloning(&ModelShape::default()).validate()?;
        let (critics, weights) = (&self.critics, &self.weights);
        for (field, value) in [
            ("critics.steps", critics.steps),
            ("critics.batch", critics.batch as u64),
            ("critics.log_every", critics.log_every),
            ("critics.save_every", critics.save_every),
        ] {
            positive(field, value)?;
        }
        if critics.hidden > WIDEST {
            return Err(TrainError::Config {
                field: "critics.hidden",
                reason: format!("{} is more than {WIDEST}", critics.hidden),
            });
        }
        for (field, value, low, high) in [
            ("critics.lr", critics.lr, 0.0, 1.0),
            ("critics.weight_decay", critics.weight_decay, 0.0, 10.0),
            ("critics.gamma", critics.gamma, 0.0, 1.0),
            // Below one half V would be a pessimistic, lower expectile: the sign that released code has wrong.
            ("critics.expectile", critics.expectile, 0.5, 0.999),
            ("critics.polyak", critics.polyak, 1e-6, 0.999_999),
            ("weights.beta", weights.beta, 0.0, 1000.0),
            ("weights.clip", weights.clip, 1.0, 1e6),
            ("weights.anchor", weights.anchor, 0.0, 1000.0),
            ("weights.anchor_share", weights.anchor_share, 0.0, 1.0),
        ] {
            ranged(field, value, low, high)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_survive_toml() {
        let config = RlConfig::default();
        config.validate().unwrap();
        let read: RlConfig = toml::from_str(&config.to_toml()).unwrap();
        assert_eq!(read, config);
    }

    #[test]
    fn a_lower_expectile_is_refused() {
        let mut config = RlConfig::default();
        config.critics.expectile = 0.05;
        let error = config.validate().unwrap_err().to_string();
        assert!(error.contains("critics.expectile"), "{error}");
    }

    #[test]
    fn the_discount_counts_the_actions_of_a_subtask() {
        let mut config = CriticConfig {
            gamma: 0.9,
            ..CriticConfig::default()
        };
        assert!((config.discount(3) - 0.729).abs() < 1e-12);
        assert!((config.discount(1) - 0.9).abs() < 1e-12);
        config.semi_markov = false;
        assert!((config.discount(3) - 0.9).abs() < 1e-12);
    }
}
