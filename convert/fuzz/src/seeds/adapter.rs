//! Adapters of the small base, and what is refused.

use serde_json::{Value as Json, json};

use super::super::adapter::small_base;
use super::super::checkpoint::BETWEEN;
use super::{Seed, weights};

/// The module of the base that the adapters change, and its shape.
const MODULE: &str = "base_model.model.model.layers.0.self_attn.q_proj";

pub(super) fn all(seeds: &mut Vec<Seed>) {
    let hidden = small_base().config.hidden;
    let mut add = |name: &str, config: &Json, weights: Vec<u8>| {
        let config = config.to_string().into_bytes();
        seeds.push((format!("adapter/{name}"), [config, weights].join(&BETWEEN)));
    };
    let pair = |rank: usize| {
        let (down, up) = (
            format!("{MODULE}.lora_A.weight"),
            format!("{MODULE}.lora_B.weight"),
        );
        [(down, [rank, hidden]), (up, [hidden, rank])]
    };
    let plain = config(&json!({}));
    for kind in ["F32", "F16", "BF16"] {
        add(&kind.to_lowercase(), &plain, file(kind, &pair(2)));
    }
    let kept =
        json!({ "use_rslora": true, "lora_alpha": 0.5, "r": 1, "init_lora_weights": "gaussian" });
    add("stable", &config(&kept), file("F32", &pair(1)));
    for (name, change) in [
        ("dora", json!({ "use_dora": true })),
        ("kind", json!({ "peft_type": "IA3" })),
        ("rank", json!({ "r": u64::MAX })),
        ("rank-zero", json!({ "r": 0 })),
        ("rank-pattern", json!({ "rank_pattern": { "q_proj": 4 } })),
        ("alpha", json!({ "lora_alpha": 1e300 })),
        ("unknown", json!({ "next": [[[[1]]]] })),
        ("bias", json!({ "bias": "all" })),
        ("saved", json!({ "modules_to_save": ["lm_head"] })),
        ("beginning", json!({ "init_lora_weights": "pissa" })),
        ("task", json!({ "task_type": "SEQ_CLS" })),
    ] {
        add(
            &format!("refused-{name}"),
            &config(&change),
            file("F32", &pair(2)),
        );
    }
    add("refused-shape", &plain, file("F32", &pair(3)));
    add("refused-alone", &plain, file("F32", &pair(2)[..1]));
    add("refused-up-alone", &plain, file("F32", &pair(2)[1..]));
    add("refused-empty", &plain, file("F32", &[]));
    let stray = ("base_model.model.lm_head.lora_A.weight".to_owned(), [2, 4]);
    let mut with_stray = pair(2).to_vec();
    with_stray.push(stray);
    add("refused-stray", &plain, file("F32", &with_stray));
    add("refused-json", &Json::Null, Vec::new());
}

fn config(change: &Json) -> Json {
    let mut config = json!({
        "bias": "none", "lora_alpha": 16, "peft_type": "LORA", "r": 2, "target_modules": ["q_proj"],
        "task_type": "CAUSAL_LM", "use_dora": false, "use_rslora": false, "rank_pattern": {},
    });
    for (field, value) in change.as_object().into_iter().flatten() {
        config[field] = value.clone();
    }
    config
}

/// A file with these tensors, whose bytes all are ones.
fn file(kind: &str, tensors: &[(String, [usize; 2])]) -> Vec<u8> {
    let mut at = 0;
    let mut header = serde_json::Map::new();
    for (name, shape) in tensors {
        let end = at + shape.iter().product::<usize>() * if kind == "F32" { 4 } else { 2 };
        let entry = json!({ "dtype": kind, "shape": shape, "data_offsets": [at, end] });
        header.insert(name.clone(), entry);
        at = end;
    }
    weights(&Json::from(header).to_string(), &vec![1; at])
}
