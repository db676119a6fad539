//! What a grammar costs a token: `grammar MODEL [TEXTS]`.
//!
//! The same number of tokens is said freely and under grammars, in turns, and each grammar is followed by llama.cpp's own
//! sampler as well, along the tokens that were said: both find out what may come next and go on behind it. Medians of all
//! texts; the times are those of the clock, so only the ratios of one run mean something.

use std::error::Error;
use std::num::NonZeroU32;
use std::path::Path;
use std::time::Instant;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;
use stride_engine::{BatchOptions, BatchPolicy, EngineOptions, Grammar, TextRequest};

const USAGE: &str = "usage: grammar MODEL [TEXTS]";
const PROMPT: &str = "You arrive at drawer 1. The drawer 1 is closed.";
const TOKENS: u32 = 64;

const GRAMMARS: [(&str, &str); 3] = [
    ("letters and spaces", "root ::= [a-z0-9., ]{400,2000}"),
    (
        "JSON, written as GBNF",
        r#"root ::= "[" value ("," value)*  "]"
value ::= object | array | string | number
object ::= "{" string ":" value ("," string ":" value)* "}"
array ::= "[" (value ("," value)*)? "]"
string ::= "\"" ([^"\\\x00-\x1f] | "\\" ["\\/bfnrt])* "\""
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?"#,
    ),
    (
        "actions",
        r#"root ::= (action "; ")+
action ::= "go to " place | "take " thing " from " place | "open " place | "look"
place ::= ("drawer" | "fridge" | "shelf" | "cabinet") " " number
thing ::= ("egg" | "mug" | "pen") " " number
number ::= [1-9] [0-9]?"#,
    ),
];

const SCHEMA: &str = r#"{"type": "array", "minItems": 40, "items": {"type": "object", "properties":
{"name": {"type": "string", "maxLength": 12}, "count": {"type": "integer"}}, "required": ["name", "count"],
"additionalProperties": false}}"#;

/// Microseconds a token of one text, and the text.
fn say(
    policy: &mut BatchPolicy,
    grammar: Option<Grammar>,
    seed: u64,
) -> Result<(f64, String), Box<dyn Error>> {
    let request = TextRequest {
        prompt: PROMPT.into(),
        max_tokens: NonZeroU32::new(TOKENS),
        temperature: 1.0,
        seed,
        grammar,
        ..TextRequest::default()
    };
    policy.submit_text(0, &request)?;
    // The prompt is in the cache behind the first of these.
    policy.advance();
    let begun = Instant::now();
    while policy.advance() {
        if let Some(answer) = policy.take_answer() {
            let tokens = answer.outcome?.cost.generated_tokens.max(2) - 1;
            let micros = begun.elapsed().as_secs_f64() * 1e6 / f64::from(tokens);
            return Ok((micros, String::from_utf8_lossy(&answer.bytes).into_owned()));
        }
    }
    Err("no answer".into())
}

/// Microseconds a token that llama.cpp's sampler takes for a text.
fn peer(model: &LlamaModel, grammar: &str, text: &str) -> Result<f64, Box<dyn Error>> {
    let mut sampler = LlamaSampler::grammar(model, grammar, "root")?;
    let vocabulary = model.vocab();
    let tokens = vocabulary.tokenize(text.as_bytes(), false, false);
    let all = (0..vocabulary.n_tokens()).map(|id| LlamaTokenData::new(LlamaToken(id), 0.0, 0.0));
    let all = LlamaTokenDataArray::from_iter(all, false);
    let begun = Instant::now();
    for token in &tokens {
        let mut candidates = all.clone();
        sampler.apply(&mut candidates);
        sampler.accept(*token);
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / tokens.len().max(1) as f64)
}

/// Microseconds that llama.cpp's sampler takes for each further character of a text that could be read in many ways.
fn doubling(model: &LlamaModel, most: usize) -> Result<Vec<f64>, Box<dyn Error>> {
    let grammar = "root ::= s\ns ::= \"a\" s \"x\" | \"a\" s \"y\" | \"b\"";
    let mut sampler = LlamaSampler::grammar(model, grammar, "root")?;
    let &[token] = &model.vocab().tokenize(b"a", false, false)[..] else {
        return Err("the letter a is no token".into());
    };
    let mut accept = || {
        let begun = Instant::now();
        sampler.accept(token);
        begun.elapsed().as_secs_f64() * 1e6
    };
    Ok((0..most).map(|_| accept()).collect())
}

