//! Tokenizers that were not made here: rules are found by agreement on the corpus, and refused without.

use serde_json::{Value, json};
use stride_convert::gguf::{Array, GgufFile, Metadata, Value as Entry};
use stride_convert::quantize::Recipe;
use stride_convert::source::Checkpoint;
use stride_firmware_config::frame::Marker;

use crate::support::{Folder, assert_says, run};

const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The fixture without what makes it a policy: no `stride.json`, no markers, one special token.
fn folder(change: impl FnOnce(&mut Value)) -> Folder {
    let folder = Folder::new();
    std::fs::remove_file(folder.file("stride.json")).unwrap();
    folder.edit("tokenizer.json", |tokenizer| {
        let id = tokenizer["model"]["vocab"].as_object().unwrap().len();
        tokenizer["added_tokens"] = json!([added(id, "<|endoftext|>", true)]);
        change(tokenizer);
    });
    folder.edit("config.json", |config| {
        config["bos_token_id"] = Value::Null;
        config["eos_token_id"] = json!([3, 4]);
        // Room for added tokens.
        config["vocab_size"] = json!(512);
    });
    widen(&folder);
    folder
}

/// Writes the weights again for the wider vocabulary.
fn widen(folder: &Folder) {
    let mut model = stride_convert::fixtures::RandomModel::default();
    model.config.vocab = 512;
    let other = Folder::of(&model);
    std::fs::copy(
        other.file("model.safetensors"),
        folder.file("model.safetensors"),
    )
    .unwrap();
}

fn added(id: usize, content: &str, special: bool) -> Value {
    json!({
        "id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        "special": special,
    })
}

fn metadata(folder: &Folder) -> Metadata {
    let bytes = folder.exported(Recipe::Q8_0);
    GgufFile::parse(&bytes).unwrap().metadata.clone()
}

