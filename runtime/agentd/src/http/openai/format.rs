//! What form a text is to have.

use serde::Deserialize;
use serde_json::{Map, Value};
use stride_engine::Grammar;
use utoipa::ToSchema;

use super::super::error::ApiError;
use crate::worker::protocol::TextGrammar;

/// What form a text is to have.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[schema(as = openai::ResponseFormat)]
pub enum ResponseFormat {
    /// Any.
    Text,
    /// It is a JSON object.
    JsonObject,
    /// It is JSON under a schema.
    JsonSchema {
        /// The schema, and what else there is to say of it.
        json_schema: NamedSchema,
    },
}

/// A schema; its name and whether it is strict are not looked at: it always is.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[schema(as = openai::NamedSchema)]
pub struct NamedSchema {
    /// The JSON schema.
    #[schema(value_type = Object)]
    schema: Map<String, Value>,
}

/// What the text must match, by either of the two ways to say so.
pub(super) fn grammar(
    format: Option<ResponseFormat>,
    gbnf: Option<String>,
) -> Result<Option<TextGrammar>, ApiError> {
    let schema = match format {
        None | Some(ResponseFormat::Text) => {
            let gbnf = gbnf.map(|gbnf| bounded("grammar", gbnf));
            return Ok(gbnf.transpose()?.map(TextGrammar::Gbnf));
        }
        Some(ResponseFormat::JsonObject) => r#"{"type":"object"}"#.to_owned(),
        Some(ResponseFormat::JsonSchema { json_schema }) => {
            Value::Object(json_schema.schema).to_string()
        }
    };
    if gbnf.is_some() {
        let problem = "the response_format says already what the text must match";
        return Err(ApiError::field("grammar", problem));
    }
    bounded("response_format", schema).map(|schema| Some(TextGrammar::JsonSchema(schema)))
}

fn bounded(field: &'static str, source: String) -> Result<String, ApiError> {
    let most = Grammar::MOST_BYTES;
    if source.len() > most {
        return Err(ApiError::field(field, format!("at most {most} bytes")));
    }
    Ok(source)
}
