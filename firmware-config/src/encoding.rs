//! The versioned, checksummed record of an agent state.
//!
//! A device writes one record after every step and reads it back after a power cut, so a record that was cut short,
//! overwritten in part or flipped by a bad flash cell must be refused, never half believed.
//!
//! All numbers are little-endian:
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 4 | [`MAGIC`] |
//! | 4 | 2 | [`VERSION`] |
//! | 6 | 2 | length of the body in bytes |
//! | 8 | length | the [`AgentState`] in the postcard wire format |
//! | 8 + length | 4 | CRC-32 (IEEE) of everything before it |
//!
//! What a record means changes with the fields of [`AgentState`]: whoever changes them raises [`VERSION`]. A record of
//! a build with larger capacities is read as long as its texts fit this build.
//!
//! ```
//! use stride_firmware_config::encoding::{self, MAX_ENCODED};
//! use stride_firmware_config::state::AgentState;
//!
//! let state = AgentState { steps: 7, ..AgentState::default() };
//! let mut record = [0; MAX_ENCODED];
//! let len = encoding::encode(&state, &mut record)?;
//! assert_eq!(encoding::decode(&record[..len]), Ok(state));
//! # Ok::<(), encoding::EncodeError>(())
//! ```

use crate::capacity;
use crate::state::AgentState;

/// Opens every record ("Stride agent state").
pub const MAGIC: [u8; 4] = *b"SAST";

/// The version of the record that this build writes, and the only one that it reads.
pub const VERSION: u16 = 1;

/// Bytes before the body: magic, version, length.
pub const HEADER: usize = 8;

/// Bytes after the body: the checksum.
pub const TRAILER: usize = 4;

/// Bytes that hold the record of any state of this build.
pub const MAX_ENCODED: usize = HEADER + MAX_BODY + TRAILER;

/// Bytes of the longest body: every text full, every number at its longest.
const MAX_BODY: usize = text(capacity::TASK)
    + text(capacity::SCENE)
    + text(capacity::SUBTASK)
    + text(capacity::PROGRESS)
    + varint(capacity::COMPLETED)
    + capacity::COMPLETED * text(capacity::SUBTASK)
    + VARINT_U32 // dropped subtasks
    + text(capacity::ACTION)
    + 1 // flag
    + 1 // phase
    + 2 * VARINT_U32 // steps, subtask steps
    + VARINT_U16 // repeats
    + 3 * VARINT_U32; // observation hash, dropped bytes, malformed

const VARINT_U32: usize = 5;
const VARINT_U16: usize = 3;

const _: () = assert!(
    MAX_BODY <= u16::MAX as usize,
    "the length field of a record is a u16"
);

/// Bytes of a full text of `capacity` bytes: its length and its content.
const fn text(capacity: usize) -> usize {
    varint(capacity) + capacity
}

/// Bytes of `value` as a postcard varint, seven bits in each.
const fn varint(value: usize) -> usize {
    let mut bytes = 1;
    let mut rest = value >> 7;
    while rest > 0 {
        bytes += 1;
        rest >>= 7;
    }
    bytes
}

/// Why a state could not be written as a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The output buffer is too small for this state.
    #[error(
        "a buffer of {available} bytes does not hold the record of this agent state; {MAX_ENCODED} bytes hold any (encoding::MAX_ENCODED)"
    )]
    BufferTooSmall {
        /// Length of the offered buffer in bytes.
        available: usize,
    },
    /// The serializer refused the state; no state of this build should make it do so.
    #[error("the agent state could not be serialized")]
    Body(#[source] postcard::Error),
}