/// The longest time between two tokens under a grammar, in milliseconds, and how the text ended.
fn longest(policy: &mut BatchPolicy, grammar: &str) -> Result<(f64, String), Box<dyn Error>> {
    let request = TextRequest {
        prompt: PROMPT.into(),
        max_tokens: NonZeroU32::new(120),
        temperature: 2.0,
        grammar: Some(Grammar::Gbnf(grammar.into())),
        ..TextRequest::default()
    };
    policy.submit_text(0, &request)?;
    let mut most: f64 = 0.0;
    loop {
        let begun = Instant::now();
        policy.advance();
        most = most.max(begun.elapsed().as_secs_f64() * 1e3);
        if let Some(answer) = policy.take_answer() {
            let how = match answer.outcome {
                Ok(said) => format!("{} tokens", said.cost.generated_tokens),
                Err(error) => error.to_string(),
            };
            return Ok((most, how.lines().next().unwrap_or_default().to_owned()));
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, texts) = match &arguments[..] {
        [model] => (model, 30),
        [model, texts] => (model, texts.parse()?),
        _ => return Err(USAGE.into()),
    };
    let mut backend = LlamaBackend::init()?;
    backend.void_logs();
    let vocabulary = LlamaModel::load_from_file(&backend, model, &LlamaModelParams::default())?;
    let options = BatchOptions {
        engine: EngineOptions {
            context_tokens: NonZeroU32::new(512),
            ..EngineOptions::default()
        },
        slots: NonZeroU32::MIN,
        ..BatchOptions::default()
    };
    let mut policy = BatchPolicy::load(Path::new(model), options)?;
    println!("| grammar | free | under it | ratio | llama.cpp's sampler |");
    println!("|---|---|---|---|---|");
    let grammars = GRAMMARS.map(|(name, gbnf)| (name, Grammar::Gbnf(gbnf.into())));
    let schema = ("a JSON schema", Grammar::JsonSchema(SCHEMA.into()));
    for (name, grammar) in grammars.into_iter().chain([schema]) {
        let (mut free, mut under, mut others) = (Vec::new(), Vec::new(), Vec::new());
        for seed in 0..texts {
            free.push(say(&mut policy, None, seed)?.0);
            let (micros, text) = say(&mut policy, Some(grammar.clone()), seed)?;
            under.push(micros);
            if let Grammar::Gbnf(gbnf) = &grammar {
                others.push(peer(&vocabulary, gbnf, &text)?);
            }
        }
        let (free, under) = (median(free), median(under));
        let other = match &others[..] {
            [] => "-".to_owned(),
            _ => format!("{:.0} µs", median(others)),
        };
        println!(
            "| {name} | {free:.0} µs | {under:.0} µs | {:.2} | {other} |",
            under / free
        );
    }
    let times = doubling(&vocabulary, 12)?;
    println!(
        "\nllama.cpp's sampler, a grammar that doubles its ways to go on with every character:"
    );
    for (nth, micros) in (1..).zip(&times).skip(3).step_by(4) {
        println!("character {nth}: {micros:.0} µs");
    }
    println!("\nThe longest time between two tokens, prompt included:");
    let slow = [
        "root ::= root root | root root root | [a-z ] | \"\"".to_owned(),
        "root ::= ((((([a-z ]*)*)*)*)*)*".to_owned(),
        "root ::= ([a-z]? [a-z ]?){2000}".to_owned(),
        format!("root ::= [a-z ] {}", "[a-z ]?".repeat(1000)),
    ];
    for grammar in slow {
        let (most, how) = longest(&mut policy, &grammar)?;
        let grammar: String = grammar.chars().take(50).collect();
        println!("{most:.0} ms: {grammar} ({how})");
    }
    Ok(())
}
