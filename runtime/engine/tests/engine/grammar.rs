//! Texts under a grammar match it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::path::Path;

use serde_json::{Value, json};
use stride_engine::{
    BatchOptions, BatchPolicy, EngineError, EngineOptions, Grammar, SharedPolicy, TextEnd,
    TextEvent, TextRequest,
};

use crate::common::{policy_file, shipped};

const PROMPT: &str = "user: Where is the egg?\nassistant:";

fn open(path: &Path) -> BatchPolicy {
    let options = BatchOptions {
        engine: EngineOptions {
            context_tokens: NonZeroU32::new(512),
            ..EngineOptions::default()
        },
        slots: NonZeroU32::new(4).unwrap(),
        ..BatchOptions::default()
    };
    BatchPolicy::load(path, options).unwrap()
}

fn request(grammar: Grammar, temperature: f32, seed: u64) -> TextRequest {
    TextRequest {
        prompt: PROMPT.into(),
        max_tokens: NonZeroU32::new(120),
        temperature,
        seed,
        grammar: Some(grammar),
        ..TextRequest::default()
    }
}

fn gbnf(source: &str) -> Grammar {
    Grammar::Gbnf(source.to_owned())
}

/// What comes of a text, and whether it was cut.
fn said(policy: &mut BatchPolicy, request: &TextRequest) -> Result<(String, bool), EngineError> {
    policy.submit_text(7, request)?;
    while policy.advance() {
        if let Some(answer) = policy.take_answer() {
            let capped = answer.outcome?.cost.capped;
            // Only a whole text of a grammar is sure to be one.
            let text = match request.grammar.is_some() && !capped {
                true => String::from_utf8(answer.bytes).unwrap(),
                false => String::from_utf8_lossy(&answer.bytes).into_owned(),
            };
            return Ok((text, capped));
        }
    }
    panic!("no answer");
}

#[test]
fn only_what_the_grammar_has_is_said() {
    let yes_or_no = gbnf("root ::= (\"yes\" | \"no\")");
    let mut policy = open(&shipped());
    let greedy = said(&mut policy, &request(yes_or_no.clone(), 0.0, 0)).unwrap();
    assert!(
        ["yes", "no"].contains(&&*greedy.0) && !greedy.1,
        "{greedy:?}"
    );
    let mut policy = open(&policy_file());
    let mut seen = BTreeSet::new();
    for seed in 0..30 {
        let request = request(yes_or_no.clone(), 2.0, seed);
        let (text, capped) = said(&mut policy, &request).unwrap();
        assert!(!capped);
        assert_eq!(said(&mut policy, &request).unwrap().0, text);
        seen.insert(text);
    }
    assert_eq!(seen, ["no", "yes"].map(String::from).into());
    // It ends at its last character: none but the empty text may follow.
    let (text, capped) = said(&mut policy, &request(gbnf("root ::= \"\""), 0.0, 0)).unwrap();
    assert_eq!((&*text, capped), ("", false));
    // Letters that take several bytes, of which tokens hold parts.
    let letters = gbnf("root ::= [\u{e4}\u{fc}\u{df}\u{1f600}]{3} \"\u{20ac}\"");
    for seed in 0..10 {
        let (text, capped) = said(&mut policy, &request(letters.clone(), 1.0, seed)).unwrap();
        assert!(
            !capped && text.ends_with('\u{20ac}') && text.chars().count() == 4,
            "{text}"
        );
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "found": {"type": "boolean"},
            "place": {"enum": ["fridge 1", "drawer 2"]},
            "count": {"type": "integer", "minimum": 2, "maximum": 40},
            "names": {"type": "array", "items": {"type": "string", "maxLength": 6}, "minItems": 1, "maxItems": 3},
        },
        "required": ["found", "place", "count", "names"],
        "additionalProperties": false,
    })
}

