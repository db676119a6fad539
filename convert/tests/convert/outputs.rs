//! Several outputs from one read, shards, and what an interruption leaves.

use stride_convert::export::{self, Request};
use stride_convert::fixtures::RandomModel;
use stride_convert::gguf::{GgufFile, Value};
use stride_convert::quantize::{Recipe, TypeChoice};
use stride_convert::source::Checkpoint;

use crate::support::{Folder, assert_says, run};

#[test]
fn several_types_from_one_read_are_the_files_of_single_runs() {
    let folder = Folder::new();
    let source = folder.path().display().to_string();
    let pattern = folder.argument("many-{type}.gguf");
    let types = ["--type", "q8_0", "--type", "Q4_1", "--type", "f32"];
    let arguments = [&["export", &source, "-o", &pattern][..], &types[..]].concat();
    let (code, stdout, stderr) = run(&arguments);
    assert_eq!(code, 0, "{stderr}");
    for (kind, name) in [
        ("q8_0", "many-q8_0.gguf"),
        ("q4_1", "many-q4_1.gguf"),
        ("f32", "many-f32.gguf"),
    ] {
        assert_says(&stdout, &[name]);
        let single = folder.argument("single.gguf");
        assert_eq!(
            run(&["export", &source, "-o", &single, "--type", kind, "--force"]).0,
            0
        );
        assert_eq!(folder.read(name), folder.read("single.gguf"), "{kind}");
    }
    let (code, _, stderr) = run(&arguments);
    assert_eq!(code, 1);
    assert_says(&stderr, &["many-q8_0.gguf exists", "--force"]);
}

#[test]
fn several_types_need_a_name_that_tells_them_apart() {
    let folder = Folder::new();
    let (source, output) = (
        folder.path().display().to_string(),
        folder.argument("a.gguf"),
    );
    let before = folder.names();
    let (code, _, stderr) = run(&["export", &source, "-o", &output, "-t", "q8_0", "-t", "f32"]);
    assert_eq!(code, 2);
    assert_says(&stderr, &["{type}"]);
    let pattern = folder.argument("a-{type}.gguf");
    let (code, _, stderr) = run(&[
        "export", &source, "-o", &pattern, "-t", "q8_0", "-t", "q8_0",
    ]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["two outputs", "a-q8_0.gguf"]);
    assert_eq!(folder.names(), before);
}

/// One output that cannot be written leaves none of the others.
#[test]
fn all_outputs_or_none() {
    let folder = Folder::new();
    // 3e38 fits no binary16: f16 fails in the last layer, after f32 has been written.
    folder.set_weight("model.layers.1.mlp.down_proj.weight", 5, 3.0e38);
    let source = folder.path().display().to_string();
    let pattern = folder.argument("a-{type}.gguf");
    let before = folder.names();
    let (code, _, stderr) = run(&["export", &source, "-o", &pattern, "-t", "f32", "-t", "f16"]);
    assert_eq!(code, 1);
    assert_says(&stderr, &["model.layers.1.mlp.down_proj.weight", "F16"]);
    assert_eq!(folder.names(), before);
}

fn shards(folder: &Folder, limit: u64) -> (Vec<Vec<u8>>, u64) {
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    let request = Request {
        split: Some(limit),
        ..Request::new(&folder.file("cut.gguf"), &TypeChoice::from(Recipe::Q8_0))
    };
    let report = export::export_all(&checkpoint, &[request], true, |_| {})
        .unwrap()
        .remove(0);
    let files = report.files.iter().map(|path| std::fs::read(path).unwrap());
    (files.collect(), report.file_bytes)
}

#[test]
fn shards_hold_the_same_bytes_as_one_file() {
    let folder = Folder::new();
    let whole = folder.exported(Recipe::Q8_0);
    let whole = GgufFile::parse(&whole).unwrap();
    let limit = 40_000;
    let (files, bytes) = shards(&folder, limit);
    assert!(files.len() > 2, "{} files", files.len());
    assert_eq!(
        files.iter().map(|file| file.len() as u64).sum::<u64>(),
        bytes
    );
    let count = files.len() as u16;
    let mut tensors = whole.tensors.iter();
    for (index, bytes) in files.iter().enumerate() {
        let file = GgufFile::parse(bytes).unwrap();
        assert!(bytes.len() as u64 <= limit || file.tensors.len() == 1);
        let key = |key| file.metadata.get(key).cloned();
        assert_eq!(key("split.no"), Some(Value::U16(index as u16)));
        assert_eq!(key("split.count"), Some(Value::U16(count)));
        assert_eq!(
            key("split.tensors.count"),
            Some(Value::I32(whole.tensors.len() as i32))
        );
        assert_eq!(
            file.metadata.len(),
            if index == 0 {
                whole.metadata.len() + 3
            } else {
                3
            }
        );
        for tensor in &file.tensors {
            let other = tensors.next().unwrap();
            assert_eq!(
                (&tensor.name, &tensor.shape, tensor.kind),
                (&other.name, &other.shape, other.kind)
            );
            assert_eq!(file.bytes(tensor), whole.bytes(other));
        }
    }
    assert_eq!(tensors.next(), None);
}

#[test]
fn what_fits_in_one_file_is_one_file() {
    let folder = Folder::new();
    let whole = folder.exported(Recipe::Q8_0);
    let (files, _) = shards(&folder, 1 << 30);
    assert_eq!(files, [whole]);
    assert!(folder.names().contains(&"cut.gguf".to_owned()));
}

#[test]
fn sizes_of_shards_on_the_command_line() {
    let folder = Folder::new();
    let (source, output) = (
        folder.path().display().to_string(),
        folder.argument("a.gguf"),
    );
    let export = ["export", &source, "-o", &output, "--split-max-size"];
    let (code, stdout, _) = run(&[&export[..], &["40K"]].concat());
    assert_eq!(code, 0);
    assert_says(&stdout, &["a-00001-of-0000", "files"]);
    assert!(!folder.file("a.gguf").exists());
    for wrong in ["0", "2X", "-1", "99999999999G", "G"] {
        assert_eq!(run(&[&export[..], &[wrong]].concat()).0, 2, "{wrong}");
    }
    let (code, _, stderr) = run(&[&export[..], &["40K"]].concat());
    assert_eq!(code, 1);
    assert_says(&stderr, &["a-00001-of-0000", "exists"]);
}

/// The program is interrupted while a temporary file is there. A machine that is faster than the test's eyes may
/// finish first; then a larger model is tried.
#[cfg(unix)]
#[test]
fn an_interruption_leaves_nothing() {
    use std::process::{Command, Stdio};

    for hidden in [512, 1024, 2048] {
        let mut model = RandomModel::default();
        (model.config.hidden, model.config.intermediate) = (hidden, 4 * hidden);
        let folder = Folder::of(&model);
        let before = folder.names();
        let mut child = Command::new(env!("CARGO_BIN_EXE_stride-convert"))
            .args([
                "export",
                &folder.path().display().to_string(),
                "-t",
                "q5_1",
                "-t",
                "q4_1",
                "-o",
            ])
            .arg(folder.file("a-{type}.gguf"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while folder.names() == before && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let kill = Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status();
        assert!(kill.is_ok());
        if child.wait().unwrap().code() == Some(130) {
            assert_eq!(folder.names(), before);
            return;
        }
        assert!(
            folder.file("a-q4_1.gguf").exists(),
            "it ended by itself, so it finished"
        );
    }
    panic!("every conversion finished before it could be interrupted");
}
