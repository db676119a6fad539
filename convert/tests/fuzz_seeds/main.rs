//! Replays what fuzzing starts from, and what it has found, with the code and the bounds of the fuzz targets.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target)
}

/// All files of a target by name.
fn committed(target: &str) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(folder(target)).expect("seeds are committed");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        (
            format!("{target}/{name}"),
            std::fs::read(entry.path()).expect("readable"),
        )
    };
    files.map(read).collect()
}

fn replay(target: &str, run: fn(&[u8])) {
    let seeds = committed(target);
    assert!(seeds.len() >= 20, "{} seeds of {target}", seeds.len());
    for (name, bytes) in seeds {
        println!("{name}");
        run(&bytes);
    }
}

#[test]
fn gguf_seeds_are_read_or_refused_within_the_bounds() {
    replay("gguf", fuzz::gguf::run);
}

#[test]
fn checkpoint_seeds_are_read_or_refused_within_the_bounds() {
    replay("checkpoint", fuzz::checkpoint::run);
}

#[test]
fn importance_seeds_are_read_or_refused_within_the_bounds() {
    replay("importance", fuzz::importance::run);
}

#[test]
fn adapter_seeds_are_read_or_refused_within_the_bounds() {
    replay("adapter", fuzz::adapter::run);
}

#[test]
fn the_seeds_are_those_that_are_made() {
    let targets = ["gguf", "checkpoint", "importance", "adapter"];
    let committed: BTreeMap<_, _> = targets.into_iter().flat_map(committed).collect();
    for (name, bytes) in fuzz::seeds::all() {
        assert!(
            committed.get(&name) == Some(&bytes),
            "{name} is another; write it anew: cargo test -p stride-convert --test fuzz_seeds -- --ignored"
        );
    }
}

#[test]
#[ignore = "writes the seeds anew"]
fn write_the_seeds() {
    for (name, bytes) in fuzz::seeds::all() {
        let path = folder(&name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }
}

#[test]
#[should_panic(expected = "held")]
fn holding_more_than_the_bound_is_noticed() {
    fuzz::allocations::within(1000, "a list", || std::hint::black_box(vec![1_u8; 1001]));
}
