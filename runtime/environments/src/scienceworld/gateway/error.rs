//! What can go wrong between us and the JVM.

use std::io;
use std::time::Duration;

/// Why a call into the JVM failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The connection cannot be made.
    #[error("no connection to the simulator on port {port} of this machine")]
    Connect {
        /// The port.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the connection to the simulator broke")]
    Broken(#[source] io::Error),
    /// The other side closed the connection.
    #[error("the simulator closed the connection in the middle of a call")]
    Closed,
    /// No answer came in time.
    #[error("the simulator gave no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// How long it had.
        limit: Duration,
    },
    /// An answer was too long.
    #[error("the simulator's answer is longer than {limit} bytes")]
    LongLine {
        /// The limit.
        limit: usize,
    },
    /// An answer was no answer.
    #[error("the simulator answered `{line}`, which is not of Py4J's protocol")]
    Garbage {
        /// Its beginning.
        line: String,
    },
    /// An answer had another type than the method has.
    #[error("the simulator answered with {found} where {expected} was expected")]
    Type {
        /// What was expected.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
    /// The method threw an exception.
    #[error("the simulator threw an exception: {message}")]
    Threw {
        /// Its beginning.
        message: String,
    },
    /// A list is longer than any that the simulator makes.
    #[error("the simulator answered with a list of {length} entries; at most {limit} are read")]
    LongList {
        /// Its length.
        length: usize,
        /// The limit.
        limit: usize,
    },
}
