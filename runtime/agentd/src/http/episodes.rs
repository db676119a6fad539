//! Whole episodes in environments of the deployment.

use std::convert::Infallible;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use stride_client::episodes::{
    EnvironmentList, Episode, EpisodeEvent, EpisodeEventName, RunEpisode,
};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::agents::REPLAYED;
use super::app::App;
use super::body::Body;
use super::error::{ApiError, Refusals};
use super::stream::keep_alive;
use crate::episodes::{Follower, Told};

/// Lists the environments of the deployment in which the daemon plays episodes itself.
#[utoipa::path(get, path = "/v1/environments", tag = "episodes", responses(
    (status = OK, description = "The environments", body = EnvironmentList), Refusals,
))]
pub async fn environments(State(app): State<App>) -> Json<EnvironmentList> {
    Json(app.episodes.environments().await)
}

/// Plays a whole episode: opens the game, makes an agent and steps it, each step recorded like one that a client asks for. A client that hangs
/// up does not end it; deleting its agent does. The same request with the same id joins the episode, goes on with one that
/// was interrupted, or returns the one that was played (with the header `stride-replayed: true`).
#[utoipa::path(post, path = "/v1/episodes", tag = "episodes", request_body = RunEpisode, responses(
    (status = OK, description = "The episode, or with `stream` its steps as server-sent events",
        content((Episode = "application/json"), (EpisodeEvent = "text/event-stream"))),
    Refusals,
))]
pub async fn run(
    State(app): State<App>,
    Body(request): Body<RunEpisode>,
) -> Result<Response, ApiError> {
    let stream = request.stream;
    let (mut follower, replayed) = app.episodes.run(request).await?;
    let mut response = if stream {
        // The first is waited for, so that an episode that cannot be begun is refused with a status.
        let first = follower.next().await;
        if let Told::End(Err(error)) = first {
            return Err(ApiError::from(&*error));
        }
        events(first, follower)
    } else {
        let episode = follower.end().await;
        let episode = episode.map_err(|error| ApiError::from(&*error))?;
        Json(&*episode).into_response()
    };
    if replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
    }
    Ok(response)
}

/// What a follower is told, as events. There are no more of them than an episode has steps, and two.
fn events(first: Told, mut follower: Follower) -> Response {
    let (to, events) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut told = first;
        loop {
            let (sent, last) = match &told {
                Told::Begun(begun) => (send(&to, EpisodeEventName::Begin, begun), false),
                Told::Step(step) => (send(&to, EpisodeEventName::Step, step), false),
                Told::End(Ok(episode)) => (send(&to, EpisodeEventName::End, &**episode), true),
                Told::End(Err(error)) => {
                    let refusal = ApiError::from(&**error).into_body();
                    (send(&to, EpisodeEventName::Error, &refusal), true)
                }
            };
            // A client that is gone hears no more.
            if last || !sent {
                return;
            }
            told = tokio::select! {
                next = follower.next() => next,
                () = to.closed() => return,
            };
        }
    });
    let events = UnboundedReceiverStream::new(events).map(Ok::<_, Infallible>);
    Sse::new(events).keep_alive(keep_alive()).into_response()
}

fn send(to: &mpsc::UnboundedSender<Event>, name: EpisodeEventName, what: &impl Serialize) -> bool {
    let name = match name {
        EpisodeEventName::Begin => "begin",
        EpisodeEventName::Step => "step",
        EpisodeEventName::End => "end",
        EpisodeEventName::Error => "error",
    };
    let event = Event::default().event(name).json_data(what);
    event.is_ok_and(|event| to.send(event).is_ok())
}
