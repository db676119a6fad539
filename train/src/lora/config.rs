//! Settings of the adapters.

use serde::{Deserialize, Serialize};

use crate::error::{Result, TrainError};

/// A matrix of every block that may have an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the Hugging Face names say it all")]
pub enum Target {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl Target {
    /// All of them, in the order in which they lie in a block.
    pub const ALL: [Self; 7] = [
        Self::QProj,
        Self::KProj,
        Self::VProj,
        Self::OProj,
        Self::GateProj,
        Self::UpProj,
        Self::DownProj,
    ];

    /// The name of the module in PEFT's settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }

    /// The module inside a block.
    #[must_use]
    pub fn module(self) -> String {
        let part = match self {
            Self::QProj | Self::KProj | Self::VProj | Self::OProj => "self_attn",
            Self::GateProj | Self::UpProj | Self::DownProj => "mlp",
        };
        format!("{part}.{}", self.name())
    }
}

/// Settings of the adapters, `[lora]` in a configuration file. A run has them where that table stands, even an empty one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of every pair. Default 16.
    pub r: usize,
    /// A pair's product is multiplied by `alpha / r`. Default 32.
    pub alpha: f64,
    /// Share of a pair's inputs that a step leaves out. Default 0. Pairs that read the same input (q, k and v; gate and up)
    /// leave out the same.
    pub dropout: f64,
    /// The matrices with adapters. Default all: `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`, `down_proj`.
    pub targets: Vec<Target>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        Self {
            r: 16,
            alpha: 32.0,
            dropout: 0.0,
            targets: Target::ALL.to_vec(),
        }
    }
}

impl LoraConfig {
    /// What a pair's product is multiplied by.
    #[must_use]
    pub fn scale(&self) -> f32 {
        (self.alpha / self.r as f64) as f32
    }

    /// Refuses impossible settings.
    ///
    /// # Errors
    /// Names the first setting that is out of range.
    pub fn validate(&self) -> Result<()> {
        let refuse = |field, reason: String| Err(TrainError::Config { field, reason });
        if !(1..=1024).contains(&self.r) {
            return refuse("lora.r", format!("must be 1 to 1024, got {}", self.r));
        }
        if !self.alpha.is_finite() || self.alpha == 0.0 || self.alpha.abs() > 1e6 {
            return refuse(
                "lora.alpha",
                format!("must be a number other than 0, got {}", self.alpha),
            );
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return refuse(
                "lora.dropout",
                format!("must be at least 0 and below 1, got {}", self.dropout),
            );
        }
        if self.targets.is_empty() {
            return refuse("lora.targets", "names no matrix".into());
        }
        Ok(())
    }
}
