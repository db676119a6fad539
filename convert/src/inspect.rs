//! What stands in a GGUF file, for people and as JSON. The text of a hostile file cannot reach the terminal raw.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::error::Error;
use crate::gguf::{Array, GgufFile, Value};
use crate::map::MappedFile;
use crate::metadata::CARD_KEY;

/// Elements of an array that are shown unless all are asked for.
const SHOWN_ELEMENTS: usize = 16;
/// Characters of a string that are shown on a line.
const SHOWN_CHARACTERS: usize = 100;

/// Opens, maps and reads the GGUF at `path`, and hands it to `look`.
///
/// # Errors
///
/// When it cannot be opened, or is refused by the reader.
pub fn open<T>(path: &Path, look: impl FnOnce(&GgufFile<'_>, u64) -> T) -> Result<T, Error> {
    let map = MappedFile::open(path).map_err(|source| Error::Open {
        path: path.to_owned(),
        source,
    })?;
    let file = GgufFile::parse(map.bytes()).map_err(|source| Error::Gguf {
        path: path.to_owned(),
        source,
    })?;
    Ok(look(&file, map.bytes().len() as u64))
}

/// The model card, without control characters other than line feeds and tabs.
#[must_use]
pub fn card(file: &GgufFile<'_>) -> Option<String> {
    let plain = |symbol: &char| !symbol.is_control() || matches!(symbol, '\n' | '\t');
    let card = file.metadata.text(CARD_KEY)?;
    Some(card.chars().filter(plain).collect())
}

/// The sums of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Weights of all tensors.
    pub weights: u64,
    /// Bytes of all tensors, without padding.
    pub bytes: u64,
    /// Tensors by type.
    pub types: BTreeMap<&'static str, usize>,
}

impl Totals {
    /// Adds up the tensors of `file`.
    #[must_use]
    pub fn of(file: &GgufFile<'_>) -> Self {
        let mut totals = Self {
            weights: 0,
            bytes: 0,
            types: BTreeMap::new(),
        };
        for tensor in &file.tensors {
            totals.weights = totals.weights.saturating_add(tensor.weights());
            totals.bytes = totals.bytes.saturating_add(tensor.bytes);
            *totals.types.entry(tensor.kind.name()).or_default() += 1;
        }
        totals
    }

    /// Bits per weight, 0 for a file without tensors.
    #[must_use]
    pub fn bits_per_weight(&self) -> f64 {
        if self.weights == 0 {
            0.0
        } else {
            8.0 * self.bytes as f64 / self.weights as f64
        }
    }
}

/// The whole file as JSON. Arrays of more than 16 elements are cut unless `all`.
#[must_use]
pub fn to_json(file: &GgufFile<'_>, file_bytes: u64, all: bool) -> Json {
    let totals = Totals::of(file);
    let metadata: serde_json::Map<String, Json> = file
        .metadata
        .iter()
        .map(|(key, value)| (key.to_owned(), value_to_json(value, all)))
        .collect();
    let tensors: Vec<Json> = file
        .tensors
        .iter()
        .map(|tensor| {
            json!({
                "name": tensor.name,
                "type": tensor.kind.name(),
                "shape": tensor.shape,
                "offset": tensor.offset,
                "bytes": tensor.bytes,
            })
        })
        .collect();
    json!({
        "gguf_version": file.version,
        "file_bytes": file_bytes,
        "alignment": file.alignment,
        "weights": totals.weights,
        "weight_bytes": totals.bytes,
        "bits_per_weight": totals.bits_per_weight(),
        "types": totals.types,
        "metadata": metadata,
        "tensors": tensors,
    })
}

pub(crate) fn value_to_json(value: &Value, all: bool) -> Json {
    match value {
        Value::U8(number) => json!(number),
        Value::I8(number) => json!(number),
        Value::U16(number) => json!(number),
        Value::I16(number) => json!(number),
        Value::U32(number) => json!(number),
        Value::I32(number) => json!(number),
        Value::F32(number) => json!(number),
        Value::Bool(flag) => json!(flag),
        Value::String(text) => json!(text),
        Value::Array(array) if all || array.len() <= SHOWN_ELEMENTS => {
            Json::Array(elements(array, array.len(), all))
        }
        Value::Array(array) => {
            json!({ "len": array.len(), "first": elements(array, SHOWN_ELEMENTS, all) })
        }
        Value::U64(number) => json!(number),
        Value::I64(number) => json!(number),
        Value::F64(number) => json!(number),
    }
}

/// The first `most` elements.
fn elements(array: &Array, most: usize, all: bool) -> Vec<Json> {
    fn each<T: serde::Serialize>(items: &[T], most: usize) -> Vec<Json> {
        items.iter().take(most).map(|item| json!(item)).collect()
    }
    match array {
        Array::U8(items) => each(items, most),
        Array::I8(items) => each(items, most),
        Array::U16(items) => each(items, most),
        Array::I16(items) => each(items, most),
        Array::U32(items) => each(items, most),
        Array::I32(items) => each(items, most),
        Array::F32(items) => each(items, most),
        Array::Bool(items) => each(items, most),
        Array::String(items) => each(items, most),
        Array::Array(items) => items
            .iter()
            .take(most)
            .map(|item| value_to_json(&Value::Array(item.clone()), all))
            .collect(),
        Array::U64(items) => each(items, most),
        Array::I64(items) => each(items, most),
        Array::F64(items) => each(items, most),
    }
}

/// The file for people.
#[derive(Debug)]
pub struct Page<'a> {
    /// The file.
    pub file: &'a GgufFile<'a>,
    /// Its size.
    pub file_bytes: u64,
    /// Show whole arrays and strings.
    pub all: bool,
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = Totals::of(self.file);
        writeln!(
            f,
            "GGUF version {}, {} bytes, {} tensors, {} weights, {:.2} bits per weight",
            self.file.version,
            self.file_bytes,
            self.file.tensors.len(),
            totals.weights,
            totals.bits_per_weight(),
        )?;
        let types: Vec<String> = totals
            .types
            .iter()
            .map(|(name, count)| format!("{count} x {name}"))
            .collect();
        writeln!(f, "types: {}", types.join(", "))?;
        writeln!(f, "\nmetadata:")?;
        for (key, value) in self.file.metadata.iter() {
            let most = if self.all {
                usize::MAX
            } else {
                SHOWN_CHARACTERS
            };
            let key = printable(key, usize::MAX);
            // JSON escapes control characters below U+0020; `printable` sees to the rest.
            let value = printable(&value_to_json(value, self.all).to_string(), most);
            writeln!(f, "  {key} = {value}")?;
        }
        writeln!(f, "\ntensors:")?;
        for tensor in &self.file.tensors {
            let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
            writeln!(
                f,
                "  {:<32} {:<6} {:>16} {:>12} bytes",
                printable(&tensor.name, usize::MAX),
                tensor.kind,
                shape.join(" x "),
                tensor.bytes
            )?;
        }
        Ok(())
    }
}

/// `text` with control characters escaped, cut after `most` characters.
pub(crate) fn printable(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, symbol) in text.chars().enumerate() {
        if count == most {
            shown.push_str("...");
            break;
        }
        if symbol.is_control() {
            shown.extend(symbol.escape_unicode());
        } else {
            shown.push(symbol);
        }
    }
    shown
}
