//! Tokenizers that GGUF's rules could not reproduce, one test per refusal.

use serde_json::{Value, json};
use stride_convert::quantize::Recipe;
use stride_convert::source::tokenizer::byte_symbol;

use crate::support::{Folder, assert_says};

fn with(change: impl FnOnce(&mut Value)) -> String {
    let folder = Folder::new();
    folder.edit("tokenizer.json", change);
    let text = folder.refusal(Recipe::F32);
    assert_says(&text, &["tokenizer.json"]);
    text
}

#[test]
fn byte_symbols_are_those_of_gpt_2() {
    let symbols: Vec<char> = [b'a', b' ', b'\n', 0, 0x7f, 0xa0, 0xad, 0xff]
        .into_iter()
        .map(byte_symbol)
        .collect();
    assert_eq!(symbols, ['a', 'Ġ', 'Ċ', 'Ā', 'ġ', 'ł', 'Ń', 'ÿ']);
}

#[test]
fn another_model() {
    let text =
        with(|tokenizer| tokenizer["model"] = json!({ "type": "Unigram", "vocab": [["a", 0.0]] }));
    assert_says(&text, &["model", "Unigram", "BPE"]);
}

#[test]
fn a_normalizer() {
    let text = with(|tokenizer| tokenizer["normalizer"] = json!({ "type": "NFC" }));
    assert_says(&text, &["normalizer", "NFC"]);
}

#[test]
fn another_pre_tokenizer() {
    let text = with(|tokenizer| tokenizer["pre_tokenizer"] = json!({ "type": "Whitespace" }));
    assert_says(&text, &["pre-tokenizer", "Whitespace", "ByteLevel"]);
}

#[test]
fn no_pre_tokenizer() {
    let text = with(|tokenizer| tokenizer["pre_tokenizer"] = Value::Null);
    assert_says(&text, &["pre-tokenizer", "none", "ByteLevel"]);
}

#[test]
fn a_prefix_space() {
    let text = with(|tokenizer| tokenizer["pre_tokenizer"]["add_prefix_space"] = json!(true));
    assert_says(&text, &["add_prefix_space true"]);
}

#[test]
fn byte_level_without_its_expression() {
    let text = with(|tokenizer| tokenizer["pre_tokenizer"]["use_regex"] = json!(false));
    assert_says(&text, &["use_regex false"]);
}

#[test]
fn a_template() {
    let text =
        with(|tokenizer| tokenizer["post_processor"] = json!({ "type": "TemplateProcessing" }));
    assert_says(&text, &["post-processor", "TemplateProcessing"]);
}

#[test]
fn another_decoder() {
    let text = with(|tokenizer| tokenizer["decoder"] = json!({ "type": "WordPiece" }));
    assert_says(&text, &["decoder", "WordPiece"]);
}

#[test]
fn truncation_and_padding() {
    for part in ["truncation", "padding"] {
        let text = with(|tokenizer| tokenizer[part] = json!({ "max_length": 8 }));
        assert_says(&text, &[part, "max_length 8"]);
    }
}

#[test]
fn settings_of_the_model() {
    for (setting, value) in [
        ("dropout", json!(0.1)),
        ("continuing_subword_prefix", json!("##")),
        ("end_of_word_suffix", json!("</w>")),
        ("byte_fallback", json!(true)),
        ("ignore_merges", json!(true)),
    ] {
        let text = with(|tokenizer| tokenizer["model"][setting] = value);
        assert_says(&text, &[setting]);
    }
}

#[test]
fn a_byte_without_a_token() {
    let text = with(|tokenizer| {
        let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        let id = vocab.remove("ÿ").unwrap();
        vocab.insert("ÿÿ".into(), id);
    });
    assert_says(&text, &["0xff"]);
}

#[test]
fn a_gap_in_the_ids() {
    let text = with(|tokenizer| tokenizer["model"]["vocab"]["ÿ"] = json!(4_000_000_000_u32));
    assert_says(&text, &["without gaps", "4000000000"]);
}

