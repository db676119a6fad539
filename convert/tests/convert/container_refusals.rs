//! Hand-made GGUF bytes, one test per refusal.

use stride_convert::gguf::{GgufFile, ReadErrorKind};

/// A header of two counts, then whatever the test adds.
fn header(version: u32, tensors: u64, pairs: u64) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(version.to_le_bytes());
    bytes.extend(tensors.to_le_bytes());
    bytes.extend(pairs.to_le_bytes());
    bytes
}

fn text(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text);
}

fn pair(bytes: &mut Vec<u8>, key: &[u8], kind: u32, value: &[u8]) {
    text(bytes, key);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(value);
}

fn tensor(bytes: &mut Vec<u8>, name: &str, shape: &[u64], kind: u32, offset: u64) {
    text(bytes, name.as_bytes());
    bytes.extend((shape.len() as u32).to_le_bytes());
    shape
        .iter()
        .for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
}

/// Pads to the data section and adds `len` bytes of it.
fn data(bytes: &mut Vec<u8>, len: usize) {
    bytes.resize(bytes.len().next_multiple_of(32) + len, 0);
}

#[track_caller]
fn refusal(bytes: &[u8]) -> ReadErrorKind {
    GgufFile::parse(bytes).expect_err("a refusal").kind
}

macro_rules! assert_refused {
    ($bytes:expr, $pattern:pat) => {
        let kind = refusal(&$bytes);
        assert!(matches!(kind, $pattern), "{kind:?}");
    };
}

#[test]
fn the_smallest_file_is_read() {
    let mut bytes = header(3, 1, 1);
    pair(&mut bytes, b"a", 4, &7_u32.to_le_bytes());
    tensor(&mut bytes, "t", &[8], 0, 0);
    data(&mut bytes, 32);
    let file = GgufFile::parse(&bytes).unwrap();
    assert_eq!(file.metadata.unsigned("a"), Some(7));
    assert_eq!(file.bytes(&file.tensors[0]).len(), 32);
}

#[test]
fn version_2_is_read() {
    assert_eq!(GgufFile::parse(&header(2, 0, 0)).unwrap().version, 2);
}

#[test]
fn an_empty_file() {
    assert_refused!([], ReadErrorKind::Magic);
}

#[test]
fn another_magic() {
    assert_refused!(*b"GGML\x03\0\0\0", ReadErrorKind::Magic);
}

#[test]
fn version_1_and_version_4() {
    assert_refused!(header(1, 0, 0), ReadErrorKind::Version(1));
    assert_refused!(header(4, 0, 0), ReadErrorKind::Version(4));
}

#[test]
fn a_big_endian_file() {
    assert_refused!(header(3_u32.swap_bytes(), 0, 0), ReadErrorKind::BigEndian);
}

#[test]
fn a_header_that_is_cut() {
    assert_refused!(header(3, 0, 0)[..20], ReadErrorKind::Truncated { .. });
}

#[test]
fn more_pairs_than_bytes() {
    assert_refused!(
        header(3, 0, u64::MAX),
        ReadErrorKind::Count {
            what: "metadata pairs",
            ..
        }
    );
}

#[test]
fn more_tensors_than_bytes() {
    assert_refused!(
        header(3, u64::MAX, 0),
        ReadErrorKind::Count {
            what: "tensors",
            ..
        }
    );
}

#[test]
fn a_key_longer_than_the_file() {
    let mut bytes = header(3, 0, 1);
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.extend([0; 16]);
    assert_refused!(bytes, ReadErrorKind::Truncated { .. });
}

#[test]
fn an_empty_key() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, b"", 0, &[0; 8]);
    assert_refused!(bytes, ReadErrorKind::Length { .. });
}

#[test]
fn a_key_that_is_too_long() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, &[b'k'; 65_536], 0, &[0]);
    assert_refused!(bytes, ReadErrorKind::Length { len: 65_536, .. });
}

#[test]
fn a_key_that_is_not_utf8() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, b"\xff\xfe", 0, &[0; 8]);
    assert_refused!(bytes, ReadErrorKind::Utf8(_));
}

#[test]
fn a_key_that_stands_twice() {
    let mut bytes = header(3, 0, 2);
    pair(&mut bytes, b"a", 0, &[1]);
    pair(&mut bytes, b"a", 0, &[2]);
    assert_refused!(bytes, ReadErrorKind::DuplicateKey(_));
}

#[test]
fn an_unknown_value_type() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, b"a", 13, &[0; 8]);
    assert_refused!(bytes, ReadErrorKind::ValueType(13));
}

#[test]
fn a_boolean_of_two() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, b"a", 7, &[2]);
    assert_refused!(bytes, ReadErrorKind::Bool(2));
}

