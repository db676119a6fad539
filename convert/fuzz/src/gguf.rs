//! The GGUF reader, and what looks at a file that it let pass.

use std::hint::black_box;
use std::path::Path;

use stride_convert::dequantize;
use stride_convert::gguf::GgufFile;
use stride_convert::inspect::{self, Page};
use stride_convert::map::MappedFile;
use stride_convert::source::WeightType;
use stride_convert::stored::StoredModel;

use super::allocations::within;

/// Bytes held at once, for each byte of the file and beside that.
const READING: (usize, usize) = (48, 16 << 10);
const SHOWING: (usize, usize) = (256, 64 << 10);
const TURNING_BACK: (usize, usize) = (512, 256 << 10);
const DECODING: (usize, usize) = (64, 16 << 10);

/// Reads `bytes` as a file, prints it, decodes every tensor and turns it back into the texts of a checkpoint.
pub fn run(bytes: &[u8]) {
    let most = |(each, beside): (usize, usize)| each * bytes.len() + beside;
    let Ok(file) = within(most(READING), "reading", || GgufFile::parse(bytes)) else {
        return;
    };
    within(most(SHOWING), "showing", || show(&file, bytes.len() as u64));
    drop(file);
    let stored = MappedFile::from(bytes.to_vec());
    let model = within(most(READING), "opening", || {
        StoredModel::of(Path::new("hostile.gguf"), stored)
    });
    let model = model.expect("the reader has let it pass");
    within(most(DECODING), "decoding", || decode(&model));
    within(most(TURNING_BACK), "turning back", || {
        let _ = black_box(dequantize::texts(&model, WeightType::F32));
    });
}

fn show(file: &GgufFile<'_>, file_bytes: u64) {
    for tensor in &file.tensors {
        assert_eq!(file.bytes(tensor).len() as u64, tensor.bytes);
        assert_eq!(file.place(tensor).len() as u64, tensor.bytes);
    }
    for all in [false, true] {
        let page = Page {
            file,
            file_bytes,
            all,
        };
        let page = page.to_string();
        let control = |symbol: char| symbol.is_control() && symbol != '\n';
        assert!(!page.contains(control), "a control character is printed");
    }
    black_box(inspect::to_json(file, file_bytes, true).to_string());
    if let Some(card) = inspect::card(file) {
        assert!(!card.contains('\u{1b}'));
    }
}

fn decode(model: &StoredModel) {
    let mut weights = Vec::new();
    for tensor in &model.tensors {
        let (rows, columns) = tensor.rows_columns;
        for row in 0..rows {
            weights.clear();
            if model.read(tensor, row, &mut weights).is_err() {
                break;
            }
            assert_eq!(weights.len(), columns);
        }
    }
}
