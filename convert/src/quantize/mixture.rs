//! Which tensor gets which type: the rules of llama.cpp's `src/llama-quant.cpp`, the one place that decides it.
//!
//! Some matrices matter more than others, and get more bits: what makes the values of attention, what leads out of a
//! feed-forward layer, what makes the logits. Which of them do depends on the recipe, and on where they stand.

use super::overrides::TypeChoice;
use super::{Recipe, TensorRole};
use crate::gguf::TensorType::{
    self, F16, F32, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0,
};

/// What the rules look at beyond the tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelShape<'a> {
    /// `general.architecture`.
    pub architecture: &'a str,
    /// Number of layers.
    pub layers: usize,
    /// Heads of the first layer.
    pub heads: usize,
    /// Its key-value heads.
    pub kv_heads: usize,
    /// Experts of a layer; 0 where there are none.
    pub experts: usize,
}

impl ModelShape<'_> {
    /// Heads that share keys and values.
    fn sharing(&self) -> usize {
        self.heads.checked_div(self.kv_heads).unwrap_or(0)
    }

    /// The models that llama.cpp takes for one of 70 billion weights: their values are so small beside the rest that more
    /// bits cost nothing.
    fn is_70b(&self) -> bool {
        match self.architecture {
            "llama" => self.layers == 80 && self.heads != self.kv_heads,
            "qwen2" | "deci" | "olmo" => self.layers == 80,
            "jais2" => self.layers == 68,
            _ => false,
        }
    }
}

/// A tensor whose type is to be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name in the GGUF.
    pub name: &'a str,
    /// What it is for.
    pub role: TensorRole,
    /// Weights per row.
    pub columns: u64,
    /// Matrices on top of each other (experts); 1 for an ordinary matrix.
    pub slices: u64,
}

/// What the rules tell apart, by name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Values,
    Keys,
    AttentionOutput,
    Down,
    Other,
}

impl Place {
    fn of(name: &str) -> Self {
        let has = |part| name.contains(part);
        // Some models keep queries, keys and values, or keys and values, in one matrix.
        if has("attn_qkv.weight") || has("attn_kv_b.weight") || has("attn_v.weight") {
            Self::Values
        } else if has("attn_k.weight") {
            Self::Keys
        } else if has("attn_q.weight") {
            Self::Other
        } else if has("attn_output.weight") {
            Self::AttentionOutput
        } else if has("ffn_up") || has("ffn_gate") {
            Self::Other
        } else if has("ffn_down") {
            Self::Down
        } else {
            Self::Other
        }
    }
}

/// The layer in a name, -1 for what stands outside the layers.
fn layer(name: &str) -> i64 {
    let number = name
        .strip_prefix("blk.")
        .and_then(|rest| rest.split('.').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(-1)
}

/// The types of all `members`, in their order.
pub(super) fn assign(
    choice: &TypeChoice,
    model: &ModelShape<'_>,
    members: &[Member<'_>],
) -> Vec<TensorType> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    // The rules count matrices in llama.cpp's order: by layer, then by name.
    order.sort_by_key(|&at| (layer(members[at].name), members[at].name));
    let places = members.iter().map(|member| Place::of(member.name));
    let mut mixture = Mixture {
        recipe: choice.recipe,
        important: choice.importance.is_some(),
        model,
        values: places.filter(|&place| place == Place::Values).count(),
        values_seen: 0,
        downs_seen: 0,
    };
    let mut types = vec![F32; members.len()];
    for at in order {
        let member = &members[at];
        types[at] = match (member.role, choice.override_of(member.name)) {
            (TensorRole::Vector, _) => F32,
            (_, Some(kind)) => fitting(kind, member.columns),
            (role, None) if choice.recipe.matrix_type().is_quantized() => {
                fitting(mixture.wanted(member, role), member.columns)
            }
            (_, None) => choice.recipe.matrix_type(),
        };
    }
    types
}

/// `wanted`, or what `llama-quantize` takes instead where a row of `columns` weights is not a whole number of its blocks.
fn fitting(wanted: TensorType, columns: u64) -> TensorType {
    let fits = |kind: TensorType| columns.is_multiple_of(kind.block_len());
    if fits(wanted) {
        return wanted;
    }
    let smaller = match wanted {
        Q2_K | Q3_K => Q4_0,
        Q4_K => Q5_0,
        Q5_K => Q5_1,
        Q6_K => Q8_0,
        other => other,
    };
    if fits(smaller) { smaller } else { F16 }
}

/// The rules for the matrices of one model, in llama.cpp's order.
struct Mixture<'a> {
    recipe: Recipe,
    /// An importance matrix is given.
    important: bool,
    model: &'a ModelShape<'a>,
    /// Matrices of values in all.
    values: usize,
    values_seen: usize,
    downs_seen: usize,
}