#[test]
fn an_array_longer_than_the_file() {
    let mut bytes = header(3, 0, 1);
    let mut value = 10_u32.to_le_bytes().to_vec();
    value.extend((u64::MAX / 8).to_le_bytes());
    pair(&mut bytes, b"a", 9, &value);
    assert_refused!(
        bytes,
        ReadErrorKind::Count {
            what: "array elements",
            ..
        }
    );
}

#[test]
fn arrays_nested_without_end() {
    let mut bytes = header(3, 0, 1);
    let mut value = Vec::new();
    for _ in 0..10_000 {
        value.extend(9_u32.to_le_bytes());
        value.extend(1_u64.to_le_bytes());
    }
    pair(&mut bytes, b"a", 9, &value);
    assert_refused!(bytes, ReadErrorKind::Nesting(_));
}

#[test]
fn an_alignment_that_is_no_power_of_two() {
    for bad in [0_u32, 7, 24, 1 << 20] {
        let mut bytes = header(3, 0, 1);
        pair(&mut bytes, b"general.alignment", 4, &bad.to_le_bytes());
        assert_refused!(bytes, ReadErrorKind::Alignment(_));
    }
}

#[test]
fn a_tensor_that_stands_twice() {
    let mut bytes = header(3, 2, 0);
    tensor(&mut bytes, "t", &[8], 0, 0);
    tensor(&mut bytes, "t", &[8], 0, 32);
    data(&mut bytes, 64);
    assert_refused!(bytes, ReadErrorKind::DuplicateTensor(_));
}

#[test]
fn a_tensor_name_of_64_bytes() {
    let mut bytes = header(3, 1, 0);
    tensor(&mut bytes, &"n".repeat(64), &[8], 0, 0);
    data(&mut bytes, 32);
    assert_refused!(bytes, ReadErrorKind::Length { len: 64, .. });
}

#[test]
fn no_dimension_and_five_dimensions() {
    for shape in [&[][..], &[1, 1, 1, 1, 1]] {
        let mut bytes = header(3, 1, 0);
        tensor(&mut bytes, "t", shape, 0, 0);
        data(&mut bytes, 64);
        assert_refused!(bytes, ReadErrorKind::Dimensions { .. });
    }
}

#[test]
fn a_tensor_type_that_was_removed() {
    let mut bytes = header(3, 1, 0);
    tensor(&mut bytes, "t", &[32], 4, 0);
    data(&mut bytes, 64);
    assert_refused!(bytes, ReadErrorKind::TensorType { id: 4, .. });
}

#[test]
fn shapes_that_overflow_are_empty_or_split_a_block() {
    for (shape, kind) in [
        (&[u64::MAX, 2][..], 0),
        (&[1 << 32, 1 << 32], 0),
        (&[0, 4], 0),
        (&[0, u64::MAX, u64::MAX], 0),
        (&[33], 8),
    ] {
        let mut bytes = header(3, 1, 0);
        tensor(&mut bytes, "t", shape, kind, 0);
        data(&mut bytes, 64);
        assert_refused!(bytes, ReadErrorKind::Shape { .. });
    }
}

#[test]
fn a_tensor_off_the_alignment() {
    let mut bytes = header(3, 1, 0);
    tensor(&mut bytes, "t", &[8], 0, 8);
    data(&mut bytes, 64);
    assert_refused!(bytes, ReadErrorKind::Misaligned { offset: 8, .. });
}

#[test]
fn a_tensor_beyond_the_file() {
    for offset in [32, u64::MAX - 31] {
        let mut bytes = header(3, 1, 0);
        tensor(&mut bytes, "t", &[8], 0, offset);
        data(&mut bytes, 32);
        assert_refused!(bytes, ReadErrorKind::OutOfFile { .. });
    }
}

#[test]
fn tensors_that_overlap() {
    let mut bytes = header(3, 2, 0);
    tensor(&mut bytes, "inner", &[8], 0, 32);
    tensor(&mut bytes, "outer", &[32], 0, 0);
    data(&mut bytes, 128);
    let ReadErrorKind::Overlap { first, second } = refusal(&bytes) else {
        panic!("an overlap");
    };
    assert_eq!((first.as_str(), second.as_str()), ("outer", "inner"));
}

#[test]
fn an_error_names_the_place() {
    let mut bytes = header(3, 0, 1);
    pair(&mut bytes, b"a", 13, &[0; 8]);
    let text = GgufFile::parse(&bytes).unwrap_err().to_string();
    assert_eq!(
        text,
        "at byte 37: value type 13 is unknown (0 to 12 are known)"
    );
}
