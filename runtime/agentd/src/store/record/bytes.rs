//! A record as bytes:
//!
//! | offset | bytes | holds |
//! |---|---|---|
//! | 0 | 4 | `SGNT` |
//! | 4 | 2 | [`VERSION`], little-endian |
//! | 6 | 2 | length `n` of the particulars |
//! | 8 | `n` | the particulars, in the postcard wire format |
//! | 8 + n | 4 | CRC-32 of everything before it |
//! | 12 + n | 2 | length `m` of the state |
//! | 14 + n | `m` | the state, as the checksummed record of `stride-firmware-config` |
//! | 14 + n + m | rest | zeros |

use stride_client::api;
use stride_firmware_config::encoding::{self, DecodeError, MAX_ENCODED};

use super::{AgentRecord, REMEMBERED};

/// Bytes of a record: with its key, one page of the store.
pub const RECORD: usize = 4032;

/// The version of the particulars that this build writes and reads.
pub const VERSION: u16 = 1;

const MAGIC: [u8; 4] = *b"SGNT";

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Other bytes, or another version.
    #[error(
        "no record of an agent, version {VERSION}; the state folder was written by another build"
    )]
    Foreign,
    /// Damaged.
    #[error("the record of the agent is damaged")]
    Damaged,
    /// The state in it is damaged or of another build.
    #[error(transparent)]
    State(#[from] DecodeError),
    /// It does not fit, which no agent of this build can bring about.
    #[error("the agent does not fit its record of {RECORD} bytes")]
    TooLong,
}

impl AgentRecord {
    /// The record's bytes.
    ///
    /// # Errors
    /// [`RecordError::TooLong`], never for an agent of this build.
    pub fn to_bytes(&self) -> Result<[u8; RECORD], RecordError> {
        let mut bytes = [0; RECORD];
        let body = postcard::to_slice(&self.particulars, &mut bytes[8..])
            .map_err(|_| RecordError::TooLong)?
            .len();
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[6..8].copy_from_slice(&short(body)?.to_le_bytes());
        let end = 8 + body;
        let checksum = crc32fast::hash(&bytes[..end]);
        let (_, rest) = bytes.split_at_mut(end);
        let (stored, rest) = rest.split_first_chunk_mut().ok_or(RecordError::TooLong)?;
        *stored = checksum.to_le_bytes();
        let (length, rest) = rest.split_first_chunk_mut().ok_or(RecordError::TooLong)?;
        let state = encoding::encode(&self.state, rest).map_err(|_| RecordError::TooLong)?;
        *length = short(state)?.to_le_bytes();
        // What a failed or longer encoding left behind the state.
        rest[state..].fill(0);
        Ok(bytes)
    }

    /// The agent in a record.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn from_bytes(bytes: &[u8; RECORD]) -> Result<Self, RecordError> {
        let [m0, m1, m2, m3, v0, v1, l0, l1, ..] = *bytes;
        if [m0, m1, m2, m3] != MAGIC || u16::from_le_bytes([v0, v1]) != VERSION {
            return Err(RecordError::Foreign);
        }
        let end = 8 + usize::from(u16::from_le_bytes([l0, l1]));
        let signed = bytes.get(..end).ok_or(RecordError::Damaged)?;
        let (stored, rest) = bytes[end..]
            .split_first_chunk()
            .ok_or(RecordError::Damaged)?;
        if crc32fast::hash(signed) != u32::from_le_bytes(*stored) {
            return Err(RecordError::Damaged);
        }
        let particulars = postcard::from_bytes(&signed[8..]).map_err(|_| RecordError::Damaged)?;
        let (length, rest) = rest.split_first_chunk().ok_or(RecordError::Damaged)?;
        let length = usize::from(u16::from_le_bytes(*length));
        let state = rest.get(..length).ok_or(RecordError::Damaged)?;
        Ok(Self {
            state: encoding::decode(state)?,
            particulars,
        })
    }
}

/// Bytes of the longest particulars: three numbers of 8 to 10 bytes, an ending, a last answer, the earlier ids.
const PARTICULARS: usize =
    10 + 10 + 8 + 2 + (1 + 1 + api::REQUEST_ID + 5 + 15 + 10) + (1 + 8 * REMEMBERED);

const _: () = assert!(
    8 + PARTICULARS + 4 + 2 + MAX_ENCODED <= RECORD,
    "any agent of this build must fit its record"
);

fn short(length: usize) -> Result<u16, RecordError> {
    u16::try_from(length).map_err(|_| RecordError::TooLong)
}
