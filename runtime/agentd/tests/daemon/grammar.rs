//! Texts that must match a grammar or a JSON schema.

use serde_json::{Value, json};
use stride_client::ClientError;

use crate::openai::{PROMPT, ask, completion, events, text};
use crate::play::episode;
use crate::support::{MODEL, Place};

const CHAT: &str = "/v1/chat/completions";
const TEXT: &str = "/v1/completions";

fn chat(key: &str, value: Value) -> Value {
    let mut body = json!({
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 120,
        "temperature": 0,
    });
    body[key] = value;
    body
}

fn with(key: &str, value: Value) -> Value {
    let mut body = completion(PROMPT, 120);
    body[key] = value;
    body
}

fn schema() -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "place", "strict": true, "schema": {
        "type": "object",
        "properties": {
            "place": {"type": "string", "enum": ["drawer 1", "fridge 2"]},
            "open": {"type": "boolean"},
            "count": {"type": "integer", "minimum": 0, "maximum": 9},
        },
        "required": ["place", "open", "count"],
        "additionalProperties": false,
    }}})
}

/// What was said, and why it ended.
fn answered(answer: &Value) -> (String, String) {
    let choice = &answer["choices"][0];
    let text = choice["message"]["content"].as_str();
    let text = text.or_else(|| choice["text"].as_str()).unwrap();
    let reason = choice["finish_reason"].as_str().unwrap();
    (text.to_owned(), reason.to_owned())
}

/// The same in pieces.
fn streamed(place: &Place, path: &str, body: &Value) -> (String, String) {
    let mut body = body.clone();
    body["stream"] = true.into();
    let (head, mut data) = events(place, path, &body);
    assert!(head.contains("200"), "{head}");
    assert_eq!(data.pop().unwrap(), "[DONE]");
    let mut whole = String::new();
    let mut reason = String::new();
    for data in data {
        let piece: Value = serde_json::from_str(&data).unwrap();
        let choice = &piece["choices"][0];
        let new = choice["delta"]["content"].as_str();
        whole += new.or_else(|| choice["text"].as_str()).unwrap_or_default();
        reason += choice["finish_reason"].as_str().unwrap_or_default();
    }
    (whole, reason)
}

#[test]
fn texts_match_what_was_asked_whole_and_in_pieces() {
    let mut place = Place::new().started();
    let calm = episode(&place.client(), "calm", 3, 8);
    let mut bodies = Vec::new();
    for (temperature, seed) in [(0.0, 0), (1.0, 1), (1.0, 2), (1.5, 3)] {
        for (path, mut body) in [
            (CHAT, chat("response_format", schema())),
            (TEXT, with("response_format", schema())),
        ] {
            body["temperature"] = temperature.into();
            body["seed"] = seed.into();
            bodies.push((path, body));
        }
    }
    for (path, body) in bodies {
        let (said, reason) = answered(&ask(&place, path, &body));
        assert_eq!(reason, "stop", "{said}");
        let value: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 3, "{said}");
        assert!(["drawer 1", "fridge 2"].contains(&value["place"].as_str().unwrap()));
        assert!(value["open"].is_boolean() && (0..10).contains(&value["count"].as_i64().unwrap()));
        assert_eq!(streamed(&place, path, &body), (said, reason));
    }
    // Any object, or the front of one.
    let (said, reason) = answered(&ask(
        &place,
        CHAT,
        &chat("response_format", json!({"type": "json_object"})),
    ));
    assert!(said.starts_with('{'), "{said}");
    let whole = serde_json::from_str::<Value>(&said).is_ok_and(|value| value.is_object());
    assert_eq!(reason, if whole { "stop" } else { "length" }, "{said}");
    for path in [CHAT, TEXT] {
        let grammar = json!("root ::= (\"yes\" | \"no\")");
        let body = if path == CHAT {
            chat("grammar", grammar)
        } else {
            with("grammar", grammar)
        };
        let (said, reason) = answered(&ask(&place, path, &body));
        assert!(
            ["yes", "no"].contains(&&*said) && reason == "stop",
            "{said}"
        );
    }
    // A line break does not end what has a form of its own.
    let body = chat("grammar", json!("root ::= \"a\\nb\\nc\""));
    assert_eq!(answered(&ask(&place, CHAT, &body)).0, "a\nb\nc");
    let free = with("response_format", json!({"type": "text"}));
    let plain = ask(&place, TEXT, &completion(PROMPT, 120));
    assert_eq!(text(&ask(&place, TEXT, &free)), text(&plain));
    assert_eq!(episode(&place.client(), "beside", 3, 8), calm);
    assert!(place.stop());
}

#[test]
fn grammars_that_cannot_be_used_are_refused_and_the_worker_lives() {
    let mut place = Place::new().started();
    let worker = place.worker();
    let of = |schema: Value| {
        let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
        with("response_format", format)
    };
    let mut both = with("grammar", json!("root ::= \"a\""));
    both["response_format"] = schema();
    let nested = |times: usize| "(".repeat(times) + "\"a\"" + &")".repeat(times);
    let cases = [
        (both, "grammar"),
        (with("grammar", json!("root ::= \"a")), "line 1, column 10"),
        (
            with("grammar", json!("root ::= missing")),
            "no rule is named `missing`",
        ),
        (
            with("grammar", json!("root ::= \"a\"{1000000}")),
            "more than 2000",
        ),
        (
            with("grammar", json!(format!("root ::= {}", nested(5000)))),
            "groups within groups",
        ),
        (with("grammar", json!(1)), "the body"),
        (with("response_format", json!({"type": "yaml"})), "the body"),
        (
            with("response_format", json!({"type": "json_schema"})),
            "the body",
        ),
        (of(json!(true)), "the body"),
        (of(json!({"type": "thing"})), "grammar"),
        (of(json!({"$ref": "#"})), "no text matches"),
        (
            of(json!({"type": "string", "pattern": "(?=a)"})),
            "look-around",
        ),
    ];
    for (body, word) in &cases {
        for path in [TEXT, CHAT] {
            let mut body = body.clone();
            if path == CHAT {
                body["messages"] = json!([{"role": "user", "content": PROMPT}]);
            }
            let refused = place.client_once().post::<Value>(path, &body);
            let Err(ClientError::Refused {
                status,
                code,
                message,
                ..
            }) = refused
            else {
                panic!("{body}: {refused:?}");
            };
            assert_eq!((status, &*code), (400, "invalid"), "{body}");
            assert!(message.contains(word), "{body}: {message}");
        }
        let mut streamed = body.clone();
        streamed["stream"] = true.into();
        let (head, _) = events(&place, TEXT, &streamed);
        assert!(head.contains(" 400 "), "{head}");
    }
    // Followed to their cap, or given up on the way: either way in words.
    for grammar in [
        "root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"b\"",
        "root ::= root root | \"a\" | \"\"",
        "root ::= (((((\"a\"?){2000}){2000}){2000}){2000}){2000}",
    ] {
        match place
            .client_once()
            .post::<Value>(TEXT, &with("grammar", json!(grammar)))
        {
            Ok(answer) => assert!(!answered(&answer).1.is_empty()),
            Err(ClientError::Refused {
                status: 400,
                message,
                ..
            }) => {
                assert!(message.contains("grammar"), "{message}");
            }
            Err(error) => panic!("{grammar}: {error}"),
        }
    }
    assert_eq!(place.worker(), worker);
    let after = ask(
        &place,
        TEXT,
        &with("grammar", json!("root ::= \"still here\"")),
    );
    assert_eq!(text(&after), "still here");
    assert_eq!(place.worker(), worker);
}
