//! GGUF to GGUF: the same bytes as from the checkpoint, metadata that is kept, and what is refused.

use stride_convert::gguf::{GgufFile, TensorType, Value};
use stride_convert::quantize::Recipe;

use crate::support::{Folder, assert_says, run};

fn requantize(folder: &Folder, from: &str, to: &str, more: &[&str]) -> (i32, String, String) {
    let (from, to) = (folder.argument(from), folder.argument(to));
    run(&[&["requantize", &from, "-o", &to, "--force"][..], more].concat())
}

/// Whatever the type, a file made of an exact GGUF has the tensors of one that is made of the checkpoint.
#[test]
fn the_tensors_are_those_of_a_direct_export() {
    let folder = Folder::new();
    std::fs::write(folder.file("f32.gguf"), folder.exported(Recipe::F32)).unwrap();
    for recipe in Recipe::ALL {
        let (code, _, stderr) = requantize(&folder, "f32.gguf", "to.gguf", &["-t", recipe.name()]);
        assert_eq!(code, 0, "{stderr}");
        let (direct, made) = (folder.exported(recipe), folder.read("to.gguf"));
        let (direct, made) = (
            GgufFile::parse(&direct).unwrap(),
            GgufFile::parse(&made).unwrap(),
        );
        assert_eq!(direct.tensors, made.tensors, "{recipe}");
        for tensor in &direct.tensors {
            assert_eq!(
                direct.bytes(tensor),
                made.bytes(tensor),
                "{recipe} {}",
                tensor.name
            );
        }
        let key = |file: &GgufFile<'_>| file.metadata.unsigned("general.file_type");
        assert_eq!(key(&direct), key(&made), "{recipe}");
    }
}

