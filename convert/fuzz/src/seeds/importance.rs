//! Importance matrices of both forms, and what is refused.

use stride_convert::gguf::{Metadata, TensorType};

use super::{Seed, Tensor, gguf_of};

pub(super) fn all(seeds: &mut Vec<Seed>) {
    let mut add = |name: &str, bytes: Vec<u8>| seeds.push((format!("importance/{name}"), bytes));
    let pair = ("blk.0.attn_q.weight", [2.0_f32, 4.0]);
    let old = legacy(&[(pair.0, 3, &pair.1), ("output.weight", 0, &[1.0])]);
    add("old-short", old.clone());
    add("old", [&old[..], &tail(7, b"a text")].concat());
    add("old-counts", legacy(&[(pair.0, -1, &pair.1)]));
    add("empty", Vec::new());
    add("refused-none", 0_i32.to_le_bytes().to_vec());
    add("refused-cut", old[..old.len() - 3].to_vec());
    add(
        "refused-twice",
        legacy(&[("a", 1, &[1.0]), ("a", 1, &[1.0])]),
    );
    add("refused-negative", legacy(&[("a", 1, &[-1.0])]));
    add("refused-nan", legacy(&[("a", 1, &[f32::NAN])]));
    add("refused-name", legacy(&[(&"a".repeat(5000), 1, &[1.0])]));
    add("refused-utf8", {
        let mut bytes = legacy(&[("ab", 1, &[1.0])]);
        bytes[8] = 0xff;
        bytes
    });
    for (name, at) in [("entries", 0), ("length", 4), ("columns", 13)] {
        let mut bytes = legacy(&[("a", 1, &[1.0, 2.0])]);
        bytes[at..at + 4].copy_from_slice(&i32::MAX.to_le_bytes());
        add(&format!("refused-{name}"), bytes);
    }
    let tensor = |name: &'static str, columns: &[u64]| (name, columns.to_vec(), TensorType::F32);
    let (sums, counts) = ("a.weight.in_sum2", "a.weight.counts");
    for (name, keys, tensors) in [
        ("gguf", true, vec![tensor(sums, &[4]), tensor(counts, &[1])]),
        (
            "gguf-slices",
            true,
            vec![tensor(counts, &[1, 2]), tensor(sums, &[4, 2])],
        ),
        ("refused-keys", false, vec![tensor(sums, &[4])]),
        ("refused-empty", true, vec![tensor("a.weight", &[4])]),
        ("refused-alone", true, vec![tensor(sums, &[4])]),
        (
            "refused-uneven",
            true,
            vec![tensor(sums, &[3]), tensor(counts, &[2])],
        ),
        (
            "refused-type",
            true,
            vec![(sums, vec![4], TensorType::F16), tensor(counts, &[1])],
        ),
    ] {
        add(name, gguf_form(keys, &tensors));
    }
}

/// Numbers that are small and positive: the bytes that the other files hold make huge ones.
fn gguf_form(keys: bool, tensors: &[Tensor]) -> Vec<u8> {
    let mut metadata = Metadata::new();
    metadata.set("general.type", "imatrix");
    if keys {
        metadata.set("imatrix.datasets", vec!["text".to_owned()]);
        metadata.set("imatrix.chunk_count", 2_u32);
        metadata.set("imatrix.chunk_size", 512_u32);
    }
    gguf_of(&metadata, tensors, |at| 1.0_f32.to_le_bytes()[at % 4])
}

fn legacy(entries: &[(&str, i32, &[f32])]) -> Vec<u8> {
    let mut bytes = (entries.len() as i32).to_le_bytes().to_vec();
    for (name, calls, sums) in entries {
        bytes.extend((name.len() as i32).to_le_bytes());
        bytes.extend(name.as_bytes());
        bytes.extend(calls.to_le_bytes());
        bytes.extend((sums.len() as i32).to_le_bytes());
        bytes.extend(sums.iter().flat_map(|sum| sum.to_le_bytes()));
    }
    bytes
}

/// Chunks, and the name of a text.
fn tail(chunks: i32, text: &[u8]) -> Vec<u8> {
    let len = text.len() as i32;
    [&chunks.to_le_bytes()[..], &len.to_le_bytes(), text].concat()
}
