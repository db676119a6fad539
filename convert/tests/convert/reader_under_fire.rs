//! Random bytes, cut files and flipped bits: the readers refuse or read, they never panic.

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::*;
use stride_convert::gguf::{Array, GgufFile, GgufWriter, Metadata, TensorInfo, TensorType, Value};
use stride_convert::inspect::{self, Page};
use stride_convert::quantize::Recipe;
use stride_convert::source::{ModelConfig, PolicyCard, Tokenizer, Weights};

use crate::support::Folder;

static VALID: LazyLock<Vec<u8>> = LazyLock::new(|| Folder::new().exported(Recipe::Q4_0));

/// A small file with every kind of value, so that a flipped bit often matters.
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut metadata = Metadata::new();
    metadata.set("b", Value::Bool(true));
    metadata.set("s", "text\u{1b}[31m");
    metadata.set("n", Value::Array(Array::Array(vec![Array::U8(vec![1, 2])])));
    metadata.set("t", vec!["a".to_owned(), String::new()]);
    metadata.set("f", Value::F64(f64::NAN));
    metadata.set("stride.card", "card\u{7}\n");
    let tensor = TensorInfo {
        name: "t".into(),
        shape: vec![32, 2],
        kind: TensorType::Q8_0,
    };
    let mut writer = GgufWriter::start(Vec::new(), &metadata, &[tensor]).unwrap();
    writer.write(&[1; 68]).unwrap();
    writer.end_tensor().unwrap();
    writer.finish().unwrap()
});

/// Reads, and prints in all ways what was read.
fn look(bytes: &[u8]) {
    if let Ok(file) = GgufFile::parse(bytes) {
        for tensor in &file.tensors {
            assert_eq!(file.bytes(tensor).len() as u64, tensor.bytes);
        }
        let page = Page {
            file: &file,
            file_bytes: bytes.len() as u64,
            all: true,
        };
        let page = page.to_string();
        assert!(
            page.chars()
                .all(|symbol| symbol == '\n' || !symbol.is_control())
        );
        let _ = inspect::to_json(&file, bytes.len() as u64, true).to_string();
        let _ = inspect::card(&file);
    }
}

#[test]
fn every_prefix_of_a_valid_file_is_refused() {
    GgufFile::parse(&VALID).unwrap();
    // The last tensor's padding may be missing; everything before it may not.
    for len in (0..VALID.len() - 32).step_by(7) {
        assert!(GgufFile::parse(&VALID[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn every_flipped_bit_is_refused_or_read() {
    for at in 0..SMALL.len() {
        for bit in 0..8 {
            let mut bytes = SMALL.clone();
            bytes[at] ^= 1 << bit;
            look(&bytes);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        look(&bytes);
        let mut with_magic = b"GGUF\x03\0\0\0".to_vec();
        with_magic.extend(bytes);
        look(&with_magic);
    }

    #[test]
    fn small_numbers_after_the_magic_never_panic(
        words in prop::collection::vec(prop_oneof![0_u64..16, any::<u64>()], 0..64),
    ) {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        look(&bytes);
    }

    #[test]
    fn overwritten_places_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = SMALL.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        look(&bytes);
    }

    #[test]
    fn random_source_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let path = Path::new("hostile");
        let _ = ModelConfig::parse(path, &bytes);
        let _ = Tokenizer::parse(path, &bytes);
        let _ = PolicyCard::parse(path, &bytes);
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut weights = (bytes.len() as u64 / 2).to_le_bytes().to_vec();
        weights.extend(&bytes);
        std::fs::write(file.path(), &weights).unwrap();
        let _ = Weights::open(file.path());
    }
}
