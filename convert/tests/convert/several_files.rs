//! A GGUF in several files as a source, and files that only say so.

use stride_convert::gguf::{Metadata, Value};
use stride_convert::stored::StoredModel;

use crate::support::{Folder, assert_says, run};

/// A model in files of at most 40,000 bytes, `cut-00001-of-0000N.gguf`, and in one, `whole.gguf`; with the names.
fn cut() -> (Folder, Vec<String>) {
    let folder = Folder::new();
    let source = folder.path().display().to_string();
    let (whole, cut) = (folder.argument("whole.gguf"), folder.argument("cut.gguf"));
    assert_eq!(run(&["export", &source, "-o", &whole, "-t", "f16"]).0, 0);
    let split = [
        "export",
        &source,
        "-o",
        &cut,
        "-t",
        "f16",
        "--split-max-size",
        "40K",
    ];
    assert_eq!(run(&split).0, 0);
    let names = folder
        .names()
        .into_iter()
        .filter(|name| name.starts_with("cut-"));
    let names: Vec<String> = names.collect();
    assert!(names.len() > 2);
    (folder, names)
}

#[track_caller]
fn refusal(folder: &Folder, name: &str) -> String {
    StoredModel::open(&folder.file(name))
        .expect_err("a refusal")
        .to_string()
}

fn replace(folder: &Folder, name: &str, change: impl FnOnce(&mut Metadata)) {
    folder.rewrite(name, name, change);
}

#[test]
fn several_files_are_the_model_that_one_is() {
    let (folder, names) = cut();
    let (first, whole) = (folder.argument(&names[0]), folder.argument("whole.gguf"));
    let (code, stdout, stderr) = run(&["diff", &first, &whole]);
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "", ""));
    let (of_one, of_many) = (folder.argument("one.gguf"), folder.argument("many.gguf"));
    assert_eq!(
        run(&["requantize", &whole, "-o", &of_one, "-t", "q4_1"]).0,
        0
    );
    assert_eq!(
        run(&["requantize", &first, "-o", &of_many, "-t", "q4_1"]).0,
        0
    );
    // They were made of other files, and say so; nothing else differs.
    let (code, stdout, _) = run(&["diff", &of_one, &of_many, "--json"]);
    assert_eq!(code, 1);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let keys = json["metadata"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pair| pair["key"].as_str().unwrap());
    assert_eq!(
        keys.collect::<Vec<_>>(),
        ["stride.source.files", "stride.source.sha256"]
    );
    assert_eq!(json["tensors"].as_array().unwrap().len(), 0);
    let model = StoredModel::open(&folder.file("many.gguf")).unwrap();
    assert_eq!(
        model.metadata.texts("stride.source.files"),
        Some(&names[..])
    );
}

#[test]
fn another_file_than_the_first_is_refused() {
    let (folder, names) = cut();
    assert_says(
        &refusal(&folder, &names[1]),
        &[&names[1], "name that one", "split.no is 1"],
    );
}

#[test]
fn a_missing_or_cut_file_is_named() {
    let (folder, names) = cut();
    let bytes = folder.read(&names[2]);
    std::fs::write(folder.file(&names[2]), &bytes[..bytes.len() - 33]).unwrap();
    assert_says(
        &refusal(&folder, &names[0]),
        &[&names[2], "the data of tensor", "ends at"],
    );
    std::fs::remove_file(folder.file(&names[2])).unwrap();
    assert_says(&refusal(&folder, &names[0]), &["cannot read", &names[2]]);
}

#[test]
fn counts_that_lie_are_refused() {
    let (folder, names) = cut();
    let original = folder.read(&names[0]);
    let lie = |key: &str, value: Value| {
        std::fs::write(folder.file(&names[0]), &original).unwrap();
        replace(&folder, &names[0], |metadata| {
            metadata.set(key, value);
        });
        refusal(&folder, &names[0])
    };
    let count = names.len() as u16;
    // The names of the others follow from the count; with a wrong one, that of the first does not fit.
    assert_says(
        &lie("split.count", Value::U16(count + 1)),
        &["its name does not end in"],
    );
    assert_says(
        &lie("split.count", Value::U16(0)),
        &["number of files is not 1 to 1024"],
    );
    assert_says(
        &lie("split.count", Value::U16(65_535)),
        &["number of files is not 1 to 1024"],
    );
    assert_says(
        &lie("split.count", Value::I32(-1)),
        &["number of files is not 1 to 1024"],
    );
    assert_says(
        &lie("split.count", "3".into()),
        &["number of files is not 1 to 1024"],
    );
    assert_says(&lie("split.no", Value::U16(7)), &["split.no is 7"]);
    assert_says(
        &lie("split.tensors.count", Value::I32(3)),
        &["tensors and not 3"],
    );
    std::fs::write(folder.file(&names[0]), &original).unwrap();
    replace(&folder, &names[1], |metadata| {
        metadata.remove("split.no");
    });
    assert_says(
        &refusal(&folder, &names[0]),
        &[&names[1], "split.no is absent"],
    );
}

/// A file under the name of another, by copy or by link, is not taken twice.
#[test]
fn names_that_lead_in_a_circle_are_refused() {
    let (folder, names) = cut();
    std::fs::remove_file(folder.file(&names[1])).unwrap();
    std::fs::hard_link(folder.file(&names[0]), folder.file(&names[1])).unwrap();
    assert_says(&refusal(&folder, &names[0]), &[&names[1], "split.no is 0"]);
    // The same tensors under a number that fits.
    std::fs::remove_file(folder.file(&names[1])).unwrap();
    folder.rewrite(&names[2], &names[1], |metadata| {
        metadata.set("split.no", Value::U16(1));
    });
    replace(&folder, &names[0], |metadata| {
        metadata.remove("split.tensors.count");
    });
    assert_says(&refusal(&folder, &names[0]), &["stands in two of them"]);
}

#[test]
fn one_of_one_is_a_model() {
    let (folder, _) = cut();
    folder.rewrite("whole.gguf", "one.gguf", |metadata| {
        metadata.set("split.no", Value::U16(0));
        metadata.set("split.count", Value::U16(1));
    });
    let model = StoredModel::open(&folder.file("one.gguf")).unwrap();
    assert_eq!(model.metadata.get("split.count"), None);
    let (one, whole) = (folder.argument("one.gguf"), folder.argument("whole.gguf"));
    assert_eq!(run(&["diff", &one, &whole]).0, 0);
}
