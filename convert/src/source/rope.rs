//! Rotary positions: how `config.json` writes them, and how far llama.cpp can follow.
//!
//! transformers 5 keeps everything under `rope_parameters` (one set, or one for each kind of layer); before that there
//! were `rope_theta`, `rope_scaling`, `rope_local_base_freq` and `partial_rotary_factor`. The formulas are those of
//! transformers' `modeling_rope_utils.py`; ggml's `rope_yarn` and llama.cpp's context say what is left to the file.

use serde::Deserialize;

/// Kinds of scaling that an architecture may allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalingKind {
    /// Every position is divided.
    Linear,
    /// YaRN.
    Yarn,
    /// A factor for each frequency, from Llama 3.1's formula.
    Llama3,
    /// A factor for each frequency, from two lists, for short and for long contexts.
    LongRope,
}

/// Positions beyond those of the first training.
#[derive(Debug, Clone, PartialEq)]
pub enum Scaling {
    /// As they are.
    None,
    /// Every position is divided by the factor.
    Linear {
        /// What positions are divided by.
        factor: f32,
    },
    /// Low frequencies are divided, high ones kept, attention is warmed.
    Yarn {
        /// What positions are divided by.
        factor: f32,
        /// Positions of the first training.
        original: u32,
        /// What llama.cpp multiplies to its own `1 + 0.1 ln(factor)`.
        attention: f32,
    },
    /// Frequencies are divided one by one (`rope_freqs.weight`).
    Llama3 {
        /// For each pair of a head.
        factors: Vec<f32>,
    },
    /// Frequencies are divided one by one, by one of two lists.
    LongRope {
        /// For contexts that are longer than `original`.
        long: Vec<f32>,
        /// For others.
        short: Vec<f32>,
        /// Positions of the first training.
        original: u32,
        /// What rotated queries and keys are multiplied by.
        attention: f32,
    },
}

/// A tensor that is computed from the configuration: its name in the GGUF and its numbers.
pub type ComputedTensor<'a> = (&'static str, &'a [f32]);

impl Scaling {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Option<ScalingKind> {
        match self {
            Self::None => None,
            Self::Linear { .. } => Some(ScalingKind::Linear),
            Self::Yarn { .. } => Some(ScalingKind::Yarn),
            Self::Llama3 { .. } => Some(ScalingKind::Llama3),
            Self::LongRope { .. } => Some(ScalingKind::LongRope),
        }
    }

    /// The tensors that it needs in the file.
    #[must_use]
    pub fn tensors(&self) -> Vec<ComputedTensor<'_>> {
        match self {
            Self::Llama3 { factors } => vec![("rope_freqs.weight", factors)],
            Self::LongRope { long, short, .. } => {
                vec![
                    ("rope_factors_long.weight", long),
                    ("rope_factors_short.weight", short),
                ]
            }
            Self::None | Self::Linear { .. } | Self::Yarn { .. } => Vec::new(),
        }
    }
}

/// One set of rotary parameters as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct RawRope {
    pub(super) rope_theta: Option<f64>,
    #[serde(alias = "type")]
    rope_type: Option<String>,
    pub(super) partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<u64>,
    attention_factor: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    long_factor: Option<Vec<f64>>,
    short_factor: Option<Vec<f64>>,
    /// Where layers differ: those that see everything.
    pub(super) full_attention: Option<Box<RawRope>>,
    /// Where layers differ: those that see a window.
    pub(super) sliding_attention: Option<Box<RawRope>>,
}

/// What else the formulas need.
pub(super) struct Surroundings {
    /// Base of the frequencies.
    pub(super) theta: f64,
    /// Rotated width of a head.
    pub(super) rotary: usize,
    /// `max_position_embeddings`.
    pub(super) context: u64,
    /// `original_max_position_embeddings` outside the set.
    pub(super) original: Option<u64>,
}

