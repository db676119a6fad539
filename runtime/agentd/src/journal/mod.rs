//! Files of lines that the daemon writes beside its work: the transition log and the audit log.
//!
//! | module | holds |
//! |---|---|
//! | [`files`] | [`Files`]: numbered files of bounded size and number, repaired after a crash |
//! | [`writer`] | [`Journal`]: a bounded queue and the thread behind it |
//! | [`redaction`] | [`Redactor`]: what is replaced before anything is written |
//! | [`counts`] | what is counted |
//! | [`transitions`] | the transition log: episodes become what `stride-train` reads |
//! | [`audit`] | the audit log: actions that were not given out |
//!
//! Nobody waits for a journal: a full queue, a full disk or a broken one costs lines, which are counted, and nothing else.

pub mod audit;
pub mod counts;
pub mod files;
pub mod redaction;
pub mod transitions;
pub mod writer;

pub use counts::JournalCounts;
pub use files::Files;
pub use redaction::Redactor;
pub use writer::{Journal, Scribe};
