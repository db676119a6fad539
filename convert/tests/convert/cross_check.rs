//! What is written, as the crate `gguf` (another author's reader) sees it.

use gguf::{GGMLType, GGUFFile, GGUFMetadataValue};
use stride_convert::gguf::GgufFile;
use stride_convert::quantize::Recipe;

use crate::support::Folder;

#[test]
fn another_reader_sees_the_same_file() {
    let bytes = Folder::new().exported(Recipe::Q4_0);
    let ours = GgufFile::parse(&bytes).unwrap();
    let theirs = GGUFFile::read(&bytes).unwrap().expect("a whole file");
    assert_eq!(theirs.header.version, 3);

    let keys: Vec<&str> = ours.metadata.iter().map(|(key, _)| key).collect();
    let their_keys: Vec<&str> = theirs
        .header
        .metadata
        .iter()
        .map(|pair| pair.key.as_str())
        .collect();
    assert_eq!(keys, their_keys);
    for pair in &theirs.header.metadata {
        match &pair.value {
            GGUFMetadataValue::String(text) => {
                assert_eq!(ours.metadata.text(&pair.key), Some(text.as_str()))
            }
            GGUFMetadataValue::Uint32(number) => {
                assert_eq!(ours.metadata.unsigned(&pair.key), Some(u64::from(*number)));
            }
            _ => {}
        }
    }

    assert_eq!(ours.tensors.len(), theirs.tensors.len());
    for (our, their) in ours.tensors.iter().zip(&theirs.tensors) {
        assert_eq!(our.name, their.name);
        assert_eq!(our.shape, their.dimensions);
        assert_eq!(our.offset, their.offset);
        let kind = match their.tensor_type {
            GGMLType::F32 => "F32",
            GGMLType::Q4_0 => "Q4_0",
            GGMLType::Q8_0 => "Q8_0",
            _ => "another",
        };
        assert_eq!(our.kind.name(), kind);
    }
}