fn check(text: &str) {
    let value: Value = serde_json::from_str(text).unwrap();
    let fields = value.as_object().unwrap();
    assert_eq!(fields.len(), 4, "{text}");
    assert!(value["found"].is_boolean());
    assert!(["fridge 1", "drawer 2"].contains(&value["place"].as_str().unwrap()));
    assert!((2..=40).contains(&value["count"].as_i64().unwrap()));
    let names = value["names"].as_array().unwrap();
    assert!((1..=3).contains(&names.len()));
    let short = |name: &Value| name.as_str().unwrap().chars().count() <= 6;
    assert!(names.iter().all(short), "{text}");
}

#[test]
fn json_under_a_schema_parses_and_holds_to_it() {
    let grammar = Grammar::JsonSchema(schema().to_string());
    for path in [shipped(), policy_file()] {
        let mut policy = open(&path);
        let mut whole = 0;
        for (seed, temperature) in (0..).zip([0.0, 0.7, 1.0, 1.0, 1.0, 1.0, 1.5, 2.0]) {
            let request = request(grammar.clone(), temperature, seed);
            let (text, capped) = said(&mut policy, &request).unwrap();
            // One that was cut is the front of one that holds to it.
            if capped {
                assert!(text.starts_with('{') && !text.ends_with('}'), "{text}");
            } else {
                check(&text);
                whole += 1;
            }
        }
        assert!(whole >= 6, "{whole} texts of 8 were whole");
    }
}

/// Grammars and schemas that are wrong, or that would take all time or memory.
#[test]
fn hostile_grammars_are_refused_and_harm_nobody() {
    let mut policy = open(&policy_file());
    let plain = TextRequest {
        grammar: None,
        ..request(gbnf(""), 0.0, 0)
    };
    let before = said(&mut policy, &plain).unwrap();
    let nested = |open: &str, close: &str, times: usize| {
        format!("{}\"a\"{}", open.repeat(times), close.repeat(times))
    };
    let deep = nested("[", "]", 20_000);
    let branches: String = (0..60)
        .map(|n| format!("r{n} ::= e r{next} | e r{next}\n", next = n + 1))
        .collect();
    let refused = [
        gbnf(""),
        gbnf("root"),
        gbnf("root ::= \"a"),
        gbnf("root ::= nothing"),
        gbnf("root ::= [z-a]"),
        gbnf("root ::= \"a\"{1000000}"),
        gbnf("root ::= \"\\ud800\""),
        gbnf("root ::= <|begin|>"),
        gbnf(&format!("root ::= {}", nested("(", ")", 10_000))),
        gbnf(&"root ::= \"a\"\n".repeat(4_000)),
        Grammar::JsonSchema("{".into()),
        Grammar::JsonSchema("[1]".into()),
        Grammar::JsonSchema(deep),
        Grammar::JsonSchema(json!({"$ref": "#"}).to_string()),
        Grammar::JsonSchema(json!({"$ref": "http://x/y"}).to_string()),
        Grammar::JsonSchema(json!({"type": "thing"}).to_string()),
        Grammar::JsonSchema(json!({"not": {"type": "string"}}).to_string()),
        Grammar::JsonSchema(json!({"type": "string", "pattern": "(a"}).to_string()),
        Grammar::JsonSchema(json!({"allOf": [{"type": "string"}, {"type": "null"}]}).to_string()),
    ];
    for grammar in refused {
        let error = said(&mut policy, &request(grammar.clone(), 0.0, 0)).unwrap_err();
        let shown: String = grammar.source().chars().take(60).collect();
        let EngineError::Grammar { problem } = error else {
            panic!("{shown}: {error}");
        };
        assert!(
            !problem.is_empty() && problem.len() < 700,
            "{shown}: {problem}"
        );
    }
    // These are followed, as far as the tokens go, or given up; neither takes long or much.
    let followed = [
        // Twice as many ways to go on with every letter.
        gbnf("root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"a\" s \"z\" | \"b\""),
        gbnf("root ::= root root | root root root | \"a\" | \"\""),
        gbnf("root ::= left\nleft ::= left \"a\" | right\nright ::= left | \"b\""),
        gbnf(&format!("root ::= r0\n{branches}r60 ::= \"a\"\ne ::= \"\"")),
        gbnf("root ::= \"a\" root"),
        gbnf("root ::= (((((\"a\"?){2000}){2000}){2000}){2000}){2000}"),
        gbnf("root ::= ((((([a-z]*)*)*)*)*)*"),
        gbnf(&format!("root ::= {}", "[a-z]? ".repeat(2000))),
        Grammar::JsonSchema(json!({"type": "array", "minItems": 1_000_000}).to_string()),
        Grammar::JsonSchema(json!({"type": "string", "minLength": 100_000_000}).to_string()),
        Grammar::JsonSchema(
            json!({"type": "string", "pattern": "((((a{100}){100}){100}){100})"}).to_string(),
        ),
        Grammar::JsonSchema(
            json!({"type": "string", "pattern": "a?".repeat(1000) + &"a".repeat(1000)}).to_string(),
        ),
        Grammar::JsonSchema(json!({"type": "string", "pattern": "(a|b)*a(a|b){30}"}).to_string()),
    ];
    for grammar in followed {
        for temperature in [0.0, 2.0] {
            let request = request(grammar.clone(), temperature, 1);
            match said(&mut policy, &request) {
                Ok(_) | Err(EngineError::Grammar { .. }) => {}
                Err(error) => panic!("{}: {error}", grammar.source()),
            }
        }
    }
    let long = gbnf(&format!(
        "root ::= \"a\" #{}",
        "x".repeat(Grammar::MOST_BYTES)
    ));
    let error = said(&mut policy, &request(long, 0.0, 0)).unwrap_err();
    assert!(error.to_string().contains("are more than 65536"), "{error}");
    assert_eq!(said(&mut policy, &plain).unwrap(), before);
}

