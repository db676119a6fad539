//! Both forms of an importance matrix, made by hand, and what is refused.

use proptest::prelude::*;

use super::{ImportanceError, ImportanceMatrix};
use crate::gguf::{GgufWriter, Metadata, TensorInfo, TensorType};

/// The GGUF form: name of a tensor and its numbers.
fn gguf(tensors: &[(&str, &[f32])], keys: bool) -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.set("general.type", "imatrix");
    if keys {
        metadata.set("imatrix.datasets", vec!["wiki.txt".to_owned()]);
        metadata.set("imatrix.chunk_count", 5_u32);
        metadata.set("imatrix.chunk_size", 512_u32);
    }
    let infos: Vec<TensorInfo> = tensors
        .iter()
        .map(|(name, numbers)| TensorInfo {
            name: (*name).to_owned(),
            shape: vec![numbers.len() as u64],
            kind: TensorType::F32,
        })
        .collect();
    let mut bytes = Vec::new();
    let mut writer = GgufWriter::start(&mut bytes, &metadata, &infos).unwrap();
    for (_, numbers) in tensors {
        for number in *numbers {
            writer.write(&number.to_le_bytes()).unwrap();
        }
        writer.end_tensor().unwrap();
    }
    writer.finish().unwrap();
    bytes
}

/// The old form: name, how often it was measured, sums.
fn legacy(entries: &[(&str, i32, &[f32])], tail: &[u8]) -> Vec<u8> {
    let mut bytes = (entries.len() as i32).to_le_bytes().to_vec();
    for (name, calls, sums) in entries {
        bytes.extend((name.len() as i32).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(calls.to_le_bytes());
        bytes.extend((sums.len() as i32).to_le_bytes());
        bytes.extend(sums.iter().flat_map(|sum| sum.to_le_bytes()));
    }
    bytes.extend(tail);
    bytes
}

fn refusal(bytes: &[u8]) -> String {
    ImportanceMatrix::parse(bytes, "x").unwrap_err().to_string()
}

#[test]
fn the_gguf_form_holds_means_slice_by_slice() {
    let bytes = gguf(
        &[
            ("a.weight.in_sum2", &[2.0, 4.0, 0.0, 8.0, 7.0, 7.0]),
            // The second slice (expert) was never measured.
            ("a.weight.counts", &[2.0, 0.0, 4.2]),
            ("b.weight.counts", &[1.0]),
            ("b.weight.in_sum2", &[3.0]),
        ],
        true,
    );
    let matrix = ImportanceMatrix::parse(&bytes, "m.gguf").unwrap();
    assert_eq!(
        matrix.of("a.weight"),
        Some(&[1.0, 2.0, 1.0, 1.0, 1.75, 1.75][..])
    );
    assert_eq!(matrix.of("b.weight"), Some(&[3.0][..]));
    assert_eq!(matrix.of("c.weight"), None);
    assert_eq!((matrix.len(), matrix.chunks), (2, 5));
    assert_eq!(matrix.dataset.as_deref(), Some("wiki.txt"));
    // Row 5 of slices of 2 rows lies in the third.
    assert_eq!(matrix.row("a.weight", 5, 2, 2), Some(&[1.75, 1.75][..]));
    assert_eq!(matrix.row("a.weight", 6, 2, 2), None);
}

#[test]
fn the_old_form_may_end_early() {
    let entries: [(&str, i32, &[f32]); 2] = [("a", 4, &[2.0, 4.0]), ("b", 0, &[3.0])];
    let matrix = ImportanceMatrix::parse(&legacy(&entries, &[]), "m.dat").unwrap();
    assert_eq!(matrix.of("a"), Some(&[0.5, 1.0][..]));
    assert_eq!(matrix.of("b"), Some(&[3.0][..]));
    assert_eq!((matrix.chunks, &matrix.dataset), (0, &None));
    let tail = [7, 0, 0, 0, 2, 0, 0, 0, b'h', b'i'];
    let matrix = ImportanceMatrix::parse(&legacy(&entries, &tail), "m.dat").unwrap();
    assert_eq!((matrix.chunks, matrix.dataset.as_deref()), (7, Some("hi")));
}

#[test]
fn what_is_no_importance_matrix_is_refused() {
    assert!(refusal(b"").contains("needs 4 bytes, but 0 remain"));
    assert!(refusal(&0_i32.to_le_bytes()).contains("a count of entries is 0"));
    // Two billion columns are claimed, and eight bytes are there.
    let mut lying = legacy(&[("a", 1, &[1.0, 2.0])], &[]);
    lying[13..17].copy_from_slice(&i32::MAX.to_le_bytes());
    assert!(refusal(&lying).contains("the sums needs 8589934588 bytes, but 8 remain"));
    assert!(refusal(&legacy(&[("a", 1, &[-1.0])], &[])).contains("column 0 of \"a\" is -1"));
    assert!(refusal(&legacy(&[("a", 1, &[1.0, f32::NAN])], &[])).contains("column 1"));
    assert!(refusal(&legacy(&[("a", 1, &[1.0]), ("a", 1, &[1.0])], &[])).contains("twice"));
    assert!(refusal(&legacy(&[(&"a".repeat(5000), 1, &[1.0])], &[])).contains("5000 bytes"));
    let whole = legacy(&[("ab", 1, &[1.0])], &[]);
    for end in 0..whole.len() {
        assert!(
            ImportanceMatrix::parse(&whole[..end], "x").is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn a_gguf_of_something_else_is_refused() {
    let pair: [(&str, &[f32]); 2] = [("a.in_sum2", &[1.0]), ("a.counts", &[1.0])];
    assert!(refusal(&gguf(&pair, false)).contains("imatrix.datasets"));
    assert!(refusal(&gguf(&pair[..1], true)).contains("one of the two is missing"));
    assert!(refusal(&gguf(&[("blk.0.attn_q.weight", &[1.0])], true)).contains("NAME.in_sum2"));
    let uneven: [(&str, &[f32]); 2] = [("a.in_sum2", &[1.0; 3]), ("a.counts", &[1.0; 2])];
    assert!(refusal(&gguf(&uneven, true)).contains("3 sums and 2 counts"));
    let parsed = ImportanceMatrix::parse(b"GGUF", "x");
    assert!(
        matches!(parsed, Err(ImportanceError::Gguf(_))),
        "{parsed:?}"
    );
}

proptest! {
    #[test]
    fn damaged_files_are_refused_or_read_but_never_trusted(
        at: prop::sample::Index,
        byte: u8,
        old: bool,
        end: prop::sample::Index,
    ) {
        let mut bytes = if old {
            legacy(&[("a.weight", 4, &[2.0, 4.0]), ("b.weight", 1, &[3.0])], &[1, 0, 0, 0])
        } else {
            gguf(&[("a.in_sum2", &[1.0, 2.0]), ("a.counts", &[1.0])], true)
        };
        let place = at.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(1 + end.index(bytes.len()));
        // What is read was in the file.
        if let Ok(matrix) = ImportanceMatrix::parse(&bytes, "x") {
            let numbers: usize = matrix.entries.values().map(Vec::len).sum();
            prop_assert!(numbers * 4 <= bytes.len());
            prop_assert!(matrix.entries.values().flatten().all(|value| *value >= 0.0));
        }
    }
}