/// The field and what is wrong with it.
pub(super) type Problem = (&'static str, String);

impl RawRope {
    /// True when nothing is scaled.
    pub(super) fn is_plain(&self) -> bool {
        self.rope_type
            .as_deref()
            .is_none_or(|kind| kind == "default")
    }

    /// The scaling with all numbers filled in, as transformers fills them in.
    pub(super) fn scaling(&self, around: &Surroundings) -> Result<Scaling, Problem> {
        if self.is_plain() {
            return Ok(Scaling::None);
        }
        let original = self
            .original_max_position_embeddings
            .or(around.original)
            .unwrap_or(around.context);
        let original = match u32::try_from(original) {
            Ok(small) if small > 1 => small,
            _ => {
                let problem = format!("is {original}; 2 to 4294967295 are allowed");
                return Err(("original_max_position_embeddings", problem));
            }
        };
        match self.rope_type.as_deref().unwrap_or_default() {
            "linear" => {
                let factor = real("factor", self.factor)? as f32;
                Ok(Scaling::Linear { factor })
            }
            "yarn" => self.yarn(original),
            "llama3" => self.llama3(original, around),
            "longrope" | "su" => self.long_rope(original, around),
            other => {
                let problem = format!(
                    "scales the positions by {other:?}, which llama.cpp does not do; \"linear\", \"yarn\", \"llama3\" and \
                     \"longrope\" are supported"
                );
                Err(("rope_scaling", problem))
            }
        }
    }

    fn yarn(&self, original: u32) -> Result<Scaling, Problem> {
        // llama.cpp reads the bounds of the ramp from the file for one architecture only, which is none of ours.
        let usual = |value: Option<f64>, usual: f64| value.is_none_or(|value| value == usual);
        if !usual(self.beta_fast, 32.0) || !usual(self.beta_slow, 1.0) {
            let problem =
                "has beta_fast or beta_slow other than 32 and 1, which llama.cpp does not read";
            return Err(("rope_scaling", problem.into()));
        }
        if self.truncate == Some(false) {
            let problem = "has truncate false, which llama.cpp does not do";
            return Err(("rope_scaling", problem.into()));
        }
        let factor = real("factor", self.factor)?;
        let warmth = |scale: f64| {
            if factor <= 1.0 {
                1.0
            } else {
                0.1 * scale * factor.ln() + 1.0
            }
        };
        let attention = match (self.attention_factor, self.mscale, self.mscale_all_dim) {
            (Some(stated), _, _) => stated,
            (None, Some(one), Some(all)) if one != 0.0 && all != 0.0 => warmth(one) / warmth(all),
            _ => warmth(1.0),
        };
        // ggml multiplies by this itself.
        let own = 1.0 + 0.1 * factor.ln();
        let attention = real("attention_factor", Some(attention / own))? as f32;
        Ok(Scaling::Yarn {
            factor: factor as f32,
            original,
            attention,
        })
    }

    fn llama3(&self, original: u32, around: &Surroundings) -> Result<Scaling, Problem> {
        let factor = real("factor", self.factor)?;
        let low = real("low_freq_factor", self.low_freq_factor)?;
        let high = real("high_freq_factor", self.high_freq_factor)?;
        if low >= high {
            let problem = format!("is {high}, which is not above low_freq_factor {low}");
            return Err(("high_freq_factor", problem));
        }
        let pairs = around.rotary / 2;
        let divided_by = |pair: usize| {
            let exponent = 2.0 * pair as f64 / around.rotary as f64;
            let wave = 2.0 * std::f64::consts::PI * around.theta.powf(exponent);
            let turns = f64::from(original) / wave;
            if turns > high {
                1.0
            } else if turns < low {
                factor
            } else {
                let smooth = (turns - low) / (high - low);
                1.0 / ((1.0 - smooth) / factor + smooth)
            }
        };
        let factors = (0..pairs).map(|pair| divided_by(pair) as f32).collect();
        Ok(Scaling::Llama3 { factors })
    }

    fn long_rope(&self, original: u32, around: &Surroundings) -> Result<Scaling, Problem> {
        let factors = |field, list: &Option<Vec<f64>>| {
            let list = list.as_deref().unwrap_or_default();
            let pairs = around.rotary / 2;
            if list.len() != pairs {
                let problem = format!("has {} factors; {pairs} are needed", list.len());
                return Err((field, problem));
            }
            let checked = list.iter().map(|&factor| real(field, Some(factor)));
            checked.map(|factor| Ok(factor? as f32)).collect()
        };
        let ratio = around.context as f64 / f64::from(original);
        let factor = real("factor", Some(self.factor.unwrap_or(ratio)))?;
        let usual = if factor <= 1.0 {
            1.0
        } else {
            (1.0 + factor.ln() / f64::from(original).ln()).sqrt()
        };
        let attention = self.attention_factor.unwrap_or(usual);
        Ok(Scaling::LongRope {
            long: factors("long_factor", &self.long_factor)?,
            short: factors("short_factor", &self.short_factor)?,
            original,
            attention: real("attention_factor", Some(attention))? as f32,
        })
    }
}

/// A positive number of a sensible size.
fn real(field: &'static str, value: Option<f64>) -> Result<f64, Problem> {
    const LEAST: f64 = 1e-6;
    const MOST: f64 = 1e6;
    match value {
        Some(value) if (LEAST..=MOST).contains(&value) => Ok(value),
        Some(value) => Err((field, format!("is {value}; {LEAST} to {MOST} are allowed"))),
        None => Err((field, "is absent; the scaling of positions needs it".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(rotary: usize) -> Surroundings {
        Surroundings {
            theta: 500_000.0,
            rotary,
            context: 131_072,
            original: None,
        }
    }

    fn parsed(json: serde_json::Value, rotary: usize) -> Result<Scaling, Problem> {
        let raw: RawRope = serde_json::from_value(json).map_err(|e| ("json", e.to_string()))?;
        raw.scaling(&around(rotary))
    }

    #[test]
    fn llama3_divides_slow_waves_keeps_fast_ones_and_blends_between() {
        let json = serde_json::json!({
            "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        });
        let Ok(Scaling::Llama3 { factors }) = parsed(json, 64) else {
            panic!("llama3 scaling");
        };
        // Llama 3.2 1B: the plain inverse frequencies over those of transformers 5.23's _compute_llama3_parameters.
        let expected = [
            (0, 1.0),
            (14, 1.0),
            (15, 1.651_33),
            (16, 3.292_26),
            (17, 9.666_73),
            (18, 32.0),
            (31, 32.0),
        ];
        for (pair, factor) in expected {
            let distance: f32 = factors[pair] - factor;
            assert!(
                distance.abs() < 1e-4 * factor,
                "{pair}: {} {factor}",
                factors[pair]
            );
        }
    }

    #[test]
    fn yarn_leaves_to_llama_cpp_what_it_multiplies_itself() {
        let json = serde_json::json!({ "type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768 });
        let scaling = parsed(json, 64);
        let expected = Scaling::Yarn {
            factor: 4.0,
            original: 32768,
            attention: 1.0,
        };
        assert_eq!(scaling, Ok(expected));
    }

    #[test]
    fn other_scalings_are_refused_by_name() {
        let refusal = |json| parsed(json, 4).expect_err("a refusal");
        let (field, problem) =
            refusal(serde_json::json!({ "rope_type": "dynamic", "factor": 2.0 }));
        assert_eq!(field, "rope_scaling");
        assert!(problem.contains("dynamic"));
        let (field, _) = refusal(serde_json::json!({ "rope_type": "linear" }));
        assert_eq!(field, "factor");
        let (field, _) =
            refusal(serde_json::json!({ "rope_type": "yarn", "factor": 2.0, "beta_fast": 16.0 }));
        assert_eq!(field, "rope_scaling");
        let (field, problem) = refusal(
            serde_json::json!({ "rope_type": "longrope", "long_factor": [1.0], "short_factor": [1.0, 1.0] }),
        );
        assert_eq!(
            (field, problem.as_str()),
            ("long_factor", "has 1 factors; 2 are needed")
        );
    }
}