#[test]
fn in_pieces_beside_others_it_is_the_same_text() {
    let options = BatchOptions {
        engine: EngineOptions {
            context_tokens: NonZeroU32::new(512),
            ..EngineOptions::default()
        },
        ..BatchOptions::default()
    };
    let shared = SharedPolicy::load(&shipped(), &options, NonZeroU32::MIN).unwrap();
    let mut alone = open(&shipped());
    let grammar = Grammar::JsonSchema(schema().to_string());
    let requests: Vec<TextRequest> = [0.0, 1.0, 1.5]
        .into_iter()
        .map(|temperature| request(grammar.clone(), temperature, 5))
        .collect();
    let streams: Vec<_> = requests
        .iter()
        .map(|request| shared.text(0, request.clone()))
        .collect();
    for (request, events) in requests.iter().zip(streams) {
        let mut pieces = Vec::new();
        let mut end: Option<TextEnd> = None;
        for event in events {
            match event {
                TextEvent::Piece(piece) => pieces.push(piece),
                TextEvent::End(ended) => end = Some(ended.unwrap()),
            }
        }
        let (whole, capped) = said(&mut alone, request).unwrap();
        assert_eq!(pieces.concat(), whole);
        assert_eq!(end.unwrap().capped, capped);
        assert!(pieces.len() > 3);
    }
    let mut events = shared
        .text(0, self::request(gbnf("root ::= x"), 0.0, 0))
        .into_iter();
    let refused = events.next();
    assert!(
        matches!(
            refused,
            Some(TextEvent::End(Err(EngineError::Grammar { .. })))
        ),
        "{refused:?}"
    );
}

/// A text whose last token completes it is whole, not cut.
#[test]
fn a_text_that_fits_its_tokens_is_not_cut() {
    let mut policy = open(&shipped());
    let grammar = gbnf("root ::= \"drawer 12 and fridge 3\"");
    let mut free = request(grammar, 0.0, 0);
    policy.submit_text(0, &free).unwrap();
    let mut tokens = 0;
    while policy.advance() {
        while let Some(answer) = policy.take_answer() {
            tokens = answer.outcome.unwrap().cost.generated_tokens;
        }
    }
    free.max_tokens = NonZeroU32::new(tokens);
    let whole = ("drawer 12 and fridge 3".to_owned(), false);
    assert_eq!(said(&mut policy, &free).unwrap(), whole);
    free.max_tokens = NonZeroU32::new(tokens - 1);
    let (text, capped) = said(&mut policy, &free).unwrap();
    assert!(
        capped && whole.0.starts_with(&text) && text.len() < whole.0.len(),
        "{text}"
    );
}
