//! Runs that train adapters: killed and resumed, exported in both forms, and held to the base they were trained beside.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use safetensors::SafeTensors;
use stride_train::bc::metrics::{self, Metrics};
use stride_train::bc::{begin, state};
use stride_train::checkpoint::Checkpoint;

use super::bench::{Bench, assert_same_bits, wait_for};

const LORA: &str =
    "[lora]\nr = 4\nalpha = 6\ndropout = 0.1\ntargets = [\"q_proj\", \"v_proj\", \"down_proj\"]";

pub fn export(run: &Path, out: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stride-train"))
        .arg("export")
        .arg("--run")
        .arg(run)
        .arg("--out")
        .arg(out)
        .args(more)
        .output()
        .unwrap()
}

/// A checkpoint that has learnt a little, to stand for a pretrained network.
pub fn checkpoint(bench: &Bench) -> PathBuf {
    bench.finish("pretrained", &[]);
    let folder = bench.path("checkpoint");
    let output = export(&bench.path("pretrained"), &folder, &["--last"]);
    assert!(output.status.success(), "{output:?}");
    folder
}

/// The tensors of a file, by name.
pub fn tensors(path: &Path) -> HashMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let read = file.iter().map(|(name, tensor)| {
        let values = tensor.data().as_chunks().0.iter();
        let values = values.map(|b| f32::from_le_bytes(*b)).collect();
        (name.to_owned(), (tensor.shape().to_vec(), values))
    });
    read.collect()
}

#[test]
fn adapters_of_a_killed_run_resume_to_the_same_bits() {
    let base = Bench::new(30, "");
    let base = checkpoint(&base);
    let init = ["--init", base.to_str().unwrap()];
    let bench = Bench::new(150, &format!("threads = 2\n{LORA}"));
    bench.finish("whole", &init);
    let mut child = bench.command("killed", &init).spawn().unwrap();
    wait_for(&bench.path("killed").join(state::LAST), &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    let stopped_at = bench.last("killed").0;
    assert!(stopped_at < 150, "killed too late: step {stopped_at}");
    bench.finish("killed", &["--resume", "--threads", "1"]);
    let (whole, resumed) = (bench.last("whole"), bench.last("killed"));
    assert_eq!((whole.0, resumed.0), (150, 150));
    assert_same_bits(&whole.1, &resumed.1);
    // Beside adapters the optimizer remembers nothing of the 27,000 other weights.
    assert!(whole.1.weights.len() < 8000, "{}", whole.1.weights.len());

    // A run with recomputed activations is the same run.
    let bench = Bench::new(150, &format!("recompute = true\n{LORA}"));
    bench.finish("again", &init);
    assert_same_bits(&whole.1, &bench.last("again").1);
}

#[test]
fn adapters_learn_and_are_exported_in_both_forms() {
    let base = Bench::new(30, "");
    let base = checkpoint(&base);
    let bench = Bench::new(120, LORA);
    let text = bench.finish("run", &["--init", base.to_str().unwrap()]);
    assert!(text.contains("of which"), "{text}");
    let lines = metrics::read(&bench.path("run").join(metrics::METRICS)).unwrap();
    let losses: Vec<f64> = lines
        .iter()
        .filter_map(|line| match line {
            Metrics::Train { loss, .. } => Some(*loss),
            _ => None,
        })
        .collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.9 * first, "the loss went from {first} to {last}");

    let (merged, adapter) = (bench.path("merged"), bench.path("adapter"));
    for (out, more) in [
        (&merged, &["--last"][..]),
        (&adapter, &["--last", "--adapter"]),
    ] {
        let output = export(&bench.path("run"), out, more);
        assert!(output.status.success(), "{output:?}");
    }
    let frozen = tensors(
        &bench
            .path("run")
            .join(begin::BASE)
            .join("model.safetensors"),
    );
    assert_eq!(frozen, tensors(&base.join("model.safetensors")));
    let merged = tensors(&merged.join("model.safetensors"));
    let pairs = tensors(&adapter.join("adapter_model.safetensors"));
    assert_eq!(pairs.len(), 2 * 3 * 2 + 1);
    let config = std::fs::read_to_string(adapter.join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["r"], 4);
    assert_eq!(config["lora_alpha"], 6.0);
    let tokens: Vec<usize> = (0..12).collect();
    assert_eq!(config["trainable_token_indices"], serde_json::json!(tokens));
    for (name, (shape, before)) in &frozen {
        let after = &merged[name].1;
        let module = format!("base_model.model.{}", name.trim_end_matches(".weight"));
        let side = |side| pairs.get(&format!("{module}.lora_{side}.weight"));
        if let (Some((_, down)), Some((up_shape, up))) = (side("A"), side("B")) {
            assert_eq!(up_shape, &[shape[0], 4]);
            let mut moved = 0.0_f32;
            for (row, up) in up.chunks(4).enumerate() {
                for column in 0..shape[1] {
                    let at = row * shape[1] + column;
                    let sum: f32 = (0..4).map(|r| up[r] * down[r * shape[1] + column]).sum();
                    assert!(
                        (after[at] - (before[at] + 1.5 * sum)).abs() < 1e-6,
                        "{name}"
                    );
                    moved = moved.max(sum.abs());
                }
            }
            assert!(moved > 1e-3, "{name} was not trained");
        } else if name == "model.embed_tokens.weight" {
            let rows = &pairs[&format!("{module}.token_adapter.trainable_tokens_delta")];
            assert_eq!(rows.0, [12, shape[1]]);
            assert_eq!(rows.1, after[..rows.1.len()]);
            assert_ne!(rows.1, before[..rows.1.len()]);
            assert_eq!(before[rows.1.len()..], after[rows.1.len()..]);
        } else {
            assert_eq!(before, after, "{name} is frozen");
        }
    }
}

#[test]
fn adapters_stay_with_the_base_they_were_trained_beside() {
    let base = Bench::new(10, "");
    let base = checkpoint(&base);
    let init = ["--init", base.to_str().unwrap()];
    let bench = Bench::new(10, LORA);
    let alone = bench.command("alone", &[]).output().unwrap();
    let errors = String::from_utf8_lossy(&alone.stderr);
    assert!(!alone.status.success());
    assert!(errors.contains("--backbone or --init"), "{errors}");

    bench.finish("run", &init);
    let run = bench.path("run");
    let whole = export(
        &base.join("../pretrained"),
        &bench.path("none"),
        &["--adapter"],
    );
    let errors = String::from_utf8_lossy(&whole.stderr).into_owned();
    assert!(
        !whole.status.success() && errors.contains("not adapters"),
        "{errors}"
    );
    let mut other = Checkpoint::load(&base).unwrap();
    other.weights[5] += 1.0;
    let (record, _) = state::load(&run.join(state::LAST)).unwrap();
    other.save(&run.join(begin::BASE), &record).unwrap();
    for refused in [
        export(&run, &bench.path("out"), &["--last"]),
        bench
            .command("run", &["--resume", "--steps", "20"])
            .output()
            .unwrap(),
    ] {
        let errors = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success());
        assert!(errors.contains("trained beside"), "{errors}");
    }
}
