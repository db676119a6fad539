//! JSON in, bounded in size and time.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::app::App;
use super::error::ApiError;

/// A body that was understood.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let declared = request.headers().get(header::CONTENT_TYPE);
        let declared = declared
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let declared = declared.split(';').next().unwrap_or_default().trim();
        // Asked for strictly: a page of another site cannot send it without being allowed to.
        if !declared.eq_ignore_ascii_case("application/json") {
            let message = "send the header `content-type: application/json`";
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ApiError::new(status, "not_json", message));
        }
        // What is too long by its own claim is not waited for.
        if request.body().size_hint().lower() > app.bounds.body_bytes as u64 {
            return Err(too_long(app));
        }
        let bytes = timeout(app.bounds.body_deadline, Bytes::from_request(request, app));
        let bytes = bytes.await.map_err(|_| late(app))?;
        let bytes = bytes.map_err(|rejection| refused(app, &rejection))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let message = format!("the body: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid", message)
        })
    }
}

fn late(app: &App) -> ApiError {
    let seconds = app.bounds.body_deadline.as_secs();
    let message = format!("the body was not there within {seconds} s");
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_late", message)
}

fn refused(app: &App, rejection: &BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_long(app),
        _ => ApiError::new(StatusCode::BAD_REQUEST, "invalid", rejection.body_text()),
    }
}

fn too_long(app: &App) -> ApiError {
    let message = format!("a body has at most {} bytes", app.bounds.body_bytes);
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_long", message)
}
