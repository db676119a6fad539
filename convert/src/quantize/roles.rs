//! What a tensor of a GGUF is for, by its name: the rule by which `llama-quantize` leaves tensors as they are
//! (`tensor_allows_quantization`).

use super::TensorRole;
use crate::gguf::TensorInfo;

/// Parts of names of matrices that stay: small, or too delicate for blocks.
const KEPT: [&str; 36] = [
    "_norm.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "position_embd",
    "token_types",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    "attn_rel_b.weight",
    "sam.pos_embd",
    "sam.neck.",
    "sam.net_",
    ".rel_pos",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

/// The role of a tensor, or `None` when it stays as it is stored. `tied` says that the embedding makes the logits.
#[must_use]
pub fn of(tensor: &TensorInfo, tied: bool) -> Option<TensorRole> {
    let name = tensor.name.as_str();
    let matrix = tensor.shape.iter().skip(1).any(|&size| size > 1);
    if !matrix || !name.ends_with("weight") || KEPT.iter().any(|part| name.contains(part)) {
        return None;
    }
    Some(match name {
        "output.weight" => TensorRole::Logits,
        "token_embd.weight" if tied => TensorRole::Logits,
        _ => TensorRole::Matrix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::TensorType;

    #[test]
    fn vectors_norms_and_routers_stay() {
        let of = |name: &str, shape: &[u64], tied| {
            let info = TensorInfo {
                name: name.to_owned(),
                shape: shape.to_vec(),
                kind: TensorType::F32,
            };
            of(&info, tied)
        };
        let square = [64, 64];
        assert_eq!(
            of("blk.0.attn_q.weight", &square, true),
            Some(TensorRole::Matrix)
        );
        assert_eq!(of("blk.0.attn_q.bias", &square, true), None);
        assert_eq!(of("blk.0.attn_norm.weight", &[64], true), None);
        assert_eq!(of("blk.0.attn_q_norm.weight", &square, true), None);
        assert_eq!(of("blk.0.ffn_down.weight", &[64, 1], true), None);
        assert_eq!(of("blk.0.ffn_gate_inp.weight", &square, true), None);
        assert_eq!(
            of("blk.0.ffn_gate_exps.weight", &[64, 8, 4], true),
            Some(TensorRole::Matrix)
        );
        assert_eq!(
            of("token_embd.weight", &square, true),
            Some(TensorRole::Logits)
        );
        assert_eq!(
            of("token_embd.weight", &square, false),
            Some(TensorRole::Matrix)
        );
        assert_eq!(
            of("output.weight", &square, false),
            Some(TensorRole::Logits)
        );
    }
}
