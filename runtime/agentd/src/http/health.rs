//! Whether the daemon runs, whether it makes steps, and what it counted.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use stride_client::api::Readiness;

use super::app::App;
use super::error::{ApiError, Refusals};
use crate::exposition::plain;

const OPENMETRICS: &str = "application/openmetrics-text";

/// The process answers. It says nothing about steps: `/readyz` does.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = OK, description = "It runs", body = str, content_type = "text/plain")))]
pub async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether steps are being made: the last policy call finished within the deadline, and the store takes records.
#[utoipa::path(get, path = "/readyz", tag = "health", responses(
    (status = OK, description = "Ready", body = Readiness),
    (status = SERVICE_UNAVAILABLE, description = "Not ready, and why", body = Readiness),
))]
pub async fn readyz(State(app): State<App>) -> Response {
    let readiness = readiness(&app);
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

/// What is counted: in the text format of OpenMetrics for who asks for it (`accept: application/openmetrics-text`), else in that of
/// Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "health", responses(
    (status = OK, description = "The exposition",
        content((str = "text/plain"), (str = "application/openmetrics-text"))),
    Refusals,
))]
pub async fn metrics(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    let text = app.metrics.expose().map_err(|error| {
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics",
            error.to_string(),
        )
    })?;
    let accepted = headers.get(header::ACCEPT);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    let (kind, text) = if accepted.is_some_and(|kinds| kinds.contains(OPENMETRICS)) {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        )
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", plain(&text))
    };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Whether steps are being made.
#[must_use]
pub fn readiness(app: &App) -> Readiness {
    let bounds = &app.bounds;
    let status = app.engine.status();
    let mut reason = status.problem(bounds.step_deadline, bounds.probe_pause);
    if reason.is_none() && !app.agents.writable() {
        reason = Some("the store takes no records".into());
    }
    Readiness {
        ready: reason.is_none(),
        reason,
        model: status.facts().model,
    }
}