impl Mixture<'_> {
    /// The type by the rules, whether or not rows divide into its blocks.
    fn wanted(&mut self, member: &Member<'_>, role: TensorRole) -> TensorType {
        let ordinary = self.recipe.matrix_type();
        if role == TensorRole::Logits {
            let whole = member.columns.is_multiple_of(ordinary.block_len());
            return if whole && ordinary != Q8_0 {
                Q6_K
            } else {
                Q8_0
            };
        }
        match Place::of(member.name) {
            Place::Values => self.values(ordinary),
            Place::Keys if self.model.experts == 8 => Q8_0,
            Place::AttentionOutput => self.attention_output(ordinary),
            Place::Down => self.down(member.name, ordinary),
            Place::Keys | Place::Other => ordinary,
        }
    }

    fn values(&mut self, ordinary: TensorType) -> TensorType {
        let seen = self.values_seen;
        self.values_seen += 1;
        let shared = self.model.sharing() >= 4;
        let kind = match self.recipe {
            Recipe::Q2_K | Recipe::Q2_K_S if shared => Q4_K,
            Recipe::Q2_K => Q3_K,
            Recipe::Q3_K_M if seen < 2 => Q5_K,
            Recipe::Q3_K_M => Q4_K,
            Recipe::Q3_K_L => Q5_K,
            Recipe::Q4_K_M | Recipe::Q5_K_M if more_bits(seen, self.values) => Q6_K,
            Recipe::Q4_K_S if seen < 4 => Q5_K,
            _ => ordinary,
        };
        match kind {
            _ if self.model.experts == 8 => Q8_0,
            Q3_K | Q4_K if self.model.is_70b() => Q5_K,
            kind => kind,
        }
    }

    fn attention_output(&self, ordinary: TensorType) -> TensorType {
        match self.recipe {
            Recipe::Q2_K | Recipe::Q3_K_S | Recipe::Q3_K_M | Recipe::Q4_K_S | Recipe::Q4_K_M
                if self.model.experts == 8 =>
            {
                Q5_K
            }
            _ if self.model.experts == 8 => ordinary,
            Recipe::Q2_K => Q3_K,
            Recipe::Q3_K_M => Q4_K,
            Recipe::Q3_K_L => Q5_K,
            _ => ordinary,
        }
    }

    fn down(&mut self, name: &str, ordinary: TensorType) -> TensorType {
        let seen = self.downs_seen;
        self.downs_seen += 1;
        // The matrices of experts do not follow each other layer by layer.
        let named = usize::try_from(layer(name)).unwrap_or(seen);
        let at = if self.model.experts > 1 { named } else { seen };
        let layers = self.model.layers;
        match self.recipe {
            Recipe::Q2_K => Q3_K,
            Recipe::Q2_K_S if at < layers / 8 => Q4_K,
            Recipe::Q3_K_M if at < layers / 16 => Q5_K,
            Recipe::Q3_K_M => Q4_K,
            Recipe::Q3_K_L => Q5_K,
            Recipe::Q4_K_M | Recipe::Q5_K_M if more_bits(at, layers) => Q6_K,
            Recipe::Q4_K_S if at < layers / 8 => Q5_K,
            // The first of them go wrong under an importance matrix.
            Recipe::Q4_0 if self.important && at < layers / 8 => Q4_1,
            Recipe::Q5_0 if self.important && at < layers / 8 => Q5_1,
            _ => ordinary,
        }
    }
}

/// The first eighth, the last eighth, and every third between.
fn more_bits(at: usize, count: usize) -> bool {
    at < count / 8 || at >= 7 * count / 8 || (at - count / 8) % 3 == 2
}