/// Why bytes were not taken for the record of an agent state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too few bytes for a header and a checksum.
    #[error("{len} bytes are too few for the record of an agent state, which has at least {min}")]
    TooShort {
        /// Bytes offered.
        len: usize,
        /// Bytes of the shortest frame of a record.
        min: usize,
    },
    /// The bytes do not start with [`MAGIC`]: they are something else.
    #[error(
        "not the record of an agent state: it starts with {found:02x?} instead of {MAGIC:02x?}"
    )]
    NotARecord {
        /// The first four bytes.
        found: [u8; 4],
    },
    /// The record was written by another version of Stride.
    #[error(
        "the record has version {found}, this build reads version {supported}; start the episode anew or use the build that wrote it"
    )]
    Version {
        /// Version of the record.
        found: u16,
        /// The version that this build reads.
        supported: u16,
    },
    /// The record is cut short: its header promises more bytes than there are.
    #[error("the record is cut short: {expected} bytes by its header, {found} present")]
    Length {
        /// Bytes of the whole record by its header.
        expected: usize,
        /// Bytes offered.
        found: usize,
    },
    /// Bytes follow the record.
    #[error("{extra} bytes follow the record of the agent state")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The record is damaged.
    #[error("the record is damaged: its checksum is {stored:08x}, its bytes give {computed:08x}")]
    Checksum {
        /// Checksum in the record.
        stored: u32,
        /// Checksum of its bytes.
        computed: u32,
    },
    /// The body is intact but no agent state of this build, for example because a text is longer than its capacity here.
    #[error(
        "the record is intact, but its body is no agent state of this build (were its capacities larger where it was written?)"
    )]
    Body(#[source] postcard::Error),
    /// The body is intact, and bytes are left after the agent state in it.
    #[error(
        "the record is intact, but {unread} bytes of its body belong to no field of an agent state of this build"
    )]
    BodyLeft {
        /// Bytes left.
        unread: usize,
    },
}

/// Writes the record of `state` to the front of `out` and returns its length in bytes.
///
/// # Errors
/// [`EncodeError::BufferTooSmall`], never with [`MAX_ENCODED`] bytes; the content of `out` is then unspecified.
pub fn encode(state: &AgentState, out: &mut [u8]) -> Result<usize, EncodeError> {
    let available = out.len();
    let too_small = EncodeError::BufferTooSmall { available };
    let Some(room) = out.get_mut(HEADER..) else {
        return Err(too_small);
    };
    let body = match postcard::to_slice(state, room) {
        Ok(body) => body.len(),
        Err(postcard::Error::SerializeBufferFull) => return Err(too_small),
        Err(other) => return Err(EncodeError::Body(other)),
    };
    let length =
        u16::try_from(body).map_err(|_| EncodeError::Body(postcard::Error::SerializeBufferFull))?;
    let end = HEADER + body;
    if available < end + TRAILER {
        return Err(too_small);
    }
    out[..4].copy_from_slice(&MAGIC);
    out[4..6].copy_from_slice(&VERSION.to_le_bytes());
    out[6..HEADER].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32fast::hash(&out[..end]);
    out[end..end + TRAILER].copy_from_slice(&checksum.to_le_bytes());
    Ok(end + TRAILER)
}

/// Reads the record that `record` consists of, all of it.
///
/// # Errors
/// Every way in which the bytes can fail to be one whole record of this build has its own [`DecodeError`]. No input panics.
pub fn decode(record: &[u8]) -> Result<AgentState, DecodeError> {
    let body = body(record)?;
    let (state, rest) = postcard::take_from_bytes(body).map_err(DecodeError::Body)?;
    if rest.is_empty() {
        Ok(state)
    } else {
        Err(DecodeError::BodyLeft { unread: rest.len() })
    }
}

/// The body of a record whose header and checksum are right.
fn body(record: &[u8]) -> Result<&[u8], DecodeError> {
    let short = || DecodeError::TooShort {
        len: record.len(),
        min: HEADER + TRAILER,
    };
    let (header, rest) = record.split_first_chunk::<HEADER>().ok_or_else(short)?;
    let [m0, m1, m2, m3, v0, v1, l0, l1] = *header;
    let found = [m0, m1, m2, m3];
    if found != MAGIC {
        return Err(DecodeError::NotARecord { found });
    }
    let version = u16::from_le_bytes([v0, v1]);
    if version != VERSION {
        return Err(DecodeError::Version {
            found: version,
            supported: VERSION,
        });
    }
    if rest.len() < TRAILER {
        return Err(short());
    }
    let length = usize::from(u16::from_le_bytes([l0, l1]));
    let expected = HEADER + length + TRAILER;
    if record.len() < expected {
        return Err(DecodeError::Length {
            expected,
            found: record.len(),
        });
    }
    if record.len() > expected {
        return Err(DecodeError::Trailing {
            extra: record.len() - expected,
        });
    }
    let (signed, trailer) = record.split_last_chunk::<TRAILER>().ok_or_else(short)?;
    let stored = u32::from_le_bytes(*trailer);
    let computed = crc32fast::hash(signed);
    if stored != computed {
        return Err(DecodeError::Checksum { stored, computed });
    }
    Ok(&signed[HEADER..])
}
