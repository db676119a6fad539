//! What llama.cpp computes for a GGUF: `logits MODEL TEXTS OUT [CONTEXT]`.
//!
//! Every line of `TEXTS` is JSON: a string, which is tokenized as llama.cpp does it (begin and end tokens as the file
//! says, special tokens recognised), or an array of token ids, which is computed. Each is answered on stdout by the array
//! of its tokens; the logits of every position of every array are appended to `OUT` as little-endian f32, row after
//! row. The cache is F32 and flash attention is off, so that a difference comes from the file and not from the cache.
//! `convert/peers/transformers_check.py` compares all this with transformers.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::num::NonZeroU32;
use std::path::Path;

use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use serde_json::Value;

const USAGE: &str = "usage: logits MODEL TEXTS OUT [CONTEXT]";
const CONTEXT: u32 = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, texts, out, rest @ ..] = &arguments[..] else {
        return Err(USAGE.into());
    };
    let context: u32 = match rest {
        [] => CONTEXT,
        [context] => context.parse()?,
        _ => return Err(USAGE.into()),
    };
    let backend = LlamaBackend::init()?;
    if !Path::new(model).is_file() {
        return Err(format!("{model} is no file").into());
    }
    let model = LlamaModel::load_from_file(&backend, model, &LlamaModelParams::default())?;
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(context))
        .with_n_batch(context)
        .with_n_ubatch(context)
        .with_type_k(KvCacheType::F32)
        .with_type_v(KvCacheType::F32)
        .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_DISABLED);
    let mut running = model.new_context(&backend, params)?;
    let mut out = BufWriter::new(File::create(out)?);
    let mut stdout = std::io::stdout().lock();
    for line in BufReader::new(File::open(texts)?).lines() {
        let tokens = match serde_json::from_str(&line?)? {
            Value::String(text) => model.vocab().tokenize(text.as_bytes(), true, true),
            ids => {
                let ids: Vec<i32> = serde_json::from_value(ids)?;
                let tokens: Vec<LlamaToken> = ids.into_iter().map(LlamaToken).collect();
                let mut batch = LlamaBatch::new(tokens.len(), 1);
                for (at, &token) in (0..).zip(&tokens) {
                    batch.add(token, at, &[0], true)?;
                }
                running.clear_kv_cache();
                running.decode(&mut batch)?;
                for at in 0..batch.n_tokens() {
                    for logit in running.get_logits_ith(at) {
                        out.write_all(&logit.to_le_bytes())?;
                    }
                }
                tokens
            }
        };
        let ids: Vec<i32> = tokens.iter().map(|token| token.0).collect();
        writeln!(stdout, "{}", serde_json::to_string(&ids)?)?;
    }
    out.flush()?;
    Ok(())
}
