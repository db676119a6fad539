//! Reading a GGUF file that nobody vouches for.
//!
//! Counts, lengths and offsets are compared with the bytes that remain before anything is allocated, so reading needs
//! at most 48 times the bytes of the header (pairs of one byte under keys of one letter), and the tensor data is never
//! copied.

use std::ops::Range;

use super::cursor::Cursor;
use super::directory::{LEAST_ENTRY, TensorEntry, check_places, directory};
use super::error::{ReadError, ReadErrorKind};
use super::metadata::{Array, Metadata, Value};
use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, MAX_KEY};

/// Arrays inside arrays, at most. The specification allows nesting, no model uses more than one level.
const MAX_NESTING: usize = 4;
/// Bytes of the shortest pair: key length, one byte of key, type, one byte of value.
const LEAST_PAIR: u64 = 8 + 1 + 4 + 1;

/// A GGUF file whose header has been read and checked.
#[derive(Debug, Clone)]
pub struct GgufFile<'a> {
    /// The file's version.
    pub version: u32,
    /// All pairs.
    pub metadata: Metadata,
    /// All tensors, in the order of the directory.
    pub tensors: Vec<TensorEntry>,
    /// Alignment of the tensor data.
    pub alignment: u64,
    start: usize,
    data: &'a [u8],
}

impl<'a> GgufFile<'a> {
    /// Reads the header of `bytes`, the whole file.
    ///
    /// # Errors
    ///
    /// Refuses whatever the specification forbids, and tensors that overlap; see [`ReadErrorKind`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ReadError> {
        let mut cursor = Cursor::new(bytes);
        let version = preamble(&mut cursor)?;
        let tensor_count = cursor.count(LEAST_ENTRY, "tensors")?;
        let pair_count = cursor.count(LEAST_PAIR, "metadata pairs")?;
        let metadata = pairs(&mut cursor, pair_count)?;
        let alignment = alignment(&cursor, &metadata)?;
        let tensors = directory(&mut cursor, tensor_count)?;
        let start = cursor.offset().next_multiple_of(
            // At most 65536.
            usize::try_from(alignment).unwrap_or(1),
        );
        let data = bytes.get(start..).unwrap_or_default();
        check_places(&cursor, &tensors, alignment, data.len() as u64)?;
        Ok(Self {
            version,
            metadata,
            tensors,
            alignment,
            start,
            data,
        })
    }

    /// The tensor called `name`.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<&TensorEntry> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }

    /// Where the stored bytes of a tensor of this file stand in it; empty for an entry of another file.
    #[must_use]
    pub fn place(&self, tensor: &TensorEntry) -> Range<usize> {
        let bytes = self.bytes(tensor).len();
        // The offset of an entry that has bytes here is one of a slice in memory.
        let start =
            self.start + usize::try_from(tensor.offset).unwrap_or(0) * usize::from(bytes > 0);
        start..start + bytes
    }

    /// The stored bytes of a tensor of this file; empty for an entry of another file that does not fit here.
    #[must_use]
    pub fn bytes(&self, tensor: &TensorEntry) -> &'a [u8] {
        let range = usize::try_from(tensor.offset)
            .ok()
            .zip(usize::try_from(tensor.bytes).ok())
            .and_then(|(start, len)| Some(start..start.checked_add(len)?));
        range
            .and_then(|range| self.data.get(range))
            .unwrap_or_default()
    }
}

fn preamble(cursor: &mut Cursor<'_>) -> Result<u32, ReadError> {
    let start = cursor.error(ReadErrorKind::Magic);
    if cursor.fixed::<4>("the magic").map_err(|_| start.clone())? != MAGIC {
        return Err(start);
    }
    let version = cursor.u32("the version")?;
    match version {
        2 | 3 => Ok(version),
        swapped if matches!(swapped.swap_bytes(), 1..=3) => {
            Err(cursor.error(ReadErrorKind::BigEndian))
        }
        other => Err(cursor.error(ReadErrorKind::Version(other))),
    }
}

fn pairs(cursor: &mut Cursor<'_>, count: usize) -> Result<Metadata, ReadError> {
    let mut metadata = Metadata::new();
    for _ in 0..count {
        let key = cursor.name(MAX_KEY, "a metadata key")?;
        let kind = cursor.u32("a value type")?;
        let value = value(cursor, kind)?;
        if metadata.set(key, value).is_some() {
            return Err(cursor.error(ReadErrorKind::DuplicateKey(key.to_owned())));
        }
    }
    Ok(metadata)
}

