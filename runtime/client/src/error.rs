//! Why a request brought no answer.

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon said no.
    #[error("{code} ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// One word for programs.
        code: String,
        /// A sentence for people.
        message: String,
        /// Seconds after which it may be worth trying again, if the daemon named them.
        retry_after: Option<u64>,
    },
    /// The daemon could not be reached, or the connection broke.
    #[error("{address}: {source}")]
    Transport {
        /// Where it should have been.
        address: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// A text that holds no certificate.
    #[error("there is no certificate in the PEM format in it")]
    Certificate,
    /// An answer that is not of this protocol.
    #[error(
        "{address} answered {status} with something that is no answer of stride-agentd: {source}"
    )]
    Answer {
        /// Who answered.
        address: String,
        /// The HTTP status.
        status: u16,
        /// What does not fit.
        source: Box<ureq::Error>,
    },
}

impl ClientError {
    /// Whether the same request may succeed later: the connection broke, or the daemon is busy or not ready.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            Self::Transport { .. } => true,
            Self::Answer { .. } | Self::Certificate => false,
        }
    }
}