fn split(expression: &str) -> Value {
    json!({ "type": "Sequence", "pretokenizers": [
        { "type": "Split", "pattern": { "Regex": expression }, "behavior": "Isolated", "invert": false },
        { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
    ]})
}

fn kinds(metadata: &Metadata) -> Vec<i32> {
    match metadata.get("tokenizer.ggml.token_type") {
        Some(Entry::Array(Array::I32(kinds))) => kinds.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_splitting_is_found_by_what_it_does() {
    let gpt_2 = folder(|_| ());
    let digits = folder(|tokenizer| {
        tokenizer["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Digits", "individual_digits": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        ]});
    });
    let llama = folder(|tokenizer| {
        tokenizer["pre_tokenizer"] = split(LLAMA_3);
        tokenizer["model"]["ignore_merges"] = json!(true);
    });
    let single = LLAMA_3.replace("{1,3}", "");
    let qwen = folder(|tokenizer| {
        tokenizer["pre_tokenizer"] = split(&single);
        tokenizer["normalizer"] = json!({ "type": "NFC" });
    });
    for (folder, pre) in [
        (gpt_2, "gpt-2"),
        (digits, "smollm"),
        (llama, "llama-bpe"),
        (qwen, "qwen2"),
    ] {
        let metadata = metadata(&folder);
        assert_eq!(metadata.text("tokenizer.ggml.model"), Some("gpt2"));
        assert_eq!(metadata.text("tokenizer.ggml.pre"), Some(pre));
        assert_eq!(
            metadata.get("tokenizer.ggml.add_bos_token"),
            Some(&Entry::Bool(false))
        );
        assert_eq!(metadata.unsigned("tokenizer.ggml.eos_token_id"), Some(3));
        assert!(metadata.get("stride.markers").is_none());
    }
}

#[test]
fn one_character_class_more_or_less_is_refused_with_the_text_that_differs() {
    for (from, to) in [
        ("{1,3}", "{1,2}"),
        (r"[^\r\n\p{L}\p{N}]?\p{L}+", r"[^\r\n\p{L}]?\p{L}+"),
        (r"+[\r\n]*|", "+|"),
    ] {
        let altered = LLAMA_3.replace(from, to);
        assert_ne!(altered, LLAMA_3);
        let folder = folder(|tokenizer| {
            tokenizer["pre_tokenizer"] = split(&altered);
            tokenizer["model"]["ignore_merges"] = json!(true);
        });
        let text = folder.refusal(Recipe::F32);
        assert_says(
            &text,
            &[
                "tokenizer.json",
                "llama.cpp cannot reproduce it",
                "llama-bpe",
                "differ on the text",
            ],
        );
    }
}

#[test]
fn what_stands_before_a_text_is_read_off_the_template() {
    let template = |tokens: &[&str]| {
        let parts: Vec<Value> = tokens
            .iter()
            .map(|token| json!({ "SpecialToken": { "id": token, "type_id": 0 } }))
            .chain([json!({ "Sequence": { "id": "A", "type_id": 0 } })])
            .collect();
        parts
    };
    let with = |tokens: &[&str]| {
        folder(|tokenizer| {
            let id = tokenizer["added_tokens"][0]["id"].clone();
            tokenizer["post_processor"] = json!({
                "type": "TemplateProcessing", "single": template(tokens), "pair": [],
                "special_tokens": { "<|endoftext|>": { "id": "<|endoftext|>", "ids": [id], "tokens": ["<|endoftext|>"] } },
            });
        })
    };
    let one = with(&["<|endoftext|>"]);
    one.edit("config.json", |config| config["eos_token_id"] = json!(5));
    let metadata = metadata(&one);
    assert_eq!(
        metadata.get("tokenizer.ggml.add_bos_token"),
        Some(&Entry::Bool(true))
    );
    let bos = metadata.unsigned("tokenizer.ggml.bos_token_id").unwrap() as usize;
    assert_eq!(
        metadata.texts("tokenizer.ggml.tokens").unwrap()[bos],
        "<|endoftext|>"
    );
    assert_eq!(kinds(&metadata)[bos], 3);
    let text = with(&["<|endoftext|>", "<|endoftext|>"]).refusal(Recipe::F32);
    assert_says(&text, &["post-processor", "2 tokens"]);
}

#[test]
fn settings_beside_the_tokenizer_are_taken_over() {
    let folder = folder(|tokenizer| {
        let next = tokenizer["added_tokens"][0]["id"].as_u64().unwrap() as usize;
        let tokens = tokenizer["added_tokens"].as_array_mut().unwrap();
        tokens.push(added(next + 1, "<|im_end|>", true));
        tokens.push(added(next + 2, "<tool>", false));
    });
    let settings = json!({
        "eos_token": { "content": "<|im_end|>" }, "pad_token": "<|endoftext|>",
        "chat_template": [{ "name": "default", "template": "{{ a }}" }, { "name": "tools", "template": "{{ b }}" }],
    });
    std::fs::write(folder.file("tokenizer_config.json"), settings.to_string()).unwrap();
    let metadata = metadata(&folder);
    let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap();
    let place = |text: &str| tokens.iter().position(|token| token == text).unwrap();
    let (end, pad, tool) = (place("<|im_end|>"), place("<|endoftext|>"), place("<tool>"));
    let id = |key: &str| metadata.unsigned(&format!("tokenizer.ggml.{key}_token_id"));
    assert_eq!(id("eos"), Some(end as u64));
    assert_eq!(id("eot"), Some(end as u64));
    assert_eq!(id("padding"), Some(pad as u64));
    let kinds = kinds(&metadata);
    assert_eq!(
        (kinds[end], kinds[tool], kinds[tool + 1]),
        (3, 4, 5),
        "special, added, no token at all"
    );
    assert_eq!(metadata.text("tokenizer.chat_template"), Some("{{ a }}"));
    assert_eq!(
        metadata.text("tokenizer.chat_template.tools"),
        Some("{{ b }}")
    );
    let files = metadata.texts("stride.source.files").unwrap();
    assert!(files.iter().any(|file| file == "tokenizer_config.json"));
}

/// A SentencePiece-like BPE: bytes, letters, a few words; `▁` for a space.
fn pieces(normalizer: Value, pre_tokenizer: Value) -> Folder {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).into();
    tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(('a'..='z').map(String::from));
    tokens.push("▁".into());
    let merges = [
        ("t", "h"),
        ("th", "e"),
        ("▁", "the"),
        ("a", "n"),
        ("an", "d"),
        ("▁", "and"),
        ("▁", "a"),
        ("▁", "▁"),
    ];
    tokens.extend(merges.iter().map(|(left, right)| format!("{left}{right}")));
    let vocab: serde_json::Map<String, Value> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| (token.clone(), json!(id)))
        .collect();
    folder(|tokenizer| {
        tokenizer["added_tokens"] = json!([
            added(0, "<unk>", true),
            added(1, "<s>", true),
            added(2, "</s>", true)
        ]);
        tokenizer["normalizer"] = normalizer;
        tokenizer["pre_tokenizer"] = pre_tokenizer;
        tokenizer["decoder"] = Value::Null;
        tokenizer["model"] = json!({
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "vocab": vocab, "merges": merges,
        });
    })
}

