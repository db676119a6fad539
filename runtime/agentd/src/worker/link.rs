//! Messages on a stream of bytes: a length of four bytes, little-endian, then that many bytes of postcard.
//!
//! A length above [`MAX_MESSAGE`] is refused before anything is allocated: the other side is broken then.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of one message at most: a record, and an observation as long as the API takes.
pub const MAX_MESSAGE: usize = 256 << 10;

/// Why a message could not be sent or understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The stream broke.
    #[error("the connection between daemon and worker broke: {0}")]
    Io(#[from] io::Error),
    /// Longer than [`MAX_MESSAGE`].
    #[error(
        "a message of {bytes} bytes between daemon and worker; at most {MAX_MESSAGE} are allowed"
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not a message of this version.
    #[error("a message between daemon and worker that is none of this version: {0}")]
    Garbled(#[from] postcard::Error),
}

/// The bytes of a message, its length in front.
///
/// # Errors
/// [`LinkError::TooLong`].
pub fn pack(message: &impl Serialize) -> Result<Vec<u8>, LinkError> {
    let mut bytes = postcard::to_extend(message, vec![0; 4])?;
    let body = bytes.len() - 4;
    let length = length_of(body)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// The length that a header promises, if it is allowed.
///
/// # Errors
/// [`LinkError::TooLong`].
pub fn unpack_length(header: [u8; 4]) -> Result<usize, LinkError> {
    let bytes = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
    length_of(bytes).map(|_| bytes)
}

/// The message in a body.
///
/// # Errors
/// [`LinkError::Garbled`].
pub fn unpack<T: DeserializeOwned>(body: &[u8]) -> Result<T, LinkError> {
    Ok(postcard::from_bytes(body)?)
}

/// Reads one message; `None` when the other side has hung up between two messages.
///
/// # Errors
/// [`LinkError`].
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, LinkError> {
    let mut header = [0; 4];
    match from.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut body = vec![0; unpack_length(header)?];
    from.read_exact(&mut body)?;
    unpack(&body).map(Some)
}

/// Writes one message.
///
/// # Errors
/// [`LinkError`].
pub fn write(to: &mut impl Write, message: &impl Serialize) -> Result<(), LinkError> {
    to.write_all(&pack(message)?)?;
    Ok(to.flush()?)
}

fn length_of(bytes: usize) -> Result<u32, LinkError> {
    if bytes > MAX_MESSAGE {
        return Err(LinkError::TooLong { bytes });
    }
    u32::try_from(bytes).map_err(|_| LinkError::TooLong { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::protocol::{StepInput, ToWorker};

    fn step(observation: String) -> ToWorker {
        ToWorker::Step {
            job: 7,
            step: StepInput {
                agent: 1,
                state: vec![1, 2, 3],
                observation,
                invalid: true,
                actions: None,
                max_actions: None,
            },
        }
    }

    #[test]
    fn messages_come_back_one_by_one() {
        let mut bytes = Vec::new();
        write(&mut bytes, &step("a".into())).unwrap();
        write(&mut bytes, &ToWorker::Probe).unwrap();
        let mut from = &*bytes;
        assert_eq!(read(&mut from).unwrap(), Some(step("a".into())));
        assert_eq!(read(&mut from).unwrap(), Some(ToWorker::Probe));
        assert_eq!(read::<ToWorker>(&mut from).unwrap(), None);
    }

    #[test]
    fn what_is_too_long_or_garbled_is_refused() {
        let long = pack(&step("x".repeat(MAX_MESSAGE))).unwrap_err();
        assert!(matches!(long, LinkError::TooLong { .. }));
        let promise = [&u32::MAX.to_le_bytes()[..], b"x"].concat();
        let refused = read::<ToWorker>(&mut &*promise).unwrap_err();
        assert!(matches!(refused, LinkError::TooLong { .. }));
        let garbled = [&2_u32.to_le_bytes()[..], &[99, 99]].concat();
        let refused = read::<ToWorker>(&mut &*garbled).unwrap_err();
        assert!(matches!(refused, LinkError::Garbled(_)));
        let cut = &pack(&ToWorker::Probe).unwrap()[..4];
        let refused = read::<ToWorker>(&mut &*cut).unwrap_err();
        assert!(matches!(refused, LinkError::Io(_)));
    }
}
