//! The model that answers.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::app::App;
use super::super::error::{ApiError, Refusals};

/// A model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Model)]
pub struct Model {
    /// Its name.
    id: String,
    /// Always `model`.
    object: &'static str,
    /// Always 0: a file does not know when its model was made.
    created: u64,
    /// Always `stride`.
    owned_by: &'static str,
}

/// A list of models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = openai::Models)]
pub struct Models {
    /// Always `list`.
    object: &'static str,
    /// The one that answers, if one does.
    data: Vec<Model>,
}

impl Model {
    fn named(id: String) -> Self {
        Self {
            id,
            object: "model",
            created: 0,
            owned_by: "stride",
        }
    }
}

/// Lists the model that answers; `/v1/stride/models` lists all that could.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses(
    (status = OK, description = "The model that answers", body = Models), Refusals,
))]
pub async fn list(State(app): State<App>) -> Json<Models> {
    Json(Models {
        object: "list",
        data: serving(&app).map(Model::named).into_iter().collect(),
    })
}

/// Shows the model that answers.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "openai",
    params(("model" = String, Path, description = "Its name")),
    responses((status = OK, description = "It answers", body = Model), Refusals))]
pub async fn get(
    State(app): State<App>,
    model: Result<Path<String>, PathRejection>,
) -> Result<Json<Model>, ApiError> {
    let name = model.map(|Path(name)| name).unwrap_or_default();
    known(&app, &name)?;
    Ok(Json(Model::named(name)))
}

/// Checks that a model is the one that answers.
pub(super) fn known(app: &App, name: &str) -> Result<(), ApiError> {
    match serving(app) {
        Some(serving) if serving == name => Ok(()),
        serving => {
            let serving = serving.unwrap_or_else(|| "none".into());
            let message = format!("this model does not answer now; {serving} does");
            let status = StatusCode::NOT_FOUND;
            Err(ApiError::new(status, "model_not_found", message))
        }
    }
}

fn serving(app: &App) -> Option<String> {
    app.engine.status().facts().model.map(|model| model.name)
}
