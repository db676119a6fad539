//! The API that programs for language models expect.

use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroU32;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::{Value, json};
use stride_client::ClientError;
use stride_engine::{BatchOptions, EngineOptions, SharedPolicy, TextEvent, TextRequest};
use stride_firmware_config::profile::DeviceProfile;

use crate::play::episode;
use crate::support::{MODEL, Place, shipped_model, signal};

pub const PROMPT: &str = "You arrive at drawer 1. The drawer 1 is closed.";

pub fn completion(prompt: &str, max_tokens: u32) -> Value {
    json!({"model": MODEL, "prompt": prompt, "max_tokens": max_tokens, "temperature": 0})
}

pub fn ask(place: &Place, path: &str, body: &Value) -> Value {
    place.client_once().post(path, body).unwrap()
}

pub fn text(answer: &Value) -> String {
    answer["choices"][0]["text"].as_str().unwrap().to_owned()
}

/// Asks, and leaves the answer to be read.
fn post(place: &Place, path: &str, body: &Value) -> UnixStream {
    let mut socket = UnixStream::connect(place.socket()).unwrap();
    let body = body.to_string();
    write!(
        socket,
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

/// The data of the events that a request is answered with, and the head of the answer.
pub fn events(place: &Place, path: &str, body: &Value) -> (String, Vec<String>) {
    let mut lines = BufReader::new(post(place, path, body))
        .lines()
        .map(Result::unwrap);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let data = lines.filter_map(|line| line.strip_prefix("data: ").map(String::from));
    (head.join("\n").to_lowercase(), data.collect())
}

/// What the engine says in this process.
fn said(prompt: &str, max_tokens: u32) -> String {
    let options = BatchOptions {
        engine: EngineOptions::default().under_profile(&DeviceProfile::standard()),
        ..BatchOptions::default()
    };
    let policy = SharedPolicy::load(&shipped_model(), &options, NonZeroU32::MIN).unwrap();
    let request = TextRequest {
        prompt: prompt.into(),
        max_tokens: NonZeroU32::new(max_tokens),
        ..TextRequest::default()
    };
    let events = policy.text(0, request);
    let pieces = events.iter().map_while(|event| match event {
        TextEvent::Piece(piece) => Some(piece),
        TextEvent::End(end) => {
            end.unwrap();
            None
        }
    });
    pieces.collect()
}

#[test]
fn a_text_is_continued_whole_and_in_pieces() {
    let mut place = Place::new().started();
    let calm = episode(&place.client(), "calm", 3, 8);
    let body = completion(PROMPT, 24);
    let answer = ask(&place, "/v1/completions", &body);
    let whole = text(&answer);
    assert_eq!(whole, said(PROMPT, 24));
    assert!(!whole.is_empty());
    let (usage, reason) = (&answer["usage"], &answer["choices"][0]["finish_reason"]);
    assert!(usage["completion_tokens"].as_u64().unwrap() <= 24);
    assert!(reason == "stop" || reason == "length", "{answer}");
    assert_eq!(
        usage["total_tokens"].as_u64().unwrap(),
        usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
    );
    // In pieces it is the same text.
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    streamed["stream_options"] = json!({"include_usage": true});
    let (head, mut data) = events(&place, "/v1/completions", &streamed);
    assert!(
        head.contains("200") && head.contains("text/event-stream"),
        "{head}"
    );
    assert_eq!(data.pop().unwrap(), "[DONE]");
    let pieces: Vec<Value> = data
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    let (last, pieces) = pieces.split_last().unwrap();
    assert_eq!(&last["usage"], usage);
    assert_eq!(pieces.iter().map(text).collect::<String>(), whole);
    assert_eq!(
        &pieces.last().unwrap()["choices"][0]["finish_reason"],
        reason
    );
    // Cut where it is told to stop.
    let stop: String = whole.chars().skip(3).take(4).collect();
    let mut stopped = body.clone();
    stopped["stop"] = json!([stop]);
    let answer = ask(&place, "/v1/completions", &stopped);
    assert_eq!(text(&answer), whole.split(&stop).next().unwrap());
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    // A draw repeats with its seed.
    let draw = |seed: u32| {
        let mut body = completion(PROMPT, 24);
        body["temperature"] = json!(1.5);
        body["seed"] = seed.into();
        text(&ask(&place, "/v1/completions", &body))
    };
    assert_eq!(draw(1), draw(1));
    assert!((2..12).any(|seed| draw(seed) != draw(1)));
    // Steps are made beside texts, and are the same.
    std::thread::scope(|scope| {
        let texts = scope.spawn(|| {
            for _ in 0..5 {
                assert_eq!(
                    text(
                        &place
                            .client()
                            .post::<Value>("/v1/completions", &body)
                            .unwrap()
                    ),
                    whole
                );
            }
        });
        assert_eq!(episode(&place.client(), "beside", 3, 8), calm);
        texts.join().unwrap();
    });
    assert!(place.stop());
}

#[test]
fn a_conversation_is_continued() {
    let place = Place::new().started();
    let body = json!({
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "put a fork in countertop"},
            {"role": "user", "content": [{"type": "text", "text": PROMPT}]},
        ],
        "max_completion_tokens": 16,
        "temperature": 0,
        "user": "somebody",
    });
    let answer = ask(&place, "/v1/chat/completions", &body);
    assert_eq!(answer["object"], "chat.completion");
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["role"], "assistant");
    let whole = message["content"].as_str().unwrap();
    assert!(!whole.contains('\n'));
    let prompt = format!("system: put a fork in countertop\nuser: {PROMPT}\nassistant:");
    let expected = said(&prompt, 16);
    assert_eq!(whole, expected.split('\n').next().unwrap());
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    let (_, mut data) = events(&place, "/v1/chat/completions", &streamed);
    assert_eq!(data.pop().unwrap(), "[DONE]");
    let pieces: Vec<Value> = data
        .iter()
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(pieces[0]["choices"][0]["delta"]["role"], "assistant");
    let content = |piece: &Value| {
        piece["choices"][0]["delta"]["content"]
            .as_str()
            .map(String::from)
    };
    assert_eq!(pieces.iter().filter_map(content).collect::<String>(), whole);
}

