//! The routes, and the OpenAPI document made from them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use stride_client::api::{ErrorBody, StepEvent};
use stride_client::episodes::{EpisodeBegun, EpisodeStep};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app::App;
use super::error::ApiError;
use super::guard::{Guard, guarded};
use super::{agents, episodes, health, models, observe, openai, page, stream};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "stride-agentd",
        description = "Serves step-level agents and keeps them. Every refusal has the body `ErrorBody`."
    ),
    // What the streams' events hold as text is in no body, so it is named here.
    components(schemas(ErrorBody, StepEvent, EpisodeBegun, EpisodeStep, openai::chat::Piece))
)]
struct Document;

fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(agents::create, agents::list))
        .routes(routes!(agents::get, agents::delete))
        .routes(routes!(agents::export))
        .routes(routes!(agents::step))
        .routes(routes!(stream::events))
        .routes(routes!(episodes::environments))
        .routes(routes!(episodes::run))
        .routes(routes!(observe::steps))
        .routes(routes!(observe::state))
        .routes(routes!(models::list))
        .routes(routes!(models::activate))
        .routes(routes!(openai::models::list))
        .routes(routes!(openai::models::get))
        .routes(routes!(openai::completions::create))
        .routes(routes!(openai::chat::create))
}

/// The OpenAPI document as JSON, ending with a line break.
///
/// # Errors
/// Never for a document of this program; the serializer's signature allows it.
pub fn openapi() -> Result<String, serde_json::Error> {
    let (_, document) = routes().split_for_parts();
    document.to_pretty_json().map(|json| json + "\n")
}

/// The service of a connection.
pub fn router(app: App, guard: Guard) -> Router {
    let (router, _) = routes().split_for_parts();
    router
        .merge(page::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(app.bounds.body_bytes))
        .layer(CatchPanicLayer::custom(|_| {
            let message = "a defect of the daemon; its log says more";
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "defect", message).into_response()
        }))
        .layer(middleware::from_fn_with_state(Arc::new(guard), guarded))
        .layer(middleware::from_fn_with_state(app.clone(), counted))
        .with_state(app)
}

async fn counted(State(app): State<App>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    app.metrics.answered(response.status().as_u16());
    response
}

async fn unknown() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_path", "there is no such path")
}

async fn not_allowed() -> ApiError {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    ApiError::new(status, "no_method", "this path knows other methods")
}
