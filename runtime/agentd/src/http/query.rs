//! Query strings, read.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::StatusCode;

use super::error::ApiError;

/// The query, or what is wrong with it.
///
/// # Errors
/// 400 when a field is unknown, twice there or of another kind.
pub fn read<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|rejection| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid", rejection.body_text())
    })
}

/// How many are asked for.
///
/// # Errors
/// 400 when that is not in `1..=most`.
pub fn limit(given: Option<usize>, default: usize, most: usize) -> Result<usize, ApiError> {
    let limit = given.unwrap_or(default);
    if (1..=most).contains(&limit) {
        Ok(limit)
    } else {
        let problem = format!("{limit} is not in 1 to {most}");
        Err(ApiError::field("limit", problem))
    }
}

/// A field that is something written.
///
/// # Errors
/// 400 when it does not parse.
pub fn parsed<T: FromStr<Err: std::fmt::Display>>(
    field: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, ApiError> {
    text.map(str::parse)
        .transpose()
        .map_err(|error| ApiError::field(field, error))
}
