//! What both kinds of requests have in common, and its bounds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::error::ApiError;
use super::format::{self, ResponseFormat};
use crate::worker::protocol::TextInput;

/// Stops of a request at most.
const STOPS: usize = 4;

/// Bytes of a stop at most.
const STOP: usize = 64;

/// One text or several.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = openai::Texts)]
pub enum Texts {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

impl Texts {
    fn into_list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Several(texts) => texts,
        }
    }

    /// The only one.
    pub(super) fn into_one(self, field: &'static str) -> Result<String, ApiError> {
        match <[String; 1]>::try_from(self.into_list()) {
            Ok([text]) => Ok(text),
            Err(_) => Err(ApiError::field(field, "one text at a time")),
        }
    }
}

/// How a text is to be continued. Fields of the API of OpenAI that stand neither here nor in the request itself are not looked at.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(as = openai::Choices)]
pub struct Choices {
    /// Tokens at most; 128, or what the context has room for, when it is left out.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// The same under its newer name.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// 0 to 2; 0 takes the likeliest token each time. Default 1.
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f32>,
    /// Only 1.
    #[schema(minimum = 1, maximum = 1)]
    top_p: Option<f32>,
    /// Only 1.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
    /// The same seed draws the same text.
    seed: Option<i64>,
    /// Up to 4 texts of up to 64 bytes at which it ends.
    stop: Option<Texts>,
    /// What form it is to have.
    response_format: Option<ResponseFormat>,
    /// The same as a grammar in GBNF, the format of llama.cpp: its rule `root` is the whole text.
    #[schema(max_length = 65536)]
    grammar: Option<String>,
    /// Whether the text comes as it grows.
    stream: Option<bool>,
    /// What comes with it.
    stream_options: Option<StreamOptions>,
}

/// What comes with a stream.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = openai::StreamOptions)]
pub struct StreamOptions {
    /// Whether a last piece says how many tokens it took.
    include_usage: Option<bool>,
}

/// Tokens that a text took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = openai::Usage)]
pub struct Usage {
    /// In front of it.
    pub(super) prompt_tokens: u32,
    /// Of it.
    pub(super) completion_tokens: u32,
    /// Both.
    pub(super) total_tokens: u32,
}

impl Choices {
    /// Whether the text comes as it grows.
    pub(super) fn streams(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether a last piece says how many tokens it took.
    pub(super) fn includes_usage(&self) -> bool {
        let options = self.stream_options.unwrap_or_default();
        options.include_usage.unwrap_or(false)
    }

    /// What the worker is asked; bounded, as the body is.
    pub(super) fn input(self, prompt: String) -> Result<TextInput, ApiError> {
        let temperature = self.temperature.unwrap_or(1.0);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(ApiError::field("temperature", "it is not in 0 to 2"));
        }
        if self
            .top_p
            .is_some_and(|top_p| !(1.0..=1.0).contains(&top_p))
        {
            return Err(ApiError::field(
                "top_p",
                "only 1 is known here; use temperature",
            ));
        }
        if self.n.is_some_and(|n| n != 1) {
            return Err(ApiError::field("n", "one text at a time"));
        }
        let max_tokens = self.max_completion_tokens.or(self.max_tokens);
        if max_tokens == Some(0) {
            return Err(ApiError::field("max_tokens", "it is 0"));
        }
        let stop = self.stop.map(Texts::into_list).unwrap_or_default();
        if stop.len() > STOPS || stop.iter().any(|text| text.is_empty() || text.len() > STOP) {
            let problem = format!("up to {STOPS} texts of 1 to {STOP} bytes");
            return Err(ApiError::field("stop", problem));
        }
        let grammar = format::grammar(self.response_format, self.grammar)?;
        let seed = self.seed.map_or_else(rand::random, i64::cast_unsigned);
        Ok(TextInput {
            prompt,
            max_tokens,
            temperature,
            seed,
            stop,
            grammar,
        })
    }
}
