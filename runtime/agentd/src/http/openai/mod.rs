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

/// An event of a stream, as server-sent events have it: JSON as text. Only for the document.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = openai::StreamEvent)]
#[expect(dead_code, reason = "the document alone reads it")]
pub struct StreamEvent {
    /// JSON of an `openai.ChatPiece`, an `openai.Completion` or a refusal; `[DONE]` after the last.
    data: String,
}
