//! The tensor directory: what lies where in the data section.

use std::collections::HashSet;

use super::cursor::Cursor;
use super::error::{ReadError, ReadErrorKind};
use super::types::TensorType;
use super::{MAX_DIMENSIONS, MAX_TENSOR_NAME};

/// Bytes of the shortest entry: name length, one byte of name, dimensions, one dimension, type, offset.
pub(super) const LEAST_ENTRY: u64 = 8 + 1 + 4 + 8 + 4 + 8;

/// One line of the tensor directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorEntry {
    /// Name, for example `blk.0.attn_q.weight`.
    pub name: String,
    /// Dimensions, columns first (ggml's `ne`).
    pub shape: Vec<u64>,
    /// How it is stored.
    pub kind: TensorType,
    /// Offset inside the data section.
    pub offset: u64,
    /// Bytes.
    pub bytes: u64,
}

impl TensorEntry {
    /// Number of weights. It cannot overflow: the reader has computed the bytes from it.
    #[must_use]
    pub fn weights(&self) -> u64 {
        self.shape.iter().product()
    }
}

/// Reads `count` entries; a name stands once.
pub(super) fn directory(
    cursor: &mut Cursor<'_>,
    count: usize,
) -> Result<Vec<TensorEntry>, ReadError> {
    let mut names = HashSet::new();
    let mut tensors = Vec::new();
    for _ in 0..count {
        let entry = entry(cursor)?;
        if !names.insert(entry.name.clone()) {
            return Err(cursor.error(ReadErrorKind::DuplicateTensor(entry.name)));
        }
        tensors.push(entry);
    }
    Ok(tensors)
}

fn entry(cursor: &mut Cursor<'_>) -> Result<TensorEntry, ReadError> {
    let name = cursor.name(MAX_TENSOR_NAME, "a tensor name")?.to_owned();
    let count = cursor.u32("the dimensions")?;
    if !(1..=MAX_DIMENSIONS).contains(&count) {
        return Err(cursor.error(ReadErrorKind::Dimensions { name, count }));
    }
    let shape = (0..count)
        .map(|_| cursor.u64("a dimension"))
        .collect::<Result<Vec<_>, _>>()?;
    let id = cursor.u32("a tensor type")?;
    let offset = cursor.u64("a tensor offset")?;
    let Some(kind) = TensorType::from_id(id) else {
        return Err(cursor.error(ReadErrorKind::TensorType { name, id }));
    };
    let rows = shape[1..]
        .iter()
        .try_fold(1_u64, |rows, &size| rows.checked_mul(size));
    let bytes = rows
        .filter(|_| !shape.contains(&0))
        .filter(|rows| rows.checked_mul(shape[0]).is_some())
        .and_then(|rows| kind.tensor_bytes(shape[0], rows));
    match bytes {
        Some(bytes) => Ok(TensorEntry {
            name,
            shape,
            kind,
            offset,
            bytes,
        }),
        None => Err(cursor.error(ReadErrorKind::Shape { name, shape })),
    }
}

/// Every tensor lies aligned inside the data section, and no two share a byte.
pub(super) fn check_places(
    cursor: &Cursor<'_>,
    tensors: &[TensorEntry],
    alignment: u64,
    available: u64,
) -> Result<(), ReadError> {
    let mut ordered: Vec<&TensorEntry> = tensors.iter().collect();
    ordered.sort_by_key(|tensor| tensor.offset);
    let mut before: Option<(&TensorEntry, u64)> = None;
    for tensor in ordered {
        let name = || tensor.name.clone();
        if tensor.offset % alignment != 0 {
            return Err(cursor.error(ReadErrorKind::Misaligned {
                name: name(),
                offset: tensor.offset,
                alignment,
            }));
        }
        let end = tensor.offset.saturating_add(tensor.bytes);
        if end > available {
            return Err(cursor.error(ReadErrorKind::OutOfFile {
                name: name(),
                end,
                available,
            }));
        }
        if let Some((first, first_end)) = before
            && first_end > tensor.offset
        {
            return Err(cursor.error(ReadErrorKind::Overlap {
                first: first.name.clone(),
                second: name(),
            }));
        }
        before = Some((tensor, end));
    }
    Ok(())
}
