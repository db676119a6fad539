//! Steps as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use utoipa::ToSchema;

use super::agents::{IdPath, known};
use super::app::App;
use super::error::{ApiError, Refusals};

/// An event of an agent's stream, as server-sent events have it: a name, and what it tells as text. Only for the document.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "the document alone reads it")]
pub struct AgentEvent {
    /// What happened.
    event: AgentEventName,
    /// JSON of a `StepEvent` (`step`), or how many steps the listener did not see (`missed`).
    data: String,
}

/// What happened to an agent or its listener.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum AgentEventName {
    /// A step was recorded.
    Step,
    /// The listener was too slow.
    Missed,
}

/// The steps of one agent from now on, as server-sent events named `step`, each after it was recorded. A listener that is too
/// slow gets an event `missed` with the number of steps it did not see.
#[utoipa::path(get, path = "/v1/agents/{id}/events", tag = "agents",
    params(("id" = String, Path, description = "The agent")),
    responses(
        (status = OK, description = "One event for each step", body = AgentEvent, content_type = "text/event-stream"),
        Refusals,
    ))]
pub async fn events(
    State(app): State<App>,
    id: IdPath,
) -> Result<Sse<impl tokio_stream::Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let id = known(id)?;
    app.agents.get(id)?;
    let steps = BroadcastStream::new(app.agents.events()?).filter_map(move |step| match step {
        Ok(step) if step.agent != id.as_str() => None,
        Ok(step) => Event::default().event("step").json_data(step).ok().map(Ok),
        Err(BroadcastStreamRecvError::Lagged(missed)) => Some(Ok(Event::default()
            .event("missed")
            .data(missed.to_string()))),
    });
    Ok(Sse::new(steps).keep_alive(keep_alive()))
}

/// Signs of life for whoever listens while nothing happens.
pub(super) fn keep_alive() -> KeepAlive {
    KeepAlive::new().interval(Duration::from_secs(15))
}
