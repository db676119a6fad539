//! The API of OpenAI, as far as programs that expect a language model need it: models, completions, chat completions.
//!
//! | module | holds |
//! |---|---|
//! | [`models`] | the model that answers |
//! | [`completions`] | a text is continued |
//! | [`chat`] | a conversation is written as a text and continued |
//! | [`format`](mod@format) | what form a text is to have |
//! | [`request`] | what both kinds of requests have in common, and its bounds |
//! | [`running`] | a text on its way from the worker to the client |
//!
//! A policy of this repository says actions, subtasks and progress; a text is continued by the same weights without a frame.

pub mod chat;
pub mod completions;
pub mod format;
pub mod models;
pub mod request;
pub mod running;
