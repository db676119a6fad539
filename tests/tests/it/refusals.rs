//! What is broken is refused with a reason and a non-zero exit code; no program panics.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use stride_environments::household::Household;

use crate::support::{folder, program, refuse};

fn bench(path: &Path) -> Command {
    let mut command = program("stride-eval");
    command.args([
        "bench-world",
        "--world",
        &format!("alfworld:{}", path.display()),
    ]);
    command
}

fn play(policy: &Path) -> Command {
    let mut command = program("stride-eval");
    command
        .args(["play", "--world", "household:1", "--policy"])
        .arg(policy);
    command
}

/// A sound game as JSON.
fn game() -> String {
    serde_json::to_string(&Household::new(1).to_game_file()).unwrap()
}

#[test]
fn games() {
    let folder = folder();
    let file = folder.path().join("game.tw-pddl");
    let refused = |text: &str, reason: &str| {
        std::fs::write(&file, text).unwrap();
        refuse(&mut bench(&file), 1, &["game.tw-pddl", reason]);
    };
    refused("", "not a game file");
    refused("no json", "not a game file");
    refused("{}", "missing field `pddl_domain`");
    refused(&game()[..2000], "not a game file");
    refused(&game().replace("(:action", "(:akshun"), "akshun");
    refused(&game().replace("(define", "(((((define"), "pddl_");
    refused(&game().replace("(:goal", "(:gaol"), "gaol");
    std::fs::write(&file, game()).unwrap();
    crate::support::succeed(&mut bench(&file));
}

#[test]
fn collections() {
    let folder = folder();
    refuse(&mut bench(folder.path()), 1, &["holds no games"]);
    refuse(
        &mut bench(&folder.path().join("absent")),
        1,
        &["absent", "No such file"],
    );
    let mut command = program("stride-eval");
    refuse(
        command.args(["bench-world", "--world", "alfworld:"]),
        1,
        &["ALFWORLD_DATA"],
    );

    let archive = folder.path().join("games.tar.zst");
    let mut packed = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..24].copy_from_slice(b"../../etc/game.tw-pddl\0\0");
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(2);
    header.set_cksum();
    packed.append(&header, &b"{}"[..]).unwrap();
    let plain = packed.into_inner().unwrap();
    let bytes = zstd::encode_all(&plain[..], 1).unwrap();
    std::fs::write(&archive, &bytes).unwrap();
    refuse(
        &mut bench(&archive),
        1,
        &["leaves it", "../../etc/game.tw-pddl"],
    );
    std::fs::write(&archive, &bytes[..bytes.len() - 5]).unwrap();
    refuse(&mut bench(&archive), 1, &["games.tar.zst"]);
}

#[test]
fn world_names() {
    let refused = |world: &str, reason: &str| {
        let mut command = program("stride-eval");
        refuse(
            command.args(["bench-world", "--world", world]),
            2,
            &[reason],
        );
    };
    refused("kitchen:3", "names no world");
    refused("household:x", "not a household seed");
    refused(
        "alfworld::valid_sene",
        "none of train, valid_seen, valid_unseen",
    );
}

#[test]
fn policies() {
    let folder = folder();
    let file = folder.path().join("policy.gguf");
    refuse(&mut play(&file), 1, &["policy.gguf", "No such file"]);
    let refused = |bytes: &[u8], reason: &str| {
        std::fs::write(&file, bytes).unwrap();
        refuse(&mut play(&file), 1, &["policy.gguf", reason]);
        let mut inspect = program("stride-convert");
        refuse(inspect.arg("inspect").arg(&file), 1, &["policy.gguf"]);
    };
    refused(b"", "refused");
    refused(b"not a model at all", "refused");
    // Version 3 with more tensors than any file holds.
    let mut greedy = b"GGUF\x03\0\0\0".to_vec();
    greedy.write_all(&u64::MAX.to_le_bytes()).unwrap();
    greedy.write_all(&0_u64.to_le_bytes()).unwrap();
    refused(&greedy, "refused");
}

#[test]
fn profiles() {
    let folder = folder();
    let file = folder.path().join("board.toml");
    let refused = |text: &str, reason: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = play(Path::new("absent.gguf"));
        refuse(
            command.arg("--profile").arg(&file),
            1,
            &["board.toml", reason],
        );
    };
    refused("[inference\n", "line 1");
    refused("[inference]\nthreds = 2\n", "threds");
    refused("[inference]\nthreads = 0\n", "inference.threads = 0");
    refused(
        "[capacities]\nscene = 1000000\n",
        "capacities.scene = 1000000",
    );
    refused(
        "[inference]\ncontext_tokens = 100\n",
        "inference.context_tokens = 100",
    );
    let mut unknown = play(Path::new("absent.gguf"));
    refuse(
        unknown.args(["--profile", "toaster"]),
        1,
        &["toaster", "raspberry-pi-5"],
    );
}

#[test]
fn transitions() {
    let folder = folder();
    let file = folder.path().join("demos.jsonl");
    let refused = |bytes: &[u8], name: &str, reason: &str| {
        let path = file.with_file_name(name);
        std::fs::write(&path, bytes).unwrap();
        let mut command = program("stride-train");
        command.args(["bc", "--steps", "1", "--data"]).arg(&path);
        refuse(
            command.arg("--out").arg(folder.path().join("run")),
            1,
            &[name, reason],
        );
    };
    refused(b"\n{\"game\": 1}\n", "a.jsonl", "line 2");
    refused(b"no json", "b.jsonl", "line 1");
    refused(b"not zstd", "c.jsonl.zst", "c.jsonl.zst");
}

#[test]
fn checkpoints() {
    let folder = folder();
    std::fs::write(folder.path().join("config.json"), "{}").unwrap();
    let out = folder.path().join("policy.gguf");
    let mut command = program("stride-convert");
    command.arg("export").arg(folder.path()).arg("-o").arg(&out);
    refuse(&mut command, 1, &["config.json"]);
    assert!(!out.exists());
}