fn value(cursor: &mut Cursor<'_>, kind: u32) -> Result<Value, ReadError> {
    const FIELD: &str = "a metadata value";
    Ok(match kind {
        0 => Value::U8(u8::from_le_bytes(cursor.fixed(FIELD)?)),
        1 => Value::I8(i8::from_le_bytes(cursor.fixed(FIELD)?)),
        2 => Value::U16(u16::from_le_bytes(cursor.fixed(FIELD)?)),
        3 => Value::I16(i16::from_le_bytes(cursor.fixed(FIELD)?)),
        4 => Value::U32(u32::from_le_bytes(cursor.fixed(FIELD)?)),
        5 => Value::I32(i32::from_le_bytes(cursor.fixed(FIELD)?)),
        6 => Value::F32(f32::from_le_bytes(cursor.fixed(FIELD)?)),
        7 => Value::Bool(boolean(cursor)?),
        8 => Value::String(cursor.text(FIELD)?.to_owned()),
        9 => Value::Array(array(cursor, MAX_NESTING)?),
        10 => Value::U64(u64::from_le_bytes(cursor.fixed(FIELD)?)),
        11 => Value::I64(i64::from_le_bytes(cursor.fixed(FIELD)?)),
        12 => Value::F64(f64::from_le_bytes(cursor.fixed(FIELD)?)),
        other => return Err(cursor.error(ReadErrorKind::ValueType(other))),
    })
}

fn boolean(cursor: &mut Cursor<'_>) -> Result<bool, ReadError> {
    match cursor.fixed::<1>("a Boolean")? {
        [0] => Ok(false),
        [1] => Ok(true),
        [other] => Err(cursor.error(ReadErrorKind::Bool(other))),
    }
}

fn array(cursor: &mut Cursor<'_>, depth: usize) -> Result<Array, ReadError> {
    const WHAT: &str = "array elements";
    if depth == 0 {
        return Err(cursor.error(ReadErrorKind::Nesting(MAX_NESTING)));
    }
    let kind = cursor.u32("an element type")?;
    Ok(match kind {
        0 => Array::U8(numbers(cursor, u8::from_le_bytes)?),
        1 => Array::I8(numbers(cursor, i8::from_le_bytes)?),
        2 => Array::U16(numbers(cursor, u16::from_le_bytes)?),
        3 => Array::I16(numbers(cursor, i16::from_le_bytes)?),
        4 => Array::U32(numbers(cursor, u32::from_le_bytes)?),
        5 => Array::I32(numbers(cursor, i32::from_le_bytes)?),
        6 => Array::F32(numbers(cursor, f32::from_le_bytes)?),
        7 => {
            let count = cursor.count(1, WHAT)?;
            Array::Bool(
                (0..count)
                    .map(|_| boolean(cursor))
                    .collect::<Result<_, _>>()?,
            )
        }
        8 => {
            let count = cursor.count(8, WHAT)?;
            let texts = (0..count).map(|_| cursor.text("an array string").map(str::to_owned));
            Array::String(texts.collect::<Result<_, _>>()?)
        }
        9 => {
            let count = cursor.count(4 + 8, WHAT)?;
            Array::Array(
                (0..count)
                    .map(|_| array(cursor, depth - 1))
                    .collect::<Result<_, _>>()?,
            )
        }
        10 => Array::U64(numbers(cursor, u64::from_le_bytes)?),
        11 => Array::I64(numbers(cursor, i64::from_le_bytes)?),
        12 => Array::F64(numbers(cursor, f64::from_le_bytes)?),
        other => return Err(cursor.error(ReadErrorKind::ValueType(other))),
    })
}

fn numbers<T, const N: usize>(
    cursor: &mut Cursor<'_>,
    decode: fn([u8; N]) -> T,
) -> Result<Vec<T>, ReadError> {
    let count = cursor.count(N as u64, "array elements")?;
    let (chunks, _) = cursor
        .take((count * N) as u64, "an array")?
        .as_chunks::<N>();
    Ok(chunks.iter().map(|&chunk| decode(chunk)).collect())
}

fn alignment(cursor: &Cursor<'_>, metadata: &Metadata) -> Result<u64, ReadError> {
    match metadata.get(ALIGNMENT_KEY) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(_) => match metadata.unsigned(ALIGNMENT_KEY) {
            Some(alignment) if alignment.is_power_of_two() && (8..=65536).contains(&alignment) => {
                Ok(alignment)
            }
            other => Err(cursor.error(ReadErrorKind::Alignment(other.unwrap_or(0)))),
        },
    }
}