fn replace() -> Value {
    json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" })
}

#[test]
fn merges_become_scores_and_the_space_in_front_is_found() {
    let prepend = json!({ "type": "Sequence", "normalizers": [{ "type": "Prepend", "prepend": "▁" }, replace()] });
    for (normalizer, prefix) in [(prepend, true), (replace(), false)] {
        let metadata = metadata(&pieces(normalizer, Value::Null));
        assert_eq!(metadata.text("tokenizer.ggml.model"), Some("llama"));
        assert_eq!(
            metadata.get("tokenizer.ggml.add_space_prefix"),
            Some(&Entry::Bool(prefix))
        );
        assert_eq!(
            metadata.unsigned("tokenizer.ggml.unknown_token_id"),
            Some(0)
        );
        assert!(metadata.get("tokenizer.ggml.merges").is_none());
        let kinds = kinds(&metadata);
        assert_eq!((kinds[0], kinds[1], kinds[3], kinds[300]), (2, 3, 6, 5));
        let Some(Entry::Array(Array::F32(scores))) = metadata.get("tokenizer.ggml.scores") else {
            panic!("scores");
        };
        assert_eq!(scores.len(), 512);
        let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap();
        let score = |text: &str| scores[tokens.iter().position(|token| token == text).unwrap()];
        assert_eq!((score("th"), score("▁and"), score("a")), (0.0, -5.0, -9.0));
    }
}

#[test]
fn a_space_in_front_of_the_first_text_only_is_refused() {
    let first = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false });
    let text = pieces(Value::Null, first).refusal(Recipe::F32);
    assert_says(
        &text,
        &[
            "llama.cpp cannot reproduce it",
            "\"llama\"",
            "differ on the text",
        ],
    );
}

