//! The crate runs without `std` and without a heap.
//!
//! No bare-metal target can be assumed to be installed, so two other proofs stand here: the dependencies are resolved
//! with no feature that brings in `std` or `alloc`, and (ignored by default, since it compiles them all again) a program
//! with its own panic handler links against the crate, which the compiler refuses when anything below links `std`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.arg("--offline");
    cargo
}

#[test]
fn no_dependency_asks_for_std_or_alloc() {
    let output = cargo()
        .args(["tree", "--edges", "features,no-proc-macro,no-dev"])
        .args(["--prefix", "none", "--package", "stride-firmware-config"])
        .arg("--manifest-path")
        .arg(manifest())
        .output()
        .expect("cargo runs, it runs this test");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && tree.contains("heapless feature \"serde\""),
        "cargo tree failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for line in tree.lines() {
        let heap = ["\"std\"", "\"alloc\"", "\"use-std\""];
        assert!(!heap.iter().any(|feature| line.contains(feature)), "{line}");
    }
}

#[test]
fn the_sources_name_neither_std_nor_alloc() {
    fn visit(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("the folder exists") {
            let path = entry.expect("it is readable").path();
            if path.is_dir() {
                visit(&path, files);
            } else {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    visit(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    );
    for file in files {
        let text = fs::read_to_string(&file).expect("sources are text");
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let path = |word: &str| line.contains(&format!("{word}::"));
            assert!(
                !path("std") && !path("alloc") && !line.contains("extern crate"),
                "{}: {line}",
                file.display()
            );
        }
    }
}

const PROBE: &str = r#"
#![no_std]
use stride_firmware_config::{encoding, profile::DeviceProfile, state::AgentState};

#[panic_handler]
fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Uses state, encoding and profiles, so that all of them are linked.
#[unsafe(no_mangle)]
pub extern "C" fn stride_probe() -> usize {
    let mut record = [0; encoding::MAX_ENCODED];
    let written = encoding::encode(&AgentState::default(), &mut record).unwrap_or(0);
    written + usize::from(DeviceProfile::standard().validate().is_ok())
}
"#;

#[test]
#[ignore = "compiles all dependencies again; run with --ignored"]
fn a_program_with_its_own_panic_handler_links() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-std-probe");
    fs::create_dir_all(folder.join("src")).expect("the target folder is writable");
    let crate_path = env!("CARGO_MANIFEST_DIR");
    let probe = format!(
        "[package]\nname = \"no-std-probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [lib]\ncrate-type = [\"staticlib\"]\n\
         [dependencies]\nstride-firmware-config.path = {crate_path:?}\n\
         [profile.dev]\npanic = \"abort\"\n[workspace]\n"
    );
    fs::write(folder.join("Cargo.toml"), probe).expect("the folder is writable");
    fs::write(folder.join("src/lib.rs"), PROBE).expect("the folder is writable");
    let output = cargo()
        .arg("build")
        .arg("--manifest-path")
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .output()
        .expect("cargo runs, it runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
