//! Reading numbers and text from bytes that nobody vouches for.

use super::error::{ReadError, ReadErrorKind};

/// A place in a slice. Every read compares what it needs with what remains, before anything is allocated.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn offset(&self) -> usize {
        self.at
    }

    pub(super) const fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) const fn error(&self, kind: ReadErrorKind) -> ReadError {
        ReadError {
            offset: self.at,
            kind,
        }
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: u64, field: &'static str) -> Result<&'a [u8], ReadError> {
        let remaining = self.remaining();
        match usize::try_from(count) {
            Ok(count) if count <= remaining => {
                let taken = &self.bytes[self.at..self.at + count];
                self.at += count;
                Ok(taken)
            }
            _ => Err(self.error(ReadErrorKind::Truncated {
                field,
                needed: count,
                remaining: remaining as u64,
            })),
        }
    }

    /// The next `N` bytes.
    pub(super) fn fixed<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], ReadError> {
        let mut fixed = [0; N];
        fixed.copy_from_slice(self.take(N as u64, field)?);
        Ok(fixed)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, ReadError> {
        self.fixed(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, ReadError> {
        self.fixed(field).map(u64::from_le_bytes)
    }

    /// A count of things of at least `least` bytes each: refused when they cannot fit in what remains.
    pub(super) fn count(&mut self, least: u64, what: &'static str) -> Result<usize, ReadError> {
        let count = self.u64(what)?;
        let remaining = self.remaining() as u64;
        let most = remaining / least;
        if count > most {
            return Err(self.error(ReadErrorKind::Count {
                what,
                count,
                remaining,
                most,
            }));
        }
        // `count` is at most the length of a slice, which fits in usize.
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// A string: 64-bit length, then UTF-8.
    pub(super) fn text(&mut self, field: &'static str) -> Result<&'a str, ReadError> {
        let start = self.at;
        let len = self.u64(field)?;
        let bytes = self.take(len, field)?;
        std::str::from_utf8(bytes).map_err(|_| ReadError {
            offset: start,
            kind: ReadErrorKind::Utf8(field),
        })
    }

    /// A string of 1 to `most` bytes.
    pub(super) fn name(&mut self, most: usize, field: &'static str) -> Result<&'a str, ReadError> {
        let start = self.at;
        let text = self.text(field)?;
        if text.is_empty() || text.len() > most {
            return Err(ReadError {
                offset: start,
                kind: ReadErrorKind::Length {
                    field,
                    len: text.len(),
                    most,
                },
            });
        }
        Ok(text)
    }
}
