//! Writing GGUF version 3 as a stream: the header first, then each tensor in the announced order.

use std::collections::HashSet;
use std::io::Write;

use super::error::WriteError;
use super::metadata::{Array, Metadata, Value};
use super::types::TensorType;
use super::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, MAX_DIMENSIONS, MAX_TENSOR_NAME, VERSION};

/// A tensor that will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, for example `blk.0.attn_q.weight`.
    pub name: String,
    /// Dimensions, columns first (ggml's `ne`).
    pub shape: Vec<u64>,
    /// How it is stored.
    pub kind: TensorType,
}

impl TensorInfo {
    /// Rows, and weights per row.
    #[must_use]
    pub fn rows_columns(&self) -> (usize, usize) {
        let rows: u64 = self.shape.iter().skip(1).product();
        let columns = self.shape.first().copied().unwrap_or(1);
        // Both count things in memory or in a mapped file.
        (rows as usize, columns as usize)
    }

    /// Bytes of its line in the tensor directory.
    pub(super) fn entry_bytes(&self) -> u64 {
        (8 + self.name.len() + 4 + 8 * self.shape.len() + 4 + 8) as u64
    }

    /// Bytes of its data.
    ///
    /// # Errors
    ///
    /// When the shape does not make whole blocks of the type, is empty, or has too many dimensions.
    pub fn bytes(&self) -> Result<u64, WriteError> {
        let rows = self
            .shape
            .iter()
            .skip(1)
            .try_fold(1_u64, |rows, &size| rows.checked_mul(size));
        let allowed =
            (1..=MAX_DIMENSIONS as usize).contains(&self.shape.len()) && !self.shape.contains(&0);
        rows.filter(|_| allowed)
            .and_then(|rows| self.kind.tensor_bytes(self.shape[0], rows))
            .ok_or_else(|| WriteError::Shape {
                name: self.name.clone(),
                shape: self.shape.clone(),
                kind: self.kind,
            })
    }
}

/// Bytes that a file will have, headers and padding included.
///
/// # Errors
///
/// When a tensor name or shape is not allowed.
pub fn file_bytes(metadata: &Metadata, tensors: &[TensorInfo]) -> Result<u64, WriteError> {
    let mut header = Vec::new();
    GgufWriter::start(&mut header, metadata, tensors)?;
    let mut total = header.len() as u64;
    for tensor in tensors {
        total += data_bytes(tensor)?;
    }
    Ok(total)
}

/// Bytes of a tensor's data with its padding.
pub(super) fn data_bytes(tensor: &TensorInfo) -> Result<u64, WriteError> {
    Ok(tensor.bytes()?.next_multiple_of(DEFAULT_ALIGNMENT))
}

/// Bytes before the tensor directory.
pub(super) fn header_bytes(metadata: &Metadata) -> u64 {
    header(metadata, 0).len() as u64
}

/// A GGUF file in the making. It holds one tensor name at a time, never tensor data.
#[derive(Debug)]
pub struct GgufWriter<W: Write> {
    out: W,
    tensors: Vec<(String, u64)>,
    current: usize,
    written: u64,
}

impl<W: Write> GgufWriter<W> {
    /// Writes the header: metadata and tensor directory, data aligned to 32 bytes.
    ///
    /// # Errors
    ///
    /// When a tensor name or shape is not allowed, or the output fails.
    pub fn start(out: W, metadata: &Metadata, tensors: &[TensorInfo]) -> Result<Self, WriteError> {
        if metadata
            .get(ALIGNMENT_KEY)
            .is_some_and(|_| metadata.unsigned(ALIGNMENT_KEY) != Some(DEFAULT_ALIGNMENT))
        {
            return Err(WriteError::Alignment);
        }
        let mut header = header(metadata, tensors.len());
        let sizes = put_directory(&mut header, tensors)?;
        pad(&mut header);
        let mut out = out;
        out.write_all(&header)?;
        Ok(Self {
            out,
            tensors: sizes,
            current: 0,
            written: 0,
        })
    }

