//! What a network looks like, from `config.json` or from the metadata of a GGUF: the two are read apart, so that a key
//! that was written wrong shows as another network.

use super::ForwardError;
use crate::architecture::{ALL, Architecture, RowOrder};
use crate::gguf::{Metadata, Value};
use crate::source::ModelConfig;

/// Architectures, by their name in a GGUF, that the pass computes.
const KNOWN: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// Which two components of a head turn together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// `j` and `j + d / 2`, as transformers keeps them.
    Halves,
    /// `2 j` and `2 j + 1`, as llama.cpp's Llama keeps them.
    Pairs,
}

/// Sizes and constants of a decoder of the Llama family.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// Name of the architecture in a GGUF.
    pub architecture: &'static str,
    /// Width of the residual stream.
    pub hidden: usize,
    /// Width of the feed-forward layers.
    pub intermediate: usize,
    /// Number of layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Positions that were trained.
    pub context: usize,
    /// Epsilon of the norms.
    pub rms_eps: f32,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// How heads turn.
    pub rotation: Rotation,
    /// Positions that attention reaches back, where it is limited.
    pub window: Option<usize>,
}

impl Network {
    /// The network that transformers makes of a configuration.
    ///
    /// # Errors
    ///
    /// When the architecture, or its scaling of positions, is not computed here.
    pub fn of_config(config: &ModelConfig) -> Result<Self, ForwardError> {
        let architecture = known(config.architecture.name)?;
        if let Some(kind) = config.scaling.kind() {
            return Err(ForwardError::Setting {
                key: "rope_scaling".into(),
                problem: format!("is {kind:?}"),
            });
        }
        Ok(Self {
            architecture,
            hidden: config.hidden,
            intermediate: config.intermediate,
            layers: config.layers,
            heads: config.heads,
            kv_heads: config.kv_heads,
            head_dim: config.head_dim,
            context: config.context,
            rms_eps: config.rms_eps,
            rope_theta: config.rope_theta,
            rotation: Rotation::Halves,
            window: config.window,
        })
    }

    /// The network that llama.cpp makes of the metadata of a GGUF.
    ///
    /// # Errors
    ///
    /// When the architecture or a setting is not computed here, or a number is absent or out of bounds.
    pub fn of_metadata(metadata: &Metadata) -> Result<Self, ForwardError> {
        let name = metadata.text("general.architecture").unwrap_or_default();
        let architecture = known(name)?;
        let keys = Keys {
            metadata,
            architecture,
        };
        keys.refuse_scaling()?;
        let heads = keys.size("attention.head_count", None, 1 << 10)?;
        let kv_heads = keys.size("attention.head_count_kv", Some(heads), 1 << 10)?;
        let hidden = keys.size("embedding_length", None, 1 << 20)?;
        let head_dim = keys.size("attention.key_length", Some(hidden / heads), 1 << 12)?;
        let check = |key: &str, number: usize, good: bool, problem: &str| {
            if good {
                Ok(())
            } else {
                Err(keys.refuse(key, format!("is {number}, {problem}")))
            }
        };
        check(
            "attention.head_count_kv",
            kv_heads,
            heads.is_multiple_of(kv_heads),
            "which does not divide attention.head_count",
        )?;
        check(
            "attention.key_length",
            head_dim,
            head_dim.is_multiple_of(2),
            "and rotary positions need an even width",
        )?;
        for key in ["attention.value_length", "rope.dimension_count"] {
            let width = keys.size(key, Some(head_dim), 1 << 12)?;
            check(
                key,
                width,
                width == head_dim,
                "and only the width of a whole head is computed",
            )?;
        }
        Ok(Self {
            architecture,
            hidden,
            intermediate: keys.size("feed_forward_length", None, 1 << 20)?,
            layers: keys.size("block_count", None, 1 << 10)?,
            heads,
            kv_heads,
            head_dim,
            context: keys.size("context_length", None, 1 << 26)?,
            rms_eps: keys.real("attention.layer_norm_rms_epsilon", None, 1e-12, 1.0)?,
            rope_theta: keys.real("rope.freq_base", Some(10_000.0), 1.0, 1e12)?,
            rotation: rotation(architecture),
            // llama.cpp reads no window for these architectures and attends to everything.
            window: None,
        })
    }

    /// Width of all query heads.
    #[must_use]
    pub const fn queries(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Width of all key heads.
    #[must_use]
    pub const fn key_values(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

fn known(name: &str) -> Result<&'static str, ForwardError> {
    KNOWN
        .into_iter()
        .find(|&other| other == name)
        .ok_or_else(|| ForwardError::Architecture(name.chars().take(64).collect()))
}

/// llama.cpp turns neighbours where the table reorders the rows of the queries, and halves elsewhere.
fn rotation(architecture: &str) -> Rotation {
    let paired = |other: &Architecture| {
        other.name == architecture
            && other
                .layer
                .iter()
                .any(|rule| rule.order == RowOrder::Interleaved)
    };
    if ALL.into_iter().any(paired) {
        Rotation::Pairs
    } else {
        Rotation::Halves
    }
}

/// The hyperparameters of one architecture.
struct Keys<'a> {
    metadata: &'a Metadata,
    architecture: &'static str,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    fn refuse(&self, name: &str, problem: String) -> ForwardError {
        ForwardError::Hyperparameter {
            key: self.key(name),
            problem,
        }
    }

    fn size(&self, name: &str, default: Option<usize>, most: usize) -> Result<usize, ForwardError> {
        let key = self.key(name);
        let found = match self.metadata.get(&key) {
            None => default,
            Some(_) => self
                .metadata
                .unsigned(&key)
                .and_then(|number| usize::try_from(number).ok()),
        };
        match found {
            Some(size) if (1..=most).contains(&size) => Ok(size),
            Some(size) => Err(self.refuse(name, format!("is {size}; 1 to {most} are allowed"))),
            None => Err(self.refuse(name, "is absent, or no whole number".into())),
        }
    }

    fn real(
        &self,
        name: &str,
        default: Option<f32>,
        least: f32,
        most: f32,
    ) -> Result<f32, ForwardError> {
        let found = match self.metadata.get(&self.key(name)) {
            None => default,
            Some(Value::F32(number)) => Some(*number),
            Some(_) => None,
        };
        match found {
            Some(number) if (least..=most).contains(&number) => Ok(number),
            Some(number) => {
                let problem = format!("is {number}; {least} to {most} are allowed");
                Err(self.refuse(name, problem))
            }
            None => Err(self.refuse(name, "is absent, or no 32-bit real".into())),
        }
    }

    fn refuse_scaling(&self) -> Result<(), ForwardError> {
        let key = self.key("rope.scaling.type");
        if let Some(kind) = self.metadata.text(&key).filter(|&kind| kind != "none") {
            let problem = format!("is {kind:?}");
            return Err(ForwardError::Setting { key, problem });
        }
        // llama.cpp takes a factor without a kind for a linear one; the second key is its older name.
        for name in ["rope.scaling.factor", "rope.scale_linear"] {
            let key = self.key(name);
            let value = self.metadata.get(&key);
            if let Some(value) = value.filter(|&value| *value != Value::F32(1.0)) {
                let problem = format!("is {value:?}");
                return Err(ForwardError::Setting { key, problem });
            }
        }
        Ok(())
    }
}
