//! The versioned, checksummed record of an agent state.