    /// Writes more bytes of the current tensor.
    ///
    /// # Errors
    ///
    /// When they are more than was announced, or the output fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let Some((name, expected)) = self.tensors.get(self.current) else {
            return Err(WriteError::TensorCount {
                announced: self.tensors.len(),
                written: self.current + 1,
            });
        };
        let got = self.written + bytes.len() as u64;
        if got > *expected {
            return Err(WriteError::TensorBytes {
                name: name.clone(),
                expected: *expected,
                got,
            });
        }
        self.out.write_all(bytes)?;
        self.written = got;
        Ok(())
    }

    /// Closes the current tensor: checks its size and pads to the alignment.
    ///
    /// # Errors
    ///
    /// When bytes are missing, or the output fails.
    pub fn end_tensor(&mut self) -> Result<(), WriteError> {
        if let Some((name, expected)) = self.tensors.get(self.current)
            && self.written != *expected
        {
            return Err(WriteError::TensorBytes {
                name: name.clone(),
                expected: *expected,
                got: self.written,
            });
        }
        let padding = self.written.next_multiple_of(DEFAULT_ALIGNMENT) - self.written;
        self.out
            .write_all(&[0; DEFAULT_ALIGNMENT as usize][..padding as usize])?;
        self.current += 1;
        self.written = 0;
        Ok(())
    }

    /// Hands the output back, flushed.
    ///
    /// # Errors
    ///
    /// When tensors are missing, or the output fails.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.current != self.tensors.len() || self.written != 0 {
            return Err(WriteError::TensorCount {
                announced: self.tensors.len(),
                written: self.current,
            });
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

fn header(metadata: &Metadata, tensors: usize) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend(MAGIC);
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors as u64).to_le_bytes());
    header.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata.iter() {
        put_text(&mut header, key);
        put_value(&mut header, value);
    }
    header
}

fn put_directory(
    header: &mut Vec<u8>,
    tensors: &[TensorInfo],
) -> Result<Vec<(String, u64)>, WriteError> {
    let mut names = HashSet::new();
    let mut sizes = Vec::with_capacity(tensors.len());
    let mut offset = 0_u64;
    for tensor in tensors {
        if tensor.name.is_empty()
            || tensor.name.len() > MAX_TENSOR_NAME
            || !names.insert(tensor.name.as_str())
        {
            return Err(WriteError::TensorName {
                name: tensor.name.clone(),
                most: MAX_TENSOR_NAME,
            });
        }
        let bytes = tensor.bytes()?;
        put_text(header, &tensor.name);
        header.extend((tensor.shape.len() as u32).to_le_bytes());
        for size in &tensor.shape {
            header.extend(size.to_le_bytes());
        }
        header.extend(tensor.kind.id().to_le_bytes());
        header.extend(offset.to_le_bytes());
        offset = offset
            .checked_add(bytes)
            .and_then(|end| end.checked_next_multiple_of(DEFAULT_ALIGNMENT))
            .ok_or_else(|| WriteError::Shape {
                name: tensor.name.clone(),
                shape: tensor.shape.clone(),
                kind: tensor.kind,
            })?;
        sizes.push((tensor.name.clone(), bytes));
    }
    Ok(sizes)
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut put = |kind: u32, bytes: &[u8]| {
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        Value::U8(number) => put(0, &number.to_le_bytes()),
        Value::I8(number) => put(1, &number.to_le_bytes()),
        Value::U16(number) => put(2, &number.to_le_bytes()),
        Value::I16(number) => put(3, &number.to_le_bytes()),
        Value::U32(number) => put(4, &number.to_le_bytes()),
        Value::I32(number) => put(5, &number.to_le_bytes()),
        Value::F32(number) => put(6, &number.to_le_bytes()),
        Value::Bool(flag) => put(7, &[u8::from(*flag)]),
        Value::String(text) => {
            put(8, &[]);
            put_text(out, text);
        }
        Value::Array(array) => {
            put(9, &[]);
            put_array(out, array);
        }
        Value::U64(number) => put(10, &number.to_le_bytes()),
        Value::I64(number) => put(11, &number.to_le_bytes()),
        Value::F64(number) => put(12, &number.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, array: &Array) {
    let len = (array.len() as u64).to_le_bytes();
    let mut put = |kind: u32, bytes: &mut dyn Iterator<Item = u8>| {
        out.extend(kind.to_le_bytes());
        out.extend(len);
        out.extend(bytes);
    };
    match array {
        Array::U8(items) => put(0, &mut items.iter().copied()),
        Array::I8(items) => put(1, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::U16(items) => put(2, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::I16(items) => put(3, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::U32(items) => put(4, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::I32(items) => put(5, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::F32(items) => put(6, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::Bool(items) => put(7, &mut items.iter().map(|&item| u8::from(item))),
        Array::String(items) => {
            put(8, &mut std::iter::empty());
            items.iter().for_each(|item| put_text(out, item));
        }
        Array::Array(items) => {
            put(9, &mut std::iter::empty());
            items.iter().for_each(|item| put_array(out, item));
        }
        Array::U64(items) => put(10, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::I64(items) => put(11, &mut items.iter().flat_map(|item| item.to_le_bytes())),
        Array::F64(items) => put(12, &mut items.iter().flat_map(|item| item.to_le_bytes())),
    }
}
