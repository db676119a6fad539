//! Agents: make, list, show, export, delete, step.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use stride_client::api::{Agent, AgentList, CreateAgent, StepAnswer, StepRequest};
use utoipa::{IntoParams, ToSchema};

use super::app::App;
use super::body::Body;
use super::error::{ApiError, Refusals};
use super::query;
use crate::agents::service::PAGE;
use crate::store::AgentId;

/// Says that an answer was recorded before.
pub const REPLAYED: &str = "stride-replayed";

/// Which part of the list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// Behind this id.
    #[param(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")]
    after: Option<String>,
    /// Agents at most; default 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The order; default `id`.
    #[param(inline)]
    order: Order,
}

/// The order of a list of agents.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By their ids; page by page, with `after`.
    #[default]
    Id,
    /// The one that was used last first; one page only.
    Used,
}

/// Makes an agent.
#[utoipa::path(post, path = "/v1/agents", tag = "agents", request_body = CreateAgent, responses(
    (status = CREATED, description = "A new agent", body = Agent),
    (status = OK, description = "It was there already, with the same id, task, scene and vocabulary", body = Agent),
    Refusals,
))]
pub async fn create(
    State(app): State<App>,
    Body(request): Body<CreateAgent>,
) -> Result<(StatusCode, Json<Agent>), ApiError> {
    let (agent, new) = app.agents.create(request).await?;
    let status = if new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(agent)))
}

/// Lists agents in order of their ids, or (`order=used`) those that were used last.
#[utoipa::path(get, path = "/v1/agents", tag = "agents", params(Page), responses(
    (status = OK, description = "A page of the list", body = AgentList), Refusals,
))]
pub async fn list(
    State(app): State<App>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<AgentList>, ApiError> {
    let page = query::read(page)?;
    let after: Option<AgentId> = query::parsed("after", page.after.as_deref())?;
    let limit = query::limit(page.limit, 100, PAGE)?;
    match (page.order, after) {
        (Order::Id, after) => Ok(Json(app.agents.list(after.as_ref(), limit))),
        (Order::Used, None) => Ok(Json(app.agents.latest(limit))),
        (Order::Used, Some(_)) => {
            let problem = "with order=used there is one page only";
            Err(ApiError::field("after", problem))
        }
    }
}

/// Shows all that an agent remembers.
#[utoipa::path(get, path = "/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, description = "The agent")),
    responses((status = OK, description = "The agent", body = Agent), Refusals))]
pub async fn get(State(app): State<App>, id: IdPath) -> Result<Json<Agent>, ApiError> {
    Ok(Json(app.agents.get(known(id)?)?))
}

/// The agent's state as a checksummed record, which `stride-firmware-config` reads.
#[utoipa::path(get, path = "/v1/agents/{id}/export", tag = "agents",
    params(("id" = String, Path, description = "The agent")),
    responses(
        (status = OK, description = "The record", body = Vec<u8>, content_type = "application/octet-stream"),
        Refusals,
    ))]
pub async fn export(State(app): State<App>, id: IdPath) -> Result<Response, ApiError> {
    let record = app.agents.export(known(id)?)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], record).into_response())
}

/// Deletes an agent, after the step that it is in.
#[utoipa::path(delete, path = "/v1/agents/{id}", tag = "agents",
    params(("id" = String, Path, description = "The agent")),
    responses((status = NO_CONTENT, description = "It is gone"), Refusals))]
pub async fn delete(State(app): State<App>, id: IdPath) -> Result<StatusCode, ApiError> {
    app.agents.delete(known(id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a step: takes the observation in and names the next action. The answer is recorded before it is sent; the same
/// request id again returns it (with the header `stride-replayed: true`).
#[utoipa::path(post, path = "/v1/agents/{id}/step", tag = "agents", request_body = StepRequest,
    params(("id" = String, Path, description = "The agent")),
    responses((status = OK, description = "What the agent does next", body = StepAnswer), Refusals))]
pub async fn step(
    State(app): State<App>,
    id: IdPath,
    Body(request): Body<StepRequest>,
) -> Result<Response, ApiError> {
    let answered = app.agents.step(known(id)?, request).await?;
    let mut response = Json(answered.answer).into_response();
    if answered.replayed {
        let yes = header::HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, yes);
    }
    Ok(response)
}

/// The id in a path, or why there is none.
pub type IdPath = Result<Path<String>, PathRejection>;

/// The id in a path. One that no agent can have is an agent that is not there.
pub(super) fn known(id: IdPath) -> Result<AgentId, ApiError> {
    let none = || ApiError::new(StatusCode::NOT_FOUND, "no_agent", "there is no such agent");
    let Path(id) = id.map_err(|_| none())?;
    id.parse().map_err(|_| none())
}
