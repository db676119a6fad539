//! Every refusal has a status, a code and a sentence.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use stride_client::api::{ErrorBody, ErrorDetail};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::agents::ServiceError;
use crate::engine::{ModelError, StepFailure};
use crate::episodes::EpisodeError;
use crate::store::StoreError;

/// A refusal.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Seconds after which it is worth trying again.
    retry_after: Option<u32>,
    /// The field at fault.
    param: Option<&'static str>,
}

/// Every status that a refusal can have, and when.
const REFUSALS: [(StatusCode, &str); 13] = [
    (
        StatusCode::BAD_REQUEST,
        "The request is no JSON, or a field of it cannot be used",
    ),
    (StatusCode::UNAUTHORIZED, "There is no valid token"),
    (
        StatusCode::FORBIDDEN,
        "The host or the token does not allow this",
    ),
    (
        StatusCode::NOT_FOUND,
        "There is no such agent, environment, game, model or path",
    ),
    (
        StatusCode::METHOD_NOT_ALLOWED,
        "The path knows other methods",
    ),
    (
        StatusCode::REQUEST_TIMEOUT,
        "The request was not there in time",
    ),
    (StatusCode::CONFLICT, "The agent is not in a state for this"),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
    (
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body is not declared as application/json",
    ),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        "The policy cannot answer this step, the guard lets no listed action out, or the model was refused",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        "Too much at once; see Retry-After",
    ),
    (
        StatusCode::INTERNAL_SERVER_ERROR,
        "A step that ends its worker each time, or a damaged record",
    ),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "Not now: no policy, no storage, no room, no environment; see Retry-After",
    ),
];

impl ApiError {
    /// A refusal.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            param: None,
        }
    }

    /// A field of a request that cannot be used.
    #[must_use]
    pub fn field(param: &'static str, problem: impl std::fmt::Display) -> Self {
        Self {
            param: Some(param),
            ..Self::new(
                StatusCode::BAD_REQUEST,
                "invalid",
                format!("{param}: {problem}"),
            )
        }
    }

    /// Its body.
    #[must_use]
    pub fn into_body(self) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                code: self.code.into(),
                message: self.message,
                kind: kind(self.status).into(),
                param: self.param.map(str::to_owned),
            },
        }
    }

    /// The same with an advice when to try again.
    #[must_use]
    pub fn retry_after(self, seconds: u32) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }
}

/// What programs made for the API of OpenAI tell errors apart by.
fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status, self.retry_after);
        let mut response = (status, Json(self.into_body())).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert("retry-after", seconds.into());
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        Self::from(&error)
    }
}

impl From<&ServiceError> for ApiError {
    fn from(error: &ServiceError) -> Self {
        use ServiceError as E;
        let message = error.to_string();
        match error {
            E::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "no_agent", message),
            E::Exists(_) => Self::new(StatusCode::CONFLICT, "agent_exists", message),
            E::Ended(_) => Self::new(StatusCode::CONFLICT, "episode_over", message),
            E::InEpisode(_) => Self::new(StatusCode::CONFLICT, "in_episode", message),
            E::Superseded { .. } => Self::new(StatusCode::CONFLICT, "request_superseded", message),
            E::Invalid { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid", message),
            E::NothingAllowed => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing_allowed", message)
            }
            E::Full { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "agents_full", message).retry_after(60)
            }
            E::Busy => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(1),
            E::TimedOut { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).retry_after(1)
            }
            E::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "closing", message).retry_after(1)
            }
            E::Step(failure) => failure.into(),
            E::Store(error) => error.into(),
        }
    }
}

impl From<StepFailure> for ApiError {
    fn from(failure: StepFailure) -> Self {
        Self::from(&failure)
    }
}

impl From<&StepFailure> for ApiError {
    fn from(failure: &StepFailure) -> Self {
        let message = failure.to_string();
        match failure {
            StepFailure::Policy(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "policy_failed", message)
            }
            StepFailure::Deadly { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "step_deadly", message)
            }
            StepFailure::Refused(_) => Self::new(StatusCode::BAD_REQUEST, "invalid", message),
            StepFailure::Lost => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "worker_lost", message).retry_after(1)
            }
            StepFailure::Late { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "timed_out", message).retry_after(1)
            }
            StepFailure::Busy => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(1)
            }
            StepFailure::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "closing", message).retry_after(1)
            }
        }
    }
}

impl From<&EpisodeError> for ApiError {
    fn from(error: &EpisodeError) -> Self {
        use EpisodeError as E;
        let message = error.to_string();
        match error {
            E::NoEnvironment(_) => Self::new(StatusCode::NOT_FOUND, "no_environment", message),
            E::NoGame { .. } => Self::new(StatusCode::NOT_FOUND, "no_game", message),
            E::Invalid { .. } | E::Unlisted(_) => {
                Self::new(StatusCode::BAD_REQUEST, "invalid", message)
            }
            E::Exists(_) => Self::new(StatusCode::CONFLICT, "episode_exists", message),
            E::Diverged(_) => Self::new(StatusCode::CONFLICT, "episode_diverged", message),
            E::World(_) => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "environment_failed", message).retry_after(10)
            }
            E::Busy(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message).retry_after(1),
            E::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "closing", message).retry_after(1)
            }
            E::Agent(error) => error.into(),
        }
    }
}

impl From<EpisodeError> for ApiError {
    fn from(error: EpisodeError) -> Self {
        Self::from(&error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        tracing::error!(%error, "store");
        let message = error.to_string();
        match error {
            StoreError::Record { .. } => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "record_damaged", message)
            }
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage", message).retry_after(1),
        }
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        match error {
            ModelError::Name { .. } => Self::new(StatusCode::BAD_REQUEST, "invalid", message),
            ModelError::File { .. } => Self::new(StatusCode::NOT_FOUND, "no_model", message),
            ModelError::Closed => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "closing", message).retry_after(1)
            }
            _ => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "model_refused", message),
        }
    }
}

/// All refusals, for the OpenAPI document.
#[derive(Debug)]
pub struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let schema = Ref::from_schema_name(ErrorBody::name());
        REFUSALS
            .into_iter()
            .map(|(status, when)| {
                let content = ContentBuilder::new().schema(Some(schema.clone())).build();
                let response = ResponseBuilder::new()
                    .description(when)
                    .content("application/json", content)
                    .build();
                (status.as_str().to_owned(), response.into())
            })
            .collect()
    }
}
