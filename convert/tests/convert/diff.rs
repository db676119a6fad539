//! What `diff` sees, and its exit codes.

use serde_json::Value as Json;
use stride_convert::gguf::GgufFile;
use stride_convert::quantize::Recipe;

use crate::support::{Folder, assert_says, run};

fn diff(folder: &Folder, first: &str, second: &str, more: &[&str]) -> (i32, String, String) {
    let (first, second) = (folder.argument(first), folder.argument(second));
    run(&[&["diff", &first, &second][..], more].concat())
}

#[test]
fn a_file_does_not_differ_from_itself() {
    let folder = Folder::new();
    folder.export(Recipe::Q4_1).unwrap();
    assert_eq!(
        diff(&folder, "out.gguf", "out.gguf", &[]),
        (0, String::new(), String::new())
    );
    let (code, stdout, _) = diff(&folder, "out.gguf", "out.gguf", &["--json"]);
    let json: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["same"]), (0, &Json::Bool(true)));
    let file = folder.read("out.gguf");
    let tensors = GgufFile::parse(&file).unwrap().tensors.len();
    assert_eq!(json["same_tensors"], tensors);
}

#[test]
fn types_and_distances_are_told() {
    let folder = Folder::new();
    std::fs::write(folder.file("f32.gguf"), folder.exported(Recipe::F32)).unwrap();
    let report = folder.export(Recipe::Q8_0).unwrap();
    let (code, stdout, _) = diff(&folder, "f32.gguf", "out.gguf", &["--json"]);
    assert_eq!(code, 1);
    let json: Json = serde_json::from_str(&stdout).unwrap();
    assert_eq!(json["same"], false);
    // The distance between the files is what the conversion reported of itself.
    let moved: Vec<_> = report
        .tensors
        .iter()
        .filter(|line| line.kind.is_quantized())
        .collect();
    let tensors = json["tensors"].as_array().unwrap();
    assert_eq!(tensors.len(), moved.len());
    for (tensor, line) in tensors.iter().zip(moved) {
        let deviation = line.deviation.unwrap();
        assert_eq!(tensor["name"], line.name.as_str());
        assert_eq!(
            (&tensor["first"]["type"], &tensor["second"]["type"]),
            (&"F32".into(), &"Q8_0".into())
        );
        assert_eq!(tensor["second"]["bytes"], line.bytes);
        let largest = tensor["largest_error"].as_f64().unwrap();
        assert_eq!(largest as f32, deviation.largest);
        let relative = tensor["relative_rms"].as_f64().unwrap();
        assert!(
            (relative - deviation.relative_rms()).abs() < 1e-9,
            "{relative}"
        );
    }
    let keys = json["metadata"].as_array().unwrap();
    let file_type = keys
        .iter()
        .find(|pair| pair["key"] == "general.file_type")
        .unwrap();
    assert_eq!(
        (&file_type["first"], &file_type["second"]),
        (&0.into(), &7.into())
    );
    let (_, stdout, _) = diff(&folder, "f32.gguf", "out.gguf", &[]);
    assert_says(
        &stdout,
        &[
            "key general.file_type\n  - 0\n  + 7\n",
            "- F32",
            "+ Q8_0",
            "relative rms",
        ],
    );
}

#[test]
fn one_weight_and_one_key_are_found() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    folder.rewrite("out.gguf", "other.gguf", |metadata| {
        metadata.remove("general.license");
        metadata.set("new", "\u{1b}[31mred");
    });
    let mut bytes = folder.read("other.gguf");
    let file = GgufFile::parse(&bytes).unwrap();
    let place = file.place(file.tensor("blk.1.ffn_norm.weight").unwrap());
    let weight = f32::from_le_bytes(bytes[place.start + 12..][..4].try_into().unwrap());
    bytes[place.start + 12..][..4].copy_from_slice(&(weight + 0.5).to_le_bytes());
    std::fs::write(folder.file("other.gguf"), bytes).unwrap();
    let (code, stdout, _) = diff(&folder, "out.gguf", "other.gguf", &[]);
    assert_eq!(code, 1);
    let expected = [
        "key general.license\n  - \"Apache-2.0\"\nkey new\n  + ",
        "tensor blk.1.ffn_norm.weight\n",
        "largest error 5.000e-1",
        "2 keys and 1 tensors differ",
    ];
    assert_says(&stdout, &expected);
    assert!(
        !stdout.contains('\u{1b}'),
        "control characters do not reach the terminal"
    );
}

#[test]
fn what_cannot_be_compared_is_neither_same_nor_different() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    for other in ["config.json", "absent.gguf"] {
        let (code, stdout, stderr) = diff(&folder, "out.gguf", other, &[]);
        assert_eq!((code, stdout.as_str()), (2, ""));
        assert_says(&stderr, &[other]);
    }
    assert_eq!(run(&["diff", &folder.argument("out.gguf")]).0, 2);
}
