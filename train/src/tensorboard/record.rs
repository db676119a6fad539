//! Records of an event file: length, checksum of the length, bytes, checksum of the bytes, all little-endian.
//!
//! The checksum is CRC-32C, rotated and shifted so that a checksum of data that holds checksums is not weak.

/// Bytes before and behind the content of a record.
const HEAD: usize = 12;
const TAIL: usize = 4;

/// Appends one record.
pub fn append(file: &mut Vec<u8>, payload: &[u8]) {
    let length = (payload.len() as u64).to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&masked(&length).to_le_bytes());
    file.extend_from_slice(payload);
    file.extend_from_slice(&masked(payload).to_le_bytes());
}

/// The contents of all records, up to the first that is not whole or whose checksums are wrong.
pub fn read(mut file: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = file.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let count = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        if masked(length) != u32::from_le_bytes(*sum) || rest.len() < count.checked_add(TAIL)? {
            return None;
        }
        let (payload, rest) = rest.split_at(count);
        let (sum, _) = rest.split_first_chunk::<4>()?;
        if masked(payload) != u32::from_le_bytes(*sum) {
            return None;
        }
        file = &file[HEAD + count + TAIL..];
        Some(payload)
    })
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xA282_EAD8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first record that TensorFlow's own writer puts into a file of 2^30 seconds: length 24, then the version.
    #[test]
    fn records_are_those_of_tensorflow() {
        let mut payload = vec![9];
        payload.extend_from_slice(&(2_f64.powi(30)).to_le_bytes());
        payload.extend_from_slice(b"\x1a\x0dbrain.Event:2");
        let mut file = Vec::new();
        append(&mut file, &payload);
        assert_eq!(file.len(), HEAD + 24 + TAIL);
        // The masked checksum of the length 24, as it stands in every event file of TensorFlow.
        assert_eq!(file[8..12], [0xa3, 0x7f, 0x4b, 0x22]);
    }

    #[test]
    fn damaged_records_end_the_file() {
        let mut file = Vec::new();
        append(&mut file, b"one");
        let whole = file.len();
        append(&mut file, b"two");
        assert_eq!(read(&file).collect::<Vec<_>>(), [b"one", b"two"]);
        for at in whole..file.len() {
            assert_eq!(read(&file[..at]).count(), 1);
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(read(&damaged).count(), 1, "byte {at}");
        }
        // A length that no memory holds.
        let mut file = u64::MAX.to_le_bytes().to_vec();
        file.extend_from_slice(&masked(&u64::MAX.to_le_bytes()).to_le_bytes());
        file.extend_from_slice(&[0; 8]);
        assert_eq!(read(&file).count(), 0);
    }
}
