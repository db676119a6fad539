//! Entries as bytes.
//!
//! | bytes | holds |
//! |---|---|
//! | 4 | length of the body, little-endian, at most [`MAX_BODY`] |
//! | 4 | CRC-32 of the number and the body |
//! | 8 | number: one more than that of the entry before |
//! | rest | the body, in the postcard wire format |

use std::io::{self, Read};

use super::Entry;

/// Bytes of an entry's body at most: as much as a worker is told at once.
pub(super) const MAX_BODY: usize = 256 << 10;

/// Bytes in front of a body.
pub(super) const HEAD: usize = 16;

/// Why there is no entry here.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFrame {
    /// The file ends.
    #[error("the end of the file")]
    End,
    /// It ends in the middle of an entry, or bytes are not what was written.
    #[error("an entry that was not written to its end")]
    Torn,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Adds an entry to `bytes`; `None`, and nothing added, when it is too long.
pub(super) fn push(bytes: &mut Vec<u8>, number: u64, entry: &Entry) -> Option<()> {
    let start = bytes.len();
    let body = postcard::to_allocvec(entry).ok()?;
    let length = u32::try_from(body.len()).ok()?;
    if body.len() > MAX_BODY {
        return None;
    }
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&body);
    let checksum = crc32fast::hash(&bytes[start + 8..]);
    bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    Some(())
}

/// Reads an entry: its number, itself, and how many bytes it takes. `expected` is its number, if that is known.
pub(super) fn read(
    from: &mut impl Read,
    expected: Option<u64>,
) -> Result<(u64, Entry, u64), NoFrame> {
    let mut head = [0; HEAD];
    match fill(from, &mut head)? {
        0 => return Err(NoFrame::End),
        HEAD => {}
        _ => return Err(NoFrame::Torn),
    }
    let [l0, l1, l2, l3, c0, c1, c2, c3, number @ ..] = head;
    let length = usize::try_from(u32::from_le_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let number_of = u64::from_le_bytes(number);
    if length > MAX_BODY || expected.is_some_and(|expected| expected != number_of) {
        return Err(NoFrame::Torn);
    }
    let mut body = vec![0; length];
    if fill(from, &mut body)? != length {
        return Err(NoFrame::Torn);
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number);
    hasher.update(&body);
    if hasher.finalize() != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(NoFrame::Torn);
    }
    let entry = postcard::from_bytes(&body).map_err(|_| NoFrame::Torn)?;
    Ok((number_of, entry, (HEAD + length) as u64))
}

/// Reads until the buffer is full or the file ends.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match from.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn void(id: &str) -> Entry {
        Entry::Void(id.parse().unwrap())
    }

    #[test]
    fn entries_come_back_and_anything_else_ends_them() {
        let mut bytes = Vec::new();
        push(&mut bytes, 7, &void("a")).unwrap();
        let first = bytes.len();
        push(&mut bytes, 8, &void("b")).unwrap();
        let mut from = &*bytes;
        let (number, entry, length) = read(&mut from, None).unwrap();
        assert_eq!((number, entry, length), (7, void("a"), first as u64));
        assert_eq!(read(&mut from, Some(8)).unwrap().1, void("b"));
        assert!(matches!(read(&mut from, Some(9)), Err(NoFrame::End)));
        assert!(matches!(read(&mut &*bytes, Some(6)), Err(NoFrame::Torn)));
        for cut in 1..first {
            let cut = &bytes[..cut];
            assert!(matches!(read(&mut &*cut, None), Err(NoFrame::Torn)));
        }
        for at in 0..first {
            let mut damaged = bytes[..first].to_vec();
            damaged[at] ^= 1;
            assert!(matches!(read(&mut &*damaged, None), Err(NoFrame::Torn)));
        }
    }

    #[test]
    fn lengths_are_bounded_before_anything_is_allocated() {
        let promise = [u32::MAX.to_le_bytes(), [0; 4], [0; 4], [0; 4]].concat();
        assert!(matches!(read(&mut &*promise, None), Err(NoFrame::Torn)));
        let long = Entry::Answer {
            agent: "a".parse().unwrap(),
            record: vec![0; MAX_BODY],
        };
        let mut bytes = vec![1];
        assert_eq!(push(&mut bytes, 1, &long), None);
        assert_eq!(bytes, [1]);
    }
}
