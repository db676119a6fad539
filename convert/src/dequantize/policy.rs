//! `stride.json` from what `export` made of it.

use serde_json::{Map, Value as Json, json};

use crate::metadata::{CAPACITY_PREFIX, CARD_KEY, LAYOUT_VERSION_KEY, UTTERANCE_PREFIX};
use crate::stored::StoredModel;

/// What the trainer said about the policy; `None` for a model that is none.
pub(super) fn of(model: &StoredModel) -> Option<Json> {
    let metadata = &model.metadata;
    let mut policy = Map::new();
    policy.insert(
        "layout_version".into(),
        json!(metadata.unsigned(LAYOUT_VERSION_KEY)?),
    );
    for (field, key) in [
        ("name", "general.name"),
        ("author", "general.author"),
        ("license", "general.license"),
        ("description", "general.description"),
        ("card", CARD_KEY),
    ] {
        if let Some(text) = metadata.text(key) {
            policy.insert(field.into(), json!(text));
        }
    }
    for (field, prefix) in [
        ("capacities", CAPACITY_PREFIX),
        ("utterance_tokens", UTTERANCE_PREFIX),
    ] {
        let numbers: Map<String, Json> = metadata
            .iter()
            .filter_map(|(key, _)| Some((key.strip_prefix(prefix)?, metadata.unsigned(key)?)))
            .map(|(name, number)| (name.to_owned(), json!(number)))
            .collect();
        if !numbers.is_empty() {
            policy.insert(field.into(), Json::Object(numbers));
        }
    }
    Some(Json::Object(policy))
}
