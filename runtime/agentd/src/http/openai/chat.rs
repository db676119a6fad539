//! A conversation is written as a text and continued.
//!
//! Each message is a line `role: content`; the text ends with `assistant:`, and a line break ends the answer, unless the answer has
//! a form of its own. Policies of this repository know no other form of conversation.

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
use super::request::{Choices, Usage};
use super::running::{Chunk, Head, Running};

/// Messages at most.
const MESSAGES: usize = 256;

/// A conversation to be continued.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = openai::ChatRequest)]
pub struct Request {
    /// The model that answers, as `/v1/models` names it.
    model: String,
    /// What was said so far.
    #[schema(min_items = 1, max_items = 256)]
    messages: Vec<Message>,
    #[serde(flatten)]
    choices: Choices,
}

/// What somebody said.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = openai::ChatMessage)]
pub struct Message {
    /// Who.
    role: Role,
    /// What.
    content: Content,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = openai::ChatRole)]
pub enum Role {
    /// Whoever made the program.
    System,
    /// The same under its newer name.
    Developer,
    /// Whoever uses it.
    User,
    /// The model.
    Assistant,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::System | Self::Developer => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// What was said: a text, or parts of one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = openai::ChatContent)]
pub enum Content {
    /// A text.
    Text(String),
    /// Parts of one.
    Parts(Vec<Part>),
}

/// A part of a text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schema(as = openai::ChatPart)]
pub enum Part {
    /// Some text; pictures and sounds are not understood.
    Text {
        /// The text.
        text: String,
    },
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Chat)]
pub struct Chat {
    /// Names it.
    id: String,
    /// Always `chat.completion`.
    object: &'static str,
    /// When it was begun, in seconds since 1970.
    created: u64,
    /// Who said it.
    model: String,
    /// The answer.
    choices: Vec<Choice>,
    /// What it took.
    usage: Usage,
}

/// One answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatChoice)]
pub struct Choice {
    /// Always 0.
    index: u32,
    /// The answer.
    message: Said,
    /// `stop`: it was over; `length`: it was long enough.
    finish_reason: &'static str,
    /// Always `null`.
    logprobs: Option<u32>,
}

/// What the model said.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = openai::ChatSaid)]
pub struct Said {
    /// Always `assistant`; in a stream only in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// The text; left out in the last piece of a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// A piece of an answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatPiece)]
pub struct Piece {
    /// Names the answer.
    id: String,
    /// Always `chat.completion.chunk`.
    object: &'static str,
    /// When it was begun, in seconds since 1970.
    created: u64,
    /// Who says it.
    model: String,
    /// What is new; nothing in the piece that says what it took.
    choices: Vec<PieceChoice>,
    /// What it took, in the last piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

/// What is new of one answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::ChatPieceChoice)]
pub struct PieceChoice {
    /// Always 0.
    index: u32,
    /// What is new.
    delta: Said,
    /// Why it is over, in the last piece with text.
    finish_reason: Option<&'static str>,
}

impl Piece {
    fn new(head: &Head, chunk: Chunk<'_>) -> Self {
        let said = |role, content, finish_reason| {
            vec![PieceChoice {
                index: 0,
                delta: Said { role, content },
                finish_reason,
            }]
        };
        let (choices, usage) = match chunk {
            Chunk::Begin => (said(Some("assistant"), Some(String::new()), None), None),
            Chunk::Piece(piece) => (said(None, Some(piece.to_owned()), None), None),
            Chunk::End(reason) => (said(None, None, Some(reason)), None),
            Chunk::Usage(usage) => (Vec::new(), Some(usage)),
        };
        Self {
            id: head.id.clone(),
            object: "chat.completion.chunk",
            created: head.created,
            model: head.model.clone(),
            choices,
            usage,
        }
    }
}

/// Continues a conversation.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "openai", request_body = Request, responses(
    (status = OK, description = "The answer, or with `stream` its pieces as server-sent events that end with `[DONE]`",
        content((Chat = "application/json"), (super::StreamEvent = "text/event-stream"))),
    Refusals,
))]
pub async fn create(
    State(app): State<App>,
    Body(request): Body<Request>,
) -> Result<Response, ApiError> {
    known(&app, &request.model)?;
    if request.messages.is_empty() || request.messages.len() > MESSAGES {
        let problem = format!("1 to {MESSAGES} of them");
        return Err(ApiError::field("messages", problem));
    }
    let prompt = written(&request.messages);
    let (streams, usage) = (request.choices.streams(), request.choices.includes_usage());
    let mut input = request.choices.input(prompt)?;
    if input.grammar.is_none() {
        input.stop.push("\n".into());
    }
    let running = Running::begin(&app, "chatcmpl", request.model, input)?;
    if streams {
        let events = running.stream(usage, Piece::new).await?;
        return Ok(Sse::new(events).into_response());
    }
    let (head, finished) = running.finish().await?;
    let choice = Choice {
        index: 0,
        message: Said {
            role: Some("assistant"),
            content: Some(finished.text),
        },
        finish_reason: finished.reason,
        logprobs: None,
    };
    Ok(Json(Chat {
        id: head.id,
        object: "chat.completion",
        created: head.created,
        model: head.model,
        choices: vec![choice],
        usage: finished.usage,
    })
    .into_response())
}

/// The conversation as a text. Line breaks in a message become spaces: they end what somebody says.
fn written(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        text.push_str(message.role.name());
        text.push_str(": ");
        let parts: Vec<&str> = match &message.content {
            Content::Text(text) => vec![text],
            Content::Parts(parts) => parts.iter().map(|Part::Text { text }| &**text).collect(),
        };
        for part in parts {
            text.extend(part.chars().map(|c| if c == '\n' { ' ' } else { c }));
        }
        text.push('\n');
    }
    text.push_str("assistant:");
    text
}