#[test]
fn unigram_takes_its_scores_along() {
    let pieces = [
        ("<unk>", 0.0),
        ("</s>", 0.0),
        ("▁", -2.0),
        ("e", -3.0),
        ("t", -3.5),
        ("▁the", -2.5),
        ("h", -4.0),
    ];
    let folder = folder(|tokenizer| {
        tokenizer["added_tokens"] = json!([added(0, "<unk>", true), added(1, "</s>", true)]);
        tokenizer["normalizer"] =
            json!({ "type": "Replace", "pattern": { "Regex": "[\\n\\r\\t ]+" }, "content": " " });
        tokenizer["pre_tokenizer"] = json!({ "type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true });
        tokenizer["decoder"] = Value::Null;
        tokenizer["model"] =
            json!({ "type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": false });
    });
    // llama.cpp does not know tabs and line ends as spaces, so this one cannot be reproduced.
    let text = folder.refusal(Recipe::F32);
    assert_says(&text, &["\"t5\"", "differ on the text"]);
    folder.edit("tokenizer.json", |tokenizer| {
        tokenizer["normalizer"] = Value::Null;
        tokenizer["pre_tokenizer"]["prepend_scheme"] = json!("never");
    });
    let metadata = metadata(&folder);
    assert_eq!(metadata.text("tokenizer.ggml.model"), Some("t5"));
    assert_eq!(
        metadata.get("tokenizer.ggml.remove_extra_whitespaces"),
        Some(&Entry::Bool(false))
    );
    let Some(Entry::Array(Array::F32(scores))) = metadata.get("tokenizer.ggml.scores") else {
        panic!("scores");
    };
    assert_eq!(scores[..6], [0.0, 0.0, -2.0, -3.0, -3.5, -2.5]);
}

#[test]
fn what_no_rules_cover_is_refused_by_name() {
    let refusal = |change: fn(&mut Value)| folder(change).refusal(Recipe::F32);
    let text = refusal(|tokenizer| {
        tokenizer["model"] = json!({ "type": "WordPiece", "vocab": { "a": 0 } })
    });
    assert_says(&text, &["model", "WordPiece", "BPE or Unigram"]);
    let text = refusal(|tokenizer| tokenizer["model"]["dropout"] = json!(0.1));
    assert_says(&text, &["dropout"]);
    let text = refusal(|tokenizer| tokenizer["normalizer"] = json!({ "type": "Lowercase" }));
    assert_says(&text, &["llama.cpp cannot reproduce it"]);
    let text = refusal(|tokenizer| tokenizer["added_tokens"][0]["id"] = json!(u32::MAX));
    assert_says(&text, &["4294967295"]);
    let text = refusal(|tokenizer| tokenizer["added_tokens"][0]["content"] = json!(""));
    assert_says(&text, &["is empty"]);
    let text = refusal(|tokenizer| tokenizer["added_tokens"][0]["content"] = json!("a\0b"));
    assert_says(&text, &["a\\0b", "U+0000"]);
}

/// As in SmolLM2's vocabulary, which lacks some control characters: neither program makes a token of such a byte.
#[test]
fn a_byte_may_have_no_token() {
    let lacking = folder(|tokenizer| {
        let vocab = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        let id = vocab.remove("Ā").unwrap();
        vocab.insert("zzzz".to_owned(), id);
    });
    let metadata = metadata(&lacking);
    assert_eq!(metadata.text("tokenizer.ggml.pre"), Some("gpt-2"));
}

/// The vocabulary of a policy on a pretrained network: other splitting, other special tokens, the markers behind them all.
fn pretrained_policy(markers: &[Marker]) -> Folder {
    let folder = folder(|tokenizer| {
        tokenizer["pre_tokenizer"] = json!({ "type": "Sequence", "pretokenizers": [
            { "type": "Digits", "individual_digits": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true },
        ]});
        let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        for (id, marker) in Marker::ALL.into_iter().enumerate() {
            vocabulary.remove(marker.token()).unwrap();
            vocabulary.insert(format!("reserved{id}"), json!(id));
        }
        let next = vocabulary.len() + 1;
        let list = tokenizer["added_tokens"].as_array_mut().unwrap();
        let markers = markers.iter().enumerate();
        list.extend(markers.map(|(at, marker)| added(next + at, marker.token(), true)));
    });
    std::fs::write(folder.file("stride.json"), r#"{ "layout_version": 1 }"#).unwrap();
    folder
}

#[test]
fn a_policy_on_a_pretrained_network_keeps_its_splitting_and_names_its_markers() {
    let folder = pretrained_policy(&Marker::ALL);
    let ids = |metadata: &Metadata| -> Vec<usize> {
        let tokens = metadata.texts("tokenizer.ggml.tokens").unwrap();
        let place = |marker: &Marker| tokens.iter().position(|token| token == marker.token());
        Marker::ALL.iter().map(|m| place(m).unwrap()).collect()
    };
    let check = |metadata: &Metadata| {
        assert_eq!(metadata.text("tokenizer.ggml.pre"), Some("smollm"));
        assert_eq!(metadata.unsigned("stride.layout.version"), Some(1));
        let markers = metadata.texts("stride.markers").unwrap();
        assert_eq!(markers, Marker::ALL.map(Marker::token));
        let kinds = kinds(metadata);
        assert!(ids(metadata).iter().all(|&id| kinds[id] == 3));
    };
    let made = metadata(&folder);
    check(&made);
    assert!(ids(&made)[0] > 200);
    // Back and forth it stays one.
    let turned = folder.file("turned");
    let (code, _, stderr) = run(&[
        "dequantize",
        &folder.argument("out.gguf"),
        "-o",
        &folder.argument("turned"),
    ]);
    assert_eq!(code, 0, "{stderr}");
    let again = Checkpoint::open(&turned).unwrap();
    let foreign = again.tokenizer.foreign.as_deref().unwrap();
    assert!(foreign.speaks_layout && again.policy.is_some());
}

#[test]
fn a_policy_without_one_of_the_markers_is_refused_by_that_name() {
    let text = pretrained_policy(&Marker::ALL[..11]).refusal(Recipe::F32);
    assert_says(&text, &["tokenizer.json", "<|update|>", "no special token"]);
}
