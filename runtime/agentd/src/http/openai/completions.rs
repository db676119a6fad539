//! A text is continued.

use axum::Json;
use axum::extract::State;
use axum::response::sse::Sse;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::app::App;
use super::super::body::Body;
use super::super::error::{ApiError, Refusals};
use super::models::known;
use super::request::{Choices, Texts, Usage};
use super::running::{Chunk, Head, Running};

/// A text to be continued.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = openai::CompletionRequest)]
pub struct Request {
    /// The model that answers, as `/v1/models` names it.
    model: String,
    /// The text: one, as a text or as a list of one.
    prompt: Texts,
    #[serde(flatten)]
    choices: Choices,
}

/// A text, or a piece of one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Completion)]
pub struct Completion {
    /// Names it.
    id: String,
    /// Always `text_completion`.
    object: &'static str,
    /// When it was begun, in seconds since 1970.
    created: u64,
    /// Who said it.
    model: String,
    /// The text; none in the piece that says what it took.
    choices: Vec<Choice>,
    /// What it took; in a stream only in its last piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// One continuation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::CompletionChoice)]
pub struct Choice {
    /// Always 0.
    index: u32,
    /// What was said.
    text: String,
    /// `stop`: it was over; `length`: it was long enough.
    finish_reason: Option<&'static str>,
    /// Always `null`.
    logprobs: Option<u32>,
}

impl Completion {
    fn new(
        head: Head,
        choice: Option<(String, Option<&'static str>)>,
        usage: Option<Usage>,
    ) -> Self {
        let choice = choice.map(|(text, finish_reason)| Choice {
            index: 0,
            text,
            finish_reason,
            logprobs: None,
        });
        Self {
            id: head.id,
            object: "text_completion",
            created: head.created,
            model: head.model,
            choices: choice.into_iter().collect(),
            usage,
        }
    }

    fn piece(head: &Head, chunk: Chunk<'_>) -> Self {
        let (choice, usage) = match chunk {
            Chunk::Begin => (Some((String::new(), None)), None),
            Chunk::Piece(piece) => (Some((piece.to_owned(), None)), None),
            Chunk::End(reason) => (Some((String::new(), Some(reason))), None),
            Chunk::Usage(usage) => (None, Some(usage)),
        };
        Self::new(head.clone(), choice, usage)
    }
}

/// Continues a text.
#[utoipa::path(post, path = "/v1/completions", tag = "openai", request_body = Request, responses(
    (status = OK, description = "The text, or with `stream` its pieces as server-sent events that end with `[DONE]`",
        content((Completion = "application/json"), (super::StreamEvent = "text/event-stream"))),
    Refusals,
))]
pub async fn create(
    State(app): State<App>,
    Body(request): Body<Request>,
) -> Result<Response, ApiError> {
    known(&app, &request.model)?;
    let prompt = request.prompt.into_one("prompt")?;
    let (streams, usage) = (request.choices.streams(), request.choices.includes_usage());
    let input = request.choices.input(prompt)?;
    let running = Running::begin(&app, "cmpl", request.model, input)?;
    if streams {
        let events = running.stream(usage, Completion::piece).await?;
        return Ok(Sse::new(events).into_response());
    }
    let (head, finished) = running.finish().await?;
    let choice = (finished.text, Some(finished.reason));
    Ok(Json(Completion::new(head, Some(choice), Some(finished.usage))).into_response())
}
