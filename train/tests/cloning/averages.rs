//! Several checkpoints as one.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use stride_train::policy::CandlePolicy;

use super::adapters::{checkpoint, export, tensors};
use super::bench::Bench;

fn average(checkpoints: &[&Path], more: &[&str], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stride-train"));
    command.arg("average").args(checkpoints).args(more);
    command.arg("--out").arg(out).output().unwrap()
}

#[test]
fn an_average_lies_between_its_checkpoints_and_speaks() {
    let bench = Bench::new(30, "");
    let one = checkpoint(&bench);
    bench.finish("later", &["--init", one.to_str().unwrap()]);
    let other = bench.path("other");
    assert!(
        export(&bench.path("later"), &other, &["--last"])
            .status
            .success()
    );
    let out = bench.path("average");
    let output = average(&[&one, &other], &["--shares", "1,3"], &out);
    assert!(output.status.success(), "{output:?}");

    let read = |folder: &Path| tensors(&folder.join("model.safetensors"));
    let (first, second, mean) = (read(&one), read(&other), read(&out));
    assert_eq!(first.len(), mean.len());
    let mut moved = 0;
    for (name, (shape, values)) in &mean {
        assert_eq!(shape, &first[name].0);
        for ((a, b), mean) in first[name].1.iter().zip(&second[name].1).zip(values) {
            let expected = (f64::from(*a) + 3.0 * f64::from(*b)) / 4.0;
            assert!((f64::from(*mean) - expected).abs() < 1e-7, "{name}");
            moved += usize::from(a != b);
        }
    }
    assert!(moved > 1000, "the two checkpoints are the same");
    CandlePolicy::load(&out).unwrap();
    let card: Value =
        serde_json::from_slice(&std::fs::read(out.join("stride.json")).unwrap()).unwrap();
    assert_eq!(card["averaged"][1]["share"], 0.75);
    assert_eq!(card["averaged"][0]["training"]["step"], 30);
}

#[test]
fn what_a_policy_reads_stays_with_it() {
    let bench = Bench::new(10, "");
    let one = checkpoint(&bench);
    let config = bench.path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let short = text.replace("[data]\n", "[data]\ncompleted = 3\n");
    assert_ne!(text, short);
    std::fs::write(&config, &short).unwrap();
    bench.finish("short", &["--init", one.to_str().unwrap()]);
    let error = |settings: &str| {
        std::fs::write(&config, settings).unwrap();
        let output = bench.command("short", &["--resume"]).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let refused = error(&short.replace("completed = 3", "completed = 4"));
    assert!(refused.contains("reads 3 issued subtasks"), "{refused}");
    let refused = error(&short.replace("completed = 3", "completed = 9"));
    assert!(refused.contains("9 is not between 1 and 8"), "{refused}");

    // Without the setting it is that of the checkpoint that a run starts from.
    std::fs::write(&config, &text).unwrap();
    let (other, later, mean) = (bench.path("other"), bench.path("later"), bench.path("mean"));
    let exported = |run: &str, out: &Path| export(&bench.path(run), out, &["--last"]);
    assert!(exported("short", &other).status.success());
    bench.finish("more", &["--init", other.to_str().unwrap()]);
    assert!(exported("more", &later).status.success());
    assert!(average(&[&one, &later], &[], &mean).status.success());
    let reads = |folder: &Path| -> Value {
        let text = std::fs::read(folder.join("stride.json")).unwrap();
        serde_json::from_slice::<Value>(&text).unwrap()["capacities"]["completed"].clone()
    };
    assert_eq!(reads(&one), 8);
    for folder in [&other, &later, &mean] {
        assert_eq!(reads(folder), 3, "{}", folder.display());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (bench, others) = (Bench::new(10, ""), Bench::new(10, ""));
    let one = checkpoint(&bench);
    // Another network of the same vocabulary.
    let config = others.path("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("ffn = 64", "ffn = 32")).unwrap();
    let other = checkpoint(&others);
    let out = bench.path("average");
    let refused = |more: &[&str], other: &Path| {
        let output = average(&[&one, other], more, &out);
        assert!(!output.status.success() && !out.exists());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = refused(&[], &other);
    assert!(error.contains("config.json: it is not that of"), "{error}");
    let error = refused(&["--shares", "1"], &one);
    assert!(error.contains("2 checkpoints and 1 shares"), "{error}");
    let error = refused(&["--shares", "1,0"], &one);
    assert!(error.contains("0 is no positive number"), "{error}");
}
