//! What people look at: the steps that were made lately, and the state of the daemon and its device.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;
use stride_client::observe::{DaemonState, MadeSteps};
use utoipa::IntoParams;

use super::app::App;
use super::error::{ApiError, Refusals};
use super::health::readiness;
use super::query;
use crate::agents::recent::REMEMBERED;
use crate::agents::service::unix_seconds;
use crate::machine;
use crate::store::AgentId;

/// Which of the steps.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// Of this agent only.
    #[param(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9_-]+$")]
    agent: Option<String>,
    /// Behind the step of this number.
    after: u64,
    /// Steps at most, the newest; default 256.
    #[param(minimum = 1, maximum = 1024)]
    limit: Option<usize>,
}

/// The steps that were made lately, oldest first: the last 1024 of all agents together are remembered, until the daemon ends.
#[utoipa::path(get, path = "/v1/stride/steps", tag = "state", params(Which), responses(
    (status = OK, description = "The steps", body = MadeSteps), Refusals,
))]
pub async fn steps(
    State(app): State<App>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<MadeSteps>, ApiError> {
    let which = query::read(which)?;
    let agent: Option<AgentId> = query::parsed("agent", which.agent.as_deref())?;
    let limit = query::limit(which.limit, 256, REMEMBERED)?;
    let recent = app.agents.recent();
    Ok(Json(recent.after(which.after, agent.as_ref(), limit)))
}

/// The state of the daemon, its worker and the device.
#[utoipa::path(get, path = "/v1/stride/state", tag = "state", responses(
    (status = OK, description = "The state", body = DaemonState), Refusals,
))]
pub async fn state(State(app): State<App>) -> Json<DaemonState> {
    let counted = app.agents.list(None, 1);
    let about = Arc::clone(&app.about);
    let worker = app.engine.status().facts().pid;
    // Sensors may take a while to answer.
    let looked = tokio::task::spawn_blocking(move || {
        (
            machine::process(std::process::id()),
            worker.and_then(machine::process),
            machine::device(about.budget_bytes, &about.state),
        )
    });
    // Fails only when the daemon ends.
    let (daemon, worker, device) = looked.await.unwrap_or_default();
    let about = &app.about;
    Json(DaemonState {
        version: env!("CARGO_PKG_VERSION").into(),
        started_at: about.started_at,
        now: unix_seconds(),
        readiness: readiness(&app),
        profile: about.profile.clone(),
        agents: counted.total,
        capacity: counted.capacity,
        steps: app.metrics.steps.get(),
        workers_lost: app.metrics.all_workers_lost(),
        daemon: daemon.unwrap_or_default(),
        worker,
        device,
    })
}
