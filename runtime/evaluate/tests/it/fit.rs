//! `fit` with the shipped policy: the estimate against what its process really takes.

use serde_json::Value;

use crate::run;

const POLICY: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../models/stride-household-q8_0.gguf"
);

fn json(path: &std::path::Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Nothing that is used goes uncounted, and at most the allowance for the process is counted to no use.
#[cfg(target_os = "linux")]
#[test]
fn the_estimate_is_what_the_process_takes_or_a_little_more() {
    let folder = tempfile::tempdir().unwrap();
    let (fit, soak) = (
        folder.path().join("fit.json"),
        folder.path().join("soak.json"),
    );
    for board in ["arm-512mb", "gateway-x86-2core"] {
        let (code, text, stderr) = run(&[
            "fit",
            "--profile",
            board,
            "--policy",
            POLICY,
            "--json",
            fit.to_str().unwrap(),
        ]);
        assert_eq!(code, Some(0), "{stderr}");
        assert!(text.contains("fits; "), "{text}");
        let (code, _, stderr) = run(&[
            "soak",
            "--profile",
            board,
            "--policy",
            POLICY,
            "--threads",
            "1",
            "--world",
            "household:0..2",
            "--steps",
            "100",
            "--most-growth",
            "100000000",
            "--json",
            soak.to_str().unwrap(),
        ]);
        assert_eq!(code, Some(0), "{stderr}");
        let needed = json(&fit)["needed"].as_u64().unwrap();
        let marks = &json(&soak)["marks"];
        let resident = marks[99]["memory"]["resident"].as_u64().unwrap();
        let allowance = stride_firmware_config::profile::PROCESS_BYTES;
        assert!(
            resident <= needed,
            "{board}: {resident} resident, {needed} estimated"
        );
        assert!(
            needed <= resident + allowance,
            "{board}: {resident} resident, {needed} estimated"
        );
    }
}

#[test]
fn what_does_not_fit_is_told_by_how_much() {
    let folder = tempfile::tempdir().unwrap();
    let (profile, out) = (
        folder.path().join("tight.toml"),
        folder.path().join("fit.json"),
    );
    // The least that a profile may name: the process alone.
    std::fs::write(
        &profile,
        "name = \"tight\"\n[memory]\nbudget_bytes = 26_000_000\n",
    )
    .unwrap();
    let (code, text, stderr) = run(&[
        "fit",
        "--profile",
        profile.to_str().unwrap(),
        "--policy",
        POLICY,
        "--json",
        out.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        text.contains("does not fit; ") && text.contains("are missing"),
        "{text}"
    );
    let fit = json(&out);
    assert_eq!(fit["fits"], false);
    let sum: u64 = fit["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(fit["needed"], sum);
    assert_eq!(fit["left"], 26_000_000 - i64::try_from(sum).unwrap());
    let (code, _, stderr) = run(&["fit", "--profile", "arm-512mb", "--policy", "/no/p.gguf"]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("/no/p.gguf"), "{stderr}");
}
