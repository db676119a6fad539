//! Models: list, activate, roll back.

use axum::Json;
use axum::extract::State;
use stride_client::api::{ActivateModel, ModelInfo, ModelList};

use super::app::App;
use super::body::Body;
use super::error::{ApiError, Refusals};

/// Lists the models in the folder.
#[utoipa::path(get, path = "/v1/stride/models", tag = "models", responses(
    (status = OK, description = "The models, and which one serves", body = ModelList), Refusals,
))]
pub async fn list(State(app): State<App>) -> Result<Json<ModelList>, ApiError> {
    Ok(Json(app.models.list()?))
}

/// Loads a model beside the one that serves, checks it, and switches between two steps. The old one serves until then, and
/// comes back by itself when the new one fails in its first steps.
#[utoipa::path(post, path = "/v1/stride/models/activate", tag = "models", request_body = ActivateModel, responses(
    (status = OK, description = "It serves", body = ModelInfo), Refusals,
))]
pub async fn activate(
    State(app): State<App>,
    Body(wish): Body<ActivateModel>,
) -> Result<Json<ModelInfo>, ApiError> {
    let models = app.models.clone();
    // A task of its own: a client that hangs up does not break a switch off.
    let done = tokio::spawn(async move { models.activate(&wish.model).await });
    let model = done
        .await
        .unwrap_or(Err(crate::engine::ModelError::Closed))?;
    Ok(Json(model))
}
