//! Tokenizers of a few hundred bytes that would take gigabytes: refused before anything is allocated.

use serde_json::{Value, json};
use stride_convert::quantize::Recipe;

use crate::support::{Folder, assert_says};

/// The refusal of a small Unigram tokenizer that was changed.
fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let folder = Folder::new();
    std::fs::remove_file(folder.file("stride.json")).unwrap();
    folder.edit("tokenizer.json", |tokenizer| {
        *tokenizer = json!({
            "added_tokens": [{ "id": 0, "content": "<unk>", "special": true, "single_word": false, "lstrip": false,
                               "rstrip": false, "normalized": false }],
            "model": { "type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", -1.0]] },
        });
        change(tokenizer);
    });
    folder.refusal(Recipe::F32)
}

fn replace(content: &str) -> Value {
    json!({ "type": "Replace", "pattern": { "String": "a" }, "content": content })
}

#[test]
fn an_id_far_beyond_the_others() {
    let text = refusal(|tokenizer| tokenizer["added_tokens"][0]["id"] = json!(4_000_000));
    assert_says(&text, &["id 4000000", "4099 ids"]);
}

#[test]
fn parts_that_double_a_text_again_and_again() {
    let parts = vec![replace("aa"); 40];
    let text = refusal(|tokenizer| {
        tokenizer["normalizer"] = json!({ "type": "Sequence", "normalizers": parts });
    });
    assert_says(&text, &["times as long", "1024"]);
    let doubled = json!([{ "Sequence": { "id": "A", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }]);
    let template = json!({ "type": "TemplateProcessing", "single": doubled, "pair": doubled, "special_tokens": {} });
    let parts = vec![template; 40];
    let text = refusal(|tokenizer| {
        tokenizer["post_processor"] = json!({ "type": "Sequence", "processors": parts });
    });
    assert_says(&text, &["times as long"]);
}

#[test]
fn a_map_of_characters_that_claims_four_gigabytes() {
    let text = refusal(|tokenizer| {
        tokenizer["normalizer"] =
            json!({ "type": "Precompiled", "precompiled_charsmap": "/////w==" });
    });
    assert_says(&text, &["precompiled_charsmap", "damaged"]);
}

#[test]
fn expressions_without_number_or_end() {
    let split = |expression: &str| json!({ "type": "Split", "pattern": { "Regex": expression }, "behavior": "Isolated", "invert": false });
    let many = vec![split("a"); 9];
    let text = refusal(|tokenizer| {
        tokenizer["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": many });
    });
    assert_says(&text, &["9 regular expressions", "8 are allowed"]);
    let text = refusal(|tokenizer| tokenizer["pre_tokenizer"] = split(&"a".repeat(4097)));
    assert_says(&text, &["4097 bytes"]);
}

#[test]
fn more_added_tokens_than_are_compared() {
    let text = refusal(|tokenizer| {
        let token = tokenizer["added_tokens"][0].clone();
        let numbered = (0..16_385).map(|id| {
            let mut token = token.clone();
            token["id"] = json!(id);
            token["content"] = json!(format!("<{id}>"));
            token
        });
        tokenizer["added_tokens"] = numbered.collect();
    });
    assert_says(&text, &["16385 added tokens", "16384"]);
}