#[test]
fn an_id_that_stands_twice() {
    let text = with(|tokenizer| tokenizer["model"]["vocab"]["ÿ"] = json!(20));
    assert_says(&text, &["both have id 20"]);
}

#[test]
fn a_merge_of_an_unknown_token() {
    let text = with(|tokenizer| tokenizer["model"]["merges"][3] = json!(["Ġ", "zzz"]));
    assert_says(&text, &["merge 3", "zzz", "not in the vocabulary"]);
}

#[test]
fn a_merge_into_an_unknown_token() {
    let text = with(|tokenizer| tokenizer["model"]["merges"][3] = json!(["ÿ", "ÿ"]));
    assert_says(&text, &["merge 3", "makes a token"]);
}

#[test]
fn a_merge_that_stands_twice() {
    let text = with(|tokenizer| {
        tokenizer["model"]["merges"][3] = tokenizer["model"]["merges"][0].clone();
    });
    assert_says(&text, &["merge 3", "twice"]);
}

#[test]
fn a_merge_that_is_one_token() {
    let text = with(|tokenizer| tokenizer["model"]["merges"][0] = json!("Ġt"));
    assert_says(&text, &["merge 0", "not two tokens"]);
}

#[test]
fn a_marker_elsewhere() {
    let text = with(|tokenizer| {
        tokenizer["model"]["vocab"]["<|end|>"] = json!(2);
        tokenizer["added_tokens"][1]["id"] = json!(2);
    });
    assert_says(&text, &["<|end|>", "id 1", "its id is 2"]);
}

#[test]
fn a_marker_that_is_absent() {
    let text = with(|tokenizer| {
        tokenizer["added_tokens"].as_array_mut().unwrap().pop();
        tokenizer["model"]["vocab"]
            .as_object_mut()
            .unwrap()
            .remove("<|update|>");
    });
    assert_says(&text, &["<|update|>", "absent"]);
}

#[test]
fn a_marker_that_is_an_ordinary_token() {
    let text = with(|tokenizer| tokenizer["added_tokens"][4]["special"] = json!(false));
    assert_says(&text, &["<|task|>", "ordinary"]);
}

#[test]
fn an_added_token_with_strip_flags() {
    for flag in ["lstrip", "rstrip", "single_word"] {
        let text = with(|tokenizer| tokenizer["added_tokens"][2][flag] = json!(true));
        assert_says(&text, &["<|scene|>", flag]);
    }
}

#[test]
fn a_foreign_added_token() {
    let text = with(|tokenizer| {
        let mut token = tokenizer["added_tokens"][0].clone();
        token["content"] = json!("<pad>");
        token["id"] = json!(407);
        tokenizer["added_tokens"]
            .as_array_mut()
            .unwrap()
            .push(token);
    });
    assert_says(&text, &["<pad>", "no marker"]);
}

#[test]
fn an_added_token_with_two_ids() {
    let text = with(|tokenizer| tokenizer["added_tokens"][2]["id"] = json!(3));
    assert_says(&text, &["<|scene|>", "another"]);
}

#[test]
fn a_token_outside_the_byte_alphabet() {
    let text = with(|tokenizer| {
        let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        let count = vocab.len();
        vocab.insert("two words".into(), json!(count));
    });
    assert_says(&text, &["two words", "alphabet"]);
}

#[test]
fn merges_as_text_are_read_too() {
    let folder = Folder::new();
    let pairs = folder.exported(Recipe::F32);
    folder.edit("tokenizer.json", |tokenizer| {
        for merge in tokenizer["model"]["merges"].as_array_mut().unwrap() {
            *merge = json!(format!(
                "{} {}",
                merge[0].as_str().unwrap(),
                merge[1].as_str().unwrap()
            ));
        }
    });
    let texts = folder.exported(Recipe::F32);
    // Only the fingerprint of tokenizer.json differs.
    assert_eq!(pairs.len(), texts.len());
    let differing = pairs.iter().zip(&texts).filter(|(a, b)| a != b).count();
    assert!((1..=64).contains(&differing), "{differing} bytes");
}