#[test]
fn what_cannot_be_done_is_refused_in_the_form_of_that_api() {
    let mut place = Place::new().started();
    let models: Value = place.client().fetch("/v1/models").unwrap();
    assert_eq!(models["data"][0]["id"], MODEL);
    let model: Value = place
        .client()
        .fetch(&format!("/v1/models/{MODEL}"))
        .unwrap();
    assert_eq!(model["object"], "model");
    let long = "drawer 1 ".repeat(2000);
    let with = |key: &str, value: Value| {
        let mut body = completion(PROMPT, 4);
        body[key] = value;
        body
    };
    let cases = [
        (completion(&long, 4), 400, "invalid"),
        (completion(PROMPT, 100_000), 400, "invalid"),
        (with("max_tokens", json!(0)), 400, "invalid"),
        (with("temperature", json!(9)), 400, "invalid"),
        (with("top_p", json!(0.5)), 400, "invalid"),
        (with("n", json!(2)), 400, "invalid"),
        (with("prompt", json!(["a", "b"])), 400, "invalid"),
        (
            with("stop", json!(["a", "b", "c", "d", "e"])),
            400,
            "invalid",
        ),
        (with("model", json!("other")), 404, "model_not_found"),
    ];
    for (body, expected, word) in cases {
        let refused = place.client_once().post::<Value>("/v1/completions", &body);
        let Err(ClientError::Refused { status, code, .. }) = refused else {
            panic!("{body}: {refused:?}");
        };
        assert_eq!((status, &*code), (expected, word), "{body}");
    }
    let raw = events(&place, "/v1/completions", &with("n", json!(2)));
    assert!(raw.0.contains("400"), "{}", raw.0);
    let body = crate::steps::raw_get(&place, "/v1/models/other");
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["error"]["type"], "not_found_error");
    assert!(body["error"]["param"].is_null());
    assert!(place.is_running());
}

fn ask_until_there_is_room(place: &Place, body: &Value) -> Value {
    let mut answer = None;
    place.wait_without_daemon(|| {
        match place.client_once().post::<Value>("/v1/completions", body) {
            Err(ClientError::Refused { status: 429, .. }) => {}
            other => answer = Some(other.unwrap()),
        }
        answer.is_some()
    });
    answer.unwrap()
}

/// A text whose client goes as soon as it has begun: it is ended, and makes room for the next.
#[test]
fn a_text_that_nobody_waits_for_any_more_is_ended() {
    let place = Place::new().started();
    let given_up = || place.metric("stride_texts_given_up_total");
    // One that is complete by then is none.
    for seed in 0..50 {
        let mut body = completion(PROMPT, 700);
        body["stream"] = true.into();
        body["temperature"] = json!(1.5);
        body["seed"] = seed.into();
        let mut lines = BufReader::new(post(&place, "/v1/completions", &body)).lines();
        let begun = |line: &std::io::Result<String>| line.as_ref().unwrap().starts_with("data: ");
        assert!(lines.any(|line| begun(&line)));
        drop(lines);
        let next = ask_until_there_is_room(&place, &completion(PROMPT, 4));
        assert!(next["usage"]["completion_tokens"].as_u64().unwrap() > 0);
        if given_up() > 0.0 {
            return;
        }
    }
    panic!("every text was made to its end for nobody");
}

#[test]
fn a_text_has_a_time_in_which_it_must_be_complete() {
    let settings =
        "[limits]\ntext_seconds = 1\n[worker]\nstep_seconds = 600\nprobe_seconds = 600\n";
    let mut place = Place::new().with_settings(settings).started();
    let worker = place.worker();
    let short = completion(PROMPT, 4);
    let mut streamed = short.clone();
    streamed["stream"] = true.into();
    for streams in [false, true] {
        signal(worker, Signal::STOP);
        if streams {
            let (head, _) = events(&place, "/v1/completions", &streamed);
            assert!(head.contains(" 503 "), "{head}");
        } else {
            let late = place.client_once().post::<Value>("/v1/completions", &short);
            let Err(ClientError::Refused { status, code, .. }) = late else {
                panic!("{late:?}");
            };
            assert_eq!((status, &*code), (503, "timed_out"));
        }
        // Nobody else gets its place as long as the worker is at it.
        let busy = place.client_once().post::<Value>("/v1/completions", &short);
        let Err(ClientError::Refused { status, .. }) = busy else {
            panic!("{busy:?}");
        };
        assert_eq!(status, 429);
        signal(worker, Signal::CONT);
        let after = ask_until_there_is_room(&place, &short);
        assert!(after["usage"]["completion_tokens"].as_u64().unwrap() > 0);
    }
    assert_eq!(place.worker(), worker);
}
