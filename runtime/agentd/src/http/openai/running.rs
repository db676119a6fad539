//! A text on its way from the worker to the client.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::Event;
use serde::Serialize;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{Instant, timeout_at};
use tokio_stream::Stream;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::super::app::App;
use super::super::error::ApiError;
use super::request::Usage;
use crate::agents::service::unix_seconds;
use crate::engine::{StepFailure, TextOutcome};
use crate::worker::protocol::{TextInput, TextOutput};

/// What all answers about one text say.
#[derive(Debug, Clone)]
pub(super) struct Head {
    /// Names it.
    pub(super) id: String,
    /// When it was begun, in seconds since 1970.
    pub(super) created: u64,
    /// Who said it.
    pub(super) model: String,
}

/// A text that is over.
#[derive(Debug, Default)]
pub(super) struct Finished {
    pub(super) text: String,
    pub(super) reason: &'static str,
    pub(super) usage: Usage,
}

/// A text that is being continued.
pub(super) struct Running {
    pub(super) head: Head,
    /// The worker is told when this is dropped.
    outcomes: UnboundedReceiver<TextOutcome>,
    begun: Instant,
    /// Time in which it must be complete.
    patience: Duration,
}

impl Running {
    /// Begins a text, if another may be begun.
    pub(super) fn begin(
        app: &App,
        kind: &str,
        model: String,
        input: TextInput,
    ) -> Result<Self, ApiError> {
        let place = app.texts.clone().try_acquire_owned().map_err(|_| {
            let status = axum::http::StatusCode::TOO_MANY_REQUESTS;
            let message = "too many texts at once (limits.texts in the settings)";
            ApiError::new(status, "busy", message).retry_after(1)
        })?;
        let outcomes = app.engine.text(input, place)?;
        let head = Head {
            id: format!("{kind}-{:032x}", rand::random::<u128>()),
            created: unix_seconds(),
            model,
        };
        Ok(Self {
            head,
            outcomes,
            begun: Instant::now(),
            patience: app.bounds.text_deadline,
        })
    }

    /// Waits for the whole text.
    pub(super) async fn finish(mut self) -> Result<(Head, Finished), ApiError> {
        let mut finished = Finished::default();
        loop {
            match self.next().await? {
                Grown::Piece(piece) => finished.text.push_str(&piece),
                Grown::End { reason, usage } => {
                    (finished.reason, finished.usage) = (reason, usage);
                    return Ok((self.head, finished));
                }
            }
        }
    }

    /// The text as events: the first piece is waited for, so that a text that cannot be begun is refused with a status.
    pub(super) async fn stream<C>(
        mut self,
        usage_wanted: bool,
        chunk: impl Fn(&Head, Chunk<'_>) -> C + Send + 'static,
    ) -> Result<impl Stream<Item = Result<Event, Infallible>> + Send + 'static, ApiError>
    where
        C: Serialize + Send + 'static,
    {
        let first = self.next().await?;
        let (to, events) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let send = |chunk: C| {
                let event = Event::default().json_data(chunk);
                // A client that is gone hears no more.
                drop(event.map(|event| to.send(event)));
            };
            send(chunk(&self.head, Chunk::Begin));
            let mut next = Ok(first);
            loop {
                match next {
                    Ok(Grown::Piece(piece)) => send(chunk(&self.head, Chunk::Piece(&piece))),
                    Ok(Grown::End { reason, usage }) => {
                        send(chunk(&self.head, Chunk::End(reason)));
                        if usage_wanted {
                            send(chunk(&self.head, Chunk::Usage(usage)));
                        }
                        let _ = to.send(Event::default().data("[DONE]"));
                        return;
                    }
                    Err(error) => {
                        let error = ApiError::from(error).into_body();
                        drop(
                            Event::default()
                                .json_data(error)
                                .map(|event| to.send(event)),
                        );
                        return;
                    }
                }
                next = tokio::select! {
                    next = self.next() => next,
                    () = to.closed() => return,
                };
            }
        });
        Ok(UnboundedReceiverStream::new(events).map(Ok))
    }

    async fn next(&mut self) -> Result<Grown, StepFailure> {
        let next = timeout_at(self.begun + self.patience, self.outcomes.recv()).await;
        let late = StepFailure::Late {
            seconds: self.patience.as_secs(),
        };
        match next.map_err(|_| late)? {
            None | Some(Ok(TextOutput::Cancelled)) => Err(StepFailure::Closed),
            Some(Err(failure)) => Err(failure),
            Some(Ok(TextOutput::Piece(piece))) => Ok(Grown::Piece(piece)),
            Some(Ok(TextOutput::End {
                prompt_tokens,
                generated_tokens,
                capped,
            })) => Ok(Grown::End {
                reason: if capped { "length" } else { "stop" },
                usage: Usage {
                    prompt_tokens,
                    completion_tokens: generated_tokens,
                    total_tokens: prompt_tokens.saturating_add(generated_tokens),
                },
            }),
            Some(Ok(TextOutput::Refused(reason))) => Err(StepFailure::Refused(reason)),
            Some(Ok(TextOutput::Failed(reason))) => Err(StepFailure::Policy(reason)),
        }
    }
}

enum Grown {
    Piece(String),
    End { reason: &'static str, usage: Usage },
}

/// What a piece of a stream says.
pub(super) enum Chunk<'a> {
    /// Nothing yet.
    Begin,
    /// More text.
    Piece(&'a str),
    /// Why it is over.
    End(&'static str),
    /// What it took.
    Usage(Usage),
}