#[test]
fn metadata_is_kept_but_for_what_the_change_makes_untrue() {
    let folder = Folder::new();
    folder.export(Recipe::F16).unwrap();
    folder.rewrite("out.gguf", "in.gguf", |metadata| {
        metadata.set("somebody.else", "unknown here");
    });
    let more = ["-t", "q8_0", "--tensor-type", "ffn_down=f16"];
    assert_eq!(requantize(&folder, "in.gguf", "to.gguf", &more).0, 0);
    let (before, after) = (folder.read("in.gguf"), folder.read("to.gguf"));
    let before = GgufFile::parse(&before).unwrap().metadata;
    let after = GgufFile::parse(&after).unwrap().metadata;
    let changed = [
        "stride.source.files",
        "stride.source.sha256",
        "stride.recipe",
        "general.file_type",
    ];
    for (key, value) in before.iter().filter(|(key, _)| !changed.contains(key)) {
        assert_eq!(after.get(key), Some(value), "{key}");
    }
    assert_eq!(after.unsigned("general.file_type"), Some(7));
    assert_eq!(after.text("stride.recipe"), Some("q8_0"));
    assert_eq!(
        after.texts("stride.recipe.overrides"),
        Some(&["ffn_down=f16".to_owned()][..])
    );
    assert_eq!(
        after.texts("stride.source.files"),
        Some(&["in.gguf".to_owned()][..])
    );
    assert_eq!(
        after.get("stride.origin.files"),
        before.get("stride.source.files")
    );
    assert_eq!(
        after.get("stride.origin.sha256"),
        before.get("stride.source.sha256")
    );
    // sha256sum of the input.
    let digest = {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(folder.read("in.gguf"));
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    assert_eq!(after.texts("stride.source.sha256"), Some(&[digest][..]));
    // Once more: the first origin stays, and the same command gives the same bytes.
    assert_eq!(
        requantize(&folder, "to.gguf", "again.gguf", &["-t", "f16"]).0,
        0
    );
    let again = folder.read("again.gguf");
    let again = GgufFile::parse(&again).unwrap().metadata;
    assert_eq!(
        again.get("stride.origin.files"),
        before.get("stride.source.files")
    );
    assert_eq!(again.get("stride.recipe.overrides"), None);
    let first = folder.read("to.gguf");
    assert_eq!(requantize(&folder, "in.gguf", "to.gguf", &more).0, 0);
    assert_eq!(folder.read("to.gguf"), first);
}

#[test]
fn quantizing_twice_is_refused_unless_it_is_wanted() {
    let folder = Folder::new();
    folder.export(Recipe::Q8_0).unwrap();
    let before = folder.names();
    let (code, _, stderr) = requantize(&folder, "out.gguf", "to.gguf", &["-t", "q4_0"]);
    assert_eq!(code, 1);
    assert_says(
        &stderr,
        &["Q8_0", "Q4_0", "adds its error", "--allow-requantize"],
    );
    let (code, _, stderr) =
        requantize(&folder, "out.gguf", "to.gguf", &["-t", "q4_0", "--dry-run"]);
    assert_eq!(code, 1, "{stderr}");
    assert_eq!(folder.names(), before);
    let more = ["-t", "q4_0", "--allow-requantize"];
    assert_eq!(requantize(&folder, "out.gguf", "to.gguf", &more).0, 0);
    // What stays as it is, or is written out in full, is not quantized twice.
    for recipe in ["q8_0", "f32", "f16"] {
        assert_eq!(
            requantize(&folder, "out.gguf", "to.gguf", &["-t", recipe]).0,
            0,
            "{recipe}"
        );
    }
}

#[test]
fn a_dry_run_tells_the_size_and_writes_nothing() {
    let folder = Folder::new();
    folder.export(Recipe::F32).unwrap();
    let before = folder.names();
    let (code, stdout, _) =
        requantize(&folder, "out.gguf", "to.gguf", &["-t", "q5_1", "--dry-run"]);
    assert_eq!(code, 0);
    assert_eq!(folder.names(), before);
    assert_eq!(
        requantize(&folder, "out.gguf", "to.gguf", &["-t", "q5_1"]).0,
        0
    );
    let bytes = folder.read("to.gguf").len();
    assert_says(&stdout, &["would write", &format!("{bytes} bytes")]);
}

#[test]
fn another_alignment_is_read_and_not_kept() {
    let folder = Folder::new();
    folder.export(Recipe::F16).unwrap();
    folder.rewrite("out.gguf", "in.gguf", |metadata| {
        metadata.set("general.alignment", 32_u32);
    });
    // Tensors that lie at multiples of 32 lie at multiples of 16 as well.
    let mut bytes = folder.read("in.gguf");
    let key = b"general.alignment";
    let at = bytes
        .windows(key.len())
        .position(|part| part == key)
        .unwrap()
        + key.len()
        + 4;
    bytes[at..at + 4].copy_from_slice(&16_u32.to_le_bytes());
    std::fs::write(folder.file("in.gguf"), bytes).unwrap();
    assert_eq!(
        requantize(&folder, "in.gguf", "to.gguf", &["-t", "q8_0"]).0,
        0
    );
    let made = folder.read("to.gguf");
    assert_eq!(
        GgufFile::parse(&made)
            .unwrap()
            .metadata
            .get("general.alignment"),
        None
    );
}

/// A type without a decoder is copied where it stays, and refused where it would change.
#[test]
fn what_cannot_be_decoded_is_refused_by_name() {
    let folder = Folder::new();
    folder.export(Recipe::Q4_0).unwrap();
    // Q4_0 and IQ4_NL have blocks of the same size.
    let mut bytes = folder.read("out.gguf");
    let name = b"blk.0.ffn_up.weight";
    let at = bytes
        .windows(name.len())
        .position(|part| part == name)
        .unwrap()
        + name.len();
    let kind = at + 4 + 2 * 8;
    assert_eq!(bytes[kind..kind + 4], TensorType::Q4_0.id().to_le_bytes());
    bytes[kind..kind + 4].copy_from_slice(&TensorType::IQ4_NL.id().to_le_bytes());
    std::fs::write(folder.file("in.gguf"), bytes).unwrap();
    let before = folder.names();
    let (code, _, stderr) = requantize(&folder, "in.gguf", "to.gguf", &["-t", "f32"]);
    assert_eq!(code, 1);
    assert_says(
        &stderr,
        &["blk.0.ffn_up.weight", "IQ4_NL", "cannot be decoded"],
    );
    assert_eq!(folder.names(), before);
}

#[test]
fn a_weight_that_is_no_number_is_named() {
    let folder = Folder::new();
    folder.export(Recipe::F16).unwrap();
    let mut bytes = folder.read("out.gguf");
    let file = GgufFile::parse(&bytes).unwrap();
    let place = file.place(file.tensor("blk.1.attn_k.weight").unwrap());
    bytes[place.start + 2 * 70..][..2].copy_from_slice(&0x7e00_u16.to_le_bytes());
    std::fs::write(folder.file("in.gguf"), bytes).unwrap();
    let before = folder.names();
    for recipe in ["q8_0", "f16"] {
        let (code, _, stderr) = requantize(&folder, "in.gguf", "to.gguf", &["-t", recipe]);
        assert_eq!(code, 1, "{recipe}");
        assert_says(&stderr, &["blk.1.attn_k.weight", "weight 70", "NaN"]);
    }
    assert_eq!(folder.names(), before);
}

#[test]
fn an_unknown_file_type_key_is_brought_up_to_date() {
    let folder = Folder::new();
    folder.export(Recipe::F16).unwrap();
    folder.rewrite("out.gguf", "in.gguf", |metadata| {
        metadata.remove("general.file_type");
        metadata.remove("general.quantization_version");
    });
    assert_eq!(
        requantize(&folder, "in.gguf", "to.gguf", &["-t", "q5_0"]).0,
        0
    );
    let made = folder.read("to.gguf");
    let metadata = GgufFile::parse(&made).unwrap().metadata;
    assert_eq!(metadata.get("general.file_type"), Some(&Value::U32(8)));
    assert_eq!(
        metadata.get("general.quantization_version"),
        Some(&Value::U32(2))
    );
}
